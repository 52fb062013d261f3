"""Entries out as files, and gifts in that came another way."""

import os
import secrets
import sys
from datetime import UTC, datetime
from pathlib import Path
from typing import IO, Any

import click

from tracker.cli.base import known, main, open_app, says_what_went_wrong, who
from tracker.cli.progress import working
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, parse_month
from tracker.paths import DOCS


@main.command(
    help=f"Write the entries of the campaign SLUG, one row each; {DOCS / 'giving.md'} says what the columns mean."
)
@click.argument("slug")
@click.option("--month", help="Only what is booked in this month, written 2021-05.")
@click.option(
    "--format",
    "form",
    default="csv",
    show_default=True,
    type=click.Choice(["csv", "xlsx", "jsonl"]),
    help="Which file.",
)
@click.option("--output", type=click.Path(path_type=Path, dir_okay=False), help="Write this file, not standard output.")
@says_what_went_wrong
def export(slug: str, month: str | None, form: str, output: Path | None) -> None:
    """Entries to standard output or a file."""
    if output is None and form == "xlsx" and sys.stdout.isatty():
        raise ValueError("A spreadsheet cannot be shown here: name a file with --output.")
    wanted = parse_month(month) if month else None
    with working("Writing the entries"):
        if output is None:
            count = _export(slug, wanted, form, sys.stdout.buffer)
            sys.stdout.buffer.flush()
        elif output.exists() and not output.is_file():
            # A pipe or a device, /dev/stdout among them, is written to and never put aside.
            with output.open("wb") as opened:
                count = _export(slug, wanted, form, opened)
        else:
            count = _export_to(output, slug, wanted, form)
    # Standard output is the file.
    click.echo(f"Wrote {count} entries of “{slug}”{f' to {output}' if output else ''}.", err=True)


def _export_to(output: Path, slug: str, month: Month | None, form: str) -> int:
    """Writes beside the file and puts it in its place when it is whole."""
    part = output.with_name(f".{output.name}.{secrets.token_hex(4)}.part")
    try:
        with part.open("xb") as file:
            count = _export(slug, month, form, file)
        os.replace(part, output)
    finally:
        part.unlink(missing_ok=True)
    return count


def _export(slug: str, month: Month | None, form: str, file: IO[bytes]) -> int:
    from tracker.ledger import campaigns, export_files, export_rows
    from tracker.ledger.store import reading

    app, settings = open_app()
    with app.app_context(), reading() as session:
        found = known(campaigns.find(session, slug), slug)
        return export_files.write(export_rows.rows(session, found, month, settings.live), form, file)


@main.command("import")
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--campaign", "slug", required=True, metavar="SLUG", help="The campaign that the gifts were made to.")
@click.option("--dry-run", is_flag=True, help="Read and count everything, and write nothing.")
@says_what_went_wrong
def import_(file: Path, slug: str, dry_run: bool) -> None:
    """Record offline gifts: a CSV FILE with the columns date,amount and, if there are any, note and id."""
    from tracker.giving.offline_gift import read_offline_gifts
    from tracker.ledger import audit_log, campaigns, offline_gifts
    from tracker.ledger.store import reading, writing

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context():
        with reading() as session:
            campaign = known(campaigns.find(session, slug), slug)
        gifts = read_offline_gifts(_text_of(file), campaign, settings.live, now)
        with working("Recording gifts"), writing() as session:
            # In a dry run everything happens too, and is taken back.
            attempt = session.begin_nested()
            done = offline_gifts.write_down(session, gifts, now)
            if dry_run or done.unlike:
                attempt.rollback()
            elif done.new:
                amounts = {month: campaign.write(amount) for month, amount in sorted(done.amounts.items())}
                after = {"gifts": done.new, **amounts}
                audit_log.note(session, who(), now, "gift.imported", campaign=slug, about=file.name, after=after)
    for there in done.unlike:
        raise ValueError(
            f"The id “{there.key.partition(':id:')[2]}” is already in the ledger: {campaign.write(there.amount)} of"
            f" {there.at:%Y-%m-%d}. Give another gift another id; reverse a wrong one on the page of its month."
            " Nothing was written."
        )
    _say_what_came(campaign, done, dry_run)


def _text_of(file: Path) -> str:
    try:
        return file.read_text(encoding="utf-8-sig")
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not in UTF-8: save it as “CSV UTF-8”.") from None


def _say_what_came(campaign: Campaign, done: Any, dry_run: bool) -> None:
    before = f" Already in the ledger, and not counted again: {done.known}." if done.known else ""
    did = "Would record" if dry_run else "Recorded"
    click.echo(f"{did} {_gifts(done.new, 'offline gift')} of “{campaign.slug}”.{before}")
    for month in sorted(done.gifts):
        click.echo(f"{month}: {campaign.write(done.amounts[month])}, {_gifts(done.gifts[month])}")


def _gifts(number: int, word: str = "gift") -> str:
    return f"{number} {word}{'' if number == 1 else 's'}"
