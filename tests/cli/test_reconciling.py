"""Without a single webhook, asking Stripe gives the same book row for row; and every planted gap is found."""

import os
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from random import Random
from typing import Any

import pytest
from account import DAY, SINCE, Account, a_rich_month
from actors import NEWSROOM, each
from flask import Flask
from sqlalchemy import delete, insert, select, update

from tracker.gateway.stripe_history import Found, History, HistoryUnavailable
from tracker.giving.facts import Gift
from tracker.ledger import campaigns, models, month_closing
from tracker.ledger.book import record, retry_pending_for_campaign
from tracker.ledger.store import reading, writing
from tracker.reconcile.sync import LINES, Progress, Reconciliation, Report
from tracker.settings import Settings

# In an order in which they can be emptied.
TABLES = (
    "supporter", "settlement", "support", "alias", "waiting", "delivery", "payout_line", "pending_fetch", "month_total", "entry",
)  # fmt: skip
OF_THIS_RUN = {"id", "recorded_at", "chain", "told_at", "rank"}
NOW = datetime.now(SINCE.tzinfo)
# More than one page of a list; all of them with `make test-long`.
GIFTS = 10_000 if os.environ.get("TEST_LONG") else 120
# After how many batches a run is interrupted: in each kind of list.
CALLS = [1, 2, 4, 5, 7, 9, 11, 13] if os.environ.get("TEST_LONG") else [1, 4, 9, 13]


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
        assert month_closing.differences(connection) == []
        assert month_closing.tampered(connection) == []
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


# --- Planted gaps -----------------------------------------------------------------------------------------------------


