"""Names and messages that donors chose to show, and what editors decided: each waits, is shown or is hidden."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.ledger.models import SupporterRow

State = Literal["waiting", "shown", "hidden"]
STATES = get_args(State)

_IS = {
    "waiting": and_(~SupporterRow.shown, ~SupporterRow.hidden),
    "shown": SupporterRow.shown,
    "hidden": SupporterRow.hidden,
}


@dataclass(frozen=True)
class Page:
    """Some names, newest first, and whether there are newer and older ones."""

    rows: Sequence[SupporterRow]
    newer: bool
    older: bool


# --- What readers see -------------------------------------------------------------------------------------------------


def shown(
    session: Session, campaign: Campaign, live: bool, limit: int,
    *, starts: datetime | None = None, ends: datetime | None = None, skip: int = 0,
) -> list[Any]:  # fmt: skip
    """The newest names and messages that may be shown: rows with `name`, `message`, `at`, safe to keep in a cache.

    With `starts` and `ends`, those of gifts made from the first moment until just before the second; the newest `skip`
    are left out.
    """
    these = select(SupporterRow.name, SupporterRow.message, SupporterRow.at)
    these = these.where(*_of(campaign, live), SupporterRow.shown)
    if starts:
        these = these.where(SupporterRow.at >= starts)
    if ends:
        these = these.where(SupporterRow.at < ends)
    return list(session.execute(_newest_first(these).limit(limit).offset(skip)))


# --- What editors see -------------------------------------------------------------------------------------------------


def page(
    session: Session, campaign: Campaign, live: bool, limit: int,
    state: State | None = None, *, after: str = "", before: str = "", also: str = "",
) -> Page:  # fmt: skip
    """Names for the editor, shown or not: the newest, or those after the gift `after`, or before the gift `before`.

    Only those in `state`; `also` is a gift that is among them whatever its state is, such as the one just decided on.
    """
    these = select(SupporterRow).where(*_of(campaign, live))
    if state:
        these = these.where(or_(_IS[state], SupporterRow.gift_key == also) if also else _IS[state])
    at = _row(session, after or before)
    if at is None or at.campaign_id != campaign.id:
        rows = list(session.scalars(_newest_first(these).limit(limit + 1)))
        return Page(rows[:limit], False, len(rows) > limit)
    if after:
        rows = list(session.scalars(_newest_first(these.where(_is_older(at))).limit(limit + 1)))
        return Page(rows[:limit], True, len(rows) > limit)
    newer = these.where(~_is_older(at), SupporterRow.gift_key != at.gift_key)
    newer = newer.order_by(SupporterRow.at, SupporterRow.gift_key.desc())
    rows = list(session.scalars(newer.limit(limit + 1)))
    return Page(rows[:limit][::-1], len(rows) > limit, True)


def waiting(session: Session, campaign: Campaign, live: bool) -> int:
    """How many names no editor has decided on."""
    return int(session.scalar(select(func.count()).where(*_of(campaign, live), _IS["waiting"])) or 0)


def show(session: Session, gift_key: str, *, shown: bool) -> bool:
    """Lets a name and message be shown, or hides them until an editor shows them. Says whether that changed anything."""
    row = _row(session, gift_key)
    if row is None or (row.shown, row.hidden) == (shown, not shown):
        return False
    row.shown, row.hidden = shown, not shown
    return True


def state_of(row: SupporterRow) -> State:
    return "shown" if row.shown else "hidden" if row.hidden else "waiting"


# --- Questions --------------------------------------------------------------------------------------------------------


def _row(session: Session, gift_key: str) -> SupporterRow | None:
    # PostgreSQL would refuse a NUL in it.
    return session.get(SupporterRow, gift_key) if gift_key and gift_key.isprintable() else None


def _of(campaign: Campaign, live: bool) -> tuple[ColumnElement[bool], ...]:
    return SupporterRow.campaign_id == campaign.id, SupporterRow.live == live


def _newest_first(these: Select[Any]) -> Select[Any]:
    return these.order_by(SupporterRow.at.desc(), SupporterRow.gift_key)


def _is_older(row: SupporterRow) -> ColumnElement[bool]:
    """What comes after a row, newest first."""
    at_once = and_(SupporterRow.at == row.at, SupporterRow.gift_key > row.gift_key)
    return or_(SupporterRow.at < row.at, at_once)
