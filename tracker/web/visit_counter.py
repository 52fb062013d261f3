"""Counts loads and clicks in memory and writes them down now and then: no cookie, no address, nothing about who."""

import itertools
import threading
from datetime import datetime
from typing import cast

from flask import current_app

from tracker.ledger import visits as ledger
from tracker.ledger.store import writing

# One short write for all that was counted meanwhile. A process that is killed forgets so much.
WRITE_SECONDS = 10
# Strangers can write any article into an address; beyond so many at a time they are counted together.
MOST_COUNTERS = 5000

Key = tuple[str, str, str, str]


class Counter:
    """Counts from many threads without a lock: one step of an iterator cannot be interrupted."""

    def __init__(self) -> None:
        self._steps = itertools.count()
        self._taken = 0

    def one_more(self) -> None:
        next(self._steps)

    def take(self) -> int:
        """How many came since it was last asked. One thread at a time may ask."""
        now = next(self._steps)
        new, self._taken = now - self._taken, now + 1
        return new


def visits() -> "Visits":
    return cast(Visits, current_app.extensions["visits"])


class Visits:
    """The counts of one process, by campaign, carrier, source and place."""

    def __init__(self) -> None:
        self._counters: dict[Key, Counter] = {}
        self._lock = threading.Lock()
        # Whoever writes may wait for the database; whoever counts must not wait for them.
        self._writing = threading.Lock()
        self._unwritten: dict[Key, int] = {}

    def counter(self, slug: str, carrier: str, source: str, place: str) -> Counter:
        """What counts one carrier's loads, or the clicks, from one place on one article."""
        with self._lock:
            key = (slug, carrier, source, place)
            if key not in self._counters and len(self._counters) >= MOST_COUNTERS:
                key = (slug, carrier, *ledger.OTHERS)
            return self._counters.setdefault(key, Counter())

    def write(self, moment: datetime) -> None:
        """Writes down what was counted since the last time. Raises SQLAlchemyError, and then keeps it for the next."""
        with self._writing:
            with self._lock:
                counters = list(self._counters.items())
            for key, counter in counters:
                if new := counter.take():
                    self._unwritten[key] = self._unwritten.get(key, 0) + new
            if not self._unwritten:
                return
            with writing() as connection:
                ledger.add(connection, self._unwritten, moment)
            self._unwritten = {}
