"""The form: what is wrong is said and what was typed is kept, nobody else can send it, and it writes nothing by itself."""

import re
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import closing
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, count, each
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tracker.ledger import campaigns
from tracker.ledger.store import reading, writing

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
HOSTILE = "</textarea><script>alert(1)</script>\"'>"


@pytest.fixture
def database_url() -> str:
    """SQLite alone: a form that is sent asks Stripe and writes nothing."""
    return ""


def closed_port() -> int:
    with closing(socket.create_server(("127.0.0.1", 0))) as server:
        return int(server.getsockname()[1])


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    """Stripe is away: nothing listens where its API should be."""
    return environ | {"STRIPE_API_BASE": f"http://127.0.0.1:{closed_port()}"}


@pytest.fixture(autouse=True)
def _writes_nothing(app: Flask) -> Iterator[None]:
    """Whatever a test does with the form: until money has moved the ledger has not heard of it."""
    before = everything()
    yield
    assert everything() == before


def everything() -> dict[str, int]:
    tables = ("entry", "delivery", "waiting", "alias", "supporter", "month_total", "user_account")
    with reading() as connection:
        return {table: count(connection, table) for table in tables}


def token(client: FlaskClient, slug: str = "newsroom") -> str:
    found = re.search(r'name="token"[^>]*value="([^"]+)"', client.get(f"/c/{slug}").text)
    assert found is not None
    return found[1]


def give(client: FlaskClient, headers: dict[str, str] | None = None, **fields: Any) -> TestResponse:
    sent = {"frequency": "once", "tier_once": "2500", "tier_month": "1000", "other_amount": ""} | fields
    if "token" not in fields:
        sent["token"] = token(client)
    return client.post("/c/newsroom/give", data=sent, headers=headers or {})


def faults(answer: TestResponse) -> list[str]:
    """What the summary at the top says."""
    summary = re.search(r'<div class="faults".*?</div>', answer.text, re.DOTALL)
    return re.findall(r'<a href="#\w+">(.*?)</a>', summary[0]) if summary else []


def kept(answer: TestResponse, name: str) -> str:
    found = re.search(rf'<input[^>]*name="{name}"[^>]*value="([^"]*)"', answer.text)
    return found[1] if found else ""


def chosen(answer: TestResponse, name: str) -> list[str]:
    tags = re.findall(rf'<input[^>]*name="{name}"[^>]*>', answer.text)
    return [re.findall('value="([^"]*)"', tag)[0] for tag in tags if "checked" in tag]


# --- What was typed ---------------------------------------------------------------------------------------------------


@each(
    ("typed", "says"),
    [
        ("", "Please type an amount"),
        ("ten", "We could not read that amount"),
        ("12,5", "Did you mean 12.50?"),
        ("0", "Enter an amount above zero."),
        ("-5", "Enter an amount above zero."),
        ("1.999", "That amount cannot be paid in USD. Did you mean 1999?"),
        ("1", "The smallest gift is 2 "),
        ("10001", "The largest single gift is 10,000 "),
        ("9" * 20, "The largest single gift is 10,000 "),
        ("1e5", "We could not read"),
        ("NaN", "We could not read"),
        ("<b>", "We could not read"),
        ("\0", "."),
    ],
)
def test_an_amount_that_will_not_do_is_said_and_kept(client: FlaskClient, typed: str, says: str) -> None:
    answer = give(client, tier_once="other", other_amount=typed, src="article-7", pos="top", lang="en-GB")
    assert answer.status_code == 422
    (fault,) = faults(answer)
    assert re.search(says, fault)
    assert kept(answer, "other_amount") == typed.replace("<", "&lt;").replace(">", "&gt;")
    assert chosen(answer, "frequency") == ["once"]
    assert chosen(answer, "tier_once") == ["other"]
    assert (kept(answer, "src"), kept(answer, "pos"), kept(answer, "lang")) == ("article-7", "top", "en-GB")
    assert kept(answer, "token") != ""


