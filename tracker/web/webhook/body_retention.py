"""Drops the bodies of Stripe's deliveries once they are old, since they may name people: by the clock, whether or not
another delivery comes."""

from datetime import datetime, timedelta

import structlog

from tracker.ledger import balance_transactions, book, donor_data
from tracker.ledger.store import reading, writing
from tracker.web.site import settings

log = structlog.get_logger()

LOOK_SECONDS = 3600
"""How often a process looks for bodies that are too old, in seconds."""


def drop_old_bodies(moment: datetime) -> int:
    """Drops what is older than TRACKER_KEEP_DELIVERIES; returns how many bodies that were."""
    before = moment - timedelta(days=settings().keep_deliveries)
    with reading() as session:
        if not donor_data.has_old_bodies(session, before):
            return 0
    with writing() as session:
        dropped = book.forget_bodies(session, before)
        balance_transactions.forget_payout_lines(session, before)
    log.info("deliveries.bodies_dropped", number=dropped)
    return dropped
