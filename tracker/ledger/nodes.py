"""The processes that serve, one row each: who they are, and what each noticed that the operator should know."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import JSON, BigInteger, Boolean, String, delete, insert, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tracker.ledger.models import Moment, db

KEEP = timedelta(days=7)
# A process that starts again and again leaves a row each time; so many are kept.
MOST = 200


class NodeRow(db.Model):
    """A process that serves, on whichever machine. No copy needs it."""

    __tablename__ = "node"

    id: Mapped[str] = mapped_column(String(32), primary_key=True)
    host: Mapped[str] = mapped_column(String(255))
    pid: Mapped[int] = mapped_column(BigInteger)
    version: Mapped[str] = mapped_column(String(40))
    key_mark: Mapped[str] = mapped_column(String(16))
    """The same on all nodes that have the same secret key."""
    limits: Mapped[str] = mapped_column(String(40))
    """Where it counts rate limits: `memory`, `redis`."""
    started_at: Mapped[datetime] = mapped_column(Moment)
    seen_at: Mapped[datetime] = mapped_column(Moment)
    ended: Mapped[bool] = mapped_column(Boolean)
    noted: Mapped[dict[str, Any]] = mapped_column(JSON)
    """How requests came through proxies and were answered, and why deliveries were refused: numbers and times, nothing about
    who."""


node = NodeRow.__table__


@dataclass(frozen=True)
class Node:
    """One process. `noted` is what it noticed since it started, as it stands in the table."""

    id: str
    host: str
    pid: int
    version: str
    key_mark: str
    limits: str
    started_at: datetime
    seen_at: datetime
    ended: bool
    noted: dict[str, Any]


def write(session: Session, row: Node) -> None:
    """Writes a process's row, or writes it anew."""
    values = {name: getattr(row, name) for name in Node.__dataclass_fields__}
    if not session.execute(update(node).where(node.c.id == row.id).values(**values)).rowcount:
        session.execute(insert(node).values(**values))
        _forget(session, row.seen_at)


def _forget(session: Session, now: datetime) -> None:
    newest = select(node.c.id).order_by(node.c.seen_at.desc()).limit(MOST)
    session.execute(delete(node).where((node.c.seen_at < now - KEEP) | node.c.id.not_in(newest)))


def every(session: Session, since: datetime) -> list[Node]:
    """The processes that were seen since then, the newest first."""
    rows = session.execute(select(node).where(node.c.seen_at >= since).order_by(node.c.seen_at.desc()))
    return [Node(**row._mapping) for row in rows]


def forget_all(session: Session) -> None:
    """What a copy brings of processes is of another place."""
    session.execute(delete(node))
