"""What can happen to money. A fact has one key, Stripe's own id for the thing, so recording it twice changes nothing."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Gift:
    """Money that came in: a paid session, a paid invoice, or a cheque that somebody wrote down."""

    key: str
    """The session's, the invoice's or the offline gift's id."""
    kind: Literal["once", "monthly", "offline"]
    campaign: str
    amount: int
    """In the smallest unit of `currency`, more than zero."""
    currency: str
    at: datetime
    """When it was paid, with a time zone."""
    live: bool
    known_as: tuple[str, ...] = ()
    """Stripe's other ids for the same money (payment intent, charge): a refund or dispute names one of these."""
    tier: str = ""
    source: str = ""
    place: str = ""
    name: str = ""
    """Only what the donor chose to show."""
    message: str = ""


@dataclass(frozen=True)
class Taken:
    """Money that left a gift again, or came back to it: one refund, or one movement of a dispute."""

    key: str
    """The refund's id, `…/failed` when a refund came back, or the id of the dispute's balance transaction."""
    kind: Literal["refund", "dispute"]
    amount: int
    """Signed, in the smallest unit of `currency`: negative takes off, positive gives back."""
    currency: str
    at: datetime
    live: bool
    gift_known_as: tuple[str, ...]
    """The payment intent and the charge it belongs to; never empty."""


@dataclass(frozen=True)
class Link:
    """Tells by which other ids a gift is known; moves no money. An invoice does not name its payment, so this does."""

    gift_key: str
    known_as: tuple[str, ...]


@dataclass(frozen=True)
class Settled:
    """What a movement of money came to at Stripe: its balance transaction. Comes later than the movement itself."""

    key: str
    """The balance transaction's id."""
    kind: Literal["gift", "refund", "refund_failed", "dispute"]
    of: tuple[str, ...]
    """What was settled: a gift's charge and payment intent, or the refund's id; a dispute's movement is its own key."""
    amount: int
    """Signed like the movement, in the smallest unit of `currency`, the currency in which the account settles."""
    fee: int
    net: int
    currency: str
    rate: str
    """The exchange rate as Stripe writes it; nothing where none was needed."""
    at: datetime
    available_on: datetime
    live: bool


@dataclass(frozen=True)
class PaidOut:
    """A payout to the bank, and which balance transactions are in it."""

    key: str
    arrives: datetime
    settled: tuple[str, ...]
    live: bool


@dataclass(frozen=True)
class Support:
    """How a monthly supporter's subscription stands. A state, not money: the newest word about it counts."""

    key: str
    campaign: str
    amount: int
    """What is charged each month, in the smallest unit of `currency`."""
    currency: str
    state: Literal["active", "failing", "paused", "ended"]
    next_charge: datetime | None
    ends: datetime | None
    """When it was asked to end, if it was; nothing is charged from then on."""
    told_at: datetime
    live: bool


Fact = Gift | Taken | Link | Settled | PaidOut | Support
