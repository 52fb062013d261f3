"""Monthly supporters' subscriptions, as the newest word about each has it, and what is still to come from them."""

from dataclasses import asdict
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, insert, select, update

from tracker.giving.campaign import Campaign
from tracker.giving.committed import committed
from tracker.giving.facts import Support
from tracker.giving.months import Month
from tracker.ledger import campaigns
from tracker.ledger.models import campaign as campaign_table
from tracker.ledger.models import support


def record(connection: Connection, fact: Support) -> Literal["recorded", "known", "waiting"]:
    """Keeps how a subscription stands, unless something newer is known already. What has ended stays ended."""
    campaign_id = connection.scalar(select(campaign_table.c.id).where(campaign_table.c.slug == fact.campaign))
    if campaign_id is None:
        # Of a campaign that is not known here; `tracker sync` asks again.
        return "waiting"
    values = asdict(fact) | {"campaign_id": campaign_id}
    del values["campaign"]
    known = connection.execute(select(support).where(support.c.key == fact.key)).one_or_none()
    if known is None:
        connection.execute(insert(support).values(values))
        return "recorded"
    if is_outdated(fact, known.told_at, known.state):
        return "known"
    # Also when nothing else has changed: what is told now outdates whatever was said before it and comes later.
    connection.execute(update(support).where(support.c.key == fact.key).values(values))
    return "recorded" if differs(fact, known) else "known"


def is_outdated(fact: Support, told_at: datetime, state: str) -> bool:
    """Whether something newer is known already. What has ended stays ended."""
    return fact.told_at < told_at or (state == "ended" and fact.state != "ended")


def differs(fact: Support, known: Any) -> bool:
    """Whether a fact says another thing than the row that is known."""
    names = ("amount", "currency", "state", "next_charge", "ends", "live")
    return any(getattr(fact, name) != getattr(known, name) for name in names)


def still_to_come(connection: Connection, campaign: Campaign, month: Month, live: bool, now: datetime) -> int:
    """What active supporters will still give in the month, in the campaign's smallest unit."""
    rows = connection.execute(
        select(support).where(
            support.c.campaign_id == campaigns.campaign_id(connection, campaign.slug),
            support.c.live == live,
            support.c.currency == campaign.currency,
            support.c.state == "active",
            support.c.next_charge > now,
            support.c.next_charge < month.next.first_moment(campaign.time_zone),
        )
    )
    supports = [
        Support(
            row.key, campaign.slug, row.amount, row.currency, row.state, row.next_charge, row.ends, row.told_at, live
        )
        for row in rows
    ]
    return committed(supports, month, campaign.time_zone, now)
