"""Making, changing and listing campaigns."""

import re
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import click

from tracker.cli.base import amount_of, known, main, open_app, says_what_went_wrong, who
from tracker.giving import bar_style, money, way_back
from tracker.giving.campaign import FREQUENCIES, TIERS, Campaign, check_held_month
from tracker.giving.money import exponent
from tracker.giving.months import month_of


@main.group()
def campaign() -> None:
    """Make, change and list campaigns."""


@campaign.command("set")
@click.argument("slug")
@click.option("--title", help="What supporters read first.")
@click.option("--lead", help="Who asks, and for what, in one line.")
@click.option("--story", type=click.File(encoding="utf-8"), help="A Markdown file with the longer text.")
@click.option("--currency", help="Three letters; cannot be changed later.  [default: USD]")
@click.option("--goal", help="The goal of each month, from the current one on.")
@click.option("--time-zone", help="Months start at midnight in this time zone.  [default: UTC]")
@click.option("--locale", help="How amounts and months are written.  [default: en_US]")
@click.option("--amount-pattern", help="Such as “#,##0 ¤” for 2,500 $.  [default: the locale's own]")
@click.option("--once", help="Amounts to choose from, once: 10,25,50,100")
@click.option("--monthly", help="Amounts to choose from, every month: 5,10,20")
@click.option("--yearly", help="Amounts to choose from, every year: 50,100")
@click.option(
    "--default-frequency",
    type=click.Choice(["", *FREQUENCIES]),
    help="Which is selected at first: once, month or year. Empty for the first that has amounts.",
)
@click.option("--minimum", help="The smallest gift.")
@click.option("--maximum", help="The largest gift.")
@click.option("--cover-percent", help="Let supporters add the payment fee: its percentage, such as 2.9. 0 for none.")
@click.option("--cover-fixed", help="The fixed part of that fee, such as 0.30.")
@click.option("--newsletter", help="The sentence beside a box for the newsletter. Empty for no box.")
@click.option("--accent", help="The colour of the bar and the button: #1c4f82. Empty for ours.")
@click.option(
    "--allowed-hosts", help="Your sites, for the way back to the article: www.example.org, with spaces between."
)
@click.option("--thanks-words", type=click.File(encoding="utf-8"), help="A Markdown file for the thank-you page.")
@click.option("--checkout-words", help="Plain text beside the button on Stripe's page, 1,200 characters at most.")
@click.option("--paused/--resumed", default=None, help="Stop taking gifts, or take them again.")
@click.option("--reached-words", help="What the page says once the goal of a month is reached. Empty for nothing.")
@click.option(
    "--stop-at-goal/--go-on-at-goal",
    "stops_at_goal",
    default=None,
    help="Stop taking gifts for the rest of such a month.",
)
@click.option("--held-month", help="For a campaign that has ended: keep showing this month. Empty to undo.")
@says_what_went_wrong
def campaign_set(slug: str, goal: str | None, **options: Any) -> None:
    """Create the campaign SLUG, or change what is given here and leave the rest as it is."""
    from tracker.ledger import audit_log, book, campaigns
    from tracker.ledger.audit_log import values_of
    from tracker.ledger.store import writing

    app, _ = open_app()
    now = datetime.now(UTC)
    with app.app_context(), writing() as session:
        before = campaigns.find(session, slug)
        after = _changed(slug, before, options)
        new = campaigns.save(session, after)
        check_held_month(after, now)
        told, action = values_of(before) if before else None, "campaign.changed" if before else "campaign.made"
        audit_log.note(session, who(), now, action, campaign=slug, before=told, after=values_of(after))
        if goal is not None:
            campaigns.set_standing_goal(session, after, amount_of("--goal", goal, after.currency), now, who())
        if new:
            book.retry_pending_for_campaign(session, slug, now)
    click.echo(
        f"{'Made' if new else 'Changed'} the campaign “{slug}”: {after.title}"
        + (f", {goal} {after.currency} a month." if goal else ".")
    )
    if before and before.time_zone != after.time_zone:
        click.echo(f"Months now start and end at midnight in {after.time_zone}. Existing gifts stay in their months.")


# What is saved as it is given.
PLAIN = (
    "title", "lead", "amount_pattern", "held_month", "paused", "time_zone", "default_frequency", "reached_words",
    "stops_at_goal", "newsletter", "checkout_words",
)  # fmt: skip


def _changed(slug: str, before: Campaign | None, options: dict[str, Any]) -> Campaign:
    given = {name: value for name, value in options.items() if value is not None}
    if before is None and "title" not in given:
        raise ValueError(f"There is no campaign “{slug}” yet: a new one needs a --title.")
    currency = money.check_currency(given.get("currency", before.currency if before else "USD"))
    values: dict[str, Any] = {"currency": currency}
    for name in PLAIN:
        if name in given:
            values[name] = given[name]
    if "accent" in given:
        values["accent"] = bar_style.check_accent(given["accent"])
    for name in ("story", "thanks_words"):
        if name in given:
            values[name] = given[name].read()
    if "allowed_hosts" in given:
        values["allowed_hosts"] = way_back.read_hosts(given["allowed_hosts"])
    if "locale" in given:
        values["locale"] = money.check_locale(given["locale"])
    for name in TIERS.values():
        if name in given:
            values[name] = tuple(
                sorted(amount_of(f"--{name}", part, currency) for part in given[name].split(",") if part.strip())
            )
    for name in ("minimum", "maximum", "cover_fixed"):
        if name in given:
            values[name] = amount_of(f"--{name.replace('_', '-')}", given[name], currency)
    if "cover_percent" in given:
        values["cover_percent"] = _hundredths(given["cover_percent"])
    return replace(before, **values) if before else _made(slug, values)


