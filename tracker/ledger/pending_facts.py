"""Facts whose gift or campaign is not known yet. They wait here, and are recorded as soon as it is."""

from collections.abc import Iterable
from dataclasses import asdict, fields
from datetime import datetime
from typing import Any

from sqlalchemy import Row, bindparam, delete, insert, select
from sqlalchemy.orm import Session

from tracker.giving.facts import BalanceTransaction, Gift, Reversal
from tracker.ledger.models import alias, waiting

# Under which name each kind of fact is stored: the names stay what they are when a class gets a better one.
STORED_AS: dict[type[Gift | Reversal | BalanceTransaction], str] = {
    Gift: "Gift", Reversal: "Taken", BalanceTransaction: "Settled",
}  # fmt: skip

_WAITING = select(waiting.c.key, waiting.c.fact)
_FOR = _WAITING.where(waiting.c.waits_for == bindparam("name"))
_FOR_GIFT = _WAITING.where(
    waiting.c.waits_for.in_(select(alias.c.stripe_id).where(alias.c.gift_key == bindparam("gift_key")))
)


def wait(session: Session, fact: Gift | Reversal | BalanceTransaction, waits_for: Iterable[str], now: datetime) -> None:
    """Keeps a fact until one of these is known: an id of its gift, `entry:KEY`, `campaign:SLUG` or a currency's rate."""
    # A dispute's movement and what it came to have the same key, and both can wait.
    key = f"{fact.key}/net" if isinstance(fact, BalanceTransaction) else fact.key
    for one in waits_for:
        there = select(waiting.c.key).where(waiting.c.key == key, waiting.c.waits_for == one)
        if session.scalar(there) is None:
            moments = {name: value.isoformat() for name, value in asdict(fact).items() if isinstance(value, datetime)}
            written = asdict(fact) | moments | {"is": STORED_AS[type(fact)]}
            session.execute(insert(waiting).values(key=key, waits_for=one, fact=written, received_at=now))


def for_gift(session: Session, gift_key: str) -> list[Gift | Reversal | BalanceTransaction]:
    """What has waited for a gift under any of its names, oldest first; it waits no longer."""
    return _taken_out(session, session.execute(_FOR_GIFT, {"gift_key": gift_key}).all())


def for_entry(session: Session, key: str) -> list[Gift | Reversal | BalanceTransaction]:
    """What has waited for an entry."""
    return _taken_out(session, session.execute(_FOR, {"name": f"entry:{key}"}).all())


def for_campaign(session: Session, slug: str) -> list[Gift | Reversal | BalanceTransaction]:
    """The gifts that came for a campaign before it was known here."""
    return _taken_out(session, session.execute(_FOR, {"name": f"campaign:{slug}"}).all())


def _taken_out(session: Session, rows: Iterable[Row[Any]]) -> list[Gift | Reversal | BalanceTransaction]:
    facts = {row.key: _read(row.fact) for row in rows}
    for key in facts:
        session.execute(delete(waiting).where(waiting.c.key == key))
    return [fact for _, fact in sorted(facts.items(), key=lambda one: (one[1].at, one[0]))]


def _read(written: dict[str, Any]) -> Gift | Reversal | BalanceTransaction:
    made: type[Gift | Reversal | BalanceTransaction] = {"Gift": Gift, "Taken": Reversal, "Settled": BalanceTransaction}[
        written["is"]
    ]
    # What an older version kept lacks what has been added since, which all has a default.
    values = {field.name: written[field.name] for field in fields(made) if field.name in written}
    for name in ("known_as", "gift_known_as", "of"):
        if name in values:
            values[name] = tuple(values[name])
    moments = {name: datetime.fromisoformat(values[name]) for name in ("at", "available_on") if name in values}
    return made(**values | moments)
