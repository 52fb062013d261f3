"""People and machines that send their forms drop by drop, or never: nobody else must notice."""

import http.client
import json
import socket
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import pytest
from actors import WEBHOOK_SECRET, Stripe, session
from faults.server import Server, open_newsroom, running
from stripe import WebhookSignature

from tracker.settings import HOOK
from tracker.web.body_limits import MOST_SENDERS

GIVE, SLOW = "/c/newsroom/give", 188
READ = ("/embed/newsroom", "/embed/newsroom.json", "/c/newsroom", "/healthz", "/static/page.css")


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def port(environ: dict[str, str], tmp_path: Path) -> Iterator[int]:
    open_newsroom(environ)
    server = Server(environ, tmp_path / "log")
    with running(server):
        yield server.port


def status(port: int, method: str, address: str, body: bytes | None = None, **headers: str) -> int:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        connection.request(method, address, body, {name.replace("_", "-"): said for name, said in headers.items()})
        return connection.getresponse().status


def delivery(key: str) -> tuple[bytes, str]:
    """An event of Stripe's, and its signature."""
    told = Stripe(None).event("checkout.session.completed", session(key))  # type: ignore[arg-type]
    body = json.dumps(told | {"id": f"evt_{key}"}).encode()
    return body, WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()))


def slow_sender(port: int, path: str) -> socket.socket:
    """Somebody who has sent the first letter of a body, and does not say how long that is."""
    sender = socket.create_connection(("127.0.0.1", port))
    head = f"POST {path} HTTP/1.1\r\nHost: localhost\r\nStripe-Signature: t=1,v1=x\r\nTransfer-Encoding: chunked\r\n"
    sender.sendall(head.encode() + b"Content-Type: application/x-www-form-urlencoded\r\n\r\n1\r\n{\r\n")
    return sender


def test_a_delivery_that_comes_in_pieces_or_without_its_length_is_kept(port: int) -> None:
    for length in ("Content-Length", "Transfer-Encoding"):
        body, signature = delivery(f"cs_{length[0]}")
        said = str(len(body)) if length == "Content-Length" else "chunked"
        with socket.create_connection(("127.0.0.1", port), timeout=30) as sender:
            head = f"POST {HOOK} HTTP/1.1\r\nHost: localhost\r\nStripe-Signature: {signature}\r\n{length}: {said}"
            sender.sendall(head.encode() + b"\r\n\r\n")
            for start in range(0, len(body), 100):
                piece = body[start : start + 100]
                time.sleep(0.01)
                sender.sendall(piece if said != "chunked" else b"%x\r\n%s\r\n" % (len(piece), piece))
            if said == "chunked":
                sender.sendall(b"0\r\n\r\n")
            assert sender.recv(1000).startswith(b"HTTP/1.1 204 "), length


def test_a_form_that_breaks_off_is_not_taken_for_a_whole_one(port: int) -> None:
    with socket.create_connection(("127.0.0.1", port), timeout=30) as sender:
        sender.sendall(
            f"POST {GIVE} HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/x-www-form-urlencoded\r\n"
            "Content-Length: 1000\r\n\r\nfrequency=once".encode()
        )
        sender.shutdown(socket.SHUT_WR)
        assert sender.recv(1000)[:13] in (b"HTTP/1.1 400 ", b"")


def test_hundreds_of_slow_senders_are_noticed_by_nobody(port: int) -> None:
    with ExitStack() as hanging:
        slow = [hanging.enter_context(slow_sender(port, path)) for path in (HOOK, GIVE) for _ in range(SLOW)]
        for number in range(3):
            # Half of them go on, a letter at a time.
            for sender in slow[::2]:
                sender.sendall(b"1\r\nx\r\n")
            assert [status(port, "GET", path) for path in READ] == [200] * len(READ)
            body, signature = delivery(f"cs_{number}")
            assert status(port, "POST", HOOK, body, Stripe_Signature=signature) == 204
            assert status(port, "POST", GIVE, b"x", Content_Type="application/x-www-form-urlencoded") == 422


@pytest.mark.parametrize(("path", "usual"), [(HOOK, 400), (GIVE, 422)])
def test_more_slow_senders_than_may_are_refused_and_when_they_have_gone_there_is_room(
    port: int, path: str, usual: int
) -> None:
    deadline = time.monotonic() + 60

    def sent() -> int:
        assert time.monotonic() < deadline
        return status(port, "POST", path, b"{}", Content_Type="application/x-www-form-urlencoded")

    with ExitStack() as hanging:
        for _ in range(MOST_SENDERS + 20):
            hanging.enter_context(slow_sender(port, path))
        while sent() != 503:
            # Our own request takes a place for a moment, and the last of the slow senders may have been refused for it.
            hanging.enter_context(slow_sender(port, path))
        assert [status(port, "GET", read) for read in READ] == [200] * len(READ)
        other, answer = (GIVE, 422) if path == HOOK else (HOOK, 400)
        assert status(port, "POST", other, b"{}", Content_Type="application/x-www-form-urlencoded") == answer
    while sent() != usual:
        time.sleep(0.05)
