"""Counts loads and clicks in memory and writes them down now and then: no cookie, no address, nothing about who."""

import itertools
import threading
from datetime import datetime
from multiprocessing.util import Finalize
from typing import cast

import structlog
from flask import Flask, current_app
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import database_errors
from tracker.ledger import visits as ledger
from tracker.ledger.store import writing
from tracker.web.site import now

log = structlog.get_logger()

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

    def __init__(self, app: Flask) -> None:
        self.app = app
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

    def watch(self) -> None:
        """Starts writing down, in a thread that ends with the process, which writes once more at its end."""
        threading.Thread(target=self._watch, name="visits", daemon=True).start()
        # A worker process ends without what atexit would do. Before the log, which goes last.
        Finalize(None, self._write_safely, exitpriority=1)

    def _watch(self) -> None:
        pause = threading.Event()
        while not pause.wait(WRITE_SECONDS):
            self._write_safely()

    def _write_safely(self) -> None:
        try:
            with self.app.app_context():
                self.write(now())
        except SQLAlchemyError as error:
            # Counted on; the next time may be better.
            log.warning("visits.not_written", **database_errors.named(error))
        except Exception:
            log.exception("visits.stumbled")

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
