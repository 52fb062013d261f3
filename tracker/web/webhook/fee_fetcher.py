"""Asks Stripe for fee, net and payout, and for whatever else an event only names. Nobody waits for it."""

from datetime import datetime

import structlog
from sqlalchemy import Connection

from tracker.gateway.events import Event, names_of, to_settle
from tracker.gateway.stripe_history import History, HistoryUnavailable
from tracker.giving.facts import Subscription
from tracker.ledger import book, pending_fetches, stripe_ids, subscriptions
from tracker.ledger.pending_fetches import Fetch
from tracker.ledger.store import reading, writing
from tracker.web.site import history, settings

log = structlog.get_logger()

# How often a process looks for what is due by itself, in seconds: another one may have been killed before it asked.
LOOK_SECONDS = 30


def ask_for(connection: Connection, event: Event, moment: datetime) -> None:
    """Notes what an event only names, in the transaction that keeps the event: it is asked for now, or after a crash."""
    kind, stripe_id = to_settle(event)
    if kind == "payout":
        pending_fetches.schedule(connection, "payout", stripe_id, event.live, moment)
    elif kind == "refund":
        pending_fetches.hurry(connection, [stripe_id], moment)
    elif kind:
        # A gift that is not in the book yet is asked about once it is.
        gifts = stripe_ids.gifts_known_as(connection, names_of(event.object), event.live)
        pending_fetches.hurry(connection, [gift.key for gift in gifts], moment)


def fetch_due(moment: datetime) -> int:
    """Asks for all that is due at that moment, and records it. Returns how much was asked for."""
    if not settings().stripe_secret_key:
        return 0
    asked = 0
    while batch := take_due(moment):
        with history() as stripe:
            for fetch in batch:
                _fetch(stripe, fetch, moment)
        asked += len(batch)
    return asked


def take_due(moment: datetime) -> list[Fetch]:
    """Some of what is due, for this process alone."""
    with reading() as connection:
        if not pending_fetches.is_any_due(connection, settings().live, moment):
            return []
    with writing() as connection:
        return pending_fetches.take_due(connection, settings().live, moment)


def _fetch(stripe: History, fetch: Fetch, moment: datetime) -> None:
    try:
        facts = stripe.fetch(fetch.kind, fetch.key)
    except HistoryUnavailable as error:
        log.warning(
            "fees.not_fetched", kind=fetch.kind, id=fetch.key, error=type(error).__name__, hint="asked again later"
        )
        return
    with writing() as connection:
        for fact in facts:
            if isinstance(fact, Subscription):
                subscriptions.record_answer(connection, fact)
            else:
                book.record(connection, fact, moment)
        if fetch.kind in ("payout", "subscription") or not facts or pending_fetches.is_settled(connection, fetch):
            pending_fetches.done(connection, fetch)
