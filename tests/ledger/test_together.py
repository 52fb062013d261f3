"""Those who write at the same moment share a transaction, and each is told what is true of it alone."""

import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any

import pytest
from actors import count, gift_fact, moment, totals
from flask import Flask
from sqlalchemy import Connection, event, text
from sqlalchemy.exc import IntegrityError, OperationalError, SQLAlchemyError

from tracker.ledger import group_commit, month_closing, store
from tracker.ledger.book import record
from tracker.ledger.group_commit import QueueFull
from tracker.ledger.store import reading

NOW = moment("2021-05-20T12:00")


class Line:
    """A first one who writes for as long as the test likes, and others who come meanwhile."""

    def __init__(self, app: Flask, pool: ThreadPoolExecutor) -> None:
        self.app, self.pool = app, pool
        self.may_go_on = threading.Event()
        begun = threading.Event()

        def hold(_: Connection) -> str:
            begun.set()
            assert self.may_go_on.wait(30)
            return "first"

        self.first = self._start(hold)
        assert begun.wait(30)
        self.waiting: list[Future[Any]] = []

    def run(self, write: Callable[[Connection], Any]) -> Any:
        with self.app.app_context():
            return group_commit.write_in_group(write)

    def _start(self, write: Callable[[Connection], Any]) -> Future[Any]:
        return self.pool.submit(self.run, write)

    def comes(self, write: Callable[[Connection], Any]) -> Future[Any]:
        """One more; returns when it stands in line."""
        self.waiting.append(self._start(write))
        until = time.monotonic() + 30
        while len(self.app.extensions["write_queue"].jobs) < len(self.waiting):
            assert time.monotonic() < until
        return self.waiting[-1]

    def goes_on(self) -> None:
        self.may_go_on.set()
        assert self.first.result(30) == "first"


@pytest.fixture
def line(app: Flask) -> Iterator[Line]:
    with ThreadPoolExecutor(16) as pool:
        made = Line(app, pool)
        yield made
        made.may_go_on.set()


@pytest.fixture
def commits(app: Flask) -> list[Connection]:
    """The commits from here on."""
    seen: list[Connection] = []
    event.listen(store.db.engine, "commit", seen.append)
    return seen


def gives(key: str) -> Callable[[Connection], str]:
    return lambda connection: record(connection, gift_fact(key), NOW)


def entries() -> list[str]:
    with reading() as connection:
        assert month_closing.differences(connection) == []
        return list(connection.scalars(text("SELECT key FROM entry ORDER BY id")))


def test_those_who_come_while_one_writes_share_one_commit_in_the_order_in_which_they_came(
    line: Line, commits: list[Connection]
) -> None:
    keys = [f"cs_{number}" for number in (3, 1, 4, 5, 9, 2, 6)]
    told = [line.comes(gives(key)) for key in keys]
    line.goes_on()
    assert [one.result(30) for one in told] == ["recorded"] * len(keys)
    assert entries() == keys
    # The first one's, and theirs; reading commits nothing.
    assert len(commits) == 2


def test_each_is_told_what_came_of_its_own(line: Line) -> None:
    told = [line.comes(gives(key)) for key in ("cs_1", "cs_1", "cs_2")]
    line.goes_on()
    assert [one.result(30) for one in told] == ["recorded", "known", "recorded"]


def test_nobody_is_told_anything_before_the_commit(line: Line) -> None:
    told = [line.comes(gives(f"cs_{number}")) for number in range(4)]
    answered: list[bool] = []

    def look(_: Connection) -> None:
        time.sleep(0.1)
        answered.extend(one.done() for one in told)

    event.listen(store.db.engine, "commit", look)
    line.goes_on()
    assert [one.result(30) for one in told] == ["recorded"] * 4
    # At the first one's commit, and at their own.
    assert answered == [False] * 8


def test_one_that_stumbles_leaves_nothing_and_takes_nobody_along(line: Line) -> None:
    def stumbles(connection: Connection) -> None:
        record(connection, gift_fact("cs_bad"), NOW)
        raise RuntimeError("only this one")

    def breaks(connection: Connection) -> None:
        record(connection, gift_fact("cs_worse"), NOW)
        connection.execute(text("SELECT * FROM a_table_that_is_not_there"))

    good = [line.comes(gives("cs_1"))]
    bad, worse = line.comes(stumbles), line.comes(breaks)
    good.append(line.comes(gives("cs_2")))
    line.goes_on()
    assert [one.result(30) for one in good] == ["recorded", "recorded"]
    with pytest.raises(RuntimeError, match="only this one"):
        bad.result(30)
    with pytest.raises(SQLAlchemyError):
        worse.result(30)
    assert entries() == ["cs_1", "cs_2"]


def test_one_that_stumbles_alone_is_told_so(app: Flask) -> None:
    def stumbles(connection: Connection) -> None:
        record(connection, gift_fact("cs_bad"), NOW)
        raise RuntimeError("only this one")

    with pytest.raises(RuntimeError, match="only this one"):
        group_commit.write_in_group(stumbles)
    assert group_commit.write_in_group(gives("cs_1")) == "recorded"
    assert entries() == ["cs_1"]


