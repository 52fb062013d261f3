"""The entries as rows of a file: read in parts to save memory, and written cell by cell without an object for each.

A closed month's rows are the same for ever.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import datetime
from functools import lru_cache
from itertools import chain
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, Select, String, case, delete, func, insert, select, type_coerce
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.export_columns import harmless
from tracker.giving.import_map import IMPORTED
from tracker.giving.money import to_main
from tracker.giving.months import Month
from tracker.ledger.entries import month_is
from tracker.ledger.models import alias, closed, closed_entry, entry, settlement
from tracker.ledger.results import MonthResult

FREQUENCY = {"once": "once", "monthly": "month", "yearly": "year"}
AT_ONCE = 2000

Cells = tuple[str | None, ...]
"""One row, in the order of `export_columns.COLUMNS`; None where a fee or net is unknown."""


def rows(
    session: Session, campaign: Campaign, month: Month | None, live: bool, *these: ColumnElement[bool], form: str = "csv"
) -> Iterator[Cells]:  # fmt: skip
    """A month's entries, or all of the campaign's, oldest first.

    A closed month's rows are as they were at closing. Among all of the campaign's rows they show fees and payouts that
    came later, too, since that file is one of today. `these` are further conditions on the entries. In a CSV file no text
    begins like a formula; the other formats tell texts from formulas by themselves.
    """
    zones = _zones_of_closed_months(session, campaign, live)
    frozen = month is not None and str(month) in zones
    mine = (
        month_is(entry, campaign.id, live, month)
        if month
        else [entry.c.campaign_id == campaign.id, entry.c.live == live]
    )
    read = _query(frozen).where(*mine, *these).order_by(entry.c.at, entry.c.id)
    clocks = {name: ZoneInfo(zone) for name, zone in zones.items()}
    parts = session.execute(read, execution_options={"yield_per": AT_ONCE}).partitions()
    yield from _written(_one_for_each(chain.from_iterable(parts)), campaign, clocks, form == "csv")


def _query(frozen: bool) -> Select[Any]:
    """The columns read for each entry, in the order in which `_written` takes them."""
    gift = entry.alias("gift")
    known = _known_at_closing() if frozen else _known_today()
    of_gift = select(gift.c.kind).where(gift.c.key == entry.c.gift_key).scalar_subquery()
    columns = (
        entry.c.id,
        # As the driver returns it: reading a moment through the model costs more than all other columns together.
        type_coerce(entry.c.at, String), entry.c.month, entry.c.kind, entry.c.amount, entry.c.currency,
        case((entry.c.key == entry.c.gift_key, entry.c.kind), else_=of_gift), entry.c.tier, entry.c.source,
        entry.c.belongs_to, entry.c.key,
    )  # fmt: skip
    query = select(*columns, *known.values())
    if frozen:
        return query.outerjoin(closed_entry, closed_entry.c.key == entry.c.key)
    return query.outerjoin(settlement, settlement.c.entry_key == entry.c.key)


def _one_for_each(found: Iterable[Any]) -> Iterator[Any]:
    """An entry has one settlement. Should Stripe write several, they come one after the other, and are added up.

    If the database did this for all entries, it would take three times as long.
    """
    held = None
    for row in found:
        if held is None or row[0] != held[0]:
            if held is not None:
                yield held
            held = row
        else:
            *this, fee, net, payment, payout = held
            fee, net = (_added(one, other) for one, other in ((fee, row[-4]), (net, row[-3])))
            held = (*this, fee, net, payment, max(payout, row[-1]))
    if held is not None:
        yield held


def _added(one: int | None, other: int | None) -> int | None:
    return None if one is None and other is None else (one or 0) + (other or 0)


def _written(found: Iterable[Any], campaign: Campaign, clocks: dict[str, ZoneInfo], guarded: bool) -> Iterator[Cells]:
    slug, today = campaign.slug, ZoneInfo(campaign.time_zone)
    for (
        _,
        at,
        month,
        kind,
        amount,
        currency,
        gift_kind,
        tier,
        source,
        belongs_to,
        key,
        fee,
        net,
        payment,
        payout,
    ) in found:
        # SQLite stores it as text, in UTC.
        moment = datetime.fromisoformat(f"{at}+00:00") if isinstance(at, str) else at
        yield (
            moment.astimezone(clocks.get(month, today)).isoformat("T", "seconds"), month, kind, _amount(amount, currency),
            None if fee is None else _amount(fee, currency), None if net is None else _amount(net, currency),
            currency, slug, FREQUENCY.get(gift_kind or kind, ""), _tier(tier, currency, guarded),
            harmless(source) if guarded else source, belongs_to if belongs_to != month else "",
            harmless(key) if guarded else key, payment, harmless(payout) if guarded else payout,
        )  # fmt: skip


# The same few amounts, fees and tiers recur.
@lru_cache(maxsize=65_536)
def _amount(amount: int, currency: str) -> str:
    return str(to_main(amount, currency))


@lru_cache(maxsize=1024)
def _tier(tier: str, currency: str, guarded: bool) -> str:
    if tier.isascii() and tier.isdigit():
        return _amount(int(tier), currency)
    return harmless(tier) if guarded else tier


def _zones_of_closed_months(session: Session, campaign: Campaign, live: bool) -> dict[str, str]:
    """The time zone each closed month was closed with."""
    these = (closed.c.campaign_id == campaign.id, closed.c.live == live)
    found = session.execute(select(closed.c.month, closed.c.shown_as).where(*these))
    return {row.month: row.shown_as["time_zone"] for row in found}


# --- What is known of an entry beside the book ------------------------------------------------------------------------


def _known_at_closing() -> dict[str, ColumnElement[Any]]:
    return {
        "fee": closed_entry.c.fee,
        "net": closed_entry.c.net,
        "payment_intent": func.coalesce(closed_entry.c.payment_intent, ""),
        "payout": func.coalesce(closed_entry.c.payout, ""),
    }


def _known_today() -> dict[str, ColumnElement[Any]]:
    """For each settlement of an entry. Fee and net only in the currency of the entry's own amount."""
    in_same_currency = settlement.c.currency == entry.c.currency
    # The first in the order of the index: looking for the least would read all of a gift's ids.
    payments = (
        select(alias.c.stripe_id)
        .where(alias.c.gift_key == entry.c.gift_key, func.substr(alias.c.stripe_id, 1, 3) == "pi_")
        .order_by(alias.c.stripe_id)
        .limit(1)
    )
    return {
        "fee": case((in_same_currency, settlement.c.fee)),
        "net": case((in_same_currency, settlement.c.net)),
        "payment_intent": func.coalesce(payments.scalar_subquery(), ""),
        "payout": func.coalesce(settlement.c.payout, ""),
    }


