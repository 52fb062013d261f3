"""What takes long to make and many tests begin with: databases with our tables and nothing in them, and the demo's history."""

import atexit
import fcntl
import shutil
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import cache
from pathlib import Path

import flask_migrate
import psycopg
from actors import NEWSROOM
from sqlalchemy import inspect

from tracker import create_app
from tracker.demo import instance as demo
from tracker.giving.months import parse_month
from tracker.ledger import campaigns, store
from tracker.settings import read_settings

# Taken down before any test puts others in their place.
MIGRATIONS = store.MIGRATIONS

# Whatever changes a table, an index or a rule writes into one of these, and leaves its transaction's number there.
CATALOGS = ("pg_attribute", "pg_constraint", "pg_index", "pg_proc", "pg_trigger", "pg_type")
SHAPE = " UNION ALL ".join(f"SELECT '{name}', count(*), max(xmin::text::bigint) FROM {name}" for name in CATALOGS)
OTHERS = """
    SELECT count(*) FROM pg_stat_activity WHERE datname = current_database() AND pid <> pg_backend_pid()
"""
VERSION = "SELECT version_num FROM alembic_version"
FILLED = """
    SELECT string_agg(oid::regclass::text, ', ') FROM pg_class
    WHERE relkind = 'r' AND relnamespace = 'public'::regnamespace AND pg_relation_size(oid) > 0
    AND relname NOT IN ('alembic_version', 'installation')
"""


def made_once(folder: Path, make: Callable[[Path], None]) -> Path:
    """A folder that whichever process of the tests comes first fills, for all of them."""
    with folder.with_suffix(".lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        if not folder.exists():
            half = folder.with_suffix(".half")
            half.mkdir()
            make(half)
            half.rename(folder)
    return folder


@cache
def migrated_file() -> Path:
    """A SQLite file as the migrations make it; a copy of it is as good."""
    folder = Path(tempfile.mkdtemp(prefix="pledgebar-migrated-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    _migrate({"TRACKER_INSTANCE": str(folder)})
    return folder / "pledgebar.sqlite3"


@cache
def newsroom_file() -> Path:
    """The same, with the campaign `newsroom` and a goal of 5,000 $ for every month."""
    file = migrated_file().with_name("newsroom.sqlite3")
    shutil.copy(migrated_file(), file)
    with _opened({"TRACKER_DATABASE_URL": f"sqlite:///{file}"}):
        _found_the_newsroom()
    return file


def give_tables(url: str) -> None:
    """Our tables for the app's database at this URL, unless it was lent with them. Within the app's context."""
    if not _is_copied(url, migrated_file) and not inspect(store.db.engine).has_table("alembic_version"):
        store.upgrade()


def open_newsroom(url: str) -> None:
    """The same with the campaign `newsroom`, and a goal of 5,000 $ for every month."""
    if not _is_copied(url, newsroom_file):
        give_tables(url)
        _found_the_newsroom()


def _is_copied(url: str, of: Callable[[], Path]) -> bool:
    file = Path(url.removeprefix("sqlite:///"))
    if not url.startswith("sqlite") or file.exists():
        return False
    file.parent.mkdir(parents=True, exist_ok=True)
    shutil.copy(of(), file)
    return True


def _found_the_newsroom() -> None:
    with store.writing() as session:
        campaigns.save(session, NEWSROOM)
        campaigns.set_goal(session, "newsroom", parse_month("2021-01"), 500_000, stands=True)


def play_the_demo(folder: Path) -> None:
    """Plays the two years that the demo begins with; one that is started over a copy of them need not."""
    places = demo.Places(folder, app=5000, sandbox=5001, news=5002)
    demo.make(places, demo.environment(places), lambda _: None)


class Lent:
    """A database on PostgreSQL as the migrations make it, lent to one test after the other."""

    def __init__(self, new_database: Callable[[], str]) -> None:
        self.new_database = new_database
        self.url = ""
        # Kept from test to test: a new connection would read PostgreSQL's catalogs anew, which takes longest of all here.
        self.connection: psycopg.Connection | None = None

    def lend(self) -> str:
        """Its URL, or that of a new one after a test that changed more than rows."""
        if not (self.connection and self._as_new(self.connection)):
            self.close()
            self.url = self.new_database()
            _migrate({"TRACKER_DATABASE_URL": self.url})
            self.connection = psycopg.connect(self.url, autocommit=True)
            self.made = self.connection.execute(SHAPE).fetchall(), self.connection.execute(VERSION).fetchall()
        return self.url

    def close(self) -> None:
        if self.connection:
            self.connection.close()

    def _as_new(self, connection: psycopg.Connection) -> bool:
        if not _alone(connection) or connection.execute(SHAPE).fetchall() != self.made[0]:
            return False
        if connection.execute(VERSION).fetchall() != self.made[1]:
            return False
        (filled,) = connection.execute(FILLED).fetchone() or (None,)
        if filled:
            connection.execute(f"TRUNCATE {filled} RESTART IDENTITY CASCADE")  # type: ignore[call-overload]
        return True


def _alone(connection: psycopg.Connection) -> bool:
    """Whether the test before has left, as connections do soon after they are closed."""
    for _ in range(100):
        if connection.execute(OTHERS).fetchone() == (0,):
            return True
        time.sleep(0.01)
    return False


def _migrate(environ: dict[str, str]) -> None:
    with _opened(environ):
        flask_migrate.upgrade(directory=str(MIGRATIONS))


@contextmanager
def _opened(environ: dict[str, str]) -> Iterator[None]:
    made = create_app(
        read_settings(environ | {"TRACKER_SECRET_KEY": "a secret for tests, long enough to keep one"}), background=False
    )
    with made.app_context():
        yield
    store.close(made)
