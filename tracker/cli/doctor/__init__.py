"""A check of everything on which a gift depends: each finding in a line, and what to do about it (docs/doctor.md)."""

import json
from collections.abc import Iterator
from datetime import UTC, datetime

import click
from sqlalchemy.exc import SQLAlchemyError

from tracker.cli.base import main, says_what_went_wrong
from tracker.cli.doctor import check_database, check_machine, check_server, check_stripe
from tracker.cli.doctor.findings import Clock, Finding
from tracker.paths import DOCS
from tracker.settings import Settings, SettingsError, read_settings

__all__ = ["Finding", "examine"]


@main.command(
    help="Check everything that a gift depends on; exit with 1 on errors. "
    f"{DOCS / 'doctor.md'} says what to do about each finding."
)
@click.option("--all", "everything", is_flag=True, help="Also read every entry and check that none was changed.")
@click.option("--json", "as_json", is_flag=True, help="Write an array of objects with level, name and text.")
@click.option("--strict", is_flag=True, help="Exit with 1 on warnings as well.")
@says_what_went_wrong
def doctor(everything: bool, as_json: bool, strict: bool) -> None:
    """What the doctor finds, in lines or as JSON."""
    found = []
    for finding in examine(read_settings(), lambda: datetime.now(UTC), everything=everything):
        found.append(finding)
        if not as_json:
            click.echo(f"{finding.level:7}  {finding.name}: {finding.text}")
    if as_json:
        click.echo(json.dumps([vars(one) for one in found], ensure_ascii=False, indent=2))
    errors, warnings = (sum(one.level == level for one in found) for level in ("error", "warning"))
    if errors or (strict and warnings):
        raise click.ClickException(f"{_counted(errors, 'error')}, {_counted(warnings, 'warning')}.")


def _counted(number: int, what: str) -> str:
    return f"{number} {what}{'' if number == 1 else 's'}"


def examine(settings: Settings, clock: Clock, *, everything: bool) -> Iterator[Finding]:
    """Every finding, one after the other. Writes nothing but a row that stays as it was, and a file that goes again."""
    from tracker import create_app
    from tracker.ledger import database_errors, store

    yield from check_machine.findings(settings)
    stripe = check_stripe.ask(settings, clock)
    yield from stripe.findings
    told = check_server.ask(settings) if settings.secret_key else check_server.Told([])
    yield from told.findings
    try:
        app = create_app(settings, background=False)
    except SettingsError as error:
        yield Finding("error", "settings", str(error))
        return
    with app.app_context():
        try:
            yield from check_database.findings(settings, clock(), stripe, told.route, everything=everything)
        except SQLAlchemyError as error:
            yield Finding("error", "database", database_errors.in_words(error))
        finally:
            store.db.engine.dispose()
