"""What the webhook takes in, through the real server, over a bare loop that signs off and inserts into the same database."""

import hashlib
import hmac
import json
import os
import secrets
import socket
import sqlite3
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import psycopg
import structlog
from sqlalchemy import text

from benchmarks import deliveries
from benchmarks.database import postgres
from tracker import create_app
from tracker.demo.instance import LIVE
from tracker.ledger import campaigns, month_closing, store
from tracker.settings import read_settings

ROUNDS, SECONDS, MOST = 3, 2.0, 5000
SENDERS = (1, 8, 32)


def measure() -> Iterator[str]:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    yield "| deliveries | a second | over the bare loop | p50 ms | p99 ms |"
    yield "| --- | --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        yield from _compared("SQLite", "", Path(folder), f"sqlite:///{folder}/bare.sqlite3")
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        yield from _compared("PostgreSQL", server.new_database(), Path(folder), server.new_database())


def _compared(name: str, url: str, folder: Path, bare: str) -> Iterator[str]:
    """The hook's and the bare loop's figures on one database, taken in turns."""
    environ = {
        "TRACKER_INSTANCE": str(folder),
        "TRACKER_DATABASE_URL": url,
        "TRACKER_SECRET_KEY": secrets.token_hex(32),
        "STRIPE_SECRET_KEY": "sk_test_bench",
        "STRIPE_WEBHOOK_SECRET": deliveries.SECRET,
    }
    app = create_app(read_settings(environ), background=False)
    with app.app_context():
        store.upgrade()
        with store.writing() as connection:
            campaigns.save(connection, replace(LIVE, slug="newsroom"))
    figures: dict[tuple[int, int], list[tuple[float, float, float, float]]] = {}
    loops = []
    answered = 0
    with serving(environ, 1) as one, serving(environ, 4) as four:
        for number in range(-1, ROUNDS):
            loop = _run("benchmarks.ingest", bare)["rate"]
            for workers, port, senders in [(1, one, count) for count in SENDERS] + [(4, four, 32)]:
                sent = _run("benchmarks.deliveries", str(port), str(senders), str(SECONDS), str(MOST))
                assert sent["statuses"] == [204], sent["statuses"]
                answered += len(sent["ms"])
                rate, cuts = len(sent["ms"]) / sent["seconds"], statistics.quantiles(sent["ms"], n=100)
                if number >= 0:  # the first round warms everything
                    figures.setdefault((workers, senders), []).append((rate, rate / loop, cuts[49], cuts[98]))
            if number >= 0:
                loops.append(loop)
    with app.app_context(), store.reading() as connection:
        _check(connection, answered)
    store.close(app)
    yield f"| {name}, the bare loop | {statistics.median(loops):,.0f} | 1.00 | | |"
    for (workers, senders), rounds in figures.items():
        rate, ratio, half, most = (statistics.median(column) for column in zip(*rounds, strict=True))
        least, best = min(one[1] for one in rounds), max(one[1] for one in rounds)
        of = f"{senders} sender{'s' * (senders > 1)}" + (f", {workers} workers" if workers > 1 else "")
        yield f"| {name}, {of} | {rate:,.0f} | **{ratio:.2f}** ({least:.2f}–{best:.2f}) | {half:.1f} | {most:.1f} |"


def _check(connection: Any, answered: int) -> None:
    """Every delivery that was answered is there once, as a delivery, as a gift, and in the totals."""
    for counted in (
        "SELECT count(*) FROM delivery",
        "SELECT count(*) FROM entry",
        "SELECT sum(gifts) FROM month_total",
    ):
        assert connection.scalar(text(counted)) == answered, counted
    assert connection.scalar(text("SELECT sum(once) FROM month_total")) == answered * deliveries.AMOUNT
    assert month_closing.differences(connection) == []


