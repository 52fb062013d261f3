"""Single gifts, and what happened to them outside Stripe."""

import hashlib
from datetime import UTC, datetime

import click

from tracker.cli.base import amount_of, known, main, open_app, says_what_went_wrong, who
from tracker.giving.offline_gift import noon, parse_day, tidy_note


@main.group()
def gift() -> None:
    """Record what happened to a gift outside Stripe."""


@gift.command("give-back")
@click.argument("slug")
@click.argument("gift_id", metavar="ID")
@click.argument("amount")
@click.option("--date", "day", required=True, help="The day it was given back, written 2021-05-14.")
@click.option("--note", default="", help="For the newsroom only, such as the number of the transfer.")
@says_what_went_wrong
def give_back(slug: str, gift_id: str, amount: str, day: str, note: str) -> None:
    """Record that AMOUNT of a gift to the campaign SLUG was given back outside Stripe, and take it off.

    ID is any of Stripe's ids for the gift: its session, invoice, payment intent or charge. Running the same command again
    changes nothing; a second sum on the same day needs a different note.
    """
    from sqlalchemy import select

    from tracker.ledger import audit_log, campaigns, reversals
    from tracker.ledger.models import entry
    from tracker.ledger.store import writing

    app, settings = open_app()
    now = datetime.now(UTC)
    words = tidy_note(note)
    with app.app_context(), writing() as session:
        campaign = known(campaigns.find(session, slug), slug)
        found = reversals.find_online(session, gift_id, settings.live)
        if found is None or found.campaign_id != campaign.id:
            raise ValueError(f"There is no gift “{gift_id[:80]}” of “{slug}”.")
        smallest = amount_of("AMOUNT", amount, found.currency)
        at = noon(parse_day(day, campaign, now), campaign)
        own_id = hashlib.sha256(f"{found.key}|{smallest}|{at.date()}|{words}".encode()).hexdigest()[:32]
        before = reversals.left_of(session, found)
        key = reversals.give_back(session, found, smallest, at, words, f"row:{own_id}", now)
        month = session.scalar(select(entry.c.month).where(entry.c.key == key))
        left = reversals.left_of(session, found)
        if left != before:
            after = {"amount": campaign.write_in(smallest, found.currency), "date": day, "month": month}
            audit_log.note(session, who(), now, "gift.given_back", campaign=slug, about=found.key, after=after)
    click.echo(
        f"{campaign.write_in(smallest, found.currency)} of {found.key} is recorded as given back, in {month}; "
        f"{campaign.write_in(left, found.currency)} of it is left."
    )
