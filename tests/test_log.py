"""The server's log: whole lines, in order, and all of them when a process ends."""

import io
import json
import multiprocessing
import subprocess
import sys
import threading
import time
from pathlib import Path

from tracker.server.log import Lines

TOLD = """
import structlog
from tracker.server.log import log_as_json
log_as_json()
for number in range({count}):
    structlog.get_logger().info("hook.kept", number=number)
"""


def test_each_event_is_a_line_of_json_in_its_order_and_none_is_lost_at_the_end() -> None:
    done = subprocess.run([sys.executable, "-c", TOLD.format(count=500)], stderr=subprocess.PIPE, text=True, check=True)
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    assert [line["number"] for line in lines] == list(range(500))
    assert {(line["event"], line["level"]) for line in lines} == {("hook.kept", "info")}
    assert all(line["timestamp"].endswith("Z") for line in lines)


def _tell(path: str) -> None:
    with Path(path).open("w", encoding="utf-8") as file:
        Lines(file).msg("the last one")
        # Ends as a worker of the server does, without the file being closed by us.
        multiprocessing.util._exit_function()


def test_a_worker_process_writes_its_last_line(tmp_path: Path) -> None:
    worker = multiprocessing.get_context("spawn").Process(target=_tell, args=(str(tmp_path / "log"),))
    worker.start()
    worker.join(60)
    assert worker.exitcode == 0
    assert (tmp_path / "log").read_text() == "the last one\n"


STUCK = """
import os, sys, time
import structlog
from tracker.server.log import log_as_json
reading, writing = os.pipe()
log_as_json(os.fdopen(writing, "w"))
for number in range(2000):
    structlog.get_logger().info("hook.kept", number=number, padding="x" * 100)
time.sleep(0.5)
structlog.get_logger().info("one more")
"""


def test_a_log_that_nobody_takes_does_not_keep_a_process_from_ending() -> None:
    subprocess.run([sys.executable, "-c", STUCK], check=True, timeout=60)


RAISED = """
import structlog
from tracker.server.log import log_as_json
log_as_json()

def reads(name):
    raise ValueError(f"{name} is no campaign")

try:
    reads("Ada Lovelace")
except ValueError:
    structlog.get_logger().exception("bars.stumbled", id="x")
"""


def test_what_was_raised_is_named_with_its_place_and_without_its_words() -> None:
    done = subprocess.run([sys.executable, "-c", RAISED], stderr=subprocess.PIPE, text=True, check=True)
    line = json.loads(done.stderr)
    assert (line["event"], line["level"], line["id"], line["error"]) == ("bars.stumbled", "error", "x", "ValueError")
    assert [place.rpartition(" ")[2] for place in line["where"]] == ["<module>", "reads"]
    assert "Ada" not in done.stderr


def test_a_line_is_written_soon_and_nobody_waits_for_it() -> None:
    held, written = threading.Event(), threading.Event()

    class Slow(io.StringIO):
        def write(self, text: str) -> int:
            held.wait(30)
            done = super().write(text)
            written.set()
            return done

    to = Slow()
    lines = Lines(to)
    lines.info("one")
    time.sleep(0.05)
    lines.info("two")
    assert to.getvalue() == ""
    held.set()
    assert written.wait(30)
    for _ in range(3000):
        if to.getvalue() == "one\ntwo\n":
            break
        time.sleep(0.01)
    assert to.getvalue() == "one\ntwo\n"


def test_a_log_on_a_full_disk_goes_on_when_there_is_room_again() -> None:
    class Full(io.StringIO):
        full = True

        def write(self, text: str) -> int:
            if self.full:
                tried.set()
                raise OSError(28, "No space left on device")
            return super().write(text)

    to, tried = Full(), threading.Event()
    lines = Lines(to)
    lines.warning("lost")
    assert tried.wait(30)
    to.full = False
    lines.warning("kept")
    for _ in range(3000):
        if "kept" in to.getvalue():
            break
        time.sleep(0.01)
    assert to.getvalue() == "kept\n"


EVERYTHING = """
import gc, logging, sys, threading, warnings
import structlog
from granian.log import LogLevels, configure_logging
from tracker.server.log import GRANIAN, log_as_json
configure_logging(LogLevels.info, GRANIAN)
log_as_json()
logging.getLogger("_granian").warning("Configuration allows spawning up to 128 Python threads, which seems quite high")
logging.getLogger("_granian").info("Listening at: http://127.0.0.1:5000")
logging.getLogger("_granian.workers").error(
    'Application callable raised an exception\\nTraceback (most recent call last):\\n'
    '  File "/x/app.py", line 7, in give\\n    raise ValueError(name)\\nValueError: Ada Lovelace'
)
logging.getLogger("sqlalchemy.pool").error("Exception for %s", "Ada Lovelace")
try:
    raise KeyError("Ada Lovelace")
except KeyError:
    logging.getLogger("flask.app").exception("Exception on %s", "/c/Ada-Lovelace")
logging.getLogger("alembic").info("Running upgrade for Ada Lovelace")
warnings.warn("Ada Lovelace is deprecated", UserWarning)

def breaks():
    raise RuntimeError("Ada Lovelace")

thread = threading.Thread(target=breaks)
thread.start()
thread.join()

class Falls:
    def __del__(self):
        raise OSError("Ada Lovelace")

Falls()
gc.collect()
raise TypeError("Ada Lovelace")
"""


def test_whatever_any_package_says_is_a_line_of_json_without_peoples_words() -> None:
    done = subprocess.run([sys.executable, "-c", EVERYTHING], stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode == 1
    assert "Ada" not in done.stderr
    lines = [json.loads(line) for line in done.stderr.splitlines()]
    told = [(line["event"], line["level"], line.get("error", ""), line.get("message", "")) for line in lines]
    assert told == [
        ("granian", "info", "", "Listening at: http://127.0.0.1:5000"),
        ("granian.workers", "error", "ValueError", "Application callable raised an exception"),
        ("sqlalchemy.pool", "error", "", "Exception for %s"),
        ("flask.app", "error", "KeyError", "Exception on %s"),
        ("python.warning", "warning", "", ""),
        ("python.uncaught", "error", "RuntimeError", ""),
        ("python.uncaught", "error", "OSError", ""),
        ("python.uncaught", "error", "TypeError", ""),
    ]
    assert lines[1]["where"] == ["/x/app.py:7 give"]
    assert [line["where"][-1].rpartition(" ")[2] for line in lines[5:]] == ["breaks", "__del__", "<module>"]
    assert lines[4]["category"] == "UserWarning"
    assert all(line["timestamp"].endswith("Z") for line in lines)


def test_a_process_that_starts_others_writes_at_once_and_without_a_thread() -> None:
    told = "import threading\nimport structlog\nfrom tracker.server.log import log_as_json\nlog_as_json(at_once=True)\n"
    told += (
        'structlog.get_logger().info("server.start")\nassert threading.active_count() == 1\nimport os\nos._exit(0)\n'
    )
    done = subprocess.run([sys.executable, "-c", told], stderr=subprocess.PIPE, text=True, check=True)
    assert json.loads(done.stderr)["event"] == "server.start"
