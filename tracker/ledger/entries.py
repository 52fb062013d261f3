"""Writes entries: the only place where one is added, and its month's totals with it."""

from dataclasses import fields
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from tracker.giving.months import Month, month_of
from tracker.giving.rollup import ONLINE, Sums, sums_of
from tracker.ledger import appeals, chain
from tracker.ledger.models import closed, entry, total

# The database gives it its number, which nobody asks for.
_ENTER = insert(entry).inline()
_ADD = (
    update(total)
    .where(*(column == bindparam(f"this_{column.name}") for column in total.primary_key))
    .values({field.name: total.c[field.name] + bindparam(f"more_{field.name}") for field in fields(Sums)})
)
_IS_CLOSED = select(closed.c.month).where(
    *(closed.c[name] == bindparam(name) for name in ("campaign_id", "live", "month"))
)


def enter(
    session: Session, key: str, campaign_id: int, live: bool, kind: str, amount: int, told: int, currency: str,
    at: datetime, month: str, belongs_to: str, gift_key: str, now: datetime, head: str | None = None,
    gift_at: datetime | None = None, in_appeal: bool = True, **about: str,
) -> None:  # fmt: skip
    """Writes one entry and adds it to its month's totals, and to the drive and the match that its gift was made in.

    `head` is the newest entry's hash, where it is known already; `gift_at` when the gift was made, if not at `at`; `in_appeal`
    False where no drive or match holds that moment.
    """
    values: dict[str, Any] = {
        "key": key, "campaign_id": campaign_id, "live": live, "kind": kind, "amount": amount, "told": told,
        "currency": currency, "at": at, "month": month, "belongs_to": belongs_to, "gift_key": gift_key,
        "recorded_at": now, **about,
    }  # fmt: skip
    session.execute(_ENTER, values | {"chain": chain.link(head or chain.head(session), values)})
    this = {"campaign_id": campaign_id, "live": live, "month": month, "currency": currency}
    sums = vars(sums_of(kind, amount, is_more=is_more(kind, key, gift_key)))
    added = {f"this_{name}": value for name, value in this.items()}
    added |= {f"more_{name}": value for name, value in sums.items()}
    if not session.execute(_ADD, added).rowcount:
        session.execute(insert(total), this | sums)
    if in_appeal:
        appeals.add(session, campaign_id, live, kind, currency, gift_at or at, amount, sums["gifts"])


def is_more(kind: str, key: str, gift_key: str) -> bool:
    """Whether an entry is a later part of a gift that has an entry already."""
    return kind in ONLINE and key != gift_key


def enter_for(session: Session, gift: Any, key: str, now: datetime, **values: Any) -> None:
    """Writes an entry that comes of a gift, whose own entry is given: with its campaign, currency, tier and article."""
    alike = {name: getattr(gift, name) for name in ("campaign_id", "live", "currency", "tier", "source", "place")}
    enter(session, key, belongs_to=gift.month, gift_key=gift.key, now=now, gift_at=gift.at, **alike, **values)


def open_month(session: Session, campaign_id: int, live: bool, wanted: list[Month], now: datetime, zone: str) -> str:
    """The first of the wanted months that is not closed, else the current one.

    The current one cannot be closed, but a closed one can become it again, when the campaign moves to a time zone
    further west on the first of a month; then the next one is taken.
    """
    current = month_of(now, zone)
    for month in (*wanted, current):
        this = {"campaign_id": campaign_id, "live": live, "month": str(month)}
        if session.scalar(_IS_CLOSED, this) is None:
            return str(month)
    return str(current.next)


def month_is(table: Table, campaign_id: int, live: bool, month: Month) -> list[ColumnElement[bool]]:
    """The conditions that pick one campaign's month in one mode out of a table."""
    return [table.c.campaign_id == campaign_id, table.c.live == live, table.c.month == str(month)]
