"""Closing months, and proving that the running totals are the sum of the entries."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Connection, delete, insert, inspect, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, month_of, parse_month
from tracker.giving.rollup import Sums
from tracker.ledger import chain, entry_sums, export_rows, public_lines
from tracker.ledger.editor_models import reopening
from tracker.ledger.entries import month_is
from tracker.ledger.models import campaign as campaign_table
from tracker.ledger.models import closed, entry, total
from tracker.ledger.results import MonthResult, read_sums, result
from tracker.ledger.user_models import UserRow

user = UserRow.__table__

KEPT = ("title", "time_zone", "locale", "amount_pattern", "accent")
"""What of a campaign a closed month keeps, so that its page and files stay the same to the byte."""


def close(session: Session, campaign: Campaign, month: Month, live: bool, now: datetime) -> MonthResult:
    """Freezes a month that is over: its figures never change again, and what comes later is booked when it comes."""
    if month >= month_of(now, campaign.time_zone):
        raise ValueError(f"{month} is not over yet.")
    found = result(session, campaign, month, live)
    if found.closed:
        raise ValueError(f"{month} is already closed.")
    session.execute(
        insert(closed).values(
            campaign_id=campaign.id, live=live, month=str(month), goal=found.goal, closed_at=now,
            figures=asdict(found.sums), head=chain.head(session),
            shown_as={name: getattr(campaign, name) for name in KEPT},
            public_hash=public_lines.hash_of(session, campaign, month, live),
        )
    )  # fmt: skip
    export_rows.freeze(session, campaign.id, month, live)
    return result(session, campaign, month, live)


def reopen(
    session: Session, campaign: Campaign, month: Month, live: bool, now: datetime, *, reason: str = "", by: int | None = None
) -> None:  # fmt: skip
    """Lets a month change again. What was booked elsewhere because it was closed stays there. Raises ValueError.

    Keeps what it had been closed with, the reason, and the account that did it; a command has none.
    """
    found = result(session, campaign, month, live)
    if found.closed_at is None:
        raise ValueError(f"{month} is not closed.")
    export_rows.thaw(session, campaign.id, month, live)
    session.execute(delete(closed).where(*month_is(closed, campaign.id, live, month)))
    session.execute(
        insert(reopening).values(
            campaign_id=campaign.id, live=live, month=str(month), at=now, user_id=by, reason=reason,
            closed_at=found.closed_at, raised=found.sums.raised, head=found.head, public_hash=found.public_hash,
        )
    )  # fmt: skip


def reopenings(session: Session, campaign: Campaign, month: Month, live: bool) -> Sequence[Any]:
    """The times a month was reopened, newest first: each with what it had been closed with, who did it, and why."""
    rows = select(reopening, user.c.email).outerjoin(user, user.c.id == reopening.c.user_id)
    return session.execute(
        rows.where(*month_is(reopening, campaign.id, live, month)).order_by(reopening.c.id.desc())
    ).all()


def to_close(session: Session, campaign: Campaign, live: bool, now: datetime, limit: int) -> list[Month]:
    """The newest months that are over, have entries and are not closed."""
    current = str(month_of(now, campaign.time_zone))
    months = (
        select(total.c.month)
        .distinct()
        .where(total.c.campaign_id == campaign.id, total.c.live == live, total.c.month < current)
        .where(
            total.c.month.not_in(
                select(closed.c.month).where(closed.c.campaign_id == campaign.id, closed.c.live == live)
            )
        )
        .order_by(total.c.month.desc())
        .limit(limit)
    )
    return [parse_month(month) for month in session.scalars(months)]


def tampered(session: Session) -> list[str]:
    """What shows that somebody edited the database by hand, a sentence each; nothing when all is as it was written.

    An edit is found if it came after a head that is known; this checks against the heads kept with closed months.
    """
    found = [f"The entry {key} is not as it was written, or one before it is missing." for key in chain.broken(session)]
    for row in session.execute(select(closed)):
        if row.head != chain.BEGINNING and session.scalar(select(entry.c.id).where(entry.c.chain == row.head)) is None:
            found.append(f"The entry with the hash {row.head}, printed when {row.month} was closed, is gone.")
        currency = select(campaign_table.c.currency).where(campaign_table.c.id == row.campaign_id).scalar_subquery()
        these = [*month_is(entry, row.campaign_id, row.live, parse_month(row.month)), entry.c.currency == currency]
        # All of them, as the page of a closed month shows what was kept: also how it adds up, and the number of gifts.
        summed = entry_sums.total(session, *these)
        if summed.raised != Sums(**row.figures).raised:
            found.append(f"The entries of {row.month}, which is closed, come to another sum than at closing.")
        elif summed != Sums(**row.figures):
            found.append(f"The entries of {row.month}, which is closed, add up in another way than at closing.")
    return found


@dataclass(frozen=True)
class Difference:
    """A month whose running totals are not the sum of its entries."""

    campaign_id: int
    live: bool
    month: str
    currency: str
    kept: Sums
    summed: Sums


def differences(session: Session | Connection) -> list[Difference]:
    """Where the running totals differ from the sum of the entries: nowhere, unless somebody edited the database."""
    summed = entry_sums.by_month(session)
    connection = session.connection() if isinstance(session, Session) else session
    # A copy may be older than one of the kinds, which then nobody gave.
    there = {column["name"] for column in inspect(connection).get_columns(total.name)}
    kept = {
        (row.campaign_id, row.live, row.month, row.currency): read_sums(row)
        for row in session.execute(select(*(column for column in total.c if column.name in there)))
    }
    return [
        Difference(*key, kept=kept.get(key, Sums()), summed=summed.get(key, Sums()))
        for key in sorted(kept.keys() | summed.keys())
        if kept.get(key, Sums()) != summed.get(key, Sums())
    ]


def rebuild(session: Session) -> int:
    """Makes the running totals anew from the entries; returns how many were wrong."""
    wrong = differences(session)
    for one in wrong:
        key = (one.campaign_id, one.live, one.month, one.currency)
        where = [
            total.c[name] == value
            for name, value in zip(("campaign_id", "live", "month", "currency"), key, strict=True)
        ]
        session.execute(delete(total).where(*where))
        if one.summed != Sums():
            session.execute(
                insert(total).values(
                    campaign_id=one.campaign_id,
                    live=one.live,
                    month=one.month,
                    currency=one.currency,
                    **asdict(one.summed),
                )
            )
    return len(wrong)
