"""Two nodes as they are deployed, nginx in front of them, while people read and give: one node goes, or what both need does."""

import signal
import time
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from actors import WEBHOOK_SECRET
from commands import run_command
from faults.people import Crowd
from faults.server import LONG, Server, open_newsroom, running
from front import NAME, Front, nginx
from postgres import Postgres
from redis_server import Redis
from serving import serving
from sqlalchemy import create_engine, text

from tracker.gateway.events import TOLD_BY
from tracker.sandbox import Sandbox, create_sandbox

TIMES = 3 if LONG else 1
GIFTS = 20 if LONG else 2
AWAY_SECONDS = 20


@dataclass
class Site:
    """All that there is of a site on two nodes."""

    environ: dict[str, str]
    nodes: list[Server]
    here: Front
    stripe: Sandbox
    redis: Redis
    databases: list[Postgres]
    """The one that serves, and the one that follows it."""


@pytest.fixture
def databases(request: pytest.FixtureRequest) -> list[Postgres]:
    """In short a single one, which need not be started for each test."""
    return [request.getfixturevalue(name) for name in (("durable", "follower") if LONG else ("postgres",))]


@pytest.fixture
def database_url(databases: list[Postgres]) -> str:
    # Both, so that the nodes find the one that takes writes.
    database, _, first = databases[0].new_database().partition("?host=")
    return f"{database}?host={','.join([first, *(str(one.sockets) for one in databases[1:])])}"


@pytest.fixture
def site(
    databases: list[Postgres], environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Site]:
    stripe = Sandbox()
    # Retries come a quarter of a second after the first try, then after half a second, and so on.
    stripe.speed = 4
    with Redis(tmp_path) as redis, closing(stripe), serving(create_sandbox(stripe)) as address:
        stripe.public_url = address
        environ |= {
            "TRACKER_PUBLIC_URL": f"https://{NAME}",
            "TRACKER_LIMITS_URL": redis.url,
            "TRACKER_GIVE_LIMIT": "5 per minute",
            "STRIPE_API_BASE": address,
        }
        open_newsroom(environ)
        nodes = [_node(environ, tmp_path / f"node-{number}") for number in (1, 2)]
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        with running(*nodes), nginx(tmp_path / "nginx", *addresses) as here:
            # Nobody vouches for this certificate but the test.
            monkeypatch.setenv("SSL_CERT_FILE", str(here.certificate))
            hook = f"https://127.0.0.1:{here.https}/webhooks/stripe"
            stripe.add_webhook(hook, WEBHOOK_SECRET, enabled_events=TOLD_BY)
            stripe.start_sender()
            yield Site(environ, nodes, here, stripe, redis, databases)


def _node(environ: dict[str, str], instance: Path) -> Server:
    instance.mkdir()
    return Server(environ | {"TRACKER_INSTANCE": str(instance)}, instance / "log")


@contextmanager
def people(site: Site, what: str) -> Iterator[Crowd]:
    """People who come meanwhile. What they paid is in the ledger in the end, and nobody met more than one error."""
    with Crowd(site.here, site.stripe) as crowd:
        crowd.goes_on(GIFTS)
        yield crowd
        crowd.goes_on(GIFTS)
    everything_is_told(site.stripe)
    told = Counter(try_["status"] for one in site.stripe.store.newest("_delivered") for try_ in one["attempts"])
    met = Counter(len(one.errors) for one in crowd.paid)
    print(f"\n{what}\n  {crowd.seen}\n  webhook: {dict(sorted(told.items()))}")
    print(f"  {len(crowd.paid)} gifts, errors met by a donor: {dict(sorted(met.items()))}")
    assert max(met) <= 1, [one.errors for one in crowd.paid if len(one.errors) > 1]
    assert crowd.seen.errors("bar") == 0
    assert len(list(site.stripe.store.newest("checkout.session"))) == len(crowd.paid), "one checkout for each donor"
    assert booked(site) == Counter((one.kind, one.amount) for one in crowd.paid)
    assert run_command(site.environ, "rebuild", "--check").exit_code == 0


def everything_is_told(stripe: Sandbox) -> None:
    until = time.monotonic() + 120
    while stripe.sender.waiting(live=False):
        assert time.monotonic() < until, stripe.sender.waiting(live=False)
        time.sleep(0.05)


def booked(site: Site) -> Counter[tuple[str, int]]:
    """Each gift in the ledger, read past the project's own code."""
    url = site.environ["TRACKER_DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:")
    engine = create_engine(url, connect_args={"target_session_attrs": "read-write"})
    with engine.connect() as connection:
        found = Counter((kind, amount) for kind, amount in connection.execute(text("SELECT kind, amount FROM entry")))
    engine.dispose()
    return found


def a_node_is_killed(site: Site) -> None:
    with people(site, f"a node killed and started again, {TIMES} times") as crowd:
        for number in range(TIMES):
            node = site.nodes[number % 2]
            node.kill()
            crowd.goes_on(GIFTS)
            node.start()
            crowd.goes_on(GIFTS)


def nodes_are_restarted(site: Site) -> None:
    with people(site, f"both nodes restarted one after the other, {TIMES} times") as crowd:
        for node in site.nodes * TIMES:
            assert node.process is not None
            node.process.send_signal(signal.SIGTERM)
            node.process.wait(30)
            crowd.goes_on(GIFTS)
            # In short the second one stays away, and the first one, which has come back, serves everybody.
            if LONG or node is site.nodes[0]:
                node.start()
    assert crowd.seen.errors_of_pages() == 0


def nodes_are_reloaded(site: Site) -> None:
    with people(site, f"both nodes told to read their settings again, {TIMES} times") as crowd:
        for node in site.nodes * TIMES:
            assert node.process is not None
            before = set(node.pids())
            node.process.send_signal(signal.SIGHUP)
            until = time.monotonic() + 60
            # The server itself stays, its worker is another one.
            while len(before & set(node.pids())) > 1:
                assert time.monotonic() < until
                time.sleep(0.05)
            crowd.goes_on(GIFTS)
    assert crowd.seen.errors_of_pages() == 0


def redis_goes(site: Site) -> None:
    with people(site, f"Redis hangs, is gone, and comes back, {TIMES} times") as crowd:
        for _ in range(TIMES):
            with site.redis.frozen():
                crowd.goes_on(GIFTS)
            site.redis.stop()
            crowd.goes_on(GIFTS)
            site.redis.start()
            crowd.goes_on(GIFTS)


def the_follower_takes_over(site: Site) -> None:
    with people(site, "PostgreSQL stopped dead, its follower promoted") as crowd:
        first, second = site.databases
        began, before = time.monotonic(), crowd.raised[-1][1]
        first.stop("immediate")
        # Longer than a hiccup: the bar and the page say of when they are.
        time.sleep(AWAY_SECONDS)
        second.promote()
        crowd.goes_on(GIFTS)
    assert min(raised for asked, raised in crowd.raised if asked > began) >= before


DRILLS = [nodes_are_restarted]
if LONG:
    DRILLS += [a_node_is_killed, nodes_are_reloaded, redis_goes, the_follower_takes_over]


@pytest.mark.parametrize("drill", DRILLS)
def test_nothing_paid_is_lost_no_reader_notices_and_no_donor_meets_two_errors(
    site: Site, drill: Callable[[Site], None]
) -> None:
    drill(site)
