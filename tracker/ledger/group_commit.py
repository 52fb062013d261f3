"""Group commit: whoever writes at the same moment shares one transaction, and with it one wait for the disk.

The first to come writes for everybody who is waiting by then; those who come meanwhile are the next one's. Nobody gets an
answer before the commit, and whatever goes wrong with it goes wrong for all of them.
"""

import threading
from collections.abc import Callable
from typing import Any, TypeVar, cast

from flask import current_app
from sqlalchemy.orm import Session

from tracker.ledger.store import writing

Result = TypeVar("Result")

# How many may wait at once: well below what the server lets in, so that supporters find room beside a burst of deliveries.
MOST = 40
# How long one waits to be written. Longer than a writer waits for another program (store.BUSY_SECONDS), so that only a
# database that says nothing at all uses it up.
PATIENCE_SECONDS = 15.0


class QueueFull(Exception):
    """More are waiting to write than may, or for longer; nothing was written for whoever is told so."""


class _Failed(Exception):
    """One of them raised, so nobody's is kept before it is done again with each apart."""


class _Job:
    """What one of them writes, and what came of it."""

    def __init__(self, write: Callable[[Session], Any]) -> None:
        self.write = write
        self.done = False
        self.result: Any = None
        self.error: BaseException | None = None


class _Queue:
    def __init__(self) -> None:
        self.places = threading.BoundedSemaphore(MOST)
        self.jobs: list[_Job] = []
        self.lock = threading.Lock()
        """Held for a moment by whoever changes `jobs`."""
        self.writer = threading.Lock()
        """Held by the one who writes for all, until the commit."""


def write_in_group(write: Callable[[Session], Result]) -> Result:
    """What `write` returns, once it is committed. It gets the transaction, which others may share, and commits nothing.

    Raises what `write` raised, when nothing of it was kept while the others' was; what the database raised when
    nobody's was kept; or QueueFull. May run in the thread of any of those who wait.
    """
    queue = cast(_Queue, current_app.extensions.setdefault("write_queue", _Queue()))
    if not queue.places.acquire(blocking=False):
        raise QueueFull
    try:
        job = _Job(write)
        with queue.lock:
            queue.jobs.append(job)
        _wait(queue, job)
        try:
            if not job.done:
                with queue.lock:
                    jobs, queue.jobs = queue.jobs, []
                _write_all(jobs)
        finally:
            queue.writer.release()
    finally:
        queue.places.release()
    if job.error is not None:
        raise job.error
    return cast(Result, job.result)


def _wait(queue: _Queue, job: _Job) -> None:
    """Until nobody else is writing: then the job is done, or has to be. Raises QueueFull if it was not begun in time."""
    if queue.writer.acquire(timeout=PATIENCE_SECONDS):
        return
    with queue.lock:
        if job in queue.jobs:
            queue.jobs.remove(job)
            raise QueueFull
    # It is being written, so it has to be waited for.
    queue.writer.acquire()


def _write_all(jobs: list[_Job]) -> None:
    try:
        try:
            _write(jobs, apart=False)
        except _Failed:
            # Rare, so that all the others are spared two statements each.
            _write(jobs, apart=True)
    except BaseException as error:
        for job in jobs:
            job.error = job.error or error
    for job in jobs:
        job.done = True


def _write(jobs: list[_Job], *, apart: bool) -> None:
    """One after the other in one transaction. Apart, whoever fails is taken back alone, and the others' still counts."""
    with writing() as session:
        connection = session.connection()
        for job in jobs:
            if apart:
                connection.exec_driver_sql("SAVEPOINT job")
            try:
                job.result = job.write(session)
            except Exception as error:
                if not apart:
                    raise _Failed from error
                # Raises where the database has given up the whole transaction: then it went wrong for all.
                connection.exec_driver_sql("ROLLBACK TO SAVEPOINT job")
                job.error = error
            if apart:
                connection.exec_driver_sql("RELEASE SAVEPOINT job")
