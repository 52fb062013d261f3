"""What signing in leaves in the log. These lines alone carry the caller's address: that is what they are for.

They name an account by its number, never by its e-mail address. docs/accounts.md has a fail2ban filter that reads them.
"""

import structlog
from flask import request

from tracker.ledger.user_models import UserRow

log = structlog.get_logger()


def failed(by: str, user: UserRow | None) -> None:
    """A wrong password, code, recovery code or passkey; `user` is None where there is no such account."""
    log.warning("sign_in.failed", address=request.remote_addr, by=by, account=user.id if user else None)


def refused(by: str, user: UserRow | None) -> None:
    """One more try than the limits allow: it was not even looked at."""
    log.warning("sign_in.refused", address=request.remote_addr, by=by, account=user.id if user else None)


def good(by: str, user: UserRow) -> None:
    log.info("sign_in.good", address=request.remote_addr, by=by, account=user.id)


def account(what: str, user: UserRow) -> None:
    """Something else that a person did to their own account, such as `signed_out` or `password_changed`."""
    log.info(f"account.{what}", address=request.remote_addr, account=user.id)
