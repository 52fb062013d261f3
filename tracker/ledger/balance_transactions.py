"""Fees and net, and which payout an entry is in: what an accountant ties to the bank. None of it moves the bar."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from sqlalchemy import delete, func, insert, select, update
from sqlalchemy.orm import Session

from tracker.giving.facts import BalanceTransaction, Payout
from tracker.giving.import_map import IMPORTED
from tracker.ledger import settled_totals, stripe_ids
from tracker.ledger.models import entry, payout_line, settlement


def record(session: Session, fact: BalanceTransaction) -> Literal["recorded", "known", "waiting"]:
    """Keeps what an entry came to; `waiting` when that entry is not in the book."""
    if session.scalar(select(settlement.c.key).where(settlement.c.key == fact.key)) is not None:
        return "known"
    entry_key = entry_of(session, fact)
    if entry_key is None:
        return "waiting"
    # The payout may have come first.
    line = session.execute(select(payout_line).where(payout_line.c.key == fact.key)).one_or_none()
    settled_totals.take_off(session, entry_key)
    session.execute(
        insert(settlement).values(
            key=fact.key, entry_key=entry_key, live=fact.live, amount=fact.amount, fee=fact.fee, net=fact.net,
            currency=fact.currency, rate=fact.rate, at=fact.at, available_on=fact.available_on,
            payout=line.payout if line else "", paid_out_on=line.paid_out_on if line else None,
        )
    )  # fmt: skip
    settled_totals.add_again(session, entry_key)
    if line:
        session.execute(delete(payout_line).where(payout_line.c.key == fact.key))
    return "recorded"


def waits_for(fact: BalanceTransaction) -> tuple[str, ...]:
    """What a balance transaction waits for while its entry is not in the book."""
    return fact.of if fact.kind == "gift" else (f"entry:{_entry_key(fact)}",)


def _entry_key(fact: BalanceTransaction) -> str:
    return f"{fact.of[0]}/failed" if fact.kind == "refund_failed" else fact.of[0]


def entry_of(session: Session, fact: BalanceTransaction) -> str | None:
    """The key of the entry that a balance transaction settles, if it is in the book."""
    if fact.kind != "gift":
        these = (entry.c.key == _entry_key(fact), entry.c.live == fact.live)
        return session.scalar(select(entry.c.key).where(*these))
    # What was imported is settled where it came from, or makes way once Stripe tells of the gift itself.
    known = stripe_ids.gifts_known_as(session, fact.of, fact.live)
    gift = next((one for one in known if not one.key.startswith(IMPORTED)), None)
    if gift is None:
        return None
    # An invoice that was paid in parts has an entry for each, of which this one may be any.
    parts = session.execute(
        select(entry.c.key, entry.c.told)
        .outerjoin(settlement, settlement.c.entry_key == entry.c.key)
        .where(entry.c.gift_key == gift.key, entry.c.kind == gift.kind, entry.c.key != gift.key)
        .where(settlement.c.key.is_(None))
        .order_by(entry.c.id)
    ).all()
    if parts and (gift.told != fact.amount or _is_settled(session, gift.key)):
        return next((part.key for part in parts if part.told == fact.amount), str(parts[0].key))
    return str(gift.key)


def _is_settled(session: Session, entry_key: str) -> bool:
    return session.scalar(select(settlement.c.key).where(settlement.c.entry_key == entry_key).limit(1)) is not None


def record_payout(session: Session, fact: Payout) -> Literal["recorded", "known"]:
    """Notes which balance transactions a payout holds; of those that are not known here yet, until they are."""
    changed = 0
    for some in batched(fact.settled):
        inside = settlement.c.key.in_(some)
        values = {"payout": fact.key, "paid_out_on": fact.arrives}
        these = [inside, settlement.c.payout != fact.key]
        settled_totals.move(session, these, values)
        changed += session.execute(update(settlement).where(*these).values(**values)).rowcount
        known = set(session.scalars(select(settlement.c.key).where(inside)))
        known |= set(session.scalars(select(payout_line.c.key).where(payout_line.c.key.in_(some))))
        lines = [{"key": key, "live": fact.live, **values} for key in some if key not in known]
        if lines:
            session.execute(insert(payout_line), lines)
    return "recorded" if changed else "known"


def batched(keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Some at a time: a payout may hold more of them than a statement may have parameters."""
    return (keys[start : start + 500] for start in range(0, len(keys), 500))


def forget_payout_lines(session: Session, before: datetime) -> int:
    """Drops what payouts held that never came here: somebody else's on the same account. Returns how many."""
    return session.execute(delete(payout_line).where(payout_line.c.paid_out_on < before)).rowcount


def without(session: Session, live: bool, before: datetime) -> tuple[int, datetime | None]:
    """How many entries that Stripe settles have no fee and net though they are older than that, and the oldest's time.

    Cheques, what was given back outside of Stripe, and what only evens out another entry never have one.
    """
    these = (
        entry.c.live == live, entry.c.at < before, entry.c.told != 0, entry.c.kind != "offline",
        entry.c.key.not_like("outside:%"), entry.c.key.not_like("import:%"), settlement.c.key.is_(None),
    )  # fmt: skip
    found = select(func.count(), func.min(entry.c.at)).select_from(
        entry.outerjoin(settlement, settlement.c.entry_key == entry.c.key)
    )
    number, oldest = session.execute(found.where(*these)).one()
    return int(number), oldest
