"""Alive, and able to work: it says the truth about writing, and answers even when the database does not."""

import threading
import time
from collections.abc import Iterator
from contextlib import AbstractContextManager
from dataclasses import replace

import psycopg
import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from postgres import Postgres
from sqlalchemy import event, text

from tracker.ledger import store
from tracker.ledger.store import writing
from tracker.settings import Settings
from tracker.web import health
from tracker.web.health import question, read_diagnosis


@pytest.fixture(autouse=True)
def _at_once(monkeypatch: pytest.MonkeyPatch) -> None:
    """Nothing is remembered from one question to the next, unless a test says so."""
    monkeypatch.setattr(health, "TRY_SECONDS", 0.0)
    monkeypatch.setattr(health, "TRY_AGAIN_SECONDS", 0.0)


def says(client: FlaskClient) -> tuple[int, str]:
    answer = client.get("/readyz")
    assert answer.headers["Cache-Control"] == "no-store"
    return answer.status_code, answer.text.strip()


def test_a_database_that_takes_writes_is_ready(client: FlaskClient) -> None:
    assert says(client) == (200, "ready")


def test_another_schema_is_a_reason(client: FlaskClient) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert says(client) == (503, "The database is from a newer Pledgebar than this one: install that version again.")


@pytest.fixture
def _read_only(app: Flask, database_url: str) -> Iterator[None]:
    """The database takes no writes, as a server that only follows another one, or a file that belongs to somebody else."""
    if not database_url:
        # Root may write any file, so a file's rights would hold nothing back where tests run as root.
        event.listen(store.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA query_only=ON"))
        store.db.engine.dispose()
        yield
        return
    with psycopg.connect(database_url, autocommit=True) as connection:
        connection.execute(f"ALTER DATABASE {connection.info.dbname} SET default_transaction_read_only = on")
        store.db.engine.dispose()
        yield
        connection.execute(f"ALTER DATABASE {connection.info.dbname} RESET default_transaction_read_only")


@pytest.mark.usefixtures("_read_only")
def test_a_database_that_only_reads_is_not_ready(client: FlaskClient) -> None:
    assert client.get("/c/newsroom").status_code == 200
    assert says(client) == (503, "The database takes no writes.")
    assert client.get("/healthz").text == "alive\n"


def test_a_database_that_is_busy_is_a_reason_and_ready_again_afterwards(
    client: FlaskClient, held_ledger: AbstractContextManager[None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "PATIENCE_SECONDS", 30)
    with held_ledger:
        assert says(client) == (503, "The database is busy.")
    assert says(client) == (200, "ready")


class TestOneThatHangs:
    @pytest.fixture
    def database_url(self, postgres: Postgres) -> str:
        return postgres.new_database()

    @pytest.mark.parametrize(
        ("seconds", "found"), [(1000.0, (200, "ready")), (0.0, (503, "The database does not answer."))]
    )
    def test_it_is_answered_all_the_same_and_good_for_a_while(
        self, client: FlaskClient, postgres: Postgres, monkeypatch: pytest.MonkeyPatch, seconds: float, found: object
    ) -> None:
        monkeypatch.setattr(health, "STILL_GOOD_SECONDS", seconds)
        assert says(client) == (200, "ready")
        monkeypatch.setattr(health, "PATIENCE_SECONDS", 0.05)
        with postgres.frozen():
            # One question hangs, and no more are asked meanwhile.
            before = threading.active_count()
            assert [says(client) for _ in range(3)] == [found] * 3
            assert threading.active_count() <= before + 1
        monkeypatch.setattr(health, "PATIENCE_SECONDS", 30)
        assert says(client) == (200, "ready")


def test_asking_often_writes_seldom(app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(health, "TRY_SECONDS", 1000.0)
    written = []
    event.listen(store.db.engine, "commit", written.append)
    assert [says(client) for _ in range(10)] == [(200, "ready")] * 10
    assert len(written) == 1


# --- Asked by the doctor ----------------------------------------------------------------------------------------------


def test_whoever_has_the_key_is_told_more_and_nobody_else(app: Flask, client: FlaskClient, settings: Settings) -> None:
    asked = question(settings, "n1")
    told = client.get("/healthz", query_string={"doctor": asked}).text
    found = read_diagnosis(settings, "n1", told)
    assert found is not None
    assert (found.problem, found.settings_mark, found.host_is_ours) == ("", settings.mark, True)
    assert (found.route.peer, found.route.this_machine, found.route.written) == ("127.0.0.1", True, 0)
    assert read_diagnosis(settings, "n2", told) is None
    assert read_diagnosis(replace(settings, secret_key="another secret, also long enough"), "n1", told) is None
    assert read_diagnosis(settings, "n1", asked) is None
    for forged in (
        "x",
        asked + "x",
        question(replace(settings, secret_key="another secret, also long enough"), "n1"),
        told,
    ):
        assert client.get("/healthz", query_string={"doctor": forged}).text == "alive\n"


def test_a_question_is_good_for_five_minutes(client: FlaskClient, settings: Settings) -> None:
    asked = question(settings, "n1")
    with time_machine.travel(time.time() + 301):
        assert client.get("/healthz", query_string={"doctor": asked}).text == "alive\n"


def test_a_reason_not_to_be_ready_is_told(client: FlaskClient, settings: Settings) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    told = client.get(
        "/healthz", query_string={"doctor": question(settings, "n1")}, headers={"Host": "elsewhere.example"}
    )
    found = read_diagnosis(settings, "n1", told.text)
    assert found is not None
    assert found.problem.startswith("The database is from a newer Pledgebar")
    assert not found.host_is_ours
