"""Serves the app: granian with many threads, room kept for readers, and a clear word on a bad start."""

import errno
import gc
import io
import socket
import sys
import threading
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import Any

import structlog
from granian import Granian
from granian.constants import Interfaces, RuntimeModes

from tracker import create_app
from tracker.ledger import store
from tracker.log import GRANIAN, log_as_json
from tracker.reloading import Reloading
from tracker.settings import HOOK, Settings, SettingsError
from tracker.slices import compute_for
from tracker.web import LONGEST_BODY
from tracker.web.headers import usual
from tracker.web.prepared import PATHS, Prepared
from tracker.web.site import ASIDE, VERSION, gateway

log = structlog.get_logger()

# Threads cost nothing measurable while they wait, and readers must have some left whatever the others do: a thread that
# reads a form waits for its sender without a limit of time, and one that asks Stripe waits for Stripe.
THREADS = 128
FOR_READERS = 32
# How long a thread that computes keeps the others waiting, in seconds. Python's own five milliseconds would be felt by
# every reader while pages are made; at other times, changing threads so often only costs.
SWITCH_SECONDS, SWITCH_SECONDS_WITH_PAGES = 0.005, 0.0001
# The same for the system, which changes threads, too. Those that answer from memory are done sooner than any turn ends, and
# each that interrupts the one that woke it costs more than its own work; a page gives way to whoever awakes.
SLICE_SECONDS, SLICE_SECONDS_OF_PAGES = 0.01, 0.1
# Pages and forms take turns at computing, and the next ones wait for theirs, but not for ever. More at once would be no
# quicker, and a reader of the bar would wait behind all of them: which thread goes on next is a matter of chance.
PAGES_AT_ONCE = 1
TURN_SECONDS = 1.0


class PortTaken(Exception):
    """The port cannot be listened on; the text says so in a line."""


class ShortTurns:
    """While it is entered, by however many threads, Python changes threads often."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._inside = 0

    def __enter__(self) -> None:
        with self._lock:
            self._inside += 1
            sys.setswitchinterval(SWITCH_SECONDS_WITH_PAGES)

    def __exit__(self, *_: object) -> None:
        with self._lock:
            self._inside -= 1
            if not self._inside:
                sys.setswitchinterval(SWITCH_SECONDS)


class Turn:
    """A request's turn at computing, which it gives away while it waits for somebody else."""

    def __init__(self, turns: threading.BoundedSemaphore) -> None:
        self._turns = turns
        self._mine = False

    def __enter__(self) -> None:
        # Whoever has waited long enough goes on without: a page that hangs must not hold up the others.
        self._mine = self._turns.acquire(timeout=TURN_SECONDS)

    def __exit__(self, *_: object) -> None:
        if self._mine:
            self._mine = False
            self._turns.release()

    @contextmanager
    def aside(self) -> Iterator[None]:
        self.__exit__()
        try:
            yield
        finally:
            self.__enter__()


