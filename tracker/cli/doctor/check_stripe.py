"""The doctor at Stripe: keys, clock, the webhook endpoint, and which events Stripe has told of lately."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from importlib.metadata import version
from typing import Any

from tracker.cli.doctor.findings import Clock, Finding
from tracker.settings import Settings, address_problem

SKEW_SECONDS = 60
# For so long Stripe sends an event again.
RECENT = timedelta(days=3)
MOST_EVENTS = 1000


@dataclass
class Stripe:
    """What Stripe said."""

    findings: list[Finding]
    since: datetime | None = None
    """Since when events should have come; None where Stripe could not be asked."""
    endpoints: list[Any] = field(default_factory=list)
    """All of the account's, as far as the key may read them."""


def ask(settings: Settings, clock: Clock) -> Stripe:
    from tracker.gateway.stripe_history import HistoryUnavailable, NotAllowed
    from tracker.gateway.webhook_endpoints import Endpoints

    made = Stripe([_secret(settings)])
    if not settings.stripe_secret_key:
        made.findings.append(Finding("error", "stripe-key", "STRIPE_SECRET_KEY is not set: nobody can give."))
        return made
    made.findings += _mode(settings)
    account = {"api_base": settings.stripe_api_base, "version": version("pledgebar")}
    try:
        with Endpoints(settings.stripe_secret_key, **account) as stripe:
            before = clock()
            theirs = stripe.time()
            ours = before + (clock() - before) / 2
            made.findings.append(Finding("ok", "stripe", "Stripe accepts the key."))
            made.findings.append(_clock(ours, theirs))
            made.since = ours - RECENT
            try:
                made.endpoints = stripe.every()
            except NotAllowed:
                text = f"The key may not read webhook endpoints: check in Stripe's Dashboard that {settings.hook_url} is one."
                made.findings.append(Finding("warning", "endpoint", text))
            else:
                there = [one for one in made.endpoints if one.url == settings.hook_url]
                made.findings += _endpoint(settings.hook_url, there)
                made.since = max(made.since, min((one.created for one in there if one.enabled), default=made.since))
        made.findings += _portal(settings, account)
    except HistoryUnavailable as error:
        made.findings.append(Finding("error", "stripe", str(error)))
    return made


def newest_events(
    settings: Settings, stripe: Stripe, mark: str
) -> tuple[list[tuple[datetime, Any]] | None, list[Finding]]:
    """What Stripe has told of lately, the newest first, each with its time; None where it does not say."""
    from tracker.gateway.stripe_history import History, HistoryUnavailable, NotAllowed

    if stripe.since is None:
        return None, []
    account = {"api_base": settings.stripe_api_base, "version": version("pledgebar"), "mark": mark}
    try:
        with History(settings.stripe_secret_key, **account) as history:
            return history.newest_events(stripe.since, MOST_EVENTS), []
    except NotAllowed:
        text = "The key may not read events, so there is no telling whether all of them arrived."
        return None, [Finding("warning", "undelivered-events", text)]
    except HistoryUnavailable as error:
        return None, [Finding("error", "stripe", str(error))]


def _portal(settings: Settings, account: dict[str, str]) -> Iterator[Finding]:
    """Whether the page where supporters end a regular gift is there."""
    from tracker.gateway.customer_portal import CustomerPortal
    from tracker.gateway.stripe_history import NotAllowed

    if not settings.portal_login:
        return
    try:
        with CustomerPortal(settings.stripe_secret_key, **account) as stripe:
            there = [page for page in stripe.login_pages() if page.url == settings.portal_login]
    except NotAllowed:
        text = f"The key may not read the customer portal's settings: check that {settings.portal_login} opens."
        yield Finding("warning", "portal", text)
        return
    if not there:
        text = f"{settings.portal_login} is not a login page of this Stripe account: run “tracker portal setup”."
        yield Finding("error", "portal", text)
    elif not there[0].can_end:
        text = f"Nobody can end a regular gift at {settings.portal_login}: run “tracker portal setup”."
        yield Finding("error", "portal", text)
    else:
        yield Finding("ok", "portal", f"Supporters end or change a regular gift at {settings.portal_login}")


