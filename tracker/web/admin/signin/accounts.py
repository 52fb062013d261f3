"""What whoever runs the server does with accounts: make, list, disable, enable, reset."""

from dataclasses import dataclass
from datetime import UTC, datetime

from flask import current_app
from flask_security import SQLAlchemyUserDatastore, hash_password
from sqlalchemy import select

from tracker.ledger.models import db
from tracker.ledger.user_models import PasskeyRow, RoleRow, UserRow
from tracker.web.admin.signin import sessions
from tracker.web.admin.signin.passwords import problem_of

ADMIN = "admin"

people = SQLAlchemyUserDatastore(db, UserRow, RoleRow, PasskeyRow)


@dataclass(frozen=True)
class Account:
    """An account as the list shows it."""

    id: int
    email: str
    active: bool
    app: bool
    passkeys: int
    recovery_codes: int
    sessions: int


def create_admin(email: str, password: str) -> bool:
    """Makes an account, or gives one that is there a new password; says whether it is new.

    Raises ValueError with a sentence when the address or the password will not do.
    """
    # What the sign-in will make of both is what must be kept.
    email = _address(email)
    password = _password(password, email)
    role = people.find_or_create_role(ADMIN, description="May see and change everything")
    user = people.find_user(case_insensitive=True, email=email)
    if user is None:
        people.create_user(email=email, password=password, roles=[role], created_at=datetime.now(UTC))
    else:
        user.password = password
        _sign_out(user)
    people.commit()
    return user is None


def every() -> list[Account]:
    """Every account, in the order of their addresses."""
    moment = datetime.now(UTC)
    return [_account(user, moment) for user in db.session.scalars(select(UserRow).order_by(UserRow.email))]


def set_active(email: str, *, active: bool) -> int:
    """Lets somebody in, or not any more; returns from how many browsers they were signed out.

    Raises ValueError with a sentence when there is no such account, or nothing to change.
    """
    user = _find(email)
    if user.active is active:
        raise ValueError(f"{user.email} is already {'enabled' if active else 'disabled'}.")
    ended = sessions.count(user, datetime.now(UTC))
    user.active = active
    _sign_out(user)
    people.commit()
    return ended


def reset(email: str, password: str) -> Account:
    """Gives an account a new password and takes away its second factors, recovery codes and sessions.

    Returns what it had. Raises ValueError with a sentence when there is no such account or the password will not do.
    """
    user = _find(email)
    kept = _password(password, user.email)
    before = _account(user, datetime.now(UTC))
    user.password = kept
    user.tf_primary_method = user.tf_totp_secret = user.totp_counter = None
    user.webauthn = []
    user.recovery_codes = []
    _sign_out(user)
    people.commit()
    return before


def _account(user: UserRow, moment: datetime) -> Account:
    return Account(
        user.id, user.email, user.active, bool(user.tf_totp_secret), len(user.webauthn), len(user.recovery_codes),
        sessions.count(user, moment),
    )  # fmt: skip


def _find(email: str) -> UserRow:
    user: UserRow | None = people.find_user(case_insensitive=True, email=_address(email))
    if user is None:
        raise ValueError(f"There is no account for {email}: “tracker admin list” shows them all.")
    return user


def _address(email: str) -> str:
    try:
        return str(current_app.extensions["security"].mail_util.normalize(email.strip())).lower()
    except ValueError:
        raise ValueError(f"“{email}” is not an e-mail address.") from None


def _password(password: str, email: str) -> str:
    """The hash of a new password."""
    password = current_app.extensions["security"].password_util.normalize(password)
    if problem := problem_of(password, email):
        raise ValueError(problem)
    return str(hash_password(password))


def _sign_out(user: UserRow) -> None:
    """Also whoever has typed the password and not yet the code."""
    people.set_uniquifier(user)
    sessions.end_all(user)
