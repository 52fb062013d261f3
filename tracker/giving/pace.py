"""How a month is getting on: what was raised by each day, and what it may come to by the end."""

from calendar import monthrange
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from math import isqrt
from zoneinfo import ZoneInfo

from tracker.giving.months import Month

FIRST_DAY, FEWEST_GIFTS = 5, 10
"""Before that day of a month, or with fewer gifts in it, no estimate is made."""
LOOKS_BACK = 28
"""The number of full days that an average day is taken from: four of each weekday."""
SURE = (9, 10)
"""At least this share of what regular supporters are due to be charged arrives; the rest may fail, or end first."""


def days_in(month: Month) -> int:
    return monthrange(month.year, month.number)[1]


def same_moment(now: datetime, zone: str, this: Month, other: Month) -> datetime:
    """The same day and time of another month, by the clock on the wall; or its end, if it has fewer days."""
    clock = ZoneInfo(zone)
    # Within one zone, datetimes are added by the clock on the wall, even if clocks changed in between.
    elapsed = now.astimezone(clock) - datetime(this.year, this.number, 1, tzinfo=clock)
    return min(datetime(other.year, other.number, 1, tzinfo=clock) + elapsed, other.next.first_moment(zone))


def running(by_day: Mapping[int, int], days: int) -> tuple[int, ...]:
    """What had been raised by the end of each of the first `days` days, from what was raised on each."""
    found, so_far = [], 0
    for day in range(1, days + 1):
        so_far += by_day.get(day, 0)
        found.append(so_far)
    return tuple(found)


def percent_ahead(raised: int, before: int) -> int | None:
    """How many per cent more than before, rounded towards zero; below zero for less, and None if there was nothing."""
    if before <= 0:
        return None
    more = raised - before
    return more * 100 // before if more >= 0 else -(-more * 100 // before)


@dataclass(frozen=True)
class Projection:
    """What a month will probably come to, in smallest units: hardly less than `low`, hardly more than `high`."""

    low: int
    high: int


def project(
    raised: int, gifts: int, day: int, days_left: int, to_come: int, ordinary: Sequence[int]
) -> Projection | None:
    """What the month may come to, or None while there is too little to go on.

    `to_come` is what regular supporters are still due to be charged in the month, `ordinary` what else was raised on
    each of the last full days. Each day left is taken for an average one, and the range reaches one standard deviation
    of their sum to each side.
    """
    if day < FIRST_DAY or gifts < FEWEST_GIFTS or not ordinary or days_left < 0:
        return None
    number, total = len(ordinary), sum(ordinary)
    mean_of_rest = total * days_left // number
    # The variance of a sum of days is the sum of their variances; in integers, so that every machine gets the same result.
    squares = sum(amount * amount for amount in ordinary)
    spread = isqrt(max(0, squares * number - total * total) * days_left) // number
    sure, of = SURE
    low = raised + to_come * sure // of + max(0, mean_of_rest - spread)
    return Projection(low, max(low, raised + to_come + mean_of_rest + spread))


def rounded(range_: Projection, raised: int) -> Projection:
    """Rounded outwards to two figures, since nobody knows it to the cent; but not below what is raised already."""
    step = 10 ** max(0, len(str(abs(range_.high))) - 2)
    low = max(range_.low // step * step, min(raised, range_.low))
    return Projection(low, -(-range_.high // step) * step)
