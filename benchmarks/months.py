"""What a month's number costs among few entries and among many, and what it costs to prove all of them."""

import argparse
import re
import secrets
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, text

from benchmarks.database import postgres
from tracker import create_app
from tracker.demo.instance import LIVE
from tracker.giving.months import parse_month
from tracker.ledger import breakdowns, campaigns, chain, month_closing, results, settled_totals, store
from tracker.settings import read_settings
from tracker.web.admin.signin import create_admin

FEW, MANY = 10_000, 10_000_000
ROUNDS, READS = 15, 100
MONTH = parse_month("2021-05")
NOW = datetime(2021, 5, 20, 12, tzinfo=UTC)

# Sixty months of gifts, one in `share` of them in the month that is looked at, a refund in every fiftieth row; amounts as
# people choose them, 300 articles. The hashes are made up, so the chain is measured by itself.
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {most})",
    "postgresql": "WITH n(i) AS (SELECT generate_series(1, {most}))",
}
TWO_DIGITS = {"sqlite": "substr('0' || ({0}), -2)", "postgresql": "lpad(({0})::text, 2, '0')"}
MOMENT = {"sqlite": "{month} || {rest}", "postgresql": "({month} || {rest} || '+00')::timestamptz"}
# In the order in which a database keeps them, since filling it is not what is measured.
KEY = {"sqlite": "printf('cs_test_%012d', i)", "postgresql": "'cs_test_' || lpad(i::text, 12, '0')"}
AMOUNT = "CASE WHEN i % 50 = 0 THEN -500 WHEN i % 4 = 0 THEN 500 + i / 7 % 120 * 25 ELSE 500 * (1 + i / 3 % 7) END"
FILL = """INSERT INTO entry (key, campaign_id, live, kind, amount, told, currency, at, month, belongs_to, gift_key,
        tier, source, place, recorded_at, chain)
    {numbers} SELECT {key}, 1, {false}, CASE WHEN i % 50 = 0 THEN 'refund' WHEN i % 3 = 0 THEN 'monthly' ELSE 'once' END,
        {amount}, {amount}, 'USD', {when}, {month}, {month}, {key}, CASE WHEN i % 4 = 0 THEN 'other' ELSE '1000' END,
        'article-' || i / 11 % 300, CASE WHEN i % 2 = 0 THEN 'top' ELSE 'bottom' END, {when}, 'made up' FROM n"""
SETTLE = """INSERT INTO settlement (key, entry_key, live, amount, fee, net, currency, rate, at, available_on, payout,
        paid_out_on)
    SELECT 'txn_' || key, key, live, told, 59, told - 59, currency, '', at, at, 'po_' || id % 25, at FROM entry
    WHERE month = '2021-05'"""


def measure(*arguments: str) -> Iterator[str]:
    wanted = argparse.ArgumentParser(prog="python -m benchmarks months")
    wanted.add_argument("--entries", type=int, default=MANY)
    wanted.add_argument(
        "--share", type=int, default=10, help="one entry in this many is in the month whose page is opened"
    )
    wanted.add_argument("--only", choices=["SQLite", "PostgreSQL"])
    wanted.add_argument("--page", action="store_true", help="the pages alone")
    asked = wanted.parse_args(arguments)
    many = asked.entries
    yield f"| with {many:,} entries | | beside it | ratio |"
    yield "| --- | --- | --- | --- |"
    if asked.only != "PostgreSQL":
        with tempfile.TemporaryDirectory() as folder:
            yield from _compared("SQLite", Path(folder), "", "", asked)
    if asked.only != "SQLite":
        with postgres() as server, tempfile.TemporaryDirectory() as folder:
            yield from _compared("PostgreSQL", Path(folder), server.new_database(), server.new_database(), asked)


def _compared(name: str, folder: Path, few_url: str, many_url: str, asked: argparse.Namespace) -> Iterator[str]:
    many: int = asked.entries
    few, much = (
        _filled(folder / str(size), url, size, asked.share) for size, url in ((FEW, few_url), (many, many_url))
    )
    yield from _pages(name, few, much)
    if asked.page:
        for app in (few, much):
            store.close(app)
        return
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


def _pages(name: str, few: Any, much: Any) -> Iterator[str]:
    """What an editor opens: a month's page, and the table of all months, as whole requests."""
    editors = [_editor(app) for app in (few, much)]
    began = time.perf_counter()
    with much.app_context():
        breakdowns.keep_up(enough=1)
    yield f"| {name}: months broken down | {time.perf_counter() - began:.0f} s | once | |"
    with few.app_context():
        breakdowns.keep_up(enough=1)
    for words, address in (("a month's page", "/months/2021-05"), ("the months' table", "/")):
        rounds = []
        for _ in range(ROUNDS + 1):
            took = []
            for editor in editors:
                began = time.perf_counter()
                assert editor.get(f"/admin/c/newsroom{address}").status_code == 200
                took.append(time.perf_counter() - began)
            rounds.append(took)
        low, high = (statistics.median(column) for column in zip(*rounds[1:], strict=True))
        ratio = statistics.median(b / a for a, b in rounds[1:])
        yield f"| {name}: {words} | {high * 1000:.0f} ms | with {FEW:,}: {low * 1000:.0f} ms | **{ratio:.2f}** |"


def _editor(app: Any) -> Any:
    """The browser of somebody who has signed in."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with app.app_context():
        create_admin("ana@example.org", "a long password for figures")
    browser = app.test_client()
    token = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/admin/login").text)
    assert token is not None
    sent = {"email": "ana@example.org", "password": "a long password for figures", "csrf_token": token[1]}
    assert browser.post("/admin/login", data=sent).status_code == 302
    return browser


def _filled(folder: Path, url: str, size: int, share: int) -> Any:
    folder.mkdir()
    app = create_app(
        read_settings(
            {
                "TRACKER_INSTANCE": str(folder),
                "TRACKER_DATABASE_URL": url,
                "TRACKER_SECRET_KEY": secrets.token_hex(32),
                "TRACKER_SECOND_FACTOR": "optional",
            }
        ),
        background=False,
    )
    with app.app_context():
        store.upgrade()
        with store.writing() as connection:
            campaigns.save(connection, replace(LIVE, slug="newsroom"))
            campaigns.set_goal(connection, "newsroom", MONTH, 500_000, stands=True)
            name = store.db.engine.dialect.name
            two = TWO_DIGITS[name].format
            # One month after the other, as entries come.
            number = f"((i - 1) * 60 / {size})"
            of_months = f"(2017 + {number} / 12) || '-' || {two(f'{number} % 12 + 1')}"
            month = f"CASE WHEN i / 60 % {share} = 0 THEN '2021-05' ELSE {of_months} END"
            rest = f"'-' || {two('i / 60 % 28 + 1')} || ' ' || {two('i / 1680 % 24')} || ':31:00.000000'"
            fill = FILL.format(
                numbers=NUMBERS[name].format(most=size), month=month, key=KEY[name], amount=AMOUNT,
                when=MOMENT[name].format(month=f"({month})", rest=rest), false="false" if name == "postgresql" else "0",
            )  # fmt: skip
            for statement in (fill, SETTLE):
                doubled = statement.replace("%", "%%") if name == "postgresql" else statement
                connection.connection().exec_driver_sql(doubled)
        with store.writing() as connection:
            assert month_closing.rebuild(connection) == 60
            settled_totals.rebuild(connection)
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
