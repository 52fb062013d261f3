"""Entries out as a CSV file and past gifts in, each compared with the database's own tool, and how much memory it takes."""

import argparse
import resource
import secrets
import sqlite3
import statistics
import subprocess
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from tracker import create_app
from tracker.demo.run import LIVE
from tracker.giving.import_map import READY
from tracker.ledger import campaigns, export_files, export_rows, imports, month_closing, store
from tracker.settings import read_settings

MANY = 1_000_000
ROUNDS = 3

# Sixty months of gifts in the order in which they came, each with its fee, its payout and the ids of its payment; every
# fiftieth entry is a refund of the gift before it. The hashes are made up.
NUMBERS = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})"
WHEN = "strftime('%Y-%m-%d %H:%M:%S', '2017-01-01', (i * 1.0 / {most} * 157680000) || ' seconds') || '.000000'"
FILL = """INSERT INTO entry (key, campaign_id, live, kind, amount, told, currency, at, month, belongs_to, gift_key, tier,
        source, place, recorded_at, chain)
    {numbers}, g AS (SELECT i, {when} AS at, i % 50 = 0 AS back FROM n)
    SELECT CASE WHEN back THEN 're_test_' ELSE 'cs_test_' END || printf('%012d', i), 1, 0,
        CASE WHEN back THEN 'refund' WHEN i % 3 = 0 THEN 'monthly' ELSE 'once' END,
        CASE WHEN back THEN -500 ELSE 500 + i % 5000 END, CASE WHEN back THEN -500 ELSE 500 + i % 5000 END, 'USD', at,
        substr(at, 1, 7), substr(at, 1, 7), 'cs_test_' || printf('%012d', i - back), '1000', 'article-' || i % 300, 'top',
        at, 'made up' FROM g"""
BESIDE = (
    "INSERT INTO settlement (key, entry_key, live, amount, fee, net, currency, rate, at, available_on, payout, paid_out_on)"
    " SELECT 'txn_' || key, key, 0, amount, 59, amount - 59, 'USD', '', at, at, 'po_' || substr(at, 1, 10), at FROM entry",
    "INSERT INTO alias (stripe_id, gift_key) SELECT 'pi_' || key, key FROM entry WHERE kind <> 'refund'",
    "INSERT INTO alias (stripe_id, gift_key) SELECT 'ch_' || key, key FROM entry WHERE kind <> 'refund'",
)


def measure(*arguments: str) -> Iterator[str]:
    wanted = argparse.ArgumentParser(prog="python -m benchmarks files")
    wanted.add_argument("--entries", type=int, default=MANY)
    many = wanted.parse_args(arguments).entries
    with tempfile.TemporaryDirectory() as folder:
        yield from _out(Path(folder), many)
    with tempfile.TemporaryDirectory() as folder:
        yield from _in(Path(folder), many)


def _out(folder: Path, many: int) -> Iterator[str]:
    app, database = _filled(folder, many), folder / "pledgebar.sqlite3"

    def ours() -> None:
        with app.app_context(), store.reading() as session, Path("/dev/null").open("wb") as file:
            campaign = campaigns.find(session, "newsroom")
            assert campaign
            rows = export_rows.rows(session, campaign, None, False)
            assert export_files.write(rows, "csv", file) == many

    def bare() -> None:
        command = ["sqlite3", "-csv", str(database), "SELECT * FROM entry"]
        subprocess.run(command, stdout=subprocess.DEVNULL, check=True)

    yield f"| {many:,} entries as CSV | rows a second | speed, compared with the bare tool | more memory, MB |"
    yield "| --- | --- | --- | --- |"
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    rounds = [(_seconds(bare), _seconds(ours)) for _ in range(ROUNDS)]
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    yield f"| `sqlite3 -csv`, the table of entries alone | {many / statistics.median(a for a, _ in rounds):,.0f} | 1.00 | |"
    ratio = statistics.median(a / b for a, b in rounds)
    yield f"| Pledgebar | {many / statistics.median(b for _, b in rounds):,.0f} | **{ratio:.2f}** | {more:.0f} |"
    store.close(app)


def _in(folder: Path, many: int) -> Iterator[str]:
    """A file of past gifts, compared with the bare driver putting the same rows into the same table with the same indexes."""
    app = _filled(folder, 1)
    file = folder / "gifts.csv"
    with file.open("w", encoding="utf-8") as opened:
        opened.write("Donation ID,Donation Total,Currency Code,Donation Status,Donation Date,Donation Time\n")
        for number in range(many):
            month, day, minute = number * 60 // many, number % 28 + 1, number % 60
            opened.write(
                f'{number},"{1 + number % 2000}.50",USD,Complete,{2016 + month // 12}-{month % 12 + 1:02}-{day:02},09:{minute:02}\n'
            )

    def ours() -> None:
        with app.app_context(), file.open(encoding="utf-8", newline="") as text:
            with store.reading() as session:
                campaign = campaigns.find(session, "newsroom")
            assert campaign
            done = imports.run(text, READY["givewp"], campaign, False, datetime.now(UTC), write=True)
            assert dict(done.outcomes) == {"new": many}

    def bare() -> None:
        with sqlite3.connect(folder / "pledgebar.sqlite3", isolation_level=None) as connection:
            schema = [
                row[0]
                for row in connection.execute("SELECT sql FROM sqlite_master WHERE tbl_name = 'entry' AND sql <> ''")
            ]
            names = [row[1] for row in connection.execute("PRAGMA table_info(entry)")]
            rows = connection.execute(f"SELECT {', '.join(names)} FROM entry").fetchall()
        with sqlite3.connect(folder / "bare.sqlite3", isolation_level=None) as connection:
            connection.execute("PRAGMA journal_mode=WAL")
            connection.execute("PRAGMA synchronous=FULL")
            for one in schema:
                connection.execute(one)
            began = time.perf_counter()
            connection.execute("BEGIN IMMEDIATE")
            connection.executemany(f"INSERT INTO entry VALUES ({', '.join('?' * len(names))})", rows)
            connection.execute("COMMIT")
            took.append(time.perf_counter() - began)

    took: list[float] = []
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    seconds = _seconds(ours)
    more = (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024
    bare()
    yield f"| {many:,} past gifts from a file | rows a second | speed, compared with the bare tool | more memory, MB |"
    yield "| --- | --- | --- | --- |"
    yield f"| one `executemany` into the table of entries | {many / took[0]:,.0f} | 1.00 | |"
    yield f"| `tracker import`, without checking first | {many / seconds:,.0f} | **{took[0] / seconds:.2f}** | {more:.0f} |"
    store.close(app)


def _filled(folder: Path, many: int) -> Any:
    values = {"TRACKER_INSTANCE": str(folder), "TRACKER_SECRET_KEY": secrets.token_hex(32)}
    app = create_app(read_settings(values), background=False)
    with app.app_context():
        store.upgrade()
        with store.writing() as session:
            campaigns.save(session, replace(LIVE, slug="newsroom"))
            connection = session.connection()
            numbers, when = NUMBERS.format(most=many), WHEN.format(most=many)
            connection.exec_driver_sql(FILL.format(numbers=numbers, when=when))
            for one in BESIDE:
                connection.exec_driver_sql(one)
        with store.writing() as session:
            month_closing.rebuild(session)
        with sqlite3.connect(folder / "pledgebar.sqlite3") as connection:
            connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return app


def _seconds(what: Callable[[], None]) -> float:
    began = time.perf_counter()
    what()
    return time.perf_counter() - began
