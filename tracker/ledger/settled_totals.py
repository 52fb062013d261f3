"""What the entries of each month came to at Stripe, by payout: kept with every settlement, for the table of money."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import ColumnElement, case, delete, func, select
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.ledger.breakdown_models import settled_total
from tracker.ledger.models import entry, settlement

SUMS = ("entries", "told", "gross", "fee", "net")
_KEY = list(settled_total.primary_key)

_earlier = settlement.alias("earlier")
# An entry has one settlement; if Stripe ever writes two, the entry's own amount counts with one of them.
_IS_SECOND = (
    select(_earlier.c.key)
    .where(_earlier.c.entry_key == settlement.c.entry_key, _earlier.c.key < settlement.c.key)
    .correlate(settlement)
    .exists()
)
_GROUP = (
    entry.c.campaign_id, entry.c.live, entry.c.month, entry.c.currency,
    settlement.c.currency.label("settled_in"), settlement.c.payout,
)  # fmt: skip
_SUMMED = (
    select(
        *_GROUP,
        func.max(settlement.c.paid_out_on).label("paid_out_on"),
        func.sum(case((_IS_SECOND, 0), else_=1)).label("entries"),
        func.sum(case((_IS_SECOND, 0), else_=entry.c.told)).label("told"),
        func.sum(settlement.c.amount).label("gross"),
        func.sum(settlement.c.fee).label("fee"),
        func.sum(settlement.c.net).label("net"),
    )
    .select_from(settlement.join(entry, entry.c.key == settlement.c.entry_key))
    .group_by(*_GROUP)
)

# SQLite has PostgreSQL's syntax for it.
_adding = postgresql.insert(settled_total)
_ADD = _adding.on_conflict_do_update(
    index_elements=_KEY,
    set_={name: settled_total.c[name] + _adding.excluded[name] for name in SUMS}
    | {"paid_out_on": _adding.excluded.paid_out_on},
)


def of_settlements(session: Session, *these: ColumnElement[bool]) -> list[dict[str, Any]]:
    """What these settlements come to, as rows of the table."""
    rows = session.execute(_SUMMED.where(*these))
    return [dict(row._mapping) | {name: int(row._mapping[name]) for name in SUMS} for row in rows]


def add(session: Session, rows: Sequence[dict[str, Any]], sign: int = 1) -> None:
    """Adds sums to what is kept; or subtracts them, with -1, and deletes rows that are then zero."""
    for row in rows:
        session.execute(_ADD, row | {name: sign * row[name] for name in SUMS})
    if sign < 0:
        session.execute(delete(settled_total).where(*(settled_total.c[name] == 0 for name in SUMS)))


def take_off(session: Session, entry_key: str) -> None:
    """Subtracts what an entry came to so far, before it is settled again: usually nothing."""
    add(session, of_settlements(session, settlement.c.entry_key == entry_key), -1)


def add_again(session: Session, entry_key: str) -> None:
    """Adds all that an entry came to."""
    add(session, of_settlements(session, settlement.c.entry_key == entry_key))


def move(session: Session, these: list[ColumnElement[bool]], payout: dict[str, Any]) -> None:
    """Moves settlements to a payout; called before the settlements themselves are updated."""
    rows = of_settlements(session, *these)
    add(session, rows, -1)
    add(session, [row | payout for row in rows])


# --- Reading and proving it -------------------------------------------------------------------------------------------


def of_months(session: Session, campaign: Campaign, months: Sequence[Month], live: bool) -> dict[str, list[Any]]:
    """The rows of each month in the campaign's own currency: by the balance's currency, then by payout, the oldest first."""
    found: dict[str, list[Any]] = {str(month): [] for month in months}
    sums = settled_total.c
    these = (sums.campaign_id == campaign.id, sums.live == live, sums.month.in_(found))
    rows = select(settled_total).where(*these, sums.currency == campaign.currency)
    for row in session.execute(rows.order_by(sums.settled_in, sums.payout == "", sums.paid_out_on, sums.payout)):
        found[row.month].append(row)
    return found


def nets(session: Session, campaign: Campaign, live: bool) -> dict[str, int]:
    """What each month came to after Stripe's fees, as far as it has settled in the campaign's own currency."""
    these = [settled_total.c.campaign_id == campaign.id, settled_total.c.live == live]
    these += [column == campaign.currency for column in (settled_total.c.currency, settled_total.c.settled_in)]
    net = func.sum(settled_total.c.net)
    rows = session.execute(select(settled_total.c.month, net).where(*these).group_by(settled_total.c.month))
    return {month: int(amount) for month, amount in rows}


def differences(session: Session) -> int:
    """How many rows differ from what their settlements add up to: none, unless somebody edited the database."""
    kept, summed = _kept(session), _summed(session)
    return sum(kept.get(key) != summed.get(key) for key in kept.keys() | summed.keys())


def rebuild(session: Session) -> int:
    """Adds everything up again from the settlements; returns how many rows were wrong."""
    wrong = differences(session)
    if wrong:
        rows = of_settlements(session)
        session.execute(delete(settled_total))
        add(session, rows)
    return wrong


def _kept(session: Session) -> dict[Any, Any]:
    return {_key_of(row): [row[name] for name in SUMS] for row in _rows(session)}


def _rows(session: Session) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in session.execute(select(settled_total))]


def _summed(session: Session) -> dict[Any, Any]:
    return {_key_of(row): [row[name] for name in SUMS] for row in of_settlements(session)}


def _key_of(row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(row[column.name] for column in _KEY)
