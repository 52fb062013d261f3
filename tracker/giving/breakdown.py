"""A month's entries broken down: by hour, by amount, and by the article and place that they came from."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol
from zoneinfo import ZoneInfo

from tracker.giving.import_map import IMPORTED
from tracker.giving.months import Month
from tracker.giving.pace import days_in
from tracker.giving.rollup import COLUMN, ONLINE

OFFLINE = "offline"
OUTSIDE = "outside:"
"""The prefix of keys of entries for money given back outside Stripe."""
HOUR_SUMS = (
    "once", "monthly", "yearly", "offline", "refunds", "disputes", "gifts", "told", "told_of", "outside", "imported",
)  # fmt: skip
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


Sums = dict[tuple[Any, ...], dict[str, int]]
"""For each part, its sums by name."""


@dataclass
class Breakdown:
    """What some entries add up to, by campaign, mode, month and currency, and then part by part."""

    hours: Sums = field(default_factory=dict)
    """By day and hour on the newsroom's wall."""
    amounts: Sums = field(default_factory=dict)
    """By kind, tier and amount: gifts alone."""
    places: Sums = field(default_factory=dict)
    """By article and place: what went through Stripe."""

    def add(self, entry: Entry, zone: ZoneInfo) -> None:
        """Adds one entry of a campaign whose clock shows the time of `zone`."""
        of_month = (entry.campaign_id, entry.live, entry.month, entry.currency)
        is_gift = entry.kind in ONLINE or entry.kind == OFFLINE
        gifts = 0 if entry.kind in ONLINE and entry.key != entry.gift_key else -1 if entry.amount < 0 else 1
        gifts = gifts if is_gift else 0
        self._add_hour(entry, zone, of_month, gifts)
        if is_gift:
            # A reversed offline gift was never made: its reversal counts where the gift did.
            these = (*of_month, entry.kind, entry.tier, abs(entry.amount))
            _add(self.amounts, these, AMOUNT_SUMS, {"gifts": gifts, "given": entry.amount})
        if entry.kind != OFFLINE:
            more = {entry.kind: gifts} if entry.kind in ONLINE else {}
            _add(self.places, (*of_month, entry.source, entry.place), PLACE_SUMS, more | {"given": entry.amount})

    def _add_hour(self, entry: Entry, zone: ZoneInfo, of_month: tuple[Any, ...], gifts: int) -> None:
        outside, offline = entry.key.startswith(OUTSIDE), entry.kind == OFFLINE
        imported = entry.key.startswith(IMPORTED) and not offline
        through_stripe = entry.told if not (outside or offline or imported) else 0
        column = COLUMN[entry.kind]
        more = {
            column: -entry.amount if column in ("refunds", "disputes") else entry.amount, "gifts": gifts,
            "told": through_stripe, "told_of": int(through_stripe != 0), "outside": entry.told if outside else 0,
            "imported": entry.told if imported else 0,
        }  # fmt: skip
        _add(self.hours, (*of_month, *hour_of(entry.at, entry.month, zone)), HOUR_SUMS, more)


def hour_of(at: datetime, month: str, zone: ZoneInfo) -> tuple[int, int]:
    """The day and hour of a month in which something counts.

    What is booked in a month but happened before it counts in its first hour; what happened after it, in its last.
    """
    local = at.astimezone(zone)
    own = f"{local.year:04d}-{local.month:02d}"
    if own == month:
        return local.day, local.hour
    return (1, 0) if own < month else (days_in(Month(int(month[:4]), int(month[5:]))), 23)


def _add(sums: Sums, key: tuple[Any, ...], names: tuple[str, ...], more: dict[str, int]) -> None:
    row = sums.get(key)
    if row is None:
        row = sums[key] = dict.fromkeys(names, 0)
    for name, amount in more.items():
        row[name] += amount
