"""The one blueprint of the newsroom's own pages: whoever hangs a page here cannot forget the sign-in."""

from typing import Any

from flask import Blueprint
from flask_security import auth_required

from tracker.giving import bar_style
from tracker.ledger import campaigns
from tracker.ledger.store import reading
from tracker.web.site import settings

admin = Blueprint("admin", __name__, url_prefix="/admin")


@admin.before_request
@auth_required("session")
def signed_in() -> None:
    """Nothing here is for strangers. What else holds for every address under /admin is in signin/guard.py."""


@admin.context_processor
def for_templates() -> dict[str, Any]:
    with reading() as connection:
        every = campaigns.every(connection)
    return {
        "campaigns": every,
        "live": settings().live,
        "accent_in": bar_style.accent_in,
        "read_colour": bar_style.read_colour,
        "ink_on": bar_style.ink_on,
        "papers": bar_style.PAPER,
    }
