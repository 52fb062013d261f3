"""How often bars were loaded and pressed, by day, article and place, beside what was given from there."""

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from zoneinfo import ZoneInfo

from sqlalchemy import case, func, insert, select, update
from sqlalchemy.orm import Session

from tracker.giving.breakdown import Breakdown
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.giving.rollup import ONLINE
from tracker.ledger import breakdowns, campaigns
from tracker.ledger.visit_models import visit

CLICK = "click"
# Strangers can write any article into an address; what comes beyond so many on one day is counted together.
MOST_A_DAY = 2000
OTHERS = ("(others)", "")


@dataclass
class FromHere:
    """What one place on one article brought in a month. `given` in smallest units, refunds and disputes taken off."""

    source: str
    place: str
    loads: int = 0
    clicks: int = 0
    once: int = 0
    """How many one-time gifts."""
    monthly: int = 0
    """How many monthly gifts, renewals too."""
    yearly: int = 0
    given: int = 0

    @property
    def gifts(self) -> int:
        return self.once + self.monthly + self.yearly


def add(session: Session, counts: Mapping[tuple[str, str, str, str], int], now: datetime) -> None:
    """Adds counts by (campaign's slug, carrier or `click`, source, place) to the campaigns' current days."""
    for slug, counted in _by_campaign(counts).items():
        campaign = campaigns.find(session, slug)
        if campaign is None:
            continue
        day = {
            "campaign_id": campaign.id,
            "day": now.astimezone(ZoneInfo(campaign.time_zone)).strftime("%Y-%m-%d"),
        }
        room = MOST_A_DAY - (session.scalar(select(func.count()).where(*_is(day))) or 0)
        for (carrier, source, place), times in counted.items():
            this = day | {"carrier": carrier, "source": source, "place": place}
            if _more(session, this, times):
                continue
            if room > 0:
                room -= 1
                session.execute(insert(visit).values(**this, times=times))
                continue
            this |= {"source": OTHERS[0], "place": OTHERS[1]}
            if not _more(session, this, times):
                session.execute(insert(visit).values(**this, times=times))


def _by_campaign(
    counts: Mapping[tuple[str, str, str, str], int],
) -> dict[str, dict[tuple[str, str, str], int]]:
    found: dict[str, dict[tuple[str, str, str], int]] = defaultdict(dict)
    for (slug, *what), times in counts.items():
        found[slug][tuple(what)] = times  # type: ignore[index]
    return found


def _is(this: Mapping[str, object]) -> list[object]:
    return [visit.c[name] == value for name, value in this.items()]


def _more(session: Session, this: Mapping[str, object], times: int) -> bool:
    more = update(visit).where(*_is(this)).values(times=visit.c.times + times)
    return bool(session.execute(more).rowcount)


def by_place(
    session: Session, campaign: Campaign, month: Month, live: bool, broken: Breakdown | None = None
) -> list[FromHere]:  # fmt: skip
    """What each place on each article brought in a month: most given first, then most pressed."""
    found: dict[tuple[str, str], FromHere] = {}

    def here(source: str, place: str) -> FromHere:
        return found.setdefault((source, place), FromHere(source, place))

    pressed = func.sum(case((visit.c.carrier == CLICK, visit.c.times), else_=0))
    for source, place, times, clicks in session.execute(
        select(visit.c.source, visit.c.place, func.sum(visit.c.times), pressed)
        .where(visit.c.campaign_id == campaign.id, visit.c.day.between(f"{month}-01", f"{month}-31"))
        .group_by(visit.c.source, visit.c.place)
    ):
        one = here(source, place)
        one.loads, one.clicks = int(times - clicks), int(clicks)
    broken = broken or breakdowns.of_months(session, campaign, live, [month], only="places")
    for (source, place), sums in broken.places_of(month).items():
        one = here(source, place)
        one.once, one.monthly, one.yearly = (sums[kind] for kind in ONLINE)
        one.given = sums["given"]
    return sorted(found.values(), key=lambda one: (-one.given, -one.clicks, -one.loads, one.source, one.place))


def by_variant(places: Iterable[FromHere]) -> list[FromHere]:
    """The same for each place on all articles together, so that two variants of one can be compared; in the same order.

    `source` is empty. Loads that were counted together for lack of room are left out: nobody knows where they were.
    """
    found: dict[str, FromHere] = {}
    for one in places:
        if (one.source, one.place) == OTHERS:
            continue
        here = found.setdefault(one.place, FromHere("", one.place))
        for name in ("loads", "clicks", *ONLINE, "given"):
            setattr(here, name, getattr(here, name) + getattr(one, name))
    return sorted(found.values(), key=lambda one: (-one.given, -one.clicks, -one.loads, one.place))


def by_carrier(session: Session, campaign: Campaign, month: Month) -> dict[str, int]:
    """How often each carrier of the bar was loaded in a month, most first."""
    times = func.sum(visit.c.times)
    rows = session.execute(
        select(visit.c.carrier, times)
        .where(
            visit.c.campaign_id == campaign.id,
            visit.c.day.between(f"{month}-01", f"{month}-31"),
            visit.c.carrier != CLICK,
        )
        .group_by(visit.c.carrier)
        .order_by(times.desc(), visit.c.carrier)
    )
    return {carrier: int(count) for carrier, count in rows}
