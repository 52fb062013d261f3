"""Statements that every gift needs, made once for a database and then handed to its driver as they are.

SQLAlchemy's own way of running a statement costs several times what the database takes for a row. Values are written as
its types have them; rows come back as the driver has them, so a statement that reads asks for texts and numbers only.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import closing, contextmanager
from typing import Any, cast

from sqlalchemy import Connection, Dialect, Insert, Table, bindparam, insert
from sqlalchemy.exc import DBAPIError
from sqlalchemy.sql.expression import Executable

Write = Callable[[Any], Any]


def row_of(table: Table) -> Insert:
    """Adds a row with all its columns but a number, which the database gives it."""
    return (
        insert(table)
        .values({column.name: bindparam(column.name) for column in table.c if column.name != "id"})
        .inline()
    )


class Ready:
    """A statement, ready to be run with one row of values. With `unless_there` a row whose key is there is not added again.

    Every value that the statement names must be there. Raises what SQLAlchemy would raise, without the values.
    """

    def __init__(self, statement: Executable, *, unless_there: bool = False) -> None:
        self.statement = statement
        # Both databases have this, and SQLAlchemy only has it for each of them.
        self.end = " ON CONFLICT DO NOTHING" if unless_there else ""
        self._made: dict[str, tuple[str, bool, list[tuple[str, Write | None]]]] = {}

    def run(self, connection: Connection, values: Mapping[str, Any]) -> int:
        """Writes, and returns how many rows were touched."""
        with self._sent(connection, values) as cursor:
            return cast(int, cursor.rowcount)

    def first(self, connection: Connection, values: Mapping[str, Any]) -> tuple[Any, ...] | None:
        """The first row that was found."""
        with self._sent(connection, values) as cursor:
            return cast(tuple[Any, ...] | None, cursor.fetchone())

    @contextmanager
    def _sent(self, connection: Connection, values: Mapping[str, Any]) -> Iterator[Any]:
        dialect = connection.dialect
        text, in_order, names = self._made.get(dialect.name) or self._make(dialect)
        written = [(name, write(values[name]) if write else values[name]) for name, write in names]
        errors = dialect.loaded_dbapi.Error
        try:
            with closing(connection.connection.cursor()) as cursor:
                cursor.execute(text, tuple([value for _, value in written]) if in_order else dict(written))
                yield cursor
        except errors as error:
            raise DBAPIError.instance(text, None, error, errors, dialect=dialect) from error

    def _make(self, dialect: Dialect) -> Any:
        made = self.statement.compile(dialect=dialect)  # type: ignore[attr-defined]
        names = [
            (name, made.binds[name].type.dialect_impl(dialect).bind_processor(dialect))
            for name in made.positiontup or made.binds
        ]
        self._made[dialect.name] = str(made) + self.end, bool(made.positiontup), names
        return self._made[dialect.name]
