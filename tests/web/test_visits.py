"""Loads and clicks, counted without knowing who; and from which article and which place on it a gift came."""

import contextvars
import re
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from actors import OURS, Stripe, gift_fact, moment, refund_fact, session
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, select, text
from sqlalchemy.exc import OperationalError
from web_admin import Editor
from werkzeug.test import Client

from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns
from tracker.ledger import visits as ledger
from tracker.ledger.book import record
from tracker.ledger.store import reading, writing
from tracker.ledger.visit_models import visit
from tracker.web import visit_counter as counting

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
MAY = parse_month("2021-05")


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def front(app: Flask) -> Iterator[Client]:
    """The app as it is served, with the kept answers in front."""
    with app.app_context():
        app.extensions["bars"].look(NOW)
    yield Client(app)
    app.extensions["bars"].close()


def gets(front: Client, address: str, **how: Any) -> Any:
    return contextvars.Context().run(front.get, address, **how)


def written(app: Flask) -> dict[tuple[str, str, str, str], int]:
    """What stands in the table after everything counted was written down: by day, carrier, source and place."""
    app.extensions["visits"].write(datetime.now(UTC))
    with reading() as connection:
        rows = connection.execute(select(visit))
        return {(row.day, row.carrier, row.source, row.place): row.times for row in rows}


def test_loads_are_counted_by_carrier_article_and_place(app: Flask, front: Client) -> None:
    for _ in range(3):
        gets(front, "/embed/newsroom?src=a-1&pos=top")
    gets(front, "/embed/newsroom?src=a-1&pos=bottom&theme=dark")
    gets(front, "/embed/newsroom?src=a-1&pos=bottom&theme=light")
    gets(front, "/embed/newsroom.json")
    assert written(app) == {
        ("2021-05-14", "frame", "a-1", "top"): 3,
        ("2021-05-14", "frame", "a-1", "bottom"): 2,
        ("2021-05-14", "json", "", ""): 1,
    }
    gets(front, "/embed/newsroom?src=a-1&pos=top")
    assert written(app)["2021-05-14", "frame", "a-1", "top"] == 4


def test_a_load_that_finds_nothing_new_is_a_load_and_a_head_request_is_none(app: Flask, front: Client) -> None:
    tag = gets(front, "/embed/newsroom").headers["ETag"]
    assert gets(front, "/embed/newsroom", headers={"If-None-Match": tag}).status_code == 304
    contextvars.Context().run(front.head, "/embed/newsroom")
    assert written(app) == {("2021-05-14", "frame", "", ""): 2}


def test_counts_survive_that_the_number_changes(app: Flask, front: Client) -> None:
    gets(front, "/embed/newsroom")
    with writing() as connection:
        book.record(connection, gift_fact(), NOW)
    app.extensions["bars"].look(NOW)
    gets(front, "/embed/newsroom")
    assert written(app) == {("2021-05-14", "frame", "", ""): 2}


def test_the_button_counts_a_click_and_leads_on(app: Flask, client: FlaskClient) -> None:
    answer = client.get("/go/newsroom?src=a-1&pos=top")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/c/newsroom?src=a-1&pos=top")
    assert answer.headers["Cache-Control"] == "no-store"
    assert "Set-Cookie" not in answer.headers
    # What is only made ready for a click that may never come.
    client.get("/go/newsroom?src=a-1&pos=top", headers={"Sec-Purpose": "prefetch;prerender"})
    client.head("/go/newsroom?src=a-1&pos=top")
    assert written(app) == {("2021-05-14", "click", "a-1", "top"): 1}


def test_a_day_is_one_of_the_campaign_s_own_calendar(app: Flask, client: FlaskClient) -> None:
    with time_machine.travel(moment("2021-05-14T22:00"), tick=False):
        client.get("/go/newsroom")
        assert list(written(app)) == [("2021-05-15", "click", "", "")]


def test_what_a_stranger_writes_into_an_address_is_cut_to_what_is_carried_on(app: Flask, client: FlaskClient) -> None:
    client.get("/go/newsroom", query_string={"src": "<script>alert(1)</script>" + "x" * 200, "pos": "top\n\0'\""})
    ((_, _, source, place),) = written(app)
    assert re.fullmatch(r"[A-Za-z0-9./~_-]{0,64}", source)
    assert place == "top"


