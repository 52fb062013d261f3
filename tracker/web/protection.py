"""What protects campaigns from card testing: this process's counts, saved for all processes, and what follows from them."""

import threading
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import cast

import structlog
from flask import current_app

from tracker.giving.card_testing import OUTCOME_MINUTES, Counts, Protection
from tracker.ledger import checkout_counts
from tracker.ledger.store import reading, writing
from tracker.web.site import settings

log = structlog.get_logger()

# So late, at most, does every process know what one of them saw. A process that is killed forgets so much.
WRITE_SECONDS = 5.0
# So many of Stripe's events are remembered: it may send one twice.
MOST_REMEMBERED = 5000
# What comes later of an event is history: Stripe sends for three days what it could not deliver.
LATE = OUTCOME_MINUTES


def usual() -> int:
    """How many checkouts in ten minutes are nothing special for one campaign."""
    return max(1, settings().give_limit_all // 10)


def protection_of(slug: str) -> Protection:
    """What is in force for a campaign, as this process knows it: no page asks the database for it."""
    return checkouts().in_force.get(slug, Protection())


def checkouts() -> "CheckoutCounter":
    return cast(CheckoutCounter, current_app.extensions["checkouts"])


class CheckoutCounter:
    """What became of checkouts, counted in memory by many threads and saved every few seconds."""

    def __init__(self) -> None:
        self.in_force: Mapping[str, Protection] = {}
        """By the campaign's slug, as of the last look. While the database is away, what it was stays."""
        self._counts: dict[tuple[str, datetime], Counts] = {}
        self._events: dict[str, None] = {}
        self._lock = threading.Lock()
        # One thread at a time: two would write the same counts.
        self._writing = threading.Lock()

    def note(self, slug: str, kind: str, at: datetime, event: str = "") -> None:
        """One more of a kind of giving/card_testing.py, told by one of Stripe's events: each is counted once."""
        key = (slug, at.replace(second=0, microsecond=0))
        with self._lock:
            if event in self._events:
                return
            if event:
                self._events[event] = None
                if len(self._events) > MOST_REMEMBERED:
                    del self._events[next(iter(self._events))]
            self._counts[key] = self._counts.get(key, Counts()) + Counts(**{kind: 1})

    def look(self) -> None:
        """Reads what is in force."""
        with reading() as session:
            self.in_force = checkout_counts.protections(session, settings().live)

    def write(self, moment: datetime) -> None:
        """Saves what was counted, and decides what follows. Raises SQLAlchemyError, and then keeps it for the next time."""
        with self._writing:
            with self._lock:
                counted = dict(self._counts)
            recent = {key: counts for key, counts in counted.items() if moment - key[1] < LATE + timedelta(minutes=1)}
            self.look()
            under_attack = {slug for slug, found in self.in_force.items() if found.began_at}
            if slugs := {slug for slug, _ in recent} | under_attack:
                self._write(recent, slugs, moment)
            with self._lock:
                for key, counts in counted.items():
                    left = self._counts[key] + counts.negative
                    if left == Counts():
                        del self._counts[key]
                    else:
                        self._counts[key] = left

    def _write(self, counted: Mapping[tuple[str, datetime], Counts], slugs: set[str], moment: datetime) -> None:
        live, told = settings().live, []
        with writing() as session:
            for (slug, minute), counts in counted.items():
                checkout_counts.add(session, slug, live, counts, minute)
            for slug in sorted(slugs):
                told.append((slug, *checkout_counts.judge(session, slug, live, moment, usual())))
        self.in_force = {**self.in_force, **{slug: after for slug, _, after in told}}
        # Only now is it true, and only this process knows that it began or ended at this moment.
        for slug, before, after in told:
            if after.began_at and not before.began_at:
                log.warning("giving.under_attack", campaign=slug, sign=after.sign, hint="see “Protection” in the admin")
            elif before.began_at and not after.began_at:
                log.warning("giving.quiet_again", campaign=slug, since=before.began_at.isoformat(timespec="seconds"))
