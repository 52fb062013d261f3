"""What monthly supporters will still give in a month, from how their subscriptions stand."""

from collections.abc import Iterable
from datetime import datetime

from tracker.giving.facts import Support
from tracker.giving.months import Month


def is_still_to_come(support: Support, month: Month, zone: str, now: datetime) -> bool:
    """Whether this supporter is to be charged later in the month: active, and not asked to end before it."""
    if support.state != "active" or support.next_charge is None:
        return False
    due = support.next_charge
    if not (now < due and month.first_moment(zone) <= due < month.next.first_moment(zone)):
        return False
    return support.ends is None or support.ends > due


def committed(supports: Iterable[Support], month: Month, zone: str, now: datetime) -> int:
    """The sum of what is still to come in the month, in smallest units. The supports are of one currency."""
    return sum(one.amount for one in supports if is_still_to_come(one, month, zone, now))
