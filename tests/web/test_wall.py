"""The supporters' wall and the ticker: the bar's state and the names that may be shown, on other sites and on a screen."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, each, gift_fact, moment
from flask import Flask
from flask.testing import FlaskClient
from web.test_prepared import Node

from tracker.giving.drives import Appeal
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import parse_month
from tracker.ledger import appeals, book, campaigns, supporters
from tracker.ledger.store import writing
from tracker.web.embed import wall

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
BOTH = ("/embed/newsroom/wall", "/embed/newsroom/ticker")


@pytest.fixture
def database_url() -> str:
    """SQLite alone: tests/ledger tries what is read on both."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def gives(key: str, name: str = "", message: str = "", *, shown: bool = True, **more: Any) -> None:
    with writing() as session:
        book.record(session, gift_fact(key, name=name, message=message, **more), NOW)
        if shown:
            supporters.show(session, key, shown=True)


def runs(kind: Any, name: str, amount: int, hours: int = 12) -> None:
    with writing() as session:
        starts = NOW - timedelta(hours=2)
        appeals.save(session, NEWSROOM, Appeal(kind, name, amount, starts, NOW + timedelta(hours=hours)), starts)


def names_on(page: str) -> list[str]:
    return [unescape(one) for one in re.findall(r"<bdi>([^<]*)</bdi>", page)]


# --- The wall ---------------------------------------------------------------------------------------------------------


def test_the_wall_has_the_months_names_and_words_the_newest_first(client: FlaskClient) -> None:
    gives("cs_1", "Ana", "For the court reports", at=moment("2021-05-02T10:00"))
    gives("cs_2", "", "Go <on>", at=moment("2021-05-03T10:00"))
    gives("cs_3", "Jürgen", at=moment("2021-05-04T10:00"))
    gives("cs_4", "April", at=moment("2021-04-30T21:59"))
    gives("cs_5", "Nobody has read it", shown=False)
    page = client.get("/embed/newsroom/wall").text
    assert names_on(page) == ["Jürgen", "A supporter", "Ana"]
    assert "For the court reports" in page
    assert "Go &lt;on&gt;" in page
    assert "MAY 2021" in page
    # By the campaign's own clock.
    assert names_on(client.get("/embed/newsroom/wall?month=2021-04").text) == ["April"]
    assert client.get("/embed/newsroom/wall?month=2021-06").status_code == 404
    assert client.get("/embed/nobody/wall").status_code == 404


def test_while_a_drive_runs_the_wall_has_its_names(client: FlaskClient) -> None:
    gives("cs_1", "Before", at=NOW - timedelta(hours=3))
    gives("cs_2", "In it", at=NOW - timedelta(hours=1))
    runs("drive", "Summer drive", 100_000)
    page = client.get("/embed/newsroom/wall").text
    assert names_on(page) == ["In it"]
    assert "Summer drive" in page
    assert names_on(client.get("/embed/newsroom/wall?month=2021-05").text) == ["In it", "Before"]


def test_an_empty_wall_says_so_and_how_to_change_it(client: FlaskClient) -> None:
    page = client.get("/embed/newsroom/wall?src=a-1&pos=side&lang=de").text
    assert "Noch keine Namen." in page
    assert 'href="http://127.0.0.1:5000/go/newsroom?src=a-1&amp;pos=side&amp;lang=de" target="_top"' in page
    assert '<html lang="de">' in page
    with writing() as session:
        campaigns.save(session, replace(NEWSROOM, paused=True))
    assert "/go/newsroom" not in client.get("/embed/newsroom/wall").text


def test_a_long_wall_is_leafed_through(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wall, "ON_A_PAGE", 2)
    for number in range(5):
        gives(f"cs_{number}", f"Ana {number}", at=moment(f"2021-05-0{number + 1}T10:00"))
    address, seen = "/embed/newsroom/wall?theme=dark", []
    while address:
        page = client.get(address).text
        seen.append(names_on(page))
        older = re.search(r'href="([^"]+)">Earlier names<', page)
        address = unescape(older[1]) if older else ""
    assert seen == [["Ana 4", "Ana 3"], ["Ana 2", "Ana 1"], ["Ana 0"]]
    assert 'href="/embed/newsroom/wall?theme=dark">Newest names<' in page
    for asked in ("0", "-1", "x", "99999", "２", ""):
        assert names_on(client.get(f"/embed/newsroom/wall?page={asked}").text) == seen[0]
    assert "No names yet." in client.get("/embed/newsroom/wall?page=9").text


def test_the_wall_tells_no_more_of_anybody_than_the_page_does(client: FlaskClient) -> None:
    gives("cs_secret_1", "Ana", "For you", amount=12_345, source="article-7", at=moment("2021-05-03T10:11:12"))
    for address in BOTH:
        page = client.get(address).text
        assert "cs_secret_1" not in page
        assert "article-7" not in page
        assert "10:11" not in page
    assert "123" not in client.get(BOTH[0]).text.partition("<main")[2]


# --- Both -------------------------------------------------------------------------------------------------------------


