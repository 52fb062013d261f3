"""The gates: a few requests of each kind are worked on, the others wait in line, and no kind waits behind another."""

import io
import re
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from actors import Stripe, each, gift_fact, session
from faults.stripes import PAGE, BadStripe, bad_stripe
from flask import Flask
from flask.testing import FlaskClient
from web_admin import Editor
from werkzeug.test import Client

from tracker.ledger import book, export_files
from tracker.ledger.store import writing
from tracker.web import gates
from tracker.web.admin import snippets
from tracker.web.admin.page_fetcher import Fetched
from tracker.web.body_limits import MOST_SENDERS
from tracker.web.embed import png_drawing
from tracker.web.gates import PLACES, Gate

KINDS = {
    "pages": ["/", "/c/newsroom", "/c/newsroom/months", "/c/newsroom/thanks", "/nowhere"],
    "newsroom": ["/admin/login", "/admin/"],
    "bar": ["/embed/newsroom", "/embed/newsroom.json", "/embed/newsroom.svg", "/oembed?url=x", "/embed/nowhere"],
}
# These wait behind nothing.
FREE = ["/static/page.css", "/healthz", "/readyz"]


@pytest.fixture
def database_url() -> str:
    """One database is enough: nothing here depends on which."""
    return ""


@pytest.fixture(autouse=True)
def _nobody_is_patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.05)


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 60)


def until(true: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 30
    while not true():
        assert time.monotonic() < deadline
        time.sleep(0.005)


@contextmanager
def at_the_same_time(*all_of_them: Callable[[], Any]) -> Iterator[list[Any]]:
    """Each in a thread of its own, begun in this order and over at the end; what they return as it comes."""
    came: list[Any] = []
    threads = [threading.Thread(target=lambda one=one: came.append(one())) for one in all_of_them]  # type: ignore[misc]
    for thread in threads:
        thread.start()
    try:
        yield came
    finally:
        for thread in threads:
            thread.join(30)
            assert not thread.is_alive()


@contextmanager
def full(app: Flask, kind: str) -> Iterator[None]:
    """As if every place behind a gate were taken by a request that hangs."""
    gate = app.extensions["gates"][kind]
    for _ in range(PLACES[kind][0]):
        assert gate.enter()
    try:
        yield
    finally:
        for _ in range(PLACES[kind][0]):
            gate.leave()


def status(client: FlaskClient, path: str) -> int:
    with client.get(path) as answer:
        return answer.status_code


# --- One gate ---------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("patient")
def test_so_many_are_let_in_and_the_others_in_the_order_in_which_they_came() -> None:
    gate, inside = Gate(2, 9), []
    assert [gate.enter(), gate.enter()] == [True, True]
    threads = []
    for number in range(9):
        threads.append(threading.Thread(target=lambda one=number: inside.append((one, gate.enter()))))  # type: ignore[misc]
        threads[-1].start()
        until(lambda: len(gate._line) == number + 1)  # noqa: B023 - called right here
    assert inside == []
    for number in range(9):
        gate.leave()
        threads[number].join(30)
        assert inside == [(one, True) for one in range(number + 1)]


def test_who_finds_the_line_full_is_told_so_at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 3600)
    gate = Gate(1, 0)
    assert [gate.enter(), gate.enter()] == [True, False]
    gate.leave()
    assert gate.enter()


def test_who_waited_in_vain_leaves_the_line_and_takes_no_place() -> None:
    gate = Gate(1, 1)
    assert [gate.enter(), gate.enter(), gate.enter()] == [True, False, False]
    gate.leave()
    assert [gate.enter(), gate.enter()] == [True, False]


def test_who_is_called_in_the_moment_in_which_patience_ends_has_the_place(monkeypatch: pytest.MonkeyPatch) -> None:
    gate = Gate(1, 1)

    class CalledTooLate(threading.Event):
        """Its time is over, and before anything else happens the place becomes free."""

        def wait(self, timeout: float | None = None) -> bool:
            gate.leave()
            return False

    assert gate.enter()
    monkeypatch.setattr(gates.threading, "Event", CalledTooLate)  # type: ignore[attr-defined]
    assert gate.enter()
    monkeypatch.undo()
    monkeypatch.setattr(gates, "PATIENCE_SECONDS", 0.05)
    assert not gate.enter()
    gate.leave()
    assert gate.enter()


