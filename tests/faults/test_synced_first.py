"""No delivery is acknowledged before the disk has it: the kernel's own account of the real server."""

import re
import shutil
import subprocess
from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path

import pytest
from faults.history import plain_gifts
from faults.senders import Senders
from faults.server import LONG, Server, running

DELIVERIES = 200 if LONG else 24
CALLS = "fsync,fdatasync,pwrite64,pwritev,recvfrom,recvmsg,write,writev,sendto,sendmsg"
# All that a call carries, up to a page of the database, in hexadecimal, and which file or socket it goes to.
WATCHED = ("strace", "-f", "-qq", "-y", "-xx", "-s", "8192", "-e", f"trace={CALLS}")


@pytest.fixture
def database_url() -> str:
    return ""


# Eight at once share commits: several are then written, and wait for the disk, as one.
@pytest.mark.parametrize("senders", [1, 8])
def test_every_acknowledgement_comes_after_the_disk_has_the_delivery(
    newsroom: dict[str, str], tmp_path: Path, senders: int
) -> None:
    assert shutil.which("strace"), "strace is needed to watch the server: install it (in Debian: apt install strace)"
    may = subprocess.run(["strace", "-o", "/dev/null", "true"], capture_output=True, text=True, check=False)
    assert may.returncode == 0, (
        "strace may not watch programs here; a container has to allow it: docker run --cap-add SYS_PTRACE. "
        f"It said: {may.stderr.strip()}"
    )
    trace = tmp_path / "trace"
    server = Server(newsroom, tmp_path / "log", under=(*WATCHED, "-o", str(trace)))
    deliveries = plain_gifts(1, DELIVERIES).deliveries
    with running(server), Senders([server], deliveries, at_once=senders) as stripe:
        stripe.finish()
    assert stripe.answers == {204: DELIVERIES}
    with trace.open() as lines:
        account = read(lines)
    assert (account.safe, account.unsafe) == (DELIVERIES, 0)
    assert (account.most > 1) == (senders > 1)
    print(
        f"\n{senders} at once: {account.safe} acknowledgements, each after the disk had its delivery; {account.unsafe} before; "
        f"{account.commits} commits, of up to {account.most} deliveries"
    )


# --- How the account is read ------------------------------------------------------------------------------------------


@dataclass
class Account:
    """Where each delivery is by now, named by its event: asked for, in the log, committed there, on the disk."""

    asked: dict[str, str] = field(default_factory=dict)
    """By socket: what was read from it and is not answered yet."""
    logged: set[str] = field(default_factory=set)
    committed: set[str] = field(default_factory=set)
    on_disk: set[str] = field(default_factory=set)
    syncing: dict[str, set[str]] = field(default_factory=dict)
    """By thread: what a sync that has begun will have on the disk once it is done."""
    ends: bool = False
    """Whether the next page in the log is the last one of its transaction."""
    under_way: dict[str, str] = field(default_factory=dict)
    """By thread: the socket that is being read."""
    safe: int = 0
    unsafe: int = 0
    commits: int = 0
    """Those that brought a delivery."""
    most: int = 0
    """How many deliveries one of them brought."""

    def receives(self, socket: str, data: str) -> None:
        for event in events_in(data):
            self.asked[socket] = event

    def logs(self, data: str) -> None:
        # Before each page stands a head of 24 bytes, which says of the last page how long the file is now, and else 0.
        if len(data) == 24:
            self.ends = data[4:8] != "\0\0\0\0"
            return
        self.logged.update(events_in(data))
        if self.ends:
            new = len(self.logged - self.committed)
            self.commits, self.most = self.commits + bool(new), max(self.most, new)
            self.committed |= self.logged
            self.ends = False

    def answers(self, socket: str) -> None:
        good = self.asked.pop(socket, "") in self.on_disk
        self.safe, self.unsafe = self.safe + good, self.unsafe + (not good)


def read(trace: Iterable[str]) -> Account:
    account = Account()
    for line in trace:
        if begun := re.match(r"(\d+) +(\w+)\(\d+<(.*?)>[,) ](.*)", line):
            thread, call, place, rest = begun.groups()
            place, data = plain(place), "".join(plain(text) for text in re.findall(r'"([^"]*)"', rest))
        elif resumed := re.match(r"(\d+) +<\.\.\. (\w+) resumed>(.*)", line):
            thread, call, rest = resumed.groups()
            place, data = "", "".join(plain(text) for text in re.findall(r'"([^"]*)"', rest))
        else:
            continue
        unfinished = "<unfinished ...>" in rest
        match call:
            case "pwrite64" | "pwritev" if place.endswith("-wal"):
                account.logs(data)
            case "fsync" | "fdatasync":
                # What is written while a sync is under way may be on the disk after it, or not.
                if place.endswith("-wal"):
                    account.syncing[thread] = set(account.committed)
                if not unfinished and rest.rstrip().endswith("= 0"):
                    account.on_disk |= account.syncing.get(thread, set())
                if not unfinished:
                    account.syncing.pop(thread, None)
            case "recvfrom" | "recvmsg":
                if place:
                    account.under_way[thread] = place
                account.receives(account.under_way[thread], data)
            case "write" | "writev" | "sendto" | "sendmsg" if data.startswith("HTTP/1.1 204"):
                account.answers(place)
    return account


