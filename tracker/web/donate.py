"""The supporter's page: the goal, the bar, the amounts, one form, and the thanks."""

import re
import secrets
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from markupsafe import Markup, escape
from werkzeug.datastructures import MultiDict

from tracker.gateway.checkout import CheckoutUnavailable, Order
from tracker.giving.bar import Bar
from tracker.giving.campaign import Campaign
from tracker.giving.looks import read_source
from tracker.ledger import campaigns, results, supporters
from tracker.ledger.results import MonthResult
from tracker.ledger.store import reading
from tracker.ledger.visits import CLICK
from tracker.web import story
from tracker.web.bars import bars
from tracker.web.forms import GiveForm, came_from_our_page
from tracker.web.gates import leave_gate
from tracker.web.headers import allow, form_may_reach, policy_so_far
from tracker.web.limits import may_go_on
from tracker.web.oembed import wishes
from tracker.web.site import bar_of, campaign_or_404, gateway, now, settings, with_source, without_slash
from tracker.web.visits import visits

bp = Blueprint("donate", __name__)

# How often the page of thanks asks again by itself: most gifts are here at the first or second look.
LOOKS = 12


@dataclass(frozen=True)
class OneReaders:
    """What stands on the page for one reader alone, ready for it: the hidden fields, and what the address asks of a bar."""

    hidden: Markup
    wishes: Markup


# Stands there in a page that is kept. Nobody can write it into one.
_NOBODYS = OneReaders(escape(secrets.token_hex(16)), escape(secrets.token_hex(16)))


@dataclass(frozen=True)
class Contents:
    """What the page shows of the ledger, the same to everybody."""

    campaign: Campaign
    bar: Bar
    past: list[MonthResult]
    supporters: list[Any]
    pages: dict[tuple[str, ...], tuple[str, dict[str, str]]] = field(default_factory=dict)
    """What was made of it, and the policy that goes with that, by what is chosen before anybody chooses."""


def _contents(slug: str) -> Contents:
    """Read when something was written, and not for every supporter; 404 where there is no such campaign."""
    return bars().until_written(("page", slug), lambda: _read(slug, now()))


def _read(slug: str, moment: datetime) -> Contents:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        bar = bar_of(connection, campaign, moment)
        every = results.results(connection, campaign, settings().live, moment)
        names = supporters.shown(connection, campaign, settings().live, limit=12)
    return Contents(campaign, bar, [one for one in every if one.month != bar.month][:6], names)


@bp.get("/")
def front() -> Response | str:
    """The only campaign's page, or the list of all."""
    moment = now()
    with reading() as connection:
        every = campaigns.every(connection)
        found = [bar_of(connection, campaign, moment) for campaign in every]
    if len(every) == 1:
        return page(every[0].slug)
    return render_template("donate/front.html", bars=found)


@bp.get("/go/<slug>")
def go(slug: str) -> Response:
    """From the bar's button to the page, with the article it came from. Counts the click, and nothing about who."""
    campaign = campaign_or_404(slug)
    # A browser that only prepares for a click that may never come says so.
    if request.method == "GET" and "prefetch" not in request.headers.get("Sec-Purpose", ""):
        came = read_source(request.args)
        visits().counter(campaign.slug, CLICK, came["src"], came["pos"]).one_more()
    response = redirect(with_source(url_for("donate.page", slug=campaign.slug)), 303)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


@bp.get("/c/<slug>")
def page(slug: str) -> Response:
    contents = _contents(slug)
    form = GiveForm(contents.campaign, data=_beginning(contents.campaign))
    # The rest is the same to everybody who begins with the same amounts.
    chosen = form.frequency.data, form.tier_once.data, form.tier_month.data
    if chosen not in contents.pages:
        contents.pages[chosen] = _html(contents, form, _NOBODYS), policy_so_far()
    html, policy = contents.pages[chosen]
    allow(policy)
    own = _own(form)
    return _answer(html.replace(_NOBODYS.hidden, own.hidden).replace(_NOBODYS.wishes, own.wishes))


@bp.get("/c/<slug>/")
def page_with_slash(slug: str) -> Response:
    return without_slash("donate.page", slug)


def _beginning(campaign: Campaign) -> dict[str, Any]:
    """What is chosen before anybody chooses; a link may say another: `?frequency=month&amount=2000`."""
    asked = request.args.get("frequency")
    frequency = asked if asked in ("once", "month") and campaign.tiers(asked) else "once" if campaign.once else "month"
    amounts = {one: campaign.preselected(one) for one in ("once", "month")}
    wanted = request.args.get("amount", "")
    if wanted.isascii() and wanted.isdigit() and len(wanted) < 13 and int(wanted) in campaign.tiers(frequency):
        amounts[frequency] = int(wanted)
    return {
        "frequency": frequency,
        "tier_once": str(amounts["once"] or ""),
        "tier_month": str(amounts["month"] or ""),
    } | read_source(request.args)