# --- No kind waits behind another -------------------------------------------------------------------------------------


@each("kind", list(KINDS))
def test_what_hangs_keeps_its_own_kind_waiting_and_no_other(app: Flask, client: FlaskClient, kind: str) -> None:
    usual = {path: status(client, path) for paths in (FREE, *KINDS.values()) for path in paths}
    assert 503 not in usual.values()
    stripe = Stripe(client)
    with full(app, kind):
        now = {path: status(client, path) for path in usual}
        assert now == usual | dict.fromkeys(KINDS[kind], 503)
        assert client.post("/c/newsroom/give").status_code == 422
        assert stripe.sends(stripe.event("checkout.session.completed", session())) == 204
    assert {path: status(client, path) for path in KINDS[kind]} == {path: usual[path] for path in KINDS[kind]}


def test_what_donors_send_waits_behind_nothing_but_the_like(app: Flask, client: FlaskClient) -> None:
    with full(app, "forms"):
        assert client.post("/c/newsroom/give").status_code == 503
        assert {client.get(path).status_code for path in ("/c/newsroom", "/embed/newsroom", "/healthz")} == {200}
        # Its own gate has room.
        assert client.post("/admin/login").status_code == 200
    assert client.post("/c/newsroom/give").status_code == 422


@pytest.mark.usefixtures("patient")
def test_who_waits_in_line_is_served_when_there_is_room(app: Flask, client: FlaskClient) -> None:
    line = app.extensions["gates"]["pages"]._line
    with at_the_same_time(*[lambda: client.get("/c/newsroom").status_code] * 5) as came:
        pass
    assert came == [200] * 5
    with full(app, "pages"):
        crowd = at_the_same_time(*[lambda: client.get("/c/newsroom").status_code] * 5)
        came = crowd.__enter__()
        until(lambda: len(line) == 5)
        assert came == []
    crowd.__exit__(None, None, None)
    assert came == [200] * 5


def test_a_page_that_stumbles_gives_its_place_back(app: Flask, client: FlaskClient) -> None:
    app.view_functions["months.every"] = lambda slug: 1 / 0  # type: ignore[assignment, return-value]
    for _ in range(PLACES["pages"][0] + 1):
        assert client.get("/c/newsroom/months").status_code == 500
    assert client.get("/c/newsroom").status_code == 200


# --- When too many come -----------------------------------------------------------------------------------------------


