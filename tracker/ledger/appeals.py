"""Drives and matches in the database: which one runs, what was given meanwhile, and how editors change them."""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import String, bindparam, case, delete, func, insert, or_, select, update
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.drives import NOTHING_RUNS, Appeal, Appeals, Kind, in_the_way, problems
from tracker.giving.months import month_of
from tracker.giving.refusals import Refusal
from tracker.giving.rollup import COLUMN
from tracker.ledger import audit_log
from tracker.ledger.appeal_models import AppealRow, appeal, appeal_total
from tracker.ledger.models import campaign, entry

MODES = (False, True)

# --- The sums ---------------------------------------------------------------------------------------------------------

# Which appeals hold a gift of some kind, currency and moment.
_HOLDING = (
    select(appeal.c.id)
    .join(campaign, campaign.c.id == appeal.c.campaign_id)
    .where(
        appeal.c.campaign_id == bindparam("of_campaign"),
        campaign.c.currency == bindparam("in_currency"),
        appeal.c.starts_at <= bindparam("given_at"),
        or_(appeal.c.ends_at.is_(None), appeal.c.ends_at > bindparam("given_at")),
        or_(appeal.c.kind == "drive", bindparam("entry_kind", type_=String) != "offline"),
    )
)
_ADD = (
    update(appeal_total)
    .where(appeal_total.c.live == bindparam("in_mode"), appeal_total.c.appeal_id.in_(_HOLDING))
    .values(
        raised=appeal_total.c.raised + bindparam("more_raised"), gifts=appeal_total.c.gifts + bindparam("more_gifts")
    )
)
# For the book, which asks it together with all else that it needs to know of a gift.
ONE_HOLDS = (
    select(appeal.c.id)
    .where(
        appeal.c.campaign_id == campaign.c.id,
        appeal.c.starts_at <= bindparam("at"),
        or_(appeal.c.ends_at.is_(None), appeal.c.ends_at > bindparam("at")),
    )
    .exists()
)


def add(
    session: Session, campaign_id: int, live: bool, kind: str, currency: str, given_at: datetime, amount: int, gifts: int
) -> None:  # fmt: skip
    """Adds an entry of `kind` to the appeals that ran when its gift was made, whenever the entry itself is from."""
    session.execute(
        _ADD,
        {
            "of_campaign": campaign_id, "in_mode": live, "entry_kind": kind, "in_currency": currency,
            "given_at": given_at, "more_raised": amount, "more_gifts": gifts,
        },
    )  # fmt: skip


def spans(session: Session, campaign_id: int) -> list[tuple[datetime, datetime | None]]:
    """When a campaign's drives and matches begin and end: usually there are none."""
    found = session.execute(select(appeal.c.starts_at, appeal.c.ends_at).where(appeal.c.campaign_id == campaign_id))
    return [(row.starts_at, row.ends_at) for row in found]


def _summed(session: Session, row: AppealRow, live: bool) -> tuple[int, int]:
    """What was given while an appeal ran and the number of gifts, from the entries: for when its dates are set."""
    gift, later = entry.alias("gift"), entry.alias("later")
    given = [
        gift.c.campaign_id == row.campaign_id, gift.c.live == live, gift.c.key == gift.c.gift_key,
        gift.c.at >= row.starts_at,
        gift.c.currency == select(campaign.c.currency).where(campaign.c.id == row.campaign_id).scalar_subquery(),
    ]  # fmt: skip
    if row.ends_at is not None:
        given.append(gift.c.at < row.ends_at)
    if row.kind == "match":
        given.append(gift.c.kind != "offline")
    # Not earlier than the month in which it starts, in any time zone: the others' entries need not be read.
    given.append(gift.c.month >= str(month_of(row.starts_at, "UTC").previous))
    own = session.execute(select(func.coalesce(func.sum(gift.c.amount), 0), func.count()).where(*given)).one()
    came_of_it = (later.c.gift_key == gift.c.key, later.c.gift_key != later.c.key)
    # A reversed gift was never made.
    back = func.sum(case((later.c.kind.in_(COLUMN.keys() - {"refund", "dispute"}) & (later.c.amount < 0), -1), else_=0))
    more = session.execute(
        select(func.coalesce(func.sum(later.c.amount), 0), func.coalesce(back, 0)).where(*given, *came_of_it)
    ).one()
    return int(own[0] + more[0]), int(own[1] + more[1])


@dataclass(frozen=True)
class Difference:
    """An appeal whose sums are not those of its entries: what was given and the number of gifts, each."""

    name: str
    live: bool
    kept: tuple[int, int]
    summed: tuple[int, int]


def differences(session: Session) -> list[Difference]:
    """Where the sums of appeals differ from their entries: nowhere, unless somebody edited the database."""
    return [found for _, found in _differences(session)]


def _differences(session: Session) -> Iterator[tuple[AppealRow, Difference]]:
    kept = {(one.appeal_id, one.live): (one.raised, one.gifts) for one in session.execute(select(appeal_total))}
    for row in session.scalars(select(AppealRow).order_by(AppealRow.id)).all():
        for live in MODES:
            of_row, summed = kept.get((row.id, live), (0, 0)), _summed(session, row, live)
            if of_row != summed or (row.id, live) not in kept:
                yield row, Difference(row.name, live, of_row, summed)


def rebuild(session: Session) -> int:
    """Sums every appeal again from the entries; returns how many sums were wrong."""
    wrong = list(_differences(session))
    for row in {row.id: row for row, _ in wrong}.values():
        _sum_again(session, row)
    return len(wrong)


