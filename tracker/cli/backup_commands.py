"""Backups of the database: making them, and restoring them."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from flask import Flask

from tracker.cli.base import main, says_what_went_wrong, who
from tracker.cli.progress import working
from tracker.giving.money import to_main
from tracker.settings import read_settings


@main.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option(
    "--portable",
    is_flag=True,
    help="Make a backup of PostgreSQL that can also be restored into SQLite. One of SQLite can always be restored into both.",
)
@says_what_went_wrong
def backup(file: Path, portable: bool) -> None:
    """Back up the database to a new FILE while gifts arrive, and check the backup. Keep tracker.env and secret_key as well."""
    from tracker.ledger import backups

    with _app().app_context(), working("Copying the database"):
        made = backups.back_up(file, portable=portable)
    click.echo(f"Wrote {file}, {_size(made.size)}.")
    _say_what_is_in(made.contents)
    if made.read_back:
        click.echo("A trial restore worked: every total is the sum of its entries.")
    else:
        click.echo("It is complete, but there was no trial restore: this PostgreSQL role may not create a database.")


@main.command()
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option(
    "--beside-original",
    is_flag=True,
    help="The original keeps running with the same Stripe account: a payment started in one does not count in the other.",
)
@says_what_went_wrong
def restore(file: Path, beside_original: bool) -> None:
    """Restore a backup that “tracker backup” made into a new, empty database, and bring it up to date."""
    from tracker.ledger import audit_log, backups
    from tracker.ledger.store import writing

    with _app().app_context():
        with working("Restoring the copy"):
            found = backups.restore(file, beside_original=beside_original)
        # This continues the log that came with the copy.
        after = {"entries": found.entries, "head": found.head}
        with writing() as session:
            audit_log.note(session, who(), datetime.now(UTC), "ledger.restored", about=file.name, after=after)
    click.echo(f"Restored {file}. Every total is the sum of its entries.")
    _say_what_is_in(found)
    since = f"{found.newest.astimezone(UTC):%Y-%m-%d}" if found.newest else "DATE"
    click.echo(f"Payments since then are not in it: run “tracker sync --since {since}”.")


def _app() -> Flask:
    """The app, whatever schema its database has: an older one is to be copied, too, and a new one may have none."""
    from tracker import create_app

    return create_app(read_settings(), background=False)


def _say_what_is_in(found: Any) -> None:
    click.echo(f"Entries: {found.entries}")
    for (live, currency), amount in sorted(found.sums.items(), reverse=True):
        click.echo(f"Sum of {'live' if live else 'test'} money: {to_main(amount, currency)} {currency}")
    if found.head:
        click.echo(f"Head of the ledger: {found.head}")


def _size(octets: int) -> str:
    return f"{octets / 1_000_000:.1f} MB" if octets >= 100_000 else f"{octets / 1000:.1f} KB"