@each("address", BOTH)
def test_they_may_be_framed_like_the_bar_and_are_kept_for_a_second(client: FlaskClient, address: str) -> None:
    bar, answer = client.get("/embed/newsroom"), client.get(address)
    for name in (
        "Cross-Origin-Resource-Policy",
        "Cross-Origin-Embedder-Policy",
        "X-Robots-Tag",
        "X-Content-Type-Options",
    ):
        assert answer.headers[name] == bar.headers[name]
    policy = answer.headers["Content-Security-Policy"]
    assert "frame-ancestors *" in policy
    assert "unsafe" not in policy
    assert "Set-Cookie" not in answer.headers
    assert answer.headers["Cache-Control"] == "public, max-age=1, must-revalidate"
    again = client.get(address, headers={"If-None-Match": answer.headers["ETag"]})
    assert (again.status_code, again.data) == (304, b"")


def test_only_the_ticker_has_a_script_which_asks_us_alone(client: FlaskClient) -> None:
    policies = [client.get(address).headers["Content-Security-Policy"] for address in BOTH]
    assert "script-src 'none'" in policies[0]
    assert "connect-src" not in policies[0]
    assert re.search(r"script-src 'sha256-[A-Za-z0-9+/=]{44}'", policies[1])
    assert "connect-src 'self'" in policies[1]
    assert "<script" not in client.get(BOTH[0]).text


@each(("address", "paper"), [(BOTH[0], "light"), (BOTH[1], "dark")])
def test_their_paper_is_as_the_address_says(client: FlaskClient, address: str, paper: str) -> None:
    for theme in ("light", "dark", "auto", "nonsense", ""):
        page = client.get(f"{address}?theme={theme}&accent=aa0000").text
        asked = theme if theme in ("light", "dark", "auto") else paper
        assert ("color-scheme:dark" in page) == (asked in ("dark", "auto"))
        assert ("@media(prefers-color-scheme:dark)" in page) == (asked == "auto")
        assert ("--accent:#aa0000" in page) == (asked != "dark")


@each("address", BOTH)
def test_a_name_is_gone_with_the_next_look_once_an_editor_has_hidden_it(app: Flask, address: str) -> None:
    gives("cs_1", "Ana")
    node = Node(app)
    assert "Ana" in node.gets(address).text
    tag = node.gets(address).headers["ETag"]
    assert node.gets(address, headers={"If-None-Match": tag}).status_code == 304
    with writing() as session:
        supporters.show(session, "cs_1", shown=False)
    node.looks()
    # The one who asks first has it made again.
    assert "Ana" not in node.gets(address, headers={"If-None-Match": tag}).text
    # It comes from memory until anything is written, and is counted as nobody's reading of a bar.
    assert app.extensions["responses"]._answers[address, ""].counts_as is None
    gives("cs_2", "Ruth")
    node.looks()
    assert "Ruth" in node.gets(address).text
    node.bars.close()


# --- The ticker -------------------------------------------------------------------------------------------------------


def test_the_ticker_says_what_the_bar_says_and_the_newest_names(client: FlaskClient) -> None:
    for number in range(8):
        gives(f"cs_{number}", f"Ana {number}", amount=10_000, at=NOW - timedelta(minutes=60 - number))
    page = client.get("/embed/newsroom/ticker").text
    assert "MAY 2021" in page
    assert ">800 $</strong> <span>of 5,000 $</span>" in page
    assert "8 gifts" in page
    assert "17 days left" in page
    assert names_on(page) == [*(f"Ana {number}" for number in (7, 6, 5, 4, 3, 2)), "127.0.0.1:5000/c/newsroom"]
    assert 'width="16%"' in page


def test_a_drive_and_a_match_are_on_the_ticker(client: FlaskClient) -> None:
    runs("drive", "Evening of the harbour", 100_000)
    runs("match", "Harbour Ltd", 50_000)
    gives("cs_1", "Ana", amount=40_000, at=NOW)
    page = client.get("/embed/newsroom/ticker").text
    assert "<h1>Evening of the harbour</h1>" in page
    assert ">400 $</strong> <span>of 1,000 $</span>" in page
    assert "Gifts doubled by Harbour Ltd: 400 $ of 500 $" in page
    assert "until 11:31\N{NARROW NO-BREAK SPACE}PM" in page
    assert "days left" not in page
    # The last day is told by the minute, no other.
    with time_machine.travel(NOW - timedelta(days=0, hours=1), tick=False):
        assert "until" in client.get("/embed/newsroom/ticker").text


def test_a_goal_in_people_is_counted_on_the_ticker(client: FlaskClient) -> None:
    with writing() as session:
        goal = PeopleGoal(200, first=True)
        campaigns.set_people_goal(session, "newsroom", parse_month("2021-05"), goal, stands=False, now=NOW)
    gives("cs_1", "Ana", amount=40_000)
    page = client.get("/embed/newsroom/ticker").text
    assert ">1</strong> <span>of 200 supporters</span>" in page
    assert "400 $ of 5,000 $" in page


def test_an_amount_is_set_as_large_as_it_fits(client: FlaskClient) -> None:
    for amount, words, size in (
        (500, "5 $", "short"), (1_999_500, "20,000 $", "middling"), (98_000_050, "1,000,000.50 $", "longest"),
    ):  # fmt: skip
        gives(f"cs_{amount}", amount=amount)
        assert f'<strong class="{size}">{words}</strong>' in client.get("/embed/newsroom/ticker").text