def test_strangers_cannot_fill_the_table(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ledger, "MOST_A_DAY", 5)
    for number in range(9):
        client.get(f"/go/newsroom?src=a-{number}")
    found = written(app)
    assert len(found) == 6
    assert found["2021-05-14", "click", "(others)", ""] == 4
    client.get("/go/newsroom?src=b")
    client.get("/go/newsroom?src=a-1")
    found = written(app)
    assert found["2021-05-14", "click", "(others)", ""] == 5
    assert found["2021-05-14", "click", "a-1", ""] == 2


def test_nor_the_memory(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "MOST_KINDS", 3)
    for number in range(9):
        client.get(f"/go/newsroom?src=a-{number}")
    assert sum(written(app).values()) == 9
    assert len(written(app)) == 4


def test_what_cannot_be_written_now_is_written_the_next_time(
    app: Flask, client: FlaskClient, held_ledger: AbstractContextManager[None]
) -> None:
    client.get("/go/newsroom")
    with held_ledger, pytest.raises(OperationalError):
        written(app)
    client.get("/go/newsroom")
    assert written(app) == {("2021-05-14", "click", "", ""): 2}


def test_nobody_waits_while_counts_are_written_down(
    app: Flask, client: FlaskClient, held_ledger: AbstractContextManager[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    begun, came = threading.Event(), []

    @contextmanager
    def slow() -> Iterator[Connection]:
        begun.set()
        with writing() as connection:
            yield connection

    def writes() -> None:
        with app.app_context(), pytest.raises(OperationalError):
            app.extensions["visits"].write(NOW)
        came.append("written")

    monkeypatch.setattr(counting, "writing", slow)
    client.get("/go/newsroom")
    with held_ledger:
        writer = threading.Thread(target=writes)
        writer.start()
        assert begun.wait(30)
        client.get("/go/newsroom?src=a-1")
        came.append("answered")
        writer.join(30)
    assert came == ["answered", "written"]
    monkeypatch.undo()
    assert sum(written(app).values()) == 2


def test_nothing_is_lost_in_a_crowd_while_it_is_written_down(app: Flask) -> None:
    counts = app.extensions["visits"]
    kind = ("newsroom", "frame", "", "")
    crowd = [threading.Thread(target=lambda: [counts.count(kind) for _ in range(20_000)]) for _ in range(8)]
    for one in crowd:
        one.start()
    while any(one.is_alive() for one in crowd):
        counts.write(NOW)
    assert written(app) == {("2021-05-14", "frame", "", ""): 160_000}


# --- What came of it --------------------------------------------------------------------------------------------------


def places(connection: Connection) -> dict[tuple[str, str], tuple[int, int, int, int, int]]:
    campaign = campaigns.find(connection, "newsroom")
    assert campaign is not None
    rows = ledger.by_place(connection, campaign, MAY, False)
    return {(one.source, one.place): (one.loads, one.clicks, one.once, one.monthly, one.given) for one in rows}


def test_gifts_and_refunds_stand_beside_the_loads_and_clicks_of_their_place(book_of_may: Connection) -> None:
    assert list(places(book_of_may).items()) == [
        (("a-1", "top"), (120, 7, 1, 1, 1_400)),
        (("a-1", "bottom"), (90, 1, 1, 0, 700)),
        (("", ""), (5, 0, 1, 0, 10)),
        (("a-2", ""), (0, 3, 0, 0, 0)),
    ]


def test_two_variants_of_a_place_are_compared_over_all_articles(book: Connection) -> None:
    counts = {
        ("newsroom", carrier, source, place): times
        for carrier, source, place, times in (
            ("frame", "a-1", "top-red", 100), ("frame", "a-2", "top-red", 50), ("click", "a-2", "top-red", 3),
            ("element", "a-1", "top-blue", 140), ("click", "a-1", "top-blue", 9), ("frame", *ledger.OTHERS, 70),
        )
    }  # fmt: skip
    ledger.add(book, counts, NOW)
    record(book, gift_fact("cs_1", 1_000, source="a-1", place="top-red"), NOW)
    record(book, gift_fact("cs_2", 300, source="a-2", place="top-red"), NOW)
    record(book, gift_fact("cs_3", 700, source="a-1", place="top-blue"), NOW)
    record(book, refund_fact("cs_2", 300), NOW)
    campaign = campaigns.find(book, "newsroom")
    assert campaign is not None
    rows = ledger.by_variant(ledger.by_place(book, campaign, MAY, False))
    assert [(one.source, one.place, one.loads, one.clicks, one.gifts, one.given) for one in rows] == [
        ("", "top-red", 150, 3, 2, 1_000),
        ("", "top-blue", 140, 9, 1, 700),
    ]


def test_a_link_that_an_advertisements_system_has_marked_came_from_there(app: Flask, client: FlaskClient) -> None:
    client.get("/go/newsroom?utm_source=spring-letter&utm_medium=email")
    client.get("/go/newsroom?src=ferry&utm_source=spring-letter")
    assert written(app) == {
        ("2021-05-14", "click", "spring-letter", ""): 1,
        ("2021-05-14", "click", "ferry", ""): 1,
    }
    page = client.get("/c/newsroom?utm_source=spring-letter").text
    assert re.findall(r'name="src"[^>]*value="([^"]*)"', page) == ["spring-letter"]


def test_articles_in_every_writing_are_counted_apart(app: Flask, front: Client) -> None:
    long = "x" * 80
    for source in ("новости-дня", "погода-завтра", long + "1", long + "2"):
        gets(front, "/embed/newsroom", query_string={"src": source})
    found = [source for _, _, source, _ in written(app)]
    assert len(set(found)) == 4
    assert {"новости-дня", "погода-завтра"} < set(found)


def test_previews_and_open_pages_that_ask_again_are_no_loads(app: Flask, front: Client) -> None:
    first = gets(front, "/embed/newsroom?src=a-1")
    for address in ("/embed/newsroom?src=a-1&uncounted=1", "/embed/newsroom?uncounted=1&src=a-1"):
        again = gets(front, address, headers={"If-None-Match": first.headers["ETag"]})
        assert again.status_code == 304
    gets(front, "/embed/newsroom.png?uncounted=1&mail=1")
    gets(front, "/embed/newsroom.json?uncounted=1")
    assert written(app) == {("2021-05-14", "frame", "a-1", ""): 1}


@pytest.fixture
def book_of_may(book: Connection) -> Connection:
    counts = {
        ("newsroom", "frame", "a-1", "top"): 100, ("newsroom", "json", "a-1", "top"): 20,
        ("newsroom", "click", "a-1", "top"): 7, ("newsroom", "frame", "a-1", "bottom"): 90,
        ("newsroom", "click", "a-1", "bottom"): 1, ("newsroom", "click", "a-2", ""): 3,
        ("newsroom", "png", "", ""): 5, ("nobody", "frame", "", ""): 4,
    }  # fmt: skip
    ledger.add(book, counts, NOW)
    ledger.add(book, {("newsroom", "frame", "a-1", "top"): 1000}, moment("2021-06-01T09:00"))
    record(book, gift_fact("cs_1", 1_000, source="a-1", place="top"), NOW)
    record(book, gift_fact("in_1", 500, kind="monthly", source="a-1", place="top"), NOW)
    record(book, refund_fact("cs_1", 100), NOW)
    record(book, gift_fact("cs_2", 700, source="a-1", place="bottom"), NOW)
    record(book, gift_fact("cs_3", 10), NOW)
    record(book, gift_fact("cs_euro", 10, currency="EUR", source="a-9"), NOW)
    return book


def test_the_month_page_says_which_article_and_which_place_brought_a_gift(app: Flask, client: FlaskClient) -> None:
    Stripe(client).sends(Stripe(client).event("checkout.session.completed", session(amount=123_400, metadata=OURS)))
    client.get("/go/newsroom?src=article-1&pos=top")
    written(app)
    page = Editor(app).opens("/admin/c/newsroom/months/2021-05").text
    table = page[page.index("Where it came from") :]
    row = re.sub(r"\s+|<[^>]+>", " ", table[table.index("<tbody>") : table.index("</tbody>")]).split()
    assert row == ["article-1", "top", "–", "1", "1", "–", "1,234", "$"]


def test_a_page_of_ten_thousand_gifts_shows_the_newest_and_names_the_file(app: Flask, client: FlaskClient) -> None:
    with writing() as connection:
        for number in range(501):
            book.record(connection, gift_fact(f"cs_{number:05d}", 100), NOW)
    page = Editor(app).opens("/admin/c/newsroom/months/2021-05").text
    entries = page[page.index("The newest 100 entries") :]
    assert "cs_00500" in entries
    assert "cs_00000" not in entries


def test_no_count_holds_anything_about_a_person(app: Flask) -> None:
    with reading() as connection:
        columns = set(connection.execute(text("SELECT * FROM visit")).keys())
    assert columns == {"campaign_id", "day", "carrier", "source", "place", "times"}
