"""PostgreSQL's own programs for copies, pg_dump and pg_restore: where they are, and what they are asked to do."""

import os
import re
import secrets
import shutil
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from sqlalchemy import URL, Engine, NullPool, create_engine, text
from sqlalchemy.exc import DBAPIError

# Where Debian and its children put each version.
INSTALLED = Path("/usr/lib/postgresql")


def dump(engine: Engine, file: Path) -> None:
    """Writes a compressed copy of the database as it is at one moment, and sees that it is whole."""
    # Owners and rights are those of the place where it is put back.
    _run(engine, "pg_dump", "--format=custom", "--no-owner", "--no-privileges", f"--file={file}", to=engine.url)
    check_dump(engine, file)


def check_dump(engine: Engine, file: Path) -> None:
    """Raises ValueError unless the file can be read to its end and has the entries in it."""
    listed = _run(engine, "pg_restore", "--list", str(file))
    if not re.search(r" TABLE DATA \S+ entry ", listed):
        raise ValueError(f"{file} has no entries of Pledgebar in it.")


def load(engine: Engine, to: URL, file: Path) -> None:
    """Puts a copy into a database without tables: all of it, or nothing."""
    how = ("--single-transaction", "--exit-on-error", "--no-owner", "--no-privileges")
    _run(engine, "pg_restore", *how, str(file), to=to)


@contextmanager
def restored_elsewhere(engine: Engine, file: Path) -> Iterator[Engine | None]:
    """The copy in a database of its own on the same server, gone afterwards; None where this role may make none."""
    name = f"pledgebar_check_{secrets.token_hex(6)}"
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        may = "SELECT rolcreatedb OR rolsuper FROM pg_roles WHERE rolname = current_user"
        if not connection.scalar(text(may)):
            yield None
            return
        connection.exec_driver_sql(f"CREATE DATABASE {name} TEMPLATE template0")
    url = engine.url.set(database=name)
    scratch = create_engine(url, poolclass=NullPool)
    try:
        load(engine, url, file)
        yield scratch
    finally:
        with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.exec_driver_sql(f"DROP DATABASE {name} WITH (FORCE)")


# --- The programs -----------------------------------------------------------------------------------------------------


def _run(engine: Engine, name: str, *arguments: str, to: URL | None = None) -> str:
    """Runs one of the programs and returns what it said. The password is never among the arguments."""
    environment = {**os.environ, "LC_ALL": "C"}
    more: list[str] = []
    if to is not None:
        more = ["--dbname", _address(engine, to)]
        if to.password:
            environment["PGPASSWORD"] = str(to.password)
    done = subprocess.run(  # noqa: S603 - found by us, and without a shell
        [_program(engine, name), *more, *arguments],
        env=environment, capture_output=True, text=True, errors="replace", check=False,
    )  # fmt: skip
    if done.returncode:
        said = (done.stderr.strip().splitlines() or [f"it ended with {done.returncode}"])[0]
        raise ValueError(f"{name} could not do it: {said.removeprefix(f'{name}: ')}")
    return done.stdout


def _address(engine: Engine, url: URL) -> str:
    """The very same words that the app connects with, several hosts and all, but for the password."""
    _, asked = engine.dialect.create_connect_args(url)
    words = {name: str(value) for name, value in asked.items() if isinstance(value, str | int) and name != "password"}
    return URL.create("postgresql", query=words).render_as_string(hide_password=False)


def _program(engine: Engine, name: str) -> str:
    """A program that is not older than the server. Raises ValueError with a sentence that says what to install."""
    with engine.connect() as connection:
        server = int(connection.scalar(text("SHOW server_version_num")) or 0) // 10_000
    older = None
    for path in _candidates(engine, name):
        version = _version(path)
        if version >= server:
            return path
        older = older or version
    has = f"{name} here is version {older} and the server is {server}" if older else f"{name} was not found"
    raise ValueError(f"{has}: install PostgreSQL's own programs (in Debian: postgresql-client-{server}).")


def _candidates(engine: Engine, name: str) -> Iterator[str]:
    found = shutil.which(name)
    if found:
        yield found
    beside = Path(_folder_of_server(engine)) / name
    if beside.is_absolute() and os.access(beside, os.X_OK):
        yield str(beside)
    for folder in sorted(INSTALLED.glob("*/bin"), reverse=True):
        if os.access(folder / name, os.X_OK):
            yield str(folder / name)


def _folder_of_server(engine: Engine) -> str:
    """Where the server's programs are, if it tells; only its administrators are told."""
    try:
        with engine.connect() as connection:
            return connection.scalar(text("SELECT setting FROM pg_config WHERE name = 'BINDIR'")) or ""
    except DBAPIError:
        return ""


def _version(path: str) -> int:
    try:
        said = subprocess.run([path, "--version"], capture_output=True, text=True, check=False).stdout  # noqa: S603
    except OSError:
        return 0
    number = re.search(r"\d+", said)
    return int(number[0]) if number else 0
