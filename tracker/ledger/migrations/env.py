"""Runs the migrations over the app's own connection, in one transaction on both databases."""

from alembic import context

from tracker.ledger.models import db


def run() -> None:
    with db.engine.connect() as connection:
        sqlite = connection.dialect.name == "sqlite"
        if sqlite:
            # A batch migration copies a table and drops the old one, which with foreign keys on would take the rows
            # that point to it along. The pragma does nothing inside a transaction, so it goes past SQLAlchemy.
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=OFF")
        context.configure(
            connection=connection, target_metadata=db.metadata, render_as_batch=sqlite, transactional_ddl=True,
            compare_type=True,
        )  # fmt: skip
        with context.begin_transaction():
            context.run_migrations()
            if sqlite:
                broken = connection.exec_driver_sql("PRAGMA foreign_key_check").fetchall()
                if broken:
                    raise RuntimeError(f"The migration would leave rows without what they belong to: {broken[:3]}")
        if sqlite:
            connection.connection.driver_connection.execute("PRAGMA foreign_keys=ON")


run()
