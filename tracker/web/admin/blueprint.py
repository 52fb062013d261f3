"""The one blueprint of the editors' pages: it asks every page here for the sign-in and the role."""

from typing import Any

from flask import Blueprint, render_template, request
from flask.typing import ResponseReturnValue
from flask_security import auth_required, current_user

from tracker.giving import bar_style
from tracker.ledger.audit_log import Who
from tracker.web.admin.signin import roles
from tracker.web.site import settings

admin = Blueprint("admin", __name__, url_prefix="/admin")


@admin.before_request
@auth_required("session")
def signed_in() -> None:
    """Nothing here is for strangers. What else holds for every address under /admin is in signin/guard.py."""


@admin.before_request
def allowed() -> ResponseReturnValue | None:
    """What each role may do is in VIEWS (admin/__init__.py). A page that is not there is refused to everybody."""
    view = (request.endpoint or "").removeprefix("admin.")
    if roles.may(current_user, view):
        return None
    role, needed = roles.role_of(current_user), roles.needed_for(view)
    return render_template("admin/not_allowed.html", role=role, needed=needed), 403


def who() -> Who:
    """The person who is signed in, for the audit log."""
    return Who(account=current_user.id)


@admin.context_processor
def for_templates() -> dict[str, Any]:
    return {
        "signed_in": True,
        "may": lambda view: roles.may(current_user, view),
        "live": settings().live,
        "accent_in": bar_style.accent_in,
        "read_colour": bar_style.read_colour,
        "ink_on": bar_style.ink_on,
        "papers": bar_style.PAPER,
    }
