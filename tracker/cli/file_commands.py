"""Entries out as files."""

import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click
from sqlalchemy.orm import Session

from tracker.cli.base import known, main, open_app, says_what_went_wrong
from tracker.cli.progress import working
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, parse_month
from tracker.paths import DOCS
from tracker.settings import Settings

KINDS = ("once", "monthly", "yearly", "offline", "refund", "dispute")


@main.command(
    help=f"Write the entries of the campaign SLUG, one row each; {DOCS / 'files.md'} says what the columns mean."
)
@click.argument("slug")
@click.option("--month", help="Only what is booked in this month, written 2021-05.")
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    type=click.Choice(["csv", "xlsx", "jsonl", "journal"]),
    help="The format; a journal, for bookkeeping, covers one month or one payout.",
)
@click.option("--kind", type=click.Choice(KINDS), help="Only entries of this kind.")
@click.option(
    "--frequency",
    type=click.Choice(["once", "month", "year"]),
    help="Only gifts with this frequency, and their refunds.",
)
@click.option("--source", default="", help="Only gifts that came from this article.")
@click.option("--place", default="", help="Only gifts that came from this place on the page.")
@click.option(
    "--imported-from", default="", metavar="SYSTEM", help="Only gifts imported from SYSTEM; - for all others."
)
@click.option("--months", is_flag=True, help="Write one row for each month instead.")
@click.option("--payout", default="", metavar="ID", help="With --format journal: the payout to break down.")
@click.option("--for", "program", default="", help="The journal's program: quickbooks, xero or datev.")
@click.option("--accounts", default="", help="The accounts: fees=6855,bank=1200; see TRACKER_JOURNAL_ACCOUNTS.")
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file, not standard output.")
@says_what_went_wrong
def export(slug: str, month: str | None, form: str, output: Path | None, **options: Any) -> None:
    """Entries, months or a journal to standard output or a file."""
    if output is None and form == "xlsx" and sys.stdout.isatty():
        raise ValueError("A spreadsheet cannot be shown here: name a file with --output.")
    wanted = parse_month(month) if month else None
    what = "months" if options["months"] else "lines" if form == "journal" else "entries"
    if form == "journal" and (wanted is None) == (not options["payout"]):
        raise ValueError("A journal covers one month or one payout: name it with --month or --payout.")
    with working(f"Writing the {what}"):
        if output is None:
            count = _export(slug, wanted, form, sys.stdout.buffer, options)
            sys.stdout.buffer.flush()
        elif output.exists() and not output.is_file():
            # A pipe or a device, /dev/stdout among them, is written to and never put aside.
            with output.open("wb") as opened:
                count = _export(slug, wanted, form, opened, options)
        else:
            count = _export_to(output, slug, wanted, form, options)
    # Standard output is the file.
    click.echo(f"Wrote {count} {what} of “{slug}”{f' to {output}' if output else ''}.", err=True)


def _export_to(output: Path, slug: str, month: Month | None, form: str, options: dict[str, Any]) -> int:
    """Writes beside the file and puts it in its place when it is whole."""
    part = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            count = _export(slug, month, form, file, options)
        os.replace(part, output)
    finally:
        part.unlink(missing_ok=True)
    return count


def _export(slug: str, month: Month | None, form: str, file: IO[bytes], options: dict[str, Any]) -> int:
    from tracker.giving.export_columns import MONTH_COLUMNS
    from tracker.ledger import campaigns, export_files, export_rows, results
    from tracker.ledger.store import reading

    app, settings = open_app()
    with app.app_context(), reading() as session:
        found = known(campaigns.find(session, slug), slug)
        if form == "journal":
            return _write_journal(session, found, month, settings, file, options)
        if options["months"]:
            every = results.results(session, found, settings.live, datetime.now(UTC))
            return export_files.write(export_rows.months(every, found), form, file, MONTH_COLUMNS)
        filters = export_rows.Filters(
            **{name: options[name] or "" for name in ("kind", "frequency", "source", "place", "imported_from")}
        )
        rows = export_rows.rows(session, found, month, settings.live, *filters.conditions(), form=form)
        return export_files.write(rows, form, file)


def _write_journal(
    session: Session, campaign: Campaign, month: Month | None, settings: Settings, file: IO[bytes], options: dict[str, Any]
) -> int:  # fmt: skip
    from tracker.giving.journal import PROGRAMS, read_accounts, write_journal
    from tracker.ledger import journals

    if options["program"] not in PROGRAMS:
        raise ValueError("--for: quickbooks, xero or datev.")
    accounts = read_accounts(f"{settings.journal_accounts},{options['accounts']}")
    if month:
        bookings = journals.of_month(session, campaign, month, settings.live)
    else:
        bookings = journals.of_payout(session, campaign, options["payout"], settings.live)
    file.write(write_journal(bookings, accounts, options["program"], datetime.now(UTC)))
    return 2 * len(bookings)
