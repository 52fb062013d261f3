"""A running sandbox, the real SDK pointed at it, and a webhook endpoint that remembers what it was told."""

import json
import re
import threading
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import stripe
from werkzeug.serving import WSGIRequestHandler, make_server

from tracker.sandbox import Sandbox, create_sandbox

SECRET = "whsec_of_the_tests"


class Quiet(WSGIRequestHandler):
    def log(self, *args: Any) -> None:
        pass


class Stay(urllib.request.HTTPRedirectHandler):
    def redirect_request(self, *args: Any, **kwargs: Any) -> None:
        return None


@dataclass
class Page:
    status: int
    text: str
    location: str | None


@dataclass
class Server:
    """A sandbox at an address, and what tests do with it."""

    url: str
    sandbox: Sandbox
    client: stripe.StripeClient

    def another_client(self, key: str, **options: Any) -> stripe.StripeClient:
        return stripe.StripeClient(key, base_addresses={"api": self.url}, **options)

    def gift(self, amount: int = 1000, monthly: bool = False, currency: str = "usd", **more: Any) -> Any:
        """An open Checkout Session for a gift."""
        metadata = {"campaign": "newsroom"}
        price: dict[str, Any] = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Donation"}}
        if monthly:
            price["recurring"] = {"interval": "month"}
        params = {
            "mode": "subscription" if monthly else "payment",
            "submit_type": "donate",
            "metadata": metadata,
            "line_items": [{"quantity": 1, "price_data": price}],
            "success_url": "https://news.example/thanks?session_id={CHECKOUT_SESSION_ID}",
            "cancel_url": "https://news.example/",
            "subscription_data" if monthly else "payment_intent_data": {"metadata": metadata},
        }
        return self.client.v1.checkout.sessions.create(params | more)  # type: ignore[arg-type]

    def visit(self, url: str, form: dict[str, str] | None = None) -> Page:
        """Open an address as a browser would, without following redirects."""
        body = urllib.parse.urlencode(form).encode() if form is not None else None
        opener = urllib.request.build_opener(Stay(), urllib.request.ProxyHandler({}))
        try:
            with opener.open(urllib.request.Request(url, body), timeout=10) as answer:
                return Page(answer.status, answer.read().decode(), None)
        except urllib.error.HTTPError as error:
            with error:
                return Page(error.code, error.read().decode(), error.headers.get("Location"))

    def pay(self, session: Any, card: str = "4242 4242 4242 4242", **more: str) -> Page:
        form = {"email": "donor@example.org", "card_number": card, "expiry": "12 / 34", "cvc": "123"}
        return self.visit(f"{self.url}/pay/{session.id}", form | more)

    def debit(self, session: Any, iban: str) -> Page:
        return self.visit(f"{self.url}/pay/{session.id}", {"email": "donor@example.org", "iban": iban})

    def lever(self, name: str, **given: Any) -> Any:
        """Pull one of the sandbox's own levers."""
        wanted = urllib.request.Request(
            f"{self.url}/_control/{name}", json.dumps(given).encode(), {"Content-Type": "application/json"}
        )
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(wanted, timeout=10) as answer:
            return json.load(answer)

    def lever_get(self, name: str) -> Any:
        return self.raw("GET", f"/_control/{name}")[2]

    def hurry(self) -> None:
        """Let everything happen that Stripe would do a little later."""
        self.sandbox.run_due(hurry=True)

    def events(self) -> list[str]:
        """The types of all events so far, oldest first."""
        return [event.type for event in self.client.v1.events.list({"limit": 100}).data][::-1]

    def event(self, kind: str) -> dict[str, Any]:
        """The newest event of a type."""
        return self.client.v1.events.list({"type": kind, "limit": 1}).data[0].to_dict()

    def raw(self, method: str, path: str, body: str = "", **headers: str) -> tuple[int, dict[str, str], Any]:
        """One request as it stands on the wire: status, headers and JSON."""
        usual = {"Authorization": "Bearer sk_test_raw", "Content-Type": "application/x-www-form-urlencoded"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        wanted = urllib.request.Request(self.url + path, body.encode() or None, usual | named, method=method)
        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        try:
            with opener.open(wanted, timeout=10) as answer:
                return answer.status, dict(answer.headers), json.load(answer)
        except urllib.error.HTTPError as error:
            with error:
                return error.code, dict(error.headers), json.load(error)


@pytest.fixture
def sandbox_server(monkeypatch: pytest.MonkeyPatch) -> Iterator[Server]:
    monkeypatch.setattr(stripe, "enable_telemetry", False)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")
    sandbox = Sandbox()
    server = make_server("127.0.0.1", 0, create_sandbox(sandbox), threaded=True, request_handler=Quiet)
    url = f"http://127.0.0.1:{server.server_port}"
    sandbox.public_url = url
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    transport = stripe.RequestsClient(timeout=10)
    client = stripe.StripeClient("sk_test_tests", base_addresses={"api": url}, http_client=transport)
    yield Server(url, sandbox, client)
    transport.close()
    server.shutdown()
    thread.join()
    server.server_close()
    sandbox.close()


@dataclass
class Listener:
    """An endpoint that keeps every delivery; `answers` are given first, then 200."""

    url: str = ""
    taken: list[dict[str, Any]] = field(default_factory=list)
    answers: list[int] = field(default_factory=list)

    def wait(self, count: int, seconds: float = 8) -> list[dict[str, Any]]:
        return self.until(lambda: len(self.taken) >= count, seconds)

    def until(self, done: Callable[[], bool], seconds: float = 8) -> list[dict[str, Any]]:
        end = time.monotonic() + seconds
        while not done():
            assert time.monotonic() < end, f"only {[entry['event']['type'] for entry in self.taken]}"
            time.sleep(0.01)
        return self.taken

    def types(self) -> list[str]:
        return [entry["event"]["type"] for entry in self.taken]


@pytest.fixture
def listener() -> Iterator[Listener]:
    heard = Listener()

    class Ear(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            status = heard.answers.pop(0) if heard.answers else 200
            kept = {"body": body, "headers": dict(self.headers), "event": json.loads(body), "status": status}
            heard.taken.append(kept)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def log_message(self, *args: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Ear)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    heard.url = f"http://127.0.0.1:{server.server_port}/hook"
    yield heard
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def sending(sandbox_server: Server, listener: Listener) -> Iterator[Server]:
    """The server with a fast sender and an endpoint that hears everything."""
    sandbox_server.sandbox.add_webhook(listener.url, SECRET)
    sandbox_server.sandbox.speed = 50
    sandbox_server.sandbox.start_sender()
    yield sandbox_server
    sandbox_server.sandbox.stop_sender()


def plain(html: str) -> str:
    """A page's words without its markup."""
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html))
