"""How a month adds up: one-time + monthly + yearly + offline - refunds - disputes = raised."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace

Kind = str
"""`once`, `monthly`, `yearly`, `offline`, `refund` or `dispute`."""

SUBSCRIBED: tuple[Kind, ...] = ("monthly", "yearly")
"""Gifts that a subscription's invoices bring."""
ONLINE: tuple[Kind, ...] = ("once", *SUBSCRIBED)
"""Gifts that came through Stripe."""
COLUMN = {**{kind: kind for kind in (*ONLINE, "offline")}, "refund": "refunds", "dispute": "disputes"}


@dataclass(frozen=True)
class Sums:
    """A month's figures, in smallest units. Refunds and disputes are written as what they took, so mostly positive."""

    once: int = 0
    monthly: int = 0
    offline: int = 0
    refunds: int = 0
    disputes: int = 0
    gifts: int = 0
    """How many gifts were made; a refunded gift was still made. Below zero where more were taken back than made."""
    yearly: int = 0
    """The last, and 0 where it is not told: months that were closed before there were yearly gifts kept no figure for it."""

    @property
    def raised(self) -> int:
        return self.once + self.monthly + self.yearly + self.offline - self.refunds - self.disputes

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Sums)))


def sums_of(kind: Kind, amount: int, *, is_more: bool = False) -> Sums:
    """What one entry does to its month. `amount` is the entry's own, signed, as in the ledger.

    A reversed offline or imported gift was never made, unlike a refunded one. `is_more` is
    a later part of a gift that was counted before.
    """
    if kind in ("refund", "dispute"):
        return replace(Sums(), **{COLUMN[kind]: -amount})
    return replace(Sums(), **{COLUMN[kind]: amount, "gifts": -1 if amount < 0 else 0 if is_more else 1})


def is_more(kind: Kind, key: str, gift_key: str) -> bool:
    """Whether an entry is a later part of a gift that has an entry already."""
    return kind in ONLINE and key != gift_key


@dataclass(frozen=True)
class Deducted:
    """How much refunds and disputes take off one gift, each zero or more, together never more than the gift."""

    refunds: int
    disputes: int


def deducted(gift: int, taken: Iterable[tuple[Kind, int]]) -> Deducted:
    """What the refunds and disputes of one gift come to, whatever order they arrived in.

    `taken` holds the facts' own `(kind, amount)`, signed. Stripe can report more than the gift (a dispute may exceed
    its charge, or follow a refund), so refunds count first, up to the gift, and disputes up to what then is left.
    """
    sums = {"refund": 0, "dispute": 0}
    for kind, amount in taken:
        sums[kind] -= amount
    refunds = min(max(sums["refund"], 0), gift)
    return Deducted(refunds, min(max(sums["dispute"], 0), gift - refunds))


def allotted(gifts: Sequence[int], whole: Deducted) -> list[Deducted]:
    """What comes off each of several gifts that one payment paid for: the first is used up before the next."""
    refunds, disputes = whole.refunds, whole.disputes
    shares = []
    for gift in gifts:
        refunded = min(refunds, gift)
        disputed = min(disputes, gift - refunded)
        refunds, disputes = refunds - refunded, disputes - disputed
        shares.append(Deducted(refunded, disputed))
    return shares


def dispute_shares(disputed: int, currency: str, movements: Sequence[tuple[int, str]]) -> list[int]:
    """How much of its gift each movement of a dispute took; below zero where it gave back. In the gift's smallest unit.

    `disputed` is what the bank asked for, in the gift's `currency`. `movements` are the balance transactions, oldest first,
    as signed amounts in whatever currency the account settles in. In the gift's own currency a movement is what it is. In
    another, the most that was ever out at once stands for all that was disputed, and everything else is its share of that:
    so a part that is given back is a part, and small movements for an exchange rate stay small.
    """
    shares: list[int] = []
    out: dict[str, int] = {}
    most: dict[str, int] = {}
    taken: dict[str, int] = {}
    for amount, in_currency in movements:
        before = taken.get(in_currency, 0)
        if in_currency == currency:
            after = before - amount
        else:
            out[in_currency] = out.get(in_currency, 0) - amount
            most[in_currency] = max(most.get(in_currency, 0), out[in_currency])
            if most[in_currency]:
                after = _rounded(disputed * max(out[in_currency], 0), most[in_currency])
            else:
                # Given back in a currency in which nothing was taken: the account has changed its own since then.
                after = before - max(sum(taken.values()), 0)
        taken[in_currency] = after
        shares.append(after - before)
    return shares


def _rounded(amount: int, by: int) -> int:
    """Divided, and rounded half up."""
    return (2 * amount + by) // (2 * by)
