"""Writes a file of entries in a process of its own, so that readers of the bar do not wait behind its rows."""

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import IO, Any

from tracker.giving.months import Month, parse_month

# The longest that one file may take, its wait for the one before it included. Millions of entries need minutes.
MOST_SECONDS = 600.0
# Two at once would only take the processor from everybody else.
_one_at_a_time = threading.Lock()
# Before anything of ours is imported, which takes a good part of a small file's time: everybody else comes first; on Linux
# a core that does nothing else even counts as free. Some hosts forbid asking.
_GIVE_WAY_AND_WRITE = """
import os
try:
    os.nice(19)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
except (OSError, AttributeError):
    pass
from tracker.ledger.export_process import main
main()
"""


class NotWritten(Exception):
    """The file could not be written; the text says why in a few words."""


def write(file: IO[bytes], url: str, slug: str, month: Month | None, live: bool, form: str) -> None:
    """Writes a campaign's entries, or a month's, to a file that is open and empty. Raises NotWritten."""
    until = time.monotonic() + MOST_SECONDS
    asked = {"url": url, "slug": slug, "month": str(month or ""), "live": live, "form": form}
    if not _one_at_a_time.acquire(timeout=MOST_SECONDS):
        raise NotWritten("another file is still being written")
    try:
        _write(file, asked, until)
    except OSError as error:
        raise NotWritten(f"no process for it: {error.strerror}") from None
    finally:
        _one_at_a_time.release()


def _write(file: IO[bytes], asked: dict[str, Any], until: float) -> None:
    # What to write goes through a pipe: arguments can be read by everybody on the machine, and there may be a password.
    # Started beside our package, so that it is this one that is found. In a group of its own: Ctrl-C is for the server.
    with subprocess.Popen(  # noqa: S603 - our own words, and without a shell
        [sys.executable, "-c", _GIVE_WAY_AND_WRITE],
        stdin=subprocess.PIPE,
        stdout=file,
        cwd=Path(__file__).parents[2],
        process_group=0,
    ) as process:
        try:
            assert process.stdin
            process.stdin.write(json.dumps(asked).encode() + b"\n")
            process.stdin.flush()
            # The pipe stays open, for it to see when we are gone.
            code = process.wait(max(0.0, until - time.monotonic()))
        except subprocess.TimeoutExpired:
            raise NotWritten("it took too long") from None
        finally:
            process.kill()
    if code:
        raise NotWritten(f"its process ended with {code}")


# --- In the process of its own ----------------------------------------------------------------------------------------


def main() -> None:
    """Reads what to write from standard input, and writes it to standard output."""
    asked = json.loads(sys.stdin.buffer.readline())
    threading.Thread(target=_end_with_the_server, daemon=True).start()
    from flask import Flask

    from tracker.ledger import campaigns, export_files, export_rows, store

    app = Flask("tracker")
    store.init_app(app, asked["url"])
    with app.app_context(), store.reading() as connection:
        campaign = campaigns.find(connection, asked["slug"])
        if campaign is None:
            raise SystemExit(f"There is no campaign “{asked['slug']}”.")
        month = parse_month(asked["month"]) if asked["month"] else None
        export_files.write(
            export_rows.rows(connection, campaign, month, asked["live"]), asked["form"], sys.stdout.buffer
        )
        sys.stdout.buffer.flush()


def _end_with_the_server() -> None:
    # Nothing more is ever sent: what is read is that the other end is gone.
    os.read(sys.stdin.fileno(), 1)
    os._exit(1)
