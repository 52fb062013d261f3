"""The page of thanks: what became of a gift, said truly to whoever has its address, and nothing else about it."""

import re
import threading
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, cast
from urllib.parse import parse_qsl

import structlog
from flask import Blueprint, Response, current_app, make_response, redirect, render_template, request, url_for
from sqlalchemy.exc import SQLAlchemyError

from tracker.gateway.checkout import CheckoutUnavailable
from tracker.giving.bar_style import read_bar_style
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month
from tracker.giving.prefill import Prefill, read_prefill
from tracker.giving.way_back import LONGEST
from tracker.ledger import campaigns, database_errors, results
from tracker.ledger.store import end_reading, reading
from tracker.web.donate import markdown
from tracker.web.donate.supporter_page import campaign_of, contents_of, page_address
from tracker.web.gates import leave_gate
from tracker.web.languages import bar_for_readers
from tracker.web.rate_limits import TooManyAttempts, check_limit
from tracker.web.site import bar_of, gateway, now, settings

log = structlog.get_logger()
bp = Blueprint("thanks", __name__)

SESSION_ID = re.compile(r"cs_[A-Za-z0-9_]{1,245}")
# How often the page looks by itself, and from which look on Stripe is asked: most gifts are here at the first or second.
LOOKS = 12
ASKS_FROM = 3
# Strangers can make up any id. So often Stripe is asked at most, for one address and by this process; it takes 25 a second.
ASKS_FOR_ONE = "20 per minute"
ASKS_A_MINUTE = 60
# How long an answer is good for, and how many are kept.
KEPT = timedelta(seconds=20)
MOST_KEPT = 1000

State = Literal[
    "unnamed",  # the address names no checkout
    "confirming",  # Stripe has not told us yet, and has had little time for it
    "unknown",  # Stripe could not be asked
    "no_gift",  # Stripe has no such checkout, or it is none of ours
    "unpaid", "expired", "failed", "on_its_way", "paid",  # as Stripe says; not in the ledger yet
    "booked", "paid_back",  # as the ledger says
]  # fmt: skip


@dataclass(frozen=True)
class Outcome:
    """What became of a gift, so far as anybody knows."""

    state: State
    campaign: str = ""
    """The slug of the campaign that it is for; empty while that is not known."""
    month: Month | None = None
    """The month that it is booked in."""
    at: datetime | None = None
    """When it was made, once it is in the ledger."""
    kind: str = ""
    """What is booked: `once`, `monthly` and so on."""
    chosen: str = ""
    """What the donor had chosen, as the query of the page's address."""


@bp.get("/c/<slug>/thanks")
def page(slug: str) -> Response:
    """Thanks, which survives a reload, a stranger, and a hook that is slower than the donor. Counts nothing.

    Shows nothing about the gift itself: the address may be shared. While the gift is not in the ledger yet, the page
    loads itself again without a script; after a while it stops, since some ways of paying take days.
    """
    campaign, moment = campaign_of(slug), now()
    session_id, look = request.args.get("session_id", ""), _look(request.args.get("look", ""))
    try:
        outcome = _outcome(session_id, look, moment)
        with reading() as connection:
            if outcome.campaign not in ("", slug):
                if campaigns.find(connection, outcome.campaign):
                    return _never_kept(redirect(_address(outcome.campaign, session_id, look), 303))  # type: ignore[arg-type]
                outcome = Outcome("no_gift")
            bar = bar_for_readers(bar_of(connection, campaign, moment))
    except SQLAlchemyError as error:
        # Whoever comes back from Stripe has done their part: the page looks again until the database is back.
        log.error("database.trouble", **database_errors.named(error), path=request.path)
        outcome, bar = Outcome("unknown" if SESSION_ID.fullmatch(session_id) else "unnamed"), contents_of(slug).bar
    if bar.drive and outcome.at and not bar.drive.holds(outcome.at):
        # A gift of this month from before the drive is part of the month alone.
        bar = bar.of_month
    looks_again = outcome.state in ("confirming", "unknown", "paid", "on_its_way") and look < LOOKS
    # Of this page's own address the language and the way back alone; the session knows the rest.
    own = {name: request.args.get(name, "") for name in ("lang", "back")}
    asked = read_prefill(own | dict(parse_qsl(outcome.chosen)), campaign)
    response = make_response(
        render_template(
            "donate/thanks.html", campaign=campaign, bar=bar, outcome=outcome, looks_again=looks_again,
            page=page_address(campaign, asked), again=_address(slug, session_id, 0), back=asked.back,
            every_month=_every_month(campaign, outcome, asked), words=markdown.html(campaign.thanks_words),
        )
    )  # fmt: skip
    if looks_again:
        response.headers["Refresh"] = f"{2 if look < 5 else 5}; url={_address(slug, session_id, look + 1)}"
    return _never_kept(response)


