"""What a month had come to by a given moment, so that months can be compared on the same day at the same time."""

from collections.abc import Mapping
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from tracker.giving.breakdown import Row, sums_in
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.giving.rollup import Sums
from tracker.ledger import breakdowns, entry_sums
from tracker.ledger.entries import month_is
from tracker.ledger.models import entry


def sums_until(
    session: Session,
    campaign: Campaign,
    live: bool,
    month: Month,
    until: datetime,
    days: Mapping[int, Row] | None = None,
) -> Sums:
    """The month's sums at that moment, by when things happened. `days` are its days, if they have been read already."""
    if days is None:
        days = breakdowns.of_months(session, campaign, live, [month], only="days").days_of(month)
    if until >= month.next.first_moment(campaign.time_zone):
        return sums_in(*days.values())
    local = until.astimezone(ZoneInfo(campaign.time_zone))
    before = sums_in(*(row for day, row in days.items() if day < local.day))
    return before + _begun_day(session, campaign, live, month, local)


def _begun_day(session: Session, campaign: Campaign, live: bool, month: Month, until: datetime) -> Sums:
    """What was given on the current day, up to that moment."""
    these = [*month_is(entry, campaign.id, live, month), entry.c.currency == campaign.currency, entry.c.at < until]
    if until.day != 1:
        # Anything from before the month counts on its first day.
        these.append(entry.c.at >= until.replace(hour=0, minute=0, second=0, microsecond=0))
    return entry_sums.total(session, *these)
