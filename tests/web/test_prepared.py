"""The bar's answers from memory: as cheap as a file, never stale, and there when the database is not."""

import contextvars
import gzip
import re
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from threading import Barrier, Thread
from typing import Any

import brotli
import psycopg
import pytest
import time_machine
from actors import gift_fact, moment, refund_fact
from flask import Flask
from sqlalchemy import text
from werkzeug.test import Client, TestResponse

from tracker import create_app
from tracker.gateway.checkout import Gateway
from tracker.giving.drives import Appeal
from tracker.giving.months import parse_month
from tracker.ledger import appeals, book, campaigns, month_closing
from tracker.ledger.store import close, reading, writing
from tracker.settings import Settings
from tracker.web.cache import answers
from tracker.web.cache import bars as bars_module
from tracker.web.cache.answers import ResponseCache
from tracker.web.cache.bars import SILENCE, BarCache

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
EVERY = ("/embed/newsroom", "/embed/newsroom.json", "/embed/newsroom.txt", "/embed/newsroom?src=a-1&pos=top")


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


class Node:
    """One process that serves the bar, with its look-out in the test's hands."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.front: ResponseCache = app.extensions["responses"]
        self.bars: BarCache = app.extensions["bars"]
        self.client = Client(app)
        self.looks()

    def gets(self, address: str, **how: Any) -> TestResponse:
        return contextvars.Context().run(self.client.get, address, **how)

    def looks(self, later: timedelta = timedelta()) -> None:
        with self.app.app_context():
            self.bars.look(datetime.now(UTC) + later)


@pytest.fixture
def node(app: Flask) -> Iterator[Node]:
    made = Node(app)
    yield made
    made.bars.close()


def given(key: str, amount: int, **about: Any) -> None:
    with writing() as connection:
        book.record(connection, gift_fact(key, amount, **about), NOW)


def broken() -> None:
    """The database goes on taking connections, and nothing can be read."""
    with writing() as connection:
        connection.execute(text("ALTER TABLE month_total RENAME TO elsewhere"))


def mended() -> None:
    with writing() as connection:
        connection.execute(text("ALTER TABLE elsewhere RENAME TO month_total"))


def test_a_second_load_asks_the_database_nothing(node: Node) -> None:
    first = {address: node.gets(address).data for address in EVERY}
    broken()
    assert {address: node.gets(address).data for address in EVERY} == first
    # Not even for an article that nobody has read yet.
    assert node.gets("/embed/newsroom?src=a-2").status_code == 200


def test_a_hundred_readers_who_are_the_first_to_ask_are_all_answered(node: Node) -> None:
    """As after a start. Nobody is sent away meanwhile, though few are worked on at a time."""
    node.app.before_request_funcs[None].append(lambda: time.sleep(0.1))
    ready, came = Barrier(100), []

    def reads() -> None:
        ready.wait(30)
        came.append(node.gets("/embed/newsroom?src=a-1").status_code)

    readers = [Thread(target=reads) for _ in range(100)]
    for reader in readers:
        reader.start()
    for reader in readers:
        reader.join(30)
    assert came == [200] * 100


def test_the_supporters_page_asks_the_database_nothing_until_something_is_written(node: Node) -> None:
    assert node.gets("/c/newsroom").status_code == 200
    broken()
    assert node.gets("/c/newsroom").status_code == 200
    mended()
    given("cs_1", 34_000)
    assert "340 $" not in node.gets("/c/newsroom").text
    node.looks()
    assert "340 $" in node.gets("/c/newsroom").text
    with writing() as connection:
        campaign = campaigns.find(connection, "newsroom")
        assert campaign
        campaigns.save(connection, replace(campaign, paused=True))
    node.looks()
    assert 'name="token"' not in node.gets("/c/newsroom").text


def test_with_the_database_away_people_can_give_and_the_page_says_of_when_its_number_is(
    node: Node, clock: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(Gateway, "open_checkout", lambda *_: "https://checkout.stripe.com/c/pay/cs_1")
    given("cs_1", 34_000)
    node.looks()
    before = node.gets("/c/newsroom").text
    assert node.gets("/embed/newsroom").status_code == 200
    assert node.gets("/go/newsroom").status_code == 303

    def gives() -> int:
        form = {
            "token": re.search('name="token"[^>]*value="([^"]+)"', before)[1],
            "frequency": "once",
            "tier_once": "1000",
        }  # type: ignore[index]
        return contextvars.Context().run(node.client.post, "/c/newsroom/give", data=form).status_code

    assert gives() == 303
    # Something was written at last, and then nothing can be read any more.
    node.bars._changes += 1
    broken()
    for silent in (False, True):
        if silent:
            clock.shift(SILENCE)
            node.looks()
        assert node.gets("/go/newsroom").status_code == 303
        page = node.gets("/c/newsroom?amount=2500").text
        thanks = node.gets("/c/newsroom/thanks?session_id=cs_2")
        assert "Confirming your gift" in thanks.text
        assert "Refresh" in thanks.headers
        for shown in (page, thanks.text):
            assert "340 $" in shown
            assert ("as of May 14, 11:31" in shown.replace("\N{NARROW NO-BREAK SPACE}", " ")) is silent
        assert gives() == 303
    mended()
    node.looks()
    assert "as of" not in node.gets("/c/newsroom").text


def test_a_page_that_was_never_read_cannot_be_shown_without_the_database(node: Node) -> None:
    broken()
    assert node.gets("/c/newsroom").status_code == 503


def test_what_is_written_while_it_is_read_is_not_missed(node: Node) -> None:
    def read() -> str:
        node.bars._changes += 1  # a look-out that notices something at this very moment
        return "before"

    assert node.bars.cached_until_written("x", read) == "before"
    assert node.bars.cached_until_written("x", lambda: "after") == "after"
    assert node.bars.cached_until_written("x", lambda: "never") == "after"


def test_what_a_request_keeps_is_not_from_before_the_last_change(node: Node) -> None:
    """A request that has been reading for some time still sees the ledger as it was when it began."""

    def number_of_gifts() -> int:
        with reading() as session:
            return session.scalar(text("SELECT COUNT(*) FROM entry")) or 0

    with node.app.test_request_context():
        assert number_of_gifts() == 0
        with node.app.app_context():
            given("cs_1", 34_000)
        node.looks()
        assert node.bars.cached_until_written("gifts", number_of_gifts) == 1


def test_an_address_without_a_campaign_leaves_nothing_behind(node: Node) -> None:
    for number in range(3):
        assert node.gets(f"/c/nobody-{number}").status_code == 404
    assert not node.bars._readings


def test_a_gift_shows_in_every_kept_answer_after_one_look(node: Node) -> None:
    for address in EVERY:
        assert "340 $" not in node.gets(address).text
    given("cs_1", 34_000)
    node.looks()
    for address in EVERY:
        assert "340 $" in node.gets(address).text
    with writing() as connection:
        book.record(connection, refund_fact("cs_1", 4_000), NOW)
    node.looks()
    for address in EVERY:
        assert "300 $" in node.gets(address).text


def test_a_gift_shows_on_another_node(node: Node, settings: Settings) -> None:
    other = Node(create_app(settings, background=False))
    try:
        assert "0 $" in other.gets("/embed/newsroom.txt").text
        given("cs_1", 34_000)
        for each in (node, other):
            each.looks()
            assert "340 $" in each.gets("/embed/newsroom.txt").text
    finally:
        other.bars.close()
        close(other.app)


def test_what_changes_elsewhere_leaves_the_kept_answers_alone(node: Node) -> None:
    node.gets("/embed/newsroom")
    kept = node.front._answers["/embed/newsroom", ""]
    given("cs_1", 34_000, campaign="nobody-knows-it")
    node.looks()
    node.gets("/embed/newsroom")
    assert node.front._answers["/embed/newsroom", ""] is kept
    given("cs_2", 34_000)
    node.looks()
    assert not kept.current


def test_while_an_answer_is_made_again_nobody_else_makes_it(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    make, others = ResponseCache._make, []
    before = node.gets("/embed/newsroom").text

    def slowly(front: ResponseCache, path: str, query: str, **how: Any) -> answers.Answer:
        others.append(node.gets("/embed/newsroom").text)
        return make(front, path, query, **how)

    given("cs_1", 34_000)
    node.looks()
    monkeypatch.setattr(ResponseCache, "_make", slowly)
    assert "340 $" in node.gets("/embed/newsroom").text
    assert others == [before]
    assert "340 $" in node.gets("/embed/newsroom").text


def test_a_title_a_goal_and_a_colour_show_too(node: Node) -> None:
    node.gets("/embed/newsroom")
    with writing() as connection:
        campaign = campaigns.find(connection, "newsroom")
        assert campaign is not None
        campaigns.save(connection, replace(campaign, title="A new roof", accent="b3261e"))
        campaigns.set_goal(connection, "newsroom", parse_month("2021-05"), 700_000, stands=False)
    node.looks()
    page = node.gets("/embed/newsroom").text
    assert "A new roof" in page
    assert "#b3261e" in page
    assert "7,000 $" in page


class TestAtTheEndOfAMonth:
    # Midnight in Berlin.
    TURN = datetime(2021, 5, 31, 22, 0, tzinfo=UTC)

    def test_the_next_month_begins_with_nothing_at_once(self, node: Node, clock: Any) -> None:
        given("cs_1", 34_000)
        clock.move_to(self.TURN - timedelta(seconds=0.1))
        node.looks()
        assert "MAY 2021" in node.gets("/embed/newsroom").text
        clock.move_to(self.TURN)
        node.looks()
        page = node.gets("/embed/newsroom").text
        assert "JUNE 2021" in page
        assert "340 $" not in page

    @pytest.mark.parametrize(
        ("before", "promise"),
        [
            (60, "public, max-age=1, stale-while-revalidate=9"),
            (12, "public, max-age=1, stale-while-revalidate=9"),
            (11, "public, no-cache"),
            (1, "public, no-cache"),
        ],
    )
    def test_no_cache_may_show_it_longer(self, node: Node, clock: Any, before: int, promise: str) -> None:
        clock.move_to(self.TURN - timedelta(minutes=5))
        node.looks()
        node.gets("/embed/newsroom")
        clock.move_to(self.TURN - timedelta(seconds=before))
        node.looks()
        for headers in ({}, {"If-None-Match": node.gets("/embed/newsroom").headers["ETag"]}):
            assert node.gets("/embed/newsroom", headers=headers).headers["Cache-Control"] == promise

    def test_a_past_month_and_one_that_is_held_never_turn(self, node: Node, clock: Any) -> None:
        clock.move_to(self.TURN - timedelta(seconds=1))
        node.looks()
        assert "max-age=1," in node.gets("/embed/newsroom?month=2021-04").headers["Cache-Control"]


class TestWhenADriveBeginsAndEnds:
    START, END = datetime(2021, 5, 14, 16, 0, tzinfo=UTC), datetime(2021, 5, 16, 20, 0, tzinfo=UTC)

    @pytest.fixture(autouse=True)
    def _planned(self, node: Node) -> None:
        drive = Appeal("drive", "Summer drive", 2_000_000, self.START, self.END)
        with writing() as session:
            campaign = campaigns.find(session, "newsroom")
            assert campaign
            appeals.save(session, campaign, drive, NOW)
            appeals.save(session, campaign, replace(drive, kind="match", name="Harbour Foundation"), NOW)
        given("cs_1", 34_000)
        node.looks()

    def test_it_shows_in_every_kept_answer_at_once_and_the_month_again_afterwards(self, node: Node, clock: Any) -> None:
        every = (*EVERY, "/c/newsroom")
        second = timedelta(seconds=1)
        for at, runs in (
            (NOW, False),
            (self.START - second, False),
            (self.START, True),
            (self.END - second, True),
            (self.END, False),
        ):
            clock.move_to(at)
            node.looks()
            for address in every:
                page = node.gets(address).text
                assert ("Summer drive" in page) is runs, (at, address)
                assert ("Harbour Foundation" in page) is runs, (at, address)

    @pytest.mark.parametrize(
        ("before", "promise"), [(60, "max-age=1"), (12, "max-age=1"), (11, "no-cache"), (1, "no-cache")]
    )
    @pytest.mark.parametrize("turn", ["START", "END"])
    def test_no_cache_may_show_it_longer(self, node: Node, clock: Any, turn: str, before: int, promise: str) -> None:
        at = getattr(self, turn)
        clock.move_to(at - timedelta(minutes=5))
        node.looks()
        node.gets("/embed/newsroom")
        clock.move_to(at - timedelta(seconds=before))
        node.looks()
        assert promise in node.gets("/embed/newsroom").headers["Cache-Control"]

    def test_the_gift_that_reaches_the_cap_ends_the_words(self, node: Node, clock: Any) -> None:
        clock.move_to(self.START)
        node.looks()
        assert "Gifts doubled" in node.gets("/embed/newsroom").text
        given("cs_2", 2_000_000, at=self.START)
        node.looks()
        assert "Gifts doubled" not in node.gets("/embed/newsroom").text
        with writing() as session:
            book.record(session, refund_fact("cs_2", 1), self.START)
        node.looks()
        assert "Gifts doubled by Harbour Foundation: 19,999.99 $ of 20,000 $" in node.gets("/embed/newsroom").text


class TestWhileTheDatabaseIsSilent:
    def test_the_bar_goes_on_and_says_of_when_it_is(self, node: Node, clock: Any) -> None:
        given("cs_1", 34_000)
        node.looks()
        for address in EVERY:
            node.gets(address)
        broken()
        clock.shift(timedelta(seconds=1))
        node.looks()
        assert "as of" not in node.gets("/embed/newsroom").text
        clock.shift(SILENCE)
        node.looks()
        frame, told = node.gets("/embed/newsroom"), node.gets("/embed/newsroom.json").json
        assert "340 $" in frame.text
        assert "as of May 14, 11:31" in frame.text.replace("\N{NARROW NO-BREAK SPACE}", " ")
        # In a frame as high as it was: the scale's words make room.
        assert "</text>" not in frame.text
        assert told is not None
        assert (told["raised"], told["as_of"]) == (34_000, "2021-05-14T09:31:00Z")
        clock.shift(timedelta(minutes=10))
        node.looks()
        assert node.gets("/embed/newsroom.json").json == told

    def test_it_is_fresh_again_without_a_restart(self, node: Node, clock: Any) -> None:
        node.gets("/embed/newsroom")
        broken()
        clock.shift(SILENCE * 2)
        node.looks()
        assert "as of" in node.gets("/embed/newsroom").text
        mended()
        given("cs_1", 34_000)
        node.looks()
        assert "340 $" in node.gets("/embed/newsroom").text
        assert "as of" not in node.gets("/embed/newsroom").text

    def test_what_nobody_asked_for_before_cannot_be_shown(self, node: Node) -> None:
        broken()
        answer = node.gets("/embed/newsroom")
        assert answer.status_code == 503
        assert "The bar is not available right now" in answer.text
        mended()
        assert node.gets("/embed/newsroom").status_code == 200


def test_the_time_in_the_json_is_never_older_than_a_minute(node: Node, clock: Any) -> None:
    first = node.gets("/embed/newsroom.json").json
    frame = node.gets("/embed/newsroom").headers["ETag"]
    clock.shift(timedelta(seconds=61))
    node.looks()
    second = node.gets("/embed/newsroom.json").json
    assert first is not None
    assert second == first | {"as_of": "2021-05-14T09:32:01Z"}
    assert node.gets("/embed/newsroom").headers["ETag"] == frame


def test_days_left_follow_the_calendar(node: Node, clock: Any) -> None:
    assert "17 days left" in node.gets("/embed/newsroom.txt?days=1").text
    clock.move_to(datetime(2021, 5, 14, 22, 0, 30, tzinfo=UTC))
    node.looks()
    assert "16 days left" in node.gets("/embed/newsroom.txt?days=1").text


@pytest.mark.parametrize(
    ("accepts", "encoding"),
    [
        ("gzip, deflate, br, zstd", "br"),
        ("gzip", "gzip"),
        ("br;q=0, gzip;q=0.5", "gzip"),
        ("GZIP", "gzip"),
        ("identity", None),
        ("gzip; q=0.0", None),
        ("gzip;q=1, br;q=0.1", "gzip"),
        ("br;q=0.5 , gzip; q=0.5", "br"),
        ("gzip;level=3;q=0", None),
        ("gzip;level=3", None),
        ("gzip;q=0.5, identity", None),
        ("gzip;q=0.5, identity;q=0", "gzip"),
        ("gzip;q=nan, br;q=-1", None),
        ("", None),
    ],
)
def test_each_reader_gets_it_packed_as_the_browser_likes(node: Node, accepts: str, encoding: str | None) -> None:
    plain = node.gets("/embed/newsroom").data
    # Twice: the second time the header is known.
    for _ in range(2):
        answer = node.gets("/embed/newsroom", headers={"Accept-Encoding": accepts})
        assert answer.headers.get("Content-Encoding") == encoding
        assert answer.headers["Vary"] == "Accept-Encoding"
        assert int(answer.headers["Content-Length"]) == len(answer.data)
        unpack: Any = {"br": brotli.decompress, "gzip": gzip.decompress, None: bytes}[encoding]
        assert unpack(answer.data) == plain


def test_who_has_it_already_is_told_so_in_a_few_bytes(node: Node) -> None:
    tags = set()
    for accepts in ("br", "gzip", ""):
        full = node.gets("/embed/newsroom", headers={"Accept-Encoding": accepts})
        tag = full.headers["ETag"]
        assert tag.startswith('"')
        tags.add(tag)
        for known in (tag, f'"another", {tag}', f"W/{tag}", "*", " * "):
            again = node.gets("/embed/newsroom", headers={"Accept-Encoding": accepts, "If-None-Match": known})
            assert (again.status_code, again.data) == (304, b"")
            for name in (
                "ETag", "Cache-Control", "Vary", "Content-Security-Policy", "Cross-Origin-Resource-Policy",
                "Cross-Origin-Embedder-Policy",
            ):  # fmt: skip
                assert again.headers[name] == full.headers[name]
        assert node.gets("/embed/newsroom", headers={"If-None-Match": '"another"'}).status_code == 200
    assert len(tags) == 3
    # What does not exist is not what anybody has.
    assert node.gets("/embed/nobody", headers={"If-None-Match": "*"}).status_code == 404


def test_a_head_request_gets_the_headers_alone(node: Node) -> None:
    full = node.gets("/embed/newsroom")
    head = contextvars.Context().run(node.client.head, "/embed/newsroom")
    assert head.data == b""
    assert head.headers["Content-Length"] == str(len(full.data))
    assert head.headers["ETag"] == full.headers["ETag"]


def test_nothing_of_one_reader_reaches_another(node: Node) -> None:
    asked = {"Host": "evil.example", "Cookie": "session=x", "X-Forwarded-Host": "evil.example", "Accept-Language": "de"}
    first = node.gets("/embed/newsroom?src=a-1", headers=asked)
    second = node.gets("/embed/newsroom?src=a-1")
    assert first.data == second.data
    assert "evil.example" not in first.text
    assert "Set-Cookie" not in first.headers


def test_kept_answers_have_the_headers_of_the_app_itself(node: Node, app: Flask) -> None:
    for address in EVERY:
        direct = contextvars.Context().run(app.test_client().get, address)
        front = node.gets(address)
        assert front.data == direct.data
        for name in (
            "Content-Type",
            "Content-Security-Policy",
            "X-Content-Type-Options",
            "Cache-Control",
            "X-Robots-Tag",
        ):
            assert front.headers.get_all(name) == direct.headers.get_all(name), name
        assert front.headers.get("Access-Control-Allow-Origin") == direct.headers.get("Access-Control-Allow-Origin")


def test_what_is_not_there_is_not_kept_and_appears_at_once(node: Node) -> None:
    assert node.gets("/embed/roof").status_code == 404
    assert node.front._answers == {}
    with writing() as connection:
        campaign = campaigns.find(connection, "newsroom")
        campaigns.save(connection, replace(campaign, slug="roof"))
    assert node.gets("/embed/roof").status_code == 200


def test_strangers_cannot_fill_the_memory(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_KEPT", 20)
    for number in range(70):
        assert node.gets(f"/embed/newsroom?src={number}").status_code == 200
    assert len(node.front._answers) <= 20
    assert node.gets("/embed/newsroom?src=" + "x" * 2000).status_code == 200
    assert all(len(query) < 1000 for _, query in node.front._answers)


def test_strangers_who_ask_for_many_months_do_not_make_a_bar_stand_still(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bars_module, "MOST_KEPT", 20)
    with node.app.app_context(), writing() as connection:
        campaigns.set_goal(connection, "newsroom", parse_month("1971-01"), 500_000, stands=False)
    months = [f"/embed/newsroom.txt?month={1971 + number // 12}-{number % 12 + 1:02}" for number in range(50)]
    seen = ("/embed/newsroom", "/embed/newsroom?month=2021-05", months[0])
    assert all("0 $" in node.gets(address).text for address in (*seen, *months))
    with node.app.app_context():
        given("cs_1", 34_000)
        given("cs_2", 5_000, at=moment("1971-01-15T12:00"))
    node.looks()
    assert all("340 $" in node.gets(address).text for address in seen[:2])
    assert "50 $" in node.gets(seen[2]).text
    broken()
    # However many were asked for, the campaign's own bar is there without the database.
    assert "340 $" in node.gets("/embed/newsroom?src=a-3").text


def test_a_bar_that_is_first_asked_for_while_others_are_read_is_kept(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A database that goes away a moment later must not take it along."""
    with node.app.app_context(), writing() as connection:
        campaigns.save(connection, replace(campaigns.find(connection, "newsroom"), slug="roof"))
    node.gets("/embed/newsroom")
    read = bars_module._read

    def in_the_middle(*about: Any) -> Any:
        monkeypatch.setattr(bars_module, "_read", read)
        assert node.gets("/embed/roof").status_code == 200
        return read(*about)

    monkeypatch.setattr(bars_module, "_read", in_the_middle)
    with node.app.app_context():
        given("cs_1", 34_000)
    node.looks()
    broken()
    assert node.gets("/embed/roof").status_code == 200
    assert "340 $" in node.gets("/embed/newsroom").text


