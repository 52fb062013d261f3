"""Opening a checkout: what Stripe is asked, once and not twice, and that a donor never waits for a Stripe that is stuck."""

import json
import re
import socket
import ssl
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, quote_plus

import pytest
from actors import NEWSROOM
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe.params.checkout import SessionCreateParams
from structlog.testing import capture_logs

from tracker.gateway import checkout
from tracker.gateway.checkout import (
    Checkout,
    CheckoutUnavailable,
    Gateway,
    Order,
    read_session,
    session_params,
)
from tracker.gateway.checkout_locale import SPOKEN
from tracker.gateway.events import Event, to_facts
from tracker.giving.facts import Gift
from tracker.giving.tiers import Choice, Frequency
from tracker.sandbox.parameters import checked

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
PUBLIC_URL = "https://give.example.org"
PERSONAL = ("Ada Lovelace", "Go on, dear editors!")
PAGE = "https://checkout.stripe.com/c/pay/cs_test_1"
KEY = "sk_test_never_to_be_logged"
CERTIFICATE = Path(__file__).parents[1] / "web" / "news_example.pem"


def order(frequency: Frequency = "once", amount: int = 1000, **changes: Any) -> Order:
    made = Order(
        NEWSROOM, Choice(frequency, amount, str(amount)), "nonce-1", NOW, "article-1", "top", PERSONAL[0], PERSONAL[1]
    )
    return replace(made, **changes)


def params(of: Order, now: datetime = NOW, newsroom: str = "The Courier") -> dict[str, Any]:
    return session_params(of, PUBLIC_URL, newsroom, now)


# --- What is asked ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("frequency", ["once", "month", "year"])
@pytest.mark.parametrize("newsroom", ["", "The Courier"])
def test_what_is_asked_is_what_the_sdk_says_can_be_asked(frequency: Frequency, newsroom: str) -> None:
    asked = params(order(frequency), newsroom=newsroom)
    assert checked(SessionCreateParams, asked) == asked
    bare = params(replace(order(frequency), source="", place="", name="", message=""))
    assert checked(SessionCreateParams, bare) == bare


def test_a_gift_once_is_asked_for_in_payment_mode() -> None:
    asked = params(order())
    assert asked["mode"] == "payment"
    assert asked["submit_type"] == "donate"
    (line,) = asked["line_items"]
    assert line["quantity"] == 1
    assert line["price_data"] == {
        "currency": "usd", "unit_amount": 1000, "product_data": {"name": "Support the newsroom (The Courier)"},
    }  # fmt: skip
    assert "subscription_data" not in asked
    assert asked["success_url"] == f"{PUBLIC_URL}/c/newsroom/thanks?session_id={{CHECKOUT_SESSION_ID}}"
    assert asked["cancel_url"] == f"{PUBLIC_URL}/c/newsroom?frequency=once&amount=10&src=article-1&pos=top&cancelled=1"


@pytest.mark.parametrize(
    ("of", "query"),
    [
        (order("month", 1250), "frequency=month&amount=12.50&src=article-1&pos=top"),
        (order(lang="pt_BR"), "frequency=once&amount=10&src=article-1&pos=top&lang=pt-BR"),
        (order(source="", place=""), "frequency=once&amount=10"),
        (order(amount=1500, campaign=replace(NEWSROOM, currency="JPY"), source="", place=""), "frequency=once&amount=1500"),
        (order(source="новости & news", place=""), f"frequency=once&amount=10&src={quote_plus('новости & news')}"),
    ],
)  # fmt: skip
def test_the_way_back_keeps_what_was_chosen_and_tells_nobodys_name(of: Order, query: str) -> None:
    back = params(of)["cancel_url"]
    assert back == f"{PUBLIC_URL}/c/newsroom?{query}&cancelled=1"
    assert not any(word in back for word in ("Ada", "Go", "nonce"))


def test_stripe_is_asked_for_the_languages_that_it_says_it_speaks() -> None:
    said = str(SessionCreateParams.__annotations__["locale"])
    assert {"auto", *SPOKEN} == set(re.findall(r"'([a-z]+(?:-[A-Z0-9]+)?)'", said.partition("Literal")[2]))


