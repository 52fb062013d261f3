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


Fact = Gift | Taken | Link
