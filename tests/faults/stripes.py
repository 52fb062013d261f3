"""Stripes that are not well: each answers every call in its own wrong way, and notes the idempotency keys."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from urllib.parse import parse_qs

PAGE = "https://checkout.stripe.com/c/pay/cs_test_1"
OPENED = json.dumps({"id": "cs_test_1", "object": "checkout.session", "url": PAGE, "status": "open"}).encode()


def error(kind: str, code: str) -> bytes:
    return json.dumps({"error": {"type": kind, "code": code, "message": "no"}}).encode()


def answer(status: int, body: bytes) -> bytes:
    head = f"HTTP/1.1 {status} Whatever\r\nContent-Type: application/json\r\nConnection: close\r\n"
    return f"{head}Content-Length: {len(body)}\r\n\r\n".encode() + body


@dataclass
class BadStripe:
    """A server of plain sockets. What is wrong with it is what the donor is called, until it is `well`."""

    url: str = ""
    well: bool = False
    keys: dict[str, set[str]] = field(default_factory=dict)
    """The idempotency keys that it saw, by what was wrong."""
    hanging: set[socket.socket] = field(default_factory=set)
    over: threading.Event = field(default_factory=threading.Event)

    def reacts(self, connection: socket.socket) -> None:
        """Takes one request and answers it as it can; the connection is over then."""
        with connection, suppress(OSError):
            connection.settimeout(60)
            head, form = _read(connection)
            if not form:
                return
            ails = form["metadata[name]"][0]
            key = next(line for line in head.split("\r\n") if line.lower().startswith("idempotency-key:"))
            self.keys.setdefault(ails, set()).add(key.split(":", 1)[1].strip())
            WAYS["nothing" if self.well else ails](self, connection)

    def hang(self, connection: socket.socket) -> None:
        self.hanging.add(connection)
        try:
            # Until the other side has had enough.
            connection.recv(1)
        finally:
            self.hanging.discard(connection)

    def drip(self, connection: socket.socket) -> None:
        for byte in answer(200, OPENED):
            connection.sendall(bytes([byte]))
            if self.over.wait(0.06):
                return


def _read(connection: socket.socket) -> tuple[str, dict[str, list[str]]]:
    got = b""
    while b"\r\n\r\n" not in got:
        more = connection.recv(65_536)
        if not more:
            return "", {}
        got += more
    head, _, body = got.partition(b"\r\n\r\n")
    length = next(line for line in head.split(b"\r\n") if line.lower().startswith(b"content-length:"))
    while len(body) < int(length.split(b":")[1]):
        body += connection.recv(65_536)
    return head.decode("latin-1"), parse_qs(body.decode())


def _says(status: int, body: bytes) -> Callable[[BadStripe, socket.socket], None]:
    return lambda _, connection: connection.sendall(answer(status, body))


WAYS: dict[str, Callable[[BadStripe, socket.socket], None]] = {
    "nothing": _says(200, OPENED),
    "hangs": BadStripe.hang,
    "drips": BadStripe.drip,
    "hangs up": lambda _, connection: None,
    "breaks off": lambda _, connection: connection.sendall(answer(200, OPENED)[:-20]),
    "says 402": _says(402, error("card_error", "card_declined")),
    "says 409": _says(409, error("idempotency_error", "idempotency_key_in_use")),
    "says 429": _says(429, error("invalid_request_error", "rate_limit")),
    "says 500": _says(500, error("api_error", "oops")),
    "says 502": _says(502, b"<html><body>Bad gateway</body></html>"),
    "says 503": _says(503, error("api_error", "unavailable")),
    "says no JSON": _says(200, b"<html><body>Sign in to the hotel's wireless network</body></html>"),
    "says half of JSON": _says(200, OPENED[:40]),
    "says something else": _says(200, b'{"object": "list", "data": []}'),
}
# After these nobody knows whether there is a checkout now, so the very same form is shown again.
UNKNOWN = {"hangs", "drips", "hangs up", "breaks off", "says 409"}


@contextmanager
def bad_stripe() -> Iterator[BadStripe]:
    made = BadStripe()
    listener = socket.create_server(("127.0.0.1", 0), backlog=200)
    made.url = f"http://127.0.0.1:{listener.getsockname()[1]}"

    def accept() -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=made.reacts, args=(connection,), daemon=True).start()

    thread = threading.Thread(target=accept)
    thread.start()
    try:
        yield made
    finally:
        made.over.set()
        listener.shutdown(socket.SHUT_RDWR)
        listener.close()
        thread.join()
