"""Very many people at the same moment, before a real server: everybody is answered, and nobody waits behind the others."""

import http.client
import re
import selectors
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.parse import urlencode

import pytest
from faults.server import Server, open_newsroom, running
from faults.stripes import BadStripe, bad_stripe

CROWD = 150
PAGES = ("/c/newsroom", "/c/newsroom/months", "/c/newsroom/thanks?session_id=cs_test_x")
# What must never wait behind a page, with the answer to it.
QUICK = {
    ("GET", "/embed/newsroom"): 200,
    ("GET", "/embed/newsroom.json"): 200,
    ("GET", "/healthz"): 200,
    ("GET", "/static/page.css"): 200,
    ("POST", "/webhooks/stripe"): 400,
}
DONORS, WITHIN = 20, 10


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def stripe() -> Iterator[BadStripe]:
    with bad_stripe() as made:
        yield made


@pytest.fixture
def server(environ: dict[str, str], stripe: BadStripe, tmp_path: Path) -> Iterator[Server]:
    environ |= {"STRIPE_API_BASE": stripe.url, "TRACKER_GIVE_LIMIT": "100000 per minute"}
    open_newsroom(environ)
    # Many systems allow a program so few open files, unless it asks for more.
    made = Server(environ, tmp_path / "log", under=("sh", "-c", f'ulimit -Sn {CROWD // 2}; exec "$@"', "sh"))
    with running(made):
        # Everything once, so that nothing is made for the first time below.
        assert [made.status(path) for path in PAGES] == [200] * len(PAGES)
        assert [asked(made.port, *what) for what in QUICK] == list(QUICK.values())
        yield made


def asked(port: int, method: str, path: str, form: dict[str, str] | None = None) -> int:
    """The status of the answer, once all of it is there."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        typed = {"Content-Type": "application/x-www-form-urlencoded"} if form else {}
        connection.request(method, path, urlencode(form) if form else None, typed)
        answer = connection.getresponse()
        answer.read()
        return answer.status
    finally:
        connection.close()


class Crowd:
    """So many people who have all asked for a page, and what each has got of it so far."""

    def __init__(self, port: int, path: str, size: int) -> None:
        self.got: dict[socket.socket, bytes] = {}
        self.over: set[socket.socket] = set()
        self._selector = selectors.DefaultSelector()
        for _ in range(size):
            person = socket.create_connection(("127.0.0.1", port))
            person.sendall(f"GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".encode())
            person.setblocking(False)
            self.got[person] = b""
            self._selector.register(person, selectors.EVENT_READ)

    def look(self, seconds: float = 0) -> int:
        """How many have an answer by now; waits so long for news at most."""
        for key, _ in self._selector.select(seconds):
            person = key.fileobj
            assert isinstance(person, socket.socket)
            try:
                more = person.recv(65_536)
            except ConnectionError:
                more = b""
            self.got[person] += more
            if not more:
                self.over.add(person)
                self._selector.unregister(person)
        return len(self.over)

    def wait(self) -> list[int]:
        """Until everybody has an answer; their statuses, 0 where there is none."""
        deadline = time.monotonic() + 60
        while self.look(1) < len(self.got):
            assert time.monotonic() < deadline, f"{len(self.over)} of {len(self.got)} were answered"
        heads = [re.match(rb"HTTP/1.1 (\d+) ", answer) for answer in self.got.values()]
        return [int(head[1]) if head else 0 for head in heads]

    def close(self) -> None:
        for person in self.got:
            person.close()
        self._selector.close()


@contextmanager
def crowd(port: int, path: str, size: int = CROWD) -> Iterator[Crowd]:
    made = Crowd(port, path, size)
    try:
        yield made
    finally:
        made.close()


def test_a_hundred_and_fifty_who_read_a_page_are_served_and_keep_nothing_else_waiting(server: Server) -> None:
    for path in PAGES:
        begun = time.monotonic()
        with crowd(server.port, path) as people:
            for what, status in QUICK.items():
                assert asked(server.port, *what) == status
            quick = time.monotonic() - begun
            assert people.wait() == [200] * CROWD
        everybody = time.monotonic() - begun
    # Beside those who read the page that takes longest.
    assert 4 * quick < everybody


def test_a_server_that_is_told_to_stop_amid_a_crowd_serves_it_and_ends(server: Server) -> None:
    with crowd(server.port, PAGES[2]) as people:
        people.wait()
    with crowd(server.port, PAGES[2]) as people:
        while not people.look(1):
            pass
        assert server.process
        server.process.terminate()
        # Whoever had asked by then.
        assert people.wait() == [200] * CROWD
        assert server.process.wait(10) == 0


def test_donors_who_wait_for_stripe_take_nothing_from_readers(server: Server, stripe: BadStripe) -> None:
    form = {"frequency": "once", "tier_once": "other", "name": "hangs"}

    def gives(number: int) -> tuple[int, float]:
        token = re.search(r'name="token"[^>]*value="([^"]+)"', server.get("/c/newsroom")[1])
        assert token
        begun = time.monotonic()
        typed = {"token": token[1], "other_amount": f"1{number:02}"}
        status = asked(server.port, "POST", "/c/newsroom/give", form | typed)
        return status, time.monotonic() - begun

    with ThreadPoolExecutor(DONORS) as pool, ExitStack() as readers:
        giving = [pool.submit(gives, number) for number in range(DONORS)]
        until_all_hang(stripe, giving)
        for what, status in QUICK.items():
            assert asked(server.port, *what) == status
        people = readers.enter_context(crowd(server.port, PAGES[0], 40))
        assert people.wait() == [200] * 40
        # One more is told at once that too many wait.
        assert gives(DONORS)[0] == 503
        assert asked(server.port, "POST", "/c/newsroom/give", {"frequency": "once"}) == 422
        assert not any(one.done() for one in giving)
        came = [one.result() for one in giving]
    assert [status for status, _ in came] == [503] * DONORS
    assert max(seconds for _, seconds in came) < WITHIN


def until_all_hang(stripe: BadStripe, giving: list[Future[tuple[int, float]]]) -> None:
    deadline = time.monotonic() + 30
    while len(stripe.hanging) < len(giving):
        assert time.monotonic() < deadline
        time.sleep(0.02)