@bp.post("/c/<slug>/give")
def give(slug: str) -> Response:
    """The form: 303 to Stripe; 422 with the same page when something is wrong; 429 or 503 with a way to try again.

    Writes nothing: until money has moved, Stripe alone holds the half-finished gift.
    """
    moment = now()
    if not came_from_our_page(settings().public_url):
        abort(403)
    campaign = bars().until_written(("campaign", slug), lambda: campaign_or_404(slug))
    form = GiveForm(campaign, request.form)
    if not campaign.takes_gifts:
        return _show(_contents(slug), form, 422)
    if not form.validate() or form.choice is None or form.shown is None:
        return _show(_contents(slug), _shown_again(form), 422)
    stripe = gateway()
    if stripe is None:
        return _trouble(slug, form, 503, "Giving is not set up here yet. Please come back later.")
    came = read_source(request.form)
    order = Order(
        campaign,
        form.choice,
        form.shown.nonce,
        form.shown.at,
        source=came["src"],
        place=came["pos"],
        name=(form.name.data or "").strip(),
        message=(form.message.data or "").strip(),
    )
    if not may_go_on(settings().give_limit, "give"):
        return _trouble(slug, form, 429, "That was very often in a short time. Please wait ten minutes and try again.")
    leave_gate()
    try:
        address = stripe.open_checkout(order, moment)
    except CheckoutUnavailable as trouble:
        words = (
            "Our payment provider does not answer right now. Nothing has been charged. Please try again in a minute."
        )
        return _trouble(slug, form, 503, words, same_showing=trouble.ask_again)
    response = redirect(address, 303)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


def _trouble(slug: str, form: GiveForm, status: int, words: str, *, same_showing: bool = False) -> Response:
    """The page again with what was chosen on it, and what went wrong that was not the donor's fault."""
    again = form if same_showing else _shown_again(form)
    if same_showing:
        # WTForms writes a new token at every showing; only under the old one Stripe knows the request again.
        form["token"].current_token = form["token"].data
    return _show(_contents(slug), again, status, trouble=words)


def _shown_again(form: GiveForm) -> GiveForm:
    """The same form with what was typed and what was wrong, under a new token."""
    typed = MultiDict((name, text) for name, text in request.form.items(multi=True) if name != "token")
    again = GiveForm(form.campaign, typed)
    again.tier.data = form.tier.data
    for shown in form:
        again[shown.name].errors = list(shown.errors)
    return again


def _show(contents: Contents, form: GiveForm, status: int = 200, trouble: str = "") -> Response:
    return _answer(_html(contents, form, _own(form), trouble), status)


def _own(form: GiveForm) -> OneReaders:
    asked = wishes(request.args)
    return OneReaders(form.hidden(), escape(quote("?" + asked)) if asked else Markup(""))


def _html(contents: Contents, form: GiveForm, own: OneReaders, trouble: str = "") -> str:
    campaign, bar = contents.campaign, contents.bar
    return render_template(
        "donate/page.html", campaign=campaign, bar=bar, form=form, own=own, trouble=trouble, past=contents.past,
        supporters=contents.supporters, story=story.html(campaign.story),
        days_left=bar.month.days_left(now(), campaign.time_zone),
    )  # fmt: skip


def _answer(html: str, status: int = 200) -> Response:
    form_may_reach(settings().checkout_origins)
    response = make_response(html, status)
    # The form's token is for one reader.
    response.headers["Cache-Control"] = "private, no-cache"
    if status in (429, 503):
        response.headers["Retry-After"] = "600" if status == 429 else "60"
    return response


@bp.get("/c/<slug>/thanks")
def thanks(slug: str) -> Response:
    """Thanks, which survives a reload, a stranger, and a hook that is slower than the donor. Counts nothing.

    Shows nothing about the gift itself: the address may be shared. While the gift is not in the ledger yet, the page
    loads itself again without a script; after a while it stops, since some ways of paying take days.
    """
    campaign = campaign_or_404(slug)
    moment = now()
    session_id = request.args.get("session_id", "")
    looked = request.args.get("look", "0")
    look = min(int(looked), LOOKS) if looked.isascii() and looked.isdigit() and len(looked) < 4 else 0
    known = re.fullmatch(r"cs_[A-Za-z0-9_]{1,245}", session_id) is not None
    with reading() as connection:
        arrived = known and results.has_arrived(connection, session_id)
        bar = bar_of(connection, campaign, moment)
    confirming = known and not arrived and look < LOOKS
    response = make_response(
        render_template(
            "donate/thanks.html", campaign=campaign, bar=bar, arrived=arrived, confirming=confirming, known=known
        )
    )
    if confirming:
        again = url_for("donate.thanks", slug=slug, session_id=session_id, look=look + 1)
        response.headers["Refresh"] = f"{2 if look < 5 else 5}; url={again}"
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response
