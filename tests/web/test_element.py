"""What the element is served and told: its script, and the JSON with what it draws."""

import hashlib
import json
import re
from collections.abc import Iterator
from datetime import UTC, datetime

import brotli
import pytest
import time_machine
from actors import gift_fact
from bars_in_memory import a_bar, shows
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import Client

from tracker.ledger import book
from tracker.ledger.store import reading, writing
from tracker.ledger.visit_models import visit
from tracker.paths import STATIC

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def database_url() -> str:
    """SQLite alone: it asks for the same JSON as the bar."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def reader(app: Flask) -> Iterator[Client]:
    """A reader in front of whom the kept answers stand, as in production."""
    app.extensions["bars"].look(NOW)
    yield Client(app)
    app.extensions["bars"].close()


def test_the_script_is_the_same_bytes_for_everybody(reader: Client) -> None:
    answer = reader.get("/embed/bar.js")
    # All of it but the comments and the indentation.
    written = [line.strip() for line in (STATIC / "embed" / "bar.js").read_text(encoding="utf-8").splitlines()]
    assert answer.text.splitlines() == [line for line in written if line and not line.startswith("//")]
    assert answer.headers["Content-Type"] == "text/javascript; charset=utf-8"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert "max-age=3600" in answer.headers["Cache-Control"]
    tag = answer.headers["ETag"]
    assert not tag.startswith("W/")
    assert reader.get("/embed/bar.js", headers={"If-None-Match": tag}).status_code == 304
    packed = reader.get("/embed/bar.js", headers={"Accept-Encoding": "br", "Origin": "https://news.example"})
    assert hashlib.sha384(brotli.decompress(packed.data)).digest() == hashlib.sha384(answer.data).digest()


@pytest.mark.parametrize(
    ("address", "encoding", "most"),
    [
        ("/embed/bar.js", "br", 3840),
        ("/embed/bar.js", "gzip", 4096),
        ("/embed/frame.js", "br", 800),
        ("/embed/newsroom?src=harbour-ferry&pos=bottom", "br", 1229),
        ("/embed/newsroom?src=harbour-ferry&pos=bottom&host=wordpress", "br", 1536),
    ],
)
def test_nothing_weighs_more_than_it_may(reader: Client, address: str, encoding: str, most: int) -> None:
    answer = reader.get(address, headers={"Accept-Encoding": encoding})
    assert answer.headers["Content-Encoding"] == encoding
    assert len(answer.data) <= most


def test_the_script_is_kept_and_not_counted_as_a_load_of_the_bar(app: Flask, reader: Client) -> None:
    reader.get("/embed/bar.js")
    reader.get("/embed/newsroom.json?draw=1&src=a")
    assert ("/embed/bar.js", "") in app.extensions["responses"]._answers
    app.extensions["visits"].write(NOW)
    with reading() as connection:
        counted = connection.execute(select(visit)).mappings().all()
    assert [(row["carrier"], row["source"], row["times"]) for row in counted] == [("element", "a", 1)]


def test_the_contract_stays_what_it_is_without_the_drawing(client: FlaskClient) -> None:
    plain = client.get("/embed/newsroom.json").json
    drawn = client.get("/embed/newsroom.json?draw=1").json
    assert plain is not None
    assert drawn is not None
    assert "draw" not in plain
    assert drawn.pop("draw")
    assert drawn == plain
    assert client.get("/embed/newsroom.json?draw=2&theme=dark").json == plain


def test_the_drawing_is_told_with_the_frames_words_and_looks(client: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact("cs_1", 34_000), NOW)
    asked = "draw=1&lang=ar&theme=auto&size=l&accent=b3261e&count=1&src=a"
    told = client.get(f"/embed/newsroom.json?{asked}").json
    assert told is not None
    frame = client.get(f"/embed/newsroom?{asked}").text
    drawn = told["draw"]
    assert told["give_url"].endswith("/go/newsroom?src=a&lang=ar")
    assert (drawn["fill"], drawn["committed_to"], drawn["goal_at"], drawn["half_at"]) == (0.068, 0.068, 1, 0.5)
    assert (drawn["dir"], drawn["lang"], drawn["theme"], drawn["size"]) == ("rtl", "ar", "auto", "l")
    assert drawn["accent"].startswith("light-dark(#b3261e,")
    for colour in re.findall(r"#\w+", drawn["accent"] + drawn["ink"]):
        assert colour in frame
    assert drawn["notes"]
    for words in (drawn["raised"], drawn["towards"], drawn["support"], drawn["sentence"], *drawn["notes"]):
        assert words in frame


def test_a_colour_of_our_own_needs_no_telling(client: FlaskClient) -> None:
    drawn = client.get("/embed/newsroom.json?draw=1").json["draw"]  # type: ignore[index]
    assert drawn["accent"] == drawn["ink"] == ""
    assert drawn["notes"] == []


def test_small_words_come_in_lines_that_are_not_broken(app: Flask, reader: Client) -> None:
    shows(app, a_bar(committed=5_000, amount_pattern="#,##0 ¤"))
    asked = "committed=1&count=1&days=1"
    lines = ["50 $ still to come from regular supporters", "12 gifts · 17 days left"]
    assert json.loads(reader.get(f"/embed/newsroom.json?draw=1&{asked}").text)["draw"]["notes"] == lines
    frame = reader.get(f"/embed/newsroom?{asked}").text
    assert f'<p class="notes"><span>{lines[0]} ·</span> <span>{lines[1]}</span></p>' in frame
    assert ".notes *{white-space:nowrap}" in frame
