"""Notices: who wants which, where they go, and each one that was sent or is still to be."""

from datetime import datetime
from typing import Any

from sqlalchemy import JSON, Boolean, ForeignKey, Index, Integer, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from tracker.ledger.models import ID, Moment, db

READER = String(40)
"""`webhook`, or `mail:` and the number of an account."""


class NoticeRow(db.Model):
    """A notice for one reader. The unique key keeps it from going out twice, whoever finds that it is due."""

    __tablename__ = "notice"
    __table_args__ = (
        UniqueConstraint("live", "kind", "campaign", "about", "reader"),
        Index("ix_notice_due_at", "state", "due_at"),
        Index("ix_notice_made_at", "made_at"),
    )

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    kind: Mapped[str] = mapped_column(String(20))
    campaign: Mapped[str] = mapped_column(String(60))
    """Its slug; empty for what is about the whole installation."""
    about: Mapped[str] = mapped_column(String(255))
    reader: Mapped[str] = mapped_column(READER)
    facts: Mapped[dict[str, Any]] = mapped_column(JSON)
    made_at: Mapped[datetime] = mapped_column(Moment)
    due_at: Mapped[datetime] = mapped_column(Moment)
    """When it is sent, or tried again. Whoever takes it moves this on first, so that nobody else takes it meanwhile."""
    tries: Mapped[int] = mapped_column(Integer)
    state: Mapped[str] = mapped_column(String(10))
    """`due`, `sent`, `failed` for good, or `ended` by its reader before it was sent."""
    ended_at: Mapped[datetime | None] = mapped_column(Moment)
    reason: Mapped[str] = mapped_column(String(20))
    """Why the last try failed, as one of our own words; empty while none has."""
    detail: Mapped[str] = mapped_column(String(300))
    """What the other server said to that."""


class NoticeChoiceRow(db.Model):
    """A kind of notice that a reader wants. Without a row, they do not get it."""

    __tablename__ = "notice_choice"

    reader: Mapped[str] = mapped_column(READER, primary_key=True)
    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    since: Mapped[datetime] = mapped_column(Moment)


class NoticeAddressRow(db.Model):
    """An account's e-mail address, confirmed with a link that was sent to it. Another address has to be confirmed again."""

    __tablename__ = "notice_address"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    email: Mapped[str] = mapped_column(String(255))
    confirmed_at: Mapped[datetime] = mapped_column(Moment)


class NoticeTurnRow(db.Model):
    """When one of all processes last looked whether anything is due."""

    __tablename__ = "notice_turn"

    name: Mapped[str] = mapped_column(String(20), primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment)


notice = NoticeRow.__table__
choice = NoticeChoiceRow.__table__
address = NoticeAddressRow.__table__
turn = NoticeTurnRow.__table__