@each(
    ("fields", "says"),
    [
        ({"tier_once": ""}, "Please choose an amount"),
        ({"tier_once": "7"}, "no longer offered"),
        ({"tier_once": "2500", "other_amount": "30"}, "You chose one amount and typed another"),
        ({"tier_once": "000000002500" + "0"}, "no longer offered"),
        ({"tier_once": "000000002500" + "9" * 6000}, "no longer offered"),
        ({"tier_once": "²"}, "no longer offered"),
        ({"frequency": "yearly"}, "."),
        ({"frequency": ""}, "."),
        ({"name": "x" * 81}, "below 80 characters"),
        ({"message": "x" * 301}, "below 300 characters"),
    ],
)
def test_a_choice_that_will_not_do_is_said_once(client: FlaskClient, fields: dict[str, str], says: str) -> None:
    answer = give(client, **fields)
    assert answer.status_code == 422
    assert re.search(says, " ".join(faults(answer)))


@each(
    ("typed", "button"),
    [
        ("12,5", ("12.50", "12.50 $")),
        ("1.000,50", ("1000.50", "1,000.50 $")),
        ("ten", None),
        ("0,5", None),
        ("99.999,00", None),
    ],
)
def test_what_was_probably_meant_can_be_taken_with_one_press(
    client: FlaskClient, typed: str, button: tuple[str, str] | None
) -> None:
    """Only what can be given is suggested; and the Enter key, which presses the first button, never takes it."""
    answer = give(client, tier_once="other", other_amount=typed)
    assert answer.status_code == 422
    takes = r'<button type="submit" form="give" class="take" name="suggested" value="([^"]*)">Yes, give (.*?)</button>'
    found = [(value, re.sub("<[^>]+>", "", words)) for value, words in re.findall(takes, answer.text)]
    # In the summary, where a small phone shows it at once, and beside the field.
    assert found == ([button] * 2 if button else [])
    if button:
        assert f"Did you mean {button[0]}?" in faults(answer)[0]
        assert "suggested" not in re.findall(r"<button[^>]*>", answer.text)[0]
        # It goes on to Stripe, which is away here.
        assert give(client, other_amount=typed, suggested=button[0]).status_code == 503


def test_a_suggestion_that_is_taken_too_late_stands_in_the_field(client: FlaskClient) -> None:
    late = give(client, token="old", frequency="month", tier_month="500", other_amount="12,5", suggested="12.50")
    assert late.status_code == 422
    assert kept(late, "other_amount") == "12.50"
    assert chosen(late, "tier_month") == chosen(late, "tier_once") == ["other"]
    # Somebody who writes a suggestion of their own is asked as if they had typed it.
    assert "could not read" in faults(give(client, suggested="<b>"))[0]


def test_the_other_frequency_keeps_its_own_choice(client: FlaskClient) -> None:
    answer = give(client, frequency="month", tier_month="other", other_amount="x", tier_once="5000")
    assert answer.status_code == 422
    assert chosen(answer, "frequency") == ["month"]
    assert chosen(answer, "tier_month") == ["other"]
    assert chosen(answer, "tier_once") == ["5000"]


def test_words_are_kept_as_text(client: FlaskClient) -> None:
    answer = give(client, tier_once="other", other_amount="x", name=HOSTILE, message=HOSTILE)
    assert answer.status_code == 422
    assert "<script>alert" not in answer.text
    assert answer.text.count("&lt;/textarea&gt;&lt;script&gt;alert(1)") == 2


@each("fields", [{}, {"frequency": "once"}, {"token": ["a", "b"]}])
def test_a_form_with_hardly_anything_in_it_is_answered_with_the_page(
    client: FlaskClient, fields: dict[str, Any]
) -> None:
    assert client.post("/c/newsroom/give", data=fields).status_code == 422


def test_a_body_that_is_no_form_is_answered_with_the_page(client: FlaskClient) -> None:
    assert client.post("/c/newsroom/give", json={"frequency": "once"}).status_code == 422
    assert client.post("/c/newsroom/give", data=b"\xff\xfe", content_type="text/plain").status_code == 422
    assert client.post("/c/newsroom/give", data={"message": "x" * 300_000}).status_code == 413


# --- Whose form it is -------------------------------------------------------------------------------------------------


