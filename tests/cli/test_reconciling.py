"""Without a single webhook, asking Stripe gives the same book row for row; and every planted gap is found."""

from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from account import DAY, Account, a_rich_month
from sqlalchemy import delete, select

from tracker.cli.reconciling import Progress, Reconciliation, Report
from tracker.gateway.history import History
from tracker.ledger import models, proof
from tracker.ledger.store import reading, writing

from .conftest import SINCE

# In an order in which they can be emptied.
TABLES = ("supporter", "settlement", "support", "alias", "waiting", "delivery", "month_total", "entry")
OF_THIS_RUN = {"id", "recorded_at", "chain", "told_at"}
NOW = datetime.now(SINCE.tzinfo)


def rows(name: str) -> list[dict[str, Any]]:
    """Every row of a table without what differs from one recording to the next."""
    table = models.db.metadata.tables[name]
    columns = [column for column in table.c if column.name not in OF_THIS_RUN]
    with reading() as connection:
        found = [dict(row._mapping) for row in connection.execute(select(*columns))]
    return sorted(found, key=repr)


def the_book() -> dict[str, list[dict[str, Any]]]:
    return {name: rows(name) for name in ("entry", "month_total", "alias", "settlement", "support", "supporter")}


def empty_the_book() -> None:
    with writing() as connection:
        for name in TABLES:
            connection.execute(delete(models.db.metadata.tables[name]))


def reconciled(
    history: History, *, since: datetime = SINCE, dry_run: bool = False, folder: Path | None = None
) -> Report:
    report = Reconciliation(history, Progress(folder, since), NOW, live=False, dry_run=dry_run).run()
    with reading() as connection:
        assert proof.differences(connection) == []
        assert proof.tampered(connection) == []
    return report


@pytest.fixture
def told(hooked: Account) -> dict[str, list[dict[str, Any]]]:
    """The book as webhooks alone have written it."""
    a_rich_month(hooked)
    return the_book()


def test_with_webhooks_on_there_is_nothing_to_find(told: dict[str, Any], history: History) -> None:
    report = reconciled(history)
    assert (dict(report.missing), report.wrong, dict(report.waiting)) == ({}, {}, {})
    assert the_book() == told


def test_without_webhooks_the_book_is_the_same_row_for_row(told: dict[str, Any], history: History) -> None:
    assert len(told["entry"]) > 35
    assert len(told["settlement"]) >= len(told["entry"]) - 5
    empty_the_book()
    report = reconciled(history)
    assert the_book() == told
    assert not report.wrong
    again = reconciled(history)
    assert (dict(again.missing), again.wrong) == ({}, {})
    assert the_book() == told


def test_when_the_events_are_gone_the_objects_alone_tell_the_same(
    told: dict[str, Any], hooked: Account, history: History
) -> None:
    empty_the_book()
    # Events can be listed for thirty days.
    hooked.sandbox.set_clock(hooked.clock + 60 * DAY)
    report = reconciled(history)
    assert not sum(report.undelivered.values())
    assert the_book() == told
