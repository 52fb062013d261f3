"""What another time zone would do to a campaign's open months, for its editor to confirm."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import and_, func, or_, select

from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, month_of
from tracker.ledger.models import closed, entry
from tracker.ledger.store import reading


@dataclass(frozen=True)
class ZoneChange:
    """How the running month moves. Gifts that are here stay in their months; only later ones follow the new clock."""

    month_now: Month
    month_then: Month
    """The month at this moment, by the old clock and by the new one."""
    ends_now: datetime
    ends_then: datetime
    """When that month ends, by each clock."""
    gifts: int
    """How many gifts of the running month and the one before would be in another month by the new clock."""


def change_of_zone(before: Campaign, after: Campaign, live: bool, now: datetime) -> ZoneChange | None:
    """None if the months stay as they are: in the same zone, or one whose clock shows the same time."""
    old, new = before.time_zone, after.time_zone
    current = month_of(now, new)
    edges = (current.previous, current, current.next)
    if all(month.first_moment(old) == month.first_moment(new) for month in edges):
        return None
    ends = current.next.first_moment(old), current.next.first_moment(new)
    return ZoneChange(month_of(now, old), current, *ends, gifts=_between(before, edges, new, live))


def _between(campaign: Campaign, edges: tuple[Month, ...], new: str, live: bool) -> int:
    """The gifts between the beginning of a month by one clock and by the other."""
    moved = [sorted((month.first_moment(campaign.time_zone), month.first_moment(new))) for month in edges]
    shut = select(closed.c.month).where(closed.c.campaign_id == campaign.id, closed.c.live == live)
    months = [str(month) for month in (edges[0].previous, *edges)]
    these = select(func.count()).where(
        entry.c.campaign_id == campaign.id,
        entry.c.live == live,
        # Named, so that the index finds them.
        entry.c.month.in_(months),
        entry.c.month.not_in(shut),
        entry.c.key == entry.c.gift_key,
        or_(*(and_(entry.c.at >= first, entry.c.at < last) for first, last in moved)),
    )
    with reading() as session:
        return session.scalar(these) or 0
