"""Card testing as it comes: thousands of forms from one address, from a thousand, from one network, and honest donors beside."""

import http.client
import random
import re
import threading
import time
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from html import unescape
from pathlib import Path
from urllib.parse import urlencode

import pytest
from faults.server import LONG, Server, open_newsroom, running
from redis_server import Redis
from serving import serving_sandbox
from solving import solved, task_on

from tracker.sandbox.account import Sandbox

POSTS, DONORS = (10_000, 60) if LONG else (200, 8)
BOTS = 8
WORKERS = 2


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serving_sandbox() as made:
        yield made


@pytest.fixture
def server(environ: dict[str, str], sandbox: Sandbox, tmp_path: Path) -> Iterator[Server]:
    """Two workers that count together, as behind a proxy on this machine, with the limits as they are shipped."""
    for name in ("TRACKER_GIVE_LIMIT", "TRACKER_GIVE_LIMIT_ALL", "TRACKER_GIVE_SECONDS"):
        del environ[name]
    with Redis(tmp_path) as redis:
        environ |= {
            "STRIPE_API_BASE": sandbox.public_url,
            "TRACKER_LIMITS_URL": redis.url,
            "TRACKER_PROXIES": "1",
        }
        open_newsroom(environ)
        made = Server(environ, tmp_path / "log", workers=WORKERS)
        with running(made):
            yield made


class Person:
    """A browser, or what pretends to be one, at an address of its own."""

    def __init__(self, server: Server, address: str) -> None:
        self.port, self.address = server.port, address

    def asks(self, path: str, form: dict[str, str] | None = None) -> tuple[int, str, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        headers = {"X-Forwarded-For": self.address}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        try:
            connection.request(
                "GET" if form is None else "POST", path, None if form is None else urlencode(form), headers
            )
            answer = connection.getresponse()
            return answer.status, answer.headers.get("Location", ""), answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, "", ""
        finally:
            connection.close()

    def token(self, page: str = "") -> str:
        found = re.search(r'name="token"[^>]*value="([^"]+)"', page or self.asks("/c/newsroom")[2])
        assert found
        return unescape(found[1])

    def sends(self, token: str, amount: int, **more: str) -> tuple[int, str, str]:
        typed = {"frequency": "once", "tier_once": "other", "other_amount": str(amount), "token": token, "website": ""}
        return self.asks("/c/newsroom/give", typed | more)


def gives(server: Server, number: int) -> bool:
    """An honest donor with a browser that has a script: does what the page asks, and tries twice more if it must."""
    donor = Person(server, f"198.18.{number // 250}.{number % 250 + 1}")
    page = donor.asks("/c/newsroom")[2]
    for _ in range(3):
        task = task_on(page)
        more = {"proof": solved(task), "resent": "1"} if task else {}
        time.sleep(1.3)
        status, where, page = donor.sends(donor.token(page), 25, **more)
        if status == 303:
            return where.startswith("http")
        if not page:
            return False
    return False


def attacked(
    server: Server, address_of: Callable[[int], str], posts: int = POSTS, donors: int = DONORS
) -> tuple[Counter[int], float]:
    """So many forms from many bots at once, and donors meanwhile: how the bots were answered, and which part gave."""
    tokens = [Person(server, address_of(number)).token() for number in range(30)]
    time.sleep(1.1)
    statuses: Counter[int] = Counter()
    left, lock = iter(range(posts)), threading.Lock()

    def bot() -> None:
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            status = Person(server, address_of(number)).sends(tokens[number % len(tokens)], 2 + number % 900)[0]
            with lock:
                statuses[status] += 1

    with ThreadPoolExecutor(BOTS + donors) as pool:
        bots = [pool.submit(bot) for _ in range(BOTS)]
        giving = []
        for number in range(donors):
            giving.append(pool.submit(gives, server, number))
            time.sleep(0.1)
        for one in bots:
            one.result()
        served = [one.result() for one in giving]
    return statuses, sum(served) / max(1, donors)


@pytest.mark.parametrize(
    ("what", "address_of", "most"),
    [
        ("one address", lambda _: "203.0.113.7", 5),
        ("a thousand addresses", lambda number: f"10.{number % 1000 // 250}.{number % 250}.9", 60 + 10),
        ("a network of IPv6", lambda number: f"2001:db8:7:{number % 65_000:x}::{number:x}", 4 * 5),
    ],
)
def test_bots_open_no_more_than_the_limit_and_donors_beside_them_give(
    server: Server, sandbox: Sandbox, what: str, address_of: Callable[[int], str], most: int
) -> None:
    statuses, served = attacked(server, address_of)
    made = len(list(sandbox.store.newest("checkout.session")))
    print(f"\n{POSTS} forms from {what}: {dict(statuses)}, donors served {served:.0%}, checkouts {made}", end="")
    assert statuses[303] <= most
    assert made <= statuses[303] + DONORS
    assert served >= 0.95
    assert statuses[0] == 0
    log = server.said()
    assert "limits.refused" in log
    assert not re.search(r"203\.0\.113\.7|198\.18\.|2001:db8", log)


def test_one_solution_opens_one_checkout_on_all_workers(server: Server, sandbox: Sandbox) -> None:
    # Until everybody is asked, and no place is left for those without a script.
    statuses, _ = attacked(server, lambda number: f"10.0.{number}.9", posts=90, donors=0)
    assert statuses[429]
    until = time.monotonic() + 30
    page = ""
    donor = Person(server, "192.0.2.1")
    while not task_on(page):
        assert time.monotonic() < until, "nobody noticed"
        time.sleep(0.2)
        page = donor.asks("/c/newsroom")[2]
    assert "giving.under_attack" in server.said()
    task = task_on(page)
    assert task
    proof, token = solved(task), donor.token(page)
    time.sleep(1.1)
    before = len(list(sandbox.store.newest("checkout.session")))
    amounts = random.sample(range(2, 900), 40)
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda amount: donor.sends(token, amount, proof=proof)[0], amounts))
    assert answers.count(303) <= 1
    assert len(list(sandbox.store.newest("checkout.session"))) - before == answers.count(303)