@pytest.fixture
def many(account: Account, newsroom: Flask, history: History) -> Account:
    """Many gifts in twenty days, some of them refunded, and all of them in the book."""
    for number in range(GIFTS):
        paid = account.gives(1000 + number)
        if number % 20 == 0:
            account.refunds(paid, 300)
        account.clock += 20 * DAY // GIFTS
        account.sandbox.set_clock(account.clock)
    report = run(history, dry_run=False)
    assert (report.missing["gift"], report.missing["refund"]) == (GIFTS, GIFTS // 20)
    return account


@dataclass(frozen=True)
class Planted:
    dropped: set[str]
    corrupted: dict[str, int]
    phantoms: set[str]


def plant(seed: int) -> Planted:
    """Five per cent of the gifts are gone with all that hangs on them, one is another amount, and one never was."""
    dice = Random(seed)
    entry, by_key = models.entry, models.entry.c.key
    with writing() as connection:
        keys = list(connection.scalars(select(by_key).where(entry.c.kind == "once").order_by(entry.c.id)))
        chosen = dice.sample(keys, len(keys) * 6 // 100)
        dropped, corrupted = chosen[: len(keys) // 20], chosen[len(keys) // 20 :]
        gone = list(connection.scalars(select(by_key).where(entry.c.gift_key.in_(dropped))))
        connection.execute(delete(models.settlement).where(models.settlement.c.entry_key.in_(gone)))
        connection.execute(delete(models.alias).where(models.alias.c.gift_key.in_(dropped)))
        connection.execute(delete(entry).where(by_key.in_(gone)))
        rows_before = connection.execute(select(by_key, entry.c.told).where(by_key.in_(corrupted)))
        before = {row.key: row.told for row in rows_before}
        for key, told in before.items():
            connection.execute(update(entry).where(by_key == key).values(told=told * 10, amount=told * 10))
        kept = next(key for key in keys if key not in chosen)
        real = dict(connection.execute(select(entry).where(by_key == kept)).one()._mapping)
        del real["id"]
        phantoms = {f"cs_test_phantom{number}" for number in range(len(keys) // 100)}
        for key in phantoms:
            connection.execute(insert(entry).values(real | {"key": key, "gift_key": key}))
        month_closing.rebuild(connection)
        connection.execute(delete(models.delivery))
    return Planted(set(gone), before, phantoms)


def run(history: History, *, dry_run: bool, folder: Path | None = None) -> Report:
    return Reconciliation(history, Progress(folder, SINCE), NOW, live=False, dry_run=dry_run).run()


def keys_of(report: Report) -> set[str]:
    return {line.split()[5] for line in report.lines}


def test_every_planted_gap_is_found_and_none_invented(many: Account, history: History, settings: Settings) -> None:
    complete = the_book()
    planted = plant(seed=10)
    assert len(planted.dropped) >= GIFTS // 20
    assert len(planted.corrupted) == len(planted.phantoms) == GIFTS // 100
    damaged = the_book()

    before = run(history, dry_run=True)
    assert keys_of(before) <= planted.dropped
    assert len(before.lines) == min(LINES, len(planted.dropped))
    assert before.missing["gift"] == GIFTS // 20
    assert before.missing["gift"] + before.missing["refund"] == len(planted.dropped)
    assert set(before.wrong) == planted.corrupted.keys() | planted.phantoms
    assert the_book() == damaged
    assert list(settings.instance.glob("sync*")) == []

    # In the middle of it Stripe limits how often it may be asked, again and again.
    many.sandbox.faults.answers = ["ok", "ok", 429, 429] * 4
    report = run(history, dry_run=False, folder=settings.instance)
    assert many.sandbox.faults.answers == []
    assert report == before
    for key, told in planted.corrupted.items():
        assert report.wrong[key] == f"the book has {told * 10} USD, Stripe {told} USD"
    for name in ("alias", "settlement", "supporter", "support"):
        assert the_book()[name] == complete[name]
    mended = [row for row in the_book()["entry"] if row["key"] not in report.wrong]
    assert mended == [row for row in complete["entry"] if row["key"] not in planted.corrupted]

    again = run(history, dry_run=False, folder=settings.instance)
    assert (dict(again.missing), again.wrong) == ({}, report.wrong)


def test_what_began_before_the_day_and_moved_money_after_it_is_no_phantom(hooked: Account, history: History) -> None:
    refunded, disputed = hooked.gives(1000), hooked.gives(2000)
    refund, dispute = hooked.refunds(refunded), hooked.disputes(disputed)
    hooked.passes(20 * DAY)
    since = datetime.fromtimestamp(hooked.clock - DAY, SINCE.tzinfo)
    hooked.refund_fails(refund)
    hooked.decides(dispute, won=True)
    # So long ago that no list has them any more, whatever its leeway.
    for kind in ("refund", "dispute"):
        for about in hooked.sandbox.store.newest(kind):
            about["created"] -= 400 * DAY
    report = reconciled(history, since=since)
    assert (dict(report.missing), report.wrong) == ({}, {})


def test_other_mode_and_cheques_are_no_phantoms(account: Account, newsroom: Flask, history: History) -> None:
    at = datetime.fromtimestamp(account.clock, SINCE.tzinfo)
    with writing() as connection:
        for key, kind, live in (("cheque-1", "offline", False), ("cs_live_1", "once", True)):
            record(connection, Gift(key, kind, "newsroom", 500, "USD", at, live), NOW)  # type: ignore[arg-type]
    assert reconciled(history).wrong == {}


def test_the_key_of_another_account_is_no_flood_of_phantoms(
    account: Account, newsroom: Flask, history: History, settings: Settings
) -> None:
    at = datetime.fromtimestamp(account.clock, SINCE.tzinfo)
    with writing() as connection:
        for number in range(30):
            record(connection, Gift(f"cs_{number}", "once", "newsroom", 500, "USD", at, False), NOW)
    with pytest.raises(HistoryUnavailable, match="the same account"):
        run(history, dry_run=False, folder=settings.instance)
    # Where Stripe knows some of the book it is the same account, and the others are phantoms.
    account.gives(1000)
    assert len(run(history, dry_run=False).wrong) == 30


def test_money_of_a_campaign_that_is_not_known_waits(account: Account, newsroom: Flask, history: History) -> None:
    account.refunds(account.gives(1000, campaign="elsewhere"), 300)
    report = reconciled(history)
    assert (report.waiting["gift"], dict(report.missing), report.wrong) == (1, {}, {})
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="elsewhere"))
        retry_pending_for_campaign(connection, "elsewhere", NOW)
    assert {row["told"] for row in rows("entry")} == {1000, -300}
    report = reconciled(history)
    assert set(report.missing) == {"settlement"}


# --- Interrupted, limited, unreachable --------------------------------------------------------------------------------


@pytest.fixture
def some(hooked: Account) -> dict[str, list[dict[str, Any]]]:
    """The book as webhooks alone have written it: gifts once and monthly, refunds, and a payout."""
    for number in range(5):
        paid = hooked.gives(1000 + number, monthly=number % 2 == 0)
        hooked.passes(DAY)
        hooked.refunds(paid, 100 + number)
    hooked.passes(4 * DAY)
    hooked.pays_out()
    return the_book()


@each("calls", CALLS)
def test_an_interrupted_run_goes_on_and_the_book_is_the_same(
    some: dict[str, Any], history: History, settings: Settings, monkeypatch: pytest.MonkeyPatch, calls: int
) -> None:
    empty_the_book()
    monkeypatch.setattr("tracker.gateway.stripe_history.PAGE", 2)
    with monkeypatch.context() as patched:
        left = calls

        def take(self: Reconciliation, batch: list[Found]) -> list[str]:
            nonlocal left
            left -= 1
            if left < 0:
                raise KeyboardInterrupt
            return real(self, batch)

        real = Reconciliation._take
        patched.setattr(Reconciliation, "_take", take)
        with pytest.raises(KeyboardInterrupt):
            run(history, dry_run=False, folder=settings.instance)
    progress = Progress(settings.instance, SINCE)
    assert progress.resumed
    report = Reconciliation(history, progress, NOW, live=False, dry_run=False).run()
    assert (report.missing["gift"], report.missing["refund"], report.wrong) == (5, 5, {})
    assert the_book() == some
    assert list(settings.instance.glob("sync*")) == []


def test_progress_of_a_run_since_another_day_is_dropped(tmp_path: Path) -> None:
    Progress(tmp_path, SINCE).note("charge", "ch_1", ["cs_1"])
    assert Progress(tmp_path, SINCE).seen == {"cs_1"}
    assert Progress(tmp_path, SINCE).cursor == "ch_1"
    other = Progress(tmp_path, NOW)
    assert (other.resumed, other.step, other.seen) == (False, "event", set())


def test_a_storm_of_limits_is_waited_out(hooked: Account, history: History) -> None:
    a_rich_month(hooked)
    told = the_book()
    empty_the_book()
    hooked.sandbox.faults.answers = ["ok", 429, 429, 429, "ok", 500, 429, 503, "ok", 429, "cut", 429] * 3
    reconciled(history)
    assert the_book() == told


def test_limits_without_end_are_said_in_a_line_and_nothing_is_lost(
    account: Account, newsroom: Flask, settings: Settings
) -> None:
    account.gives(1000)
    waited: list[float] = []
    with History("sk_test_123", api_base=account.url, version="0", sleep=waited.append) as impatient:
        account.sandbox.faults.answers = ["ok"] * 3 + [429] * 8
        with pytest.raises(HistoryUnavailable, match="limits how often"):
            run(impatient, dry_run=False, folder=settings.instance)
        assert len(waited) == 7
        assert 30 < sum(waited) < 130
        assert waited == sorted(waited) or max(waited) <= 37.5
        account.sandbox.faults.answers = []
        run(impatient, dry_run=False, folder=settings.instance)
    assert [row["told"] for row in rows("entry")] == [1000]
