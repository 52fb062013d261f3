"""From SQLite to PostgreSQL and back: everything goes along, closed months to the byte, and nothing half-way."""

import io
import sqlite3
import tracemalloc
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any

import flask_migrate
import pytest
from account import Account
from actors import NEWSROOM, gift_fact
from commands import run_command
from flask import Flask
from ledger.another import Another, opens
from ledger.schema_0001 import GIFTS, populate
from sqlalchemy import Connection, insert, select, text

from tracker.giving.card_testing import Counts
from tracker.giving.drives import Appeal
from tracker.giving.import_map import READY
from tracker.giving.months import parse_month
from tracker.giving.notice_rules import Due
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import (
    appeals,
    backups,
    book,
    breakdowns,
    campaigns,
    chain,
    checkout_counts,
    donor_data,
    export_files,
    export_rows,
    gift_story,
    imports,
    installation,
    models,
    month_closing,
    offline_gifts,
    outbox,
    store,
    sync_runs,
    transfer,
    user_models,
    visits,
)
from tracker.ledger.backups import CopyProblem
from tracker.ledger.models import db
from tracker.ledger.outbox import Chosen
from tracker.ledger.store import reading, writing
from tracker.ledger.visit_models import visit
from tracker.settings import Settings
from tracker.web.admin.signin import create_admin

