"""What can happen to money. A fact has one key, Stripe's own id for the thing, so recording it twice changes nothing."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal


@dataclass(frozen=True)
class Gift:
    """Money that came in: a paid session, a paid invoice, or a cheque that somebody wrote down."""

    key: str
    """The session's, the invoice's or the offline gift's id."""
    kind: Literal["once", "monthly", "yearly", "offline"]
    campaign: str
    amount: int
    """In the smallest unit of `currency`, more than zero. Of an invoice, all that has been paid of the gift so far."""
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
    paid: int = 0
    """What the payment came to in all, where an invoice had other items or tax on it as well; 0 where it had not."""

    @property
    def told(self) -> int:
        """What Stripe's balance has for it: the gift and all else that was paid with it."""
        return self.paid or self.amount


@dataclass(frozen=True)
class Reversal:
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
class InvoicePayment:
    """Tells by which other ids a gift is known; moves no money. An invoice does not name its payment, so this does."""

    gift_key: str
    known_as: tuple[str, ...]
    live: bool | None = field(default=None, compare=False)
    """The mode, where it is told: then Stripe can be asked for a gift that never came."""


@dataclass(frozen=True)
class BalanceTransaction:
    """What a movement of money came to at Stripe: its balance transaction. Comes later than the movement itself."""

    key: str
    """The balance transaction's id."""
    kind: Literal["gift", "refund", "refund_failed", "dispute"]
    of: tuple[str, ...]
    """What was settled: a gift's charge and payment intent, the refund's id, or the dispute's movement that it goes with."""
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
class Payout:
    """A payout to the bank, and which balance transactions are in it."""

    key: str
    arrives: datetime
    settled: tuple[str, ...]
    live: bool


@dataclass(frozen=True)
class Charge:
    """What a subscription charges at once, and again every `count` intervals. `amount` is after coupons."""

    amount: int
    due: datetime
    interval: Literal["day", "week", "month", "year"]
    count: int


@dataclass(frozen=True)
class Subscription:
    """How a supporter's subscription stands. A state, not money: the newest word about it counts."""

    key: str
    campaign: str
    amount: int
    """What the next charge comes to, in the smallest unit of `currency`; 0 where that is nothing or not known."""
    currency: str
    state: Literal["active", "failing", "paused", "ended"]
    next_charge: datetime | None
    ends: datetime | None
    """When it was asked to end, if it was; nothing is charged from then on."""
    told_at: datetime
    live: bool
    rank: int = 1
    """Which of two words of the same second comes later: 0 is how it began, 1 whatever came of it."""
    charges: tuple[Charge, ...] = ()
    """Every charge, where there is more than the one of `amount` at `next_charge` once a month or less often."""
    invoice: str = ""
    """The invoice of the period that runs now."""
    billed: int = 0
    """What that invoice asks for."""
    billed_at: datetime | None = None
    frequency: Literal["month", "year"] = "month"
    began_at: datetime | None = None
    """When it began, if it was ever paid and Stripe said when."""
    ended_at: datetime | None = None
    """When it ended, if it had begun."""
    is_whole: bool = True
    """Whether all of it was told. An event names coupons without saying what they take off; Stripe has to be asked."""


Fact = Gift | Reversal | InvoicePayment | BalanceTransaction | Payout | Subscription
