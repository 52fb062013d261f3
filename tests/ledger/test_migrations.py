"""The migrations make exactly the tables that the models describe, once and again, and a wrong schema is told in words."""

import shutil
from pathlib import Path

import pytest
from actors import NEWSROOM, count, gift_fact, moment, totals
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from flask import Flask
from sqlalchemy import inspect, text
from sqlalchemy.exc import IntegrityError

from tracker import create_app
from tracker.giving.months import parse_month
from tracker.ledger import campaigns, month_closing, store
from tracker.ledger.book import record
from tracker.ledger.store import reading, writing
from tracker.settings import Settings

NOW = moment("2021-05-20T12:00")
NEWEST = ScriptDirectory(str(store.MIGRATIONS)).get_current_head()


def test_the_migrations_make_what_the_models_describe(app: Flask) -> None:
    with reading() as connection:
        options = {"compare_type": True, "compare_server_default": True}
        context = MigrationContext.configure(connection.connection(), opts=options)
        assert compare_metadata(context, store.db.metadata) == []


def test_upgrading_twice_changes_nothing(app: Flask) -> None:
    with writing() as connection:
        record(connection, gift_fact(), NOW)
    store.upgrade()
    assert store.schema_problem() == ""
    with reading() as connection:
        assert count(connection, "entry") == 1


def test_references_are_minded_again_after_an_upgrade(app: Flask) -> None:
    store.upgrade()
    with pytest.raises(IntegrityError), writing() as connection:
        connection.execute(
            text(
                "INSERT INTO supporter (gift_key, campaign_id, live, at, name, message, shown)"
                " VALUES ('nobody', 1, :no, '2021-05-01 00:00:00+00:00', '', '', :no)"
            ),
            {"no": False},
        )


def test_an_empty_database_says_what_to_do(settings: Settings) -> None:
    settings.instance.mkdir(parents=True)
    made = create_app(settings, background=False)
    with made.app_context():
        assert store.schema_problem() == "The database is empty: run “tracker init” first."
        store.upgrade()
        assert store.schema_problem() == ""
        with reading() as connection:
            tables = set(inspect(connection.connection()).get_table_names())
        assert tables >= {"entry", "month_total", "campaign", "delivery", "alembic_version"}
        store.db.engine.dispose()


def test_a_newer_database_is_left_alone(app: Flask) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert store.schema_problem() == (
        "The database is from a newer Pledgebar than this one: install that version again."
    )


NEXT = f"""
import sqlalchemy as sa
from alembic import op

revision = "9999"
down_revision = "{NEWEST}"


def upgrade():
    with op.batch_alter_table("campaign", recreate="always" if op.get_bind().dialect.name == "sqlite" else "auto") as it:
        it.add_column(sa.Column("motto", sa.Text(), nullable=False, server_default="onwards"))
"""


@pytest.fixture
def _one_migration_more(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A Pledgebar that has one migration more than this one; it changes the table that all others point to."""
    shutil.copytree(store.MIGRATIONS, tmp_path / "migrations", ignore=shutil.ignore_patterns("__pycache__"))
    (tmp_path / "migrations" / "versions" / "9999_a_motto.py").write_text(NEXT)
    monkeypatch.setattr(store, "MIGRATIONS", tmp_path / "migrations")


@pytest.mark.usefixtures("_one_migration_more")
def test_an_older_database_asks_for_a_copy_first_and_can_be_upgraded(app: Flask) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = :newest"), {"newest": NEWEST})
    assert store.schema_problem() == (
        "The database is from an older Pledgebar: make a backup, then run “tracker init” to bring it up to date."
    )


@pytest.mark.usefixtures("_one_migration_more")
def test_a_migration_of_the_campaigns_keeps_every_row_that_points_to_them(
    settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> None:
    newer = store.MIGRATIONS
    settings.instance.mkdir(parents=True)
    made = create_app(settings, background=False)
    with made.app_context():
        monkeypatch.undo()
        store.upgrade()
        with writing() as connection:
            campaigns.save(connection, NEWSROOM)
            campaigns.set_goal(connection, "newsroom", parse_month("2021-01"), 500_000, stands=True)
            for number in range(100):
                record(connection, gift_fact(f"cs_{number}", 100 + number, name="Ana"), NOW)
            before = totals(connection)
        monkeypatch.setattr(store, "MIGRATIONS", newer)
        assert store.schema_problem().startswith("The database is from an older Pledgebar")
        store.upgrade()
        assert store.schema_problem() == ""
        with reading() as connection:
            assert connection.scalar(text("SELECT motto FROM campaign")) == "onwards"
            assert totals(connection) == before
            assert [count(connection, table) for table in ("entry", "supporter", "goal")] == [100, 100, 1]
            assert month_closing.differences(connection) == []
        store.db.engine.dispose()
