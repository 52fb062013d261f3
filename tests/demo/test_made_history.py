"""The history that the demo begins with, as it stands in its database: nothing is empty, and everything ties out."""

import json
import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from flask import Flask
from ready_made import made_once, play_the_demo

from tracker import create_app
from tracker.demo import instance as demo
from tracker.demo.local_server import LOCAL, serving
from tracker.gateway.stripe_history import History
from tracker.giving.campaign import Campaign
from tracker.ledger import (
    appeals,
    balance_transactions,
    campaigns,
    month_closing,
    offline_gifts,
    results,
    store,
    supporters,
    visits,
)
from tracker.ledger.models import closed_entry, entry, pending_fetch, waiting
from tracker.ledger.results import MonthResult
from tracker.ledger.store import reading
from tracker.reconcile.sync import Progress, Reconciliation
from tracker.reconcile.tie_out import orphans, tie_out
from tracker.sandbox import Sandbox, create_sandbox
from tracker.settings import read_settings
from tracker.web.site import VERSION, mark


@pytest.fixture(scope="module")
def folder(shared: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    copied = tmp_path_factory.mktemp("made") / "demo"
    shutil.copytree(made_once(shared / "played", play_the_demo), copied)
    return copied


@pytest.fixture(scope="module")
def made(folder: Path) -> Iterator[Flask]:
    places = demo.Places(folder, app=5000, sandbox=5001, news=5002)
    app = create_app(read_settings(demo.environment(places)), background=False)
    with app.app_context():
        yield app
    store.close(app)


@pytest.fixture(scope="module")
def newsroom(made: Flask) -> Campaign:
    with reading() as session:
        found = campaigns.find(session, "newsroom")
    assert found
    return found


@pytest.fixture(scope="module")
def months(newsroom: Campaign) -> list[MonthResult]:
    """Newest first."""
    with reading() as session:
        return results.results(session, newsroom, False, datetime.now(UTC))


def test_every_total_is_the_sum_of_its_entries_and_nothing_waits(made: Flask) -> None:
    with reading() as session:
        assert month_closing.differences(session) == []
        assert appeals.differences(session) == []
        assert month_closing.tampered(session) == []
        for table in (waiting, pending_fetch):
            assert session.execute(table.select()).all() == []


def test_every_entry_has_its_fee_and_its_payout_but_for_the_newest(made: Flask) -> None:
    now = datetime.now(UTC)
    with reading() as session:
        assert balance_transactions.without(session, False, now) == (0, None)
        assert orphans(session, False) == []
        tied = tie_out(session, "2021-01", False)
    assert [month.month for month in tied if month.difference or month.pending_count or month.unequal] == []
    assert len(tied) == 26
    # Only what was given, or came back, in the last ten days may still be on its way.
    recent = {f"{now - timedelta(days=days):%Y-%m}" for days in range(11)}
    assert {month.month for month in tied if any(one.not_paid_out for one in month.settled)} <= recent
    assert all(one.fee > 0 and one.payouts for month in tied[:-1] for one in month.settled)


def test_two_months_are_closed_with_all_their_fees_and_were_corrected_later(months: list[MonthResult]) -> None:
    assert [place for place, month in enumerate(months) if month.closed] == [2, 3]
    with reading() as session:
        kept = session.execute(
            closed_entry.select().join(entry, entry.c.key == closed_entry.c.key).where(entry.c.kind != "offline")
        ).all()
        assert len(kept) > 60
        assert [one for one in kept if one.fee is None or not one.payout] == []
        later = session.execute(entry.select().where(entry.c.month != entry.c.belongs_to).order_by(entry.c.at)).all()
    booked = [(one.kind, one.amount > 0, one.belongs_to, one.month) for one in later]
    closed = {str(months[place].month): place for place in (1, 2, 3)}
    assert [(kind, back, closed[of], closed[at]) for kind, back, of, at in booked] == [
        ("dispute", False, 3, 2), ("refund", False, 2, 1), ("dispute", True, 3, 1),
    ]  # fmt: skip


def test_every_kind_of_money_is_in_it(newsroom: Campaign, months: list[MonthResult]) -> None:
    sums = [month.sums for month in months]
    for kind in ("once", "monthly", "yearly", "offline", "refunds", "disputes"):
        assert any(getattr(one, kind) for one in sums), kind
    with reading() as session:
        notes = offline_gifts.notes(session, newsroom, months[1].month, False)
        assert len(notes) == 1
        drive, match = appeals.every(session, newsroom, False)[::-1]
        read = visits.by_place(session, newsroom, months[1].month, False)
    assert (drive.kind, match.kind) == ("drive", "match")
    assert drive.raised == match.raised > 0
    assert match.matched == match.amount
    assert drive.gifts >= 8
    assert [one.source for one in read if one.loads and one.clicks and one.given]


def test_what_donors_wrote_is_shown_but_for_the_newest(newsroom: Campaign) -> None:
    with reading() as session:
        assert len(supporters.shown(session, newsroom, False, 100)) >= 9
        assert supporters.waiting(session, newsroom, False) == 2


def test_sync_has_nothing_to_add(folder: Path, made: Flask) -> None:
    sandbox = Sandbox(folder / "sandbox.sqlite3")
    with serving(create_sandbox(sandbox), 0) as server:
        address = f"http://{LOCAL}:{server.server_port}"
        # What is older was asked for in the same way when it was made.
        since = datetime.now(UTC) - timedelta(days=40)
        with History(demo.KEY, api_base=address, version=VERSION, mark=mark()) as history:
            progress = Progress(None, since)
            report = Reconciliation(history, progress, datetime.now(UTC), live=False, dry_run=True).run()
    sandbox.close()
    assert report.looked_at["charge"] > 30
    counted = report.undelivered + report.missing + report.waiting + report.foreign
    assert (counted, report.wrong) == ({}, {})


@pytest.mark.parametrize(("changed", "kept"), [({}, True), ({"schema": "0016"}, False), ({"month": "2026-04"}, False)])
def test_it_is_made_again_in_another_month_and_for_another_version_of_the_program(
    changed: dict[str, str], kept: bool, folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    copied = shutil.copytree(folder, tmp_path / "demo")
    note = copied / "demo.json"
    before = json.loads(note.read_text())
    note.write_text(json.dumps(before | changed))
    # A new one has a history, too, which takes seconds.
    monkeypatch.setattr(demo, "_play", lambda *_: None)
    places = demo.Places(copied, app=5000, sandbox=5001, news=5002)
    after = demo.make(places, demo.environment(places), lambda _: None)
    assert (after == before) is kept
    assert after == before | {"password": after["password"]}
    with closing(sqlite3.connect(copied / "pledgebar.sqlite3")) as database:
        assert database.execute("SELECT version_num FROM alembic_version").fetchone() == (after["schema"],)
