"""All that a month's page shows: its figures, compared with the month and the year before at the same time."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from tracker.giving.breakdown import Breakdown, sums_in
from tracker.giving.campaign import Campaign
from tracker.giving.middle import mean, median
from tracker.giving.months import Month, month_of
from tracker.giving.pace import LOOKS_BACK, Projection, days_in, project, rounded, running, same_moment
from tracker.giving.rollup import Sums
from tracker.ledger import breakdowns, month_money, results, same_day, settled_totals, subscriptions, supporter_counts
from tracker.ledger.month_money import Money
from tracker.ledger.results import MonthResult
from tracker.ledger.supporter_counts import Regulars


@dataclass(frozen=True)
class Point:
    """A month as it stood at one moment: this one now, or an earlier one at the same time of the month."""

    month: Month
    sums: Sums
    by_day: tuple[int, ...]
    """What had been raised by the end of each day; of the running month up to today."""
    median: int | None
    """For all gifts of the whole month."""
    money: Money
    """Of the whole month: fees and payouts come days later than gifts."""

    @property
    def gross(self) -> int:
        """All that was given, before refunds and disputes."""
        return self.sums.once + self.sums.monthly + self.sums.yearly + self.sums.offline

    @property
    def mean(self) -> int | None:
        return mean(self.gross, self.sums.gifts)


@dataclass(frozen=True)
class Tier:
    """One of the amounts that the form offers, or all others, with one frequency."""

    kind: str
    tier: str
    gifts: int
    given: int
    median: int | None


@dataclass(frozen=True)
class Figures:
    """A month's page. `points` are the month itself, then the month before and the same month a year before, if any."""

    result: MonthResult
    points: tuple[Point, ...]
    is_running: bool
    day: int
    """Today's day of the month; for a month that is over, its last."""
    days: int
    days_left: int
    to_come: int
    """What regular supporters are still due to give this month."""
    projection: Projection | None
    tiers: tuple[Tier, ...]
    regulars: tuple[Regulars, ...]
    broken: Breakdown

    @property
    def own(self) -> Point:
        return self.points[0]

    @property
    def before(self) -> tuple[Point, ...]:
        return self.points[1:]


def figures(session: Session, campaign: Campaign, month: Month, live: bool, now: datetime) -> Figures:
    """The figures of a month, and of the month and the year before. Earlier months without any entries are left out."""
    zone = campaign.time_zone
    found = results.result(session, campaign, month, live)
    is_running = month == month_of(now, zone)
    others = [month.previous, Month(month.year - 1, month.number)] if month.year > 1 else [month.previous]
    broken = breakdowns.of_months(session, campaign, live, [month, *others])
    others = [one for one in others if broken.days_of(one)]
    day = now.astimezone(ZoneInfo(zone)).day if is_running else days_in(month)
    days_left = days_in(month) - day
    times = {one: _until(one, month, now, zone, is_running) for one in (month, *others)}
    settled = settled_totals.of_months(session, campaign, list(times), live)
    points = [_point(campaign, month, found.sums, broken, settled, day)]
    for one in others:
        sums = same_day.sums_until(session, campaign, live, one, times[one], broken.days_of(one))
        points.append(_point(campaign, one, sums, broken, settled, days_in(one)))
    to_come = subscriptions.still_to_come(session, campaign, month, live, now) if is_running else 0
    projection = None
    if is_running and not campaign.held_month:
        ordinary = _ordinary(broken, month, day)
        projection = project(found.sums.raised, found.sums.gifts, day, days_left, to_come, ordinary)
        projection = projection and rounded(projection, found.sums.raised)
    spans = [(one.first_moment(zone), until) for one, until in times.items()]
    return Figures(
        found, tuple(points), is_running, day, days_in(month), days_left, to_come, projection, _tiers(broken, month),
        tuple(supporter_counts.regulars(session, campaign, live, spans)), broken,
    )  # fmt: skip


def _until(one: Month, this: Month, now: datetime, zone: str, is_running: bool) -> datetime:
    """The moment to look at: now, the same time in an earlier month, or the end of a month that is over."""
    if not is_running:
        return one.next.first_moment(zone)
    # A gift made at this very moment counts already.
    return now + timedelta(microseconds=1) if one == this else same_moment(now, zone, this, one)


def _point(
    campaign: Campaign, month: Month, sums: Sums, broken: Breakdown, settled: Mapping[str, Sequence[Any]], days: int
) -> Point:  # fmt: skip
    by_day = broken.days_of(month)
    raised = {one: sums_in(row).raised for one, row in by_day.items()}
    amounts = [(amount, row["gifts"]) for (_, _, amount), row in broken.amounts_of(month).items()]
    money = month_money.of_month(campaign, month, sums_in(*by_day.values()), broken, settled[str(month)])
    return Point(month, sums, running(raised, days), median(amounts), money)


def _ordinary(broken: Breakdown, month: Month, day: int) -> Sequence[int]:
    """What was raised on each of the last full days without regular supporters' gifts; none from before the first gift."""
    found = {
        (one, number): row["once"] + row["offline"] - row["refunds"] - row["disputes"]
        for one in (month.previous, month)
        for number, row in broken.days_of(one).items()
    }
    days = [(month.previous, one) for one in range(1, days_in(month.previous) + 1)]
    days += [(month, one) for one in range(1, day)]
    first = min(found, default=None)
    return [found.get(at, 0) for at in days[-LOOKS_BACK:] if first is not None and at >= first]


def _tiers(broken: Breakdown, month: Month) -> tuple[Tier, ...]:
    """By frequency, and then by the amount that was offered; others come last."""
    of_tier: dict[tuple[str, str], list[tuple[int, dict[str, int]]]] = {}
    for (kind, tier, amount), row in broken.amounts_of(month).items():
        of_tier.setdefault((kind, tier), []).append((amount, row))
    found = [
        Tier(
            kind, tier, sum(row["gifts"] for _, row in rows), sum(row["given"] for _, row in rows),
            median((amount, row["gifts"]) for amount, row in rows),
        )
        for (kind, tier), rows in of_tier.items()
    ]  # fmt: skip
    order = ("once", "monthly", "yearly", "offline")
    return tuple(
        sorted(found, key=lambda one: (order.index(one.kind), int(one.tier) if one.tier.isdecimal() else 10**18, one.tier))
    )  # fmt: skip
