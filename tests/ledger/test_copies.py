"""Copies made while gifts arrive, and put back elsewhere: what was committed is in them, and nothing is left behind."""

import os
import random
import shutil
import sqlite3
import stat
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from actors import NEWSROOM
from click.testing import Result
from commands import run_command
from flask import Flask
from ledger.another import Another, opens
from ledger.schema_0001 import GIFTS, populate
from sqlalchemy import Connection, func, select

from tracker.giving.facts import Fact, Gift, Reversal
from tracker.ledger import backups, book, campaigns, chain, month_closing, postgres, store
from tracker.ledger.backups import CopyProblem
from tracker.ledger.models import entry, total
from tracker.ledger.store import reading, writing
from tracker.settings import Settings

MAY = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def elsewhere(settings: Settings, request: pytest.FixtureRequest, tmp_path: Path) -> Another:
    """Opens the app over another database of the same kind, new and without tables."""
    return opens(settings, request, tmp_path, to_postgres=not settings.database_url.startswith("sqlite"))


@pytest.fixture
def run(app: Flask, environ: dict[str, str]) -> Callable[..., Result]:
    """Runs a command of `tracker` over the test's own instance."""
    return lambda *arguments, **more: run_command(environ | more, *arguments)


def facts(seed: int, count: int) -> list[Fact]:
    """Gifts, and refunds of a few of them."""
    chance = random.Random(seed)
    made: list[Fact] = []
    for number in range(count):
        key, at = f"cs_{seed}_{number}", MAY + timedelta(minutes=number)
        amount = chance.randrange(500, 50_000)
        made.append(Gift(key, "once", "newsroom", amount, "USD", at, False, (f"pi_{key}",), name="Zoë", message="Ja!"))
        if number % 7 == 0:
            made.append(Reversal(f"re_{key}", "refund", -amount // 2, "USD", at, False, (f"pi_{key}",)))
    return made


def record(some: list[Fact]) -> None:
    with writing() as connection:
        for fact in some:
            book.record(connection, fact, MAY)


def every_entry(connection: Connection) -> list[dict[str, Any]]:
    return [dict(row._mapping) for row in connection.execute(select(entry).order_by(entry.c.id))]


def sums(connection: Connection) -> list[Any]:
    return list(connection.execute(select(total).order_by(total.c.month)))


# --- Under load -------------------------------------------------------------------------------------------------------


def test_a_copy_made_under_load_is_the_book_at_one_moment(app: Flask, elsewhere: Another, tmp_path: Path) -> None:
    begun = facts(0, 500)
    record(begun)
    todo = [facts(seed, 100) for seed in (1, 2)]
    slowest, during = _record_at_once(app, todo, tmp_path / "copy")
    with reading() as connection:
        whole, at_the_end = every_entry(connection), sums(connection)
    assert len(whole) == len(begun) + sum(map(len, todo))
    assert (tmp_path / "copy").stat().st_mode & 0o777 == 0o600
    with elsewhere():
        found = backups.restore(tmp_path / "copy")
        with reading() as connection:
            copied = every_entry(connection)
            # What was committed by then, in the order of the book, and not one entry of what came later.
            assert copied == whole[: len(copied)]
            assert len(copied) >= len(begun)
            assert found.head == copied[-1]["chain"] == chain.head(connection)
            assert month_closing.differences(connection) == []
            assert month_closing.tampered(connection) == []
        # Stripe tells of the rest again, and of the others, too.
        record([fact for some in todo for fact in some])
        with reading() as connection:
            assert sums(connection) == at_the_end
            assert {row["key"]: row["amount"] for row in every_entry(connection)} == {
                row["key"]: row["amount"] for row in whole
            }
            assert month_closing.tampered(connection) == []
    print(f"{during} writes beside the copy, the slowest took {slowest * 1000:.0f} ms")


def _record_at_once(app: Flask, todo: list[list[Fact]], copy: Path) -> tuple[float, int]:
    """Records from as many threads, and makes a copy in the middle of it. Returns the slowest write, and how many."""
    times: list[tuple[float, float]] = []
    failed: list[BaseException] = []
    started = threading.Event()

    def write(some: list[Fact]) -> None:
        try:
            with app.app_context():
                for number, fact in enumerate(some):
                    began = time.monotonic()
                    record([fact])
                    times.append((began, time.monotonic()))
                    if number == 20:
                        started.set()
        except BaseException as error:
            failed.append(error)
            started.set()

    threads = [threading.Thread(target=write, args=(some,)) for some in todo]
    for thread in threads:
        thread.start()
    assert started.wait(60)
    began = time.monotonic()
    backups.back_up(copy)
    ended = time.monotonic()
    for thread in threads:
        thread.join(120)
    assert failed == []
    beside = [end - start for start, end in times if end > began and start < ended]
    assert beside, "nothing was written meanwhile"
    return max(beside), len(beside)


# --- The commands -----------------------------------------------------------------------------------------------------


def test_backup_says_what_is_in_the_copy(run: Callable[..., Result], tmp_path: Path) -> None:
    record(facts(0, 3))
    with reading() as connection:
        head, raised = chain.head(connection), connection.scalar(select(func.sum(entry.c.amount)))
    done = run("backup", tmp_path / "copy")
    assert done.exit_code == 0, done.output
    assert f"Wrote {tmp_path / 'copy'}, " in done.output
    assert "Entries: 4\n" in done.output
    assert f"Sum of test money: {int(raised or 0) / 100:.2f} USD\n" in done.output
    assert f"Head of the ledger: {head}\n" in done.output
    assert stat.S_IMODE((tmp_path / "copy").stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir() if "copy" in path.name] == ["copy"]


def test_restore_says_what_is_in_it_and_how_to_get_the_rest(
    run: Callable[..., Result], elsewhere: Another, environ: dict[str, str], tmp_path: Path
) -> None:
    record(facts(0, 3))
    assert run("backup", tmp_path / "copy").exit_code == 0
    with elsewhere() as other:
        url = other.config["SQLALCHEMY_DATABASE_URI"].replace("+psycopg", "")
        done = run("restore", tmp_path / "copy", TRACKER_DATABASE_URL=url)
        assert done.exit_code == 0, done.output
        assert "Entries: 4\n" in done.output
        assert "tracker sync --since 2021-05-14" in done.output
        with reading() as connection:
            campaign = campaigns.find(connection, "newsroom")
        assert campaign == NEWSROOM


def test_an_existing_file_is_never_overwritten(run: Callable[..., Result], tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("the only copy of last year")
    done = run("backup", tmp_path / "copy")
    assert done.exit_code == 1
    assert "is there already" in done.output
    assert (tmp_path / "copy").read_text() == "the only copy of last year"


def test_a_link_to_nowhere_is_not_followed(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "copy").symlink_to(tmp_path / "nowhere")
    with pytest.raises(CopyProblem, match="already"):
        backups.back_up(tmp_path / "copy")


def test_a_folder_that_is_not_there_is_named(run: Callable[..., Result], tmp_path: Path) -> None:
    done = run("backup", tmp_path / "no" / "copy")
    assert done.exit_code == 1
    assert "No such file or directory" in done.output


# --- When it fails ----------------------------------------------------------------------------------------------------


def test_a_full_disk_leaves_nothing_behind(run: Callable[..., Result], tmp_path: Path) -> None:
    # A device that is always full stands for the disk.
    full = tmp_path / "full"
    full.mkdir()
    record(facts(0, 500))
    limit = _files_no_larger_than(20_000)
    with limit:
        done = run("backup", full / "copy")
    assert done.exit_code == 1, done.output
    assert "could not" in done.output
    assert list(full.iterdir()) == []
    assert run("backup", full / "copy").exit_code == 0


@contextmanager
def _files_no_larger_than(octets: int) -> Iterator[None]:
    """What this process and its children write fails beyond that size, as on a full disk."""
    import resource
    import signal

    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (octets, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)


def test_a_copy_whose_totals_are_wrong_is_no_copy(app: Flask, tmp_path: Path) -> None:
    record(facts(0, 3))
    with writing() as connection:
        connection.execute(total.update().values(once=1))
    with pytest.raises(CopyProblem, match="Totals that are not the sum of their entries: 1"):
        backups.back_up(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


def test_a_database_without_pledgebar_is_not_copied(elsewhere: Another, tmp_path: Path) -> None:
    with elsewhere(), pytest.raises(CopyProblem, match="no Pledgebar"):
        backups.back_up(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


# --- Putting back -----------------------------------------------------------------------------------------------------


def test_nothing_is_put_over_a_database_in_use(app: Flask, tmp_path: Path) -> None:
    record(facts(0, 3))
    backups.back_up(tmp_path / "copy")
    record(facts(1, 1))
    with reading() as connection:
        before = every_entry(connection)
    with pytest.raises(CopyProblem, match="in use"):
        backups.restore(tmp_path / "copy")
    with reading() as connection:
        assert every_entry(connection) == before


def test_a_copy_goes_into_a_database_that_init_has_made(app: Flask, elsewhere: Another, tmp_path: Path) -> None:
    record(facts(0, 3))
    backups.back_up(tmp_path / "copy")
    with elsewhere():
        store.upgrade()
        assert backups.restore(tmp_path / "copy").entries == 4
        assert store.schema_problem() == ""


def test_a_copy_of_the_first_schema_is_brought_up_to_date(elsewhere: Another, tmp_path: Path) -> None:
    with elsewhere():
        flask_migrate.upgrade(directory=str(store.MIGRATIONS), revision="0001")
        with writing() as connection:
            populate(connection, 1)
        made = backups.back_up(tmp_path / "copy")
        assert made.contents.head == ""
        assert made.contents.entries > GIFTS
    with elsewhere():
        store.upgrade()
        found = backups.restore(tmp_path / "copy")
        assert replace(found, head="") == made.contents
        with reading() as connection:
            assert month_closing.tampered(connection) == []
        assert store.schema_problem() == ""


def test_a_file_that_is_no_copy_is_refused(app: Flask, elsewhere: Another, tmp_path: Path) -> None:
    (tmp_path / "copy").write_text("date,amount\n")
    with elsewhere(), pytest.raises(CopyProblem, match="is no copy"):
        backups.restore(tmp_path / "copy")


def test_half_a_copy_is_refused_and_the_database_stays_new(app: Flask, elsewhere: Another, tmp_path: Path) -> None:
    record(facts(0, 500))
    backups.back_up(tmp_path / "copy")
    with (tmp_path / "copy").open("r+b") as opened:
        opened.truncate(os.path.getsize(tmp_path / "copy") // 2)
    with elsewhere():
        store.upgrade()
        with pytest.raises(ValueError, match=r"damaged|could not"):
            backups.restore(tmp_path / "copy")
        assert store.schema_problem() == ""
        with reading() as connection:
            assert every_entry(connection) == []


@pytest.mark.parametrize("database_url", [""])
def test_a_copy_of_the_other_kind_is_refused(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"PGDMP" + b"\0" * 100)
    with pytest.raises(CopyProblem, match="a copy of a PostgreSQL database, and TRACKER_DATABASE_URL names a SQLite"):
        backups.restore(tmp_path / "copy")


@pytest.mark.parametrize("database_url", [""])
def test_a_copy_from_a_newer_pledgebar_is_refused(app: Flask, elsewhere: Another, tmp_path: Path) -> None:
    backups.back_up(tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as connection, connection:
        connection.execute("UPDATE alembic_version SET version_num = '9999'")
    with elsewhere(), pytest.raises(CopyProblem, match="newer Pledgebar"):
        backups.restore(tmp_path / "copy")


# --- PostgreSQL's programs --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_server_that_tells_nothing_and_no_program_is_a_sentence(
    app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setattr(shutil, "which", lambda name: None)
    monkeypatch.setattr(postgres, "_folder_of_server", lambda engine: "")
    monkeypatch.setattr(postgres, "INSTALLED", tmp_path)
    with pytest.raises(ValueError, match=r"pg_dump was not found: install .*postgresql-client-\d+"):
        backups.back_up(tmp_path / "copy")
    old = tmp_path / "pg_dump"
    old.write_text("#!/bin/sh\necho 'pg_dump (PostgreSQL) 9.6'\n")
    old.chmod(0o755)
    monkeypatch.setattr(shutil, "which", lambda name: str(old))
    with pytest.raises(ValueError, match="here is version 9 and the server is"):
        backups.back_up(tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_a_role_that_may_make_no_database_is_told_that_nothing_was_read_back(
    app: Flask,
    run: Callable[..., Result],
    environ: dict[str, str],
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    request: pytest.FixtureRequest,
) -> None:
    server = request.getfixturevalue("postgres")
    record(facts(0, 3))
    with writing() as connection:
        connection.connection().exec_driver_sql("CREATE ROLE modest LOGIN")
        connection.connection().exec_driver_sql("GRANT pg_read_all_data TO modest")
    monkeypatch.setenv("PATH", str(server.bin), prepend=os.pathsep)
    modest = environ["TRACKER_DATABASE_URL"].replace("pledgebar@", "modest@")
    done = run("backup", tmp_path / "copy", TRACKER_DATABASE_URL=modest)
    assert done.exit_code == 0, done.output
    assert "there was no trial restore" in done.output
    assert "Entries: 4\n" in done.output
