"""Serves the app with granian: plenty of threads, and a clear sentence when it cannot start."""

import errno
import gc
import resource
import socket

import structlog
from flask import Flask
from granian import Granian
from granian.constants import HTTPModes, Interfaces, RuntimeModes

from tracker import create_app
from tracker.ledger import store
from tracker.server.log import GRANIAN, log_as_json
from tracker.server.reload import ReloadedSettings
from tracker.settings import Settings, SettingsError
from tracker.web.site import VERSION

log = structlog.get_logger()

# For each process. Both cost something only while they are used: a thread that waits a fifth of a megabyte, an idle
# connection next to nothing. Hundreds may wait at the gates (tracker/web/gates.py), and the bar's readers, whose answer is
# ready, must find a thread beside them.
THREADS = 1024
CONNECTIONS = 4096


class PortTaken(Exception):
    """The port cannot be listened on; the text says so in a line."""


def worker_app(settings: Settings) -> Flask:
    """What each worker process runs."""
    log_as_json()
    app = create_app(settings)
    app.extensions["background"].start()
    # What is here now stays. Looking through all of it for garbage would hold up every reader for a tenth of a second.
    gc.collect()
    gc.freeze()
    return app


def check_start(settings: Settings) -> None:
    """Raises SettingsError with a sentence when serving would not work, rather than letting a supporter find out."""
    app = create_app(settings, background=False)
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
    _allow_many_files()
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
    reloading = ReloadedSettings(settings, worker_app, check_start)
    server = Granian(
        "tracker.server.serve:worker_app",
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        backpressure=CONNECTIONS,
        blocking_threads=THREADS,
        runtime_mode=RuntimeModes.st,
        http=HTTPModes.http1,
        websockets=False,
        log_access=False,
        log_dictconfig=GRANIAN,
        respawn_failed_workers=True,
    )
    server.on_reload(reloading.read_again)
    server.serve(target_loader=reloading, wrap_loader=False)


def _allow_many_files() -> None:
    """A connection counts as a file, and many systems allow a program only a thousand unless it asks for more."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = 2 * CONNECTIONS if hard == resource.RLIM_INFINITY else min(hard, 2 * CONNECTIONS)
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
