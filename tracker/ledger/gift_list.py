"""Gifts looked up by their properties: page after page in one order, as quickly among ten million as ten thousand.

Each search uses an index that holds its gifts in the order of the list. All other filters are checked gift by gift, up
to a limit: if none of these matches, the page says how far it has looked, and the next one continues there.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, TextClause, exists, func, literal, or_, select, text, tuple_
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.import_map import IMPORTED
from tracker.giving.months import Month
from tracker.giving.rollup import ONLINE
from tracker.ledger.editor_models import CAME_FROM, CAME_OF_GIFT, IS_GIFT, IS_RARE
from tracker.ledger.listed_gifts import Listed, listed
from tracker.ledger.models import alias, entry, settlement, supporter

PAGE = 50
LOOK = 5000
"""The most gifts that are checked for one page."""
NAMES = 2000
"""The most names of each kind, shown on the page or not, that are read for one page."""
RARE = ("yearly", "offline")
CAME_BACK = {"refunded": "refund", "disputed": "dispute", "reversed": "offline"}
"""The states that entries of a kind lead to."""
STATES = (*CAME_BACK, "unsettled", "unpaid")


@dataclass(frozen=True)
class Wanted:
    """Which gifts to find; an empty field matches anything. Amounts in the campaign's currency and smallest unit."""

    words: str = ""
    """One of Stripe's ids, or part of a name that a donor chose to show."""
    month: Month | None = None
    kind: str = ""
    least: int | None = None
    most: int | None = None
    source: str = ""
    tier: str = ""
    state: str = ""
    """One of `STATES`: money of it went back, it has no fee yet, or it is in no payout yet."""
    largest_first: bool = False
    by_name: bool = True
    """Whether the words may be part of a name."""


@dataclass(frozen=True)
class GiftPage:
    """Some gifts, and where the list goes on."""

    gifts: list[Listed]
    older: int | None = None
    """The number of the entry after which the next page begins; None if there are no more."""
    newer: int | None = None
    looked_until: datetime | None = None
    """How far the search got, if the page is not full although there are more gifts to check."""


@dataclass(frozen=True)
class _Found:
    """The gifts of a page, and one more if there is one; and the entry after which to continue, if not all were checked."""

    rows: Sequence[Any]
    goes_on: int | None = None
    until: datetime | None = None


def find(
    session: Session, campaign: Campaign, live: bool, wanted: Wanted, *, before: int | None = None, after: int | None = None
) -> GiftPage:  # fmt: skip
    """A page of gifts: the first, the one that follows the entry with the number `before`, or the one that leads to `after`."""
    back = after is not None
    start = _start(session, campaign, live, after if back else before)
    if wanted.words:
        by_id = _with_id(session, campaign, live, wanted.words)
        found = _Found(by_id) if by_id or not wanted.by_name else _by_name(session, campaign, live, wanted, start, back)
    else:
        found = _by_index(session, campaign, live, wanted, start, back)
    rows, full = list(found.rows[:PAGE]), len(found.rows) > PAGE
    # After a full page, the list continues after its last gift; otherwise after the last one that was checked.
    onwards = rows[-1].position if full else found.goes_on
    if back:
        rows.reverse()
    first, last = (rows[0].position, rows[-1].position) if rows else (onwards, onwards)
    older, newer = (last, onwards) if back else (onwards, first)
    return GiftPage(
        listed(session, rows), older, newer if start is not None else None, None if full else found.until
    )  # fmt: skip


def _start(session: Session, campaign: Campaign, live: bool, number: int | None) -> Any:
    """The entry from which the list continues; None for its beginning, or if there is no such entry here."""
    if number is None:
        return None
    these = (entry.c.id == number, entry.c.campaign_id == campaign.id, entry.c.live == live)
    return session.execute(select(entry).where(*these)).one_or_none()


# --- By an index ------------------------------------------------------------------------------------------------------


@dataclass
class _Way:
    """How gifts are found: the rows of an index, their order after the fixed part, and what is left to check on each."""

    rows: list[Any]
    order: list[str]
    checks: list[ColumnElement[bool]] = field(default_factory=list)
    gift: Any = entry
    """The gift itself, if the rows are its refunds or disputes."""


def _by_index(session: Session, campaign: Campaign, live: bool, wanted: Wanted, start: Any, back: bool) -> _Found:
    way = _way(campaign, live, wanted)
    page = _page(way, start, back)
    if not way.checks:
        return _Found(session.execute(page).all())
    edge = session.execute(_edge(way, start, back)).one_or_none()
    if edge is None:
        return _Found([])
    rows = session.execute(page.where(_down_to(way, edge, back))).all()
    is_last = session.execute(_rest(way, edge, back)).first() is None
    return _Found(rows) if is_last else _Found(rows, edge.id, edge.at)


