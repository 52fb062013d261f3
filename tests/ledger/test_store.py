"""The database is opened so that nothing is acknowledged before it is safe, and writers never trip over each other."""

import os
import sqlite3
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, closing
from pathlib import Path

import psycopg
import pytest
from actors import count, gift_fact, moment, refund_fact, totals
from flask import Flask
from sqlalchemy import select, text, update
from sqlalchemy.exc import DatabaseError, OperationalError

from tracker.ledger import month_closing, store
from tracker.ledger.book import record
from tracker.ledger.models import CampaignRow
from tracker.ledger.store import reading, writing
from tracker.settings import Settings

NOW = moment("2021-05-20T12:00")


@pytest.fixture
def sqlite_file(settings: Settings, database_url: str) -> Path | None:
    """The file of the ledger; None on PostgreSQL."""
    return None if database_url else settings.instance / "pledgebar.sqlite3"


def test_sqlite_keeps_a_log_waits_for_the_disk_and_minds_references(app: Flask, sqlite_file: Path | None) -> None:
    for opened in (reading, writing):
        with opened() as connection:
            if sqlite_file is None:
                fsync = connection.scalar(text("SHOW synchronous_commit"))
                assert fsync == "on"
                continue
            pragmas = {
                name: connection.scalar(text(f"PRAGMA {name}"))
                for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout")
            }
            # synchronous 2 is FULL.
            assert pragmas == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "busy_timeout": 10_000}


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_has_gone_silent_is_given_up_soon_unless_the_address_says_otherwise(
    app: Flask, database_url: str
) -> None:
    def asked_for() -> dict[str, str]:
        with reading() as connection:
            given = connection.connection().connection.dbapi_connection
            assert isinstance(given, psycopg.Connection)
            return given.info.get_parameters()

    words = {"connect_timeout": "3", "tcp_user_timeout": "10000", "keepalives_idle": "10"}
    assert words.items() <= asked_for().items()
    other = Flask("other")
    between = "&" if "?" in database_url else "?"
    store.init_app(other, f"{database_url}{between}tcp_user_timeout=60000&connect_timeout=7")
    with other.app_context():
        assert (words | {"tcp_user_timeout": "60000", "connect_timeout": "7"}).items() <= asked_for().items()
    store.close(other)


def test_every_connection_of_the_pool_is_prepared_alike(app: Flask, sqlite_file: Path | None) -> None:
    held = [store.db.engine.connect() for _ in range(5)]
    try:
        for connection in held if sqlite_file else []:
            assert connection.exec_driver_sql("PRAGMA synchronous").scalar() == 2
            assert connection.exec_driver_sql("PRAGMA foreign_keys").scalar() == 1
    finally:
        for connection in held:
            connection.close()


def test_a_writer_has_the_ledger_for_itself_from_its_first_moment(
    app: Flask, sqlite_file: Path | None, database_url: str
) -> None:
    with writing():
        # Nothing was written yet, and still nobody else may begin.
        assert not somebody_else_can_write(sqlite_file, database_url)
    assert somebody_else_can_write(sqlite_file, database_url)


def test_a_reader_holds_up_nobody(app: Flask, sqlite_file: Path | None, database_url: str) -> None:
    with reading() as connection:
        assert count(connection, "entry") == 0
        assert somebody_else_can_write(sqlite_file, database_url)
        with app.app_context(), writing() as other:
            record(other, gift_fact(), NOW)
    with reading() as connection:
        assert count(connection, "entry") == 1


def test_a_reader_is_not_held_up_by_a_writer(app: Flask) -> None:
    with writing() as connection:
        record(connection, gift_fact(), NOW)
        with app.app_context(), reading() as other:
            assert count(other, "entry") == 0


def somebody_else_can_write(sqlite_file: Path | None, database_url: str) -> bool:
    """Whether a program of its own gets the writer's place at once."""
    if sqlite_file is None:
        with psycopg.connect(database_url) as connection:
            row = connection.execute("SELECT pg_try_advisory_xact_lock(%s)", [store.LEDGER_LOCK]).fetchone()
            return bool(row and row[0])
    with closing(sqlite3.connect(sqlite_file, timeout=0, isolation_level=None)) as other:
        try:
            other.execute("BEGIN IMMEDIATE")
        except sqlite3.OperationalError:
            return False
        return True


def test_whoever_cannot_write_in_time_is_told_so_and_can_write_later(
    app: Flask, held_ledger: AbstractContextManager[None]
) -> None:
    with held_ledger:
        with pytest.raises(OperationalError, match="lock"), writing() as connection:
            record(connection, gift_fact(), NOW)
        with reading() as connection:
            assert count(connection, "entry") == 0
    with writing() as connection:
        assert record(connection, gift_fact(), NOW) == "recorded"


def test_a_reader_sees_one_moment_however_often_it_asks(app: Flask) -> None:
    with reading() as connection:
        assert count(connection, "entry") == 0
        with app.app_context(), writing() as other:
            record(other, gift_fact(), NOW)
        assert count(connection, "entry") == 0
    with reading() as connection:
        assert count(connection, "entry") == 1


# --- Many at once -----------------------------------------------------------------------------------------------------

EACH = 30


def test_four_threads_write_at_once_and_every_cent_counts(app: Flask) -> None:
    together = threading.Barrier(4)

    def work(worker: int) -> None:
        with app.app_context():
            together.wait()
            for number in range(EACH):
                with writing() as connection:
                    assert record(connection, gift_fact(f"cs_{worker}_{number}", 100 + worker), NOW) == "recorded"

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(work, range(4)))
    everything_is_there()


