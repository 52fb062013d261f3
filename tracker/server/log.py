"""The server's log: one line of JSON for each event worth noting, on standard error. It carries ids, never people."""

import logging
import re
import sys
import threading
import time
import traceback
import warnings
from collections import deque
from contextlib import suppress
from multiprocessing.util import Finalize
from types import TracebackType
from typing import Any, TextIO

import structlog
from structlog.typing import EventDict

# How long lines are gathered before they are written together.
PAUSE_SECONDS = 0.01
# How long the end of the process waits for a log that nobody takes.
END_SECONDS = 2.0
# So many may wait where nobody takes them; then the oldest go.
MOST_WAITING = 10_000

# For granian, which sets up the loggers of each of its processes by itself: its lines come out as all others do.
GRANIAN = {
    "version": 1,
    "disable_existing_loggers": False,
    "formatters": {},
    "handlers": {"json": {"class": "tracker.server.log.AsJson"}},
    "loggers": {"_granian": {"handlers": ["json"], "level": "INFO", "propagate": False}},
}


def log_as_json(to: TextIO | None = None, *, at_once: bool = False) -> None:
    """From now on everything in this process is a line of JSON: our events, other packages' lines, warnings and tracebacks.

    `at_once` writes each line as it comes, for a process that starts others by forking: no thread survives that.
    """
    to = to or sys.stderr
    lines = structlog.WriteLogger(to) if at_once else Lines(to)
    structlog.configure(
        processors=[
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            _name_the_trouble,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: lines,
    )
    logging.root.handlers = [AsJson()]
    logging.root.setLevel(logging.WARNING)
    warnings.showwarning = _show_warning
    sys.excepthook = _tell_of
    threading.excepthook = lambda hooked: _tell_of(hooked.exc_type, hooked.exc_value, hooked.exc_traceback)
    sys.unraisablehook = lambda hooked: _tell_of(hooked.exc_type, hooked.exc_value, hooked.exc_traceback)


def _name_the_trouble(_logger: object, _method: str, line: EventDict) -> EventDict:
    """What was raised and where, without its words: they may quote what a donor wrote."""
    raised = line.pop("exc_info", None)
    trouble = raised if isinstance(raised, BaseException) else sys.exception() if raised else None
    if trouble:
        line["error"] = type(trouble).__qualname__
        line["where"] = _places(trouble.__traceback__)
    return line


def _places(at: TracebackType | None) -> list[str]:
    return [f"{one.filename}:{one.lineno} {one.name}" for one in traceback.extract_tb(at)]


class AsJson(logging.Handler):
    """What other packages tell Python's own logging, as a line like ours.

    Only their fixed words go into it, not what they fill in, which may be anybody's; granian fills in numbers alone.
    """

    def emit(self, record: logging.LogRecord) -> None:
        granian = record.name.startswith(("_granian", "granian"))
        words = record.getMessage() if granian else str(record.msg)
        first, _, rest = words.strip().partition("\n")
        # It advises against more threads than processors; ours wait most of the time.
        if granian and first.startswith("Configuration allows spawning"):
            return
        line: dict[str, Any] = {"message": first[:500]}
        if record.exc_info and isinstance(record.exc_info[1], BaseException):
            line["exc_info"] = record.exc_info[1]
        elif places := re.findall(r'File "([^"]+)", line ([0-9]+), in (\S+)', rest):
            # A traceback within the message.
            line["where"] = [f"{file}:{number} {name}" for file, number, name in places]
            line["error"] = rest.strip().splitlines()[-1].partition(":")[0]
        level = {"WARNING": "warning", "ERROR": "error", "CRITICAL": "critical"}.get(record.levelname, "info")
        structlog.get_logger().log(logging.getLevelNamesMapping()[level.upper()], record.name.lstrip("_"), **line)


def _show_warning(
    _message: Warning | str, category: type[Warning], filename: str, lineno: int, *_: object, **__: object
) -> None:
    structlog.get_logger().warning("python.warning", category=category.__name__, where=f"{filename}:{lineno}")


def _tell_of(kind: type[BaseException], trouble: BaseException | None, at: TracebackType | None) -> None:
    """What nobody caught."""
    structlog.get_logger().error("python.uncaught", error=kind.__qualname__, where=_places(at))


class Lines:
    """Writes lines in a thread of its own: each that a request wrote itself would have it wait for all other threads.

    All are written when the process ends; when it is killed, those of the last hundredth of a second are lost. What
    was told to Stripe or to a supporter never hangs on them.
    """

    def __init__(self, to: TextIO) -> None:
        self._to = to
        self._waiting: deque[str] = deque(maxlen=MOST_WAITING)
        self._some = threading.Event()
        self._writing = threading.Lock()
        threading.Thread(target=self._write_on, name="log", daemon=True).start()
        # A worker process ends without what atexit would do.
        Finalize(None, self.flush, (END_SECONDS,), exitpriority=0)

    def msg(self, line: str) -> None:
        self._waiting.append(line)
        if not self._some.is_set():
            self._some.set()

    debug = info = warning = error = critical = exception = msg

    def flush(self, patience: float = -1) -> None:
        """Writes what is waiting, unless an earlier write hangs for longer than so many seconds."""
        if not self._writing.acquire(timeout=patience):
            return
        try:
            lines = [self._waiting.popleft() for _ in range(len(self._waiting))]
            if lines:
                self._to.write("".join(f"{line}\n" for line in lines))
                self._to.flush()
        finally:
            self._writing.release()

    def _write_on(self) -> None:
        while True:
            self._some.wait()
            time.sleep(PAUSE_SECONDS)
            self._some.clear()
            # A log on a full disk must stop nobody, nor itself for longer than that.
            with suppress(OSError):
                self.flush()
