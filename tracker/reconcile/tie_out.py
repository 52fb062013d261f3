"""Ties the book to Stripe's balance and to the bank, month by month, to the cent. It only reads."""

from collections import defaultdict
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Select, case, func, select
from sqlalchemy.orm import Session

from tracker.giving.import_map import IMPORTED
from tracker.ledger import stripe_ids
from tracker.ledger.models import entry, settlement
from tracker.ledger.reversals import OUTSIDE

# How many lines are named behind a difference; all of them are counted.
LINES = 20


@dataclass(frozen=True)
class Payout:
    """What one payout holds of a month: the net of its settlements."""

    key: str
    arrives: datetime | None
    net: int


@dataclass(frozen=True)
class BalanceTransaction:
    """The settled entries of a month, in one currency of the account's balance."""

    currency: str
    ledger: int
    """What these entries were told as, in the month's currency."""
    gross: int
    fee: int
    net: int
    converted: bool
    """Then ledger and gross are in two currencies and cannot be held against each other."""
    payouts: tuple[Payout, ...]

    @property
    def difference(self) -> int:
        return 0 if self.converted else self.gross - self.ledger

    @property
    def not_paid_out(self) -> int:
        return self.net - sum(payout.net for payout in self.payouts)


@dataclass(frozen=True)
class Line:
    """An entry behind a difference: what it was told as, and what Stripe's balance has for it, if anything."""

    key: str
    told: int
    settled: int | None
    settled_in: str = ""
    """The currency of `settled`, where Stripe converted it."""


@dataclass(frozen=True)
class TiedMonth:
    """A month in one currency. `raised = settled + pending + offline + outside − beyond`, each as the book has it."""

    month: str
    currency: str
    raised: int
    offline: int
    outside: int
    """What was noted as given back outside of Stripe; negative."""
    beyond: int
    """What was paid or taken back besides the gifts: refunds larger than them, other items and tax on an invoice."""
    settled: tuple[BalanceTransaction, ...]
    pending: int
    pending_count: int
    pending_lines: tuple[Line, ...]
    unequal: tuple[Line, ...]
    """Settlements of another amount than their entry; where Stripe converted, of quite another share of the gift. None,
    unless something is wrong."""

    @property
    def difference(self) -> int:
        return sum(one.difference for one in self.settled)

    @property
    def ties(self) -> bool:
        """Whether the book and Stripe's balance agree, apart from what has not settled yet."""
        return not self.difference and not self.unequal


@dataclass
class _Lines:
    """What was found so far for one month and currency."""

    settled: list[BalanceTransaction] = field(default_factory=list)
    unequal: list[Line] = field(default_factory=list)
    pending: list[Line] = field(default_factory=list)


def tie_out(session: Session, since: str, live: bool) -> list[TiedMonth]:
    """Every month from `since` (2021-05) on, oldest first, by currency."""
    lines: dict[tuple[str, str], _Lines] = defaultdict(_Lines)
    payouts = _payouts(session, since, live)
    for row in session.execute(_settled(since, live)):
        converted = row.currency != row.settled_in
        lines[row.month, row.currency].settled.append(
            BalanceTransaction(
                row.settled_in, int(row.ledger), int(row.gross), int(row.fee), int(row.net), converted,
                tuple(payouts[row.month, row.currency, row.settled_in]),
            )
        )  # fmt: skip
    for row in session.execute(_unequal(since, live)):
        lines[row.month, row.currency].unequal.append(Line(row.key, row.told, int(row.amount)))
    for row in session.execute(_quite_another_share(since, live)):
        line = Line(row.key, row.told, int(row.amount), row.settled_in)
        lines[row.month, row.currency].unequal.append(line)
    for row in session.execute(_pending(since, live)):
        lines[row.month, row.currency].pending.append(Line(row.key, row.told, None))
    for found in lines.values():
        if found.unequal and found.pending:
            _add_up_what_was_paid_together(session, found, live)
    return [_tied(row, lines[row.month, row.currency]) for row in session.execute(_months(since, live))]


def _tied(row: Any, found: _Lines) -> TiedMonth:
    return TiedMonth(
        row.month, row.currency, int(row.raised), int(row.offline), int(row.outside), int(row.beyond), tuple(found.settled),
        sum(line.told for line in found.pending), len(found.pending), tuple(found.pending[:LINES]),
        tuple(found.unequal[:LINES]),
    )  # fmt: skip


def _add_up_what_was_paid_together(session: Session, found: _Lines, live: bool) -> None:
    """One payment that paid two invoices is settled once: what stands with the first is held against both."""
    pending = {line.key: line for line in found.pending}
    for line in list(found.unequal):
        gift = session.execute(select(entry).where(entry.c.key == line.key, entry.c.live == live)).one()
        others = [one.key for one in stripe_ids.paid_together(session, gift) if one.key in pending]
        together = line.told + sum(pending[key].told for key in others)
        if others and together == line.settled:
            found.unequal.remove(line)
            found.pending = [one for one in found.pending if one.key not in others]
            (settled,) = [one for one in found.settled if not one.converted]
            found.settled[found.settled.index(settled)] = replace(settled, ledger=settled.ledger + together - line.told)


def orphans(session: Session, live: bool) -> list[Line]:
    """Settlements whose entry is not in the book: none, unless somebody deleted it."""
    rows = session.execute(
        select(settlement.c.entry_key, settlement.c.amount)
        .outerjoin(entry, entry.c.key == settlement.c.entry_key)
        .where(entry.c.key.is_(None), settlement.c.live == live)
        .order_by(settlement.c.at)
    )
    return [Line(row.entry_key, 0, row.amount) for row in rows]


# --- Questions --------------------------------------------------------------------------------------------------------

