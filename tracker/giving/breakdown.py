"""A month's entries broken down: by hour, by amount, and by the article and place that they came from."""

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
HOUR_SUMS = (*_SUMS, "told", "told_of", "outside", "imported")
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


Parts = dict[tuple[Any, ...], dict[str, int]]
"""For each part, its sums by name."""


@dataclass
class Breakdown:
    """What some entries add up to, by campaign, mode, month and currency, and then part by part."""

    hours: Parts = field(default_factory=dict)
    """By day and hour on the newsroom's wall."""
    amounts: Parts = field(default_factory=dict)
    """By kind, tier and amount: gifts alone."""
    places: Parts = field(default_factory=dict)
    """By article and place: what went through Stripe."""

    def add(self, entry: Entry, zone: ZoneInfo) -> None:
        """Adds one entry of a campaign whose clock shows the time of `zone`."""
        of_month = (entry.campaign_id, entry.live, entry.month, entry.currency)
        sums = sums_of(entry.kind, entry.amount, is_more=is_more(entry.kind, entry.key, entry.gift_key))
        _add(self.hours, (*of_month, *hour_of(entry.at, entry.month, zone)), HOUR_SUMS, vars(sums) | _at_stripe(entry))
        if entry.kind in ONLINE or entry.kind == OFFLINE:
            # A reversed gift was never made: its reversal counts where the gift did.
            these = (*of_month, entry.kind, entry.tier, abs(entry.amount))
            _add(self.amounts, these, AMOUNT_SUMS, {"gifts": sums.gifts, "given": entry.amount})
        if entry.kind != OFFLINE:
            more = {entry.kind: sums.gifts} if entry.kind in ONLINE else {}
            _add(self.places, (*of_month, entry.source, entry.place), PLACE_SUMS, more | {"given": entry.amount})


def sums_in(*hours: Mapping[str, int]) -> Sums:
    """What some hours did to their month."""
    return Sums(*(sum(hour[name] for hour in hours) for name in _SUMS))


def _at_stripe(entry: Entry) -> dict[str, int]:
    """What an entry came to through Stripe, and what came or went another way."""
    outside, offline = entry.key.startswith(OUTSIDE), entry.kind == OFFLINE
    imported = entry.key.startswith(IMPORTED) and not offline
    told = 0 if outside or offline or imported else entry.told
    return {
        "told": told, "told_of": int(told != 0), "outside": entry.told if outside else 0,
        "imported": entry.told if imported else 0,
    }  # fmt: skip


def hour_of(at: datetime, month: str, zone: ZoneInfo) -> tuple[int, int]:
    """The day and hour of a month in which something counts.

    What is booked in a month but happened before it counts in its first hour; what happened after it, in its last.
    """
    local = at.astimezone(zone)
    own = f"{local.year:04d}-{local.month:02d}"
    if own == month:
        return local.day, local.hour
    return (1, 0) if own < month else (days_in(Month(int(month[:4]), int(month[5:]))), 23)


def _add(sums: Parts, key: tuple[Any, ...], names: tuple[str, ...], more: dict[str, int]) -> None:
    row = sums.get(key)
    if row is None:
        row = sums[key] = dict.fromkeys(names, 0)
    for name, amount in more.items():
        row[name] += amount
