"""The supporter's page: the goal, the bar, the amounts, and one form."""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from urllib.parse import quote

from flask import Blueprint, Response, abort, make_response, redirect, render_template, request, url_for
from flask_babel import gettext
from werkzeug.datastructures import MultiDict

from tracker.gateway.checkout import CheckoutUnavailable, Order
from tracker.giving.bar import Bar
from tracker.giving.campaign import FREQUENCIES, Campaign
from tracker.giving.money import plain_number, to_main
from tracker.giving.prefill import Prefill, read_prefill
from tracker.giving.tiers import OTHER
from tracker.ledger import campaigns, results, supporters
from tracker.ledger.results import MonthResult
from tracker.ledger.store import end_reading, reading
from tracker.ledger.visits import CLICK
from tracker.web.cache.bars import bars
from tracker.web.donate import markdown
from tracker.web.donate.admission import Refused, admitted
from tracker.web.donate.give_form import GiveForm, came_from_our_page
from tracker.web.embed.oembed import wishes
from tracker.web.gates import leave_gate
from tracker.web.headers import form_may_reach
from tracker.web.languages import bar_for_readers, choose_language, for_readers
from tracker.web.site import bar_of, campaign_or_404, gateway, now, settings
from tracker.web.visit_counter import visits

bp = Blueprint("donate", __name__)


@dataclass(frozen=True)
class Contents:
    """What the page shows of the ledger, the same to everybody."""

    campaign: Campaign
    bar: Bar
    past: list[MonthResult]
    supporters: list[Any]


def contents_of(slug: str) -> Contents:
    """Read when something was written, and not for every supporter; 404 where there is no such campaign.

    In the language of this page, which is chosen here.
    """
    found = bars().cached_until_written(("page", slug), lambda: _read(slug, now()))
    choose_language(found.campaign)
    return replace(found, campaign=for_readers(found.campaign), bar=bar_for_readers(bars().dated(found.bar)))


def campaign_of(slug: str) -> Campaign:
    """The campaign, read when something was written, in the language of this page; 404 where there is none."""
    campaign = bars().cached_until_written(("campaign", slug), lambda: campaign_or_404(slug))
    choose_language(campaign)
    return for_readers(campaign)


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
        # Where all have ended, what they raised is still worth a look.
        listed = [campaign for campaign in every if not campaign.archived] or every
        if len(listed) == 1:
            return page(listed[0].slug)
        found = [bar_of(connection, campaign, moment) for campaign in listed]
    choose_language(*listed)
    return render_template("donate/front.html", bars=found)


@bp.get("/go/<slug>")
def go(slug: str) -> Response:
    """From the bar's button to the page, with all that the link says. Counts the click, and nothing about who."""
    campaign = campaign_of(slug)
    # Nobody adds the fee to a gift but the supporter.
    asked = replace(read_prefill(request.args, campaign), cover=False)
    # A browser that only prepares for a click that may never come says so.
    if request.method == "GET" and "prefetch" not in request.headers.get("Sec-Purpose", ""):
        visits().count((campaign.slug, CLICK, asked.src, asked.pos))
    response = redirect(page_address(campaign, asked), 303)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


def page_address(campaign: Campaign, asked: Prefill) -> str:
    """The page's address with something chosen beforehand, for a link on this site."""
    query = asked.query(campaign.currency)
    return url_for("donate.page", slug=campaign.slug) + (f"?{query}" if query else "")


@bp.get("/c/<slug>")
def page(slug: str) -> Response:
    contents = contents_of(slug)
    # What a donor had chosen before leaving Stripe's page is kept, whatever has been changed here meanwhile.
    cancelled = request.args.get("cancelled") == "1"
    asked = read_prefill(request.args, contents.campaign, any_amount=cancelled)
    form = GiveForm(contents.campaign, data=_beginning(contents.campaign, asked))
    return _answer(_html(contents, form, asked, cancelled=cancelled))


def _beginning(campaign: Campaign, asked: Prefill) -> dict[str, Any]:
    """What is chosen before anybody chooses: what the link asks for, else the campaign's own."""
    frequency = asked.frequency or campaign.first_frequency
    amounts = {one: str(campaign.preselected(one) or "") for one in FREQUENCIES}
    typed = ""
    if asked.amount in campaign.tiers(frequency):
        amounts[frequency] = str(asked.amount)
    elif asked.amount is not None:
        typed = plain_number(to_main(asked.amount, campaign.currency), campaign.currency, campaign.locale)
        # For the other frequencies as well, where it may be one of the amounts: what is typed goes with either.
        amounts = {one: str(asked.amount) if asked.amount in campaign.tiers(one) else OTHER for one in FREQUENCIES}
    return {
        "frequency": frequency,
        **{f"tier_{one}": amount for one, amount in amounts.items()},
        "other_amount": typed,
        "cover": campaign.fee_terms if asked.cover else "",
        "src": asked.src,
        "pos": asked.pos,
        "lang": asked.lang,
        "back": asked.back,
    }


