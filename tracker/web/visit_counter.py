"""Counts loads and clicks in memory and saves them every few seconds: no cookie, no address, nothing about who."""

import threading
from collections import Counter
from datetime import datetime
from typing import cast

from flask import current_app

from tracker.ledger import visits as ledger
from tracker.ledger.store import writing

# One short write for all that was counted meanwhile. A process that is killed forgets so much.
WRITE_SECONDS = 10
# Strangers can write any article into an address; beyond so many at a time they are counted together.
MOST_KINDS = 5000

Kind = tuple[str, str, str, str]
"""A campaign's slug, the carrier or `click`, the source and the place."""


def visits() -> "Visits":
    return cast(Visits, current_app.extensions["visits"])


class Visits:
    """The counts of one process that are not saved yet."""

    def __init__(self) -> None:
        self._counts: Counter[Kind] = Counter()
        self._lock = threading.Lock()

    def count(self, kind: Kind) -> None:
        """One more load or click."""
        with self._lock:
            if kind not in self._counts and len(self._counts) >= MOST_KINDS:
                kind = (*kind[:2], *ledger.OTHERS)
            self._counts[kind] += 1

    def write(self, moment: datetime) -> None:
        """Saves what was counted since the last time. Raises SQLAlchemyError, and then keeps it for the next."""
        with self._lock:
            counts, self._counts = self._counts, Counter()
        if not counts:
            return
        try:
            with writing() as session:
                ledger.add(session, counts, moment)
        except BaseException:
            with self._lock:
                self._counts.update(counts)
            raise
