"""A month's entries broken down: by day, by amount, and by the article and place that they came from."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from tracker.giving.import_map import IMPORTED
from tracker.giving.months import Month
from tracker.giving.pace import days_in
from tracker.giving.rollup import ONLINE, Sums, is_more, sums_of

OFFLINE = "offline"
OUTSIDE = "outside:"
"""The prefix of keys of entries for money given back outside Stripe."""
_SUMS = tuple(one.name for one in fields(Sums))
DAY_SUMS = (*_SUMS, "told", "told_of", "outside", "imported")
AMOUNT_SUMS = ("gifts", "given")
PLACE_SUMS = (*ONLINE, "given")


class Entry(Protocol):
    """What is needed of an entry. `source` and `place` are those of its gift."""

    campaign_id: int
    live: bool
    month: str
    currency: str
    kind: str
    amount: int
    told: int
    key: str
    gift_key: str
    at: datetime
    tier: str
    source: str
    place: str


Row = dict[str, int]
"""The sums of one part, by name."""
Parts = dict[tuple[Any, ...], Row]
"""For each part, its sums."""


@dataclass
class Breakdown:
    """What some entries add up to, by campaign, mode, month and currency, and then part by part."""

    days: Parts = field(default_factory=dict)
    """By day, on the newsroom's calendar."""
    amounts: Parts = field(default_factory=dict)
    """By kind, tier and amount: gifts alone."""
    places: Parts = field(default_factory=dict)
    """By article and place: what went through Stripe."""

    def add(self, entry: Entry, zone: ZoneInfo) -> None:
        """Adds one entry of a campaign whose clock shows the time of `zone`."""
        of_month = (entry.campaign_id, entry.live, entry.month, entry.currency)
        sums = sums_of(entry.kind, entry.amount, is_more=is_more(entry.kind, entry.key, entry.gift_key))
        _add(self.days, (*of_month, day_of(entry.at, entry.month, zone)), DAY_SUMS, vars(sums) | _at_stripe(entry))
        if entry.kind in ONLINE or entry.kind == OFFLINE:
            # A reversed gift was never made: its reversal counts where the gift did.
            these = (*of_month, entry.kind, entry.tier, abs(entry.amount))
            _add(self.amounts, these, AMOUNT_SUMS, {"gifts": sums.gifts, "given": entry.amount})
        if entry.kind != OFFLINE:
            more = {entry.kind: sums.gifts} if entry.kind in ONLINE else {}
            _add(self.places, (*of_month, entry.source, entry.place), PLACE_SUMS, more | {"given": entry.amount})

    def days_of(self, month: Month) -> dict[int, Row]:
        """One month's days; those on which nothing happened are not among them."""
        return {day: row for (day,), row in _of_month(self.days, month).items()}

    def amounts_of(self, month: Month) -> dict[tuple[str, str, int], Row]:
        """One month's amounts, by kind, tier and amount."""
        return _of_month(self.amounts, month)

    def places_of(self, month: Month) -> dict[tuple[str, str], Row]:
        """One month's articles and places."""
        return _of_month(self.places, month)


def _of_month(parts: Parts, month: Month) -> dict[Any, Row]:
    """The parts of one month, by what comes after campaign, mode, month and currency in their keys."""
    name = str(month)
    return {key[4:]: row for key, row in parts.items() if key[2] == name}


def sums_in(*days: Mapping[str, int]) -> Sums:
    """What some days did to their month."""
    return Sums(*(sum(day[name] for day in days) for name in _SUMS))


def _at_stripe(entry: Entry) -> dict[str, int]:
    """What an entry came to through Stripe, and what came or went another way."""
    outside, offline = entry.key.startswith(OUTSIDE), entry.kind == OFFLINE
    imported = entry.key.startswith(IMPORTED) and not offline
    told = 0 if outside or offline or imported else entry.told
    return {
        "told": told, "told_of": int(told != 0), "outside": entry.told if outside else 0,
        "imported": entry.told if imported else 0,
    }  # fmt: skip


def day_of(at: datetime, month: str, zone: ZoneInfo) -> int:
    """The day of a month on which something counts.

    What is booked in a month but happened before it counts on its first day; what happened after it, on its last.
    """
    local = at.astimezone(zone)
    own = f"{local.year:04d}-{local.month:02d}"
    if own == month:
        return local.day
    return 1 if own < month else days_in(Month(int(month[:4]), int(month[5:])))


def _add(sums: Parts, key: tuple[Any, ...], names: tuple[str, ...], more: dict[str, int]) -> None:
    row = sums.get(key)
    if row is None:
        row = sums[key] = dict.fromkeys(names, 0)
    for name, amount in more.items():
        row[name] += amount
