"""What Stripe is still to be asked for, kept in the database so that a crash forgets none of it.

An event tells that a gift was paid before it is known what the fee is, and later that it is known, without saying it. So
each gift and each refund is asked about until its fee has come: as soon as an event says that there is one, and otherwise
now and then by itself.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import bindparam, delete, select, update
from sqlalchemy.orm import Session

from tracker.giving.rollup import ONLINE
from tracker.ledger.models import entry, insert_unless_there, pending_fetch, settlement

# Most fees are told of within seconds; so long nobody asks by themselves.
PATIENCE = timedelta(minutes=1)
# How long until it is asked for again, after each time that nothing was there yet: two weeks in all.
AGAIN = tuple(timedelta(minutes=minutes) for minutes in (5, 30, 120, 720, 1440, 1440, 2880, 2880, 2880, 2880, 2880))

_SCHEDULE = insert_unless_there(pending_fetch)
_HURRY = (
    update(pending_fetch)
    .where(pending_fetch.c.key == bindparam("this"), pending_fetch.c.due_at > bindparam("now"))
    .values(due_at=bindparam("now"))
)


@dataclass(frozen=True)
class Fetch:
    """One of Stripe's objects that is to be asked for: a `session`, `invoice`, `refund`, `payout` or `subscription`."""

    kind: str
    key: str
    tries: int


def schedule(session: Session, kind: str, key: str, live: bool, due_at: datetime) -> None:
    """Has something asked for at that time, unless it is to be asked for already."""
    values = {"kind": kind, "key": key, "live": live, "due_at": due_at, "tries": 0}
    session.execute(_SCHEDULE, values)


def hurry(session: Session, keys: Iterable[str], now: datetime) -> None:
    """Has these asked for now: an event says that there is something new about them."""
    for key in keys:
        session.execute(_HURRY, {"this": key, "now": now})


def is_any_due(session: Session, live: bool, now: datetime) -> bool:
    """Whether there is something to ask for. Reads one row."""
    due = (pending_fetch.c.due_at <= now, pending_fetch.c.live == live)
    return session.scalar(select(pending_fetch.c.key).where(*due).limit(1)) is not None


def take_due(session: Session, live: bool, now: datetime, limit: int = 20) -> list[Fetch]:
    """What is to be asked for now, oldest first. Nobody else is given it meanwhile, and it comes again if nothing comes of it.

    What was asked for in vain for two weeks is given up: `tracker doctor` names entries without a fee, `tracker sync` finds it.
    """
    due = (pending_fetch.c.due_at <= now, pending_fetch.c.live == live)
    rows = session.execute(select(pending_fetch).where(*due).order_by(pending_fetch.c.due_at).limit(limit)).all()
    for row in rows:
        this = (pending_fetch.c.kind == row.kind, pending_fetch.c.key == row.key)
        if row.tries < len(AGAIN):
            later = {"due_at": now + AGAIN[row.tries], "tries": row.tries + 1}
            session.execute(update(pending_fetch).where(*this).values(**later))
        else:
            session.execute(delete(pending_fetch).where(*this))
    return [Fetch(row.kind, row.key, row.tries) for row in rows]


def done(session: Session, fetch: Fetch) -> None:
    """It has been answered, and need not be asked for again."""
    session.execute(delete(pending_fetch).where(pending_fetch.c.kind == fetch.kind, pending_fetch.c.key == fetch.key))


def is_settled(session: Session, fetch: Fetch) -> bool:
    """Whether the fee of everything that this was asked for is known: of each part of a gift, and of a refund that failed."""
    key = fetch.key
    asked_for = (entry.c.key == key) | (entry.c.key == f"{key}/failed")
    asked_for |= (entry.c.gift_key == key) & (entry.c.gift_key != entry.c.key) & entry.c.kind.in_(ONLINE)
    settled = select(settlement.c.key).where(settlement.c.entry_key == entry.c.key).exists()
    each = session.scalars(select(settled).select_from(entry).where(asked_for)).all()
    return bool(each) and all(each)