# An entry has one settlement; should Stripe ever write two, they are added up before they meet it.
_SETTLEMENT = (
    select(
        settlement.c.entry_key, settlement.c.currency,
        *(func.sum(settlement.c[name]).label(name) for name in ("amount", "fee", "net")),
    )
    .group_by(settlement.c.entry_key, settlement.c.currency)
    .subquery()
)  # fmt: skip
_OF_ENTRY = _SETTLEMENT.c.entry_key == entry.c.key
_GROUP = (entry.c.month, entry.c.currency)
_IS_OUTSIDE = entry.c.key.startswith(OUTSIDE)
# Nor does this account's balance include imported gifts, as far as the ledger knows; what Stripe takes off one is in it.
_IS_IMPORTED = entry.c.key.startswith(IMPORTED)
# Rates move, but not by so much while a refund or a dispute is under way; a share that is off by more is another one.
MOST_OFF = 0.25


def _from(since: str, live: bool) -> tuple[Any, Any]:
    return entry.c.month >= since, entry.c.live == live


def _months(since: str, live: bool) -> Select[Any]:
    """An entry that only evens out another one was told as nothing, and so lies beyond as well."""
    is_offline = (entry.c.kind == "offline") | _IS_IMPORTED
    return (
        select(
            *_GROUP,
            func.sum(entry.c.amount).label("raised"),
            func.sum(case((is_offline, entry.c.amount), else_=0)).label("offline"),
            func.sum(case((_IS_OUTSIDE, entry.c.told), else_=0)).label("outside"),
            func.sum(case((is_offline, 0), else_=entry.c.told - entry.c.amount)).label("beyond"),
        )
        .where(*_from(since, live))
        .group_by(*_GROUP)
        .order_by(*_GROUP)
    )


def _settled(since: str, live: bool) -> Select[Any]:
    in_currency = _SETTLEMENT.c.currency.label("settled_in")
    return (
        select(
            *_GROUP,
            in_currency,
            func.sum(entry.c.told).label("ledger"),
            func.sum(_SETTLEMENT.c.amount).label("gross"),
            func.sum(_SETTLEMENT.c.fee).label("fee"),
            func.sum(_SETTLEMENT.c.net).label("net"),
        )
        .join(_SETTLEMENT, _OF_ENTRY)
        .where(*_from(since, live))
        .group_by(*_GROUP, _SETTLEMENT.c.currency)
        .order_by(*_GROUP, _SETTLEMENT.c.currency)
    )


def _payouts(session: Session, since: str, live: bool) -> dict[tuple[str, str, str], list[Payout]]:
    found: dict[tuple[str, str, str], list[Payout]] = defaultdict(list)
    group = (*_GROUP, settlement.c.currency, settlement.c.payout, settlement.c.paid_out_on)
    rows = session.execute(
        select(*_GROUP, settlement.c.currency.label("settled_in"), *group[3:], func.sum(settlement.c.net).label("net"))
        .join(settlement, settlement.c.entry_key == entry.c.key)
        .where(*_from(since, live), settlement.c.payout != "")
        .group_by(*group)
        .order_by(settlement.c.paid_out_on, settlement.c.payout)
    )
    for row in rows:
        found[row.month, row.currency, row.settled_in].append(Payout(row.payout, row.paid_out_on, int(row.net)))
    return found


def _unequal(since: str, live: bool) -> Select[Any]:
    differ = (_SETTLEMENT.c.currency == entry.c.currency) & (_SETTLEMENT.c.amount != entry.c.told)
    return (
        select(*_GROUP, entry.c.key, entry.c.told, _SETTLEMENT.c.amount)
        .join(_SETTLEMENT, _OF_ENTRY)
        .where(*_from(since, live), differ)
        .order_by(entry.c.id)
    )


def _quite_another_share(since: str, live: bool) -> Select[Any]:
    """Refunds and disputes that Stripe converted, and that came to quite another share of what their gift came to."""
    gift, of_gift = entry.alias("gift"), _SETTLEMENT.alias("of_gift")
    should_be = of_gift.c.amount * entry.c.told * 1.0 / gift.c.told
    return (
        select(*_GROUP, entry.c.key, entry.c.told, _SETTLEMENT.c.amount, _SETTLEMENT.c.currency.label("settled_in"))
        .join(_SETTLEMENT, _OF_ENTRY)
        .join(gift, gift.c.key == entry.c.gift_key)
        .join(of_gift, (of_gift.c.entry_key == gift.c.key) & (of_gift.c.currency == _SETTLEMENT.c.currency))
        .where(*_from(since, live), entry.c.key != entry.c.gift_key, entry.c.currency != _SETTLEMENT.c.currency)
        .where(gift.c.told != 0, func.abs(_SETTLEMENT.c.amount - should_be) > func.abs(should_be) * MOST_OFF + 1)
        .order_by(entry.c.id)
    )


def _pending(since: str, live: bool) -> Select[Any]:
    """No settlement yet; cheques, what was given back by hand and what only evens out another entry never have one."""
    # Paid outside of Stripe and taken off again by hand: nothing of it will ever be settled.
    back = entry.alias("back")
    undone = (
        select(func.sum(back.c.told))
        .where(back.c.gift_key == entry.c.key, back.c.gift_key != back.c.key, back.c.key.startswith(OUTSIDE))
        .scalar_subquery()
    )
    return (
        select(*_GROUP, entry.c.key, entry.c.told)
        .outerjoin(settlement, settlement.c.entry_key == entry.c.key)
        .where(*_from(since, live), settlement.c.key.is_(None), entry.c.kind != "offline", entry.c.told != 0)
        .where(~_IS_OUTSIDE, ~_IS_IMPORTED, func.coalesce(undone, 0) != -entry.c.told)
        .order_by(entry.c.id)
    )