@bp.get("/c/<slug>/give")
def not_sent(slug: str) -> Response:
    """To the page with what the form's address says: somebody reloads, shares, or comes back to a tab."""
    query = request.query_string.decode("ascii", "replace")
    return redirect(url_for("donate.page", slug=campaign_of(slug).slug) + (f"?{query}" if query else ""), 303)  # type: ignore[return-value]


@bp.post("/c/<slug>/give")
def give(slug: str) -> Response:
    """The form: 303 to Stripe; 422 with the same page when something is wrong; 429 or 503 with a way to try again.

    Writes nothing: until money has moved, Stripe alone holds the half-finished gift.
    """
    moment = now()
    if not came_from_our_page(settings().public_url):
        abort(403)
    campaign = campaign_of(slug)
    form = GiveForm(campaign, request.form)
    if not campaign.takes_gifts or (campaign.stops_at_goal and _why_closed(contents_of(slug))):
        return _show(contents_of(slug), form, 422)
    if not form.validate() or form.choice is None or form.shown is None:
        return _show(contents_of(slug), _shown_again(form), 422)
    stripe = gateway()
    if stripe is None:
        return _trouble(slug, form, 503, gettext("Giving is not set up here yet. Please come back later."))
    came = read_prefill(request.form, campaign)
    order = Order(
        campaign,
        form.choice,
        form.shown.nonce,
        form.shown.at,
        source=came.src,
        place=came.pos,
        lang=came.lang,
        cover_words=gettext("Covers the payment fee"),
        back=came.back,
        name=(form.name.data or "").strip(),
        message=(form.message.data or "").strip(),
        newsletter=bool(campaign.newsletter and form.newsletter.data),
    )
    try:
        with admitted(order, moment):
            end_reading()
            leave_gate()
            address = stripe.open_checkout(order, moment)
    except Refused as refused:
        return _trouble(
            slug, form, refused.status, refused.sentence, same_showing=refused.same_showing, retry_after=refused.seconds
        )
    except CheckoutUnavailable as trouble:
        words = gettext(
            "Our payment provider does not answer right now. Nothing has been charged. Please try again in a minute."
        )
        return _trouble(slug, form, 503, words, same_showing=trouble.ask_again)
    response = redirect(address, 303)
    response.headers["Cache-Control"] = "no-store"
    return response  # type: ignore[return-value]


def _why_closed(contents: Contents) -> str:
    """Why nobody can give now: `over`, `paused`, or `reached` for the rest of the month; empty if one can."""
    campaign = contents.campaign
    if not campaign.takes_gifts:
        return "over" if campaign.held_month else "paused"
    return "reached" if campaign.stops_at_goal and contents.bar.progress.reached else ""


def _trouble(
    slug: str, form: GiveForm, status: int, words: str, *, same_showing: bool = False, retry_after: int = 60
) -> Response:
    """The page again with what was chosen on it, and what went wrong that was not the donor's fault."""
    again = form if same_showing else _shown_again(form)
    if same_showing:
        # WTForms writes a new token at every showing; only under the old one Stripe knows the request again.
        form["token"].current_token = form["token"].data
    response = _show(contents_of(slug), again, status, trouble=words)
    response.headers["Retry-After"] = str(retry_after)
    return response


def _shown_again(form: GiveForm) -> GiveForm:
    """The same form with what was typed and what was wrong, under a new token."""
    typed = MultiDict((name, text) for name, text in request.form.items(multi=True) if name != "token")
    again = GiveForm(form.campaign, typed)
    again.tier.data, again.cover.data, again.choice = form.tier.data, form.cover.data, form.choice
    again.suggestion, again.suggested_words = form.suggestion, form.suggested_words
    for shown in form:
        again[shown.name].errors = list(shown.errors)
    return again


def _show(contents: Contents, form: GiveForm, status: int = 200, trouble: str = "") -> Response:
    asked = replace(read_prefill(request.form, contents.campaign), cover=bool(form.cover.data))
    if form.choice:
        asked = replace(asked, amount=form.choice.amount)
    return _answer(_html(contents, form, asked, trouble), status)


def _html(contents: Contents, form: GiveForm, asked: Prefill, trouble: str = "", *, cancelled: bool = False) -> str:
    query, looks = asked.query(form.campaign.currency), wishes(request.args)
    own = {
        "hidden": form.hidden(),
        "typed": form.other_amount.data or "",
        # What was chosen, and where the reader came from, for the form's own address.
        "query": f"?{query}" if query else "",
        # What the address asks of a bar.
        "wishes": quote(f"?{looks}") if looks else "",
    }
    campaign, bar = contents.campaign, contents.bar
    return render_template(
        "donate/page.html", campaign=campaign, bar=bar, form=form, own=own, trouble=trouble, cancelled=cancelled,
        past=contents.past, closed=_why_closed(contents),
        supporters=contents.supporters, story=markdown.html(campaign.story),
        days_left=bar.days_to_go(now()),
    )  # fmt: skip


def _answer(html: str, status: int = 200) -> Response:
    form_may_reach(settings().checkout_origins)
    response = make_response(html, status)
    # The form's token is for one reader.
    response.headers["Cache-Control"] = "private, no-cache"
    return response