class RoomForReaders:
    """Lets only so many requests with a body in at once, and answers 503 to the others without reading theirs.

    Pages and forms take turns; the bar, whose answers are ready, never waits for one, nor does Stripe's hook.
    Stripe sends again, and a person is asked to. A proxy in front that takes bodies in whole, such as nginx, keeps slow
    senders away altogether.
    """

    def __init__(self, app: Prepared, most: int, headers: dict[str, str]) -> None:
        self.app = app
        self._refused = [
            *headers.items(), ("Content-Type", "text/plain; charset=utf-8"), ("Retry-After", "10"), ("Connection", "close")
        ]  # fmt: skip
        self._room = threading.BoundedSemaphore(most)
        self._turns = threading.BoundedSemaphore(PAGES_AT_ONCE)
        self._short = ShortTurns()

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["REQUEST_METHOD"] in ("GET", "HEAD"):
            if environ["PATH_INFO"].startswith(PATHS):
                return self.app(environ, start_response)
            return self._in_turn(environ, start_response)
        if not self._room.acquire(blocking=False):
            start_response("503 Service Unavailable", self._refused)
            return [b"Very many people are here just now. Nothing has been charged. Please try again in a minute.\n"]
        try:
            if environ["PATH_INFO"] == HOOK:
                return self.app(environ, start_response)
            # Its sender may be slow, and must not be so in a turn that others wait for.
            environ["wsgi.input"] = io.BytesIO(_read(environ["wsgi.input"], LONGEST_BODY + 1))
            return self._in_turn(environ, start_response)
        finally:
            self._room.release()

    def _in_turn(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        turn = Turn(self._turns)
        environ[ASIDE] = turn.aside
        compute_for(SLICE_SECONDS_OF_PAGES)
        try:
            with turn, self._short:
                return self.app(environ, start_response)
        finally:
            compute_for(SLICE_SECONDS)


def _read(body: Any, most: int) -> bytes:
    """A request's body, of which no more than so many bytes are taken."""
    pieces, left = [], most
    while left and (piece := body.read(left)):
        pieces.append(piece)
        left -= len(piece)
    return b"".join(pieces)


def worker_app(settings: Settings) -> RoomForReaders:
    """What each worker process runs: the app, with the bar's answers in front of it."""
    log_as_json()
    # Before any other thread is started: they take after this one.
    compute_for(SLICE_SECONDS)
    app = create_app(settings)
    app.extensions["bars"].watch()
    app.extensions["visits"].watch()
    app.extensions["fees"].start()
    app.extensions["node"].watch()
    # Stripe's client before the first donor, who would wait for it. Its thread gives way as pages do.
    compute_for(SLICE_SECONDS_OF_PAGES)
    with app.app_context():
        gateway()
    compute_for(SLICE_SECONDS)
    # What is here now stays: looking through all of it for garbage would hold up every reader for a tenth of a second.
    gc.collect()
    gc.freeze()
    return RoomForReaders(Prepared(app), THREADS - FOR_READERS, usual(app.extensions["settings"], {}))


def check_start(settings: Settings) -> None:
    """Raises SettingsError with a sentence when serving would not work, rather than letting a supporter find out."""
    app = create_app(settings)
    with app.app_context():
        problem = store.schema_problem()
    # Workers are forked from this process, and a connection must not be in two.
    store.close(app)
    if problem:
        raise SettingsError(problem)
    for name, value in (
        ("STRIPE_SECRET_KEY", settings.stripe_secret_key),
        ("STRIPE_WEBHOOK_SECRET", settings.stripe_webhook_secrets),
    ):
        if not value:
            raise SettingsError(f"{name} is not set: nobody could give. Set it in {settings.instance / 'tracker.env'}.")


def check_port(host: str, port: int) -> None:
    """Raises PortTaken when nothing can listen there."""
    try:
        family = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)[0][0]
        with socket.create_server((host, port), family=family):
            pass
    except OSError as error:
        if error.errno == errno.EADDRINUSE:
            raise PortTaken(f"Port {port} is in use by another program: choose one with --port.") from None
        raise PortTaken(f"Cannot listen on {host}, port {port}: {error.strerror}.") from None


def serve(host: str, port: int, workers: int, settings: Settings) -> None:
    """Serves until it is stopped."""
    log_as_json(at_once=True)
    log.info(
        "server.start",
        version=VERSION,
        mode="live" if settings.live else "test",
        database="SQLite" if settings.database_url.startswith("sqlite") else "PostgreSQL",
        address=f"http://{f'[{host}]' if ':' in host else host}:{port}",
        public_url=settings.public_url,
        workers=workers,
    )
    if workers > 1 and settings.limits_url.startswith("memory:"):
        log.warning(
            "limits.apart", hint="each worker counts rate limits for itself: set TRACKER_LIMITS_URL to share them"
        )
    reloading = Reloading(settings, worker_app, check_start)
    server = Granian(
        "tracker.serving:worker_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        runtime_mode=RuntimeModes.st,
        websockets=False,
        log_access=False,
        log_dictconfig=GRANIAN,
        respawn_failed_workers=True,
    )
    server.on_reload(reloading.read_again)
    server.serve(target_loader=reloading, wrap_loader=False)
