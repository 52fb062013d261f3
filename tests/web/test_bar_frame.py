"""The bar on other sites: as a frame and as JSON, for readers who have no cookie and get none."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from actors import Stripe, each, gift_fact, moment, session
from flask.testing import FlaskClient
from sqlalchemy import text

from tracker.ledger import book
from tracker.ledger.store import writing
from tracker.web.headers import hash_of

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def database_url() -> str:
    """SQLite alone: it shows figures that tests/ledger tries on both."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def test_the_json_is_exactly_what_was_promised(client: FlaskClient) -> None:
    with writing() as connection:
        for number in range(12):
            book.record(connection, gift_fact(f"cs_{number}", 34_000 if number == 0 else 1), NOW)
        book.record(connection, gift_fact("cs_april", 5, at=moment("2021-04-10T10:00")), NOW)
    answer = client.get("/embed/newsroom.json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert "Access-Control-Allow-Credentials" not in answer.headers
    assert answer.json == {
        "version": 1,
        "campaign": "newsroom",
        "title": "Support the newsroom",
        "month": "2021-05",
        "time_zone": "Europe/Berlin",
        "currency": "USD",
        "goal": 500_000,
        "raised": 34_011,
        "committed": 0,
        "percent": 6.8,
        "gifts": 12,
        "scale": [0, 250_000, 500_000],
        "labels": {
            "scale": ["0 $", "2,500 $", "5,000 $"],
            "goal": "5,000 $",
            "raised": "340.11 $",
            "month": "MAY 2021",
            "support": "Support us",
        },
        "give_url": "http://127.0.0.1:5000/go/newsroom",
        "as_of": "2021-05-14T09:31:00Z",
    }
    assert list(answer.json)[:5] == ["version", "campaign", "title", "month", "time_zone"]


def test_the_bar_never_takes_its_address_from_the_request(client: FlaskClient) -> None:
    for address in ("/embed/newsroom", "/embed/newsroom.json", "/c/newsroom", "/go/newsroom", "/embed/nobody"):
        answer = client.get(address, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"})
        assert "evil.example" not in answer.text
        assert "evil.example" not in answer.headers.get("Location", "")


def test_a_past_month_can_be_shown_for_ever(client: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact("cs_april", 700, at=moment("2021-04-10T10:00")), NOW)
    told = client.get("/embed/newsroom.json?month=2021-04").json
    assert told is not None
    assert (told["month"], told["raised"], told["labels"]["month"]) == ("2021-04", 700, "APRIL 2021")
    assert "APRIL 2021" in client.get("/embed/newsroom?month=2021-04").text
    assert client.get("/embed/newsroom?month=").status_code == 200


SCRIPT = '<script src="/embed/frame.js" async></script>'


def test_the_frame_is_small_and_loads_one_script_of_ours_and_nothing_else(client: FlaskClient) -> None:
    answer = client.get("/embed/newsroom?src=article-1&pos=top")
    assert len(answer.data) < 4096
    assert re.findall(r"<script.*?</script>", answer.text) == [SCRIPT]
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "script-src 'self'", "connect-src 'self'", "img-src 'none'"} <= set(policy)
    assert 'href="http://127.0.0.1:5000/go/newsroom?src=article-1&amp;pos=top"' in answer.text
    assert 'target="_top"' in answer.text


@each("theme", ["dark", "auto", "light", '"><script>', ""])
def test_only_known_themes_reach_the_frame(client: FlaskClient, theme: str) -> None:
    page = client.get("/embed/newsroom", query_string={"theme": theme}).text
    assert ("color-scheme:dark" in page) == (theme in ("dark", "auto"))
    assert ("@media(prefers-color-scheme:dark)" in page) == (theme == "auto")
    assert page.count("<script") == page.count(SCRIPT) == 1


def test_a_reader_who_has_the_bar_already_gets_nothing_again(client: FlaskClient, stripe_calls: Stripe) -> None:
    first = client.get("/embed/newsroom")
    tag = first.headers["ETag"]
    assert first.headers["Cache-Control"] == "public, max-age=1, stale-while-revalidate=9"
    with time_machine.travel(datetime(2021, 5, 14, 9, 35, tzinfo=UTC), tick=False):
        again = client.get("/embed/newsroom", headers={"If-None-Match": tag})
        assert (again.status_code, again.data) == (304, b"")
        assert again.headers["Content-Security-Policy"] == first.headers["Content-Security-Policy"]
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", session()))
        fresh = client.get("/embed/newsroom", headers={"If-None-Match": tag})
    assert fresh.status_code == 200
    assert "10 $" in fresh.text
    assert fresh.headers["ETag"] != tag


def test_a_payment_shows_in_every_format_at_once(client: FlaskClient, stripe_calls: Stripe) -> None:
    for number in (1, 2, 3):
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", session(f"cs_{number}", 100_000)))
        words = f"{number},000 $"
        assert client.get("/embed/newsroom.json").json["labels"]["raised"] == words  # type: ignore[index]
        for address in ("/embed/newsroom", "/c/newsroom", "/", "/c/newsroom/months", "/c/newsroom/months/2021-05"):
            assert words in client.get(address).text, address


@each(
    "address",
    ["/embed/nobody", "/embed/%00", "/embed/newsroom?month=2021-06", "/embed/a/b/c"],
)
def test_a_frame_that_cannot_be_shown_still_looks_like_one(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 404
    assert len(answer.data) < 1024
    assert "Support us" in answer.text
    assert "<script" not in answer.text
    assert "<link" not in answer.text
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "unsafe" not in policy
    assert re.search(r"style-src 'sha256-[A-Za-z0-9+/=]{44}'", policy)


def test_a_frame_in_trouble_still_looks_like_one(client: FlaskClient) -> None:
    with writing() as connection:
        connection.execute(text("ALTER TABLE month_total RENAME TO elsewhere"))
    answer = client.get("/embed/newsroom")
    assert answer.status_code == 503
    assert "The bar is not available right now" in answer.text
    assert "frame-ancestors *" in answer.headers["Content-Security-Policy"]


def test_a_frame_of_nothing_has_the_paper_of_the_page_around_it(client: FlaskClient) -> None:
    dark = "html{color-scheme:dark;color:#eceae4;background:#16181b}"
    for query in ("", "theme=%22;}", "theme=dark", "theme=auto"):
        page = client.get(f"/embed/nothing?{query}").text
        assert "<style>html{color-scheme:light;color:#17191c;background:#fff}" in page
        assert (dark in page) == (query in ("theme=dark", "theme=auto"))
        assert (f"@media(prefers-color-scheme:dark){{{dark}" in page) == (query == "theme=auto")


def test_a_frame_of_nothing_is_on_the_pages_own_background_too(client: FlaskClient) -> None:
    page = client.get("/embed/nothing?background=1b1512")
    assert "html{background:#1b1512}html,a{color:#eceae4}" in page.text
    assert "html{background:transparent}" in client.get("/embed/nothing?background=none").text
    style = re.findall("<style>(.*?)</style>", page.text)[0]
    assert hash_of(style) in page.headers["Content-Security-Policy"]


class TestWhereOnlySomeSitesMayShowIt:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_EMBED_ON": "https://news.example https://www.news.example"}

    @pytest.mark.parametrize("address", ["/embed/newsroom", "/embed/nobody"])
    def test_the_frame_and_its_errors_name_them(self, client: FlaskClient, address: str) -> None:
        policy = client.get(address).headers["Content-Security-Policy"]
        assert "frame-ancestors https://news.example https://www.news.example" in policy


def test_a_bar_that_is_not_there_is_said_in_json_to_other_sites_too(client: FlaskClient) -> None:
    answer = client.get("/embed/nobody.json")
    assert answer.status_code == 404
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.json == {"error": "There is nothing at this address."}
