"""Requests are taken under our own names alone, and each has an id that stands in its log lines and its answer."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
import structlog
from actors import Stripe, each, session
from flask import Flask
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from tracker import create_app
from tracker.ledger import store
from tracker.settings import Settings


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def client(app: Flask, settings: Settings) -> Iterator[FlaskClient]:
    hosts = ("give.example.org", "donate.example.net", "2001:db8::1")
    made = create_app(replace(settings, public_url="https://give.example.org", hosts=hosts), background=False)
    yield made.test_client()
    store.close(made)


PATHS = (
    "/",
    "/c/newsroom",
    "/embed/newsroom",
    "/embed/newsroom.json",
    "/admin",
    "/admin/login",
    "/static/page.css",
    "/nothing",
)


@each(
    "host",
    [
        "evil.example", "give.example.org.evil.example", "evil-give.example.org", "give.example.org@evil.example", "[::2]",
        "1.2.3.4", "evil.example:443", "give_example.org", "", "xn--bcher-kva.example", "127.0.0.1.evil.example", "[::1", "a b",
        "localhost.evil", "[::1]evil.example", "give.example.org:port",
    ],
)  # fmt: skip
def test_another_host_is_refused_and_not_repeated(client: FlaskClient, host: str) -> None:
    for path in PATHS:
        answer = client.get(path, headers={"Host": host})
        assert (path, answer.status_code) == (path, 400)
        assert answer.text == "This server is not known under that name.\n"
        assert "evil" not in str(answer.headers)
        assert answer.headers["X-Content-Type-Options"] == "nosniff"


@each(
    "host",
    ["give.example.org", "GIVE.example.org:443", "give.example.org.", "donate.example.net", "[2001:db8::1]:8443", "127.0.0.1:5000",
     "127.8.9.1", "localhost", "localhost:8080", "pledgebar.localhost", "[::1]:5000"],
)  # fmt: skip
def test_our_own_hosts_are_taken_at_any_port(client: FlaskClient, host: str) -> None:
    for path in ("/c/newsroom", "/embed/newsroom.json"):
        assert client.get(path, headers={"Host": host}).status_code == 200


@each("host", ["10.0.0.7:5000", "pod-7.cluster", "", "give_1"])
def test_probes_may_ask_by_address(client: FlaskClient, host: str) -> None:
    for path in ("/healthz", "/readyz"):
        assert client.get(path, headers={"Host": host}).status_code == 200


@each("host", ["give.example.org", "127.0.0.1:5000", "pledgebar", ""])
def test_the_hook_has_its_signature_and_takes_gifts_whatever_the_proxy_calls_it(client: FlaskClient, host: str) -> None:
    class Through:
        def post(self, path: str, data: bytes, headers: dict[str, str]) -> object:
            return client.post(path, data=data, headers=headers | {"Host": host})

    stripe = Stripe(Through())  # type: ignore[arg-type]
    assert stripe.sends(stripe.event("checkout.session.completed", session())) == 204


# --- Ids --------------------------------------------------------------------------------------------------------------


def test_the_proxys_id_is_given_back_and_stands_in_every_line_of_the_request(client: FlaskClient) -> None:
    mark = "4bf92f3577b34da6a3ce929d0e0e4736"
    with capture_logs(processors=[structlog.contextvars.merge_contextvars]) as lines:
        answer = client.post("/webhooks/stripe", data=b"{}", headers={"X-Request-ID": mark})
        structlog.get_logger().info("afterwards")
    assert answer.headers.getlist("X-Request-ID") == [mark]
    assert [(line["event"], line.get("request_id")) for line in lines] == [("hook.refused", mark), ("afterwards", None)]


@each(
    "sent",
    ["", "short", "x" * 65, "a b c d e f g", "evil\u00e9\u00e9\u00e9\u00e9\u00e9", '"><script>', "-leading-hyphen"],
)
def test_an_id_that_is_none_is_replaced(client: FlaskClient, sent: str) -> None:
    first, second = (
        client.get("/c/newsroom", headers={"X-Request-ID": sent}).headers["X-Request-ID"] for _ in range(2)
    )
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert first != second


def test_every_answer_of_the_app_has_an_id(client: FlaskClient) -> None:
    for path in ("/c/newsroom", "/nothing", "/healthz", "/admin/login", "/webhooks/stripe"):
        assert "X-Request-ID" in client.get(path).headers
    assert "X-Request-ID" in client.get("/", headers={"Host": "evil.example"}).headers
