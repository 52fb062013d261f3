"""Who may open a checkout: limits for each address and for everybody together, and a task to solve where they are reached.

Nobody is asked for anything while nothing is wrong. Whoever is beyond the limit of an address, or comes while cards are being
tested, has the page once more with everything kept, and its script solves the task and sends the form again by itself.
"""

import hashlib
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from functools import cache
from typing import Literal, cast

import structlog
from flask import current_app, g, render_template, request
from flask_babel import gettext
from limits import RateLimitItem, RateLimitItemPerMinute
from markupsafe import Markup

from tracker.gateway.checkout import Order
from tracker.giving.campaign import Campaign
from tracker.web.headers import may_work_aside
from tracker.web.proof_of_work import Proof, read_proof, spend, task
from tracker.web.protection import checkouts, protection_of, usual
from tracker.web.rate_limits import (
    Limit,
    Reached,
    TooManyAttempts,
    caller,
    callers_site,
    limits_of,
    refusal_of,
    take,
)
from tracker.web.site import now, settings

log = structlog.get_logger()

# A form may be sent so often: the Back button, another amount, a try after an error.
USES = "10 per day"
# An address may open so many times as many checkouts if a task is solved for each: a hall full of people, or a school.
WITH_PROOF = 12
# A /48 of IPv6 counts as so many addresses.
SITE = 4
# Of what all together may open, this part is for those without a script while everybody is asked for a task.
WITHOUT_SCRIPT = 60
# A refusal that costs nothing, for a program that fills in what nobody sees.
TRAPPED_SECONDS = 600

Asked = Literal["", "press", "by itself"]
"""Whether this answer holds a task: none; one whose solution goes with the next press; one that is sent by itself."""


class Refused(Exception):
    """No checkout is opened: with which status, in which words, and after how many seconds another try makes sense."""

    def __init__(self, status: int, sentence: str, seconds: int = 60, *, same_showing: bool = False) -> None:
        super().__init__(sentence)
        self.status, self.sentence, self.seconds, self.same_showing = status, sentence, seconds, same_showing


@contextmanager
def admitted(order: Order, moment: datetime) -> Iterator[None]:
    """Inside of it a checkout may be opened, and is counted if that goes well. Raises Refused, with what to do instead."""
    slug = order.campaign.slug
    try:
        _look(order, moment)
        proof = read_proof(request.form.get("proof", ""), slug, moment)
        with _place(proof):
            _weigh(order, proof)
            yield
    except Refused:
        checkouts().note(slug, "refused", moment)
        raise
    checkouts().note(slug, "opened", moment)


def _look(order: Order, moment: datetime) -> None:
    """What no person does."""
    if request.form.get("website"):
        log.info("give.trapped", campaign=order.campaign.slug)
        raise Refused(429, TooManyAttempts(TRAPPED_SECONDS).sentence, TRAPPED_SECONDS)
    # The token's time is in whole seconds, so that this is never stricter than it says.
    if (moment - order.shown_at).total_seconds() < settings().give_seconds:
        words = gettext("That was so quick that we could not be sure it was meant. Please press the button once more.")
        raise Refused(422, words, 1, same_showing=True)


@contextmanager
def _place(proof: Proof | None) -> Iterator[None]:
    """A place among those who wait for Stripe at once. Some more are kept for those who solved a task."""
    places: threading.Semaphore = current_app.extensions["checkout_places"]
    if proof:
        yield
        return
    if not places.acquire(blocking=False):
        words = gettext(
            "A great many people are giving right now. Nothing has been charged. Please try again in a minute."
        )
        raise _task_or(Refused(503, words))
    try:
        yield
    finally:
        places.release()


def _weigh(order: Order, proof: Proof | None) -> None:
    slug, together = order.campaign.slug, settings().give_limit_all
    protection = protection_of(slug)
    always = (
        Limit(_in_ten_minutes(together), "give-all", slug),
        Limit(limits_of(USES), "give-form", order.nonce),
    )
    if proof and not spend(proof, _digest(order)):
        raise _task_or(Refused(429, TooManyAttempts(60).sentence))
    if proof:
        reached = take(*always, *_own("give-most", WITH_PROOF))
    else:
        few = Limit(_in_ten_minutes(max(1, together // WITHOUT_SCRIPT)), "give-few", slug)
        calm = Limit(_in_ten_minutes(usual()), "give-calm", slug)
        everybody = () if protection.switch == "off" else (few,) if protection.asks_everybody else (calm,)
        own = (*always, *_own("give"))
        reached = take(*own, *everybody)
        if reached and reached.what == "give-calm":
            reached = take(*own, few)
    if reached:
        raise _refusal(reached, may_ask=proof is None and protection.switch != "off")


def _own(what: str, times: int = 1) -> list[Limit]:
    """The limits of whoever asks: their address, and the network that it is in."""
    text = settings().give_limit
    limits = [
        Limit(limits_of(text, times), what, caller()),
        Limit(limits_of(text, times * SITE), f"{what}-site", callers_site()),
    ]
    return [one for one in limits if one.who]


@cache
def _in_ten_minutes(number: int) -> tuple[RateLimitItem, ...]:
    return (RateLimitItemPerMinute(number, 10),)


def _refusal(reached: Reached, *, may_ask: bool) -> Refused:
    refused = refusal_of(reached)
    if reached.what == "give-form":
        return Refused(422, gettext("This form has been sent too often. Please check your gift and send it again."), 1)
    if reached.what == "give-few":
        words = gettext(
            "Somebody is misusing this page right now, so without JavaScript only a few gifts can be started. "
            "Please try again in %(time)s.",
            time=refused.time,
        )
        return _task_or(Refused(429, words, refused.seconds))
    plain = Refused(429, refused.sentence, refused.seconds)
    return plain if reached.what == "give-all" or not may_ask else _task_or(plain)


def _task_or(refused: Refused) -> Refused:
    """A refusal for those without a script; others have a task with it, whose solution is sent by itself."""
    # Once for each press, so that what is of no use, whatever the reason, is not sent again and again.
    g.task_asked = "press" if request.form.get("resent") else "by itself"
    return refused


def _digest(order: Order) -> str:
    """The same for the same gift from the same form, for which Stripe opens one checkout, however often it is asked."""
    return hashlib.sha256(repr(order).encode("utf-8", "replace")).hexdigest()[:32]


# --- On the page ------------------------------------------------------------------------------------------------------

# Programs fill in whatever there is; people neither see it nor hear of it, and browsers leave it alone.
TRAP = Markup(
    '<div class="unseen" aria-hidden="true"><label for="website">Website</label>'
    '<input type="text" name="website" id="website" tabindex="-1" autocomplete="off"></div>'
)


def fields(campaign: Campaign) -> Markup:
    """What this stands on in the form: the trap, and a task where one is asked for."""
    asked = cast(Asked, g.get("task_asked", ""))
    everybody = protection_of(campaign.slug).asks_everybody
    if not asked and not everybody:
        return TRAP
    may_work_aside()
    html = render_template(
        "donate/_task.html", task=task(campaign.slug, now()), asked=asked or "press", everybody=everybody,
        least=settings().give_seconds,
    )  # fmt: skip
    return TRAP + Markup(html)  # noqa: S704 - made by our own template
