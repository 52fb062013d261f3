"""Gates: a few requests of each kind are worked on at once, and the others wait in line.

Python computes in one thread at a time. A hundred threads that all want to mostly swap places: pages stop, and readers of
the bar, whose answer is ready, wait behind all of them. A second request computes while the first waits for the database;
more than that are no faster.
"""

import threading
from collections import deque
from typing import cast

from flask import Flask, Response, current_app, request

from tracker.settings import HOOK
from tracker.web import errors
from tracker.web.cache.answers import MADE_AGAIN, PATHS

# How many of each kind at once, and how many more may wait. Each kind has its own, so that none waits behind another.
PLACES = {
    "pages": (2, 400),
    "forms": (2, 60),
    # Some of the editors' pages take seconds.
    "newsroom": (4, 60),
    # Only what is not in memory: most answers are (tracker/web/cache/answers.py). After a start all readers of an article come
    # for the same one.
    "bar": (2, 200),
}
# These wait for nobody.
FREE = ("/healthz", "/readyz", "/static/", "/admin/fs-static/", HOOK)
# How long a request waits in line, in seconds, and after how many it is asked to come back.
PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 10

_GATE = "tracker.gate"


class Gate:
    """Lets `at_once` requests pass, and `in_line` more wait: first come, first served."""

    def __init__(self, at_once: int, in_line: int) -> None:
        self._free = at_once
        self._in_line = in_line
        self._line: deque[threading.Event] = deque()
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Waits for a place, which `leave` gives back. False if the line is full, or too slow."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._line) >= self._in_line:
                return False
            called = threading.Event()
            self._line.append(called)
        if called.wait(PATIENCE_SECONDS):
            return True
        with self._lock:
            if called not in self._line:
                # It was called at the very moment its patience ended.
                return True
            self._line.remove(called)
            return False

    def leave(self) -> None:
        """Gives the place to the first in line. With a plain semaphore whoever has just come would take it."""
        with self._lock:
            if self._line:
                self._line.popleft().set()
            else:
                self._free += 1


def init_app(app: Flask) -> None:
    """After the body was taken in, since a sender may be slow, and before anything else."""
    app.extensions["gates"] = {kind: Gate(*places) for kind, places in PLACES.items()}
    app.before_request(_enter)
    app.teardown_request(lambda _: leave_gate())


def _enter() -> Response | None:
    kind = _kind(request.path, request.method)
    if not kind or MADE_AGAIN in request.environ:
        return None
    gate = cast(dict[str, Gate], current_app.extensions["gates"])[kind]
    if not gate.enter():
        return errors.too_busy(RETRY_SECONDS)
    request.environ[_GATE] = gate
    return None


def _kind(path: str, method: str) -> str:
    if path.startswith(FREE):
        return ""
    if path.startswith(PATHS):
        return "bar"
    if path.startswith("/admin"):
        return "newsroom"
    return "forms" if method == "POST" else "pages"


def leave_gate() -> None:
    """Gives this request's place to the next one, before it waits for somebody else: Stripe, another site, a file."""
    gate: Gate | None = request.environ.pop(_GATE, None)
    if gate:
        gate.leave()