MAY = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def other(settings: Settings, database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Another:
    """Opens the app over a new database of the other kind."""
    return opens(settings, request, tmp_path, to_postgres=not database_url)


@pytest.fixture
def same(settings: Settings, database_url: str, request: pytest.FixtureRequest, tmp_path: Path) -> Another:
    """Opens the app over a new database of the same kind."""
    return opens(settings, request, tmp_path, to_postgres=bool(database_url))


@pytest.fixture
def ledger(account: Account, newsroom: Flask) -> Flask:
    """A ledger with something in every table: gifts of all kinds, what was taken back, a closed month, people, counts."""
    account.sandbox.add_webhook("http://127.0.0.1:5000/webhooks/stripe", "whsec_test_secret", ["*"])
    account.hook = newsroom
    paid = account.gives(1000, name="Zoë “Ada” 🎉", message="Ja!\nÜberall.")
    account.gives(500, monthly=True)
    account.refunds(paid, 300)
    account.refunds(account.gives(700, foreign=True), 100)
    account.pays_out()
    now = datetime.now(UTC)
    with writing() as connection:
        for number in range(50):
            book.record(
                connection, gift_fact(f"cs_{number}", 100 + number, at=MAY + timedelta(microseconds=number)), now
            )
        gift = offline_gift(NEWSROOM, False, date(2021, 5, 20), 1250, "At the fair", "fair-1")
        offline_gifts.write_down(connection, [gift], now)
        imports.save_map(connection, NEWSROOM, "Our old shop", READY["givewp"])
        campaigns.set_goal(connection, "newsroom", parse_month("2021-05"), 123_456, stands=False)
        drive = Appeal("drive", "Summer drive", 2_000_000, MAY, now + timedelta(days=1))
        appeals.save(connection, NEWSROOM, drive, now)
        month_closing.close(connection, NEWSROOM, parse_month("2021-05"), False, now)
        line = {"key": "txn_theirs", "live": False, "payout": "po_1", "paid_out_on": MAY}
        connection.execute(insert(models.payout_line).values(line))
        fetch = {"kind": "refund", "key": "re_later", "live": False, "due_at": MAY, "tries": 1}
        known = models.pending_fetch.c.keys()
        connection.execute(insert(models.pending_fetch).values({name: fetch[name] for name in known if name in fetch}))
        visits.add(connection, {("newsroom", "frame", "harbour", "top"): 42}, now)
        checkout_counts.add(connection, "newsroom", False, Counts(opened=70, declined=12), now)
        checkout_counts.judge(connection, "newsroom", False, now, usual=60)
        sync_runs.keep(connection, sync_runs.SyncRun(False, MAY, now, now, 3, 0, 0))
        outbox.take_turn(connection, "soon", now, timedelta(minutes=2))
    create_admin("ana@example.org", "a long password")
    signs_in_everywhere(now)
    with writing() as connection:
        # By hand and by Ana: both point to what the copy must have first.
        gift = connection.execute(select(models.entry).where(models.entry.c.key == "cs_1")).one()
        gift_story.write_note(connection, gift, "Zoë asked for a receipt", 1, now)
        outbox.confirm(connection, 1, "ana@example.org", now)
        outbox.choose(connection, outbox.mail_to(1), ["goal_reached"], now)
        outbox.put(connection, Due("goal_reached", "2021-05", "newsroom"), [Chosen(outbox.mail_to(1), now)], False, now)
        april = parse_month("2021-04")
        month_closing.close(connection, NEWSROOM, april, False, now)
        month_closing.reopen(connection, NEWSROOM, april, False, now, reason="Too early", by=1)
    return newsroom


def signs_in_everywhere(now: datetime) -> None:
    """Ana has a passkey and a recovery code, is signed in, and has a form that waits for her."""
    ana = db.session.scalars(select(user_models.UserRow)).one()
    ana.recovery_codes.append(user_models.RecoveryCodeRow(code_hash="c" * 64))
    ana.webauthn.append(
        user_models.PasskeyRow(
            name="Phone", credential_id=b"\0id", public_key=b"\xffkey", sign_count=3, transports=["internal"],
            device_type="single_device", backup_state=False, lastuse_datetime=now, usage="secondary",
        )
    )  # fmt: skip
    db.session.add(user_models.SessionRow(key_hash="s" * 64, user_id=ana.id, began_at=now))
    db.session.add(user_models.UnsentFormRow(key_hash="f" * 64, user_id=ana.id, at=now, body=b"\0sealed"))
    db.session.add(
        user_models.InvitationRow(
            email="ben@example.org", role="editor", key_hash="i" * 64, expires_at=now, made_by=ana.id
        )
    )
    db.session.add(donor_data.ForgottenRow(stripe_id="cs_forgotten"))
    db.session.commit()


def everything() -> dict[str, list[Any]]:
    """Every row of every table."""
    with reading() as connection:
        return {
            table.name: [tuple(row) for row in connection.execute(select(table).order_by(*table.primary_key))]
            for table in transfer.tables()
        }


def is_empty() -> bool:
    """Whether there is nothing but what a new database has of its own."""
    return not any(rows for name, rows in everything().items() if name != "installation")


def closed(app: Flask) -> list[bytes]:
    """The closed month, in every form it has."""
    client = app.test_client()
    found = [client.get(address) for address in ("/c/newsroom/months/2021-05", "/embed/newsroom.json?month=2021-05")]
    assert {one.status_code for one in found} == {200}
    file = io.BytesIO()
    with reading() as connection:
        export_files.write(export_rows.rows(connection, NEWSROOM, parse_month("2021-05"), False), "csv", file)
    return [*(one.data for one in found), file.getvalue()]


def test_everything_goes_along(ledger: Flask, other: Another, same: Another, tmp_path: Path) -> None:
    breakdowns.keep_up(enough=1)
    before = everything()
    assert all(before.values()), [name for name, rows in before.items() if not rows]
    month = closed(ledger)
    with reading() as connection:
        head = chain.head(connection)
    backups.back_up(tmp_path / "copy", portable=True)
    with other() as app:
        found = backups.restore(tmp_path / "copy")
        assert found.head == head
        assert everything() == before
        assert closed(app) == month
        with reading() as connection:
            assert month_closing.differences(connection) == []
            assert month_closing.tampered(connection) == []
        # And it goes on: numbers from the last one on, the same chain, the same sign-in.
        with writing() as connection:
            assert (
                book.record(connection, gift_fact("cs_later", 900, at=datetime.now(UTC)), datetime.now(UTC))
                == "recorded"
            )
            campaigns.save(connection, replace(NEWSROOM, slug="another"))
            campaigns.set_goal(connection, "another", parse_month("2021-05"), 1000, stands=True)
            assert month_closing.tampered(connection) == []
        assert create_admin("ana@example.org", "another long password") is False
        assert create_admin("ben@example.org", "another long password") is True
        # Back again, with what has come since.
        there = everything()
        backups.back_up(tmp_path / "back", portable=True)
    with same() as app:
        assert backups.restore(tmp_path / "back").entries == found.entries + 1
        assert everything() == there
        assert closed(app) == month


@pytest.mark.parametrize("beside_original", [False, True])
def test_a_copy_has_its_originals_mark_unless_it_lives_on_beside_it(
    ledger: Flask, other: Another, tmp_path: Path, beside_original: bool
) -> None:
    with reading() as connection:
        own = installation.mark(connection)
    backups.back_up(tmp_path / "copy", portable=True)
    with other():
        store.upgrade()
        backups.restore(tmp_path / "copy", beside_original=beside_original)
        with reading() as connection:
            found = installation.mark(connection)
    assert (found != own) == beside_original
    assert found


@pytest.mark.parametrize("database_url", [""])
def test_the_commands_say_what_they_did(
    ledger: Flask, environ: dict[str, str], tmp_path: Path, request: pytest.FixtureRequest
) -> None:
    url = request.getfixturevalue("postgres").new_database()
    moved = environ | {"TRACKER_DATABASE_URL": url}
    assert run_command(environ, "backup", tmp_path / "copy").exit_code == 0
    done = run_command(moved, "restore", tmp_path / "copy")
    assert done.exit_code == 0, done.output
    assert "Every total is the sum of its entries." in done.output
    assert run_command(moved, "rebuild", "--check").exit_code == 0
    again = run_command(moved, "restore", tmp_path / "copy")
    assert again.exit_code == 1
    assert "in use" in again.output
    back = run_command(moved, "backup", tmp_path / "back", "--portable")
    assert back.exit_code == 0, back.output
    assert (tmp_path / "back").read_bytes().startswith(b"SQLite format 3")
    assert (tmp_path / "back").stat().st_mode & 0o777 == 0o600
    assert [path.name for path in tmp_path.iterdir() if "back" in path.name] == ["back"]


@pytest.mark.parametrize("database_url", [""])
def test_a_dump_of_postgresql_says_how_to_get_one_for_sqlite(app: Flask, tmp_path: Path) -> None:
    (tmp_path / "copy").write_bytes(b"PGDMP" + b"\0" * 100)
    with pytest.raises(CopyProblem, match="tracker backup --portable"):
        backups.restore(tmp_path / "copy")


@pytest.mark.parametrize("database_url", [""])
def test_a_copy_of_the_first_schema_goes_into_postgresql(app: Flask, other: Another, tmp_path: Path) -> None:
    file = tmp_path / "old.sqlite3"
    old = Flask("tracker")
    store.init_app(old, f"sqlite:///{file}")
    with old.app_context():
        flask_migrate.upgrade(directory=str(store.MIGRATIONS), revision="0001")
        with writing() as connection:
            populate(connection, 1)
        backups.back_up(tmp_path / "copy")
    store.close(old)
    before = (tmp_path / "copy").read_bytes()
    with other():
        assert backups.restore(tmp_path / "copy").entries > GIFTS
        with reading() as connection:
            assert month_closing.tampered(connection) == []
    assert (tmp_path / "copy").read_bytes() == before


# --- All or nothing ---------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", [""])
def test_what_the_other_database_does_not_take_leaves_it_empty(ledger: Flask, other: Another, tmp_path: Path) -> None:
    backups.back_up(tmp_path / "copy")
    # SQLite does not mind how long a word is, and PostgreSQL does. In the last table, when all others are there.
    with closing(sqlite3.connect(tmp_path / "copy")) as connection, connection:
        connection.execute("UPDATE supporter SET name = ?", ["x" * 500])
    with other():
        with pytest.raises(CopyProblem, match="The copy could not be put back"):
            backups.restore(tmp_path / "copy")
        assert is_empty()
        assert store.schema_problem() == ""


@pytest.mark.parametrize("database_url", [""])
@pytest.mark.parametrize(
    ("harm", "says"),
    [
        ("UPDATE month_total SET once = once + 1", "Totals that are not the sum"),
        ("UPDATE entry SET source = 'elsewhere'", "is not as it was written"),
        ("DELETE FROM campaign WHERE slug = 'newsroom'", "rows without what they belong to"),
        ("UPDATE alembic_version SET version_num = '9999'", "newer Pledgebar"),
    ],
)
def test_a_copy_that_is_not_whole_is_refused(
    ledger: Flask, other: Another, tmp_path: Path, harm: str, says: str
) -> None:
    backups.back_up(tmp_path / "copy")
    with closing(sqlite3.connect(tmp_path / "copy")) as connection, connection:
        connection.execute(harm)
    with other():
        with pytest.raises(CopyProblem, match=says):
            backups.restore(tmp_path / "copy")
        assert is_empty()


def test_a_database_in_use_is_refused(ledger: Flask, other: Another, tmp_path: Path) -> None:
    backups.back_up(tmp_path / "copy", portable=True)
    with other():
        store.upgrade()
        with writing() as connection:
            campaigns.save(connection, replace(NEWSROOM, slug="theirs"))
        before = everything()
        with pytest.raises(CopyProblem, match="in use"):
            backups.restore(tmp_path / "copy")
        assert everything() == before


def test_a_portable_copy_made_under_load_is_the_ledger_at_one_moment(
    app: Flask, other: Another, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    now = datetime.now(UTC)
    with writing() as connection:
        for number in range(20):
            book.record(connection, gift_fact(f"cs_{number}", 500), now)
    real = transfer.copy_rows

    def while_gifts_come(source: Connection, target: Connection) -> None:
        contents = backups.contents(source)
        with app.app_context(), writing() as connection:
            book.record(connection, gift_fact("cs_meanwhile", 900), now)
        assert backups.contents(source) == contents
        real(source, target)

    monkeypatch.setattr(transfer, "copy_rows", while_gifts_come)
    if db.engine.dialect.name == "sqlite":
        # VACUUM INTO does it by itself there.
        assert backups.back_up(tmp_path / "copy", portable=True).contents.entries == 20
        return
    assert backups.back_up(tmp_path / "copy", portable=True).contents.entries == 20
    with reading() as connection:
        assert backups.contents(connection.connection()).entries == 21


# --- At length --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("database_url", [""])
def test_many_rows_need_no_more_memory(app: Flask, tmp_path: Path) -> None:
    """Rows of a table without a chain, since those are quickly made."""

    def peak(rows: int) -> int:
        with writing() as connection:
            key = campaigns.find(connection, "newsroom").id
            values = {"campaign_id": key, "day": "2021-05-01", "carrier": "frame", "place": "", "times": 1}
            connection.execute(text("DELETE FROM visit"))
            connection.execute(insert(visit), [values | {"source": f"{rows}-{number}"} for number in range(rows)])
        with reading() as session:
            source = session.connection()
            with transfer.sqlite_at(tmp_path / f"{rows}.sqlite3"):
                store.upgrade()
                with writing() as target:
                    tracemalloc.start()
                    transfer.copy_rows(source, target.connection())
                    used = tracemalloc.get_traced_memory()[1]
                    tracemalloc.stop()
        return used

    assert peak(12_000) < 2 * peak(3000)
