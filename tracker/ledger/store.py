"""Opens the database, the same for SQLite and PostgreSQL: one writer at a time, nothing acknowledged before it is safe."""

import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from pathlib import Path
from typing import Any

import flask_migrate
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask, has_request_context
from sqlalchemy import Connection, Engine, event, make_url, text
from sqlalchemy.orm import ORMExecuteState, Session

from tracker.ledger.models import db

MIGRATIONS = Path(__file__).parent / "migrations"
# Any number will do, as long as every program that writes to this ledger takes the same one.
LEDGER_LOCK = 7_032_021
# How long a writer waits for another one, in another process, before it gives up.
BUSY_SECONDS = 10
# A server that has lost power or its network says nothing more, and left alone the kernel would wait for it for a quarter
# of an hour: libpq's words for giving it up after ten to twenty seconds, unless the address has others.
PATIENCE = {
    "connect_timeout": 3, "tcp_user_timeout": 10_000,
    "keepalives_idle": 10, "keepalives_interval": 5, "keepalives_count": 2,
}  # fmt: skip

_one_writer = threading.Lock()


def init_app(app: Flask, url: str) -> None:
    """Connects the app to the database at `url`. Opens no connection yet."""
    app.config["SQLALCHEMY_DATABASE_URI"] = url
    app.config["SQLALCHEMY_ENGINE_OPTIONS"] = _engine_options(url)
    db.init_app(app)
    flask_migrate.Migrate(app, db, directory=str(MIGRATIONS))
    # Flask-SQLAlchemy does so at the end of the app's context, which several requests share where a thread of ours makes them.
    app.teardown_request(lambda _error: end_reading())
    with app.app_context():
        if db.engine.dialect.name == "sqlite":
            event.listen(db.engine, "do_connect", _make_for_owner)
            event.listen(db.engine, "connect", _prepare_sqlite)
            event.listen(db.engine, "begin", _begin_sqlite)


def close(app: Flask) -> None:
    """Closes the app's connections."""
    with app.app_context():
        db.engine.dispose()


def _engine_options(url: str) -> dict[str, Any]:
    if url.startswith("sqlite"):
        # isolation_level None leaves BEGIN to us: Python's own would begin late and without IMMEDIATE.
        # The connection that was used last knows the newest pages; in turns, each would have to read them again.
        return {
            "connect_args": {"timeout": BUSY_SECONDS, "isolation_level": None},
            "pool_size": 16, "max_overflow": 64, "pool_use_lifo": True,
        }  # fmt: skip
    return {
        "pool_pre_ping": True, "pool_size": 8, "max_overflow": 16, "pool_timeout": 5,
        # All that is read in a transaction is of one moment, as SQLite has it by itself. It costs no message to the server.
        "isolation_level": "REPEATABLE READ",
        "connect_args": {name: value for name, value in PATIENCE.items() if name not in make_url(url).query},
    }  # fmt: skip


def _make_for_owner(_dialect: Any, _record: Any, arguments: Any, _more: Any) -> None:
    """Makes the file before SQLite does, which would let others read it. The files beside it have the same rights."""
    with suppress(OSError):
        os.close(os.open(arguments[0], os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o600))


def _prepare_sqlite(connection: Any, _record: Any) -> None:
    cursor = connection.cursor()
    cursor.execute("PRAGMA journal_mode=WAL")
    # NORMAL would acknowledge gifts that a power cut then takes back.
    cursor.execute("PRAGMA synchronous=FULL")
    cursor.execute("PRAGMA foreign_keys=ON")
    cursor.close()


def _begin_sqlite(connection: Connection) -> None:
    # A transaction that reads first and writes later cannot be upgraded under load ("database is locked", at once and
    # whatever the timeout), so whoever will write says so at the beginning.
    connection.exec_driver_sql("BEGIN IMMEDIATE" if connection.get_execution_options().get("writes") else "BEGIN")


@event.listens_for(db.session, "before_flush")
def _before_flush(session: Session, *_: object) -> None:
    _write_from_here(session)


@event.listens_for(db.session, "do_orm_execute")
def _before_statement(state: ORMExecuteState) -> None:
    if state.is_insert or state.is_update or state.is_delete:
        _write_from_here(state.session)


