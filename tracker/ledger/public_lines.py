"""A month's lines as everybody may see them: the day, the kind and the amount of each entry, and nothing about anybody."""

import csv
import hashlib
import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.money import to_main
from tracker.giving.months import Month, parse_month
from tracker.ledger.entries import month_is
from tracker.ledger.models import entry, total

COLUMNS = ("date", "month", "kind", "amount", "currency", "closed_month")
"""The columns of the public file, a contract (docs/giving.md). They mean what they mean in the accountants' file."""
AT_ONCE = 2000
MOST_LATER = 100


@dataclass(frozen=True)
class Line:
    """One entry: signed `amount` in the smallest unit of `currency`, and the day on the campaign's own calendar."""

    id: int
    day: date
    month: str
    kind: str
    amount: int
    currency: str
    closed_month: str
    """The month it belongs to, where that was closed and it is booked in a later one."""


def newest(session: Session, campaign: Campaign, month: Month, live: bool, most: int) -> list[Line]:
    """The month's lines that were recorded last, the newest first. `campaign` as the month shows it."""
    return _lines(session, campaign, month, live, entry.c.id.desc(), most=most)


def _lines(
    session: Session, campaign: Campaign, month: Month, live: bool, order: Any, *, after: int = 0, most: int
) -> list[Line]:
    columns = (
        entry.c.id,
        entry.c.at,
        entry.c.month,
        entry.c.kind,
        entry.c.amount,
        entry.c.currency,
        entry.c.belongs_to,
    )
    these = (*month_is(entry, campaign.id, live, month), entry.c.id > after)
    zone = ZoneInfo(campaign.time_zone)
    return [
        Line(
            row.id, row.at.astimezone(zone).date(), row.month, row.kind, row.amount, row.currency,
            row.belongs_to if row.belongs_to != row.month else "",
        )
        for row in session.execute(select(*columns).where(*these).order_by(order).limit(most))
    ]  # fmt: skip


def csv_part(session: Session, campaign: Campaign, month: Month, live: bool, after: int) -> tuple[bytes, int]:
    """The next part of the month's public file, and the id of its last line; no bytes when there is no more.

    Every line stands in it in the order in which it was recorded. So a transaction may end between two parts: what is
    recorded meanwhile comes at the end.
    """
    found = _lines(session, campaign, month, live, entry.c.id, after=after, most=AT_ONCE)
    rows = [
        (one.day.isoformat(), one.month, one.kind, to_main(one.amount, one.currency), one.currency, one.closed_month)
        for one in found
    ]
    return _written(rows), found[-1].id if found else after


def _written(rows: Iterable[Iterable[Any]]) -> bytes:
    """As RFC 4180 has it. No cell comes from anybody, so none can be a formula."""
    text = io.StringIO()
    csv.writer(text, lineterminator="\r\n").writerows(rows)
    return text.getvalue().encode("ascii")


CSV_HEAD = _written([COLUMNS])


def hash_of(session: Session, campaign: Campaign, month: Month, live: bool) -> str:
    """SHA-256 over the public file, as `sha256sum` prints it."""
    found = hashlib.sha256(CSV_HEAD)
    part, last = csv_part(session, campaign, month, live, 0)
    while part:
        found.update(part)
        part, last = csv_part(session, campaign, month, live, last)
    return found.hexdigest()


def corrected_later(session: Session, campaign: Campaign, month: Month, live: bool) -> dict[Month, int]:
    """What came for this month after it was closed, by the month in which it is booked."""
    # Added up here: to group them, SQLite would read every line of the campaign.
    rows = session.execute(
        select(entry.c.month, entry.c.amount).where(
            entry.c.campaign_id == campaign.id,
            entry.c.live == live,
            entry.c.month != entry.c.belongs_to,
            entry.c.belongs_to == str(month),
            entry.c.currency == campaign.currency,
        )
    )
    found: Counter[str] = Counter()
    for row in rows:
        found[row.month] += row.amount
    return {parse_month(booked): amount for booked, amount in sorted(found.items())}


def entries_later(session: Session, campaign: Campaign, month: Month, live: bool) -> list[Any]:
    """The newest entries that came for this month after it was closed, as rows of the table; `MOST_LATER` at most."""
    these = (entry.c.campaign_id == campaign.id, entry.c.live == live, entry.c.belongs_to == str(month))
    rows = select(entry).where(*these, entry.c.month != entry.c.belongs_to)
    return list(session.execute(rows.order_by(entry.c.id.desc()).limit(MOST_LATER)))


def changed(session: Session, campaign: Campaign, live: bool) -> dict[str, datetime]:
    """When the newest entry of each month was recorded, by month."""
    inner = entry.alias("inner_entry")
    same = (inner.c.campaign_id == total.c.campaign_id, inner.c.live == total.c.live, inner.c.month == total.c.month)
    # One look into the index for each month, however many entries there are.
    last = select(func.max(inner.c.id)).where(*same).correlate(total).scalar_subquery()
    these = (total.c.campaign_id == campaign.id, total.c.live == live)
    months = select(total.c.month, last.label("last")).where(*these).subquery()
    rows = session.execute(select(months.c.month, entry.c.recorded_at).join(entry, entry.c.id == months.c.last))
    return {row.month: row.recorded_at for row in rows}
