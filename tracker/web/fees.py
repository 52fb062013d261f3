"""Asks Stripe for fee, net and payout once there are any. The hook is told only that there are, and does not wait."""

import queue
import threading
from functools import cache

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from tracker.gateway.events import Event, names_of, to_settle
from tracker.gateway.history import HistoryUnavailable
from tracker.ledger import book, settlements
from tracker.ledger.store import reading, writing
from tracker.web.site import history, now, settings

log = structlog.get_logger()

# One at a time, in a thread that nobody waits for at the end, and never more than so many in line: it is never urgent,
# and `tracker sync` finds whatever gets lost here.
_line: queue.Queue[tuple[Flask, str, str]] = queue.Queue(200)


def settle_soon(event: Event) -> None:
    """Has what an event only names fetched, if it is of a gift in the book, or a payout, which may hold some."""
    kind, stripe_id = to_settle(event)
    if not kind or not settings().stripe_secret_key or event.live != settings().live:
        return
    if kind != "payout":
        with reading() as connection:
            if not settlements.is_known(connection, names_of(event.object)):
                return
    try:
        _line.put_nowait((current_app._get_current_object(), kind, stripe_id))  # type: ignore[attr-defined]
    except queue.Full:
        log.warning("settling.line_full", id=stripe_id, hint="tracker sync finds it")
    _start()


@cache
def _start() -> None:
    threading.Thread(target=_ask, name="settling", daemon=True).start()


def _ask() -> None:
    while True:
        app, kind, stripe_id = _line.get()
        try:
            _settle(app, kind, stripe_id)
        except Exception:
            # Whatever one of them was, the next ones are still to be asked for.
            log.exception("settling.stumbled", id=stripe_id)
        finally:
            _line.task_done()


def wait() -> None:
    """Until all that was asked for so far has been answered."""
    _line.join()


def _settle(app: Flask, kind: str, stripe_id: str) -> None:
    with app.app_context():
        try:
            with history() as stripe:
                facts = stripe.settlement(kind, stripe_id)
            with writing() as connection:
                for fact in facts:
                    book.record(connection, fact, now())
        except (HistoryUnavailable, SQLAlchemyError) as error:
            log.warning("settling.failed", id=stripe_id, error=type(error).__name__, hint="tracker sync finds it")