def plain(text: str) -> str:
    """What strace writes in hexadecimal, a character for each byte."""
    return re.sub(
        r"(?:\\x[0-9a-f]{2})+", lambda found: bytes.fromhex(found[0].replace("\\x", "")).decode("latin-1"), text
    )


def events_in(data: str) -> list[str]:
    return re.findall(r'"id": "(evt_\w+)"', data)


# --- That it is read rightly ------------------------------------------------------------------------------------------


def strange(text: str) -> str:
    return "".join(f"\\x{byte:02x}" for byte in text.encode("latin-1"))


LOG = f"9<{strange('/x/pledgebar.sqlite3-wal')}>"
SYNCS = f"11 fdatasync({LOG}) = 0"
SYNC_BEGINS, SYNC_ENDS = f"11 fdatasync({LOG} <unfinished ...>", "11 <... fdatasync resumed>) = 0"


def asks(number: int) -> str:
    return f'12 recvfrom({number}<socket:[{number}]>, "{strange(told(number))}", 8192, 0, NULL, NULL) = 400'


def writes(*numbers: int, last: bool = True) -> list[str]:
    """A page with these deliveries and its head before it."""
    head = "\0\0\0\7" + ("\0\0\0\x2a" if last else "\0\0\0\0") + "\1" * 16
    page = "".join(told(number) for number in numbers)
    return [f'11 pwrite64({LOG}, "{strange(text)}", {len(text)}, 32) = {len(text)}' for text in (head, page)]


def told(number: int) -> str:
    return f'{{"id": "evt_1_{number}", "object": "event", "data": {{"object": {{"id": "cs_1_{number}"}}}}}}'


def says_204(number: int) -> str:
    return f'12 writev({number}<socket:[{number}]>, [{{iov_base="{strange("HTTP/1.1 204 No Content")}", iov_len=99}}], 1) = 99'


@pytest.mark.parametrize(
    ("trace", "counted"),
    [
        ([asks(1), *writes(1), SYNCS, says_204(1)], (1, 0)),
        ([asks(1), asks(2), *writes(1, 2), SYNCS, says_204(2), says_204(1)], (2, 0)),
        ([asks(1), *writes(1), says_204(1), SYNCS], (0, 1)),
        ([asks(1), SYNCS, *writes(1), says_204(1)], (0, 1)),
        # Another's transaction has begun by the time this one is answered, and the other way round.
        ([asks(1), asks(2), *writes(1), SYNCS, *writes(1, 2), says_204(1), SYNCS, says_204(2)], (2, 0)),
        ([asks(1), asks(2), *writes(1), SYNCS, *writes(1, 2), says_204(1), says_204(2), SYNCS], (1, 1)),
        ([asks(1), asks(2), *writes(1), SYNCS, says_204(1), says_204(2)], (1, 1)),
        # A transaction of two pages, synced in the middle of it.
        ([asks(1), *writes(1, last=False), SYNCS, *writes(), says_204(1)], (0, 1)),
        ([asks(1), *writes(1, last=False), *writes(), SYNCS, says_204(1)], (1, 0)),
        ([asks(1), *writes(1), SYNCS.replace("= 0", "= -1 EIO (Input/output error)"), says_204(1)], (0, 1)),
        ([asks(1), *writes(1), SYNC_BEGINS, says_204(1), SYNC_ENDS], (0, 1)),
        ([asks(1), *writes(1), SYNC_BEGINS, SYNC_ENDS, says_204(1)], (1, 0)),
        ([asks(1), SYNC_BEGINS, *writes(1), SYNC_ENDS, says_204(1)], (0, 1)),
        ([asks(1), *writes(1), SYNCS.replace(strange("-wal"), ""), says_204(1)], (0, 1)),
        # The same socket again, and one from which nothing was read.
        ([asks(1), *writes(1), SYNCS, says_204(1), says_204(1)], (1, 1)),
        ([*writes(1), SYNCS, says_204(1)], (0, 1)),
        (
            [
                asks(1).replace(f'"{strange(told(1))}", 8192, 0, NULL, NULL) = 400', "<unfinished ...>"),
                f'12 <... recvfrom resumed>"{strange(told(1))}", 8192, 0, NULL, NULL) = 400',
                *writes(1), SYNCS, says_204(1),
            ],
            (1, 0),
        ),
    ],
)  # fmt: skip
def test_the_account_is_read_rightly(trace: list[str], counted: tuple[int, int]) -> None:
    account = read(trace)
    assert (account.safe, account.unsafe) == counted


def test_deliveries_of_one_commit_are_counted_together() -> None:
    account = read([*writes(1, 2, last=False), *writes(3), SYNCS, *writes(3, 4), SYNCS, *writes(4), SYNCS])
    assert (account.commits, account.most) == (2, 3)
