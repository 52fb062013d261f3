"""The completed runs of `tracker sync`: when, since which day, what they added, and whether everything was right."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select
from sqlalchemy.orm import Session

from tracker.ledger.editor_models import sync_run

# A run every hour since the beginning of the month before last.
MOST = 2500


@dataclass(frozen=True)
class SyncRun:
    """One run. Everything that it recorded has `began_at` as its time."""

    live: bool
    since: datetime
    began_at: datetime
    ended_at: datetime
    mended: int
    """How many facts were missing here and were recorded."""
    wrong: int
    untied: int
    """How many months, and lines outside any month, did not tie out with Stripe's balance."""

    @property
    def is_clean(self) -> bool:
        return not self.wrong and not self.untied


def keep(session: Session, run: SyncRun) -> None:
    session.execute(insert(sync_run).values(**vars(run)))


def since(session: Session, live: bool, moment: datetime) -> list[SyncRun]:
    """The runs that began at that moment or later, the newest first."""
    these = select(sync_run).where(sync_run.c.live == live, sync_run.c.began_at >= moment)
    return [_run(row) for row in session.execute(these.order_by(sync_run.c.began_at.desc()).limit(MOST))]


def newest(session: Session, live: bool) -> SyncRun | None:
    """The newest run, whatever its result."""
    row = session.execute(
        select(sync_run).where(sync_run.c.live == live).order_by(sync_run.c.began_at.desc()).limit(1)
    ).one_or_none()
    return None if row is None else _run(row)


def _run(row: Any) -> SyncRun:
    return SyncRun(row.live, row.since, row.began_at, row.ended_at, row.mended, row.wrong, row.untied)


def reach_over(runs: Iterable[SyncRun], begin: datetime, end: datetime) -> bool:
    """Whether clean runs, taken together, asked Stripe for everything from `begin` to `end`."""
    reached = begin
    for run in sorted((run for run in runs if run.is_clean), key=lambda run: run.since):
        if run.since > reached:
            return False
        reached = max(reached, run.began_at)
        if reached >= end:
            return True
    return False
