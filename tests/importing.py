"""What tests of imports share."""


class Nth:
    """Counts texts, as the ledger does on the disk."""

    def __init__(self) -> None:
        self.seen: dict[str, tuple[int, int]] = {}

    def __call__(self, said: str, line: int) -> tuple[int, int]:
        times, first = self.seen.get(said, (0, line))
        self.seen[said] = (times + 1, first)
        return self.seen[said]
