"""What became of checkouts, counted by the minute, and what protects a campaign from card testing. Nothing about who."""

from dataclasses import replace
from datetime import datetime, timedelta
from typing import cast

from sqlalchemy import BigInteger, Boolean, ForeignKey, String, delete, func, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tracker.giving.card_testing import (
    BUSY_MINUTES,
    KINDS,
    OUTCOME_MINUTES,
    Counts,
    Protection,
    Sign,
    Switch,
    judged,
    sign_of_attack,
)
from tracker.ledger.models import Moment, campaign, db

KEEP = timedelta(days=3)


class CheckoutCountRow(db.Model):
    """One minute of a campaign's checkouts."""

    __tablename__ = "checkout_count"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    minute: Mapped[datetime] = mapped_column(Moment, primary_key=True)
    opened: Mapped[int] = mapped_column(BigInteger, default=0)
    completed: Mapped[int] = mapped_column(BigInteger, default=0)
    expired: Mapped[int] = mapped_column(BigInteger, default=0)
    declined: Mapped[int] = mapped_column(BigInteger, default=0)
    refused: Mapped[int] = mapped_column(BigInteger, default=0)


class ProtectionRow(db.Model):
    """What is in force for a campaign; without a row, nothing but the limits."""

    __tablename__ = "protection"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    switch: Mapped[str] = mapped_column(String(10))
    began_at: Mapped[datetime | None] = mapped_column(Moment)
    seen_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    sign: Mapped[str] = mapped_column(String(10))


checkout_count = CheckoutCountRow.__table__
protection = ProtectionRow.__table__


def _id_of(session: Session, slug: str) -> int | None:
    return session.scalar(select(campaign.c.id).where(campaign.c.slug == slug))


# --- Counts -----------------------------------------------------------------------------------------------------------


def add(session: Session, slug: str, live: bool, counts: Counts, now: datetime) -> None:
    """Adds counts to the current minute. A campaign that does not exist has none."""
    campaign_id = _id_of(session, slug)
    if campaign_id is None:
        return
    this = {"campaign_id": campaign_id, "live": live, "minute": now.replace(second=0, microsecond=0)}
    more = {name: checkout_count.c[name] + getattr(counts, name) for name in KINDS}
    same = [checkout_count.c[name] == value for name, value in this.items()]
    if not session.execute(update(checkout_count).where(*same).values(more)).rowcount:
        session.execute(insert(checkout_count).values(**this, **vars(counts)))
        session.execute(delete(checkout_count).where(checkout_count.c.minute < now - KEEP))


def since(session: Session, slug: str, live: bool, moment: datetime) -> Counts:
    """What became of a campaign's checkouts since a moment."""
    sums = [func.coalesce(func.sum(checkout_count.c[name]), 0) for name in KINDS]
    row = session.execute(_of(select(*sums), slug, live, moment)).one()
    return Counts(*(int(value) for value in row))


def by_hour(session: Session, slug: str, live: bool, moment: datetime) -> list[tuple[datetime, Counts]]:
    """The same for each hour in which there was anything, the newest first."""
    found: dict[datetime, Counts] = {}
    columns = [checkout_count.c[name] for name in ("minute", *KINDS)]
    for minute, *values in session.execute(_of(select(*columns), slug, live, moment)):
        hour = minute.replace(minute=0)
        found[hour] = found.get(hour, Counts()) + Counts(*values)
    return sorted(found.items(), reverse=True)


def _of(statement, slug: str, live: bool, moment: datetime):  # type: ignore[no-untyped-def]
    return (
        statement.join_from(checkout_count, campaign)
        .where(campaign.c.slug == slug)
        .where(checkout_count.c.live == live, checkout_count.c.minute > moment - timedelta(minutes=1))
    )


# --- What is in force -------------------------------------------------------------------------------------------------


def protections(session: Session, live: bool) -> dict[str, Protection]:
    """What is in force, by the campaign's slug; a campaign that is not in it has the usual."""
    rows = session.execute(
        select(campaign.c.slug, protection).join_from(protection, campaign).where(protection.c.live == live)
    )
    return {row.slug: _read(row) for row in rows}


def _read(row) -> Protection:  # type: ignore[no-untyped-def]
    return Protection(cast(Switch, row.switch), row.began_at, row.seen_at, row.ended_at, cast(Sign, row.sign))


def judge(session: Session, slug: str, live: bool, now: datetime, usual: int) -> tuple[Protection, Protection]:
    """Looks at the counts and writes what follows from them. Returns what was in force, and what is now."""
    before = protections(session, live).get(slug, Protection())
    ten_minutes = since(session, slug, live, now - BUSY_MINUTES)
    sign = sign_of_attack(ten_minutes, since(session, slug, live, now - OUTCOME_MINUTES), usual)
    after = judged(before, sign, now)
    if after != before:
        _write(session, slug, live, after)
    return before, after


def set_switch(session: Session, slug: str, live: bool, switch: Switch) -> None:
    """What an editor chose."""
    before = protections(session, live).get(slug, Protection())
    _write(session, slug, live, replace(before, switch=switch))


def _write(session: Session, slug: str, live: bool, after: Protection) -> None:
    campaign_id = _id_of(session, slug)
    if campaign_id is None:
        return
    same = (protection.c.campaign_id == campaign_id, protection.c.live == live)
    if not session.execute(update(protection).where(*same).values(vars(after))).rowcount:
        session.execute(insert(protection).values(campaign_id=campaign_id, live=live, **vars(after)))