@pytest.mark.parametrize(
    ("lang", "locale", "asked"),
    [
        # The campaign's language, and the one of the bar that the donor came from.
        ("", "en_US", "en"), ("de", "en_US", "de"), ("", "de_AT", "de"), ("pt_BR", "de_DE", "pt-BR"), ("en_GB", "de_DE", "en-GB"),
        ("", "nn_NO", "nb"), ("", "zh_Hant_TW", "zh-TW"), ("", "zh_Hans_CN", "zh"),
        # Languages that Stripe does not speak: then the browser's.
        ("ar", "en_US", "auto"), ("uk", "en_US", "auto"), ("", "hi", "auto"),
    ],
)  # fmt: skip
def test_stripes_page_speaks_the_donors_language(lang: str, locale: str, asked: str) -> None:
    assert params(order(lang=lang, campaign=replace(NEWSROOM, locale=locale)))["locale"] == asked


def test_thanks_are_said_in_the_language_of_the_bar() -> None:
    thanks = f"{PUBLIC_URL}/c/newsroom/thanks?session_id={{CHECKOUT_SESSION_ID}}"
    assert params(order(lang="pt_BR"))["success_url"] == f"{thanks}&lang=pt-BR"


def test_a_gift_every_month_is_asked_for_in_subscription_mode() -> None:
    asked = params(order("month", 500), newsroom="")
    assert asked["mode"] == "subscription"
    (line,) = asked["line_items"]
    assert line["price_data"] == {
        "currency": "usd", "unit_amount": 500, "product_data": {"name": "Support the newsroom"},
        "recurring": {"interval": "month"},
    }  # fmt: skip
    assert "payment_intent_data" not in asked


def test_a_gift_every_year_is_a_subscription_by_the_year() -> None:
    asked = params(order("year", 5000))
    assert asked["mode"] == "subscription"
    assert asked["line_items"][0]["price_data"]["recurring"] == {"interval": "year"}
    assert asked["subscription_data"]["metadata"]["frequency"] == "year"
    assert "frequency=year&amount=50" in asked["cancel_url"]


@pytest.mark.parametrize(("frequency", "place"), [("once", "payment_intent_data"), ("year", "subscription_data")])
def test_the_wish_for_the_newsletter_is_noted_at_stripe(frequency: Frequency, place: str) -> None:
    asked = params(order(frequency, newsletter=True))
    assert asked["metadata"]["newsletter"] == asked[place]["metadata"]["newsletter"] == "yes"
    assert "newsletter" not in asked["cancel_url"]


@pytest.mark.parametrize("frequency", ["once", "month", "year"])
def test_what_is_added_for_the_fee_is_a_line_and_a_note_of_its_own(frequency: Frequency) -> None:
    asked = params(order(choice=Choice(frequency, 1000, "1000", cover=61), cover_words="Deckt die Gebühr"))
    assert checked(SessionCreateParams, asked) == asked
    gift, fee = asked["line_items"]
    assert (gift["price_data"]["unit_amount"], fee["price_data"]["unit_amount"]) == (1000, 61)
    assert fee["price_data"]["product_data"] == {"name": "Deckt die Gebühr"}
    assert gift["price_data"].get("recurring") == fee["price_data"].get("recurring")
    assert (asked["metadata"]["tier"], asked["metadata"]["cover"]) == ("1000", "61")
    assert "amount=10&" in asked["cancel_url"]
    assert "cover=yes" in asked["cancel_url"]
    assert "cover" not in params(order())["metadata"]


@pytest.mark.parametrize(("frequency", "place"), [("once", "payment_intent_data"), ("month", "subscription_data")])
def test_our_metadata_stands_on_the_session_and_on_what_outlives_it(frequency: Frequency, place: str) -> None:
    asked = params(order(frequency))
    metadata = {
        "pledgebar": "1", "campaign": "newsroom", "frequency": frequency, "tier": "1000", "src": "article-1", "pos": "top",
        "name": PERSONAL[0], "message": PERSONAL[1],
    }  # fmt: skip
    assert asked["metadata"] == asked[place]["metadata"] == metadata


def test_what_was_left_empty_is_not_sent() -> None:
    asked = params(order(source="", place="", name="", message=""))
    assert set(asked["metadata"]) == {"pledgebar", "campaign", "frequency", "tier"}


def test_what_we_send_is_what_we_later_know_the_gift_by() -> None:
    metadata = params(order())["metadata"]
    paid = {
        "id": "cs_1", "mode": "payment", "payment_status": "paid", "amount_total": 1000, "currency": "usd", "metadata": metadata,
    }  # fmt: skip
    (gift,) = to_facts(Event("evt_1", "checkout.session.completed", NOW, False, "", paid))
    assert isinstance(gift, Gift)
    assert (gift.campaign, gift.tier, gift.source, gift.place) == ("newsroom", "1000", "article-1", "top")
    assert (gift.name, gift.message) == PERSONAL


