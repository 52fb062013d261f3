"""A disk that is full: Stripe is asked to send again, readers notice nothing, and room is all that the server needs."""

import os
import resource
import subprocess
import tempfile
from abc import ABC, abstractmethod
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection
from pathlib import Path

import pytest
from commands import run_command
from faults.history import Sheet, plain_gifts, what_is_wrong
from faults.senders import post
from faults.server import LONG, Server, open_newsroom, running

from tracker.settings import read_settings

MOST = 5000
AFTERWARDS = 200 if LONG else 20


class Disk(ABC):
    """Where the instance is, and how its room ends and comes back."""

    folder: Path

    @abstractmethod
    def fills(self, server: Server) -> None: ...

    @abstractmethod
    def has_room_again(self, server: Server) -> None: ...


class Quota(Disk):
    """No file of the server's may grow: what anybody may do to a program of their own."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fills(self, server: Server) -> None:
        largest = max(file.stat().st_size for file in self.folder.rglob("*") if file.is_file())
        self._limit(server, largest + 200_000)

    def has_room_again(self, server: Server) -> None:
        self._limit(server, resource.RLIM_INFINITY)

    def _limit(self, server: Server, size: int) -> None:
        for pid in server.pids():
            _, hard = resource.prlimit(pid, resource.RLIMIT_FSIZE)
            resource.prlimit(pid, resource.RLIMIT_FSIZE, (size, hard))


class SmallDisk(Disk):
    """A file system of three megabytes in memory; only root may mount one."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def fills(self, server: Server) -> None:
        """It does so by itself."""

    def has_room_again(self, server: Server) -> None:
        mount("-o", "remount,size=64m", str(self.folder))


def mount(*how: str) -> bool:
    return subprocess.run(["mount", *how], capture_output=True, check=False).returncode == 0


@contextmanager
def small_disk(folder: Path) -> Iterator[bool]:
    """Mounts three megabytes there; says whether that was allowed."""
    folder.mkdir(exist_ok=True)
    mounted = mount("-t", "tmpfs", "-o", "size=3m", "tmpfs", str(folder))
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", str(folder)], check=True)


def may_mount() -> bool:
    if os.geteuid() != 0:
        return False
    with tempfile.TemporaryDirectory() as folder, small_disk(Path(folder)) as mounted:
        return mounted


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture(params=["quota", "small disk"] if may_mount() else ["quota"])
def disk(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Disk]:
    folder = tmp_path / "disk"
    if request.param == "quota":
        folder.mkdir()
        yield Quota(folder)
        return
    with small_disk(folder) as mounted:
        assert mounted
        yield SmallDisk(folder)


def test_a_full_disk_loses_nothing_and_room_is_all_it_takes(
    disk: Disk, environ: dict[str, str], tmp_path: Path
) -> None:
    environ["TRACKER_INSTANCE"] = str(disk.folder / "instance")
    open_newsroom(environ)
    url = read_settings(environ).database_url
    gifts = plain_gifts(1, MOST).deliveries
    server = Server(environ, tmp_path / "log")
    taken: list[int] = []
    refused: list[int] = []
    with running(server):
        connection = HTTPConnection("127.0.0.1", server.port, timeout=60)
        processes = server.pids()
        disk.fills(server)
        for number, one in enumerate(gifts):
            status = post(connection, one.body)
            assert status in (204, 503)
            (taken if status == 204 else refused).append(number)
            if len(refused) == 5:
                break
        assert len(refused) == 5, "the disk never was full"
        for path in ("/embed/newsroom", "/embed/newsroom.json", "/c/newsroom", "/c/newsroom/months", "/healthz"):
            assert server.status(path) == 200, path
        assert what_is_wrong(url, sheet_of(taken), {gifts[number].event_id for number in taken}) == []
        # Stripe sends again what was refused, and goes on; all of it is taken as soon as there is room.
        disk.has_room_again(server)
        later = [*refused, *range(refused[-1] + 1, refused[-1] + 1 + AFTERWARDS)]
        assert {post(connection, gifts[number].body) for number in later} == {204}
        connection.close()
        assert server.pids() == processes
    assert what_is_wrong(url, sheet_of(taken + later), {gifts[number].event_id for number in taken + later}) == []
    assert run_command(environ, "rebuild", "--check").exit_code == 0
    print(f"\n{type(disk).__name__}: {len(taken)} taken until it was full, {len(later)} with room again: 0 cents off")


def sheet_of(numbers: list[int]) -> Sheet:
    """What these plain gifts come to."""
    month = {"once": sum(1000 + number for number in numbers), "gifts": len(numbers)}
    return {False: {"2021-04 USD": month}, True: {}}
