"""What is wrong with a database, in a word and a sentence: the same words on both, and nothing of a row in them."""

import sqlite3
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import psycopg
import pytest
from flask import Flask
from sqlalchemy import create_engine, text
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import database_errors, store
from tracker.ledger.store import reading, writing


def trouble(does: Callable[[], object]) -> SQLAlchemyError:
    with pytest.raises(SQLAlchemyError) as caught:
        does()
    return caught.value


def asks(url: str, statement: str = "SELECT 1") -> Callable[[], object]:
    def ask() -> None:
        engine = create_engine(url)
        try:
            with engine.connect() as connection:
                connection.execute(text(statement))
                connection.commit()
        finally:
            engine.dispose()

    return ask


class TestSQLite:
    @pytest.fixture
    def database_url(self) -> str:
        return ""

    def test_each_kind(self, app: Flask, tmp_path: Path) -> None:
        file = Path(str(store.db.engine.url.database))
        url = f"sqlite:///{file}"
        found = {
            "away": trouble(asks("sqlite:////nowhere/at/all")),
            "schema": trouble(asks(url, "SELECT no_such_column FROM campaign")),
            "read-only": trouble(asks(f"sqlite:///file:{file}?mode=ro&uri=true", "UPDATE campaign SET title = 'Ada'")),
            "other": trouble(asks(url, "INSERT INTO goal (campaign_id) VALUES (1)")),
        }
        with closing(sqlite3.connect(file, isolation_level=None)) as other:
            other.execute("BEGIN IMMEDIATE")
            found["busy"] = trouble(asks(f"{url}?timeout=0.01", "UPDATE campaign SET title = 'Ada'"))
        with closing(sqlite3.connect(tmp_path / "small")) as small:
            small.execute("CREATE TABLE it (words)")
        full = create_engine(f"sqlite:///{tmp_path / 'small'}")
        with full.connect() as connection:
            connection.exec_driver_sql("PRAGMA max_page_count=2")
            found["full"] = trouble(lambda: connection.exec_driver_sql("INSERT INTO it VALUES (zeroblob(100000))"))
        full.dispose()
        (tmp_path / "broken").write_bytes(b"no database" * 1000)
        found["damaged"] = trouble(asks(f"sqlite:///{tmp_path / 'broken'}", "SELECT * FROM it"))
        assert {kind: database_errors.kind_of(error) for kind, error in found.items()} == {kind: kind for kind in found}
        assert database_errors.in_words(found["busy"]) == "The database is busy: database is locked."
        assert database_errors.named(found["busy"]) == {"what": "busy", "error": "OperationalError"}
        assert database_errors.in_words(found["full"]).startswith("The database's disk is full: ")


class TestPostgreSQL:
    @pytest.fixture
    def database_url(self, request: pytest.FixtureRequest) -> str:
        url: str = request.getfixturevalue("lent").lend()
        return url

    def test_each_kind(self, app: Flask, database_url: str, monkeypatch: pytest.MonkeyPatch) -> None:
        url = store.db.engine.url.render_as_string(hide_password=False)

        def with_option(option: str) -> str:
            return f"{url}{'&' if '?' in url else '?'}options=-c%20{option}"

        with psycopg.connect(database_url, autocommit=True) as connection:
            name = f"modest_{connection.info.backend_pid}"
            connection.execute(f"CREATE ROLE {name} LOGIN")  # type: ignore[call-overload]
        found = {
            "away": trouble(asks("postgresql+psycopg://x@127.0.0.1:1/x")),
            "schema": trouble(asks(url, "SELECT no_such_column FROM campaign")),
            "read-only": trouble(
                asks(with_option("default_transaction_read_only=on"), "UPDATE campaign SET title = 'Ada'")
            ),
            "forbidden": trouble(asks(url.replace("pledgebar@", f"{name}@"), "SELECT * FROM campaign")),
            "other": trouble(asks(url, "INSERT INTO goal (campaign_id) VALUES (1)")),
        }
        with writing() as connection:
            connection.execute(text("UPDATE campaign SET title = 'Ben'"))
            found["busy"] = trouble(asks(with_option("lock_timeout=10"), "UPDATE campaign SET title = 'Ada'"))
        assert {kind: database_errors.kind_of(error) for kind, error in found.items()} == {kind: kind for kind in found}
        assert database_errors.named(found["busy"]) == {"what": "busy", "error": "LockNotAvailable"}
        assert "Ada" not in "".join(database_errors.in_words(error) for error in found.values())

    def test_a_pool_without_a_connection_left_is_busy(self, app: Flask, database_url: str) -> None:
        engine = create_engine(store.db.engine.url, pool_size=1, max_overflow=0, pool_timeout=0.01)
        with engine.connect():
            assert database_errors.kind_of(trouble(lambda: engine.connect())) == "busy"
        engine.dispose()
        with reading() as connection:
            assert connection.scalar(text("SELECT 1")) == 1