def _look(text: str) -> int:
    """Which look of the page's own this is; 0 for what is no number."""
    return min(int(text), LOOKS) if text.isascii() and text.isdigit() and len(text) < 4 else 0


def _address(slug: str, session_id: str, look: int) -> str:
    """This page's own address. Where it may lead back to is checked whenever it is read."""
    own = {"lang": read_bar_style(request.args).lang.replace("_", "-"), "back": request.args.get("back", "")[:LONGEST]}
    named = {name: text or None for name, text in own.items()}
    return url_for("thanks.page", slug=slug, session_id=session_id, look=look or None, **named)


def _every_month(campaign: Campaign, outcome: Outcome, asked: Prefill) -> str:
    """Where to give every month, for whoever has just given once; empty where that is not to be said."""
    if outcome.state != "booked" or outcome.kind != "once" or not (campaign.monthly and campaign.takes_gifts):
        return ""
    return page_address(campaign, Prefill(frequency="month", lang=asked.lang, back=asked.back))


def _never_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "no-referrer"
    return response


# --- What became of it ------------------------------------------------------------------------------------------------


def _outcome(session_id: str, look: int, moment: datetime) -> Outcome:
    if not SESSION_ID.fullmatch(session_id):
        return Outcome("unnamed")
    if booked := _booked(session_id):
        return booked
    if look < ASKS_FROM:
        return Outcome("confirming")
    answers = cast(Answers, current_app.extensions["checkout_answers"])
    if known := answers.known(session_id, moment):
        return known
    try:
        check_limit(ASKS_FOR_ONE, "thanks")
    except TooManyAttempts:
        return Outcome("unknown")
    return answers.ask(session_id, _as_stripe_says, moment)


def _booked(stripe_id: str) -> Outcome | None:
    with reading() as connection:
        found = results.booked(connection, stripe_id, settings().live)
    if found is None:
        return None
    return Outcome("booked" if found.counts else "paid_back", found.campaign, found.month, found.at, found.kind)


def _as_stripe_says(session_id: str) -> Outcome:
    """Asks Stripe, for three seconds at most, with no transaction open."""
    stripe = gateway()
    end_reading()
    leave_gate()
    try:
        checkout = stripe.read_checkout(session_id) if stripe else None
    except CheckoutUnavailable:
        return Outcome("unknown")
    if checkout is None or not checkout.campaign:
        return Outcome("no_gift" if stripe else "unknown")
    # Stripe may have told us of a monthly gift's money, and not yet of the checkout that it came from.
    if checkout.invoice and (booked := _booked(checkout.invoice)):
        return booked
    return Outcome(checkout.state, checkout.campaign, chosen=checkout.chosen)


class Answers:
    """What Stripe said of checkouts lately, so that nobody can have it asked again and again."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._kept: dict[str, tuple[Outcome, datetime]] = {}
        self._asking: set[str] = set()
        self._asked: deque[datetime] = deque()

    def known(self, session_id: str, moment: datetime) -> Outcome | None:
        """What was said of it within the last seconds."""
        with self._lock:
            outcome, until = self._kept.get(session_id, (None, moment))
        return outcome if until > moment else None

    def ask(self, session_id: str, question: Callable[[str], Outcome], moment: datetime) -> Outcome:
        """The answer to a question; unknown, at once, while somebody else is asking it, or when too many were asked."""
        with self._lock:
            while self._asked and self._asked[0] <= moment - timedelta(minutes=1):
                self._asked.popleft()
            if session_id in self._asking or len(self._asked) >= ASKS_A_MINUTE:
                return Outcome("unknown")
            self._asked.append(moment)
            self._asking.add(session_id)
        try:
            outcome = question(session_id)
        finally:
            with self._lock:
                self._asking.discard(session_id)
        with self._lock:
            self._kept.pop(session_id, None)
            if len(self._kept) >= MOST_KEPT:
                del self._kept[next(iter(self._kept))]  # the oldest
            self._kept[session_id] = outcome, moment + KEPT
        return outcome
