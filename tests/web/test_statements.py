"""How many statements a page asks of the database. Counted is all that SQLAlchemy hands to the driver, but for what begins
and ends a transaction and for PRAGMAs; on PostgreSQL the driver begins and ends by itself."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime

from actors import gift_fact
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event
from web_admin import Editor

from tracker.ledger import book
from tracker.ledger.store import db, writing

NOT_COUNTED = ("BEGIN", "COMMIT", "ROLLBACK", "SAVEPOINT", "RELEASE", "SET ", "PRAGMA")


@contextmanager
def counted() -> Iterator[list[str]]:
    statements: list[str] = []

    def note(_connection: object, _cursor: object, statement: str, *_: object) -> None:
        if not statement.lstrip().upper().startswith(NOT_COUNTED):
            statements.append(statement)

    event.listen(db.engine, "before_cursor_execute", note)
    try:
        yield statements
    finally:
        event.remove(db.engine, "before_cursor_execute", note)


def a_gift_comes() -> None:
    now = datetime.now(UTC)
    with writing() as session:
        assert book.record(session, gift_fact(at=now), now) == "recorded"


def test_the_first_read_of_the_supporters_page(client: FlaskClient) -> None:
    a_gift_comes()
    with counted() as statements:
        assert client.get("/c/newsroom").status_code == 200
    assert len(statements) <= 10, statements


def test_the_first_read_of_the_frame(client: FlaskClient) -> None:
    a_gift_comes()
    with counted() as statements:
        assert client.get("/embed/newsroom").status_code == 200
    assert len(statements) <= 5, statements


def test_an_editors_page_of_a_month(app: Flask) -> None:
    """All of the request: who is signed in and where, the list of campaigns in the head, and all that is known of the month."""
    a_gift_comes()
    editor = Editor(app)
    month = app.test_client().get("/embed/newsroom.json").get_json()["month"]
    with counted() as statements:
        assert editor.opens(f"/admin/c/newsroom/months/{month}").status_code == 200
    assert len(statements) <= 30, statements