@contextmanager
def serving(environ: dict[str, str], workers: int) -> Iterator[int]:
    """The server as an operator starts it; its port."""
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    command = [sys.executable, "-m", "tracker", "serve", "--port", str(port), "--workers", str(workers)]
    with (
        (Path(environ["TRACKER_INSTANCE"]) / f"log-{workers}").open("w") as log,
        subprocess.Popen(command, env=os.environ | environ, stdout=log, stderr=log) as process,
    ):
        try:
            _until_it_answers(port)
            yield port
        finally:
            process.terminate()


def _until_it_answers(port: int) -> None:
    for _ in range(200):
        try:
            socket.create_connection(("127.0.0.1", port)).close()
            return
        except OSError:
            time.sleep(0.1)
    raise TimeoutError("the server did not start")


def _run(module: str, *arguments: str) -> dict[str, Any]:
    done = subprocess.run([sys.executable, "-m", module, *arguments], stdout=subprocess.PIPE, text=True, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


# --- The bare loop ----------------------------------------------------------------------------------------------------

TABLES = """
CREATE TABLE IF NOT EXISTS event (id VARCHAR(255) PRIMARY KEY, received_at TEXT NOT NULL, body {blob} NOT NULL);
CREATE TABLE IF NOT EXISTS entry (id {serial}, session VARCHAR(255) UNIQUE NOT NULL, amount BIGINT NOT NULL,
    currency VARCHAR(3) NOT NULL, month VARCHAR(7) NOT NULL, intent VARCHAR(255) NOT NULL);
CREATE TABLE IF NOT EXISTS month (month VARCHAR(7) PRIMARY KEY, raised BIGINT NOT NULL, gifts BIGINT NOT NULL);
"""
EVENT = "INSERT INTO event VALUES (?, ?, ?)"
ENTRY = "INSERT INTO entry (session, amount, currency, month, intent) VALUES (?, ?, ?, ?, ?)"
MONTH = """INSERT INTO month VALUES (?, ?, 1)
    ON CONFLICT (month) DO UPDATE SET raised = month.raised + excluded.raised, gifts = month.gifts + 1"""


def bare(url: str) -> float:
    """Deliveries a second of one process that checks the signature, reads the event, and writes three rows, safely."""
    waiting = [deliveries.signed() for _ in range(MOST)]
    with closing(_open(url)) as connection:
        place = "?" if url.startswith("sqlite") else "%s"
        event, entry, month = (statement.replace("?", place) for statement in (EVENT, ENTRY, MONTH))
        begin, run = "BEGIN IMMEDIATE" if place == "?" else "BEGIN", connection.execute
        return _rate(waiting, run, begin, event, entry, month)


def _rate(waiting: list[tuple[bytes, str]], run: Callable[..., Any], begin: str, *statements: str) -> float:
    began, done = time.perf_counter(), 0
    for body, signature in waiting:
        at, made = signature[2:].split(",v1=")
        wanted = hmac.new(deliveries.SECRET.encode(), at.encode() + b"." + body, hashlib.sha256).hexdigest()
        assert hmac.compare_digest(made, wanted)
        event = json.loads(body)
        about = event["data"]["object"]
        month = time.strftime("%Y-%m", time.gmtime(event["created"]))
        run(begin)
        run(statements[0], (event["id"], at, body))
        run(statements[1], (about["id"], about["amount_total"], about["currency"], month, about["payment_intent"]))
        run(statements[2], (month, about["amount_total"]))
        run("COMMIT")
        done += 1
        if time.perf_counter() - began > SECONDS:
            break
    return done / (time.perf_counter() - began)


def _open(url: str) -> Any:
    if not url.startswith("sqlite"):
        server = psycopg.connect(url, autocommit=True)
        server.execute(TABLES.format(blob="BYTEA", serial="BIGSERIAL PRIMARY KEY"))
        return server
    file = sqlite3.connect(url.removeprefix("sqlite:///"), isolation_level=None)
    file.executescript(
        "PRAGMA journal_mode=WAL; PRAGMA synchronous=FULL;" + TABLES.format(blob="BLOB", serial="INTEGER PRIMARY KEY")
    )
    return file


if __name__ == "__main__":
    print(json.dumps({"rate": bare(sys.argv[1])}))