def _write_from_here(session: Session) -> None:
    """Ends what a page has been reading, and begins to write: otherwise it meets the same trap, on PostgreSQL as well.

    For models that a page changes by itself, such as accounts and sessions; the ledger is written in `writing()`. Nothing is
    lost, since what is to be written is still in memory at this moment, and statements name their rows.
    """
    if _is_writing(session):
        return
    connection = session.connection()
    connection.exec_driver_sql("COMMIT")
    sqlite = connection.dialect.name == "sqlite"
    connection.exec_driver_sql("BEGIN IMMEDIATE" if sqlite else "BEGIN ISOLATION LEVEL READ COMMITTED")
    session.info["writes_in"] = session.get_transaction()


def files(url: str) -> list[Path]:
    """The files in which a SQLite database is; none for another one."""
    parts = make_url(url)
    if parts.get_backend_name() != "sqlite":
        return []
    return [Path(f"{parts.database}{end}") for end in ("", "-wal", "-shm")]


@contextmanager
def writing() -> Iterator[Session]:
    """One transaction that writes, on this request's session: all of it or nothing, one at a time on both databases.

    What the session was reading before is ended: whatever decides about a write is read again inside of it.

    One writer at a time is what SQLite does anyway; on PostgreSQL a lock does it. It costs little, since every gift
    of a month adds to the same row of totals, and it spares the book any thought of two facts arriving at once.
    Waiting for the lock in line, in this process, is also quicker than SQLite's own sleeping and trying again.
    """
    session = db.session()
    if _is_writing(session):
        raise RuntimeError("this session is writing already")
    session.commit()
    with _in_line(db.engine), session.begin():
        if db.engine.dialect.name == "sqlite":
            session.connection(execution_options={"writes": True})
        else:
            # Whoever has waited for the lock must see what was written meanwhile.
            connection = session.connection(execution_options={"isolation_level": "READ COMMITTED"})
            # Both in one message. Whoever cannot have the lock in time is told so, as SQLite's timeout does.
            connection.exec_driver_sql(
                f"SET LOCAL lock_timeout = '{BUSY_SECONDS}s'; SELECT pg_advisory_xact_lock({LEDGER_LOCK})"
            )
        session.info["writes_in"] = session.get_transaction()
        yield session


def _is_writing(session: Session) -> bool:
    return session.in_transaction() and session.info.get("writes_in") is session.get_transaction()


@contextmanager
def _in_line(engine: Engine) -> Iterator[None]:
    if engine.dialect.name != "sqlite":
        yield
        return
    with _one_writer:
        yield


@contextmanager
def reading() -> Iterator[Session]:
    """This request's session, in a transaction that only reads. `end_reading` ends it before anything slow is done.

    All that a request reads is of one moment, so that a total and its entries agree while gifts come in. Outside of a
    request, in a command or a thread, the transaction is over at the end of the outermost `with reading()`.
    """
    session = db.session()
    is_outermost = not session.in_transaction()
    try:
        yield session
    except BaseException:
        # A statement that went wrong has spoiled it for whatever is read next, such as what an error page shows.
        if not _is_writing(session):
            session.rollback()
        raise
    if is_outermost and not has_request_context():
        session.rollback()


def end_reading() -> None:
    """Ends what this request has been reading, so that something slow can be done with no transaction open."""
    db.session.rollback()


def upgrade() -> None:
    """Brings the database to the newest schema, or makes it. Changes nothing when it is there already."""
    flask_migrate.upgrade(directory=str(MIGRATIONS))


def try_write() -> None:
    """Writes something that changes nothing, as a gift is written. Raises SQLAlchemyError where that cannot be done."""
    with writing() as session:
        session.execute(text("UPDATE alembic_version SET version_num = version_num"))


def schema_problem() -> str:
    """Why the schema is not the one this program was written for, in words; nothing when it is."""
    with reading() as session:
        found = MigrationContext.configure(session.connection()).get_current_revision()
    if found == newest_revision():
        return ""
    if found is None:
        return "The database is empty: run “tracker init” first."
    if found in revisions():
        return "The database is from an older Pledgebar: make a backup, then run “tracker init” to bring it up to date."
    return "The database is from a newer Pledgebar than this one: install that version again."


def revisions() -> set[str]:
    """Every schema that this program can bring up to date, and its own."""
    return {script.revision for script in _scripts(MIGRATIONS).walk_revisions()}


def newest_revision() -> str:
    """The schema that this program was written for."""
    return str(_scripts(MIGRATIONS).get_current_head())


@cache
def _scripts(folder: Path) -> ScriptDirectory:
    """The migrations of this program. It runs each of their files to know their order, so they are read once."""
    return ScriptDirectory(str(folder))
