"""This process, as the operator's doctor sees it: its id, and what it noticed, saved every minute."""

import os
import socket
import threading
import uuid
from collections import Counter
from datetime import datetime, timedelta
from typing import Any, cast

import structlog
from flask import current_app

from tracker.ledger import nodes
from tracker.ledger.store import writing
from tracker.settings import Settings
from tracker.web.site import VERSION, now

log = structlog.get_logger()

# One short write for all that was noticed meanwhile; sooner for the first of a kind, of which there are few.
WRITE_SECONDS = 60.0
# Who was not heard of for so long is not running any more.
GONE = timedelta(seconds=3 * WRITE_SECONDS)
AS_TOLD = "as told"
# Only our own words are counted; more kinds than that would be a fault here, and must not fill the row.
MOST_KINDS = 20


def node() -> "Node":
    return cast(Node, current_app.extensions["node"])


class Node:
    """One process: counts in memory, from many threads, and writes them into its row."""

    def __init__(self, settings: Settings) -> None:
        self.settings = settings
        self.begin(now())
        self._lock = threading.Lock()
        self._proxies: dict[str, int] = {}
        self._refused: dict[str, dict[str, Any]] = {}
        self._answers: Counter[str] = Counter()
        self.news = threading.Event()
        """Set when something is noticed for the first time, which the operator is to hear of soon."""

    def begin(self, moment: datetime) -> None:
        """In the process itself: two that were forked from one are two."""
        self.id = uuid.uuid4().hex
        self._started = moment

    def note_proxies(self, seen: str) -> None:
        """One more request that came as the settings say, or otherwise: through so many proxies, `silent`, or `junk`."""
        with self._lock:
            new = self._count(self._proxies, seen)
        if new and seen != AS_TOLD:
            told = "one on this machine" if self.settings.proxies is None else self.settings.proxies
            log.error("proxies.not_as_told", told=told, seen=seen, hint="see “tracker doctor”; set TRACKER_PROXIES")
            self.news.set()

    def note_answer(self, status: int) -> None:
        """One more answer of the kind `2xx`, `3xx`, and so on."""
        with self._lock:
            self._answers[f"{status // 100}xx"] += 1

    @staticmethod
    def _count(counts: dict[str, int], kind: str) -> bool:
        """Counts one more; says whether it is the first of its kind."""
        if kind not in counts and len(counts) >= MOST_KINDS:
            return False
        counts[kind] = counts.get(kind, 0) + 1
        return counts[kind] == 1

    def note_refused(self, reason: str, moment: datetime) -> None:
        """One more delivery that was not Stripe's, and why. Keeps only a number and two times for each reason."""
        at = moment.isoformat()
        with self._lock:
            if reason not in self._refused and len(self._refused) >= MOST_KINDS:
                return
            kept = self._refused.setdefault(reason, {"count": 0, "since": at})
            kept |= {"count": kept["count"] + 1, "newest": at}
        if kept["count"] == 1:
            self.news.set()

    def write(self, moment: datetime, *, ended: bool = False) -> None:
        """Writes what is known of this process into the database. Raises SQLAlchemyError."""
        with self._lock:
            noted = {
                "proxies": {"told": self.settings.proxies, "seen": dict(self._proxies)},
                "refused": {reason: dict(kept) for reason, kept in self._refused.items()},
                "answers": dict(self._answers),
            }
        row = nodes.Node(
            id=self.id,
            host=socket.gethostname()[:255],
            pid=os.getpid(),
            version=VERSION[:40],
            key_mark=self.settings.key_mark,
            limits=self.settings.limits_url.partition(":")[0][:40],
            started_at=self._started,
            seen_at=moment,
            ended=ended,
            noted=noted,
        )
        with writing() as connection:
            nodes.write(connection, row)

    def write_end(self, moment: datetime) -> None:
        """The last word of a process."""
        self.write(moment, ended=True)
