"""Whoever writes at the same moment shares one transaction, and with it one wait for the disk.

The first in line writes for all who stand behind it by then; those who come meanwhile are the next one's. Nobody gets
an answer before the commit, and whatever goes wrong with it goes wrong for all of them.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import current_app
from sqlalchemy import Connection

from tracker.ledger.store import writing

Came = TypeVar("Came")

# How many may wait at once: well below what the server lets in, so that supporters find room beside a burst of deliveries.
MOST = 40
# How long one waits for its turn. Longer than a writer waits for another program (store.BUSY_SECONDS), so that only a
# database that says nothing at all uses it up.
PATIENCE_SECONDS = 15.0


class QueueFull(Exception):
    """More are waiting to write than may, or for longer; nothing was written for whoever is told so."""


class _Stumbled(Exception):
    """One of them raised, so nobody's is kept before it is done again with each apart."""


class _Turn:
    """What one of them writes, and what came of it."""

    def __init__(self, write: Callable[[Connection], Any]) -> None:
        self.write = write
        # Let go by whoever calls; an Event would cost several times as much.
        self.called = threading.Lock()
        self.called.acquire()
        self.over = False
        self.came: Any = None
        self.trouble: BaseException | None = None


class _Line:
    """Those who wait, in the order in which they came; `led` while somebody writes."""

    def __init__(self) -> None:
        self.gate = threading.Lock()
        self.places = threading.BoundedSemaphore(MOST)
        self.turns: list[_Turn] = []
        self.led = False


def write_in_group(write: Callable[[Connection], Came]) -> Came:
    """What `write` returns, once it is committed. It gets the transaction, which others may share, and commits nothing.

    Raises what `write` raised, when nothing of it was kept while the others' was; what the database raised when
    nobody's was kept; or QueueFull. May run in the thread of any of those who wait.
    """
    line = cast(_Line, current_app.extensions.setdefault("line", _Line()))
    if not line.places.acquire(blocking=False):
        raise QueueFull
    try:
        turn = _Turn(write)
        with line.gate:
            line.turns.append(turn)
            first, line.led = not line.led, True
        if not first:
            _wait(line, turn)
        if not turn.over:
            _lead(line)
    finally:
        line.places.release()
    if turn.trouble is not None:
        raise turn.trouble
    return cast(Came, turn.came)


def _wait(line: _Line, turn: _Turn) -> None:
    """Until it is called, to lead or because it is over. Raises QueueFull where nobody has begun with it in time."""
    if turn.called.acquire(timeout=PATIENCE_SECONDS):
        return
    with line.gate:
        if turn in line.turns:
            # Called to lead in this very moment, it must come: all the others wait for it.
            if turn.called.acquire(blocking=False):
                return
            line.turns.remove(turn)
            raise QueueFull
    turn.called.acquire()


def _lead(line: _Line) -> None:
    """Writes for all who are in line, and calls the next one to lead those who came meanwhile."""
    with line.gate:
        turns, line.turns = line.turns, []
    try:
        try:
            _write(turns, apart=False)
        except _Stumbled:
            # Rare, so that all the others are spared two statements each.
            _write(turns, apart=True)
    except BaseException as trouble:
        for turn in turns:
            turn.trouble = turn.trouble or trouble
    with line.gate:
        line.led = bool(line.turns)
        for turn in line.turns[:1]:
            turn.called.release()
    for turn in turns:
        turn.over = True
        turn.called.release()


def _write(turns: list[_Turn], *, apart: bool) -> None:
    """One after the other in one transaction. Apart, whoever stumbles is taken back alone, and the others' still counts."""
    with writing() as connection:
        for turn in turns:
            if apart:
                connection.exec_driver_sql("SAVEPOINT turn")
            try:
                turn.came = turn.write(connection)
            except Exception as trouble:
                if not apart:
                    raise _Stumbled from trouble
                # Raises where the database has given up the whole transaction: then it went wrong for all.
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT turn")
                turn.trouble = trouble
            if apart:
                connection.exec_driver_sql("RELEASE SAVEPOINT turn")
