"""What supporters will still give in a month, from what their subscriptions charge."""

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta

from tracker.giving.facts import Charge
from tracker.giving.months import Month

ON_ITS_WAY = timedelta(days=14)
"""So long an invoice may take to be paid before it is no longer counted on: a direct debit takes up to two weeks."""


def committed(charges: Iterable[Charge], ends: datetime | None, month: Month, zone: str, now: datetime) -> int:
    """What one supporter will still be charged in the month, in smallest units; nothing from when it `ends`."""
    first, until = month.first_moment(zone), month.next.first_moment(zone)
    return sum(
        charge.amount
        for charge in charges
        for due in _days(charge, until)
        if due > now and due >= first and (ends is None or ends > due)
    )


def _days(charge: Charge, until: datetime) -> Iterator[datetime]:
    """When it falls due before a moment: once where it comes monthly or less often, else again and again."""
    due = charge.due
    step = {"day": timedelta(days=1), "week": timedelta(weeks=1)}.get(charge.interval)
    while due < until:
        yield due
        if step is None:
            return
        due += step * charge.count
