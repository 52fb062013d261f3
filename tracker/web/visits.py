"""Counts loads and clicks in memory and writes them down now and then: no cookie, no address, nothing about who."""

import itertools
import threading
from collections.abc import Mapping
from typing import Any
from urllib.parse import parse_qs

from tracker.giving.looks import tidy

# Strangers can write any source into an address; beyond so many at a time they are counted together.
MOST_SOURCES = 1000
OTHERS = "(others)"

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


class Visits:
    """The counts of one process, by campaign, carrier, source and place."""

    def __init__(self) -> None:
        self._counters: dict[Key, Counter] = {}
        self._lock = threading.Lock()

    def counter(self, slug: str, carrier: str, environ: Mapping[str, Any]) -> Counter:
        """The counter of one carrier for the source and the place that an address names."""
        asked = parse_qs(environ.get("QUERY_STRING", ""), max_num_fields=40) if environ.get("QUERY_STRING") else {}
        source, place = tidy(asked.get("src", [""])[0], 64), tidy(asked.get("pos", [""])[0], 20)
        with self._lock:
            key = (slug, carrier, source, place)
            if key not in self._counters and len(self._counters) >= MOST_SOURCES:
                key = (slug, carrier, OTHERS, "")
            return self._counters.setdefault(key, Counter())

    def take(self) -> dict[Key, int]:
        """What was counted since it was last asked, by (slug, carrier, source, place)."""
        with self._lock:
            counters = dict(self._counters)
        return {key: new for key, counter in counters.items() if (new := counter.take())}
