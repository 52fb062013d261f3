"""A database that is full is brought up to date with every row and every sum in it."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from actors import NEWSROOM
from flask import Flask
from ledger.schema_0001 import CLOSED, GIFTS, populate
from sqlalchemy import Connection, func, inspect, select, text

from tracker import create_app
from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns, chain, export_rows, month_closing, results, store
from tracker.ledger.models import closed, db, entry
from tracker.ledger.store import reading, writing
from tracker.ledger.user_models import SessionRow, UserRow
from tracker.settings import read_settings

NOW = datetime(2021, 7, 1, tzinfo=UTC)


@pytest.fixture(params=[1, 2])
def seed(request: pytest.FixtureRequest) -> int:
    return int(request.param)


@pytest.fixture(scope="module")
def full() -> dict[tuple[str, int, bool], str]:
    """The URLs of databases that take long to fill, each made once: every test gets a copy of one."""
    return {}


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(
    request: pytest.FixtureRequest,
    seed: int,
    full: dict[tuple[str, int, bool], str],
    tmp_path: Path,
    tmp_path_factory: pytest.TempPathFactory,
) -> str:
    """A full database of the first schema; where a test asks for `new`, brought up to date."""

    def copy(url: str, folder: Path) -> str:
        if request.param == "postgresql":
            made: str = request.getfixturevalue("postgres").new_database(like=url)
            return made
        if url:
            shutil.copy(url.removeprefix("sqlite:///"), folder / "pledgebar.sqlite3")
        return f"sqlite:///{folder / 'pledgebar.sqlite3'}"

    kind, is_new = request.param, "new" in request.fixturenames
    if (kind, seed, False) not in full:
        full[kind, seed, False] = copy("", tmp_path_factory.mktemp("old"))
        _fill(full[kind, seed, False], seed)
    if is_new and (kind, seed, True) not in full:
        full[kind, seed, True] = copy(full[kind, seed, False], tmp_path_factory.mktemp("new"))
        with _opened(full[kind, seed, True]):
            store.upgrade()
    return copy(full[kind, seed, is_new], tmp_path)


def _fill(url: str, seed: int) -> None:
    with _opened(url):
        flask_migrate.upgrade(directory=str(store.MIGRATIONS), revision="0001")
        with writing() as connection:
            populate(connection, seed)


@contextmanager
def _opened(url: str) -> Iterator[Flask]:
    environ = {"TRACKER_DATABASE_URL": url, "TRACKER_SECRET_KEY": "a secret for tests, long enough to keep one"}
    app = create_app(read_settings(environ), background=False)
    with app.app_context():
        yield app
        db.session.remove()
        db.engine.dispose()


@pytest.fixture
def old(database_url: str) -> Iterator[Flask]:
    """The app over a database of the first schema, full."""
    with _opened(database_url) as app:
        yield app


@pytest.fixture
def new(database_url: str) -> Iterator[Flask]:
    """The app over the same, brought up to date."""
    with _opened(database_url) as app:
        yield app


def test_every_row_and_sum_is_kept(old: Flask) -> None:
    with reading() as connection:
        before = _everything(connection)
    assert len(before["entry"]) > GIFTS
    assert all(before.values()), "a table was empty"
    store.upgrade()
    assert store.schema_problem() == ""
    with reading() as connection:
        after = _everything(connection)
        # Everybody could do everything, and is an owner now.
        del before["role"]
        assert [row["name"] for row in after["role"]] == ["owner"]
        for table, rows in before.items():
            kept = [{name: row[name] for name in rows[0]} for row in after[table]]
            assert kept == rows, table
        assert month_closing.differences(connection) == []
        assert month_closing.tampered(connection) == []
        assert db.engine.dialect.name != "sqlite" or not connection.execute(text("PRAGMA foreign_key_check")).all()


def test_names_that_an_earlier_third_step_moved_are_left_as_they_are(old: Flask) -> None:
    flask_migrate.upgrade(directory=str(store.MIGRATIONS), revision="0004")
    with writing() as connection:
        before = _everything(connection)["supporter"]
        for done in (
            "UPDATE alembic_version SET version_num = '0003'",
            "DROP INDEX ix_entry_of_gift",
            "CREATE INDEX ix_entry_gift_key ON entry (gift_key)",
        ):
            connection.execute(text(done))
    store.upgrade()
    assert store.schema_problem() == ""
    with reading() as connection:
        assert before
        after = _everything(connection)["supporter"]
    # Columns have come since, such as whether a name is hidden.
    assert [{name: row[name] for name in before[0]} for row in after] == before


def test_closed_months_know_their_figures_and_how_they_looked(new: Flask) -> None:
    with reading() as connection:
        campaign = campaigns.find(connection, "newsroom")
        assert campaign is not None
        for month in CLOSED:
            summed = select(func.sum(entry.c.amount)).where(
                entry.c.campaign_id == 1, entry.c.month == month, entry.c.live.is_(False), entry.c.currency == "USD"
            )
            found = results.result(connection, campaign, parse_month(month), live=False)
            assert found.closed
            assert found.sums.raised == connection.scalar(summed)
            assert found.campaign_then(replace(campaign, title="New", time_zone="UTC")) == campaign
            rows = list(export_rows.rows(connection, campaign, parse_month(month), live=False))
            assert {payment[:3] for *_, key, payment, _ in rows if key.startswith("cs_")} == {"pi_"}
        assert {row.head for row in connection.execute(select(closed))} == {chain.head(connection)}


def test_what_waited_is_let_in_and_the_book_goes_on(new: Flask) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="sister"))
        book.retry_pending_for_campaign(connection, "sister", NOW)
    with reading() as connection:
        sister = campaigns.find(connection, "sister")
        assert sister is not None
        assert results.result(connection, sister, parse_month("2020-12"), live=False).sums.raised == 4200
        assert month_closing.tampered(connection) == []
        assert month_closing.differences(connection) == []


def test_upgrading_again_changes_nothing(new: Flask) -> None:
    with reading() as connection:
        once = _everything(connection)
    store.upgrade()
    with reading() as connection:
        assert _everything(connection) == once


def _everything(connection: Connection) -> dict[str, list[dict[str, Any]]]:
    """Every row of every table, as plain SQL has it."""
    found = {}
    for table in sorted(set(inspect(connection.connection()).get_table_names()) - {"alembic_version"}):
        rows = [dict(row._mapping) for row in connection.execute(text(f'SELECT * FROM "{table}"'))]
        found[table] = sorted(rows, key=repr)
    return found


def test_people_keep_their_accounts_and_have_no_second_factor_yet(new: Flask) -> None:
    user = db.session.scalars(select(UserRow).where(UserRow.email == "editor2@example.org")).one()
    assert (user.password, user.active, user.fs_uniquifier) == ("$argon2id$x", True, "u2")
    assert [role.name for role in user.roles] == ["owner"]
    assert (user.tf_totp_secret, user.webauthn, user.recovery_codes) == (None, [], [])
    for handle in ("one", "two"):
        user.fs_webauthn_user_handle = handle
        db.session.commit()
    db.session.add(SessionRow(key_hash="x", user_id=user.id, began_at=NOW))
    db.session.commit()
    assert db.session.get(SessionRow, "x").began_at == NOW


def test_the_newest_step_can_be_taken_back(new: Flask) -> None:
    with reading() as connection:
        before = _everything(connection)["user_account"]
    flask_migrate.downgrade(directory=str(store.MIGRATIONS), revision="0004")
    with reading() as connection:
        kept = _everything(connection)["user_account"]
    assert kept == [{name: row[name] for name in kept[0]} for row in before]
    assert "totp_counter" not in kept[0]
    store.upgrade()
    assert store.schema_problem() == ""


def test_sums_by_hour_become_sums_by_day_and_are_added_up_again_after_a_downgrade(old: Flask) -> None:
    flask_migrate.upgrade(directory=str(store.MIGRATIONS), revision="0018")
    sums = "once, monthly, yearly, offline, refunds, disputes, gifts, told, told_of, outside, imported"
    with writing() as connection:
        for day, hour, once in ((3, 0, 100), (3, 23, 50), (4, 0, 7)):
            connection.execute(
                text(
                    f"INSERT INTO hour_total (campaign_id, live, month, currency, day, hour, {sums})"
                    f" VALUES (1, false, '2021-05', 'USD', {day}, {hour}, {once}, 0, 0, 0, 0, 0, 1, {once}, 1, 0, 0)"
                )
            )
        connection.execute(text("INSERT INTO broken_down (id, entry_id) VALUES (1, 3)"))
    store.upgrade()
    with reading() as connection:
        found = connection.execute(text("SELECT day, once, gifts, told, told_of FROM day_total ORDER BY day")).all()
    assert found == [(3, 150, 2, 150, 2), (4, 7, 1, 7, 1)]
    flask_migrate.downgrade(directory=str(store.MIGRATIONS), revision="0018")
    with reading() as connection:
        assert [_everything(connection)[name] for name in ("hour_total", "broken_down")] == [[], []]
