"""Keeps the sums behind a month's page, so that it takes as long after ten gifts as after ten million.

Adding an entry costs nothing here: the newest entries are not in the tables yet, and are read one by one. Once there
are some hundreds of them, they are added to the tables, all at once. So every figure is exact at any moment.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import Row, Table, delete, func, insert, select, update
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from tracker.giving.breakdown import AMOUNT_SUMS, DAY_SUMS, PLACE_SUMS, Breakdown, Parts, day_of
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.ledger.breakdown_models import amount_total, broken_down, day_total, place_total
from tracker.ledger.models import campaign as campaign_table
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing

ENOUGH = 500
"""Once there are this many newer entries, they are added to what is kept."""
TOO_MANY = 5_000
"""From this many on, a page does not read newer entries one by one, but adds them up first."""
AT_ONCE = 20_000
LOOK_SECONDS = 10

TABLES: tuple[tuple[Table, str, tuple[str, ...]], ...] = (
    (day_total, "days", DAY_SUMS),
    (amount_total, "amounts", AMOUNT_SUMS),
    (place_total, "places", PLACE_SUMS),
)
_THROUGH = select(broken_down.c.entry_id)
_gift = entry.alias("gift")
# A refund or dispute has the article and the place of its gift.
_IS_LATER = (entry.c.key != entry.c.gift_key) & (_gift.c.key == entry.c.gift_key)
_READ = select(
    *(entry.c[name] for name in ("id", "campaign_id", "live", "month", "currency", "kind", "amount", "told")),
    *(entry.c[name] for name in ("key", "gift_key", "at", "tier")),
    func.coalesce(_gift.c.source, entry.c.source).label("source"),
    func.coalesce(_gift.c.place, entry.c.place).label("place"),
).select_from(entry.outerjoin(_gift, _IS_LATER))


# --- Keeping it -------------------------------------------------------------------------------------------------------


def keep_up(_now: datetime | None = None, *, enough: int = ENOUGH) -> None:
    """Adds up newer entries once there are enough of them; a part at a time, so that no writer waits for long."""
    while _has_new(enough):
        with writing() as session:
            add_up(session)


def _has_new(enough: int) -> bool:
    newest = select(func.max(entry.c.id)).scalar_subquery()
    with reading() as session:
        last, through = session.execute(select(newest, _THROUGH.scalar_subquery())).one()
        return (last or 0) - (through or 0) >= enough


def add_up(session: Session, most: int | None = None) -> int:
    """Adds the oldest entries not added up yet, up to this many, to what is kept; returns how many there were."""
    rows = _after(session, _through(session), most or AT_ONCE)
    if rows:
        found = _of(rows, _zones(session))
        for table, name, columns in TABLES:
            _add_to(session, table, columns, _as_rows(table, columns, getattr(found, name)))
        _set_through(session, rows[-1].id)
    return len(rows)


def _after(session: Session, entry_id: int, most: int) -> Sequence[Row[Any]]:
    return session.execute(_READ.where(entry.c.id > entry_id).order_by(entry.c.id).limit(most)).all()


def _zones(session: Session) -> dict[int, ZoneInfo]:
    """Every campaign's time zone."""
    rows = session.execute(select(campaign_table.c.id, campaign_table.c.time_zone))
    return {row.id: ZoneInfo(row.time_zone) for row in rows}


def _of(rows: Iterable[Any], zones: Mapping[int, ZoneInfo]) -> Breakdown:
    found = Breakdown()
    for row in rows:
        found.add(row, zones[row.campaign_id])
    return found


def _as_rows(table: Table, columns: tuple[str, ...], sums: Parts) -> list[dict[str, Any]]:
    key = [column.name for column in table.primary_key]
    return [dict(zip(key, named, strict=True)) | {name: row[name] for name in columns} for named, row in sums.items()]


def _add_to(session: Session, table: Table, columns: tuple[str, ...], rows: list[dict[str, Any]]) -> None:
    # SQLite has PostgreSQL's syntax for it.
    adding = postgresql.insert(table)
    more = {name: table.c[name] + adding.excluded[name] for name in columns}
    statement = adding.on_conflict_do_update(index_elements=list(table.primary_key), set_=more)
    if rows:
        session.execute(statement, rows)


def _through(session: Session) -> int:
    return session.scalar(_THROUGH) or 0


def _set_through(session: Session, entry_id: int) -> None:
    if not session.execute(update(broken_down).values(entry_id=entry_id)).rowcount:
        session.execute(insert(broken_down).values(id=1, entry_id=entry_id))