def _page(way: _Way, start: Any, back: bool) -> Select[Any]:
    found = select(way.gift, entry.c.id.label("position"))
    if way.gift is not entry:
        found = found.select_from(entry).join(way.gift, way.gift.c.key == entry.c.gift_key)
    return found.where(*_from(way, start, back), *way.checks).order_by(*_ordered(way, back)).limit(PAGE + 1)


def _edge(way: _Way, start: Any, back: bool) -> Select[Any]:
    """The last row that one page looks at."""
    columns = [entry.c[name] for name in way.order]
    rows = select(*columns).where(*_from(way, start, back)).order_by(*_ordered(way, back)).limit(LOOK)
    looked_at = rows.subquery("looked_at")
    return select(looked_at).order_by(*(_turned(looked_at.c[name], not back) for name in way.order)).limit(1)


def _rest(way: _Way, edge: Any, back: bool) -> Select[Any]:
    # Ordered, so that the database uses no other index.
    return select(entry.c.id).where(*way.rows, _beyond(way, edge, back)).order_by(*_ordered(way, back)).limit(1)


def _from(way: _Way, start: Any, back: bool) -> list[Any]:
    return way.rows + ([_beyond(way, start, back)] if start is not None else [])


def _beyond(way: _Way, row: Any, back: bool) -> ColumnElement[bool]:
    """What comes later in the list than a row; going back, what comes earlier."""
    these, there = _places(way, row)
    return these > there if back else these < there


def _down_to(way: _Way, row: Any, back: bool) -> ColumnElement[bool]:
    these, there = _places(way, row)
    return these <= there if back else these >= there


def _places(way: _Way, row: Any) -> tuple[Any, Any]:
    columns = [entry.c[name] for name in way.order]
    return tuple_(*columns), tuple_(*(literal(getattr(row, column.name), column.type) for column in columns))


def _ordered(way: _Way, back: bool) -> list[Any]:
    return [_turned(entry.c[name], back) for name in way.order]


def _turned(column: Any, ascending: bool) -> Any:
    return column.asc() if ascending else column.desc()


def _way(campaign: Campaign, live: bool, wanted: Wanted) -> _Way:
    """The index that narrows the search down most."""
    exact = wanted.least is not None and wanted.least == wanted.most
    held, order = IS_GIFT, ["month", "at", "id"]
    fixed: dict[str, Any] = {}
    known: dict[str, Any] = {"month": None}
    gift: Any = entry
    checks: list[ColumnElement[bool]] = []
    if wanted.largest_first and not exact:
        order, known = ["amount", *order], {"least": None, "most": None}
        # The index also has amounts in other currencies.
        checks = [entry.c.currency == campaign.currency]
    elif wanted.state in CAME_BACK:
        held, order, gift = CAME_OF_GIFT, ["belongs_to", "at", "id"], entry.alias("gift")
        fixed["kind"] = CAME_BACK[wanted.state]
        checks = _is_newest_of_its_gift(fixed["kind"])
    elif wanted.source:
        held, fixed["source"], known["source"] = CAME_FROM, wanted.source, ""
    elif exact:
        fixed["amount"], known["least"], known["most"] = wanted.least, None, None
        checks = [entry.c.currency == campaign.currency]
    elif wanted.kind in RARE:
        held, fixed["kind"], known["kind"] = IS_RARE, wanted.kind, ""
    if wanted.month and "month" in known:
        fixed[order.pop(0)] = str(wanted.month)
    rows = [_is(held), entry.c.campaign_id == campaign.id, entry.c.live == live]
    rows += [entry.c[name] == value for name, value in fixed.items()]
    if order[0] == "amount":
        rows += _between(entry, wanted)
    return _Way(rows, order, [*checks, *_checks(gift, campaign, replace(wanted, **known))], gift)


def _is(held: str) -> TextClause:
    """The condition of a partial index, in the same words, for a second row of the table in the same statement."""
    return text(re.sub(r"\b(gift_key|key|kind|source)\b", r"entry.\1", held))


def _is_newest_of_its_gift(kind: str) -> list[ColumnElement[bool]]:
    """Lists each gift once, at the place of its newest refund or dispute."""
    later = entry.alias("later")
    same = (later.c.gift_key == entry.c.gift_key, later.c.gift_key != later.c.key, later.c.kind == kind)
    return [~exists().where(*same, tuple_(later.c.at, later.c.id) > tuple_(entry.c.at, entry.c.id))]