def test_the_longest_texts_that_the_form_takes_fit_into_stripes_metadata() -> None:
    asked = params(order(name="n" * 80, message="m" * 300, source="s" * 64, place="p" * 20))
    assert checked(SessionCreateParams, asked) == asked


@settings(max_examples=examples(400), deadline=None)
@given(st.integers(0, 24 * 3600), st.integers(0, 999_999))
def test_however_long_the_form_stood_open_the_checkout_lives_for_fifty_minutes_to_an_hour(
    seconds: int, microseconds: int
) -> None:
    now = NOW + timedelta(seconds=seconds, microseconds=microseconds)
    left = params(order(), now)["expires_at"] - now.timestamp()
    assert 50 * 60 <= left <= 61 * 60


@settings(max_examples=examples(100), deadline=None)
@given(st.integers(1, 59))
def test_a_form_from_a_clock_that_runs_ahead_still_opens_a_checkout(seconds: int) -> None:
    left = params(order(shown_at=NOW + timedelta(seconds=seconds)))["expires_at"] - NOW.timestamp()
    assert 50 * 60 <= left <= 61 * 60


def key(of: Order, now: datetime = NOW) -> str:
    return checkout._idempotency_key(of, params(of, now))


@settings(max_examples=examples(200), deadline=None)
@given(st.integers(0, 30), st.integers(0, 599_999), st.integers(0, 599_999))
def test_the_same_form_pressed_twice_within_ten_minutes_asks_the_very_same(step: int, first: int, second: int) -> None:
    began = NOW + timedelta(minutes=10 * step)
    one, two = began + timedelta(milliseconds=first), began + timedelta(milliseconds=second)
    assert params(order(), one) == params(order(), two)
    assert key(order(), one) == key(order(), two)


def test_another_choice_another_text_and_another_showing_are_another_checkout() -> None:
    asked = [
        order(), order(amount=2500), order("month"), order(nonce="nonce-2"), order(message=""), order(source="article-2"),
        order(lang="de"), order(campaign=replace(NEWSROOM, currency="EUR")), order(campaign=replace(NEWSROOM, title="Another")),
    ]  # fmt: skip
    keys = [key(one) for one in asked] + [key(order(), NOW + timedelta(minutes=10))]
    assert len(set(keys)) == len(keys)
    assert all(one.startswith("give-") and len(one) < 255 for one in keys)


def test_the_key_tells_nothing_of_the_donor() -> None:
    assert "Ada" not in key(order())
    assert "nonce" not in key(order())


# --- What became of one ----------------------------------------------------------------------------------------------


PAID: dict[str, Any] = {
    "id": "cs_1", "mode": "payment", "status": "complete", "payment_status": "paid",
    "metadata": {"pledgebar": "1", "campaign": "newsroom"},
}  # fmt: skip
UNPAID = PAID | {"payment_status": "unpaid"}


@pytest.mark.parametrize(
    ("session", "state"),
    [
        (PAID, "paid"),
        (UNPAID | {"status": "open"}, "unpaid"),
        (UNPAID | {"status": "expired"}, "expired"),
        (UNPAID | {"payment_intent": {"status": "processing"}}, "on_its_way"),
        (UNPAID | {"payment_intent": {"status": "requires_payment_method"}}, "failed"),
        (UNPAID | {"payment_intent": {"status": "canceled"}}, "failed"),
        (UNPAID | {"mode": "subscription", "subscription": {"status": "active"}}, "on_its_way"),
        (UNPAID | {"mode": "subscription", "subscription": {"status": "incomplete"}}, "on_its_way"),
        (UNPAID | {"mode": "subscription", "subscription": {"status": "past_due"}}, "failed"),
        (UNPAID | {"mode": "subscription", "subscription": {"status": "canceled"}}, "failed"),
        (UNPAID | {"mode": "subscription", "subscription": {"status": "incomplete_expired"}}, "failed"),
        # A key that may not read them: then nobody knows more.
        (UNPAID | {"payment_intent": "pi_1", "subscription": "sub_1"}, "on_its_way"),
        ({}, "unpaid"),
    ],
)
def test_a_checkout_is_paid_on_its_way_failed_or_unpaid(session: dict[str, Any], state: str) -> None:
    assert read_session(session, PUBLIC_URL, "m1").state == state


