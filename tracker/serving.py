"""Serves the app: granian with many threads, one line of JSON for each event worth noting, and a clear word on a bad start."""

import errno
import socket
import sys

import structlog
from flask import Flask
from granian import Granian
from granian.constants import Interfaces, RuntimeModes

from tracker import create_app
from tracker.ledger import store
from tracker.settings import Settings, SettingsError
from tracker.web.prepared import Prepared

# Threads cost nothing measurable while they wait, and the bar must have some left when donors wait for Stripe.
THREADS = 64


class PortTaken(Exception):
    """The port cannot be listened on; the text says so in a line."""


def log_as_json() -> None:
    """One line of JSON for each event, on standard error. It carries ids, never people."""
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.PrintLoggerFactory(sys.stderr),
    )


def worker_app() -> Prepared:
    """What each worker process runs: the app, with the bar's answers in front of it."""
    log_as_json()
    app = create_app()
    app.extensions["bars"].watch()
    app.extensions["visits"].watch()
    return Prepared(app)


def check_start(app: Flask, settings: Settings) -> None:
    """Raises SettingsError with a sentence when serving would not work, rather than letting a supporter find out."""
    for name, value in (
        ("STRIPE_SECRET_KEY", settings.stripe_secret_key),
        ("STRIPE_WEBHOOK_SECRET", settings.stripe_webhook_secrets),
    ):
        if not value:
            raise SettingsError(f"{name} is not set: nobody could give. Set it in {settings.instance / 'tracker.env'}.")
    with app.app_context():
        problem = store.schema_problem()
    if problem:
        raise SettingsError(problem)


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


def serve(host: str, port: int, workers: int) -> None:
    """Serves until it is stopped."""
    Granian(
        "tracker.serving:worker_app",
        factory=True,
        address=host,
        port=port,
        interface=Interfaces.WSGI,
        workers=workers,
        blocking_threads=THREADS,
        runtime_mode=RuntimeModes.st,
        websockets=False,
        log_access=False,
        respawn_failed_workers=True,
    ).serve()
