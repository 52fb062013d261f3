"""How often the demo's articles were read with the bar on them, and its button pressed, in the last months."""

from collections.abc import Iterator
from datetime import datetime, time, timedelta
from random import Random
from zoneinfo import ZoneInfo

from tracker.demo.sample_history import Month, months_until
from tracker.ledger.visits import CLICK

MONTHS = 3
# How often a bar at that place was loaded on a day, and which part of its readers pressed its button.
LOADS = {"top": (180, 640), "bottom": (90, 320)}
PRESSED = {"top": 0.004, "bottom": 0.011}
# Sundays have the long reads; and not every article is on every day's front page.
SUNDAY, MORE_ON_SUNDAYS = 6, 1.6

Counts = dict[tuple[str, str, str, str], int]


def days_of_readers(slug: str, now: datetime, zone: str) -> Iterator[tuple[datetime, Counts]]:
    """Each full day of the last months at its noon, with what was counted on it for that campaign."""
    known = list(enumerate(months_until(now, zone)))[-MONTHS:]
    for number, first in known:
        month = Month(number, first, ZoneInfo(zone), Random(f"readers {first:%Y-%m}"))  # noqa: S311
        for day in range(month.last_day):
            noon = datetime.combine(first + timedelta(days=day), time(12), ZoneInfo(zone))
            if noon.date() >= now.astimezone(ZoneInfo(zone)).date():
                return
            yield noon, _of_day(slug, month, noon)


def _of_day(slug: str, month: Month, noon: datetime) -> Counts:
    article = month.dice.choice(month.articles)
    more = MORE_ON_SUNDAYS if noon.weekday() == SUNDAY else 1.0
    counted: Counts = {}
    for place, (least, most) in LOADS.items():
        loads = round(month.dice.randint(least, most) * more)
        counted[slug, "frame", article, place] = loads
        counted[slug, CLICK, article, place] = sum(month.dice.random() < PRESSED[place] for _ in range(loads))
    counted[slug, CLICK, "newsletter", ""] = month.dice.randint(0, 2)
    return {what: times for what, times in counted.items() if times}
