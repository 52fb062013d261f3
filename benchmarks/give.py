"""What the give request costs over the bare SDK call that it makes, against the same sandbox over HTTP."""

import secrets
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import stripe
import structlog
from werkzeug.test import EnvironBuilder

from tracker import create_app
from tracker.demo.instance import LIVE
from tracker.gateway.checkout import Order, session_params
from tracker.giving.tiers import Choice
from tracker.ledger import campaigns, store
from tracker.settings import read_settings
from tracker.web.donate.give_form import _signer

ROUNDS, CALLS = 9, 60


@contextmanager
def sandbox() -> Iterator[str]:
    """The stand-in for Stripe in a process of its own, as it would be."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tracker", "sandbox", "--port", str(port)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        process.stdout.readline()
        yield f"http://127.0.0.1:{port}"
        process.terminate()


def measure() -> Iterator[str]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with sandbox() as address, tempfile.TemporaryDirectory() as folder:
        settings = read_settings(
            {
                "TRACKER_INSTANCE": folder,
                "TRACKER_SECRET_KEY": secrets.token_hex(32),
                "TRACKER_GIVE_LIMIT": "1000000 per minute",
                "TRACKER_GIVE_LIMIT_ALL": "999999999",
                "TRACKER_GIVE_SECONDS": "0",
                "STRIPE_SECRET_KEY": "sk_test_bench",
                "STRIPE_API_BASE": address,
            }
        )
        app = create_app(settings, background=False)
        with app.app_context():
            store.upgrade()
            with store.writing() as connection:
                campaigns.save(connection, replace(LIVE, slug="newsroom"))
        bare = stripe.StripeClient("sk_test_bench", base_addresses={"api": address})
        stripe.enable_telemetry = False

        def asked() -> dict[str, Any]:
            """A request as the server hands it to the app: making it is not the app's cost."""
            token = _signer(LIVE).dumps(secrets.token_urlsafe(12))
            form = {"frequency": "once", "tier_once": "1000", "token": token}
            return EnvironBuilder("/c/newsroom/give", method="POST", data=form).get_environ()

        def give(environ: dict[str, Any]) -> None:
            answers: list[str] = []
            with closing(app(environ, lambda status, _: answers.append(status))) as body:  # type: ignore[arg-type]
                b"".join(body)
            assert answers == ["303 SEE OTHER"], answers

        def call(_: dict[str, Any]) -> None:
            now = datetime.now(UTC)
            order = Order(LIVE, Choice("once", 1000, "1000"), "", now)
            bare.v1.checkout.sessions.create(session_params(order, settings.public_url, "", now))  # type: ignore[arg-type]

        with app.app_context():
            # As in a process that serves: what the page reads is kept until something is written.
            app.extensions["bars"].look(datetime.now(UTC))
            give(asked())
            call({})
            rounds = [(_each(give, asked), _each(call, asked)) for _ in range(ROUNDS)]
        app.extensions["gateway"].close()
        app.extensions["bars"].close()
    ratios = [a / b for a, b in rounds]
    yield f"| | median of {ROUNDS} rounds of {CALLS}, ms |"
    yield "| --- | --- |"
    yield f"| the give request, in the app | {statistics.median(a for a, _ in rounds) * 1000:.2f} |"
    yield f"| the bare SDK call | {statistics.median(b for _, b in rounds) * 1000:.2f} |"
    yield f"| **ratio** (median of the rounds' own) | **{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f}) |"


def _each(do: Callable[[dict[str, Any]], None], asked: Callable[[], dict[str, Any]]) -> float:
    requests = [asked() for _ in range(CALLS)]
    began = time.perf_counter()
    for one in requests:
        do(one)
    return (time.perf_counter() - began) / CALLS


if __name__ == "__main__":
    print(*measure(), sep="\n")
