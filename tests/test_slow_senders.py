"""People and machines that send their forms drop by drop, or never: readers of the bar must not notice."""

import http.client
import io
import json
import os
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path
from typing import Any

import pytest
from actors import WEBHOOK_SECRET, Stripe, session
from flask import Flask
from ports import free_port
from stripe import WebhookSignature

from tracker import serving
from tracker.ledger import store
from tracker.serving import FOR_READERS, THREADS
from tracker.web import LONGEST_BODY
from tracker.web.site import ASIDE


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def port(app: Flask, environ: dict[str, str], tmp_path: Path) -> Iterator[int]:
    """A real server over the test's instance."""
    store.db.engine.dispose()
    number = free_port()
    command = [sys.executable, "-m", "tracker", "serve", "--port", str(number)]
    with (
        (tmp_path / "log").open("wb") as log,
        subprocess.Popen(command, env=os.environ | environ, stdout=log, stderr=log) as process,
    ):
        for _ in range(600):
            assert process.poll() is None, (tmp_path / "log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", number)) == 0:
                    break
            time.sleep(0.1)
        yield number
        process.terminate()


def test_pages_take_turns_and_one_that_hangs_holds_nobody_up(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(serving, "TURN_SECONDS", 0.2)
    at_once, most, lock, hang = 0, 0, threading.Lock(), threading.Event()

    def app(environ: dict[str, Any], _start: Any) -> tuple[bytes, ...]:
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        if environ["PATH_INFO"] == "/hangs":
            hang.wait(30)
        else:
            time.sleep(0.01)
        with lock:
            at_once -= 1
        return (b"",)

    front = serving.RoomForReaders(app, 10, {})  # type: ignore[arg-type]

    def ask(*paths: str) -> list[threading.Thread]:
        asked = [
            threading.Thread(target=front, args=({"REQUEST_METHOD": "GET", "PATH_INFO": path}, None)) for path in paths
        ]
        for one in asked:
            one.start()
        return asked

    for one in ask(*["/c/newsroom"] * 10):
        one.join()
    assert most == serving.PAGES_AT_ONCE
    hanging = ask(*["/hangs"] * serving.PAGES_AT_ONCE)
    for one in ask("/embed/newsroom", "/c/newsroom"):
        one.join(20)
        assert not one.is_alive()
    hang.set()
    for one in hanging:
        one.join()


def test_whoever_waits_for_somebody_else_or_sends_slowly_keeps_nobody_from_a_turn(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr(serving, "TURN_SECONDS", 100)
    waits, sent, done = threading.Event(), threading.Event(), threading.Event()
    came: list[tuple[str, bytes]] = []

    def app(environ: dict[str, Any], _start: Any) -> tuple[bytes, ...]:
        came.append((environ["PATH_INFO"], environ["wsgi.input"].read() if "wsgi.input" in environ else b""))
        if environ["PATH_INFO"] == "/c/newsroom/give":
            with environ[ASIDE]():
                waits.set()
                done.wait(30)
        return (b"",)

    class Slow:
        """A sender who is in the middle of a form."""

        def __init__(self) -> None:
            self.pieces = [b"b", b"a"]

        def read(self, _most: int) -> bytes:
            if len(self.pieces) == 1:
                sent.wait(30)
            return self.pieces.pop() if self.pieces else b""

    front = serving.RoomForReaders(app, 10, {})  # type: ignore[arg-type]

    def ask(method: str, path: str, body: Any = None) -> threading.Thread:
        environ = {"REQUEST_METHOD": method, "PATH_INFO": path} | ({"wsgi.input": body} if body else {})
        asked = threading.Thread(target=front, args=(environ, None))
        asked.start()
        return asked

    others = [ask("POST", "/c/newsroom/give", io.BytesIO(b"once")), ask("POST", "/admin/login", Slow())]
    assert waits.wait(30)
    # It has a turn, or would wait for one for longer than this.
    page = ask("GET", "/c/newsroom")
    page.join(30)
    assert not page.is_alive()
    assert came == [("/c/newsroom/give", b"once"), ("/c/newsroom", b"")]
    done.set()
    sent.set()
    for one in others:
        one.join(30)
    assert came[2:] == [("/admin/login", b"ab")]


def test_no_more_of_a_body_is_taken_than_anybody_may_send() -> None:
    got = []

    def app(environ: dict[str, Any], _start: Any) -> tuple[bytes, ...]:
        got.append(len(environ["wsgi.input"].read()))
        return (b"",)

    front = serving.RoomForReaders(app, 10, {})  # type: ignore[arg-type]
    body = io.BytesIO(b"x" * 2 * LONGEST_BODY)
    front({"REQUEST_METHOD": "POST", "PATH_INFO": "/c/newsroom/give", "wsgi.input": body}, None)  # type: ignore[arg-type]
    # One more than allowed, by which the app sees that it is too much.
    assert got == [LONGEST_BODY + 1]


def test_threads_take_short_turns_only_while_pages_are_made() -> None:
    seen: dict[str, float] = {}

    def app(environ: dict[str, Any], _start: Any) -> Any:
        seen[environ["PATH_INFO"]] = sys.getswitchinterval()
        if environ["PATH_INFO"] == "/c/newsroom":
            front({"REQUEST_METHOD": "GET", "PATH_INFO": "/embed/meanwhile"}, None)  # type: ignore[arg-type]
        return (b"",)

    before = sys.getswitchinterval()
    try:
        front = serving.RoomForReaders(app, 10, {})  # type: ignore[arg-type]
        for method, path in (
            ("GET", "/c/newsroom"), ("GET", "/embed/newsroom"), ("POST", serving.HOOK), ("POST", "/c/newsroom/give")
        ):  # fmt: skip
            environ = {"REQUEST_METHOD": method, "PATH_INFO": path, "wsgi.input": io.BytesIO()}
            list(front(environ, None))  # type: ignore[arg-type]
    finally:
        sys.setswitchinterval(before)
    in_turn = {name: round(seconds, 6) for name, seconds in seen.items()}
    assert in_turn == {
        "/c/newsroom": serving.SWITCH_SECONDS_WITH_PAGES,
        "/embed/meanwhile": serving.SWITCH_SECONDS_WITH_PAGES,
        "/embed/newsroom": serving.SWITCH_SECONDS,
        serving.HOOK: serving.SWITCH_SECONDS,
        "/c/newsroom/give": serving.SWITCH_SECONDS_WITH_PAGES,
    }


def test_pages_and_what_they_start_give_way_to_whoever_answers_from_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[float] = []
    monkeypatch.setattr(serving, "compute_for", asked.append)
    seen: dict[str, list[float]] = {}

    def app(environ: dict[str, Any], _start: Any) -> Any:
        seen[environ["PATH_INFO"]] = list(asked)
        if environ["PATH_INFO"] == "/c/newsroom/give":
            raise LookupError
        return (b"",)

    front = serving.RoomForReaders(app, 10, {})  # type: ignore[arg-type]
    front({"REQUEST_METHOD": "GET", "PATH_INFO": "/embed/newsroom"}, None)  # type: ignore[arg-type]
    front({"REQUEST_METHOD": "POST", "PATH_INFO": serving.HOOK}, None)  # type: ignore[arg-type]
    front({"REQUEST_METHOD": "GET", "PATH_INFO": "/c/newsroom"}, None)  # type: ignore[arg-type]
    body = io.BytesIO()
    with pytest.raises(LookupError):
        front({"REQUEST_METHOD": "POST", "PATH_INFO": "/c/newsroom/give", "wsgi.input": body}, None)  # type: ignore[arg-type]
    page, bar = serving.SLICE_SECONDS_OF_PAGES, serving.SLICE_SECONDS
    assert seen == {
        "/embed/newsroom": [],
        serving.HOOK: [],
        "/c/newsroom": [page],
        "/c/newsroom/give": [page, bar, page],
    }
    # However the request ended, the thread is a reader's again.
    assert asked == [page, bar, page, bar]


def status(port: int, method: str, address: str, body: bytes | None = None) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, address, body)
        return connection.getresponse().status


def test_a_delivery_that_comes_in_pieces_or_without_its_length_is_kept(port: int) -> None:
    for number, length in enumerate(("Content-Length", "Transfer-Encoding")):
        told = Stripe(None).event("checkout.session.completed", session(f"cs_{number}"))  # type: ignore[arg-type]
        body = json.dumps(told | {"id": f"evt_{number}"}).encode()
        signature = WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()))
        said = str(len(body)) if length == "Content-Length" else "chunked"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sender:
            head = (
                f"POST {serving.HOOK} HTTP/1.1\r\nHost: localhost\r\nStripe-Signature: {signature}\r\n{length}: {said}"
            )
            sender.sendall(head.encode() + b"\r\n\r\n")
            for start in range(0, len(body), 100):
                piece = body[start : start + 100]
                time.sleep(0.01)
                sender.sendall(piece if said != "chunked" else b"%x\r\n%s\r\n" % (len(piece), piece))
            if said == "chunked":
                sender.sendall(b"0\r\n\r\n")
            assert sender.recv(1000).startswith(b"HTTP/1.1 204 "), length


def test_hundreds_of_slow_senders_leave_room_for_readers(port: int) -> None:
    assert status(port, "GET", "/embed/newsroom") == 200
    with ExitStack() as hanging:
        for _ in range(THREADS + 60):
            sender = hanging.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.sendall(
                b"POST /webhooks/stripe HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\n"
                b"Stripe-Signature: t=1,v1=x\r\nContent-Length: 1000\r\n\r\n{"
            )
        # Once those that found no room were told so, the others hold theirs.
        deadline = time.monotonic() + 20
        while status(port, "POST", "/webhooks/stripe", b"{}") != 503:
            assert time.monotonic() < deadline
            time.sleep(0.1)
        for _ in range(FOR_READERS + 30):
            assert status(port, "GET", "/embed/newsroom") == 200
        assert status(port, "GET", "/c/newsroom") == 200
    # They have gone, and there is room again.
    deadline = time.monotonic() + 20
    while status(port, "POST", "/webhooks/stripe", b"{}") != 400:
        assert time.monotonic() < deadline
        time.sleep(0.1)