def test_a_checkout_tells_its_campaign_its_invoice_and_what_was_chosen() -> None:
    back = f"{PUBLIC_URL}/c/newsroom?frequency=month&amount=5&cancelled=1"
    found = read_session(PAID | {"mode": "subscription", "invoice": "in_1", "cancel_url": back}, PUBLIC_URL, "m1")
    assert found == Checkout("paid", "newsroom", "in_1", "frequency=month&amount=5&cancelled=1")
    assert read_session(PAID, PUBLIC_URL, "m1") == Checkout("paid", "newsroom", "", "")


@pytest.mark.parametrize(
    "about",
    [
        {"metadata": {}}, {"metadata": None}, {"metadata": {"campaign": "newsroom"}}, {"metadata": {"pledgebar": "1"}},
        {"metadata": "x"}, {"metadata": PAID["metadata"] | {"instance": "another"}},
    ],
)  # fmt: skip
def test_somebody_elses_checkout_has_no_campaign(about: dict[str, Any]) -> None:
    assert read_session(PAID | about, PUBLIC_URL, "m1").campaign == ""


@pytest.mark.parametrize(
    "back", [None, 7, "", "https://evil.example/c/newsroom?amount=5", f"{PUBLIC_URL}.evil.example/c/?amount=5"]
)
def test_a_way_back_that_is_not_ours_tells_nothing(back: Any) -> None:
    assert read_session(PAID | {"cancel_url": back, "invoice": {"id": "in_1"}}, PUBLIC_URL, "m1").chosen == ""


# --- A Stripe that answers, or does not -------------------------------------------------------------------------------


@dataclass
class Asked:
    path: str
    headers: dict[str, str]
    form: dict[str, list[str]]


Behaviour = Callable[[BaseHTTPRequestHandler, int], None]


@dataclass
class Endpoint:
    """An HTTP server in Stripe's place; `behaves` answers each request, which it also gets the number of."""

    url: str = ""
    behaves: Behaviour | None = None
    asked: list[Asked] = field(default_factory=list)
    over: threading.Event = field(default_factory=threading.Event)

    def gateway(self, at_once: int = 4) -> Gateway:
        return Gateway(
            KEY, api_base=self.url, public_url=PUBLIC_URL, newsroom="The Courier", at_once=at_once, version="1"
        )


@pytest.fixture
def endpoint() -> Iterator[Endpoint]:
    made = Endpoint()

    class Handler(BaseHTTPRequestHandler):
        def _taken(self) -> None:
            body = self.rfile.read(int(self.headers.get("Content-Length") or 0)).decode()
            made.asked.append(Asked(self.path, dict(self.headers), parse_qs(body)))
            assert made.behaves is not None
            try:
                made.behaves(self, len(made.asked))
            except OSError:
                self.close_connection = True

        do_POST = do_GET = _taken  # noqa: N815

        def log_message(self, *arguments: Any) -> None:
            pass

    class Server(ThreadingHTTPServer):
        daemon_threads = True
        block_on_close = False

        def handle_error(self, request: Any, client_address: Any) -> None:
            """Connections that the tests break are no news."""

    server = Server(("127.0.0.1", 0), Handler)
    made.url = f"http://127.0.0.1:{server.server_port}"
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    yield made
    made.over.set()
    server.shutdown()
    thread.join()
    server.server_close()


