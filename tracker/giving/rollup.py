"""How a month adds up: one-time + monthly + offline - refunds - disputes = raised."""

from collections.abc import Iterable
from dataclasses import dataclass, fields, replace

Kind = str
"""`once`, `monthly`, `offline`, `refund` or `dispute`."""

COLUMN = {"once": "once", "monthly": "monthly", "offline": "offline", "refund": "refunds", "dispute": "disputes"}


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

    @property
    def raised(self) -> int:
        return self.once + self.monthly + self.offline - self.refunds - self.disputes

    def __add__(self, other: "Sums") -> "Sums":
        return Sums(*(getattr(self, field.name) + getattr(other, field.name) for field in fields(Sums)))


def sums_of(kind: Kind, amount: int) -> Sums:
    """What one entry does to its month. `amount` is the entry's own, signed, as in the ledger.

    An offline gift that was taken back was never made, unlike one that was refunded.
    """
    if kind in ("refund", "dispute"):
        return replace(Sums(), **{COLUMN[kind]: -amount})
    return replace(Sums(), **{COLUMN[kind]: amount, "gifts": -1 if amount < 0 else 1})


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