def _hundredths(percent: str) -> int:
    """`2.9` per cent as 290."""
    if not re.fullmatch(r"[0-9]{1,2}(\.[0-9]{1,2})?", percent.strip().removesuffix("%").strip()):
        raise ValueError(f"--cover-percent: “{percent}” is not a percentage. Write it as 2.9.")
    return int(Decimal(percent.strip().removesuffix("%").strip()) * 100)


def _made(slug: str, values: dict[str, Any]) -> Campaign:
    """A new campaign, with amounts to choose from where none were given."""
    currency = values["currency"]
    # Where the currency has no small unit, prices are about a hundred times the number.
    unit = 10 ** exponent(currency) * (100 if exponent(currency) == 0 else 1)
    # And where Stripe takes no small sums, as with forints, people do not give them either.
    while 5 * unit < money.least(currency):
        unit *= 10
    defaults: dict[str, Any] = {
        "time_zone": "UTC",
        "locale": "en_US",
        "once": tuple(n * unit for n in (10, 25, 50, 100)),
        "monthly": tuple(n * unit for n in (5, 10, 20)),
        "yearly": (),
        "maximum": min(10_000 * unit, money.MAXIMUM // money.step(currency) * money.step(currency)),
    }
    values = defaults | values
    # Card testers like the smallest sums; five is a floor that few donors notice.
    offered = [amount for name in TIERS.values() for amount in values[name]]
    values.setdefault("minimum", max(money.least(currency), min([5 * unit, *offered])))
    return Campaign(slug=slug, **values)


@campaign.command("pause")
@click.argument("slug")
@click.option("--reason", default="", help="What the page says in place of the form.")
@says_what_went_wrong
def campaign_pause(slug: str, reason: str) -> None:
    """Stop taking gifts for SLUG for a while; the bar stays."""
    after = _save(slug, "campaign.changed", paused=True, pause_reason=reason)
    click.echo(f"“{after.title}” is paused: its bar stays, and nobody can give until “tracker campaign resume {slug}”.")


@campaign.command("resume")
@click.argument("slug")
@says_what_went_wrong
def campaign_resume(slug: str) -> None:
    """Take gifts for SLUG again, whether it was paused or archived."""
    after = _save(slug, "campaign.resumed", paused=False, pause_reason="", held_month="", archived=False)
    click.echo(f"“{after.title}” takes gifts again.")


@campaign.command("archive")
@click.argument("slug")
@click.option("--month", help="The month that its bar keeps showing: 2021-05.  [default: this month]")
@says_what_went_wrong
def campaign_archive(slug: str, month: str | None) -> None:
    """End SLUG: its bar stays at a month, nobody can give, and the front page no longer lists it."""
    after = _save(slug, "campaign.archived", held_month=month, archived=True)
    click.echo(
        f"“{after.title}” has ended: its bar stays at {after.held_month}, and the front page no longer lists it. "
        "Monthly and yearly gifts go on at Stripe until they are ended there."
    )


def _save(slug: str, action: str, **changes: Any) -> Campaign:
    """Changes a campaign that is there. A held month of None is the one that is held already, or else the current one."""
    from tracker.ledger import audit_log, campaigns
    from tracker.ledger.store import writing

    app, _ = open_app()
    now = datetime.now(UTC)
    with app.app_context(), writing() as session:
        before = known(campaigns.find(session, slug), slug)
        if changes.get("held_month", "") is None:
            changes["held_month"] = before.held_month or str(month_of(now, before.time_zone))
        after = replace(before, **changes)
        check_held_month(after, now)
        campaigns.save(session, after)
        told = audit_log.values_of(before), audit_log.values_of(after)
        audit_log.note(session, who(), now, action, campaign=slug, before=told[0], after=told[1])
    return after


@campaign.command("list")
@says_what_went_wrong
def campaign_list() -> None:
    """List every campaign with its current month."""
    from tracker.ledger import campaigns, results
    from tracker.ledger.store import reading

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context(), reading() as session:
        every = campaigns.every(session)
        for one in every:
            found = results.result(session, one, results.shown_month(one, now), settings.live)
            goal = f" of {one.write(found.goal)}" if found.goal else ""
            state = (
                " (archived)" if one.archived else " (over)" if one.held_month else " (paused)" if one.paused else ""
            )
            click.echo(f"{one.slug}: {one.title}; {found.month}: {one.write(found.sums.raised)}{goal}{state}")
    if not every:
        click.echo("There is no campaign yet: make one with “tracker campaign set SLUG --title …”.")
