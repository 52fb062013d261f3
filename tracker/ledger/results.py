"""A month's number, and why it is that number: what the page, the bar in every format, the tables and the files show."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Row, and_, func, or_, select, union_all
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.goals import PeopleGoal, Progress
from tracker.giving.months import Month, month_of, parse_month
from tracker.giving.pace import percent_ahead, same_moment
from tracker.giving.rollup import Sums
from tracker.ledger import campaigns, same_day
from tracker.ledger.entries import month_is
from tracker.ledger.models import alias, closed, entry, goal, note, total
from tracker.ledger.models import campaign as campaign_table


@dataclass(frozen=True)
class MonthResult:
    """A month's number, and why it is that number. Amounts in the campaign's smallest unit."""

    month: Month
    goal: int | None
    sums: Sums
    closed_at: datetime | None = None
    """When the month was closed, if it is: then everything here is as it was at that moment."""
    head: str = ""
    """The newest entry's chain hash at closing."""
    shown_as: Mapping[str, str] = field(default_factory=dict)
    """The campaign's title, time zone, writing of amounts and colour at closing."""
    people: PeopleGoal | None = None
    """The goal in people, which cannot be set any more once the month is closed."""
    public_hash: str = ""
    """SHA-256 over the month's public file at closing; nothing where it was closed before there was one."""

    def campaign_then(self, campaign: Campaign) -> Campaign:
        """The campaign as this month shows it: when it is closed, as it was at that moment."""
        # Months that were closed before campaigns had colours of their own were shown in ours.
        return replace(campaign, **{"accent": ""} | self.shown_as) if self.closed else campaign

    @property
    def closed(self) -> bool:
        return self.closed_at is not None

    @property
    def progress(self) -> Progress:
        return Progress(self.sums.raised, self.goal)


def result(session: Session, campaign: Campaign, month: Month, live: bool) -> MonthResult:
    """One month's result: the one answer that the page, the bar in every format, the tables and the files all show."""
    return next(iter(_results(session, campaign, live, [month])))


def results(session: Session, campaign: Campaign, live: bool, now: datetime) -> list[MonthResult]:
    """Every month's result, newest first, from the first that has an entry to the current one, without gaps."""
    current = shown_month(campaign, now)
    span = session.execute(
        select(func.min(total.c.month), func.max(total.c.month)).where(
            total.c.campaign_id == campaign.id, total.c.live == live
        )
    ).one()
    month = max([current] + ([parse_month(span[1])] if span[1] else []))
    first = min([current] + ([parse_month(span[0])] if span[0] else []))
    span_months = [month]
    while month > first:
        month = month.previous
        span_months.append(month)
    return _results(session, campaign, live, span_months)


def _results(session: Session, campaign: Campaign, live: bool, months: list[Month]) -> list[MonthResult]:
    goals = campaigns.goals(session, campaign.slug)
    names = [str(month) for month in months]
    these = [total.c.campaign_id == campaign.id, total.c.live == live, total.c.currency == campaign.currency]
    sums = {row.month: read_sums(row) for row in session.execute(select(total).where(*these, total.c.month.in_(names)))}
    shut = {
        row.month: row
        for row in session.execute(
            select(closed).where(closed.c.campaign_id == campaign.id, closed.c.live == live, closed.c.month.in_(names))
        )
    }
    return [
        MonthResult(
            month,
            row.goal,
            Sums(**row.figures),
            row.closed_at,
            row.head,
            row.shown_as,
            goals.in_people(month),
            row.public_hash,
        )
        if (row := shut.get(str(month)))
        else MonthResult(month, goals.of(month), sums.get(str(month), Sums()), people=goals.in_people(month))
        for month in months
    ]


def read_sums(row: Row[Any]) -> Sums:
    """A row of running totals as sums; what it has no column for is nothing."""
    return Sums(*(getattr(row, field.name, 0) for field in fields(Sums)))


def shown_month(campaign: Campaign, now: datetime) -> Month:
    """The month that a campaign's bar shows: the current one in its time zone, or the one it is held at."""
    return parse_month(campaign.held_month) if campaign.held_month else month_of(now, campaign.time_zone)


