"""What is wrong with a database, in a word that an operator can act on and in a sentence, on SQLite and PostgreSQL."""

from typing import Literal

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.exc import TimeoutError as NoConnectionLeft

Trouble = Literal["away", "busy", "full", "read-only", "forbidden", "schema", "disk", "damaged", "other"]

WORDS: dict[Trouble, str] = {
    "away": "The database does not answer",
    "busy": "The database is busy",
    "full": "The database's disk is full",
    "read-only": "The database takes no writes",
    "forbidden": "The database may not be used by this account",
    "schema": "The database has other tables than this program needs",
    "disk": "The database's disk cannot be read or written",
    "damaged": "The database is damaged",
    "other": "The database could not be used",
}

_SQLITE: dict[str, Trouble] = {
    "BUSY": "busy", "LOCKED": "busy", "FULL": "full", "READONLY": "read-only", "CANTOPEN": "away", "PERM": "forbidden",
    "AUTH": "forbidden", "CORRUPT": "damaged", "NOTADB": "damaged", "IOERR": "disk",
}  # fmt: skip

# By the beginning of the error's code; the longest that fits counts.
_POSTGRES: dict[str, Trouble] = {
    "08": "away", "57P": "away", "57014": "busy", "53": "busy", "53100": "full", "25006": "read-only", "42501": "forbidden",
    "28": "forbidden", "3D": "away", "42P01": "schema", "42703": "schema", "55P03": "busy", "40": "busy", "XX001": "damaged",
    "XX002": "damaged", "58": "disk",
}  # fmt: skip


def kind_of(error: SQLAlchemyError) -> Trouble:
    """What went wrong with the database."""
    if isinstance(error, NoConnectionLeft):
        return "busy"
    original = getattr(error, "orig", None)
    if name := getattr(original, "sqlite_errorname", ""):
        return _of_sqlite(name, str(original))
    if code := getattr(original, "sqlstate", None):
        fits = [begin for begin in _POSTGRES if str(code).startswith(begin)]
        return _POSTGRES[max(fits, key=len)] if fits else "other"
    # psycopg has no code for a server that could not be reached, or that went away.
    return "away" if type(original).__name__ in ("OperationalError", "ConnectionTimeout") else "other"


def _of_sqlite(name: str, said: str) -> Trouble:
    if said.startswith(("no such table", "no such column")) or "has no column named" in said:
        return "schema"
    return _SQLITE.get(name.removeprefix("SQLITE_").partition("_")[0], "other")


def in_words(error: SQLAlchemyError) -> str:
    """A sentence for the operator, with the database's own words behind it."""
    said = str(getattr(error, "orig", None) or error).strip().splitlines() or [type(error).__name__]
    return f"{WORDS[kind_of(error)]}: {said[0].rstrip('.')}."


def named(error: SQLAlchemyError) -> dict[str, str]:
    """For a line of the log: the kind of trouble, and the error's own name. Its words may quote a row."""
    return {"what": kind_of(error), "error": type(getattr(error, "orig", None) or error).__name__}
