"""Tells whether anything was written to the database since the last look, for a few microseconds a time."""

import sqlite3

from sqlalchemy import Connection, Engine
from sqlalchemy.exc import OperationalError, SQLAlchemyError


class ChangeDetector:
    """A connection of its own that is asked again and again. One thread at a time may ask.

    Both databases tell by themselves, so nothing has to be written for it, and whoever writes need not think of it:
    SQLite counts the commits of all other connections (`PRAGMA data_version`), and PostgreSQL's snapshot moves with
    every transaction that writes. Measured against LISTEN and NOTIFY: benchmarks/README.md.
    """

    def __init__(self, engine: Engine) -> None:
        self.engine = engine
        self.connection: Connection | None = None

    def read(self) -> str:
        """Something that differs from the last answer once anything was written. Raises SQLAlchemyError."""
        try:
            if self.connection is None:
                self.connection = self.engine.connect().execution_options(isolation_level="AUTOCOMMIT")
            return self._ask(self.connection)
        except SQLAlchemyError:
            self.close()
            raise

    def _ask(self, connection: Connection) -> str:
        if connection.dialect.name == "sqlite":
            # Past SQLAlchemy, which would begin a transaction.
            statement = "PRAGMA data_version"
            try:
                return str(connection.connection.driver_connection.execute(statement).fetchone()[0])  # type: ignore[union-attr]
            except sqlite3.Error as error:
                raise OperationalError(statement, None, error) from error
        return str(connection.exec_driver_sql("SELECT pg_current_snapshot()").scalar())

    def close(self) -> None:
        """Closes the connection; the next look opens another."""
        connection, self.connection = self.connection, None
        if connection is not None:
            try:
                connection.invalidate()
                connection.close()
            except SQLAlchemyError:
                # It is of no use any more, whatever it says.
                return
