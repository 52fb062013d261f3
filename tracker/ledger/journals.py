"""A month or a payout as postings: gifts, refunds, disputes, fees and payouts, through an account for Stripe's balance."""

from collections import Counter
from collections.abc import Iterable, Iterator
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.import_map import IMPORTED, system_of
from tracker.giving.journal import Booking, booking
from tracker.giving.months import Month
from tracker.ledger.entries import month_is
from tracker.ledger.models import entry, settlement
from tracker.ledger.results import result
from tracker.ledger.reversals import OUTSIDE

AT_ONCE = 2000
_WORDS = {
    "once": "One-time gifts", "monthly": "Monthly gifts", "yearly": "Yearly gifts", "offline": "Offline gifts",
    "refund": "Refunds", "dispute": "Disputes",
}  # fmt: skip
_Alike = tuple[date, str, str, str, str]


def of_month(session: Session, campaign: Campaign, month: Month, live: bool) -> list[Booking]:
    """What is booked in a month, its fees, and the payouts that came to the bank in it. One booking for all of a day that
    are alike, so that a month of a million gifts is a page.

    Entries stand on their own day if it is in the month, else on the nearest one that is. Fees are what is known of them
    today.
    """
    zone = ZoneInfo(result(session, campaign, month, live).campaign_then(campaign).time_zone)
    first, last = date(month.year, month.number, 1), date.fromordinal(_first_of(month.next).toordinal() - 1)
    sums: Counter[_Alike] = Counter()
    before = None
    for row in _rows(session, *month_is(entry, campaign.id, live, month)):
        day = min(max(row.at.astimezone(zone).date(), first), last)
        for alike, amount in _of_entry(day, row, is_first=row.id != before):
            sums[alike] += amount
        before = row.id
    for row in _payouts(session, campaign, live, month, zone):
        sums[row.day, "bank", "clearing", row.currency, f"Payout {row.payout}"] += row.net
    return list(_bookings(sums))


def of_payout(session: Session, campaign: Campaign, payout: str, live: bool) -> list[Booking]:
    """What one payout is made of, in the currency that it was paid out in: Stripe's balance is at nothing again after it."""
    these = (settlement.c.payout == payout, entry.c.campaign_id == campaign.id, entry.c.live == live)
    rows = session.execute(
        select(
            entry.c.kind, settlement.c.currency, settlement.c.paid_out_on, func.sum(settlement.c.amount).label("amount"),
            func.sum(settlement.c.fee).label("fee"), func.sum(settlement.c.net).label("net"),
        )
        .join(settlement, settlement.c.entry_key == entry.c.key)
        .where(*these)
        .group_by(entry.c.kind, settlement.c.currency, settlement.c.paid_out_on)
    )  # fmt: skip
    sums: Counter[_Alike] = Counter()
    for row in rows:
        day, words = row.paid_out_on.astimezone(ZoneInfo(campaign.time_zone)).date(), f"Payout {payout}"
        sums[day, "clearing", row.kind, row.currency, f"{_WORDS[row.kind]}, {words}"] += int(row.amount)
        sums[day, "fees", "clearing", row.currency, f"Fees, {words}"] += int(row.fee)
        sums[day, "bank", "clearing", row.currency, words] += int(row.net)
    if not sums:
        raise ValueError(f"Nothing of “{campaign.slug}” is in a payout “{payout[:60]}”.")
    return list(_bookings(sums))


def _first_of(month: Month) -> date:
    return date(month.year, month.number, 1)


def _rows(session: Session, *these: Any) -> Iterator[Any]:
    """Entries with their settlements, one row after the other if an entry has several."""
    columns = (
        entry.c.id, entry.c.key, entry.c.gift_key, entry.c.kind, entry.c.amount, entry.c.told, entry.c.currency, entry.c.at,
        settlement.c.amount.label("gross"), settlement.c.fee, settlement.c.currency.label("settled_in"),
    )  # fmt: skip
    found = session.execute(
        select(*columns)
        .outerjoin(settlement, settlement.c.entry_key == entry.c.key)
        .where(*these)
        .order_by(entry.c.id, settlement.c.key),
        execution_options={"yield_per": AT_ONCE},
    )
    yield from found


def _of_entry(day: date, row: Any, *, is_first: bool) -> Iterable[tuple[_Alike, int]]:
    """What an entry is booked as; with each settlement but the first only what that one came to."""
    where = _side(row)
    own, told = (row.amount, row.told) if is_first else (0, 0)
    words = _WORDS[row.kind]
    if system := system_of(row.gift_key):
        words = f"{words} from {system}"
    yield (day, where, row.kind, row.currency, words), own
    if where != "clearing":
        return
    # What was paid together with a gift but is not one, or refunded beyond it.
    yield (day, "clearing", "other", row.currency, "Beside the gifts"), told - own
    if row.settled_in is None:
        return
    yield (day, "fees", "clearing", row.settled_in, "Stripe's fees"), row.fee
    if row.settled_in != row.currency:
        yield (day, "exchange", "clearing", row.currency, f"Settled in {row.settled_in}"), told
        yield (day, "clearing", "exchange", row.settled_in, f"Settled from {row.currency}"), row.gross


def _side(row: Any) -> str:
    """Where the money of an entry is, or was."""
    # What Stripe itself gave back of an imported gift has left its balance here.
    if row.key.startswith(IMPORTED):
        return "earlier"
    return "cash" if row.kind == "offline" or row.key.startswith(OUTSIDE) else "clearing"


class _PaidOut:
    def __init__(self, row: Any, day: date) -> None:
        self.payout, self.currency, self.net, self.day = row.payout, row.currency, int(row.net), day


def _payouts(session: Session, campaign: Campaign, live: bool, month: Month, zone: ZoneInfo) -> Iterator[_PaidOut]:
    """Our part of each payout that arrived in the month."""
    begins, ends = (datetime(one.year, one.number, 1, tzinfo=zone) for one in (month, month.next))
    these = (
        entry.c.campaign_id == campaign.id, entry.c.live == live, settlement.c.payout != "",
        settlement.c.paid_out_on >= begins, settlement.c.paid_out_on < ends,
    )  # fmt: skip
    group = (settlement.c.payout, settlement.c.currency, settlement.c.paid_out_on)
    found = session.execute(
        select(*group, func.sum(settlement.c.net).label("net"))
        .join(entry, entry.c.key == settlement.c.entry_key)
        .where(*these)
        .group_by(*group)
    )
    for row in found:
        yield _PaidOut(row, row.paid_out_on.astimezone(zone).date())


def _bookings(sums: Counter[_Alike]) -> Iterator[Booking]:
    for (day, debit, credit, currency, memo), amount in sums.items():
        made = booking(day, debit, credit, amount, currency, memo)
        if made:
            yield made
