"""What a month had come to by a given moment, so that months can be compared on the same day at the same time."""

from collections.abc import Iterable
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.giving.breakdown import Parts, sums_in
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.giving.rollup import Sums, is_more, sums_of
from tracker.ledger import breakdowns
from tracker.ledger.entries import month_is
from tracker.ledger.models import entry


def sums_until(
    session: Session, campaign: Campaign, live: bool, month: Month, until: datetime, hours: Parts | None = None
) -> Sums:
    """The month's sums at that moment, by when things happened. `hours` if they have been read already."""
    if hours is None:
        hours = breakdowns.of_months(session, campaign, live, [month], only="hours").hours
    own = {key[-2:]: row for key, row in hours.items() if key[2] == str(month)}
    if until >= month.next.first_moment(campaign.time_zone):
        return _sum(own.values())
    local = until.astimezone(ZoneInfo(campaign.time_zone))
    before = _sum(row for at, row in own.items() if at < (local.day, local.hour))
    return before + _begun_hour(session, campaign, live, month, local)


def _sum(rows: Iterable[dict[str, int]]) -> Sums:
    return sums_in(*rows)


def _begun_hour(session: Session, campaign: Campaign, live: bool, month: Month, until: datetime) -> Sums:
    """What was given in the current hour, up to that moment."""
    these = [*month_is(entry, campaign.id, live, month), entry.c.currency == campaign.currency, entry.c.at < until]
    if (until.day, until.hour) != (1, 0):
        # Anything from before the month counts in its first hour.
        these.append(entry.c.at >= until.replace(minute=0, second=0, microsecond=0))
    rows = session.execute(select(entry.c.kind, entry.c.amount, entry.c.key, entry.c.gift_key).where(*these))
    return sum(
        (sums_of(row.kind, row.amount, is_more=is_more(row.kind, row.key, row.gift_key)) for row in rows), Sums()
    )