def test_a_bar_that_others_are_read_anew_behind_is_read_once_more_and_kept(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = bars_module._read

    def overtaken(*about: Any) -> Any:
        monkeypatch.setattr(bars_module, "_read", read)
        older = read(*about)
        with node.app.app_context():
            given("cs_1", 34_000)
        node.looks()
        return older

    monkeypatch.setattr(bars_module, "_read", overtaken)
    assert "340 $" in node.gets("/embed/newsroom").text
    broken()
    assert "340 $" in node.gets("/embed/newsroom").text


def test_a_gift_in_the_middle_of_making_an_answer_is_not_lost(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bar is read, a gift comes and is looked at, and only then the older answer would be put away."""
    make = ResponseCache._make

    def slowly(front: ResponseCache, path: str, query: str, **how: Any) -> answers.Answer:
        answer = make(front, path, query, **how)
        monkeypatch.setattr(ResponseCache, "_make", make)
        with node.app.app_context():
            given("cs_1", 34_000)
        node.looks()
        return answer

    monkeypatch.setattr(ResponseCache, "_make", slowly)
    node.gets("/embed/newsroom")
    assert "340 $" in node.gets("/embed/newsroom").text


def test_a_gift_while_an_answer_is_put_away_is_not_lost(node: Node) -> None:
    """It comes after the answer was found to be of now, and before it is kept."""
    came: list[Thread] = []

    def gives() -> None:
        with node.app.app_context():
            given("cs_1", 34_000)
        node.looks()

    class Answers(dict[Any, Any]):
        def __len__(self) -> int:
            if not came:
                came.append(Thread(target=gives))
                came[0].start()
                # As long as it needs; or it waits for us.
                came[0].join(1)
            return super().__len__()

    node.front._answers = Answers()
    node.gets("/embed/newsroom")
    came[0].join(30)
    assert "340 $" in node.gets("/embed/newsroom").text


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_database_that_hangs_is_silent_too(node: Node, database_url: str) -> None:
    """It takes questions, and answers none."""
    given("cs_1", 34_000)
    node.looks()
    for address in EVERY:
        node.gets(address)
    with psycopg.connect(database_url) as other, psycopg.connect(database_url, autocommit=True) as stranger:
        other.execute("LOCK TABLE month_total IN ACCESS EXCLUSIVE MODE")
        stranger.execute("INSERT INTO visit VALUES (1, '2021-05-14', 'frame', 'a-1', 'top', 1)")
        look = Thread(target=node.looks)
        look.start()
        until = time.monotonic() + 30
        while not stranger.execute("SELECT 1 FROM pg_locks WHERE NOT granted").fetchone():
            assert time.monotonic() < until
        with node.app.app_context():
            node.bars.notice_silence(NOW + SILENCE - timedelta(seconds=1))
            assert "as of" not in node.gets("/embed/newsroom").text
            node.bars.notice_silence(NOW + SILENCE)
        assert "340 $" in node.gets("/embed/newsroom").text
        assert "as of May 14, 11:31" in node.gets("/embed/newsroom").text.replace("\N{NARROW NO-BREAK SPACE}", " ")
    look.join(30)
    assert "as of" not in node.gets("/embed/newsroom").text


def test_everything_else_goes_to_the_app(node: Node) -> None:
    assert node.gets("/c/newsroom").status_code == 200
    assert contextvars.Context().run(node.client.post, "/embed/newsroom").status_code == 405
    assert node.front._answers == {}


def test_a_closed_month_s_bar_stays_the_same_to_the_byte(node: Node, clock: Any) -> None:
    given("cs_april", 700, at=moment("2021-04-10T10:00"))
    with writing() as connection:
        month_closing.close(connection, campaigns.find(connection, "newsroom"), parse_month("2021-04"), False, NOW)
    before = {kind: node.gets(f"/embed/newsroom{kind}?month=2021-04").data for kind in ("", ".json", ".txt")}
    with writing() as connection:
        book.record(connection, refund_fact("cs_april", 100), NOW)
        campaign = campaigns.find(connection, "newsroom")
        campaigns.save(connection, replace(campaign, title="Another", paused=True, time_zone="Asia/Tokyo"))
    clock.shift(timedelta(days=3))
    node.looks()
    assert {kind: node.gets(f"/embed/newsroom{kind}?month=2021-04").data for kind in before} == before


def test_a_picture_is_drawn_again_only_when_somebody_asks(node: Node) -> None:
    assert node.gets("/embed/newsroom.png").status_code == 200
    assert node.gets("/embed/newsroom.svg").status_code == 200
    given("cs_1", 100_000)
    node.looks()
    # Or a gift would show late on every bar, with a hundred pictures to be drawn first.
    assert not any(answer.current for answer in node.front._answers.values())
    assert "1,000 $" in node.gets("/embed/newsroom.svg").text


def test_strangers_cannot_fill_the_memory_with_pictures(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(answers, "MOST_BYTES", 100_000)
    for number in range(60):
        assert node.gets(f"/embed/newsroom.png?src=a-{number}").status_code == 200
        assert sum(answer.size for answer in node.front._answers.values()) < 120_000
