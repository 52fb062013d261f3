"""What a month's number and the editors' pages cost among few entries and among many, and what it costs to prove all of them."""

import argparse
import re
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Any

import structlog
from sqlalchemy import delete, text
from sqlalchemy.orm import Session

from benchmarks.big_ledger import CAMPAIGN, MONTH, as_after_a_while, filled
from benchmarks.database import postgres
from tracker.ledger import breakdowns, chain, month_closing, results, store, visits
from tracker.ledger.models import support
from tracker.web.admin.signin import create_admin

FEW, MANY = 10_000, 10_000_000
ROUNDS, READS = 15, 100

# What an editor opens. The lists of gifts are by an index alone, by an index and a check of each gift, and by rare states.
PAGES = {
    "a month's page": "/months/2021-05",
    "the running month's page": "/month",
    "the months' table": "/",
    "the newest gifts": "/gifts",
    "gifts of a month and an amount": "/gifts?month=2021-05&amount=10",
    "gifts of an article": "/gifts?source=article-7",
    "monthly gifts with a tier": "/gifts?kind=monthly&tier=1000",
    "refunded gifts": "/gifts?state=refunded",
    "the largest gifts": "/gifts?largest=y",
    "gifts that nothing matches": "/gifts?kind=once&tier=2000",
}


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
    few, much = (filled(folder / str(size), url, size, asked.share) for size, url in ((FEW, few_url), (many, many_url)))
    yield from _pages(name, few, much)
    if asked.page:
        for app in (few, much):
            store.close(app)
        return

    def read(session: Session) -> Any:
        return results.result(session, CAMPAIGN, MONTH, False)

    low, high, ratio = _compare(*(partial(_seconds, app, read, READS) for app in (few, much)))
    yield f"| {name}: a month's number | {high * 1000:.2f} ms | with {FEW:,}: {low * 1000:.2f} ms | **{ratio:.2f}** |"

    def summed(session: Session) -> Any:
        return session.execute(
            text(
                "SELECT campaign_id, live, month, currency, kind, sum(amount), count(*) FROM entry GROUP BY 1, 2, 3, 4, 5"
            )
        ).all()

    def proven(session: Session) -> Any:
        assert month_closing.differences(session) == []

    rounds = [[_seconds(much, what, 1) for what in (summed, proven)] for _ in range(3)]
    bare, ours = (statistics.median(column) for column in zip(*rounds, strict=True))
    ratio = statistics.median(b / a for a, b in rounds)
    yield f"| {name}: every total proven | {ours:.2f} s | one bare `SUM … GROUP BY`: {bare:.2f} s | **{ratio:.2f}** |"

    def followed(session: Session) -> Any:
        for _ in chain.broken(session):
            pass

    took = _seconds(much, followed, 1)
    yield f"| {name}: the chain followed | {took:.0f} s | {took / many * 1e6:.0f} µs an entry | |"
    for app in (few, much):
        store.close(app)


def _pages(name: str, few: Any, much: Any) -> Iterator[str]:
    """What an editor opens, as whole requests, and the table of articles by itself."""
    with few.app_context(), store.writing() as session:
        # What the database added up in its own words is what the app would have.
        assert breakdowns.differences(session) == 0
        breakdowns.forget(session)
    began = time.perf_counter()
    with few.app_context():
        breakdowns.keep_up(enough=1)
    took = time.perf_counter() - began
    yield f"| {name}: broken down by the app, once | {took / FEW * 1e6:.0f} µs an entry | | |"
    editors = [_editor(app) for app in (few, much)]

    def opened(editor: Any, address: str) -> float:
        began = time.perf_counter()
        assert editor.get(f"/admin/c/newsroom{address}").status_code == 200
        return time.perf_counter() - began

    def articles(session: Session) -> Any:
        assert len(visits.by_place(session, CAMPAIGN, MONTH, False)) > 100

    def line(words: str, address: str) -> str:
        return _line(f"{name}: {words}", *(partial(opened, editor, address) for editor in editors))

    for words, address in PAGES.items():
        yield line(words, address)
    yield _line(f"{name}: the table of articles alone", *(partial(_seconds, app, articles, 1) for app in (few, much)))
    # They are counted one by one. What is left is what the entries cost.
    for app in (few, much):
        with app.app_context(), store.writing() as session:
            session.execute(delete(support))
        with app.app_context():
            as_after_a_while(store.db.engine)
    for words in ("a month's page", "the running month's page"):
        yield line(f"{words}, without subscriptions", PAGES[words])


def _line(words: str, few: Callable[[], float], much: Callable[[], float]) -> str:
    low, high, ratio = _compare(few, much)
    return f"| {words} | {high * 1000:.1f} ms | with {FEW:,}: {low * 1000:.1f} ms | **{ratio:.2f}** |"


def _compare(few: Callable[[], float], much: Callable[[], float]) -> tuple[float, float, float]:
    """The medians of both, and of their ratios within each round. The first round warms up."""
    rounds = [(few(), much()) for _ in range(ROUNDS + 1)][1:]
    low, high = (statistics.median(column) for column in zip(*rounds, strict=True))
    return low, high, statistics.median(b / a for a, b in rounds)


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


def _seconds(app: Any, what: Callable[[Session], Any], times: int) -> float:
    with app.app_context(), store.reading() as session:
        began = time.perf_counter()
        for _ in range(times):
            what(session)
        return (time.perf_counter() - began) / times
