"""What every app makes anew although it comes out the same: nearly every test has an app, which takes over from others."""

from types import CodeType
from typing import Any, ClassVar

from flask import Flask
from flask_sqlalchemy import SQLAlchemy
from jinja2.bccache import Bucket, BytecodeCache
from sqlalchemy import Dialect, Engine
from sqlalchemy.dialects.postgresql.psycopg import PGDialect_psycopg
from sqlalchemy.dialects.sqlite.pysqlite import SQLiteDialect_pysqlite
from werkzeug.routing import Rule


class RememberedRule(Rule):
    """A route that takes over what the same route of an earlier app has compiled."""

    compiled: ClassVar[dict[tuple[object, ...], "RememberedRule"]] = {}

    def compile(self) -> None:
        known = self.compiled.setdefault((self.rule, self.subdomain, self.merge_slashes, repr(self.defaults)), self)
        if known is self:
            super().compile()
            return
        self._parts, self._trace, self._converters = known._parts, known._trace, known._converters
        self.arguments |= known.arguments
        self._build = known._build.__func__.__get__(self)  # type: ignore[attr-defined]
        self._build_unknown = known._build_unknown.__func__.__get__(self)  # type: ignore[attr-defined]


class RememberedTemplates(BytecodeCache):
    """Templates as an earlier app compiled them, as long as their text is the same."""

    def __init__(self) -> None:
        self.compiled: dict[str, tuple[str, CodeType | None]] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        checksum, code = self.compiled.get(bucket.key, ("", None))
        if checksum == bucket.checksum:
            bucket.code = code

    def dump_bytecode(self, bucket: Bucket) -> None:
        self.compiled[bucket.key] = bucket.checksum, bucket.code


statements: dict[type[Dialect], Any] = {}
make_engine = SQLAlchemy._make_engine


def _make_engine(*given: Any) -> Engine:
    engine = make_engine(*given)
    engine._compiled_cache = statements.setdefault(type(engine.dialect), engine._compiled_cache)
    return engine


def apps_take_over_from_each_other() -> None:
    Flask.url_rule_class = RememberedRule
    Flask.jinja_options = {"bytecode_cache": RememberedTemplates()}
    SQLAlchemy._make_engine = _make_engine  # type: ignore[method-assign]
    # A compiled statement is for one dialect; those of two databases of a kind are the same.
    for kind in (SQLiteDialect_pysqlite, PGDialect_psycopg):
        kind.__eq__ = lambda one, other: type(one) is type(other)  # type: ignore[method-assign,assignment]
        kind.__hash__ = lambda one: hash(type(one))  # type: ignore[method-assign,assignment]
