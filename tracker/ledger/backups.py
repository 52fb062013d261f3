"""Copies of the whole database: made while gifts arrive, checked before they get their name, and put back elsewhere."""

import os
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory

from alembic.migration import MigrationContext
from flask import current_app
from sqlalchemy import Connection, Engine, NullPool, create_engine, func, inspect, select
from sqlalchemy.exc import DatabaseError, DBAPIError

from tracker.ledger import (
    chain,
    database_errors,
    installation,
    month_closing,
    nodes,
    postgres,
    store,
    transfer,
    user_models,
)
from tracker.ledger.models import campaign, db, delivery, entry, waiting
from tracker.ledger.store import reading, writing

SQLITE, POSTGRES = "SQLite", "PostgreSQL"
_BEGINS = {b"SQLite format 3\0": SQLITE, b"PGDMP": POSTGRES}
# They come back with the copy, as everything does.
assert user_models.UserRow.metadata is db.metadata


class CopyProblem(ValueError):
    """Why a copy was not made or not put back, in a sentence."""


@dataclass(frozen=True)
class Contents:
    """What is in a database."""

    entries: int
    sums: dict[tuple[bool, str], int]
    """In smallest units, by mode (live or not) and currency."""
    head: str
    """The newest entry's hash; nothing in a database from before there was one."""
    newest: datetime | None
    """When the newest entry was written."""


def contents(connection: Connection) -> Contents:
    chained = "chain" in {column["name"] for column in inspect(connection).get_columns("entry")}
    head = select(entry.c.chain).order_by(entry.c.id.desc()).limit(1)
    sums = select(entry.c.live, entry.c.currency, func.sum(entry.c.amount)).group_by(entry.c.live, entry.c.currency)
    return Contents(
        entries=connection.scalar(select(func.count()).select_from(entry)) or 0,
        sums={(live, currency): int(amount) for live, currency, amount in connection.execute(sums)},
        head=(connection.scalar(head) or "") if chained else "",
        newest=connection.scalar(select(func.max(entry.c.recorded_at))),
    )


# --- Making a copy ----------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Copy:
    """A copy that was made and checked."""

    contents: Contents
    size: int
    read_back: bool
    """Whether it was put into a database and its sums compared; else it was only seen to be whole."""


def back_up(file: Path, *, portable: bool = False) -> Copy:
    """Makes a checked copy of the database in a new file that only its owner can read. Gifts may arrive meanwhile.

    A `portable` one goes into either kind of database. Raises CopyProblem, or OSError, and then leaves nothing behind.
    """
    if os.path.lexists(file):
        raise CopyProblem(f"{file} is there already: name a new file.")
    with _new_part(file) as part:
        with reading() as session:
            connection = session.connection()
            _check_is_ours(connection)
            before = contents(connection)
        make = _copy_sqlite if _kind() == SQLITE else _copy_portable if portable else _copy_postgres
        copied, read_back = make(part, before)
        size = _to_disk(part)
        _give_name(part, file)
    return Copy(copied, size, read_back)


