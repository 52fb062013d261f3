"""What a month's number costs among few entries and among many, and what it costs to prove all of them."""

import argparse
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, text

from benchmarks.database import postgres
from tracker import create_app
from tracker.demo.instance import LIVE
from tracker.giving.months import parse_month
from tracker.ledger import campaigns, chain, month_closing, results, store
from tracker.settings import read_settings

FEW, MANY = 10_000, 10_000_000
ROUNDS, READS = 15, 100
MONTH = parse_month("2021-05")
NOW = datetime(2021, 5, 20, 12, tzinfo=UTC)

# Sixty months of gifts, a refund in every fiftieth row; the hashes are made up, so the chain is measured by itself.
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {most}))",
}
WHEN = {
    "sqlite": "'2021-' || substr('0' || (i % 12 + 1), -2) || '-14 09:31:00.000000'",
    "postgresql": "make_timestamptz(2021, (i % 12 + 1)::int, 14, 9, 31, 0, 'UTC')",
}
TWO_DIGITS = {"sqlite": "substr('0' || (i % 12 + 1), -2)", "postgresql": "lpad((i % 12 + 1)::text, 2, '0')"}
# In the order in which a database keeps them, since filling it is not what is measured.
KEY = {"sqlite": "printf('cs_test_%012d', i)", "postgresql": "'cs_test_' || lpad(i::text, 12, '0')"}
FILL = """INSERT INTO entry (key, campaign_id, live, kind, amount, told, currency, at, month, belongs_to, gift_key,
        tier, source, place, recorded_at, chain)
    {numbers} SELECT {key}, 1, {false}, CASE WHEN i % 50 = 0 THEN 'refund' WHEN i % 3 = 0 THEN 'monthly' ELSE 'once' END,
        CASE WHEN i % 50 = 0 THEN -500 ELSE 500 + i % 5000 END, CASE WHEN i % 50 = 0 THEN -500 ELSE 500 + i % 5000 END,
        'USD', {when}, (2017 + i / 12 % 5) || '-' || {two}, (2017 + i / 12 % 5) || '-' || {two}, {key},
        '1000', 'article-1', 'top', {when}, 'made up' FROM n"""


def measure(*arguments: str) -> Iterator[str]:
    wanted = argparse.ArgumentParser(prog="python -m benchmarks months")
    wanted.add_argument("--entries", type=int, default=MANY)
    many = wanted.parse_args(arguments).entries
    yield f"| with {many:,} entries | | beside it | ratio |"
    yield "| --- | --- | --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        yield from _compared("SQLite", Path(folder), "", "", many)
    with postgres() as server, tempfile.TemporaryDirectory() as folder:
        yield from _compared("PostgreSQL", Path(folder), server.new_database(), server.new_database(), many)


def _compared(name: str, folder: Path, few_url: str, many_url: str, many: int) -> Iterator[str]:
    few, much = (_filled(folder / str(size), url, size) for size, url in ((FEW, few_url), (many, many_url)))
    campaign = replace(LIVE, slug="newsroom")

    def read(connection: Connection) -> Any:
        return results.result(connection, campaign, MONTH, False)

    rounds = [[_seconds(app, read, READS) for app in (few, much)] for _ in range(ROUNDS + 1)][1:]
    low, high = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    yield f"| {name}: a month's number | {high * 1000:.2f} ms | with {FEW:,}: {low * 1000:.2f} ms | **{ratio:.2f}** |"

    def summed(connection: Connection) -> Any:
        return connection.execute(
            text(
                "SELECT campaign_id, live, month, currency, kind, sum(amount), count(*) FROM entry GROUP BY 1, 2, 3, 4, 5"
            )
        ).all()

    def proven(connection: Connection) -> Any:
        assert month_closing.differences(connection) == []

    rounds = [[_seconds(much, what, 1) for what in (summed, proven)] for _ in range(3)]
    bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    yield f"| {name}: every total proven | {ours:.2f} s | one bare `SUM … GROUP BY`: {bare:.2f} s | **{ratio:.2f}** |"

    def followed(connection: Connection) -> Any:
        for _ in chain.broken(connection):
            pass

    took = _seconds(much, followed, 1)
    yield f"| {name}: the chain followed | {took:.0f} s | {took / many * 1e6:.0f} µs an entry | |"
    for app in (few, much):
        store.close(app)


def _filled(folder: Path, url: str, size: int) -> Any:
    folder.mkdir()
    app = create_app(
        read_settings(
            {
                "TRACKER_INSTANCE": str(folder),
                "TRACKER_DATABASE_URL": url,
                "TRACKER_SECRET_KEY": secrets.token_hex(32),
            }
        )
    )
    with app.app_context():
        store.upgrade()
        with store.writing() as connection:
            campaigns.save(connection, replace(LIVE, slug="newsroom"))
            campaigns.set_goal(connection, "newsroom", MONTH, 500_000, stands=True)
            name = store.db.engine.dialect.name
            connection.connection().exec_driver_sql(
                FILL.format(
                    numbers=NUMBERS[name].format(most=size),
                    when=WHEN[name],
                    two=TWO_DIGITS[name],
                    key=KEY[name],
                    false="false" if name == "postgresql" else "0",
                ).replace("%", "%%" if name == "postgresql" else "%")
            )
        with store.writing() as connection:
            assert month_closing.rebuild(connection) == 60
        _settled(store.db.engine)
    return app


def _settled(engine: Engine) -> None:
    """Statistics and visibility, as a database has them that has been running for a while."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "PRAGMA wal_checkpoint(TRUNCATE)" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"
        )


def _seconds(app: Any, what: Callable[[Connection], Any], times: int) -> float:
    with app.app_context(), store.reading() as connection:
        began = time.perf_counter()
        for _ in range(times):
            what(connection)
        return (time.perf_counter() - began) / times
