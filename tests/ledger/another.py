"""Another database beside the one of a test: new, without tables, of either kind."""

import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask

from tracker import create_app
from tracker.ledger.models import db
from tracker.settings import Settings

Another = Callable[[], AbstractContextManager[Flask]]


def opens(settings: Settings, request: pytest.FixtureRequest, folder: Path, *, to_postgres: bool) -> Another:
    """Opens the app over another database each time it is called, and lets go of it afterwards."""

    @contextmanager
    def opened() -> Iterator[Flask]:
        instance = folder / f"another-{time.monotonic_ns()}"
        instance.mkdir()
        url = f"sqlite:///{instance / 'pledgebar.sqlite3'}"
        if to_postgres:
            url = request.getfixturevalue("postgres").new_database().replace("postgresql", "postgresql+psycopg", 1)
        made = create_app(replace(settings, instance=instance, database_url=url), background=False)
        with made.app_context():
            yield made
            db.session.remove()
            db.engine.dispose()

    return opened
