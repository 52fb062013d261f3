"""No delivery is acknowledged before the disk has it: the kernel's own account of the real server."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from http.client import HTTPConnection
from pathlib import Path

import pytest
from faults.history import plain_gifts
from faults.senders import post
from faults.server import LONG, Server, running

DELIVERIES = 200 if LONG else 20
CALLS = "fsync,fdatasync,write,writev,pwrite64,pwritev,send,sendto,sendmsg"


@pytest.fixture
def database_url() -> str:
    return ""


def test_every_acknowledgement_comes_after_the_disk_has_the_delivery(newsroom: dict[str, str], tmp_path: Path) -> None:
    assert shutil.which("strace"), "strace is needed to watch the server: install it (in Debian: apt install strace)"
    may = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    assert may.returncode == 0, (
        "strace may not watch programs here; a container has to allow it: docker run --cap-add SYS_PTRACE. "
        f"It said: {may.stderr.strip()}"
    )
    trace = tmp_path / "trace"
    watched = ("strace", "-f", "-qq", "-y", "-s", "64", "-e", f"trace={CALLS}", "-o", str(trace))
    server = Server(newsroom, tmp_path / "log", under=watched)
    with running(server):
        before = len(trace.read_text(errors="replace").splitlines())
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        # One after the other, so that it is plain which write belongs to which answer.
        answers = [post(connection, one.body) for one in plain_gifts(1, DELIVERIES).deliveries]
        connection.close()
        server.status("/healthz")
    assert answers == [204] * DELIVERIES
    safe, unsafe = acknowledgements(trace.read_text(errors="replace").splitlines()[before:])
    assert (safe, unsafe) == (DELIVERIES, 0)
    print(f"\n{safe} acknowledgements, each after the disk had the log; {unsafe} before")


def acknowledgements(trace: Iterable[str]) -> tuple[int, int]:
    """How many answers 204 went out after the log was written and synced, and how many before."""
    safe = unsafe = 0
    written = synced = False
    syncing: dict[str, bool] = {}
    for line in trace:
        thread, _, call = line.partition(" ")
        call = call.strip()
        if re.match(r"pwrite64\(\d+<[^>]*-wal>", call):
            written, synced = True, False
        elif re.match(r"(fsync|fdatasync)\(\d+<[^>]*-wal>", call):
            if call.endswith("<unfinished ...>"):
                syncing[thread] = True
            else:
                synced = call.endswith("= 0")
        elif re.match(r"<\.\.\. (fsync|fdatasync) resumed>", call) and syncing.pop(thread, False):
            synced = call.endswith("= 0")
        elif '"HTTP/1.1 204' in call:
            good = written and synced
            safe, unsafe = safe + good, unsafe + (not good)
            written = synced = False
    return safe, unsafe


WRITES = '11 pwrite64(9</x/pledgebar.sqlite3-wal>, "..."..., 4096, 32) = 4096'
SYNCS = "11 fdatasync(9</x/pledgebar.sqlite3-wal>) = 0"
ANSWERS = '12 sendto(7<socket:[1]>, "HTTP/1.1 204 No Content\\r\\n"..., 99, 0, NULL, 0) = 99'


@pytest.mark.parametrize(
    ("trace", "counted"),
    [
        ([WRITES, WRITES, SYNCS, ANSWERS], (1, 0)),
        ([WRITES, SYNCS, ANSWERS, ANSWERS], (1, 1)),
        ([WRITES, ANSWERS, SYNCS], (0, 1)),
        ([WRITES, SYNCS, WRITES, ANSWERS], (0, 1)),
        ([WRITES, SYNCS.replace("= 0", "= -1 EIO (Input/output error)"), ANSWERS], (0, 1)),
        ([WRITES, "11 fdatasync(9</x/y-wal> <unfinished ...>", ANSWERS, "11 <... fdatasync resumed>) = 0"], (0, 1)),
        ([WRITES, "11 fdatasync(9</x/y-wal> <unfinished ...>", "11 <... fdatasync resumed>) = 0", ANSWERS], (1, 0)),
        ([WRITES, "11 fdatasync(9</x/pledgebar.sqlite3>) = 0", ANSWERS], (0, 1)),
    ],
)
def test_the_account_is_read_rightly(trace: list[str], counted: tuple[int, int]) -> None:
    assert acknowledgements(trace) == counted