@each("wrong", ["", "nonsense", "a.b.c", "ImEi.aaaaaa.bbbb", "\0", "é" * 100])
def test_a_form_that_we_did_not_make_is_not_sent_on(client: FlaskClient, wrong: str) -> None:
    answer = give(client, token=wrong, tier_once="5000")
    assert answer.status_code == 422
    assert "open too long" in faults(answer)[0]
    assert chosen(answer, "tier_once") == ["5000"]


def test_a_form_of_another_campaign_is_not_sent_on(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="library"))
    assert give(client, token=token(client, "library")).status_code == 422


def test_a_page_may_stay_open_for_a_day(client: FlaskClient) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        early = token(client)
        clock.shift(timedelta(hours=23))
        # It went on to Stripe, which is away here.
        assert give(client, token=early).status_code == 503
        clock.shift(timedelta(hours=2))
        late = give(client, token=early, tier_once="other", other_amount="37.50")
        assert late.status_code == 422
        assert "open too long" in faults(late)[0]
        assert kept(late, "other_amount") == "37.50"
        fresh = kept(late, "token")
        assert fresh != early
        assert give(client, token=fresh, tier_once="other", other_amount="37.50").status_code == 503


@each(
    "headers",
    [
        {"Sec-Fetch-Site": "cross-site"},
        {"Sec-Fetch-Site": "same-site"},
        {"Sec-Fetch-Site": ""},
        {"Sec-Fetch-Site": "cross-site", "Origin": "http://127.0.0.1:5000"},
        {"Origin": "https://evil.example"},
        {"Origin": "null"},
        {"Origin": ""},
        {"Origin": "http://["},
        {"Origin": "http://127.0.0.1:5000.evil.example"},
        {"Origin": "http://127.0.0.1:5001"},
        {"Origin": "https://127.0.0.1:5000"},
    ],
)
def test_a_form_that_another_site_sends_is_refused(client: FlaskClient, headers: dict[str, str]) -> None:
    answer = give(client, headers)
    assert answer.status_code == 403
    assert "That did not come from our page" in answer.text


@each(
    "headers", [{}, {"Sec-Fetch-Site": "same-origin"}, {"Sec-Fetch-Site": "none"}, {"Origin": "http://127.0.0.1:5000"}]
)
def test_a_form_from_our_own_page_goes_on(client: FlaskClient, headers: dict[str, str]) -> None:
    assert give(client, headers).status_code == 503


# --- When nothing can be given ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "says"),
    [({"paused": True}, "We are not taking gifts right now"), ({"held_month": "2021-04"}, "This campaign is over")],
)
def test_a_campaign_that_takes_no_gifts_refuses_and_says_why(
    client: FlaskClient, changes: dict[str, Any], says: str
) -> None:
    before = token(client)
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, **changes))
    answer = give(client, token=before)
    assert answer.status_code == 422
    assert says in answer.text
    assert 'action="/c/newsroom/give"' not in answer.text
    assert says in client.get("/c/newsroom").text
    assert client.get("/embed/newsroom").status_code == 200


def test_a_stripe_that_is_away_is_told_soon_and_everything_is_kept(client: FlaskClient) -> None:
    began = time.monotonic()
    answer = give(client, tier_once="other", other_amount="37.50", name="Ana", message="Keep going", src="article-7")
    assert time.monotonic() - began < 10
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "60"
    assert "does not answer right now" in answer.text
    assert "Nothing has been charged" in answer.text
    assert (kept(answer, "other_amount"), kept(answer, "name"), kept(answer, "src")) == ("37.50", "Ana", "article-7")
    assert "Keep going</textarea>" in answer.text


def test_the_fee_is_added_only_as_it_was_shown_and_the_box_stays_as_it_was(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, cover_percent=290, cover_fixed=30))
    assert 'id="cover" value="290+30">' in client.get("/c/newsroom").text
    answer = give(client, tier_once="5000", cover="290+30")
    assert answer.status_code == 503
    assert chosen(answer, "cover") == ["290+30"]
    assert "amount=50&amp;cover=yes" in answer.text
    answer = give(client, tier_once="5000", cover="250+25")
    assert answer.status_code == 422
    assert faults(answer) == ["The payment fee has changed. Please check your gift and send it again."]
    assert chosen(answer, "cover") == []
    back = client.get("/c/newsroom?frequency=once&amount=50&cover=yes&cancelled=1")
    assert chosen(back, "cover") == ["290+30"]
    # A link leads to the page with the box as everybody finds it.
    assert "cover" not in client.get("/go/newsroom?amount=50&cover=yes").headers["Location"]
    with writing() as connection:
        campaigns.save(connection, NEWSROOM)
    assert 'name="cover"' not in client.get("/c/newsroom?cover=yes").text
    assert give(client, tier_once="5000", cover="290+30").status_code == 422