def _sum_again(session: Session, row: AppealRow) -> None:
    session.execute(delete(appeal_total).where(appeal_total.c.appeal_id == row.id))
    for live in MODES:
        raised, gifts = _summed(session, row, live)
        session.execute(insert(appeal_total).values(appeal_id=row.id, live=live, raised=raised, gifts=gifts))


# --- What readers and editors see -------------------------------------------------------------------------------------


def current(session: Session, of: Campaign, live: bool, now: datetime) -> Appeals:
    """The drive and the match that run now, with what they came to."""
    if not of.has_appeals:
        return NOTHING_RUNS
    found = _read(session, of, live, or_(appeal.c.ends_at.is_(None), appeal.c.ends_at > now))
    running = {one.kind: one for one in found if one.holds(now)}
    turns = [at for one in found for at in (one.starts_at, one.ends_at) if at and at > now]
    return Appeals(running.get("drive"), running.get("match"), min(turns, default=None))


def every(session: Session, of: Campaign, live: bool) -> list[Appeal]:
    """All drives and matches that there are and were, the newest first."""
    return _read(session, of, live)


def _read(session: Session, of: Campaign, live: bool, *these: Any) -> list[Appeal]:
    sums = (appeal_total.c.appeal_id == appeal.c.id) & (appeal_total.c.live == live)
    rows = session.execute(
        select(appeal, appeal_total.c.raised, appeal_total.c.gifts)
        .outerjoin(appeal_total, sums)
        .where(appeal.c.campaign_id == of.id, *these)
        .order_by(appeal.c.starts_at.desc(), appeal.c.id.desc())
    )
    return [
        Appeal(
            row.kind, row.name, row.amount, row.starts_at, row.ends_at, row.id, int(row.raised or 0), int(row.gifts or 0)
        )
        for row in rows
    ]  # fmt: skip


def find(session: Session, of: Campaign, live: bool, kind: Kind, name: str, now: datetime) -> Appeal | None:
    """The one with that name that has not ended; None when there is none."""
    found = _read(session, of, live, appeal.c.kind == kind)
    return next((one for one in found if one.name == name and one.state(now) != "ended"), None)


# --- Changing them ----------------------------------------------------------------------------------------------------


def save(session: Session, of: Campaign, wanted: Appeal, now: datetime) -> Appeal:
    """Keeps a new appeal, or changes the one with its id; returns it.

    Raises ValueError with a sentence where it cannot be, has ended, or would run beside another of its kind.
    """
    for _, refusal in problems(wanted, now):
        raise refusal
    row = _open_row(session, of, wanted.id, now) if wanted.id else AppealRow(campaign_id=of.id, kind=wanted.kind)
    if beside := _beside(session, of, wanted):
        raise in_the_way(beside, of)
    row.name, row.amount = wanted.name, wanted.amount
    row.starts_at, row.ends_at = wanted.starts_at, wanted.ends_at
    session.add(row)
    session.flush()
    _sum_again(session, row)
    return replace(wanted, id=row.id)


def note_saved(
    session: Session, who: audit_log.Who, now: datetime, campaign: Campaign, before: Appeal | None, after: Appeal
) -> None:  # fmt: skip
    """The line in the audit log for a drive or a match that was made or changed."""
    told = [_told(campaign, one) if one else None for one in (before, after)]
    audit_log.note(
        session, who, now, "appeal.saved", campaign=campaign.slug, about=after.id, before=told[0], after=told[1]
    )


def _told(campaign: Campaign, appeal: Appeal) -> dict[str, Any]:
    ends = campaign.moment(appeal.ends_at) if appeal.ends_at else None
    return {
        "kind": appeal.kind, "name": appeal.name, "amount": campaign.write(appeal.amount),
        "starts": campaign.moment(appeal.starts_at), "ends": ends,
    }  # fmt: skip


def end(session: Session, of: Campaign, appeal_id: int, now: datetime) -> bool:
    """Ends an appeal that runs, as of now; one that has not begun is deleted, since nobody has seen it.

    Returns whether it was running. Raises ValueError with a sentence where it has ended already.
    """
    row = _open_row(session, of, appeal_id, now)
    if row.starts_at > now:
        session.execute(delete(appeal_total).where(appeal_total.c.appeal_id == row.id))
        session.delete(row)
        session.flush()
        return False
    row.ends_at = now
    session.flush()
    _sum_again(session, row)
    return True


def _open_row(session: Session, of: Campaign, appeal_id: int, now: datetime) -> AppealRow:
    row = session.scalars(select(AppealRow).filter_by(id=appeal_id, campaign_id=of.id)).one_or_none()
    if row is None:
        raise Refusal("It is not there any more.")
    if row.ends_at is not None and row.ends_at <= now:
        raise Refusal("“%(name)s” has ended: it stays as it was shown.", name=row.name)
    return row


def _beside(session: Session, of: Campaign, wanted: Appeal) -> Appeal | None:
    """Another appeal of the same kind that would run at the same time."""
    others = [
        appeal.c.kind == wanted.kind, appeal.c.id != wanted.id,
        or_(appeal.c.ends_at.is_(None), appeal.c.ends_at > wanted.starts_at),
    ]  # fmt: skip
    if wanted.ends_at is not None:
        others.append(appeal.c.starts_at < wanted.ends_at)
    return next(iter(_read(session, of, False, *others)), None)
