"""Who gave in a year, for tax letters."""

import csv
import os
import sys
from datetime import UTC, datetime
from pathlib import Path

import click

from tracker.cli.base import known, main, open_app, who
from tracker.cli.progress import working
from tracker.cli.stripe_commands import asks_stripe, needs_key


@main.command()
@click.option("--year", required=True, type=click.IntRange(1970, 9998), help="The calendar year, such as 2026.")
@click.option("--campaign", "slug", required=True, metavar="SLUG", help="The campaign that the gifts were made to.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file, not standard output.")
@asks_stripe
def donors(year: int, slug: str, output: Path | None) -> None:
    """Ask Stripe for the names and addresses of a year's donors and what each gave, as CSV. Nothing of it is kept here."""
    from tracker.ledger import audit_log, campaigns
    from tracker.ledger.store import reading, writing
    from tracker.reconcile import donors as reconcile_donors
    from tracker.web.site import history

    app, settings = open_app()
    needs_key(settings)
    with app.app_context(), history() as stripe, working("Asking Stripe"):
        with reading() as session:
            campaign = known(campaigns.find(session, slug), slug)
        found = reconcile_donors.of_year(stripe, campaign, settings.live, year)
        with writing() as session:
            audit_log.note(
                session,
                who(),
                datetime.now(UTC),
                "donors.exported",
                campaign=slug,
                about=year,
                after={"donors": len(found)},
            )
    if output is None:
        csv.writer(sys.stdout, lineterminator="\r\n").writerows(reconcile_donors.rows(found))
    else:
        # Readable only by its owner.
        with os.fdopen(
            os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8", newline=""
        ) as file:
            csv.writer(file, lineterminator="\r\n").writerows(reconcile_donors.rows(found))
    click.echo(f"Wrote {len(found)} donors of {year}. Offline and imported gifts are not included.", err=True)
