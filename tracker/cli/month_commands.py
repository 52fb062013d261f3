"""Goals, closed months, and the proof that the totals are right."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import TYPE_CHECKING

import click

from tracker.cli.base import amount_of, known, main, open_app, says_what_went_wrong, who
from tracker.giving.campaign import Campaign
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import Month, parse_month

if TYPE_CHECKING:
    from sqlalchemy.orm import Session


@main.group()
def goal() -> None:
    """Set goals, in money and in people."""


@goal.command("set")
@click.argument("slug")
@click.argument("month")
@click.argument("amount", required=False)
@click.option("--supporters", type=click.IntRange(0), help="A goal in people beside it, or alone: 200. 0 for none.")
@click.option("--people-first", is_flag=True, help="With --supporters: the bar counts people instead of money.")
@click.option("--onwards", is_flag=True, help="From this month on.  [default: for this month alone]")
@says_what_went_wrong
def goal_set(
    slug: str, month: str, amount: str | None, supporters: int | None, people_first: bool, onwards: bool
) -> None:  # fmt: skip
    """Set the goal of one MONTH, written 2021-05, to AMOUNT. Other months keep theirs."""
    from tracker.ledger import audit_log, campaigns

    now = datetime.now(UTC)
    if amount is None and supporters is None:
        raise ValueError("Give an AMOUNT, or --supporters, or both.")
    if people_first and not supporters:
        raise ValueError("--people-first goes with --supporters.")
    goals = []
    with _writing_in(slug) as (session, found, _):
        wanted: Month = parse_month(month)
        if amount is not None:
            smallest = amount_of("AMOUNT", amount, found.currency)
            before = campaigns.goals(session, slug).of(wanted)
            campaigns.set_goal(session, slug, wanted, smallest, stands=onwards)
            audit_log.note_goal(session, who(), now, found, wanted, before, smallest, stands=onwards)
            goals.append(found.write(smallest))
        if supporters is not None:
            goal = PeopleGoal(supporters, people_first)
            campaigns.set_people_goal(session, slug, wanted, goal, now, stands=onwards)
            after = {"supporters": supporters, "bar_counts_people": people_first, "and_later_months": onwards}
            audit_log.note(session, who(), now, "goal.people_set", campaign=slug, about=wanted, after=after)
            goals.append(f"{supporters} supporters{', which the bar counts' if people_first else ''}")
    click.echo(f"The goal of “{slug}” {'from' if onwards else 'for'} {wanted} is {' and '.join(goals)}.")


@main.group()
def month() -> None:
    """Close months that are over, or open them again."""


@month.command("close")
@click.argument("slug")
@click.argument("month")
@says_what_went_wrong
def month_close(slug: str, month: str) -> None:
    """Freeze a MONTH that is over, written 2021-05. Its figures no longer change; anything later is booked in a later month."""
    from tracker.ledger import audit_log, month_closing

    now = datetime.now(UTC)
    with _writing_in(slug) as (session, found, live):
        result = month_closing.close(session, found, parse_month(month), live, now)
        after = {"raised": found.write(result.sums.raised), "head": result.head}
        audit_log.note(session, who(), now, "month.closed", campaign=slug, about=month, after=after)
    click.echo(f"{month} of “{slug}” is closed with {found.write(result.sums.raised)}.")
    click.echo(f"Head of the ledger: {result.head}")
    click.echo("Keep this line somewhere other than the server: it proves that nothing before it was changed later.")


@month.command("reopen")
@click.argument("slug")
@click.argument("month")
@click.option("--reason", default="", help="The reason, kept and shown with the month.")
@says_what_went_wrong
def month_reopen(slug: str, month: str, reason: str) -> None:
    """Let a closed MONTH change again. Anything booked in another month because it was closed stays there."""
    from tracker.ledger import audit_log, month_closing

    with _writing_in(slug) as (session, found, live):
        month_closing.reopen(session, found, parse_month(month), live, datetime.now(UTC), reason=reason.strip())
        audit_log.note(session, who(), datetime.now(UTC), "month.reopened", campaign=slug, about=month)
    click.echo(f"{month} of “{slug}” is open again.")


@contextmanager
def _writing_in(slug: str) -> "Iterator[tuple[Session, Campaign, bool]]":
    """The database for writing, the campaign, and whether the running mode is the live one."""
    from tracker.ledger import campaigns
    from tracker.ledger.store import writing

    app, settings = open_app()
    with app.app_context(), writing() as session:
        yield session, known(campaigns.find(session, slug), slug), settings.live


@main.command()
@click.option("--check", is_flag=True, help="Only compare; exit with 1 when something differs.")
@says_what_went_wrong
def rebuild(check: bool) -> None:
    """Calculate the totals again from the entries, or check that they match."""
    app, _ = open_app()
    with app.app_context():
        if check:
            _check_totals()
        else:
            wrong = _rebuild_totals()
            fixed = (
                "1 total was wrong and is now right." if wrong == 1 else f"{wrong} totals were wrong and are now right."
            )
            click.echo(fixed if wrong else "All totals were right.")


def _rebuild_totals() -> int:
    from tracker.ledger import appeals, audit_log, breakdowns, month_closing, settled_totals
    from tracker.ledger.store import writing

    with writing() as session:
        wrong = month_closing.rebuild(session) + appeals.rebuild(session)
        wrong += breakdowns.rebuild(session) + settled_totals.rebuild(session)
        if wrong:
            audit_log.note(session, who(), datetime.now(UTC), "ledger.rebuilt", after={"totals": wrong})
    return wrong


def _check_totals() -> None:
    """Names every total that differs from its entries, and every entry that was changed. Raises ClickException if any is."""
    from tracker.ledger import appeals, breakdowns, chain, month_closing, settled_totals
    from tracker.ledger.store import reading

    with reading() as session:
        differences = month_closing.differences(session)
        of_appeals = appeals.differences(session)
        of_pages = breakdowns.differences(session) + settled_totals.differences(session)
        tampered = month_closing.tampered(session)
        head = chain.head(session)
    for sentence in tampered:
        click.echo(sentence)
    for one in differences:
        mode = "live" if one.live else "test"
        figures = f"kept {one.kept.raised}, entries come to {one.summed.raised}"
        if one.kept.raised == one.summed.raised:
            kept, summed = vars(one.kept), vars(one.summed)
            unequal = [name for name in kept if kept[name] != summed[name]]
            figures = ", ".join(f"kept {kept[name]} {name}, entries come to {summed[name]}" for name in unequal)
        click.echo(f"{one.month} {one.currency} ({mode}, campaign {one.campaign_id}): {figures}")
    for appeal in of_appeals:
        (kept_sum, kept_gifts), (sum_now, gifts_now) = appeal.kept, appeal.summed
        click.echo(
            f"“{appeal.name}” ({'live' if appeal.live else 'test'}): kept {kept_sum} of {kept_gifts} gifts,"
            f" entries come to {sum_now} of {gifts_now}"
        )
    if of_pages:
        click.echo(f"{of_pages} {'row' if of_pages == 1 else 'rows'} of what the months' pages break down")
    wrong = len(differences) + len(of_appeals) + of_pages
    if wrong and not tampered:
        raise click.ClickException(
            f"{wrong} {'total is' if wrong == 1 else 'totals are'} not the sum of their entries: run “tracker rebuild”."
        )
    if tampered:
        raise click.ClickException("The database was edited by hand, or only part of a backup was restored.")
    click.echo("Every total is the sum of its entries, and every entry is unchanged.")
    click.echo(f"Head of the ledger: {head}")
