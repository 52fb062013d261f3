"""One person's data: shown, and erased."""

import json
import sys
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tracker.cli.base import main, open_app, who
from tracker.cli.stripe_commands import asks_stripe, needs_key

if TYPE_CHECKING:
    from tracker.gateway.personal_data import PersonLookup


@main.command()
@click.argument("wanted", metavar="ENTRY_OR_EMAIL")
@asks_stripe
def person(wanted: str) -> None:
    """Write what is kept here about one person to standard output, as JSON: every gift, with name, message and notes.

    ENTRY_OR_EMAIL is the e-mail address that somebody gave with, or the id of one of their gifts.
    """
    from tracker.reconcile import forgetting

    app, _ = open_app()
    with app.app_context(), _lookup() as stripe:
        found = forgetting.find(stripe, wanted)
        forgetting.note_export(found, who(), datetime.now(UTC))
    json.dump(forgetting.as_json(found), sys.stdout, ensure_ascii=False, indent=2)
    click.echo()


@main.command()
@click.argument("wanted", metavar="ENTRY_OR_EMAIL")
@click.option("--yes", is_flag=True, help="Do not ask.")
@asks_stripe
def forget(wanted: str, yes: bool) -> None:
    """Erase the name, message and notes of one person, and what Stripe's deliveries say about them. Every sum stays.

    ENTRY_OR_EMAIL is the e-mail address that somebody gave with, or the id of one of their gifts. What Stripe itself
    keeps is erased in its dashboard.
    """
    from tracker.reconcile import forgetting

    app, _ = open_app()
    with app.app_context(), _lookup() as stripe:
        found = forgetting.find(stripe, wanted)
        if not found.kept.is_anything:
            raise ValueError("Nothing is kept here about this person.")
        if not yes:
            click.confirm(f"Found: {_listed(forgetting.counts(found.kept))}. Erase what names the person?", abort=True)
        erased = forgetting.erase(found, who(), datetime.now(UTC))
    click.echo(
        f"Erased: {_listed(erased | {'entries': 0}) or 'nothing more'}. Their entries stay: {erased['entries']}."
    )
    click.echo("Earlier backups still have it. Stripe keeps its own data: erase the customer in its dashboard.")


def _lookup() -> "PersonLookup":
    """Within the app's context."""
    from tracker.web.site import person_lookup, settings

    needs_key(settings())
    return person_lookup()


def _listed(counts: dict[str, int]) -> str:
    return ", ".join(f"{number} {name if number > 1 else ONE[name]}" for name, number in counts.items() if number)


ONE = {"entries": "entry", "names": "name", "notes": "note", "deliveries": "delivery"}
