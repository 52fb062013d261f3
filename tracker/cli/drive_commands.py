"""Drives and matches: setting, listing and ending them."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tracker.cli.base import amount_of, known, main, open_app, says_what_went_wrong, who
from tracker.giving.campaign import Campaign
from tracker.giving.drives import Appeal, Kind, parse_moment, when

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@main.group()
def drive() -> None:
    """Days with a goal of their own, beside the months."""


@drive.command("set")
@click.argument("slug")
@click.argument("name")
@click.option("--goal", help="What the drive is to bring.")
@click.option("--start", help="When it begins, on the campaign's clock: “2021-05-14 18:00”.  [default: now]")
@click.option("--end", help="When it ends, written in the same way.")
@says_what_went_wrong
def drive_set(slug: str, name: str, goal: str | None, start: str | None, end: str | None) -> None:
    """Create the drive NAME of the campaign SLUG, or change what is given here of a drive that has not ended."""
    _set("drive", slug, name, "--goal", goal, start, end)


@drive.command("list")
@click.argument("slug")
@says_what_went_wrong
def drive_list(slug: str) -> None:
    """List every drive of the campaign SLUG, the newest first."""
    _list("drive", slug)


@drive.command("end")
@click.argument("slug")
@click.argument("name")
@says_what_went_wrong
def drive_end(slug: str, name: str) -> None:
    """End the drive NAME now: the bar shows the month again. One that has not begun is deleted."""
    _end("drive", slug, name)


@main.group()
def match() -> None:
    """Somebody who doubles the gifts, up to a sum."""


@match.command("set")
@click.argument("slug")
@click.argument("name")
@click.option("--cap", help="The most that is added.")
@click.option("--start", help="When it begins, on the campaign's clock: “2021-05-14 18:00”.  [default: now]")
@click.option("--end", help="When it ends, written in the same way. Leave empty to go on until the cap is reached.")
@says_what_went_wrong
def match_set(slug: str, name: str, cap: str | None, start: str | None, end: str | None) -> None:
    """Let NAME double the gifts to the campaign SLUG, or change what is given here of a match that has not ended."""
    _set("match", slug, name, "--cap", cap, start, end)


@match.command("list")
@click.argument("slug")
@says_what_went_wrong
def match_list(slug: str) -> None:
    """List every match of the campaign SLUG, the newest first."""
    _list("match", slug)


@match.command("end")
@click.argument("slug")
@click.argument("name")
@says_what_went_wrong
def match_end(slug: str, name: str) -> None:
    """End the match of NAME now. One that has not begun is deleted."""
    _end("match", slug, name)


# --- What both do -----------------------------------------------------------------------------------------------------


def _set(
    kind: Kind, slug: str, name: str, option: str, amount: str | None, start: str | None, end: str | None
) -> None:  # fmt: skip
    from tracker.ledger import appeals, campaigns
    from tracker.ledger.store import writing

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context(), writing() as session:
        campaign = known(campaigns.find(session, slug), slug)
        before = _found(session, campaign, settings.live, kind, name, now)
        if before is None and amount is None:
            raise ValueError(f"There is no {kind} “{name}” yet: a new one needs {option}.")
        wanted = before or Appeal(kind, name.strip(), 0, now.replace(second=0, microsecond=0), None)
        if amount is not None:
            wanted = replace(wanted, amount=amount_of(option, amount, campaign.currency))
        if start is not None:
            wanted = replace(wanted, starts_at=parse_moment(start, campaign.time_zone))
        if end is not None:
            wanted = replace(wanted, ends_at=parse_moment(end, campaign.time_zone) if end.strip() else None)
        saved = appeals.save(session, campaign, wanted, now)
        appeals.note_saved(session, who(), now, campaign, before, saved)
    click.echo(
        f"{'Changed' if before else 'Made'} the {kind} “{wanted.name}” of “{slug}”:"
        f" {campaign.write(wanted.amount)}, {when(wanted, campaign)}."
    )


def _list(kind: Kind, slug: str) -> None:
    from tracker.ledger import appeals, campaigns
    from tracker.ledger.store import reading

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context(), reading() as session:
        campaign = known(campaigns.find(session, slug), slug)
        every = [one for one in appeals.every(session, campaign, settings.live) if one.kind == kind]
    for one in every:
        so_far = campaign.write(one.raised if kind == "drive" else one.matched)
        click.echo(f"{one.name} ({one.state(now)}): {so_far} of {campaign.write(one.amount)}, {when(one, campaign)}")
    if not every:
        click.echo(f"“{slug}” has had no {kind} yet: make one with “tracker {kind} set {slug} NAME …”.")


def _end(kind: Kind, slug: str, name: str) -> None:
    from tracker.ledger import appeals, audit_log, campaigns
    from tracker.ledger.store import writing

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context(), writing() as session:
        campaign = known(campaigns.find(session, slug), slug)
        found = _found(session, campaign, settings.live, kind, name, now)
        if found is None:
            raise ValueError(f"“{slug}” has no {kind} “{name}” that could end: “tracker {kind} list {slug}” shows all.")
        ran = appeals.end(session, campaign, found.id, now)
        action = "appeal.ended" if ran else "appeal.deleted"
        audit_log.note(session, who(), now, action, campaign=slug, about=found.id)
    done = "has ended" if ran else "is deleted: it had not begun"
    click.echo(f"The {kind} “{found.name}” of “{slug}” {done}.")


def _found(session: "Session", campaign: Campaign, live: bool, kind: Kind, name: str, now: datetime) -> Appeal | None:
    from tracker.ledger import appeals

    return appeals.find(session, campaign, live, kind, name.strip(), now)
