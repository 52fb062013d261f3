"""Files of entries that a process of its own writes: the same file, a clear word when it fails, and nothing left behind."""

import io
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from itertools import product
from pathlib import Path
from tempfile import TemporaryFile

import pytest
from actors import NEWSROOM
from flask import Flask

from tracker.giving.facts import Gift
from tracker.giving.months import Month, parse_month
from tracker.ledger import book, export_files, export_process, export_rows
from tracker.ledger.store import reading, writing
from tracker.settings import Settings

AT = datetime(2021, 5, 14, 22, 30, tzinfo=UTC)
PARENT = """
import sys
from tracker.ledger import export_process
export_process.write(sys.stdout.buffer, sys.stdin.readline().strip(), "newsroom", None, False, "csv")
"""


@pytest.fixture
def gifts(app: Flask) -> None:
    with writing() as connection:
        for number, source in enumerate(("article-1", "=1+1", "ünïcode")):
            gift = Gift(f"cs_{number}", "once", "newsroom", 1000, "USD", AT, False, source=source)
            book.record(connection, gift, AT)


def here(month: Month | None, form: str) -> bytes:
    made = io.BytesIO()
    with reading() as connection:
        export_files.write(export_rows.rows(connection, NEWSROOM, month, False), form, made)
    return made.getvalue()


def children(of: int | None = None) -> set[int]:
    """The processes that one has started, ours unless told, and which it has not seen the end of."""
    found: set[int] = set()
    for task in Path(f"/proc/{of or 'self'}/task").iterdir():
        found |= {int(one) for one in (task / "children").read_text().split()}
    return found


def runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except (FileNotFoundError, ProcessLookupError):
        return False


@contextmanager
def nothing_left() -> Iterator[None]:
    before = children()
    yield
    assert children() <= before


MONTHS = (None, parse_month("2021-05"), parse_month("2021-06"))
SOME = list(zip(MONTHS, export_files.FORMATS, strict=True))
OTHERS = [case for case in product(MONTHS, export_files.FORMATS) if case not in SOME]


@pytest.mark.parametrize(("month", "form"), SOME)
def test_the_file_is_the_one_that_would_be_written_here(
    gifts: None, settings: Settings, month: Month | None, form: str
) -> None:
    with TemporaryFile() as file, nothing_left():
        export_process.write(file, settings.database_url, "newsroom", month, False, form)
        file.seek(0)
        assert file.read() == here(month, form)


# The process reads from either database before it knows in which form it writes.
@pytest.mark.parametrize("database_url", [""], ids=["sqlite"])
@pytest.mark.parametrize(("month", "form"), OTHERS)
def test_so_it_is_for_every_month_in_every_form(
    gifts: None, settings: Settings, month: Month | None, form: str
) -> None:
    test_the_file_is_the_one_that_would_be_written_here(gifts, settings, month, form)


def test_a_process_that_fails_says_so(app: Flask, settings: Settings, capfd: pytest.CaptureFixture[str]) -> None:
    with (
        TemporaryFile() as file,
        nothing_left(),
        pytest.raises(export_process.NotWritten, match="its process ended with 1"),
    ):
        export_process.write(file, settings.database_url, "nobody", None, False, "csv")
    assert "There is no campaign “nobody”." in capfd.readouterr().err


def test_one_that_takes_too_long_is_ended(gifts: None, settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(export_process, "MOST_SECONDS", 0.01)
    with TemporaryFile() as file, nothing_left(), pytest.raises(export_process.NotWritten, match="it took too long"):
        export_process.write(file, settings.database_url, "newsroom", None, False, "csv")


def test_the_next_one_waits_for_the_one_before_but_not_for_ever(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(export_process, "MOST_SECONDS", 0.01)
    busy = pytest.raises(export_process.NotWritten, match="another file is still being written")
    with export_process._one_at_a_time, TemporaryFile() as file, nothing_left(), busy:
        export_process.write(file, settings.database_url, "newsroom", None, False, "csv")


def test_without_a_process_to_be_had_it_says_so(
    app: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "executable", "/nowhere/python")
    with (
        TemporaryFile() as file,
        nothing_left(),
        pytest.raises(export_process.NotWritten, match="No such file or directory"),
    ):
        export_process.write(file, settings.database_url, "newsroom", None, False, "csv")


def test_its_process_steps_back_shows_no_address_and_ends_with_the_server(app: Flask, settings: Settings) -> None:
    with writing() as connection:
        for number in range(2000):
            gift = Gift(f"cs_{number}", "once", "newsroom", 1000, "USD", AT, False, source="a" * 60)
            book.record(connection, gift, AT)
    # Nobody reads what it writes, so that it is in the middle for as long as we like.
    with subprocess.Popen([sys.executable, "-c", PARENT], stdin=subprocess.PIPE, stdout=subprocess.PIPE) as server:
        assert server.stdin
        assert server.stdout
        server.stdin.write(settings.database_url.encode() + b"\n")
        server.stdin.flush()
        assert server.stdout.read(4) == b"date"
        (pid,) = children(server.pid)
        assert os.getpriority(os.PRIO_PROCESS, pid) == 19
        command = Path(f"/proc/{pid}/cmdline").read_bytes().split(b"\0")
        assert command[1:] == [b"-c", export_process._GIVE_WAY_AND_WRITE.encode(), b""]
        server.kill()
        server.wait()
        deadline = time.monotonic() + 30
        while runs(pid):
            assert time.monotonic() < deadline
            time.sleep(0.05)


def test_its_process_has_stepped_back_before_it_loads_anything_of_ours(tmp_path: Path) -> None:
    # In our package's place one that only says how it was found.
    (tmp_path / "tracker").mkdir()
    (tmp_path / "tracker" / "__init__.py").write_text(
        "import os; print(os.getpriority(os.PRIO_PROCESS, 0), flush=True); os._exit(0)"
    )
    command = [sys.executable, "-c", export_process._GIVE_WAY_AND_WRITE]
    assert subprocess.run(command, cwd=tmp_path, stdout=subprocess.PIPE, check=True).stdout == b"19\n"
