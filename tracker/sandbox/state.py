"""What the sandbox remembers: every object, the mode it lives in, the clock, and the file that outlives the process."""

import json
import random
import sqlite3
import string
import threading
import time
from bisect import bisect_left, insort
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tracker.sandbox.wire import missing

Body = dict[str, Any]

LETTERS = string.ascii_letters + string.digits


class Row:
    """One object: what callers may read in `body`, what only the sandbox knows in `hidden`."""

    __slots__ = ("body", "created", "hidden", "kind", "live", "seq")

    def __init__(self, kind: str, live: bool, created: int, seq: int, body: Body, hidden: Body) -> None:
        self.kind, self.live, self.created, self.seq = kind, live, created, seq
        self.body, self.hidden = body, hidden


class Store:
    """All objects of both modes in memory, written through to one SQLite file when there is one.

    One process owns the file. Everything happens inside `acting`, which holds the lock, says on whose behalf
    (mode, request), and saves what changed when the outermost one ends; so a killed process loses at most the
    answer it had not yet given.
    """

    def __init__(self, file: Path | None = None) -> None:
        self.lock = threading.RLock()
        self.rows: dict[str, Row] = {}
        self.order: dict[tuple[str, bool], list[tuple[int, int, str]]] = {}
        self.live = False
        self.request: Body = {"id": None, "idempotency_key": None}
        self.held: int | None = None  # the clock as somebody set it; None follows real time
        self.settles_in, self.rates = "usd", dict[str, float]()  # without a rate a currency has a balance of its own
        self.saving = True
        self.open: set[str] = set()  # Checkout Sessions that somebody may still pay, or that may expire
        self._moment: int | None = None  # the clock of the test clock being served
        self._depth = 0
        self._seq = 0
        self._dirty: set[str] = set()
        self._gone: set[str] = set()
        self._random = random.Random()  # noqa: S311
        self._file = _opened(file) if file else None
        if self._file:
            self._load(self._file)

    # --- the clock

    def now(self) -> int:
        if self._moment is not None:
            return self._moment
        return int(time.time()) if self.held is None else self.held

    @contextmanager
    def at(self, moment: int | None) -> Iterator[None]:
        """Inside, it is `moment`; None changes nothing."""
        saved = self._moment
        self._moment = saved if moment is None else moment
        try:
            yield
        finally:
            self._moment = saved

    # --- on whose behalf

    @contextmanager
    def acting(self, live: bool | None = None, request: str | None = None, key: str | None = None) -> Iterator[None]:
        with self.lock:
            saved = self.live, self.request
            self.live = self.live if live is None else live
            if request:
                self.request = {"id": request, "idempotency_key": key}
            self._depth += 1
            try:
                yield
            finally:
                self._depth -= 1
                self.live, self.request = saved
                if self._depth == 0 and self.saving:
                    self.save()

    # --- objects

    def new_id(self, prefix: str, length: int = 24) -> str:
        return prefix + "".join(self._random.choices(LETTERS, k=length))

    def add(self, kind: str, body: Body, **hidden: Any) -> Body:
        self._seq += 1
        created = body.get("created", self.now())
        row = Row(kind, self.live, created, self._seq, body, hidden)
        self.rows[body["id"]] = row
        insort(self.order.setdefault((kind, row.live), []), (created, row.seq, body["id"]))
        self._dirty.add(body["id"])
        self._gone.discard(body["id"])
        return body

    def find(self, kind: str, wanted: str, param: str = "id") -> Body:
        row = self.rows.get(wanted)
        if row is None or row.kind != kind or row.live != self.live:
            missing(kind, wanted, param)
        return row.body

    def read(self, wanted: str | None) -> Body | None:
        row = self.rows.get(wanted or "")
        return row.body if row and row.live == self.live else None

    def hidden(self, wanted: str) -> Body:
        """What only the sandbox knows of an object. Whoever changes it says so with `touch`."""
        return self.rows[wanted].hidden

    def touch(self, wanted: str) -> None:
        self._dirty.add(wanted)

    def change(self, body: Body, **fields: Any) -> Body:
        """Set fields of an object and hand back what they were, as an event's `previous_attributes` wants them."""
        before = {name: body.get(name) for name, value in fields.items() if body.get(name) != value}
        body.update(fields)
        self._dirty.add(body["id"])
        return before

    def remove(self, wanted: str) -> None:
        row = self.rows.pop(wanted)
        order = self.order[row.kind, row.live]
        del order[bisect_left(order, (row.created, row.seq, wanted))]
        self._dirty.discard(wanted)
        self._gone.add(wanted)

    def newest(self, kind: str, live: bool | None = None) -> Iterator[Body]:
        order = self.order.get((kind, self.live if live is None else live), ())
        return (self.rows[wanted].body for _, _, wanted in reversed(order))

    def later(self, delay: str, what: str, wanted: str, **more: Any) -> None:
        """Something Stripe does by itself a little later: `what` happens to the object `wanted`."""
        job = {"id": self.new_id("job_"), "created": self.now(), "started": time.time()}
        self.add("_job", job | {"delay": delay, "what": what, "object": wanted, "more": more})

    # --- the file

    def fact(self, name: str, value: Any) -> None:
        """Remember something about the sandbox itself, such as a clock that was set."""
        if self._file and self.saving:
            self._file.execute("INSERT OR REPLACE INTO fact VALUES (?, ?)", (name, json.dumps(value)))

    def save(self) -> None:
        if self._file and (self._dirty or self._gone):
            dump = json.dumps
            rows = ((wanted, self.rows[wanted]) for wanted in self._dirty)
            with self._file:
                self._file.execute("BEGIN")
                self._file.executemany(
                    "INSERT OR REPLACE INTO object VALUES (?, ?, ?, ?, ?, ?, ?)",
                    ((w, r.kind, r.live, r.created, r.seq, dump(r.body), dump(r.hidden)) for w, r in rows),
                )
                self._file.executemany("DELETE FROM object WHERE id = ?", ((wanted,) for wanted in self._gone))
        self._dirty.clear()
        self._gone.clear()

    def close(self) -> None:
        with self.lock:
            self.save()
            if self._file:
                self._file.close()
                self._file = None

    def _load(self, file: sqlite3.Connection) -> None:
        for wanted, kind, live, created, seq, body, hidden in file.execute(
            "SELECT * FROM object ORDER BY created, seq"
        ):
            self.rows[wanted] = Row(kind, bool(live), created, seq, json.loads(body), json.loads(hidden))
            self.order.setdefault((kind, bool(live)), []).append((created, seq, wanted))
            self._seq = max(self._seq, seq)
            if kind == "checkout.session" and self.rows[wanted].body["status"] == "open":
                self.open.add(wanted)
        facts = {name: json.loads(value) for name, value in file.execute("SELECT name, value FROM fact")}
        self.held = facts.get("clock")
        self.settles_in, self.rates = facts.get("settles", ["usd", {}])


def _opened(file: Path) -> sqlite3.Connection:
    file.parent.mkdir(parents=True, exist_ok=True)
    opened = sqlite3.connect(file, check_same_thread=False, isolation_level=None)
    # A write-ahead log without a sync at each commit survives a killed process; only a power cut could cost the last
    # seconds, which is a fair price for a stand-in.
    opened.execute("PRAGMA journal_mode = WAL")
    opened.execute("PRAGMA synchronous = NORMAL")
    opened.execute(
        "CREATE TABLE IF NOT EXISTS object (id TEXT PRIMARY KEY, kind TEXT, live INTEGER, created INTEGER,"
        " seq INTEGER, body TEXT, hidden TEXT)"
    )
    opened.execute("CREATE TABLE IF NOT EXISTS fact (name TEXT PRIMARY KEY, value TEXT)")
    return opened