def freeze(session: Session, row_id: int, month: Month, live: bool) -> None:
    """Keeps what is known of a month's entries as it is closed."""
    known = _known_today()
    known |= {name: func.sum(known[name]) for name in ("fee", "net")} | {"payout": func.max(known["payout"])}
    found = (
        select(entry.c.key, *known.values())
        .outerjoin(settlement, settlement.c.entry_key == entry.c.key)
        .where(*month_is(entry, row_id, live, month))
        .group_by(entry.c.id)
    )
    session.execute(insert(closed_entry).from_select(["key", *known], found))


def thaw(session: Session, row_id: int, month: Month, live: bool) -> None:
    """Forgets what was kept, as the month is opened again."""
    these = select(entry.c.key).where(*month_is(entry, row_id, live, month))
    session.execute(delete(closed_entry).where(closed_entry.c.key.in_(these)))


# --- Filters ----------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Filters:
    """Which entries a file has; nothing means all."""

    kind: str = ""
    """`once`, `monthly`, `yearly`, `offline`, `refund` or `dispute`."""
    frequency: str = ""
    """The gift's: `once`, `month` or `year`; also matches its refunds and disputes."""
    source: str = ""
    place: str = ""
    imported_from: str = ""
    """The system that a gift was imported from, as in its key; `-` for what was not imported."""

    def conditions(self) -> list[ColumnElement[bool]]:
        these: list[ColumnElement[bool]] = []
        if self.kind:
            these.append(entry.c.kind == self.kind)
        if self.frequency:
            gift = entry.alias("of")
            kinds = [kind for kind, frequency in FREQUENCY.items() if frequency == self.frequency]
            of_kind = select(gift.c.key).where(gift.c.key == entry.c.gift_key, gift.c.kind.in_(kinds))
            these.append(entry.c.kind.in_(kinds) | of_kind.exists())
        if self.source:
            these.append(entry.c.source == self.source)
        if self.place:
            these.append(entry.c.place == self.place)
        if self.imported_from == "-":
            these.append(entry.c.gift_key.not_like(f"{IMPORTED}%"))
        elif self.imported_from:
            these.append(entry.c.gift_key.startswith(f"{IMPORTED}{self.imported_from}:", autoescape=True))
        return these


def months(found: Iterable[MonthResult], campaign: Campaign) -> Iterator[Cells]:
    """Each month as a row of a file, in the order of `export_columns.MONTH_COLUMNS`, oldest first."""

    def write(amount: int) -> str:
        return _amount(amount, campaign.currency)

    for one in sorted(found, key=lambda result: result.month):
        sums = one.sums
        yield (
            str(one.month), None if one.goal is None else write(one.goal), write(sums.raised), write(sums.once),
            write(sums.monthly), write(sums.yearly), write(sums.offline), write(-sums.refunds), write(-sums.disputes),
            str(sums.gifts), campaign.currency, campaign.slug, one.closed_at.date().isoformat() if one.closed_at else "",
        )  # fmt: skip
