"""What the operator wants to know of the database's health: how safe its settings are, and what waits in it. It only reads."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from tracker.ledger.models import delivery, waiting
from tracker.ledger.user_models import UserRow


@dataclass(frozen=True)
class Kept:
    """One of the database's own settings, and the values with which nothing that was acknowledged is lost."""

    name: str
    value: str
    good: tuple[str, ...]

    @property
    def is_good(self) -> bool:
        return self.value in self.good


def settings(session: Session) -> list[Kept]:
    """The settings on which it depends whether a gift survives a power cut."""
    if session.get_bind().dialect.name == "sqlite":
        wanted = (("journal_mode", ("wal",)), ("synchronous", ("2", "3")), ("foreign_keys", ("1",)))
        return [Kept(name, str(session.scalar(text(f"PRAGMA {name}"))), good) for name, good in wanted]
    safe = ("on", "remote_apply", "remote_write", "local")
    wanted = (("synchronous_commit", safe), ("fsync", ("on",)), ("full_page_writes", ("on",)))
    return [Kept(name, str(session.scalar(text(f"SHOW {name}"))), good) for name, good in wanted]


def last_delivery(session: Session, live: bool) -> datetime | None:
    """When Stripe's last signed webhook came."""
    newest = select(delivery.c.received_at).where(delivery.c.live == live).order_by(delivery.c.received_at.desc())
    return session.scalar(newest.limit(1))


def came(session: Session, event_ids: Sequence[str]) -> set[str]:
    """Which of these events were delivered here."""
    found: set[str] = set()
    for start in range(0, len(event_ids), 500):
        some = event_ids[start : start + 500]
        found |= set(session.scalars(select(delivery.c.event_id).where(delivery.c.event_id.in_(some))))
    return found


def accounts(session: Session) -> int:
    """How many people may sign in."""
    user = UserRow.__table__
    return session.scalar(select(func.count()).select_from(user).where(user.c.active)) or 0


def versions(session: Session, live: bool, since: datetime) -> dict[str, int]:
    """In which API versions events have come since then, and how many in each."""
    rows = session.execute(
        select(delivery.c.api_version, func.count().label("number"))
        .where(delivery.c.live == live, delivery.c.received_at >= since)
        .group_by(delivery.c.api_version)
    )
    return {row.api_version: row.number for row in rows}


@dataclass(frozen=True)
class Waiting:
    """Facts whose gift or campaign is not in the book."""

    facts: int
    oldest: datetime | None
    deliveries: int
    """How many webhooks told of something that had to wait, whether or not it still does."""


def facts_waiting(session: Session) -> int:
    return session.scalar(select(func.count(waiting.c.key.distinct()))) or 0


def still_waiting(session: Session, live: bool) -> Waiting:
    oldest = session.scalar(select(waiting.c.received_at).order_by(waiting.c.received_at).limit(1))
    told = select(func.count()).select_from(delivery).where(delivery.c.outcome == "waiting", delivery.c.live == live)
    return Waiting(facts_waiting(session), oldest, session.scalar(told) or 0)