@contextmanager
def _new_part(file: Path) -> Iterator[Path]:
    """An empty file beside the one that is to be, gone afterwards."""
    part = file.with_name(f".{file.name}.{secrets.token_hex(4)}.part").absolute()
    os.close(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
    try:
        yield part
    finally:
        part.unlink(missing_ok=True)


def _copy_sqlite(part: Path, before: Contents) -> tuple[Contents, bool]:
    # Never by copying the file: what is still in the log beside it would be missing, or half of it there.
    with closing(db.engine.raw_connection()) as connection:
        try:
            connection.driver_connection.execute("VACUUM INTO ?", [str(part)])  # type: ignore[union-attr]
        except sqlite3.Error as error:
            raise CopyProblem(f"The copy could not be made: {error}.") from None
    with _opened(part) as connection:
        _check(connection)
        return _not_older(connection, before), True


def _copy_postgres(part: Path, before: Contents) -> tuple[Contents, bool]:
    postgres.dump(db.engine, part)
    with postgres.restored_elsewhere(db.engine, part) as scratch:
        if scratch is None:
            return before, False
        with scratch.connect() as connection:
            _check(connection)
            return _not_older(connection, before), True


def _copy_portable(part: Path, before: Contents) -> tuple[Contents, bool]:
    if problem := store.schema_problem():
        raise CopyProblem(problem)
    with reading() as here:
        # Before the other app is the current one: a session asks the current one which database it is for.
        source = here.connection()
        with transfer.sqlite_at(part):
            store.upgrade()
            with writing() as there:
                target = there.connection()
                # The migrations have written into some tables.
                transfer.empty(target)
                transfer.copy_rows(source, target)
                _check_same(source, target)
    with _opened(part) as connection:
        _check(connection)
        return _not_older(connection, before), True


def _check_same(source: Connection, target: Connection) -> None:
    """Whether all that is in one database is in the other, to the cent and to the head of the chain."""
    if contents(source) != contents(target) or transfer.counts(source) != transfer.counts(target):
        raise CopyProblem("The copy does not have all that it should: nothing was kept of it.")
    if broken := list(chain.broken(target)):
        raise CopyProblem(f"The entry {broken[0]} is not as it was written: see “tracker rebuild --check”.")


def _not_older(connection: Connection, before: Contents) -> Contents:
    """What is in the copy, once it is sure that all is in it that was there when it began."""
    found = contents(connection)
    known = before.head in ("", chain.BEGINNING) or connection.scalar(
        select(entry.c.id).where(entry.c.chain == before.head)
    )
    if found.entries < before.entries or not known:
        raise CopyProblem(f"The copy has {found.entries} entries, and not all the {before.entries} from when it began.")
    return found


def _to_disk(part: Path) -> int:
    with part.open("rb") as opened:
        os.fsync(opened.fileno())
        return os.fstat(opened.fileno()).st_size


def _give_name(part: Path, file: Path) -> None:
    """Renames without ever overwriting, where the file system can; a file that has come meanwhile stays."""
    try:
        os.link(part, file)
    except FileExistsError:
        raise CopyProblem(f"{file} is there already: name a new file.") from None
    except OSError:
        # Such as on a stick: no second names there.
        part.rename(file)


# --- Putting it back --------------------------------------------------------------------------------------------------


def restore(file: Path, *, beside_original: bool = False) -> Contents:
    """Puts a copy into this database, which must be new, and brings it up to date. Raises CopyProblem, or OSError.

    It takes the place of the original, or gets a mark of its own and lives on `beside_original`.
    """
    kind = _check_kind(file)
    _check_is_new()
    if _kind() == SQLITE:
        _restore_sqlite(file)
    elif kind == SQLITE:
        _restore_across(file)
    else:
        _restore_postgres(file)
    # What is known of the old tables, in this process, is no longer true.
    db.engine.dispose()
    store.upgrade()
    with writing() as session:
        nodes.forget_all(session)
        if beside_original:
            installation.set_mark(session, secrets.token_hex(8))
    with reading() as session:
        connection = session.connection()
        _check(connection)
        return contents(connection)


def _check_kind(file: Path) -> str:
    with file.open("rb") as opened:
        begins = opened.read(16)
    found = next((kind for mark, kind in _BEGINS.items() if begins.startswith(mark)), None)
    if found is None:
        raise CopyProblem(f"{file} is no copy that “tracker backup” has made.")
    if found == POSTGRES and _kind() == SQLITE:
        raise CopyProblem(
            f"{file} is a copy of a PostgreSQL database, and TRACKER_DATABASE_URL names a SQLite one: make the copy again with "
            "“tracker backup --portable”."
        )
    return found


def _check_is_new() -> None:
    with reading() as session:
        _refuse_if_used(session.connection())


def _refuse_if_used(connection: Connection) -> None:
    there = set(inspect(connection).get_table_names())
    for table in (entry, campaign, delivery, waiting):
        if table.name in there and connection.execute(select(table).limit(1)).first() is not None:
            raise CopyProblem("This database is in use: a copy is only put into a new one, and overwrites nothing.")


def _restore_sqlite(file: Path) -> None:
    with _opened(file.absolute()) as connection:
        _check_is_ours(connection)
        _check(connection)
        # In one transaction: all of it, or the database stays as it was.
        with closing(db.engine.raw_connection()) as target:
            try:
                connection.connection.driver_connection.backup(target.driver_connection)  # type: ignore[union-attr]
            except sqlite3.Error as error:
                raise CopyProblem(f"The copy could not be put back: {error}.") from None


def _restore_postgres(file: Path) -> None:
    postgres.check_dump(db.engine, file)
    with writing() as session:
        connection = session.connection()
        _refuse_if_used(connection)
        connection.exec_driver_sql("DROP TABLE IF EXISTS alembic_version")
        db.metadata.drop_all(connection)
        # The copy has these tables, too.
        connection.exec_driver_sql("DROP FUNCTION IF EXISTS refuse_audit_change()")
    try:
        postgres.load(db.engine, db.engine.url, file)
    except ValueError:
        # As it was: new and empty.
        store.upgrade()
        raise


def _restore_across(file: Path) -> None:
    """A copy of SQLite into PostgreSQL, in one transaction: all of it, or the database stays new and empty."""
    store.upgrade()
    with TemporaryDirectory(prefix=".restore-", dir=current_app.instance_path) as folder:
        # The copy itself stays as it is, and this one is brought up to date first, if it is an older one.
        own = Path(folder) / "copy.sqlite3"
        with _opened(file.absolute()) as connection, closing(sqlite3.connect(own)) as made:
            own.chmod(0o600)
            _check_is_ours(connection)
            _check(connection)
            connection.connection.driver_connection.backup(made)  # type: ignore[union-attr]
        with transfer.sqlite_at(own):
            store.upgrade()
        with writing() as session, _opened(own) as source:
            target = session.connection()
            _refuse_if_used(target)
            transfer.empty(target)
            try:
                transfer.copy_rows(source, target)
            except DBAPIError as error:
                raise CopyProblem(f"The copy could not be put back. {database_errors.in_words(error)}") from None
            _check_same(source, target)


# --- Checks -----------------------------------------------------------------------------------------------------------


def _check(connection: Connection) -> None:
    """Whether a copy is whole: its pages, its references, and every total the sum of its entries."""
    if connection.dialect.name == "sqlite":
        said = connection.exec_driver_sql("PRAGMA integrity_check").scalar()
        if said != "ok":
            raise CopyProblem(f"The copy is damaged: {said}")
        if connection.exec_driver_sql("PRAGMA foreign_key_check").first() is not None:
            raise CopyProblem("The copy has rows without what they belong to.")
    wrong = month_closing.differences(connection)
    if wrong:
        raise CopyProblem(f"Totals that are not the sum of their entries: {len(wrong)}. See “tracker rebuild --check”.")


def _check_is_ours(connection: Connection) -> None:
    """An older schema will do: a copy is what one makes before bringing a database up to date."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is None:
        raise CopyProblem("There is no Pledgebar in this database.")
    if revision not in store.revisions():
        raise CopyProblem("This database is from a newer Pledgebar than this one: install that version.")


def _kind() -> str:
    return SQLITE if db.engine.dialect.name == "sqlite" else POSTGRES


@contextmanager
def _opened(file: Path) -> Iterator[Connection]:
    """A SQLite file, to be read and not changed, nor joined by files beside it."""
    address = f"{file.as_uri()}?mode=ro&immutable=1"
    engine: Engine = create_engine("sqlite://", creator=lambda: sqlite3.connect(address, uri=True), poolclass=NullPool)
    try:
        with engine.connect() as connection:
            yield connection
    except DatabaseError as error:
        raise CopyProblem(f"{file} is damaged: {error.orig}.") from None
