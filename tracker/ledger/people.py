"""The people who may sign in, and what they may do."""

from datetime import datetime

from flask_security import RoleMixin, UserMixin
from sqlalchemy import Boolean, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.ledger.models import ID, Moment, db


class RoleRow(db.Model, RoleMixin):
    """What a person at the newsroom may do."""

    __tablename__ = "role"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str | None] = mapped_column(String(255))


class UserRow(db.Model, UserMixin):
    """A person at the newsroom who signs in. Nobody is there by default: `tracker admin create`."""

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    """Changes with the password, which ends every session of the person."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    roles: Mapped[list[RoleRow]] = relationship(secondary="user_role", lazy="selectin")


class UserRoleRow(db.Model):
    __tablename__ = "user_role"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id"), primary_key=True)
