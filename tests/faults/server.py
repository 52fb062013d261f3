"""`tracker serve` as a process of its own, with everything that can be done to it."""

import http.client
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path

import ready_made
from ports import free_port

from tracker import create_app
from tracker.ledger import store
from tracker.settings import read_settings

LONG = bool(os.environ.get("TEST_LONG"))  # the whole of it with `make test-faults`


def open_newsroom(environ: Mapping[str, str]) -> None:
    """A new database with the campaign `newsroom`, and no connection left open to it."""
    settings = read_settings(environ)
    settings.instance.mkdir(parents=True, exist_ok=True)
    app = create_app(settings, background=False)
    with app.app_context():
        ready_made.open_newsroom(settings.database_url)
    store.close(app)


class Server:
    """The server at an address that stays the same from start to start, and what it has said so far."""

    def __init__(self, environ: Mapping[str, str], log: Path, *, workers: int = 1, under: tuple[str, ...] = ()) -> None:
        self.environ = dict(environ)
        self.log = log
        self.port = free_port()
        serve = [sys.executable, "-m", "tracker", "serve", "--port", str(self.port), "--workers", str(workers)]
        self.command = [*under, *serve]
        self.process: subprocess.Popen[bytes] | None = None

    def begin(self) -> None:
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.command, env=os.environ | self.environ, stdout=log, stderr=log, start_new_session=True
            )

    def wait(self, seconds: float = 60) -> None:
        """Until it is ready to serve."""
        until = time.monotonic() + seconds
        while self.status("/readyz") != 200:
            assert self.process is not None
            assert self.process.poll() is None, self.said()[-2000:]
            assert time.monotonic() < until, self.said()[-2000:]
            time.sleep(0.02)

    def start(self) -> None:
        self.begin()
        self.wait()

    def status(self, path: str) -> int:
        """What a GET is answered with; 0 when nobody answers."""
        return self.get(path)[0]

    def get(self, path: str, seconds: float = 30) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=seconds)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read().decode()
        except (OSError, http.client.HTTPException):
            return 0, ""
        finally:
            connection.close()

    def pids(self) -> list[int]:
        """Everything that was started with it: it leads a process group of its own."""
        assert self.process is not None
        found = []
        for place in Path("/proc").glob("[0-9]*/stat"):
            with suppress(OSError):
                # The name may hold anything, so what follows the last bracket is counted.
                state, _, group, *_ = place.read_text().rpartition(")")[2].split()
                if int(group) == self.process.pid and state != "Z":
                    found.append(int(place.parent.name))
        return found

    def kill(self) -> None:
        """SIGKILL to the parent and every worker at once; nobody gets to say goodbye."""
        assert self.process is not None
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        until = time.monotonic() + 20
        while not can_listen(self.port):
            assert time.monotonic() < until
            time.sleep(0.01)

    def stop(self) -> None:
        if self.process is None or self.process.poll() is not None:
            return
        self.process.terminate()
        with suppress(subprocess.TimeoutExpired):
            self.process.wait(15)
        with suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()

    def said(self) -> str:
        return self.log.read_text(encoding="utf-8", errors="replace") if self.log.exists() else ""


@contextmanager
def running(*servers: Server) -> Iterator[None]:
    """The servers, all started at once, and stopped at the end."""
    try:
        for server in servers:
            server.begin()
        for server in servers:
            server.wait()
        yield
    finally:
        for server in servers:
            server.stop()
            said = server.said()
            if "Traceback" in said:
                # Beside a failed test, pytest shows this.
                print(said[-8000:])


def can_listen(port: int) -> bool:
    try:
        with socket.create_server(("127.0.0.1", port)):
            return True
    except OSError:
        return False
