"""Asks Stripe for the fee of a gift once there is one. The hook is told only that there is, and does not wait for it."""

from concurrent.futures import ThreadPoolExecutor

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from tracker.gateway.events import Event, charge_to_settle, names_of
from tracker.gateway.history import HistoryUnavailable
from tracker.ledger import book, settlements
from tracker.ledger.store import reading, writing
from tracker.web.site import history, now, settings

log = structlog.get_logger()

# One at a time: it is never urgent, and `tracker sync` finds whatever gets lost here.
_asking = ThreadPoolExecutor(1, thread_name_prefix="settling")


def settle_soon(event: Event) -> None:
    """Has the fee of a gift fetched, if the event tells that it is there now and the gift is in the book."""
    charge = charge_to_settle(event)
    if not charge or not settings().stripe_secret_key:
        return
    with reading() as connection:
        ours = settlements.is_known(connection, names_of(event.object))
    if ours:
        _asking.submit(_settle, current_app._get_current_object(), charge)  # type: ignore[attr-defined]


def _settle(app: Flask, charge: str) -> None:
    with app.app_context():
        try:
            facts = history().settlement(charge)
            with writing() as connection:
                for fact in facts:
                    book.record(connection, fact, now())
        except (HistoryUnavailable, SQLAlchemyError) as error:
            log.warning("settling.failed", charge=charge, error=type(error).__name__, hint="tracker sync finds it")