WORKER = """
import sys
from actors import gift_fact, moment
from tracker import create_app
from tracker.ledger.book import record
from tracker.ledger.models import CampaignRow
from tracker.ledger.store import writing

worker = int(sys.argv[1])
with create_app().app_context():
    print("ready", flush=True)
    sys.stdin.readline()
    for number in range(int(sys.argv[2])):
        for again in (1, 2):
            with writing() as connection:
                record(connection, gift_fact(f"cs_{worker}_{number}", 100 + worker), moment("2021-05-20T12:00"))
"""


def test_four_processes_write_at_once_and_every_cent_counts(app: Flask, environ: dict[str, str]) -> None:
    tests = Path(__file__).parents[1]
    workers = [
        subprocess.Popen(
            [sys.executable, "-W", "error", "-c", WORKER, str(number), str(EACH)],
            env=os.environ | environ | {"PYTHONPATH": f"{tests}:{tests.parent}"},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
        )
        for number in range(4)
    ]
    for worker in workers:
        assert worker.stdout is not None
        assert worker.stdout.readline() == "ready\n", worker.communicate()[1]
    for worker in workers:
        assert worker.stdin is not None
        worker.stdin.write("go\n")
        worker.stdin.flush()
    for worker in workers:
        _, errors = worker.communicate(timeout=60)
        assert worker.returncode == 0, errors
    everything_is_there()


def everything_is_there() -> None:
    with reading() as connection:
        assert totals(connection) == {
            "2021-05 USD": {"once": EACH * (100 + 101 + 102 + 103), "gifts": 4 * EACH},
        }
        assert count(connection, "entry") == 4 * EACH
        assert month_closing.differences(connection) == []


def test_the_same_facts_told_by_eight_threads_at_once_count_once(app: Flask) -> None:
    facts = [gift_fact(), refund_fact(amount=300), refund_fact(amount=-300, key="re_1/failed"), refund_fact(key="re_2")]
    together = threading.Barrier(8)

    def work(worker: int) -> None:
        with app.app_context():
            together.wait()
            for number in range(len(facts)):
                with writing() as connection:
                    record(connection, facts[(number + worker) % len(facts)], NOW)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(work, range(8)))
    with reading() as connection:
        assert totals(connection) == {"2021-05 USD": {"once": 1000, "refunds": 1000, "gifts": 1}}
        assert count(connection, "entry") == 4
        assert count(connection, "waiting") == 0
        assert month_closing.differences(connection) == []


@pytest.mark.parametrize("how", ["a changed row", "a statement"])
def test_a_page_that_has_read_by_the_session_can_write_by_it_while_gifts_come_in(app: Flask, how: str) -> None:
    campaign = store.db.session.scalars(select(CampaignRow)).one()
    with app.app_context(), writing() as connection:
        record(connection, gift_fact(), NOW)
    if how == "a changed row":
        campaign.title = "New words"
    else:
        store.db.session.execute(update(CampaignRow).values(title="New words"))
    store.db.session.flush()
    campaign.lead = "And more"
    store.db.session.commit()
    with reading() as connection:
        assert connection.execute(text("SELECT title, lead FROM campaign")).one() == ("New words", "And more")
        assert count(connection, "entry") == 1


def test_what_a_page_wrote_by_the_session_and_did_not_commit_is_undone(app: Flask) -> None:
    campaign = store.db.session.scalars(select(CampaignRow)).one()
    before = campaign.title
    campaign.title = "New words"
    store.db.session.flush()
    store.db.session.rollback()
    with writing() as connection:
        assert connection.scalar(text("SELECT title FROM campaign")) == before


# --- One session for a request ----------------------------------------------------------------------------------------


def test_a_request_reads_in_one_transaction_on_one_connection_and_gives_it_back(app: Flask) -> None:
    with app.test_request_context():
        with reading() as first:
            assert count(first, "entry") == 0
        with app.app_context(), writing() as other:
            record(other, gift_fact(), NOW)
        # What its editor is signed in by is read in the same one.
        assert store.db.session.scalars(select(CampaignRow)).one().slug == "newsroom"
        with reading() as again:
            assert again is first
            assert count(again, "entry") == 0
            assert in_use() == 1
        store.end_reading()
        assert in_use() == 0
        with reading() as later:
            assert count(later, "entry") == 1
    assert in_use() == 0


def test_a_request_that_has_read_writes_after_whoever_wrote_meanwhile(app: Flask) -> None:
    with app.test_request_context():
        with reading() as connection:
            assert count(connection, "entry") == 0
        with app.app_context(), writing() as other:
            record(other, gift_fact(), NOW)
        with writing() as connection:
            assert record(connection, gift_fact(), NOW) == "known"
            assert record(connection, gift_fact("cs_2"), NOW) == "recorded"
        with reading() as connection:
            assert totals(connection) == {"2021-05 USD": {"once": 2000, "gifts": 2}}


def test_whoever_writes_already_cannot_begin_again(app: Flask) -> None:
    with writing() as connection:
        record(connection, gift_fact(), NOW)
        with pytest.raises(RuntimeError, match="writing already"), writing():
            pass
    with reading() as connection:
        assert count(connection, "entry") == 1


def test_a_statement_that_went_wrong_spoils_nothing_that_is_read_after_it(app: Flask) -> None:
    with app.test_request_context():
        with pytest.raises(DatabaseError), reading() as connection:
            connection.execute(text("SELECT nothing FROM nowhere"))
        with reading() as connection:
            assert count(connection, "entry") == 0


def in_use() -> int:
    """How many connections are out of the pool."""
    return store.db.engine.pool.checkedout()  # type: ignore[attr-defined,no-any-return]
