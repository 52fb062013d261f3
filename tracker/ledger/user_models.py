"""The people who may sign in, what they may do, what they sign in with, and where they are signed in."""

from datetime import datetime
from typing import Any

from flask_security import RoleMixin, UserMixin, WebAuthnMixin
from sqlalchemy import JSON, BigInteger, Boolean, ForeignKey, Index, LargeBinary, String, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from tracker.ledger.models import ID, Moment, db

# A SHA-256, in hex.
HASH = String(64)


class RoleRow(db.Model, RoleMixin):
    """What a person at the newsroom may do."""

    __tablename__ = "role"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    name: Mapped[str] = mapped_column(String(80), unique=True)
    description: Mapped[str | None] = mapped_column(String(255))


class UserRow(db.Model, UserMixin):
    """A person at the newsroom who signs in. Nobody is there by default: `tracker admin create`.

    The names that begin with `fs_` and `tf_` are Flask-Security's.
    """

    __tablename__ = "user_account"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    password: Mapped[str | None] = mapped_column(String(255))
    active: Mapped[bool] = mapped_column(Boolean)
    fs_uniquifier: Mapped[str] = mapped_column(String(64), unique=True)
    """Changes with the password, which ends every session of the person."""
    created_at: Mapped[datetime] = mapped_column(Moment)
    roles: Mapped[list[RoleRow]] = relationship(secondary="user_role", lazy="selectin")

    tf_primary_method: Mapped[str | None] = mapped_column(String(20))
    """`authenticator` once an app has been set up."""
    tf_totp_secret: Mapped[str | None] = mapped_column(String(255))
    """The app's secret, encrypted with a key that is made from the instance's secret key."""
    totp_counter: Mapped[int | None] = mapped_column(BigInteger)
    """The half minute of the last code that was used: that code, and any older one, is good no more."""
    fs_webauthn_user_handle: Mapped[str | None] = mapped_column(String(64), index=True, unique=True)
    """What passkeys know the person by."""
    webauthn: Mapped[list["PasskeyRow"]] = relationship(order_by="PasskeyRow.id", cascade="all, delete-orphan")
    recovery_codes: Mapped[list["RecoveryCodeRow"]] = relationship(cascade="all, delete-orphan")


class UserRoleRow(db.Model):
    __tablename__ = "user_role"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    role_id: Mapped[int] = mapped_column(ForeignKey("role.id"), primary_key=True)


class PasskeyRow(db.Model, WebAuthnMixin):
    """A passkey: its public half. The columns are Flask-Security's."""

    __tablename__ = "passkey"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    name: Mapped[str] = mapped_column(String(64))
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, index=True, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int] = mapped_column(BigInteger)
    transports: Mapped[list[str] | None] = mapped_column(JSON)
    extensions: Mapped[str | None] = mapped_column(Text)
    device_type: Mapped[str] = mapped_column(String(20))
    backup_state: Mapped[bool] = mapped_column(Boolean)
    lastuse_datetime: Mapped[datetime] = mapped_column(Moment)
    usage: Mapped[str] = mapped_column(String(10))
    """`first`: it can sign in alone. `secondary`: only after the password."""

    def get_user_mapping(self) -> dict[str, Any]:
        return {"id": self.user_id}


class RecoveryCodeRow(db.Model):
    """A code for the day the phone is lost, as a hash: shown once, good once."""

    __tablename__ = "recovery_code"

    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), primary_key=True)
    code_hash: Mapped[str] = mapped_column(HASH, primary_key=True)


class SessionRow(db.Model):
    """One place where a person is signed in. Without its row a cookie opens nothing."""

    __tablename__ = "user_session"

    key_hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    """Of the random key in the browser's cookie."""
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    began_at: Mapped[datetime] = mapped_column(Moment)


class UnsentFormRow(db.Model):
    """A form that came in after its session had ended, kept until the same person has signed in again."""

    __tablename__ = "unsent_form"

    key_hash: Mapped[str] = mapped_column(HASH, primary_key=True)
    user_id: Mapped[int] = mapped_column(ForeignKey("user_account.id"), index=True)
    at: Mapped[datetime] = mapped_column(Moment)
    body: Mapped[bytes] = mapped_column(LargeBinary)
    """Encrypted with a key that only the browser's cookie has."""


class InvitationRow(db.Model):
    """A one-time link with which somebody creates their own account. Only a hash of the link is kept."""

    __tablename__ = "invitation"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    email: Mapped[str] = mapped_column(String(255), unique=True)
    role: Mapped[str] = mapped_column(String(10))
    key_hash: Mapped[str] = mapped_column(HASH, unique=True)
    expires_at: Mapped[datetime] = mapped_column(Moment)
    made_by: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))


class AuditRow(db.Model):
    """What somebody changed. The database itself refuses to change or delete a line (migration 0015)."""

    __tablename__ = "audit_line"
    __table_args__ = (Index("ix_audit_line_campaign_action", "campaign", "action"),)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    at: Mapped[datetime] = mapped_column(Moment, index=True)
    account_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    command: Mapped[str] = mapped_column(String(80))
    """Such as `tracker month close`, if it was a command."""
    login: Mapped[str] = mapped_column(String(80))
    """The user on the machine who ran the command."""
    action: Mapped[str] = mapped_column(String(40))
    campaign: Mapped[str] = mapped_column(String(60))
    about: Mapped[str] = mapped_column(String(255))
    """What was changed: a month, an entry, an account."""
    before: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    after: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