def first_month(session: Session, campaign: Campaign, live: bool, now: datetime) -> Month:
    """The first month that a campaign has: of its first entry or its first goal, whichever is earlier.

    A month without either that was closed is one as well, and so is the one that the bar shows.
    """
    months = union_all(
        select(func.min(total.c.month).label("month")).where(total.c.campaign_id == campaign.id, total.c.live == live),
        select(func.min(closed.c.month)).where(closed.c.campaign_id == campaign.id, closed.c.live == live),
        select(func.min(goal.c.month)).where(goal.c.campaign_id == campaign.id),
    ).subquery()
    found = session.scalar(select(func.min(months.c.month)))
    shown = shown_month(campaign, now)
    return min(shown, parse_month(found)) if found else shown


def other_currencies(session: Session, campaign: Campaign, month: Month, live: bool) -> dict[str, Sums]:
    """What was given in other currencies than the campaign's, apart, since currencies are never added."""
    rows = session.execute(
        select(total).where(*month_is(total, campaign.id, live, month), total.c.currency != campaign.currency)
    )
    return {row.currency: read_sums(row) for row in rows}


def corrections(session: Session, campaign: Campaign, month: Month, live: bool) -> dict[Month, int]:
    """What is booked in this month though it belongs to another one, which was closed when it came; by that month."""
    rows = session.execute(
        select(entry.c.belongs_to, func.sum(entry.c.amount))
        .where(
            *month_is(entry, campaign.id, live, month),
            entry.c.month != entry.c.belongs_to,
            entry.c.currency == campaign.currency,
        )
        .group_by(entry.c.belongs_to)
        .order_by(entry.c.belongs_to)
    )
    return {parse_month(belongs_to): int(amount) for belongs_to, amount in rows}


def entries(session: Session, campaign: Campaign, month: Month, live: bool, newest: int | None = None) -> list[Any]:
    """The month's entries, oldest first, as rows of the table; with `newest` only so many of the newest.

    Beside its columns each has the `note` that an editor wrote, to it or to its gift, or None, and whether it is an offline
    gift that was `taken_back`, then or later.
    """
    back, of_gift = entry.alias("back"), note.alias("of_gift")
    is_back = select(back.c.id).where(back.c.gift_key == entry.c.key, back.c.gift_key != back.c.key).exists()
    rows = (
        select(
            entry,
            func.coalesce(note.c.words, of_gift.c.words).label("note"),
            and_(entry.c.kind == "offline", is_back).label("taken_back"),
        )
        .outerjoin(note, note.c.gift_key == entry.c.key)
        .outerjoin(of_gift, of_gift.c.gift_key == entry.c.gift_key)
        .where(*month_is(entry, campaign.id, live, month))
        .order_by(entry.c.at.desc(), entry.c.id.desc())
        .limit(newest)
    )
    return list(session.execute(rows))[::-1]


def against_last_month(session: Session, campaign: Campaign, live: bool, now: datetime) -> int | None:
    """How many per cent the shown month is ahead of the one before at the same time of the month; None if that was empty.

    The same day and hour of the month before; from the 29th on, where that had fewer days, its end.
    """
    this = shown_month(campaign, now)
    if campaign.held_month or this != month_of(now, campaign.time_zone):
        return None
    until = same_moment(now, campaign.time_zone, this, this.previous)
    before = same_day.sums_until(session, campaign, live, this.previous, until).raised
    return percent_ahead(result(session, campaign, this, live).sums.raised, before)


@dataclass(frozen=True)
class Booked:
    """Where a gift is in the book, and whether anything of it is left after refunds and disputes."""

    campaign: str
    month: Month
    counts: bool
    at: datetime
    kind: str
    """`once`, `monthly` and so on."""


def booked(session: Session, stripe_id: str, live: bool) -> Booked | None:
    """The gift of a checkout session, under its own id or as the first month's invoice; None while it is not in the book."""
    named = select(alias.c.gift_key).where(alias.c.stripe_id == stripe_id)
    found = session.execute(
        select(entry.c.key, entry.c.amount, entry.c.month, entry.c.at, entry.c.kind, campaign_table.c.slug)
        .join(campaign_table, campaign_table.c.id == entry.c.campaign_id)
        .where(or_(entry.c.key == stripe_id, entry.c.key.in_(named)), entry.c.live == live)
    ).first()
    if found is None:
        return None
    came_of_it = (entry.c.gift_key == found.key, entry.c.gift_key != entry.c.key)
    back = session.scalar(select(func.coalesce(func.sum(entry.c.amount), 0)).where(*came_of_it))
    return Booked(found.slug, parse_month(found.month), found.amount + back > 0, found.at, found.kind)
