"""How soon a gift shows on every worker of every node, and what looking out for it costs."""

import http.client
import json
import statistics
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import psycopg
import sqlalchemy
import structlog

from benchmarks import deliveries
from benchmarks.bar import instance
from benchmarks.database import postgres
from benchmarks.ingest import serving
from tracker.ledger.change_detector import ChangeDetector
from tracker.web.cache.bars import LOOK_SECONDS

GIFTS, WORKERS, CONNECTIONS = 200, 2, 8


def measure() -> Iterator[str]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield f"| {GIFTS} gifts, until every one of 2 workers on each of 2 nodes shows it | median ms | worst ms |"
    yield "| --- | --- | --- |"
    with postgres() as server, ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        environ = instance(
            folder / "one", 1, TRACKER_DATABASE_URL=server.new_database(), STRIPE_WEBHOOK_SECRET=deliveries.SECRET
        )
        other = environ | {"TRACKER_INSTANCE": str(folder / "two")}
        (folder / "two").mkdir()
        ports = [running.enter_context(serving(one, WORKERS)) for one in (environ, other)]
        yield _row("PostgreSQL", _waits(ports))
        yield from _looks(server.new_database())


def _waits(ports: list[int]) -> list[float]:
    """For each gift, how long after Stripe's 2xx the last of all connections still told the number before."""
    # Enough connections to each node that both of its workers hold some; each stays with its worker.
    readers = [http.client.HTTPConnection("127.0.0.1", port, timeout=30) for port in ports for _ in range(CONNECTIONS)]
    waits = []
    raised = max(_raised(reader) for reader in readers)
    for number in range(GIFTS):
        with closing(http.client.HTTPConnection("127.0.0.1", ports[number % 2], timeout=30)) as stripe:
            body, signature = deliveries.signed()
            stripe.request("POST", "/webhooks/stripe", body, {"Stripe-Signature": signature})
            answer = stripe.getresponse()
            answer.read()
            assert answer.status == 204, answer.status
        told, raised = time.perf_counter(), raised + deliveries.AMOUNT
        late = list(readers)
        while late:
            late = [reader for reader in late if _raised(reader) != raised]
        waits.append((time.perf_counter() - told) * 1000)
        # At every point between two looks.
        time.sleep(LOOK_SECONDS * (number % 10) / 10)
    for reader in readers:
        reader.close()
    return waits


def _raised(reader: http.client.HTTPConnection) -> int:
    reader.request("GET", "/embed/newsroom.json")
    return int(json.loads(reader.getresponse().read())["raised"])


def _row(name: str, waits: list[float]) -> str:
    return f"| {name} | {statistics.median(waits):.0f} | **{max(waits):.0f}** |"


# --- What it costs ----------------------------------------------------------------------------------------------------


def _looks(url: str) -> Iterator[str]:
    """One look on each database, and the other way: a commit that notifies, and one that does not."""
    yield ""
    yield "| looking out | µs |"
    yield "| --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        sqlite = sqlalchemy.create_engine(f"sqlite:///{folder}/bar.sqlite3")
        yield f"| one look, SQLite (`PRAGMA data_version`) | {_each(ChangeDetector(sqlite).read):.0f} |"
        sqlite.dispose()
    engine = sqlalchemy.create_engine(url)
    stamp = ChangeDetector(engine)
    yield f"| one look, PostgreSQL (`pg_current_snapshot()`) | {_each(stamp.read):.0f} |"
    stamp.close()
    engine.dispose()
    with psycopg.connect(url, autocommit=True) as connection:
        connection.execute("CREATE TABLE gift (amount BIGINT)")
        plain = _each(lambda: connection.execute("INSERT INTO gift VALUES (1)"))
        told = _each(
            lambda: connection.execute("WITH one AS (INSERT INTO gift VALUES (1)) SELECT pg_notify('gift', '')")
        )
        connection.execute("LISTEN gift")
    yield f"| a commit, PostgreSQL | {plain:.0f} |"
    yield f"| a commit that also notifies | {told:.0f} |"


def _each(what: object, times: int = 2000) -> float:
    assert callable(what)
    found = []
    for _ in range(5):
        begin = time.perf_counter()
        for _ in range(times // 5):
            what()
        found.append((time.perf_counter() - begin) / (times // 5) * 1e6)
    return statistics.median(found)
