"""Asks Stripe for fee, net and payout, and for whatever else an event only names. Nobody waits for it."""

import threading
from datetime import datetime

import structlog
from flask import Flask
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError

from tracker.gateway.events import Event, names_of, to_settle
from tracker.gateway.stripe_history import History, HistoryUnavailable
from tracker.giving.facts import Subscription
from tracker.ledger import book, pending_fetches, stripe_ids, subscriptions
from tracker.ledger.pending_fetches import Fetch
from tracker.ledger.store import reading, writing
from tracker.web.site import history, now, settings

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


# --- In a thread ------------------------------------------------------------------------------------------------------


class Fetcher:
    """The thread of one process that asks for what is due. Starts at the first word, and ends with the process."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self._changed = threading.Condition()
        self._thread: threading.Thread | None = None
        self._stopped = False
        self._asked = self._answered = 0

    def start(self) -> None:
        with self._changed:
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="fees", daemon=True)
                self._thread.start()

    def wake(self) -> None:
        """Has it look now: something may be due."""
        self.start()
        with self._changed:
            self._asked += 1
            self._changed.notify_all()

    def wait(self) -> None:
        """Until it has looked after the last time that it was woken."""
        with self._changed:
            self._changed.wait_for(lambda: self._answered == self._asked)

    def stop(self) -> None:
        """Ends the thread; what is still to be asked for stays in the database."""
        with self._changed:
            self._stopped = True
            self._changed.notify_all()
        if self._thread is not None:
            self._thread.join()

    def _run(self) -> None:
        while not self._stopped:
            with self._changed:
                self._changed.wait_for(lambda: self._stopped or self._answered < self._asked, LOOK_SECONDS)
                asked = self._asked
            if not self._stopped:
                self._look()
            with self._changed:
                self._answered = asked
                self._changed.notify_all()

    def _look(self) -> None:
        try:
            with self.app.app_context():
                fetch_due(now())
        except SQLAlchemyError as error:
            log.warning("fees.no_database", error=type(error).__name__, hint="asked again later")
        except Exception:
            # Whatever one of them was, the next ones are still to be asked for.
            log.exception("fees.stumbled")