def _checks(gift: Any, campaign: Campaign, wanted: Wanted) -> list[ColumnElement[bool]]:
    """What is left to be checked on each gift."""
    checks = [
        gift.c[name] == getattr(wanted, name) for name in ("kind", "tier", "source") if getattr(wanted, name)
    ]  # fmt: skip
    if wanted.month:
        checks.append(gift.c.month == str(wanted.month))
    if wanted.least is not None or wanted.most is not None:
        checks += [*_between(gift, wanted), gift.c.currency == campaign.currency]
    settled = settlement.c.entry_key == gift.c.key
    if wanted.state == "unsettled":
        checks += [gift.c.kind.in_(ONLINE), gift.c.key.not_like(f"{IMPORTED}%"), ~exists().where(settled)]
    elif wanted.state == "unpaid":
        checks.append(exists().where(settled, settlement.c.payout == ""))
    elif wanted.state:
        checks.append(_taken(gift, CAME_BACK[wanted.state]) < 0)
    return checks


def _taken(gift: Any, kind: str) -> Any:
    """What a gift's entries of a kind add up to: zero if the money came back, such as after a refund that failed."""
    came = entry.alias("came")
    these = (came.c.gift_key == gift.c.key, came.c.gift_key != came.c.key, came.c.kind == kind)
    return select(func.coalesce(func.sum(came.c.amount), 0)).where(*these).scalar_subquery()


def _between(gift: Any, wanted: Wanted) -> list[ColumnElement[bool]]:
    least = [gift.c.amount >= wanted.least] if wanted.least is not None else []
    return least + ([gift.c.amount <= wanted.most] if wanted.most is not None else [])


# --- By an id, or by a name -------------------------------------------------------------------------------------------


def _with_id(session: Session, campaign: Campaign, live: bool, words: str) -> Sequence[Any]:
    """The gifts that one of Stripe's ids stands for, whatever the other filters say."""
    these = (entry.c.key.in_(keys_of(session, words)), entry.c.campaign_id == campaign.id, entry.c.live == live)
    return session.execute(select(entry, entry.c.id.label("position")).where(*these).order_by(entry.c.id)).all()


def keys_of(session: Session, stripe_id: str) -> list[str]:
    """The keys of gifts that are known by an id: their own, a payment's, a refund's, or a balance transaction's."""
    if not (stripe_id.isascii() and stripe_id.isprintable()):
        return []
    settled = select(settlement.c.entry_key).where(settlement.c.key == stripe_id)
    own = session.scalars(select(entry.c.gift_key).where(or_(entry.c.key == stripe_id, entry.c.key.in_(settled))))
    known = session.scalars(select(alias.c.gift_key).where(alias.c.stripe_id == stripe_id))
    return sorted({*own, *known})


def _by_name(session: Session, campaign: Campaign, live: bool, wanted: Wanted, start: Any, back: bool) -> _Found:
    """Gifts with a name that contains these words, in any script: a number of names is read, and compared here."""
    read = [_names(session, campaign, live, shown, start, back) for shown in (True, False)]
    ends = [names[-1] for names in read if len(names) == NAMES]
    end = None
    if ends:
        # Whatever the other kind still has beyond it is for the next page.
        end = min(ends, key=_when) if back else max(ends, key=_when)
    sought = wanted.words.casefold()
    names = [one for some in read for one in some if sought in one.name.casefold() and not _is_beyond(one, end, back)]
    rows = _of_names(session, campaign, wanted, sorted(names, key=_when, reverse=not back))
    if end is None:
        return _Found(rows)
    return _Found(rows, session.scalar(select(entry.c.id).where(entry.c.key == end.gift_key)), end.at)


def _when(name: Any) -> tuple[datetime, str]:
    return name.at, name.gift_key


def _is_beyond(name: Any, end: Any, back: bool) -> bool:
    return end is not None and (_when(name) > _when(end) if back else _when(name) < _when(end))


def _names(session: Session, campaign: Campaign, live: bool, shown: bool, start: Any, back: bool) -> Sequence[Any]:
    columns = (supporter.c.at, supporter.c.gift_key)
    these = [supporter.c.campaign_id == campaign.id, supporter.c.live == live, supporter.c.shown == shown]
    if start is not None:
        there = tuple_(start.at, start.key)
        these.append(tuple_(*columns) > there if back else tuple_(*columns) < there)
    order = [_turned(column, back) for column in columns]
    return session.execute(select(*columns, supporter.c.name).where(*these).order_by(*order).limit(NAMES)).all()


def _of_names(session: Session, campaign: Campaign, wanted: Wanted, names: list[Any]) -> list[Any]:
    """The gifts with these names that match the other filters, in the same order, until a page is full."""
    checks, found = _checks(entry, campaign, wanted), []
    for start in range(0, len(names), PAGE):
        keys = [one.gift_key for one in names[start : start + PAGE]]
        these = select(entry, entry.c.id.label("position")).where(entry.c.key.in_(keys), *checks)
        rows = {row.key: row for row in session.execute(these)}
        found += [rows[key] for key in keys if key in rows]
        if len(found) > PAGE:
            break
    return found