def _secret(settings: Settings) -> Finding:
    secrets = len(settings.stripe_webhook_secrets)
    if not secrets:
        text = "STRIPE_WEBHOOK_SECRET is not set: no gift can be verified. Run “tracker webhook register”."
        return Finding("error", "webhook-secret", text)
    if secrets == 1:
        return Finding("ok", "webhook-secret", "There is a webhook secret.")
    return Finding("ok", "webhook-secret", f"There are {secrets} webhook secrets: one is being rolled.")


def _mode(settings: Settings) -> Iterator[Finding]:
    key = settings.stripe_secret_key
    kind = (
        "a restricted key"
        if key.startswith("rk_")
        else "a secret key, which may do everything: a restricted one is enough"
    )
    yield Finding("ok", "stripe-key", f"STRIPE_SECRET_KEY is {kind}.")
    base = settings.stripe_api_base
    if settings.is_rehearsal:
        yield Finding("ok", "stripe-base", f"This is a rehearsal: {base} stands in for Stripe.")
    elif base:
        yield Finding(
            "error" if settings.live else "warning", "stripe-base", f"{base} is asked, not Stripe (STRIPE_API_BASE)."
        )
    if settings.live:
        yield Finding("ok", "stripe-mode", "The key is for real money.")
    elif settings.is_rehearsal or address_problem(settings.public_url):
        yield Finding("ok", "stripe-mode", "The key is for test money.")
    else:
        text = f"The key is for test money, and {settings.public_url} looks as if readers could give there."
        yield Finding("warning", "stripe-mode", text)


def _clock(ours: datetime, theirs: datetime) -> Finding:
    # Stripe's time is in whole seconds.
    skew = round(abs((ours - theirs).total_seconds()))
    if skew <= SKEW_SECONDS:
        return Finding("ok", "clock", f"The clock is within {max(skew, 1)} s of Stripe's.")
    how = "ahead of" if ours > theirs else "behind"
    text = f"The clock is {skew} s {how} Stripe's, and from 300 s on signatures are refused: turn on NTP."
    return Finding("error", "clock", text)


def _endpoint(url: str, there: list[Any]) -> Iterator[Finding]:
    enabled = [one for one in there if one.enabled]
    if not enabled:
        state = (
            "switched off at Stripe: switch it on there"
            if there
            else "not registered at Stripe: run “tracker webhook register”"
        )
        yield Finding("error", "endpoint", f"{url} is {state}, or no gift is counted.")
        return
    if len(enabled) > 1:
        text = f"{url} is registered {len(enabled)} times, so every event arrives that many times: switch off the older ones."
        yield Finding("warning", "endpoint", text)
    yield from _sends(url, enabled[0])


def _sends(url: str, one: Any) -> Iterator[Finding]:
    from tracker.gateway.events import COUNTED_BY
    from tracker.gateway.webhook_endpoints import API_VERSION

    if one.missing:
        text = f"Stripe does not send {', '.join(one.missing)}: run “tracker webhook register”."
        if set(one.missing) <= set(COUNTED_BY):
            text += " No gift depends on them, but card testing is noticed late without them."
            yield Finding("warning", "endpoint-events", text)
        else:
            yield Finding("error", "endpoint-events", text)
    else:
        yield Finding("ok", "endpoint-events", f"{url} is registered at Stripe and sends everything that is needed.")
    if one.extra:
        text = f"Stripe also sends {', '.join(one.extra)}, which is not needed: run “tracker webhook register”."
        yield Finding("warning", "endpoint-events", text)
    if one.api_version == API_VERSION:
        yield Finding("ok", "endpoint-version", f"The endpoint's version is {API_VERSION}.")
    else:
        theirs = one.api_version or "the account's default"
        text = f"The endpoint's version is {theirs}, the program's {API_VERSION}: register a new one when you can."
        yield Finding("warning", "endpoint-version", text)


def old_endpoints(settings: Settings, stripe: Stripe, mark: str) -> Iterator[Finding]:
    """What this installation, which has this mark, left switched on at an earlier address."""
    from tracker.gateway.webhook_endpoints import left_behind

    for old in left_behind(stripe.endpoints, settings.hook_url, mark):
        text = f"Stripe also sends to {old.url} ({old.id}): if that was this installation, switch it off at Stripe."
        yield Finding("warning", "old-endpoint", text)
