"""What may need the newsroom's attention. None of it moves money, and none of it names people."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Notice:
    """What Stripe said, in one event, of a dispute, an early fraud warning, or a refund that failed."""

    key: str
    """The dispute's, the warning's or the refund's own id."""
    kind: Literal["dispute", "inquiry", "answered", "warning", "refund_failed"]
    known_as: tuple[str, ...]
    """The payment intent and the charge of the gift."""
    is_open: bool
    """Whether there is still something to do, or to wait for."""
    told_at: datetime
    amount: int | None = None
    """In the smallest unit of `currency`, where the event says one."""
    currency: str = ""
    due: datetime | None = None
    """Until when the bank takes evidence."""


@dataclass(frozen=True)
class Alert:
    """One line of what needs a look."""

    kind: Literal[
        "dispute", "inquiry", "answered", "warning", "refund_failed", "failing", "gift_waits", "taken_waits",
        "cannot_be_taken", "other_currency", "other_mode", "card_testing", "card_testing_over",
    ]  # fmt: skip
    stripe_id: str
    amount: int = 0
    """In the smallest unit of `currency`."""
    currency: str = ""
    due: datetime | None = None
    count: int = 1
    """How many alike this line stands for; the id is the newest one's."""
    campaign: str = ""
    """The campaign that a gift waits for."""
    since: datetime | None = None
    """When an attack began, or was over."""
