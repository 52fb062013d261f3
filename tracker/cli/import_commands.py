"""Past gifts in: the newsroom's own list of cheques and cash, and other systems' files."""

import json
import sys
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from tracker.cli.base import known, main, open_app, says_what_went_wrong, who
from tracker.cli.progress import working
from tracker.giving.import_map import READY, ImportMap, built_map, map_from_dict
from tracker.paths import DOCS


@main.command(
    "import",
    help=f"""Record past gifts from a CSV FILE: your own list of cheques and cash, with the columns date,amount and optionally
    note and id, or another system's file. See {DOCS / "files.md"}.""",
)
@click.argument("file", type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--campaign", "slug", required=True, metavar="SLUG", help="The campaign that the gifts were made to.")
@click.option("--dry-run", is_flag=True, help="Read and count everything, and write nothing.")
@click.option(
    "--from", "ready", type=click.Choice(sorted(READY)), help="The system that the file is from: a ready map."
)
@click.option("--map", "named", default="", metavar="NAME", help="A map saved for this campaign, or a file with one.")
@click.option(
    "--system",
    default="",
    help="The name of the system that the gifts come from, in lower case. Only needed if there is no ready map for it.",
)
@click.option("--columns", default="", help="Which column is what: date=Created,amount=Sum,id=Number,kind_column=Type.")
@click.option(
    "--date-format",
    "date_formats",
    multiple=True,
    help="How dates are written, as in strptime: %d.%m.%Y. May be repeated.",
)
@click.option("--numbers", default="", help="How amounts are written: point (1,234.50), comma (1.234,50) or smallest.")
@click.option("--kind", default="", help="once, monthly, yearly or offline, if no column says it.")
@click.option("--kinds", default="", help="What the words in kind_column mean: Monthly=monthly,*=once.")
@click.option("--only", multiple=True, metavar="COLUMN=WORD", help="Only rows with this word. May be repeated.")
@click.option("--zone", default="", help="The time zone of the file's times.  [default: the campaign's]")
@click.option("--save-map", default="", metavar="NAME", help="Save these columns and formats for the next file.")
@click.option("--skip-refused", is_flag=True, help="Record the other rows if some are refused.")
@click.option(
    "--report", type=click.Path(path_type=Path, dir_okay=False), help="Write what became of each row to this file."
)
@says_what_went_wrong
def import_(
    file: Path, slug: str, dry_run: bool, skip_refused: bool, report: Path | None, save_map: str, **options: Any
) -> None:
    """Checks the whole file before it writes anything: all of it, or with --skip-refused whatever can be recorded."""
    from tracker.ledger import breakdowns, campaigns, imports
    from tracker.ledger.store import reading, writing

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context():
        with reading() as session:
            campaign = known(campaigns.find(session, slug), slug)
            how = _map(options, imports.saved_maps(session, campaign))
        if save_map:
            with writing() as session:
                imports.save_map(session, campaign, save_map, how)
        with _lines(file, "Looking at") as text, _report(report, campaign) as tell:
            done = imports.run(text, how, campaign, settings.live, now, write=False, tell=tell)
        refused = done.outcomes["refused"]
        for told in done.refused:
            click.echo(f"Line {told.number}: {told.why}", err=True)
        if refused > len(done.refused):
            click.echo(f"And {refused - len(done.refused)} more; --report FILE names them all.", err=True)
        if refused and not (skip_refused or dry_run):
            rows = "1 row is" if refused == 1 else f"{refused} rows are"
            raise ValueError(f"{rows} refused. Nothing was written. Use --skip-refused to record the others.")
        if not dry_run:
            with _lines(file, "Recording") as text, _report(report, campaign) as tell:
                done = imports.run(text, how, campaign, settings.live, now, write=True, tell=tell)
            with writing() as session:
                imports.note_in_log(session, who(), now, campaign, how, done)
            # Else whoever opens a month's page next waits for it.
            with working("Adding up"):
                breakdowns.keep_up(enough=1)
    _say_what_came(done, how, campaign, "Would record" if dry_run else "Recorded")


def _map(options: dict[str, Any], saved: dict[str, ImportMap]) -> ImportMap:
    names = ("columns", "system", "numbers", "kind", "kinds", "zone", "date_formats", "only")
    return built_map(_base(options, saved), **{name: options[name] for name in names})


def _base(options: dict[str, Any], saved: dict[str, ImportMap]) -> ImportMap | None:
    name = options["named"]
    if options["ready"]:
        return READY[options["ready"]]
    if not name:
        return None
    if name in saved:
        return saved[name]
    if not Path(name).is_file():
        raise ValueError(f"This campaign has no map called “{name}”, and there is no file of that name.")
    try:
        return map_from_dict(json.loads(Path(name).read_text(encoding="utf-8")))
    except (UnicodeDecodeError, json.JSONDecodeError):
        raise ValueError(f"{name} is not a map: it must be one JSON object.") from None


@contextmanager
def _lines(file: Path, doing: str) -> Iterator[Iterator[str]]:
    """The lines of the file, with a progress bar on a terminal."""
    with file.open(encoding="utf-8-sig", newline="") as opened:
        if not sys.stderr.isatty():
            yield _decoded(opened, file)
            return
        with click.progressbar(length=file.stat().st_size, label=f"{doing} {file.name}", file=sys.stderr) as bar:
            yield _shown(_decoded(opened, file), bar)


def _decoded(opened: Iterable[str], file: Path) -> Iterator[str]:
    try:
        yield from opened
    except UnicodeDecodeError:
        raise ValueError(f"{file} is not in UTF-8: save it as “CSV UTF-8”.") from None


def _shown(lines: Iterator[str], bar: Any) -> Iterator[str]:
    read = 0
    for number, line in enumerate(lines):
        read += len(line)
        if number % 5000 == 0:
            bar.update(read)
            read = 0
        yield line
    bar.update(read)


@contextmanager
def _report(path: Path | None, campaign: Any) -> Iterator[Any]:
    """A function that writes one line of the report."""
    from tracker.giving.export_columns import harmless
    from tracker.ledger import imports

    if path is None:
        yield lambda told: None
        return
    import csv

    with path.open("w", encoding="utf-8", newline="") as file:
        writer = csv.writer(file, lineterminator="\r\n")
        writer.writerow(imports.REPORT_COLUMNS)
        yield lambda told: writer.writerow([harmless(cell) for cell in imports.told_row(told, campaign)])


def _say_what_came(done: Any, how: ImportMap, campaign: Any, did: str) -> None:
    from tracker.ledger import imports

    count = done.outcomes
    word = f"gift{'' if count['new'] == 1 else 's'}"
    what = f"{count['new']} {word} from {how.name}" if how.system else f"{count['new']} offline {word}"
    said = f"{did} {what} of “{campaign.slug}”." if not how.system else f"{did} {what} in “{campaign.slug}”."
    if count["known"]:
        said += f" Already in the ledger, and not counted again: {count['known']}."
    if count["left_out"]:
        said += f" Left out: {count['left_out']}."
    if count["refused"]:
        said += f" Refused: {count['refused']}."
    click.echo(said)
    for line in imports.describe(done, how, campaign):
        click.echo(line)
