"""How a supporter ends or changes a regular gift alone: at Stripe, whose mail shows that it is really they who ask."""

from flask import Blueprint, render_template, request

from tracker.giving.prefill import read_prefill
from tracker.web.donate.supporter_page import campaign_of, page_address
from tracker.web.site import settings

bp = Blueprint("manage", __name__)


@bp.get("/c/<slug>/manage")
def page(slug: str) -> str:
    """Leads to the login page of Stripe's customer portal, or says whom to write to.

    Nothing here takes an e-mail address or the id of a customer: whoever guessed one could end somebody else's gift.
    """
    campaign = campaign_of(slug)
    return render_template(
        "donate/manage.html", campaign=campaign, portal=settings().portal_login,
        page=page_address(campaign, read_prefill({"lang": request.args.get("lang", "")}, campaign)),
    )  # fmt: skip
