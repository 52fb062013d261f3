"""How often passwords and codes may be tried.

Each address has a limit, and so has each account, whether or not there is such an account: many addresses do not help
against one password. A stranger who uses up an account's tries must not lock its owner out, so a browser in which the
owner has signed in before has tries of its own, and a passkey is never refused.
"""

import hashlib
import hmac

from flask import current_app, session

from tracker.ledger.people import UserRow
from tracker.web.limits import may_go_on, seconds_left
from tracker.web.signin import log
from tracker.web.site import settings


def problem_with_password(email: str, user: UserRow | None) -> str:
    """Counts one more password for an account, and says why it is one too many; nothing when it may be looked at.

    `email` is what was typed; `user` is the account it names, if there is one.
    """
    known = _known(user)
    if not known and not may_go_on(settings().sign_in_limit, "sign-in"):
        log.refused("password", user)
        return _wait(seconds_left(settings().sign_in_limit, "sign-in"))
    # A new password begins a new count, so that whoever runs the server can let the owner in again.
    who = _who("password", email.strip().lower(), user.password if user else "", known)
    if not may_go_on(settings().account_limit, "account", who):
        log.refused("password", user)
        return _wait(seconds_left(settings().account_limit, "account", who))
    return ""


def problem_with_code(user: UserRow) -> str:
    """The same for a second factor that can be guessed: a code of an app, or a recovery code."""
    who = _who("code", str(user.id), user.password, _known(user))
    if not may_go_on(settings().account_limit, "account", who):
        log.refused("code", user)
        return _wait(seconds_left(settings().account_limit, "account", who))
    return ""


def is_first_use(challenge: str) -> bool:
    """Whether a passkey's answer to this challenge has not been used before; it is good for a minute anyway."""
    return may_go_on("1 per 5 minutes", "passkey", hashlib.sha256(challenge.encode()).hexdigest())


def _known(user: UserRow | None) -> str:
    """The mark of this browser, if the account has been signed in to in it before."""
    return str(session.get("browser", "")) if user is not None and user.id in session.get("known", ()) else ""


def _who(*what: str | None) -> str:
    """A name for a counter that tells nothing about whom it counts."""
    key = str(current_app.secret_key).encode()
    return hmac.new(key, "\0".join(part or "" for part in what).encode(), hashlib.sha256).hexdigest()[:32]


def _wait(seconds: int) -> str:
    minutes = max(1, -(-seconds // 60))
    time = f"{minutes} minute{'s' * (minutes > 1)}" if minutes < 120 else f"{-(-minutes // 60)} hours"
    return f"Too many attempts. Please try again in {time}."