def test_the_wish_for_the_newsletter_stays_ticked_on_the_page_and_is_in_no_address(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, newsletter="Send me the newsletter."))
    answer = give(client, tier_once="5000", newsletter="yes")
    assert answer.status_code == 503
    assert chosen(answer, "newsletter") == ["yes"]
    assert "newsletter=" not in answer.text
    assert chosen(give(client, tier_once="5000"), "newsletter") == []


def test_a_yearly_gift_is_kept_like_the_others(client: FlaskClient) -> None:
    assert faults(give(client, frequency="year", tier_year="5000")) == ["Please choose an amount, or type one."]
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, yearly=(5000, 10_000)))
    answer = give(client, frequency="year", tier_year="10000")
    assert answer.status_code == 503
    assert (chosen(answer, "frequency"), chosen(answer, "tier_year")) == (["year"], ["10000"])
    assert "/give?frequency=year&amp;amount=100" in answer.text
    answer = give(client, frequency="year", tier_year="other", other_amount="12,5", suggested="12.50")
    assert answer.status_code == 503
    assert (chosen(answer, "tier_year"), kept(answer, "other_amount")) == (["other"], "12.50")


@each(
    ("fields", "query"),
    [
        ({"tier_once": "5000"}, "frequency=once&amp;amount=50&amp;"),
        (
            {"frequency": "month", "tier_month": "other", "other_amount": "12.50"},
            "frequency=month&amp;amount=12.50&amp;",
        ),
        ({"tier_once": "other", "other_amount": "x"}, "frequency=once&amp;"),
        ({"token": "old"}, "frequency=once&amp;amount=25&amp;"),
    ],
)
def test_the_address_of_a_page_that_is_shown_again_says_what_was_chosen(
    client: FlaskClient, fields: dict[str, str], query: str
) -> None:
    """Whoever reloads it from the address bar, or comes back to a tab that was closed, asks for it with GET."""
    answer = give(
        client, **{"src": "article-7", "pos": "top", "lang": "en-GB", "name": "Ana", "message": "Hello"} | fields
    )
    assert answer.status_code in (422, 503)
    action = re.findall(r'<form[^>]* action="([^"]*)"', answer.text)[0]
    assert action == f"/c/newsroom/give?{query}src=article-7&amp;pos=top&amp;lang=en-GB"
    again = client.get(action.replace("&amp;", "&"))
    assert (again.status_code, again.headers["Location"]) == (303, action.replace("&amp;", "&").replace("/give", ""))


def test_trying_again_asks_stripe_for_the_very_same_checkout(client: FlaskClient) -> None:
    first = token(client)
    # Nobody knows whether the first one reached Stripe, so the same form is shown again.
    assert kept(give(client, token=first), "token") == first


class TestWithoutAKey:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"STRIPE_SECRET_KEY": ""}

    def test_giving_says_that_it_is_not_set_up(self, client: FlaskClient) -> None:
        answer = give(client, tier_once="5000")
        assert answer.status_code == 503
        assert "Giving is not set up here yet" in answer.text
        assert chosen(answer, "tier_once") == ["5000"]


class RefusesAll(BaseHTTPRequestHandler):
    """A Stripe that answers at once, and never with a checkout."""

    def do_POST(self) -> None:
        self.rfile.read(int(self.headers["Content-Length"]))
        body = b'{"error": {"type": "invalid_request_error", "message": "no"}}'
        self.send_response(400)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@pytest.fixture(scope="module")
def refusing_stripe() -> Iterator[str]:
    with ThreadingHTTPServer(("127.0.0.1", 0), RefusesAll) as server:
        server.daemon_threads = True
        threading.Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
        yield f"http://127.0.0.1:{server.server_port}"
        server.shutdown()


