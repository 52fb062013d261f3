"""A month's money as an accountant ties it to the bank, from what the ledger knows: it asks nobody."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.giving.breakdown import Breakdown
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.giving.rollup import Sums
from tracker.ledger import settled_totals
from tracker.ledger.entries import month_is
from tracker.ledger.models import entry, pending_fetch, settlement

LINES = 20
"""This many entries that have not settled yet are listed; all of them are counted."""


@dataclass(frozen=True)
class Payout:
    """What one payout holds of a month."""

    key: str
    arrives: datetime | None
    entries: int
    gross: int
    fee: int
    net: int


@dataclass(frozen=True)
class Balance:
    """What a month's entries came to in one currency of the account's balance."""

    currency: str
    converted: bool
    """Whether the currency is not the month's: then the two cannot be compared."""
    entries: int
    told: int
    """The amounts of these entries in the book, in the month's currency."""
    gross: int
    fee: int
    net: int
    payouts: tuple[Payout, ...]
    in_balance: Payout | None
    """What has settled but is not paid out yet."""

    @property
    def paid_out(self) -> int:
        return sum(one.net for one in self.payouts)

    @property
    def difference(self) -> int:
        """The difference between Stripe's balance and the book: zero, unless something is wrong."""
        return 0 if self.converted else self.gross - self.told

    @property
    def fee_share(self) -> float | None:
        """The fee as a percentage of the gross amount, to one decimal."""
        return None if self.gross <= 0 else (self.fee * 2000 // self.gross + 1) // 2 / 10


@dataclass(frozen=True)
class Unsettled:
    """An entry that Pledgebar still asks Stripe about."""

    key: str
    told: int
    at: datetime
    asked_again_at: datetime
    tries: int


@dataclass(frozen=True)
class Money:
    """`raised = settled + unsettled + offline + imported + outside − beyond`, each as the book has it, in the month's
    currency."""

    raised: int
    offline: int
    imported: int
    """What came from another system's file as given online."""
    outside: int
    """What was given back outside Stripe; negative."""
    beyond: int
    """What was paid or taken back besides the gifts: refunds larger than them, other items and tax on an invoice."""
    told: int
    """All that went through Stripe."""
    balances: tuple[Balance, ...]
    unsettled: int
    unsettled_of: int
    """How many entries that is."""

    @property
    def settled(self) -> int:
        return sum(one.told for one in self.balances)

    @property
    def own(self) -> Balance | None:
        """What came to the account in the month's own currency."""
        return next((one for one in self.balances if not one.converted), None)


def of_month(campaign: Campaign, month: Month, sums: Sums, broken: Breakdown, settled: Sequence[Any]) -> Money:
    """What the month's entries came to. `sums` are its totals, `broken` its breakdowns, `settled` its settled totals."""
    days = broken.days_of(month).values()
    told, told_of, outside, imported = (
        sum(row[name] for row in days) for name in ("told", "told_of", "outside", "imported")
    )
    balances = _balances(campaign, settled)
    return Money(
        raised=sums.raised,
        offline=sums.offline,
        imported=imported,
        outside=outside,
        beyond=told + sums.offline + imported + outside - sums.raised,
        told=told,
        balances=balances,
        unsettled=told - sum(one.told for one in balances),
        unsettled_of=told_of - sum(one.entries for one in balances),
    )


def _balances(campaign: Campaign, rows: Sequence[Any]) -> tuple[Balance, ...]:
    found = []
    for currency in dict.fromkeys(row.settled_in for row in rows):
        own = [row for row in rows if row.settled_in == currency]
        lines = [Payout(row.payout, row.paid_out_on, row.entries, row.gross, row.fee, row.net) for row in own]
        entries, told, gross, fee, net = (sum(getattr(row, name) for row in own) for name in settled_totals.SUMS)
        found.append(
            Balance(
                currency, currency != campaign.currency, entries, told, gross, fee, net,
                tuple(line for line in lines if line.key), next((line for line in lines if not line.key), None),
            )
        )  # fmt: skip
    return tuple(found)


def unsettled(session: Session, campaign: Campaign, month: Month, live: bool) -> list[Unsettled]:
    """Some of the month's entries that Pledgebar still asks Stripe about, the next one first."""
    rows = session.execute(
        select(entry.c.key, entry.c.told, entry.c.at, pending_fetch.c.due_at, pending_fetch.c.tries)
        .join(entry, entry.c.key == pending_fetch.c.key)
        .where(*month_is(entry, campaign.id, live, month), entry.c.currency == campaign.currency)
        .where(~select(settlement.c.key).where(settlement.c.entry_key == entry.c.key).exists())
        .order_by(pending_fetch.c.due_at, pending_fetch.c.key)
        .limit(LINES)
    )
    return [Unsettled(*row) for row in rows]
