"""How many supporters give every month or every year: all of them, new ones, and those who ended."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, func, or_, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.ledger.models import support


@dataclass(frozen=True)
class Counts:
    """Supporters in one span of time."""

    there: int = 0
    """Had begun and not ended by that moment, whether their last charge failed or not."""
    new: int = 0
    ended: int = 0


@dataclass(frozen=True)
class Regulars:
    """Those who give with one `frequency`: in each span of time that was asked for, and their state now."""

    frequency: str
    counts: tuple[Counts, ...]
    failing: int
    paused: int

    @property
    def any(self) -> bool:
        return bool(self.failing or self.paused or any(one != Counts() for one in self.counts))


def regulars(
    session: Session, campaign: Campaign, live: bool, times: Sequence[tuple[datetime, datetime]]
) -> list[Regulars]:
    """Monthly and yearly supporters, in one query. `times` are half-open: `(from, until)`."""
    columns = [column for start, until in times for column in _in(start, until)]
    is_failing, is_paused = support.c.state == "failing", support.c.state == "paused"
    rows = session.execute(
        select(support.c.frequency, _number(is_failing), _number(is_paused), *columns)
        .where(support.c.campaign_id == campaign.id, support.c.live == live)
        # Whoever ended before the earliest of these times is in none of them.
        .where(or_(support.c.ended_at.is_(None), support.c.ended_at >= min(start for start, _ in times)))
        .group_by(support.c.frequency)
    )
    found = {row[0]: [int(number) for number in row[1:]] for row in rows}
    empty = [0] * (2 + len(columns))
    return [
        Regulars(
            frequency,
            tuple(Counts(*row[start : start + 3]) for start in range(2, len(row), 3)),
            failing=row[0],
            paused=row[1],
        )
        for frequency in ("month", "year")
        for row in [found.get(frequency, empty)]
    ]


def _in(start: datetime, until: datetime) -> list[ColumnElement[int]]:
    began, ended, state = support.c.began_at, support.c.ended_at, support.c.state
    # For those from before beginnings were kept, giving shows that they began.
    had_begun = or_(began < until, and_(began.is_(None), or_(state.in_(("active", "paused")), ended.is_not(None))))
    had_not_ended = or_(and_(ended.is_(None), state != "ended"), ended >= until)
    return [
        _number(and_(had_begun, had_not_ended)),
        _number(and_(began >= start, began < until)),
        _number(and_(ended >= start, ended < until)),
    ]


def _number(these: ColumnElement[bool]) -> ColumnElement[int]:
    return func.count().filter(these)