@pytest.fixture
def hurried(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same waits, but shorter, so that tests of a stuck Stripe take no minutes."""
    monkeypatch.setattr(checkout, "CONNECT_SECONDS", 0.4)
    monkeypatch.setattr(checkout, "ANSWER_SECONDS", 0.4)
    monkeypatch.setattr(checkout, "ALL_SECONDS", 2.0)


def answer(status: int, body: Any, headers: dict[str, str] | None = None) -> Behaviour:
    content = body if isinstance(body, bytes) else json.dumps(body).encode()

    def behave(request: BaseHTTPRequestHandler, count: int) -> None:
        request.send_response(status)
        for name, value in ({"Content-Type": "application/json", "Request-Id": "req_1"} | (headers or {})).items():
            request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    return behave


def in_turn(*behaviours: Behaviour) -> Behaviour:
    def behave(request: BaseHTTPRequestHandler, count: int) -> None:
        behaviours[min(count, len(behaviours)) - 1](request, count)

    return behave


OPENED = answer(200, {"id": "cs_test_1", "object": "checkout.session", "url": PAGE, "status": "open"})


def trouble(gateway: Gateway, of: Order | None = None) -> CheckoutUnavailable:
    with pytest.raises(CheckoutUnavailable) as caught:
        gateway.open_checkout(of or order(), NOW)
    return caught.value


def error(code: str, kind: str = "invalid_request_error") -> dict[str, Any]:
    return {
        "error": {"type": kind, "code": code, "message": f"Refused: {PERSONAL[1]} by {PERSONAL[0]}", "param": "amount"}
    }


def test_a_checkout_is_opened(endpoint: Endpoint) -> None:
    endpoint.behaves = OPENED
    assert endpoint.gateway().open_checkout(order(), NOW) == PAGE
    (asked,) = endpoint.asked
    assert asked.path == "/v1/checkout/sessions"
    assert asked.headers["Authorization"] == f"Bearer {KEY}"
    assert asked.headers["Idempotency-Key"] == key(order())
    assert asked.form["line_items[0][price_data][unit_amount]"] == ["1000"]
    assert asked.form["metadata[pledgebar]"] == asked.form["payment_intent_data[metadata][pledgebar]"] == ["1"]
    assert not [name for name in asked.form if "idempotency" in name.lower()]


def test_a_double_click_asks_twice_with_one_key(endpoint: Endpoint) -> None:
    endpoint.behaves = OPENED
    gateway = endpoint.gateway()
    for seconds in (0, 1, 540):
        gateway.open_checkout(order(), NOW + timedelta(seconds=seconds))
    assert len({asked.headers["Idempotency-Key"] for asked in endpoint.asked}) == 1
    assert endpoint.asked[0].form == endpoint.asked[1].form == endpoint.asked[2].form


def test_a_hiccup_is_asked_again_once_with_the_same_key(endpoint: Endpoint) -> None:
    endpoint.behaves = in_turn(answer(500, error("oops", "api_error")), OPENED)
    assert endpoint.gateway().open_checkout(order(), NOW) == PAGE
    first, second = endpoint.asked
    assert first.headers["Idempotency-Key"] == second.headers["Idempotency-Key"]
    assert first.form == second.form


@pytest.mark.parametrize("status", [500, 502, 503])
def test_a_stripe_that_is_broken_is_asked_twice_and_then_given_up(endpoint: Endpoint, status: int) -> None:
    endpoint.behaves = answer(status, error("oops", "api_error"))
    assert not trouble(endpoint.gateway()).ask_again
    assert len(endpoint.asked) == 2


@pytest.mark.parametrize(
    ("status", "body"),
    [
        (400, error("parameter_unknown")), (400, error("idempotency_key_in_use", "idempotency_error")), (401, error("bad_key")),
        (402, error("card_declined", "card_error")), (403, error("no")), (404, error("resource_missing")),
        (429, error("rate_limit")),
    ],
)  # fmt: skip
def test_a_definite_refusal_is_neither_repeated_nor_to_be_repeated(endpoint: Endpoint, status: int, body: Any) -> None:
    endpoint.behaves = answer(status, body)
    assert not trouble(endpoint.gateway()).ask_again
    assert len(endpoint.asked) == 1


def test_a_request_that_is_still_under_way_may_be_repeated(endpoint: Endpoint) -> None:
    endpoint.behaves = answer(409, error("idempotency_key_in_use", "idempotency_error"))
    assert trouble(endpoint.gateway()).ask_again
    assert len(endpoint.asked) == 2


ODD: list[Any] = [
    {}, [], None, "text", 7, True, {"url": None}, {"url": ""}, {"url": 7}, {"url": {"a": 1}}, {"url": ["https://x"]},
    {"url": "javascript:alert(1)"}, {"url": "//example.org"}, {"object": "checkout.session"}, {"object": "list", "data": []},
    {"object": "checkout.session", "url": None}, {"object": {"a": 1}}, {"object": ["x"]}, {"object": "unheard.of"}, {"error": {}},
    [{"url": PAGE}], {"data": None, "object": "list"},
]  # fmt: skip


@pytest.mark.parametrize("body", ODD, ids=json.dumps)
def test_an_answer_without_an_address_is_no_checkout(endpoint: Endpoint, body: Any) -> None:
    endpoint.behaves = answer(200, body)
    assert not trouble(endpoint.gateway()).ask_again


@pytest.mark.parametrize("body", [b"", b"<html>", b"\xff\xfe", b"{", b"[" * 50_000, b'{"url": "https://x"'])
@pytest.mark.parametrize("status", [200, 400, 503])
def test_an_answer_that_cannot_be_read_is_no_checkout(endpoint: Endpoint, body: bytes, status: int) -> None:
    endpoint.behaves = answer(status, body, {"Content-Type": "text/html", "Stripe-Should-Retry": "false"})
    assert not trouble(endpoint.gateway()).ask_again


@pytest.mark.parametrize(
    "body", [{"error": "text"}, {"error": []}, {"error": None}, {"error": {"code": 7, "message": None}}, [], None]
)
def test_a_refusal_of_an_odd_shape_is_a_refusal(endpoint: Endpoint, body: Any) -> None:
    endpoint.behaves = answer(400, body)
    assert not trouble(endpoint.gateway()).ask_again


@pytest.mark.usefixtures("hurried")
def test_an_answer_that_breaks_off_leaves_the_outcome_open(endpoint: Endpoint) -> None:
    def cut(request: BaseHTTPRequestHandler, count: int) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        request.wfile.write(b'{"id": "cs_te')
        request.close_connection = True

    endpoint.behaves = cut
    assert trouble(endpoint.gateway()).ask_again


@pytest.mark.usefixtures("hurried")
def test_a_connection_that_is_dropped_leaves_the_outcome_open_and_is_tried_again(endpoint: Endpoint) -> None:
    def drop(request: BaseHTTPRequestHandler, count: int) -> None:
        request.close_connection = True
        request.connection.close()

    endpoint.behaves = drop
    assert trouble(endpoint.gateway()).ask_again
    assert len(endpoint.asked) == 2
    assert endpoint.asked[0].headers["Idempotency-Key"] == endpoint.asked[1].headers["Idempotency-Key"]
    endpoint.asked.clear()
    endpoint.behaves = in_turn(drop, OPENED)
    assert endpoint.gateway().open_checkout(order(), NOW) == PAGE


def test_nobody_there_leaves_the_outcome_open() -> None:
    with ThreadingHTTPServer(("127.0.0.1", 0), BaseHTTPRequestHandler) as closed:
        address = f"http://127.0.0.1:{closed.server_port}"
    assert trouble(Endpoint(address).gateway()).ask_again


@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_a_redirect_is_no_checkout_and_nobody_is_followed_with_the_key(endpoint: Endpoint, status: int) -> None:
    endpoint.behaves = in_turn(answer(status, b"", {"Location": "/v1/checkout/sessions"}), OPENED)
    assert not trouble(endpoint.gateway()).ask_again
    assert len(endpoint.asked) == 1


@pytest.mark.parametrize(
    ("name", "written"),
    [
        ("http_proxy", "http://{}"),
        ("HTTP_PROXY", "http://{}"),
        ("http_proxy", "{}"),
        ("all_proxy", "http://us:secret@{}"),
    ],
)
def test_the_operators_proxy_is_asked_for_stripe_and_not_for_what_it_shall_not(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch, name: str, written: str
) -> None:
    for other in ("http_proxy", "all_proxy", "no_proxy"):
        monkeypatch.delenv(other, raising=False)
        monkeypatch.delenv(other.upper(), raising=False)
    monkeypatch.setenv(name, written.format(endpoint.url.removeprefix("http://")))
    endpoint.behaves = OPENED
    assert Endpoint("http://stripe.test").gateway().open_checkout(order(), NOW) == PAGE
    assert endpoint.asked[0].path == "http://stripe.test/v1/checkout/sessions"
    assert endpoint.asked[0].headers.get("Proxy-Authorization") == ("Basic dXM6c2VjcmV0" if "@" in written else None)
    monkeypatch.setenv("no_proxy", "stripe.test,127.0.0.1")
    assert trouble(Endpoint("http://stripe.test").gateway()).ask_again
    assert endpoint.gateway().open_checkout(order(), NOW) == PAGE
    assert endpoint.asked[1].path == "/v1/checkout/sessions"
    assert len(endpoint.asked) == 2


@pytest.mark.usefixtures("hurried")
def test_a_stripe_whose_certificate_nobody_vouches_for_is_told_nothing() -> None:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(CERTIFICATE)
    with socket.create_server(("127.0.0.1", 0)) as plain, context.wrap_socket(plain, server_side=True) as listening:
        heard: list[bytes] = []

        def serve() -> None:
            with suppress(OSError):
                while True:
                    with suppress(ssl.SSLError):
                        heard.append(listening.accept()[0].recv(1))

        threading.Thread(target=serve, daemon=True).start()
        address = f"https://127.0.0.1:{listening.getsockname()[1]}"
        assert trouble(Endpoint(address).gateway()).ask_again
    assert heard == []


def stuck(endpoint: Endpoint) -> Behaviour:
    """Takes the request and says nothing."""

    def behave(request: BaseHTTPRequestHandler, count: int) -> None:
        endpoint.over.wait(30)

    return behave


def dripping(endpoint: Endpoint, seconds: float) -> Behaviour:
    """Sends one byte after the other, so that no single wait is ever too long."""

    def behave(request: BaseHTTPRequestHandler, count: int) -> None:
        request.send_response(200)
        request.send_header("Content-Length", "1000")
        request.end_headers()
        while not endpoint.over.wait(seconds):
            request.wfile.write(b" ")
            request.wfile.flush()
        request.close_connection = True

    return behave


@pytest.mark.usefixtures("hurried")
def test_a_stripe_that_hangs_is_given_up_in_time_and_may_be_asked_again(endpoint: Endpoint) -> None:
    endpoint.behaves = stuck(endpoint)
    began = time.monotonic()
    assert trouble(endpoint.gateway()).ask_again
    assert time.monotonic() - began < checkout.ALL_SECONDS + 5
    assert len(endpoint.asked) == 2


def test_a_stripe_that_hangs_is_given_up_within_the_real_eight_seconds(endpoint: Endpoint) -> None:
    endpoint.behaves = stuck(endpoint)
    began = time.monotonic()
    assert trouble(endpoint.gateway()).ask_again
    assert time.monotonic() - began < 10  # what a donor is promised
    assert checkout.ALL_SECONDS == 8


def test_a_stripe_that_drips_a_byte_a_second_is_given_up_at_the_deadline(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(checkout, "ALL_SECONDS", 1.5)
    endpoint.behaves = dripping(endpoint, 1.0)
    began = time.monotonic()
    assert trouble(endpoint.gateway()).ask_again
    assert time.monotonic() - began < 6


@pytest.mark.usefixtures("hurried")
def test_more_checkouts_than_may_wait_are_refused_at_once_and_places_are_given_back(endpoint: Endpoint) -> None:
    go_on = threading.Event()

    def waits(request: BaseHTTPRequestHandler, count: int) -> None:
        go_on.wait(10)
        OPENED(request, count)

    endpoint.behaves = waits
    checkout.ANSWER_SECONDS = 5  # put back by the fixture
    checkout.ALL_SECONDS = 6
    gateway = endpoint.gateway(at_once=2)
    with ThreadPoolExecutor(2) as donors:
        waiting = [donors.submit(gateway.open_checkout, order(nonce=f"n{number}"), NOW) for number in range(2)]
        until(lambda: len(endpoint.asked) == 2)
        began = time.monotonic()
        assert trouble(gateway).ask_again
        assert time.monotonic() - began < 3
        assert len(endpoint.asked) == 2
        go_on.set()
        assert [one.result(5) for one in waiting] == [PAGE, PAGE]
    for _ in range(5):
        assert until(lambda: opened(gateway)) == PAGE


@pytest.mark.usefixtures("hurried")
def test_a_call_that_drips_ends_with_its_donors_patience_and_gives_its_place_back(endpoint: Endpoint) -> None:
    checkout.ALL_SECONDS = 0.3
    hung_up = threading.Event()

    def drips(request: BaseHTTPRequestHandler, count: int) -> None:
        try:
            dripping(endpoint, 0.05)(request, count)
        except OSError:
            hung_up.set()
            raise

    endpoint.behaves = in_turn(drips, OPENED)
    gateway = endpoint.gateway(at_once=1)
    assert str(trouble(gateway)) == "Stripe took too long"
    checkout.ALL_SECONDS = 5
    assert gateway.open_checkout(order(), NOW) == PAGE
    assert hung_up.wait(5)


def test_every_kind_of_trouble_gives_the_place_back(endpoint: Endpoint) -> None:
    gateway = endpoint.gateway(at_once=1)
    for behaviour in (
        answer(400, error("no")),
        answer(200, []),
        answer(200, b"<html>"),
        answer(402, error("no", "card_error")),
    ):
        endpoint.behaves = behaviour
        until(lambda: str(trouble(gateway)) == "Stripe refused")
    endpoint.behaves = OPENED
    assert until(lambda: opened(gateway)) == PAGE


def test_a_checkout_is_read_with_what_tells_a_debit_from_a_refusal(endpoint: Endpoint) -> None:
    endpoint.behaves = answer(200, PAID | {"object": "checkout.session"})
    assert endpoint.gateway().read_checkout("cs_1") == Checkout("paid", "newsroom", "", "")
    (asked,) = endpoint.asked
    path, _, query = asked.path.partition("?")
    assert path == "/v1/checkout/sessions/cs_1"
    assert parse_qs(query) == {"expand[0]": ["payment_intent"], "expand[1]": ["subscription"]}


def test_a_checkout_that_stripe_does_not_have_is_none(endpoint: Endpoint) -> None:
    endpoint.behaves = answer(404, error("resource_missing"))
    assert endpoint.gateway().read_checkout("cs_1") is None


@pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
def test_a_stripe_that_does_not_say_is_asked_once_and_no_more(endpoint: Endpoint, status: int) -> None:
    endpoint.behaves = answer(status, error("no", "api_error"))
    with pytest.raises(CheckoutUnavailable):
        endpoint.gateway().read_checkout("cs_1")
    assert len(endpoint.asked) == 1


def test_what_is_no_checkout_at_all_is_not_read(endpoint: Endpoint) -> None:
    gateway = endpoint.gateway()
    for body in (b"<html>", [], "text"):
        endpoint.behaves = answer(200, body)
        with pytest.raises(CheckoutUnavailable):
            gateway.read_checkout("cs_1")


def test_whoever_waits_for_what_became_of_a_checkout_waits_three_seconds_and_takes_no_donors_place(
    endpoint: Endpoint, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert checkout.READ_SECONDS == 3
    monkeypatch.setattr(checkout, "READ_SECONDS", 0.3)
    gateway = endpoint.gateway(at_once=1)
    endpoint.behaves = in_turn(*[stuck(endpoint)] * 2, OPENED, answer(200, PAID))
    with ThreadPoolExecutor(2) as readers:
        waiting = [readers.submit(gateway.read_checkout, f"cs_{number}") for number in range(2)]
        until(lambda: len(endpoint.asked) == 2)
        with pytest.raises(CheckoutUnavailable, match="too many"):
            gateway.read_checkout("cs_3")
        assert gateway.open_checkout(order(), NOW) == PAGE
        for one in waiting:
            with pytest.raises(CheckoutUnavailable, match="did not say"):
                one.result(5)
    monkeypatch.setattr(checkout, "READ_SECONDS", 3)
    assert until(lambda: read(gateway)) == "paid"  # the places are given back


def read(gateway: Gateway) -> str:
    try:
        found = gateway.read_checkout("cs_4")
    except CheckoutUnavailable:
        return ""
    return found.state if found else ""


def test_after_closing_nothing_can_be_opened_and_nothing_hangs(endpoint: Endpoint) -> None:
    endpoint.behaves = OPENED
    gateway = endpoint.gateway()
    assert gateway.open_checkout(order(), NOW) == PAGE
    gateway.close()
    with pytest.raises(RuntimeError):
        gateway.open_checkout(order(), NOW)


@pytest.mark.usefixtures("hurried")
def test_logs_name_no_donor_and_no_key(endpoint: Endpoint, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level("DEBUG")
    with capture_logs() as logs:
        gateway = endpoint.gateway()
        for behaviour in (
            answer(400, error("parameter_invalid")),
            answer(500, error("oops")),
            stuck(endpoint),
            answer(200, []),
        ):
            endpoint.behaves = behaviour
            refusal = trouble(gateway)
            assert not any(secret in repr(refusal) for secret in (*PERSONAL, KEY))
    assert [line["event"] for line in logs] == [
        "stripe.refused",
        "stripe.refused",
        "stripe.no_answer",
        "stripe.refused",
    ]
    assert logs[0]["status"] == 400
    assert logs[0]["code"] == "parameter_invalid"
    assert logs[0]["request_id"] == "req_1"
    written = repr(logs) + caplog.text
    assert not any(secret in written for secret in (*PERSONAL, "Ada", "dear", KEY))


def opened(gateway: Gateway) -> str | None:
    """The address, or nothing while no place is free: it is given back a moment after the donor has gone."""
    try:
        return gateway.open_checkout(order(), NOW)
    except CheckoutUnavailable as full:
        if str(full) != "too many are waiting for Stripe":
            raise
        return None


def until(done: Callable[[], Any], seconds: float = 5) -> Any:
    end = time.monotonic() + seconds
    while not (found := done()):
        assert time.monotonic() < end
        time.sleep(0.01)
    return found
