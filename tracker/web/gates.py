"""Gates in front of every page: a few requests of each kind pass at once, and the others wait in line.

Python computes in one thread at a time. A hundred threads that all want to mostly swap places, hundreds of times for each page:
pages stop, and readers of the bar, whose answer is ready, wait behind all of them.
"""

import io
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable
from typing import Any, cast

from flask import Flask, Response, current_app, request
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import get_content_length, get_input_stream

from tracker.web import errors
from tracker.web.body_limits import LONGEST_FORM_SIGNED_IN, take_out_what_is_too_long
from tracker.web.response_cache import MADE_AHEAD_OF_READERS, PATHS

# How many requests of each kind are worked on at once, and how many more may wait in line. A second one computes while the
# first waits for the database; more than that are no faster. Each kind has its own, so that none waits behind another.
PLACES = {
    "pages": (2, 400),
    "forms": (2, 60),
    # Some of the editors' pages take seconds.
    "newsroom": (4, 60),
    # Only what is not in memory: most answers are (tracker/web/response_cache.py).
    "bar": (2, 60),
    "files": (2, 150),
    "health": (2, 60),
    # Those who are still sending a form, or an event of Stripe's. They may never finish.
    "senders": (256, 0),
    "hook senders": (256, 0),
}
# How long a request waits in line, in seconds, and after how many it is asked to come back.
PATIENCE_SECONDS = 10.0
RETRY_SECONDS = 10
# How long a request that finds the line full waits for that answer.
REFUSAL_SECONDS = 2.0

_GATE = "tracker.gate"


class Gate:
    """Lets `at_once` requests pass, and `in_line` more wait: first come, first served."""

    def __init__(self, at_once: int, in_line: int) -> None:
        self._free = at_once
        self._in_line = in_line
        self._line: deque[threading.Lock] = deque()
        self._lock = threading.Lock()

    def enter(self) -> bool:
        """Waits for a place, which `leave` gives back. False if the line is full, or too slow."""
        with self._lock:
            if self._free:
                self._free -= 1
                return True
            if len(self._line) >= self._in_line:
                return False
            called = threading.Lock()
            called.acquire()
            self._line.append(called)
        if called.acquire(timeout=PATIENCE_SECONDS):
            return True
        with self._lock:
            if called not in self._line:
                # It was called at the very moment its patience ended.
                return True
            self._line.remove(called)
            return False

    def leave(self) -> None:
        """Gives the place to the first in line."""
        with self._lock:
            if self._line:
                self._line.popleft().release()
            else:
                self._free += 1


class Gates:
    """The app behind its gates. It reads what is sent before a request enters one, since a sender may be slow."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.pages = app.wsgi_app
        self.gates = {kind: Gate(*places) for kind, places in PLACES.items()}
        self._busy: dict[str, Response] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        take_out_what_is_too_long(environ)
        path = environ["PATH_INFO"]
        if MADE_AHEAD_OF_READERS in environ:
            return self.pages(environ, start_response)
        gate = self.gates[_kind(path, environ["REQUEST_METHOD"])]
        if not (self._take_body(environ) and gate.enter()):
            # Programs ask again at once. If they were answered at once, they would keep the interpreter busy.
            time.sleep(REFUSAL_SECONDS)
            return self._too_busy(path)(environ, start_response)
        environ[_GATE] = gate
        try:
            return self.pages(environ, start_response)
        finally:
            _leave(environ)

    def _take_body(self, environ: dict[str, Any]) -> bool:
        """Reads the body into memory. False if too many others are still sending theirs."""
        length = get_content_length(environ)
        if length == 0 or (length is None and "HTTP_TRANSFER_ENCODING" not in environ):
            return True
        path, method = environ["PATH_INFO"], environ["REQUEST_METHOD"]
        if (length or 0) > LONGEST_FORM_SIGNED_IN or not self.app.url_map.bind("here").test(path, method):
            # Nobody will read it.
            return True
        senders = self.gates["senders"]
        if not senders.enter():
            return False
        body = b""
        try:
            body = get_input_stream(environ, max_content_length=LONGEST_FORM_SIGNED_IN).read()
        except RequestEntityTooLarge:
            # It came in chunks, without its length.
            length = LONGEST_FORM_SIGNED_IN + 1
        except ClientDisconnected:
            # The form will be found too short.
            pass
        finally:
            senders.leave()
        environ.pop("HTTP_TRANSFER_ENCODING", None)
        environ |= {"wsgi.input": io.BytesIO(body), "CONTENT_LENGTH": str(len(body) if length is None else length)}
        return True

    def _too_busy(self, path: str) -> Response:
        """The page that says so. It is made once, since it must cost next to nothing."""
        alike = _alike(path)
        if alike not in self._busy:
            with self.app.test_request_context(alike):
                self._busy[alike] = self.app.process_response(errors.too_busy(RETRY_SECONDS))
        return self._busy[alike]


def _kind(path: str, method: str) -> str:
    if path in ("/healthz", "/readyz", "/metrics"):
        return "health"
    if path.startswith(("/static/", "/admin/fs-static/")):
        return "files"
    if path.startswith(PATHS):
        return "bar"
    if path.startswith("/admin"):
        return "newsroom"
    return "forms" if method == "POST" else "pages"


def _alike(path: str) -> str:
    """One address for all that show an error in the same way: as a page, a frame, JSON or a line of text."""
    start = "/embed/bar" if path.startswith("/embed/") else "/page"
    if path.endswith(".json") or path == "/oembed":
        return start + ".json"
    return start + ".txt" if path.endswith(".txt") else start


def leave_gate() -> None:
    """Gives this request's place to the next one, before it waits for somebody else: Stripe, another site, a file."""
    _leave(request.environ)


def _leave(environ: dict[str, Any]) -> None:
    gate: Gate | None = environ.pop(_GATE, None)
    if gate:
        gate.leave()


def hook_senders() -> Gate:
    """The places of those who are still sending an event of Stripe's."""
    return cast(Gates, current_app.extensions["gates"]).gates["hook senders"]