class TestWithALimit:
    @pytest.fixture
    def environ(self, environ: dict[str, str], refusing_stripe: str) -> dict[str, str]:
        return environ | {"TRACKER_GIVE_LIMIT": "3 per 10 minutes", "STRIPE_API_BASE": refusing_stripe}

    def test_a_refusal_by_stripe_is_kept_and_asked_about_anew(self, client: FlaskClient) -> None:
        first = token(client)
        answer = give(client, token=first, tier_once="other", other_amount="37.50")
        assert answer.status_code == 503
        assert kept(answer, "other_amount") == "37.50"
        # Stripe would only repeat its refusal to the same request.
        assert kept(answer, "token") not in ("", first)

    def test_too_many_checkouts_are_refused_and_the_amount_is_kept(self, client: FlaskClient) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            assert [give(client).status_code for _ in range(3)] == [503, 503, 503]
            answer = give(client, tier_once="other", other_amount="37.50")
            assert answer.status_code == 429
            assert answer.headers["Retry-After"] == "600"
            assert "Too many attempts. Please try again in 10 minutes." in answer.text
            assert kept(answer, "other_amount") == "37.50"
            # Reading is never limited, nor is the bar.
            assert client.get("/c/newsroom").status_code == 200
            assert client.get("/embed/newsroom.json").status_code == 200
            clock.shift(timedelta(minutes=2, seconds=1))
            assert "Please try again in 8 minutes." in give(client).text
            clock.shift(timedelta(minutes=8))
            assert give(client).status_code == 503

    def test_clicks_that_are_refused_do_not_use_up_the_day(
        self, app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        limited = replace(app.extensions["settings"], give_limit="3 per 10 minutes; 5 per day")
        monkeypatch.setitem(app.extensions, "settings", limited)
        with time_machine.travel(NOW, tick=False) as clock:
            assert [give(client).status_code for _ in range(10)] == [503] * 3 + [429] * 7
            clock.shift(timedelta(minutes=10))
            assert [give(client).status_code for _ in range(2)] == [503, 503]
            answer = give(client)
            assert (answer.status_code, answer.headers["Retry-After"]) == (429, str(23 * 3600 + 50 * 60))
            assert "Please try again in 23 hours and 50 minutes." in answer.text
            clock.shift(timedelta(hours=23, minutes=50))
            assert give(client).status_code == 503

    def test_mistakes_are_not_counted(self, client: FlaskClient) -> None:
        for _ in range(9):
            assert give(client, tier_once="other", other_amount="x").status_code == 422
        assert give(client).status_code == 503

    def test_an_address_that_somebody_writes_into_a_header_changes_nothing(self, client: FlaskClient) -> None:
        answers = [
            give(client, {"X-Forwarded-For": f"10.0.0.{number}", "Forwarded": f"for=10.0.0.{number}"}).status_code
            for number in range(4)
        ]
        assert answers == [503, 503, 503, 429]

    @pytest.mark.parametrize(
        ("first", "second", "shared"),
        [
            ("192.0.2.1", "192.0.2.2", False),
            ("2001:db8:1:2::1", "2001:db8:1:2:ffff::9", True),
            ("2001:db8:1:2::1", "2001:db8:1:3::1", False),
            # How IPv4 looks to a server that listens on both: still one address each.
            ("::ffff:192.0.2.1", "::ffff:192.0.2.2", False),
            ("::ffff:192.0.2.1", "192.0.2.1", True),
            ("fe80::1%eth0", "fe80::2%eth0", True),
            # What a proxy wrote that is not an address stands for one person, and for nobody else.
            ("a name", "a name", True),
            ("a name", "another", False),
            ("a name", "192.0.2.1", False),
        ],
    )
    def test_everybody_is_counted_for_themselves(
        self, client: FlaskClient, first: str, second: str, shared: bool
    ) -> None:
        def from_address(address: str) -> int:
            sent = {"frequency": "once", "tier_once": "2500", "token": token(client)}
            return client.post("/c/newsroom/give", data=sent, environ_overrides={"REMOTE_ADDR": address}).status_code

        assert [from_address(first) for _ in range(4)] == [503, 503, 503, 429]
        assert from_address(second) == (429 if shared else 503)