def forget(session: Session) -> None:
    """Deletes what is kept, to be added up again. Needed when a campaign's time zone changes, which moves its days."""
    for table in (broken_down, *(table for table, *_ in TABLES)):
        session.execute(delete(table))


# --- Reading it -------------------------------------------------------------------------------------------------------


def of_months(
    session: Session, campaign: Campaign, live: bool, months: Sequence[Month], *, only: str = ""
) -> Breakdown:
    """The breakdowns of a campaign's months, in its own currency: from what is kept and from newer entries.

    `only` names one of them, such as `days`, if the others are not needed.
    """
    names = [str(month) for month in months]
    newer = _newer(session, campaign, live, names)
    found = _of(newer, _zones(session)) if newer else Breakdown()
    for table, name, columns in TABLES:
        if only not in ("", name):
            continue
        these = [
            table.c.campaign_id == campaign.id, table.c.live == live, table.c.month.in_(names),
            table.c.currency == campaign.currency,
        ]  # fmt: skip
        sums: Parts = getattr(found, name)
        wide = len(table.primary_key)
        for row in session.execute(select(*table.primary_key, *(table.c[one] for one in columns)).where(*these)):
            more = dict(zip(columns, row[wide:], strict=True))
            old = sums.get(row[:wide])
            sums[row[:wide]] = more if old is None else {one: old[one] + more[one] for one in columns}
    return found


def raised_by_day(
    session: Session, campaign: Campaign, live: bool, months: Sequence[Month]
) -> dict[str, dict[int, int]]:
    """What was raised on each day of many months, by month, in the campaign's own currency."""
    names = [str(month) for month in months]
    sums = day_total.c
    raised = func.sum(sums.once + sums.monthly + sums.yearly + sums.offline - sums.refunds - sums.disputes)
    found: dict[str, dict[int, int]] = {name: {} for name in names}
    rows = session.execute(
        select(sums.month, sums.day, raised)
        .where(sums.campaign_id == campaign.id, sums.live == live, sums.currency == campaign.currency)
        .where(sums.month.in_(names))
        .group_by(sums.month, sums.day)
    )
    for month, day, amount in rows:
        found[month][day] = int(amount)
    zone = ZoneInfo(campaign.time_zone)
    for row in _newer(session, campaign, live, names):
        day = day_of(row.at, row.month, zone)
        found[row.month][day] = found[row.month].get(day, 0) + row.amount
    return found


def _newer(session: Session, campaign: Campaign, live: bool, months: list[str]) -> Sequence[Row[Any]]:
    # In a statement of its own: only if PostgreSQL knows this number does it expect few entries.
    through = _through(session)
    newer = _READ.where(
        entry.c.id > through, entry.c.campaign_id == campaign.id, entry.c.live == live,
        entry.c.month.in_(months), entry.c.currency == campaign.currency,
    )  # fmt: skip
    return session.execute(newer).all()


# --- Proving it -------------------------------------------------------------------------------------------------------


def differences(session: Session) -> int:
    """How many kept rows differ from what their entries add up to: none, unless somebody edited the database."""
    return sum(len(wrong) for wrong, _ in _compared(session))


def rebuild(session: Session) -> int:
    """Adds up everything again from the entries; returns how many rows were wrong."""
    number = 0
    for (table, _, columns), (wrong, summed) in zip(TABLES, _compared(session), strict=True):
        number += len(wrong)
        if wrong:
            session.execute(delete(table))
            _add_to(session, table, columns, _as_rows(table, columns, summed))
    return number


def _compared(session: Session) -> list[tuple[set[Any], Parts]]:
    """For each table, the keys of its wrong rows, and what all of its rows should be."""
    through, last, found, zones = _through(session), 0, Breakdown(), _zones(session)
    while rows := [row for row in _after(session, last, AT_ONCE) if row.id <= through]:
        part = _of(rows, zones)
        for _, name, _columns in TABLES:
            _merge(getattr(found, name), getattr(part, name))
        last = rows[-1].id
    compared = []
    for table, name, columns in TABLES:
        summed: Parts = getattr(found, name)
        wide = len(table.primary_key)
        kept = {
            tuple(row[:wide]): dict(zip(columns, row[wide:], strict=True))
            for row in session.execute(select(*table.primary_key, *(table.c[one] for one in columns)))
        }
        compared.append(({key for key in kept.keys() | summed.keys() if kept.get(key) != summed.get(key)}, summed))
    return compared


def _merge(into: Parts, more: Parts) -> None:
    for key, row in more.items():
        old = into.get(key)
        into[key] = row if old is None else {name: old[name] + row[name] for name in row}
