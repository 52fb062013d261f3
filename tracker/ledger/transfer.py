"""From SQLite to PostgreSQL and back: every row of every table, in parts, so that a ledger of any size needs little memory."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from flask import Flask
from sqlalchemy import Connection, Table, delete, func, insert, select, text

from tracker.ledger import (
    appeal_models,
    breakdown_models,
    checkout_counts,
    donor_data,
    editor_models,
    import_models,
    nodes,
    notice_models,
    store,
    user_models,
    visit_models,
)
from tracker.ledger.models import ID, db

ROWS_AT_ONCE = 1000
# These modules have tables, too, which are copied like all others.
MODELS = (
    appeal_models, breakdown_models, checkout_counts, donor_data, editor_models, import_models, nodes,
    notice_models, user_models, visit_models,
)  # fmt: skip


@contextmanager
def sqlite_at(file: Path) -> Iterator[None]:
    """While inside of it, the database is that file, which is one whole file again afterwards."""
    app = Flask("tracker")
    store.init_app(app, f"sqlite:///{file}")
    with app.app_context():
        try:
            yield
            with db.engine.connect() as connection:
                # Its log would lie beside it under another name.
                connection.connection.driver_connection.execute("PRAGMA journal_mode=DELETE")  # type: ignore[union-attr]
        finally:
            db.engine.dispose()


def tables() -> list[Table]:
    """All that is copied: not which processes serve, which is another place's affair. What is pointed to comes first."""
    return [table for table in db.metadata.sorted_tables if table is not nodes.node]


def empty(target: Connection) -> None:
    """A new database has at most its first account, and the audit log's line about it."""
    if target.dialect.name == "postgresql":
        # Its lines cannot be deleted one by one.
        target.exec_driver_sql(f"TRUNCATE {user_models.AuditRow.__tablename__}")
    for table in reversed(db.metadata.sorted_tables):
        if target.dialect.name != "postgresql" or table.name != user_models.AuditRow.__tablename__:
            target.execute(delete(table))


def copy_rows(source: Connection, target: Connection) -> None:
    """Every row, as it is. Commits nothing."""
    for table in tables():
        rows = source.execute(select(table).order_by(*table.primary_key).execution_options(yield_per=ROWS_AT_ONCE))
        for some in rows.partitions():
            target.execute(insert(table), [dict(row._mapping) for row in some])
    if target.dialect.name == "postgresql":
        _set_sequences(target)


def _set_sequences(target: Connection) -> None:
    """New rows are numbered on from the last one; SQLite does so by itself."""
    for table in tables():
        for column in table.primary_key:
            if column.type is ID:
                named = {"table": table.name, "column": column.name}
                sequence = target.scalar(text("SELECT pg_get_serial_sequence(:table, :column)"), named)
                if sequence:
                    newest = target.scalar(select(func.max(column)))
                    values = {"sequence": sequence, "number": newest or 1, "used": newest is not None}
                    target.execute(text("SELECT setval(CAST(:sequence AS regclass), :number, :used)"), values)


def counts(connection: Connection) -> dict[str, int]:
    """How many rows each table has."""
    return {table.name: connection.scalar(select(func.count()).select_from(table)) or 0 for table in tables()}