@pytest.fixture
def no_line(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever finds no place is sent away at once."""
    for kind, (at_once, _) in PLACES.items():
        monkeypatch.setitem(PLACES, kind, (at_once, 0))


@pytest.mark.usefixtures("no_line")
class TestTooMany:
    def test_they_read_why_and_when_to_come_again(self, app: Flask, client: FlaskClient) -> None:
        with full(app, "pages"):
            answer = client.get("/c/newsroom")
        assert (answer.status_code, answer.headers["Retry-After"]) == (503, "10")
        assert "Too many people are here right now" in answer.text
        # True also for whoever has just paid.
        assert "Nothing is charged twice, and what was paid is not lost." in answer.text
        assert "Please try again in a minute." in answer.text
        assert answer.headers["Content-Security-Policy"].startswith("default-src 'none'")
        with full(app, "forms"):
            assert client.post("/c/newsroom/give").text == answer.text

    def test_programs_read_json_and_a_frame_stays_a_frame(self, app: Flask, client: FlaskClient) -> None:
        with full(app, "pages"), full(app, "bar"):
            for path in ("/c/newsroom/months.json", "/embed/newsroom.json", "/oembed?url=x"):
                data = client.get(path)
                assert data.json == {"error": "Too many people are here right now."}
                assert (data.status_code, data.headers["Retry-After"]) == (503, "10")
                assert data.headers["Access-Control-Allow-Origin"] == "*"
            line, frame = client.get("/embed/newsroom.txt"), client.get("/embed/newsroom")
        assert (line.status_code, line.text) == (503, "Too many people are here right now.\n")
        assert (frame.status_code, frame.headers["Retry-After"]) == (503, "10")
        assert "frame-ancestors *" in frame.headers["Content-Security-Policy"]

    def test_as_many_as_there_are_places_are_served_and_the_rest_is_sent_away(
        self, app: Flask, client: FlaskClient
    ) -> None:
        hang, inside = threading.Event(), []

        def hangs(slug: str) -> str:
            inside.append(slug)
            hang.wait(30)
            return "ok"

        app.view_functions["months.every"] = hangs
        everybody = [lambda: client.get("/c/newsroom/months").status_code] * 9
        with at_the_same_time(*everybody) as came:
            until(lambda: len(came) == 9 - PLACES["pages"][0])
            assert len(inside) == PLACES["pages"][0]
            hang.set()
        assert sorted(came) == [200] * 2 + [503] * 7


# --- Who waits for somebody else --------------------------------------------------------------------------------------


@pytest.fixture
def stripe() -> Iterator[BadStripe]:
    with bad_stripe() as made:
        yield made


@pytest.fixture
def environ(environ: dict[str, str], stripe: BadStripe) -> dict[str, str]:
    return environ | {"STRIPE_API_BASE": stripe.url}


@pytest.mark.usefixtures("patient")
def test_donors_who_wait_for_stripe_hold_no_place(client: FlaskClient, stripe: BadStripe) -> None:
    donors = PLACES["forms"][0] + 3

    def gives() -> tuple[int, str]:
        token = re.search(r'name="token"[^>]*value="([^"]+)"', client.get("/c/newsroom").text)
        assert token
        fields = {"token": token[1], "frequency": "once", "tier_once": "1000", "name": "hangs"}
        answer = client.post("/c/newsroom/give", data=fields)
        return answer.status_code, answer.headers["Location"]

    with at_the_same_time(*[gives] * donors) as came:
        until(lambda: len(stripe.hanging) == donors)
        # A form with something wrong in it, and everybody else.
        assert client.post("/c/newsroom/give").status_code == 422
        assert client.get("/c/newsroom").status_code == 200
        assert came == []
        stripe.well = True
        for one in list(stripe.hanging):
            one.shutdown(2)
    assert came == [(303, PAGE)] * donors


@pytest.mark.usefixtures("patient")
def test_files_that_are_written_hold_no_place(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    editor, hang, writing_now = Editor(app), threading.Event(), []

    def writes(*_: object) -> None:
        writing_now.append(1)
        hang.wait(30)

    monkeypatch.setattr(export_files, "write", writes)
    files = PLACES["newsroom"][0] + 1
    with at_the_same_time(*[lambda: editor.opens("/admin/c/newsroom/entries.csv").status_code] * files) as came:
        until(lambda: len(writing_now) == files)
        assert editor.opens("/admin/c/newsroom/").status_code == 200
        hang.set()
    assert came == [200] * files


@pytest.mark.usefixtures("patient")
def test_an_article_that_is_fetched_holds_no_place(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    editor, busy = Editor(app), []

    def fetches(address: str, **_: Any) -> Fetched:
        # What nobody holds can be taken by others.
        gate = app.extensions["gates"]["newsroom"]
        busy.append([gate.enter() for _ in range(PLACES["newsroom"][0])])
        for _ in busy[0]:
            gate.leave()
        return Fetched(address, "<p>")

    monkeypatch.setattr(snippets, "fetch", fetches)
    answer = editor.sends("/admin/c/newsroom/snippets", article="https://news.example/a")
    assert answer.status_code == 200
    assert busy == [[True] * PLACES["newsroom"][0]]


@pytest.mark.usefixtures("patient")
def test_pictures_that_are_drawn_hold_no_place(client: FlaskClient) -> None:
    png_drawing._drawn.clear()
    pictures = PLACES["bar"][0] + 1
    with png_drawing._turn:
        drawing = at_the_same_time(
            *[lambda one=one: client.get(f"/embed/newsroom.png?accent=00{one}").status_code for one in range(pictures)]  # type: ignore[misc]
        )
        came = drawing.__enter__()
        until(lambda: png_drawing._queue._value == png_drawing.MOST_WAITING - pictures)  # type: ignore[attr-defined]
        assert client.get("/embed/newsroom.svg").status_code == 200
    drawing.__exit__(None, None, None)
    assert came == [200] * pictures


def test_a_gift_shows_however_many_wait_for_bars_that_are_not_in_memory(app: Flask) -> None:
    at = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
    reader, bars = Client(app), app.extensions["bars"]
    with time_machine.travel(at, tick=False), closing(bars):
        bars.look(at)
        assert "340 $" not in reader.get("/embed/newsroom").text
        with writing() as connection:
            book.record(connection, gift_fact("cs_1", 34_000), at)
        with full(app, "bar"):
            bars.look(at)
            assert "340 $" in reader.get("/embed/newsroom").text
            assert reader.get("/embed/newsroom?src=another-article").status_code == 503


# --- Who is still sending ---------------------------------------------------------------------------------------------


class Slow(io.RawIOBase):
    """A form that comes up to its middle, and then when it may."""

    def __init__(self) -> None:
        self.pieces = [b"e=once", b"frequency", b""]
        self.begun, self.may_end = threading.Event(), threading.Event()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        if len(self.pieces) == 2:
            self.begun.set()
            self.may_end.wait(30)
        piece = self.pieces.pop(0) if self.pieces else b""
        buffer[: len(piece)] = piece
        return len(piece)


def sends(app: Flask, path: str, body: Any, **more: Any) -> int:
    """A form, of which our server says neither more nor less than granian does."""
    said = {"wsgi.input_terminated": True, "CONTENT_TYPE": "application/x-www-form-urlencoded", "wsgi.input": body}
    return app.test_client().post(path, environ_overrides=said | more).status_code


@pytest.mark.usefixtures("patient")
def test_who_sends_slowly_holds_no_place(app: Flask, client: FlaskClient) -> None:
    slow = [Slow() for _ in range(PLACES["forms"][0] + PLACES["newsroom"][0])]
    paths = ["/c/newsroom/give"] * PLACES["forms"][0] + ["/admin/login"] * PLACES["newsroom"][0]
    sending = [lambda one=one, path=path: sends(app, path, one, HTTP_TRANSFER_ENCODING="chunked")  # type: ignore[misc]
               for one, path in zip(slow, paths, strict=True)]  # fmt: skip
    with at_the_same_time(*sending) as came:
        for one in slow:
            assert one.begun.wait(30)
        assert client.post("/c/newsroom/give").status_code == 422
        assert client.post("/admin/login", data={"email": "x"}).status_code == 200
        assert client.get("/c/newsroom").status_code == 200
        assert came == []
        for one in slow:
            one.may_end.set()
    assert sorted(came) == [200] * PLACES["newsroom"][0] + [422] * PLACES["forms"][0]


@contextmanager
def sending(app: Flask, kind: str) -> Iterator[None]:
    """As if so many as may were still sending."""
    senders = app.extensions["senders"][kind]
    for _ in range(MOST_SENDERS):
        assert senders.acquire(blocking=False)
    try:
        yield
    finally:
        senders.release(MOST_SENDERS)


def test_more_senders_than_may_are_sent_away_and_nobody_else(app: Flask, client: FlaskClient) -> None:
    stripe = Stripe(client)
    with sending(app, "forms"):
        assert client.post("/c/newsroom/give", data={"frequency": "once"}).status_code == 503
        # Nothing has to be read of these.
        assert client.post("/c/newsroom/give").status_code == 422
        assert client.get("/c/newsroom").status_code == 200
        assert stripe.sends(stripe.event("checkout.session.completed", session())) == 204
    with sending(app, "hook"):
        assert stripe.sends(stripe.event("checkout.session.completed", session("cs_2"))) == 503
        assert client.post("/c/newsroom/give", data={"frequency": "once"}).status_code == 422
    assert stripe.sends(stripe.event("checkout.session.completed", session("cs_2"))) == 204


class Unread:
    """A body that nobody may ask for."""

    def read(self, _most: int = -1) -> bytes:
        raise AssertionError("it was read")


@each(
    ("path", "length", "status"),
    [
        ("/nowhere", 1000, 404),
        ("/c/newsroom", 1000, 405),
        ("/embed/newsroom", 1000, 405),
        ("/healthz", 1000, 405),
        ("/admin/nowhere", 1000, 404),
        ("/c/newsroom/give", 2**30, 413),
        ("/admin/login", 2**30, 413),
        ("/nowhere", None, 404),
        ("/c/newsroom", None, 405),
    ],
)
def test_what_nobody_asked_for_is_not_read(app: Flask, path: str, length: int | None, status: int) -> None:
    said = {"HTTP_TRANSFER_ENCODING": "chunked"} if length is None else {"CONTENT_LENGTH": str(length)}
    assert sends(app, path, Unread(), **said) == status
