"""What should be done before a month is closed, looked up in the book alone. It is advice: nothing of it is required."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime
from itertools import islice
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.ledger import stripe_ids, sync_runs
from tracker.ledger.entries import month_is
from tracker.ledger.models import entry, pending_fetch, settlement, waiting
from tracker.ledger.reversals import NOT_AT_STRIPE, OUTSIDE

MOST = 100
"""Each kind is counted up to this number; beyond it, there are simply many."""
MOST_READ = 5000


@dataclass(frozen=True)
class Checks:
    """How a month stands. Amounts in smallest units, by currency."""

    unsettled: list[Any]
    """Entries whose fee is not known, at most `MOST` + 1: rows with key, gift_key, told and currency."""
    unpaid: dict[str, int]
    """The net of what is in no payout yet, by the currency that the account settles in."""
    unpaid_count: int
    on_their_way: dict[str, datetime]
    """Payouts that have not reached the bank yet, with the day on which they will."""
    waiting: int
    """Refunds, disputes and gifts of the month whose gift or campaign is not known; at most `MOST` + 1."""
    asking: int
    """What Stripe is about to be asked for; at most `MOST` + 1."""
    last_sync: sync_runs.SyncRun | None
    sync_reaches: bool
    """Whether clean runs between them asked Stripe about the whole month."""

    @property
    def is_settled(self) -> bool:
        return not self.unsettled

    @property
    def is_paid_out(self) -> bool:
        # Entries without a fee are in no payout yet either.
        return self.is_settled and not self.unpaid_count and not self.on_their_way

    @property
    def is_synced(self) -> bool:
        return self.sync_reaches and self.last_sync is not None and self.last_sync.is_clean

    @property
    def all_good(self) -> bool:
        nothing_open = not self.waiting and not self.asking
        return self.is_settled and self.is_paid_out and nothing_open and self.is_synced


def check(session: Session, campaign: Campaign, month: Month, live: bool, now: datetime) -> Checks:
    """Looks up everything that an editor should know before closing the month."""
    begin, end = month.first_moment(campaign.time_zone), month.next.first_moment(campaign.time_zone)
    unsettled = _unsettled(session, campaign, month, live)
    unpaid, count, on_their_way = _unpaid(session, campaign, month, live, now)
    due = (pending_fetch.c.due_at <= now, pending_fetch.c.live == live)
    asking = session.scalars(select(pending_fetch.c.key).where(*due).limit(MOST + 1)).all()
    runs = sync_runs.since(session, live, begin)
    return Checks(
        unsettled, unpaid, count, on_their_way, _waiting(session, live, begin, end), len(asking),
        sync_runs.newest(session, live), sync_runs.reach_over(runs, begin, end),
    )  # fmt: skip


def _unsettled(session: Session, campaign: Campaign, month: Month, live: bool) -> list[Any]:
    """Cheques, imported gifts, money given back by hand, and entries that only cancel out another one never have a fee."""
    settled = select(settlement.c.key).where(settlement.c.entry_key == entry.c.key).exists()
    found = session.execute(
        select(entry)
        .where(*month_is(entry, campaign.id, live, month), entry.c.kind != "offline", entry.c.told != 0)
        .where(*(entry.c.key.not_like(f"{begin}%") for begin in NOT_AT_STRIPE), ~settled)
        .order_by(entry.c.id)
        .limit(MOST_READ)
    ).all()
    return list(islice((one for one in found if not _will_never_be(session, one)), MOST + 1))


def _will_never_be(session: Session, one: Any) -> bool:
    """The second of two gifts paid with one payment, or one that was removed by hand because it was never paid."""
    outside = (entry.c.gift_key == one.key, entry.c.gift_key != entry.c.key, entry.c.key.startswith(OUTSIDE))
    if -int(session.scalar(select(func.sum(entry.c.told)).where(*outside)) or 0) == one.told:
        return True
    others = [other.key for other in stripe_ids.paid_together(session, one) if other.key != one.key]
    return bool(others) and session.scalar(
        select(settlement.c.key).where(settlement.c.entry_key.in_(others)).limit(1)
    ) is not None  # fmt: skip


def _unpaid(
    session: Session, campaign: Campaign, month: Month, live: bool, now: datetime
) -> tuple[dict[str, int], int, dict[str, datetime]]:
    """What is in no payout yet, and the payouts that are still on their way to the bank."""
    by_payout = (settlement.c.currency, settlement.c.payout, settlement.c.paid_out_on)
    rows = session.execute(
        select(*by_payout, func.sum(settlement.c.net).label("net"), func.count().label("times"))
        .select_from(entry.join(settlement, settlement.c.entry_key == entry.c.key))
        .where(*month_is(entry, campaign.id, live, month))
        .group_by(*by_payout)
        .order_by(settlement.c.paid_out_on, settlement.c.payout)
    ).all()
    unpaid: Counter[str] = Counter()
    for row in rows:
        if not row.payout:
            unpaid[row.currency] += int(row.net)
    on_their_way = {
        row.payout: row.paid_out_on for row in rows if row.payout and row.paid_out_on and row.paid_out_on > now
    }
    return dict(unpaid), sum(row.times for row in rows if not row.payout), on_their_way


def _waiting(session: Session, live: bool, begin: datetime, end: datetime) -> int:
    """Facts of the month whose gift or campaign is not in the book. They may belong to another product on the account."""
    facts = select(waiting.c.key, waiting.c.fact).where(waiting.c.received_at >= begin)
    keys = {
        row.key
        for row in session.execute(facts.order_by(waiting.c.received_at).limit(MOST_READ))
        if row.fact["live"] == live
        and row.fact["is"] in ("Gift", "Taken")
        and begin <= datetime.fromisoformat(row.fact["at"]) < end
    }
    return min(len(keys), MOST + 1)
