"""What owners and the server's administrator do with accounts: create, list, disable, enable, reset, give a role."""

from dataclasses import dataclass
from typing import Any

from flask import current_app
from flask_security import SQLAlchemyUserDatastore, hash_password
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.ledger import audit_log
from tracker.ledger.audit_log import Who
from tracker.ledger.models import db
from tracker.ledger.store import writing
from tracker.ledger.user_models import PasskeyRow, RoleRow, UserRow
from tracker.web.admin.signin import sessions
from tracker.web.admin.signin.passwords import problem_of
from tracker.web.admin.signin.roles import EDITOR, OWNER, READER, role_of
from tracker.web.site import now

people = SQLAlchemyUserDatastore(db, UserRow, RoleRow, PasskeyRow)

MAY = {
    READER: "Sees every figure, changes nothing",
    EDITOR: "Also changes campaigns, goals, drives and gifts",
    OWNER: "Also people, the audit log and personal data",
}


class LastOwner(ValueError):
    """Nobody would be left who may manage people."""


@dataclass(frozen=True)
class Account:
    """An account as the list shows it."""

    id: int
    email: str
    role: str
    active: bool
    app: bool
    passkeys: int
    recovery_codes: int
    sessions: int


def create_admin(email: str, password: str, role: str = "", by: Who | None = None) -> bool:
    """Makes an account, an owner's unless another role is named, or gives one that is there a new password, and the role
    if one is named. Says whether it is new.

    Raises ValueError with a sentence when the address or the password will not do. `by` is for the audit log; None where
    nobody in particular does it, as in the demo.
    """
    # What the sign-in will make of both is what must be kept.
    email = address_of(email)
    password = hash_of(password, email)
    with writing() as session:
        user = people.find_user(case_insensitive=True, email=email)
        if user is None:
            add_account(session, email, password, role or OWNER, by)
            return True
        user.password = password
        _sign_out(user)
        _note(session, by, "account.password_reset", user)
        if role:
            _give_role(session, user, role, by)
    return False


def add_account(session: Session, email: str, password_hash: str, role: str, by: Who | None) -> UserRow:
    """A new account, inside the caller's transaction."""
    user: UserRow = people.create_user(email=email, password=password_hash, roles=[_role(role)], created_at=now())
    session.flush()
    _note(session, by or Who(account=user.id), "account.made", user, after={"role": role})
    return user


def every() -> list[Account]:
    """Every account, in the order of their addresses."""
    return [account_of(user) for user in db.session.scalars(select(UserRow).order_by(UserRow.email))]


def set_active(email: str, *, active: bool, by: Who | None = None, keep_an_owner: bool = False) -> int:
    """Lets somebody in, or not any more; returns from how many browsers they were signed out.

    Raises ValueError with a sentence when there is no such account, or nothing to change, and LastOwner if asked to.
    """
    with writing() as session:
        user = _find(email)
        if user.active is active:
            raise ValueError(f"{user.email} is already {'enabled' if active else 'disabled'}.")
        if not active and keep_an_owner:
            _check_owner_is_left(session, user)
        ended = sessions.count(user, now())
        user.active = active
        _sign_out(user)
        _note(session, by, "account.enabled" if active else "account.disabled", user)
    return ended


def set_role(email: str, role: str, by: Who | None = None) -> str:
    """Gives somebody another role, and returns the one they had. Raises ValueError with a sentence."""
    with writing() as session:
        user = _find(email)
        before = role_of(user)
        _give_role(session, user, role, by)
    return before


def end_sessions(email: str, by: Who | None = None) -> int:
    """Signs somebody out everywhere; returns from how many browsers."""
    with writing() as session:
        user = _find(email)
        ended = sessions.count(user, now())
        _sign_out(user)
        _note(session, by, "account.sessions_ended", user)
    return ended


def reset(email: str, password: str, by: Who | None = None) -> Account:
    """Gives an account a new password and takes away its second factors, recovery codes and sessions.

    Returns what it had. Raises ValueError with a sentence when there is no such account or the password will not do.
    """
    kept = hash_of(password, _find(email).email)
    with writing() as session:
        user = _find(email)
        before = account_of(user)
        user.password = kept
        user.tf_primary_method = user.tf_totp_secret = user.totp_counter = None
        user.webauthn = []
        user.recovery_codes = []
        _sign_out(user)
        _note(session, by, "account.reset", user)
    return before


def account_of(user: UserRow) -> Account:
    return Account(
        user.id, user.email, role_of(user), user.active, bool(user.tf_totp_secret), len(user.webauthn),
        len(user.recovery_codes), sessions.count(user, now()),
    )  # fmt: skip


def _find(email: str) -> UserRow:
    user: UserRow | None = people.find_user(case_insensitive=True, email=address_of(email))
    if user is None:
        raise ValueError(f"There is no account for {email}: “tracker admin list” shows them all.")
    return user


def address_of(email: str) -> str:
    """An e-mail address as accounts have it. Raises ValueError with a sentence."""
    try:
        return str(current_app.extensions["security"].mail_util.normalize(email.strip())).lower()
    except ValueError:
        raise ValueError(f"“{email}” is not an e-mail address.") from None


def hash_of(password: str, email: str) -> str:
    """The hash of a new password. It takes its time, so it is made before anything is written. Raises ValueError."""
    password = current_app.extensions["security"].password_util.normalize(password)
    if problem := problem_of(password, email):
        raise ValueError(problem)
    return str(hash_password(password))


def _role(name: str) -> RoleRow:
    if name not in MAY:
        raise ValueError(f"“{name}” is not a role: choose {', '.join(MAY)}.")
    role: RoleRow = people.find_or_create_role(name, description=MAY[name])
    return role


def _give_role(session: Session, user: UserRow, role: str, by: Who | None) -> None:
    before, row = role_of(user), _role(role)
    if role != OWNER:
        _check_owner_is_left(session, user)
    user.roles = [row]
    _note(session, by, "account.role", user, before={"role": before}, after={"role": role})


def _check_owner_is_left(session: Session, without: UserRow) -> None:
    """Raises LastOwner unless somebody else, who can sign in, may still change people."""
    others = select(func.count()).select_from(UserRow).join(UserRow.roles)
    others = others.where(RoleRow.name == OWNER, UserRow.active, UserRow.id != without.id)
    if role_of(without) == OWNER and not session.scalar(others):
        raise LastOwner(f"{without.email} is the last owner: make somebody else an owner first.")


def _sign_out(user: UserRow) -> None:
    """Also whoever has typed the password and not yet the code."""
    people.set_uniquifier(user)
    sessions.end_all(user)


def _note(session: Session, by: Who | None, action: str, user: UserRow, **what: Any) -> None:
    if by is not None:
        session.flush()
        audit_log.note(session, by, now(), action, about=user.email, **what)