def test_a_commit_that_fails_fails_for_all(app: Flask, database_url: str) -> None:
    """With a reference that is looked at only at the commit, which then is the one that fails."""
    if database_url:
        with store.writing() as connection:
            for (name,) in connection.execute(
                text("SELECT conname FROM pg_constraint WHERE contype = 'f' AND conrelid = 'entry'::regclass")
            ).all():
                connection.execute(text(f"ALTER TABLE entry ALTER CONSTRAINT {name} DEFERRABLE INITIALLY DEFERRED"))

    def breaks_the_commit(connection: Connection) -> str:
        if not database_url:
            connection.connection().exec_driver_sql("PRAGMA defer_foreign_keys = ON")
        record(connection, gift_fact("cs_bad"), NOW)
        connection.execute(text("UPDATE entry SET campaign_id = 999 WHERE key = 'cs_bad'"))
        return "recorded"

    with ThreadPoolExecutor(16) as pool:
        line = Line(app, pool)
        told = [line.comes(gives("cs_1")), line.comes(breaks_the_commit), line.comes(gives("cs_2"))]
        line.goes_on()
        for one in told:
            with pytest.raises(IntegrityError):
                one.result(30)
    assert entries() == []
    assert group_commit.write_in_group(gives("cs_1")) == "recorded"
    assert entries() == ["cs_1"]


def test_a_transaction_that_the_database_gives_up_fails_for_all(line: Line) -> None:
    """As SQLite does on a full disk: what was written before is gone, and nobody may be told that it is kept."""

    def gives_up(connection: Connection) -> None:
        connection.connection().exec_driver_sql("ROLLBACK")
        raise RuntimeError("and that was all")

    told = [line.comes(gives("cs_1")), line.comes(gives_up), line.comes(gives("cs_2"))]
    line.goes_on()
    for one in told:
        with pytest.raises((SQLAlchemyError, RuntimeError)):
            one.result(30)
    assert entries() == []
    assert group_commit.write_in_group(gives("cs_3")) == "recorded"
    assert entries() == ["cs_3"]


def test_while_another_program_holds_the_ledger_all_are_told_so(
    app: Flask, held_ledger: AbstractContextManager[None]
) -> None:
    def run(number: int) -> str:
        with app.app_context():
            return group_commit.write_in_group(gives(f"cs_{number}"))

    with held_ledger, ThreadPoolExecutor(4) as pool:
        told = [pool.submit(run, number) for number in range(4)]
        for one in told:
            with pytest.raises(OperationalError, match="lock"):
                one.result(30)
    assert entries() == []
    assert group_commit.write_in_group(gives("cs_1")) == "recorded"


def test_no_more_than_so_many_wait(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "MOST", 3)
    with ThreadPoolExecutor(16) as pool:
        line = Line(app, pool)
        told = [line.comes(gives("cs_1")), line.comes(gives("cs_2"))]
        with pytest.raises(QueueFull):
            group_commit.write_in_group(gives("cs_3"))
        line.goes_on()
        assert [one.result(30) for one in told] == ["recorded", "recorded"]
    assert group_commit.write_in_group(gives("cs_3")) == "recorded"
    assert entries() == ["cs_1", "cs_2", "cs_3"]


def test_nobody_waits_for_ever_for_a_turn_and_nothing_of_theirs_is_written_later(
    line: Line, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.2)
    for told in [line.comes(gives("cs_1")), line.comes(gives("cs_2"))]:
        with pytest.raises(QueueFull):
            told.result(30)
    line.goes_on()
    assert group_commit.write_in_group(gives("cs_3")) == "recorded"
    assert entries() == ["cs_3"]


def test_whoever_has_been_taken_along_waits_for_what_comes_of_it(line: Line, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(group_commit, "PATIENCE_SECONDS", 0.3)

    def slow(connection: Connection) -> str:
        time.sleep(0.8)
        return gives("cs_1")(connection)

    told = [line.comes(slow), line.comes(gives("cs_2"))]
    line.goes_on()
    assert [one.result(30) for one in told] == ["recorded", "recorded"]
    assert entries() == ["cs_1", "cs_2"]


WORKER = """
import sys
from concurrent.futures import ThreadPoolExecutor
from actors import gift_fact, moment
from tracker import create_app
from tracker.ledger.book import record
from tracker.ledger.group_commit import write_in_group

app = create_app()

def give(key):
    with app.app_context():
        write_in_group(lambda connection: record(connection, gift_fact(key, 100), moment("2021-05-20T12:00")))
    sys.stdout.write(key + "\\n")

with ThreadPoolExecutor(8) as pool:
    list(pool.map(give, (f"cs_{sys.argv[1]}_{number}" for number in range(100_000))))
"""


def test_whoever_was_told_is_in_the_book_when_the_processes_are_killed(app: Flask, environ: dict[str, str]) -> None:
    tests = Path(__file__).parents[1]
    workers = [
        subprocess.Popen(
            [sys.executable, "-u", "-W", "error", "-c", WORKER, str(number)],
            env=os.environ | environ | {"PYTHONPATH": f"{tests}:{tests.parent}"},
            stdout=subprocess.PIPE,
            text=True,
        )
        for number in range(2)
    ]
    told: set[str] = set()
    for worker in workers:
        assert worker.stdout is not None
        told |= {worker.stdout.readline().strip() for _ in range(50)}
    for worker in workers:
        worker.kill()
        # The last line may have been cut off in the middle.
        told |= {one for one in worker.communicate()[0].splitlines(keepends=True) if one.endswith("\n")}
    told = {one.strip() for one in told}
    assert len(told) >= 100
    assert told <= set(entries())
    with reading() as connection:
        kept = count(connection, "entry")
        assert totals(connection) == {"2021-05 USD": {"once": 100 * kept, "gifts": kept}}
