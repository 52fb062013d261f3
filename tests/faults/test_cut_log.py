"""Power that goes in the middle of a write: SQLite's log cut off anywhere, or with garbage in it, opens to a whole ledger."""

import random
import shutil
import sqlite3
import struct
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path

import pytest
from actors import Stripe
from commands import run_command
from faults.history import plain_gifts
from faults.server import LONG
from sqlalchemy import text

from tracker.ledger.models import db
from tracker.settings import Settings

DELIVERIES = 60 if LONG else 20
CUTS = 4500 if LONG else 60
GARBLED = 1200 if LONG else 20
LOG_HEADER, FRAME_HEADER = 32, 24  # https://www.sqlite.org/fileformat2.html#walformat


@dataclass
class Files:
    """A ledger's database and log, copied while the app still had them open, and where each commit ends in the log."""

    database: Path
    log: Path
    commits: list[int]

    def whole_before(self, place: int) -> int:
        """How many deliveries are in the log whole when only what is before that place can be trusted."""
        return sum(end <= place for end in self.commits)


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def files(stripe_calls: Stripe, settings: Settings, tmp_path: Path) -> Files:
    with db.engine.connect() as connection:
        connection.execute(text("PRAGMA wal_checkpoint(TRUNCATE)"))
    for one in plain_gifts(1, DELIVERIES).deliveries:
        assert stripe_calls.delivers(one.body) == 204
    database = settings.instance / "pledgebar.sqlite3"
    kept = Files(tmp_path / "kept.sqlite3", tmp_path / "kept.sqlite3-wal", [])
    shutil.copy(database, kept.database)
    shutil.copy(f"{database}-wal", kept.log)
    kept.commits = commits(kept.log.read_bytes())
    assert len(kept.commits) == DELIVERIES, "each delivery is one transaction"
    return kept


def commits(log: bytes) -> list[int]:
    """Where each transaction ends: its last frame says how many pages the database has after it."""
    (page_size,) = struct.unpack(">I", log[8:12])
    ends = range(LOG_HEADER + FRAME_HEADER + page_size, len(log) + 1, FRAME_HEADER + page_size)
    return [end for end in ends if struct.unpack(">I", log[end - page_size - 20 : end - page_size - 16])[0]]


def opened_again(files: Files, folder: Path, log: bytes) -> int:
    """Opens the ledger with that log, as after the power came back; returns how many deliveries are in it."""
    database = folder / "pledgebar.sqlite3"
    for old in folder.glob("pledgebar.sqlite3*"):
        old.unlink()
    shutil.copyfile(files.database, database)
    Path(f"{database}-wal").write_bytes(log)
    with closing(sqlite3.connect(database)) as connection:
        connection.execute("PRAGMA synchronous=OFF")
        assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
        assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
        kept = [row[0] for row in connection.execute("SELECT event_id FROM delivery")]
        entries = connection.execute("SELECT key, amount FROM entry ORDER BY id").fetchall()
        totals = connection.execute("SELECT once, gifts FROM month_total").fetchall()
        known = connection.execute("SELECT count(*) FROM alias").fetchone()[0]
    count = len(kept)
    assert sorted(kept) == sorted(f"evt_1_{number + 1}" for number in range(count))
    assert entries == [(f"cs_1_{number}", 1000 + number) for number in range(count)]
    assert totals == ([(sum(amount for _, amount in entries), count)] if count else [])
    assert known == count
    return count


def test_a_log_cut_off_anywhere_opens_to_the_deliveries_that_were_whole(
    files: Files, environ: dict[str, str], tmp_path: Path
) -> None:
    log = files.log.read_bytes()
    step = max(1, len(log) // CUTS)
    places = [*range(0, len(log), step), len(log)]
    for place in places:
        found = opened_again(files, _folder(tmp_path), log[:place])
        assert found == files.whole_before(place), place
    assert {files.whole_before(place) for place in places} == set(range(DELIVERIES + 1))
    _the_app_agrees(environ, tmp_path)
    print(f"\n{len(places)} cuts of a log of {len(log)} bytes: 0 inconsistent")


def test_garbage_in_the_log_costs_what_came_after_it_and_nothing_before(
    files: Files, environ: dict[str, str], tmp_path: Path
) -> None:
    log = files.log.read_bytes()
    chance = random.Random(6)
    for _ in range(GARBLED):
        place = chance.randrange(len(log) - 512)
        garbled = log[:place] + chance.randbytes(512) + log[place + 512 :]
        found = opened_again(files, _folder(tmp_path), garbled)
        assert found == files.whole_before(place), place
    _the_app_agrees(environ, tmp_path)
    print(f"\n{GARBLED} garbled logs: 0 inconsistent")


def _folder(tmp_path: Path) -> Path:
    folder = tmp_path / "again"
    folder.mkdir(exist_ok=True)
    return folder


def _the_app_agrees(environ: dict[str, str], tmp_path: Path) -> None:
    """The program's own proof, over the last of the opened ledgers."""
    again = environ | {"TRACKER_DATABASE_URL": f"sqlite:///{tmp_path / 'again' / 'pledgebar.sqlite3'}"}
    done = run_command(again, "rebuild", "--check")
    assert done.exit_code == 0, done.output


def test_the_reckoning_notices_an_entry_without_its_delivery(files: Files, tmp_path: Path) -> None:
    with closing(sqlite3.connect(files.database)) as connection:
        connection.execute("DELETE FROM delivery WHERE event_id = 'evt_1_1'")
        connection.commit()
        connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with pytest.raises(AssertionError):
        opened_again(files, _folder(tmp_path), b"")
