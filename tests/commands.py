"""Runs the operator's commands in this process, over a test's own instance."""

from collections.abc import Mapping
from unittest import mock

from click.testing import CliRunner, Result
from flask import Flask

import tracker
from tracker.cli import main
from tracker.ledger import store


def run_command(environ: Mapping[str, str], *arguments: object, stdin: str | None = None) -> Result:
    """Runs `tracker` with these arguments. The connections that it leaves open, as a command may, are closed here."""
    made: list[Flask] = []

    def create_app(*given: object, **more: object) -> Flask:
        made.append(real(*given, **more))  # type: ignore[arg-type]
        return made[-1]

    real = tracker.create_app
    with mock.patch("tracker.create_app", create_app):
        done = CliRunner().invoke(main, [str(one) for one in arguments], env=dict(environ), input=stdin)
    for app in made:
        with app.app_context():
            store.db.engine.dispose()
    return done
