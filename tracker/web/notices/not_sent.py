"""Why a notice could not be sent."""


class NotSent(Exception):
    """A try that failed. `reason` is one of our own words, which pages put into a sentence (admin/notice_sender.py:REASONS)."""

    def __init__(self, reason: str, detail: str = "", *, for_good: bool = False, for_all: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.detail = " ".join("".join(sign if sign.isprintable() else " " for sign in detail).split())
        """What the other server said, for whoever looks after it."""
        self.for_good = for_good
        """Whether another try would come to the same."""
        self.for_all = for_all
        """Whether it has nothing to do with this notice, so that the others would fail now as well."""
