"""How often passwords and codes may be tried.

Each address has a limit, and so has each account, whether or not there is such an account: many addresses do not help
against one password. A stranger who uses up an account's tries must not lock its owner out, so a browser in which the
owner has signed in before has tries of its own, and a passkey is never refused.
"""

import hashlib
import hmac
from collections.abc import Iterator
from contextlib import contextmanager

from flask import current_app, session

from tracker.ledger.user_models import UserRow
from tracker.web.admin.signin import sign_in_log
from tracker.web.rate_limits import TooManyAttempts, check_limit
from tracker.web.site import settings


def count_password(email: str, user: UserRow | None) -> None:
    """Counts one more password for an account. Raises TooManyAttempts when it is one too many, and must not be looked at.

    `email` is what was typed; `user` is the account it names, if there is one.
    """
    known = _known(user)
    with _refusals_noted("password", user):
        if not known:
            check_limit(settings().sign_in_limit, "sign-in")
        # A new password begins a new count, so that whoever runs the server can let the owner in again.
        who = _who("password", email.strip().lower(), user.password if user else "", known)
        check_limit(settings().account_limit, "account", who)


def count_code(user: UserRow) -> None:
    """The same for a second factor that can be guessed: a code of an app, or a recovery code."""
    with _refusals_noted("code", user):
        check_limit(settings().account_limit, "account", _who("code", str(user.id), user.password, _known(user)))


@contextmanager
def _refusals_noted(by: str, user: UserRow | None) -> Iterator[None]:
    try:
        yield
    except TooManyAttempts:
        sign_in_log.refused(by, user)
        raise


def is_first_use(challenge: str) -> bool:
    """Whether a passkey's answer to this challenge has not been used before; it is good for a minute anyway."""
    try:
        check_limit("1 per 5 minutes", "passkey", hashlib.sha256(challenge.encode()).hexdigest())
    except TooManyAttempts:
        return False
    return True


def _known(user: UserRow | None) -> str:
    """The mark of this browser, if the account has been signed in to in it before."""
    return str(session.get("browser", "")) if user is not None and user.id in session.get("known", ()) else ""


def _who(*what: str | None) -> str:
    """A name for a counter that tells nothing about whom it counts."""
    key = str(current_app.secret_key).encode()
    return hmac.new(key, "\0".join(part or "" for part in what).encode(), hashlib.sha256).hexdigest()[:32]
