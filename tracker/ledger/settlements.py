"""Fees and net, and which payout an entry is in: what an accountant ties to the bank. None of it moves the bar."""

from collections.abc import Iterator
from typing import Literal

from sqlalchemy import Connection, insert, select, update

from tracker.giving.facts import PaidOut, Settled
from tracker.ledger.models import alias, entry, settlement


def record(connection: Connection, fact: Settled | PaidOut) -> Literal["recorded", "known", "waiting"]:
    """Keeps what an entry came to, or which payout it is in; `waiting` when that entry is not in the book."""
    if isinstance(fact, PaidOut):
        return _record_payout(connection, fact)
    if connection.scalar(select(settlement.c.key).where(settlement.c.key == fact.key)) is not None:
        return "known"
    entry_key = entry_of(connection, fact)
    if entry_key is None:
        return "waiting"
    connection.execute(
        insert(settlement).values(
            key=fact.key, entry_key=entry_key, live=fact.live, amount=fact.amount, fee=fact.fee, net=fact.net,
            currency=fact.currency, rate=fact.rate, at=fact.at, available_on=fact.available_on, payout="",
        )
    )  # fmt: skip
    return "recorded"


def _record_payout(connection: Connection, fact: PaidOut) -> Literal["recorded", "known"]:
    changed = 0
    for some in batched(fact.settled):
        inside = settlement.c.key.in_(some) & (settlement.c.payout != fact.key)
        changed += connection.execute(
            update(settlement).where(inside).values(payout=fact.key, paid_out_on=fact.arrives)
        ).rowcount
    return "recorded" if changed else "known"


def batched(keys: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
    """Some at a time: a payout may hold more of them than a statement may have parameters."""
    return (keys[start : start + 500] for start in range(0, len(keys), 500))


def entry_of(connection: Connection, fact: Settled) -> str | None:
    """The key of the entry that a balance transaction settles, if it is in the book."""
    match fact.kind:
        case "gift":
            wanted = select(alias.c.gift_key).where(alias.c.stripe_id.in_(fact.of))
            return connection.scalar(
                select(entry.c.key).where(entry.c.key.in_(wanted), entry.c.live == fact.live).limit(1)
            )
        case "refund":
            key = fact.of[0]
        case "refund_failed":
            key = f"{fact.of[0]}/failed"
        case "dispute":
            key = fact.key
    return connection.scalar(select(entry.c.key).where(entry.c.key == key, entry.c.live == fact.live))


def is_known(connection: Connection, stripe_ids: tuple[str, ...]) -> bool:
    """Whether one of these ids is another name of a gift in the book."""
    return connection.scalar(select(alias.c.stripe_id).where(alias.c.stripe_id.in_(stripe_ids)).limit(1)) is not None
