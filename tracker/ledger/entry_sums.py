"""What entries come to, added up by the database."""

from dataclasses import replace

from sqlalchemy import ColumnElement, Connection, case, func, select
from sqlalchemy.orm import Session

from tracker.giving.rollup import ONLINE, Sums, sums_of
from tracker.ledger.models import entry

# A later part of a gift that was counted before: as `rollup.is_more` has it.
_IS_MORE = entry.c.kind.in_(ONLINE) & (entry.c.key != entry.c.gift_key)


def by_month(session: Session | Connection, *these: ColumnElement[bool]) -> dict[tuple[int, bool, str, str], Sums]:
    """What the entries come to, by campaign, mode, month and currency."""
    summed: dict[tuple[int, bool, str, str], Sums] = {}
    groups = session.execute(
        select(
            entry.c.campaign_id, entry.c.live, entry.c.month, entry.c.currency, entry.c.kind,
            func.sum(entry.c.amount).label("amount"),
            func.sum(case((entry.c.amount < 0, -1), (_IS_MORE, 0), else_=1)).label("gifts"),
        )
        .where(*these)
        .group_by(entry.c.campaign_id, entry.c.live, entry.c.month, entry.c.currency, entry.c.kind)
    )  # fmt: skip
    for row in groups:
        key = (row.campaign_id, row.live, row.month, row.currency)
        one = sums_of(row.kind, int(row.amount))
        summed[key] = summed.get(key, Sums()) + replace(one, gifts=int(row.gifts) if one.gifts else 0)
    return summed


def total(session: Session | Connection, *these: ColumnElement[bool]) -> Sums:
    """What the entries come to, all together. They must be of one currency."""
    return sum(by_month(session, *these).values(), Sums())
