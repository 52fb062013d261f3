"""What is dangerous asks once more who it is, unless that was said a few minutes ago.

Today these are: one's own second factor, passkeys and recovery codes; taking a gift back, and recording money as given
back or reversing that; closing and reopening a month; files of entries; and settings that stop giving. A new page of that
kind takes `fresh_required`.
"""

from collections.abc import Callable
from contextlib import suppress
from datetime import timedelta
from functools import wraps
from typing import Any
from urllib.parse import urlsplit

from flask import current_app, flash, g, redirect, request, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_security import check_and_update_authn_fresh, url_for_security

from tracker.web.admin.signin import unsent

# After signing in or confirming who one is.
FRESH = timedelta(minutes=15)
# Whoever began within that time may finish.
GRACE = timedelta(minutes=5)

View = Callable[..., Any]


def is_fresh() -> bool:
    """Whether the person who is signed in has said who they are within the last minutes."""
    return bool(check_and_update_authn_fresh(FRESH, GRACE, "session"))


def fresh_required(view: View) -> View:
    """A page that asks first who it is. What was typed into a form is kept meanwhile.

    It goes beneath the route, on pages for people who are signed in.
    """

    @wraps(view)
    def fresh(*arguments: Any, **named: Any) -> Any:
        return view(*arguments, **named) if is_fresh() else ask_again()

    return fresh


def ask_again(*_within: timedelta) -> ResponseReturnValue:
    """To the page that asks for the password or a passkey, and from there back to where one was."""
    return redirect(url_for_security("verify", next=_back()), 303)


def _back() -> str:
    if request.method == "POST":
        return url_for("admin.unsent_forms") if unsent.keep() else _came_from()
    rule = request.url_rule
    # A file would arrive while the page that asks is still open: back to the page that leads to it.
    return _came_from() if rule is not None and rule.endpoint in FILES else here()


# Answers that browsers save and do not show.
FILES = {f"admin.{name}" for name in ("entries", "every_month", "journal", "donors")}


def here() -> str:
    """This page's address, without the host that anybody may claim."""
    return request.full_path.rstrip("?")


def _came_from() -> str:
    """The page of ours that led here."""
    with suppress(ValueError):  # no address at all, such as “http://[”
        parts = urlsplit(request.headers.get("Referer", ""))
        if parts.netloc == request.host and parts.path.startswith("/admin/"):
            return parts.path
    return str(current_app.config["SECURITY_POST_LOGIN_VIEW"])


def ask_to_sign_in(*_given: Any, **_named: Any) -> ResponseReturnValue:
    """To the sign-in page, and from there back; what somebody had written is kept for them."""
    there, words = here(), _("Your session has ended. Please sign in again.") if g.get("session_ended") else ""
    if request.method == "POST":
        there = _came_from()
        if unsent.keep():
            there = url_for("admin.unsent_forms")
            words = _("Your session has ended. What you wrote is kept: you can send it as soon as you have signed in.")
    if words:
        flash(words, "info")
    return redirect(url_for_security("login", next=there))
