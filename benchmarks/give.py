"""What the give request costs over the bare SDK call that it makes, against the same sandbox over HTTP."""

import secrets
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path

import stripe
import structlog
from werkzeug.serving import WSGIRequestHandler, make_server

from tracker import create_app
from tracker.demo.run import LIVE
from tracker.gateway.checkout import Order, session_params
from tracker.giving.tiers import Choice
from tracker.ledger import campaigns, store
from tracker.sandbox import Sandbox, create_sandbox
from tracker.settings import read_settings
from tracker.web.forms import _signer

ROUNDS, CALLS = 9, 60


class Quiet(WSGIRequestHandler):
    protocol_version = "HTTP/1.1"  # keeps connections, as Stripe does

    def log(self, *_: object) -> None:
        pass


def measure() -> Iterator[str]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    sandbox = Sandbox()
    server = make_server("127.0.0.1", 0, create_sandbox(sandbox), threaded=True, request_handler=Quiet)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    address = f"http://127.0.0.1:{server.server_port}"
    sandbox.public_url = address
    with tempfile.TemporaryDirectory() as folder:
        settings = read_settings(
            {
                "TRACKER_INSTANCE": folder,
                "TRACKER_SECRET_KEY": secrets.token_hex(32),
                "TRACKER_GIVE_LIMIT": "1000000 per minute",
                "STRIPE_SECRET_KEY": "sk_test_bench",
                "STRIPE_API_BASE": address,
            }
        )
        app = create_app(settings)
        with app.app_context():
            store.upgrade()
            with store.writing() as connection:
                campaigns.save(connection, replace(LIVE, slug="newsroom"))
        client = app.test_client()
        bare = stripe.StripeClient("sk_test_bench", base_addresses={"api": address})
        stripe.enable_telemetry = False

        def give() -> None:
            token = _signer(LIVE).dumps(secrets.token_urlsafe(12))
            answer = client.post("/c/newsroom/give", data={"frequency": "once", "tier_once": "1000", "token": token})
            assert answer.status_code == 303, answer.status_code

        def call() -> None:
            now = datetime.now(UTC)
            order = Order(LIVE, Choice("once", 1000, "1000"), "", now)
            bare.v1.checkout.sessions.create(session_params(order, settings.public_url, "", now))  # type: ignore[arg-type]

        with app.app_context():
            give()
            call()
            rounds = [(_each(give), _each(call)) for _ in range(ROUNDS)]
        assert Path(folder).exists()
    server.shutdown()
    server.server_close()
    sandbox.close()
    ratios = [a / b for a, b in rounds]
    yield f"| | median of {ROUNDS} rounds of {CALLS}, ms |"
    yield "| --- | --- |"
    yield f"| the give request, in the app | {statistics.median(a for a, _ in rounds) * 1000:.2f} |"
    yield f"| the bare SDK call | {statistics.median(b for _, b in rounds) * 1000:.2f} |"
    yield f"| **ratio** (median of the rounds' own) | **{statistics.median(ratios):.2f}** ({min(ratios):.2f}–{max(ratios):.2f}) |"


def _each(do: Callable[[], None]) -> float:
    began = time.perf_counter()
    for _ in range(CALLS):
        do()
    return (time.perf_counter() - began) / CALLS


if __name__ == "__main__":
    print(*measure(), sep="\n")
