"""The server's log: one line of JSON for each event worth noting, on standard error. It carries ids, never people."""

import sys
import threading
import time
import traceback
from collections import deque
from contextlib import suppress
from multiprocessing.util import Finalize
from typing import TextIO

import structlog
from structlog.typing import EventDict

# How long lines are gathered before they are written together.
PAUSE_SECONDS = 0.01
# How long the end of the process waits for a log that nobody takes.
END_SECONDS = 2.0
# So many may wait where nobody takes them; then the oldest go.
MOST_WAITING = 10_000


def log_as_json(to: TextIO = sys.stderr) -> None:
    """From now on, in this process."""
    lines = Lines(to)
    structlog.configure(
        processors=[
            structlog.processors.add_log_level,
            _name_the_trouble,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=lambda *_: lines,
    )


def _name_the_trouble(_logger: object, _method: str, line: EventDict) -> EventDict:
    """What was raised and where, without its words: they may quote what a donor wrote."""
    if line.pop("exc_info", None) and (trouble := sys.exception()):
        line["error"] = type(trouble).__qualname__
        line["where"] = [f"{at.filename}:{at.lineno} {at.name}" for at in traceback.extract_tb(trouble.__traceback__)]
    return line


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
