"""Supporters' subscriptions, as the newest word about each has it, and what is still to come from them."""

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from tracker.giving.campaign import Campaign
from tracker.giving.committed import ON_ITS_WAY, committed
from tracker.giving.facts import Charge, Subscription
from tracker.giving.months import Month, month_of
from tracker.ledger import campaigns, pending_fetches
from tracker.ledger.models import campaign as campaign_table
from tracker.ledger.models import entry, support

# What makes a subscription stand differently; when it was told does not.
_STATE = ("amount", "currency", "state", "next_charge", "ends", "live", "charges", "invoice", "billed", "billed_at")


def record(connection: Connection, fact: Subscription, now: datetime) -> Literal["recorded", "known", "waiting"]:
    """Keeps how a subscription stands, unless something newer is known already. What has ended stays ended.

    Two different words of one second leave open which came later, and a word with coupons does not say what they take off:
    then Stripe is asked how it stands.
    """
    campaign_id = connection.scalar(select(campaign_table.c.id).where(campaign_table.c.slug == fact.campaign))
    if campaign_id is None:
        # Of a campaign that is not known here; `tracker sync` asks again.
        return "waiting"
    values = _as_row(fact) | {"campaign_id": campaign_id}
    known = connection.execute(select(support).where(support.c.key == fact.key)).one_or_none()
    if known is not None and is_outdated(fact, known):
        return "known"
    news = known is None or differs(fact, known)
    if known is None:
        connection.execute(insert(support).values(values))
    else:
        # Also when nothing else has changed: what is told now outdates whatever was said before it and comes later.
        connection.execute(update(support).where(support.c.key == fact.key).values(values))
        same_moment = (known.told_at, known.rank) == (fact.told_at, fact.rank)
    if news and (not fact.is_whole or (known is not None and same_moment)):
        pending_fetches.schedule(connection, "subscription", fact.key, fact.live, now)
        pending_fetches.hurry(connection, [fact.key], now)
    return "recorded" if news else "known"


def record_answer(connection: Connection, fact: Subscription) -> None:
    """Keeps how a subscription stands, as Stripe answered when asked about what is known of it.

    It takes the place of the word that was asked about, so that whatever is told of later still outdates it: Stripe's clock
    and the events' need not agree.
    """
    known = connection.execute(select(support.c.state).where(support.c.key == fact.key)).one_or_none()
    if known is not None and not (known.state == "ended" and fact.state != "ended"):
        values = {name: value for name, value in _as_row(fact).items() if name not in ("told_at", "rank")}
        connection.execute(update(support).where(support.c.key == fact.key).values(values))


def is_outdated(fact: Subscription, known: Any) -> bool:
    """Whether something newer is known already. What has ended stays ended, and is heard whenever it is told."""
    if "ended" in (known.state, fact.state) and known.state != fact.state:
        return bool(known.state == "ended")
    return bool((fact.told_at, fact.rank) < (known.told_at, known.rank))


def differs(fact: Subscription, known: Any) -> bool:
    """Whether a fact says another thing than the row that is known."""
    values = _as_row(fact)
    return any(values[name] != getattr(known, name) for name in _STATE)


def _as_row(fact: Subscription) -> dict[str, Any]:
    values = {name: value for name, value in vars(fact).items() if name not in ("campaign", "is_whole")}
    charges = [[one.amount, int(one.due.timestamp()), one.interval, one.count] for one in fact.charges]
    return values | {"charges": charges or None}


def still_to_come(connection: Connection, campaign: Campaign, month: Month, live: bool, now: datetime) -> int:
    """What active supporters will still give in the month, in the campaign's smallest unit.

    What is due later in it, and what was asked for lately and is not paid yet: a renewal's invoice waits for an hour, a
    direct debit for days. See docs/giving.md.
    """
    these = (
        support.c.campaign_id == campaigns.campaign_id(connection, campaign.slug),
        support.c.live == live,
        support.c.currency == campaign.currency,
        support.c.state == "active",
    )
    until = month.next.first_moment(campaign.time_zone)
    due = _sum(
        connection, support.c.amount, *these, support.c.charges.is_(None), support.c.next_charge > now,
        support.c.next_charge >= month.first_moment(campaign.time_zone), support.c.next_charge < until,
        support.c.ends.is_(None) | (support.c.ends > support.c.next_charge),
    )  # fmt: skip
    often = connection.execute(
        select(support.c.charges, support.c.ends).where(
            *these, support.c.charges.is_not(None), support.c.next_charge < until
        )
    )
    due += sum(committed(_charges(row), row.ends, month, campaign.time_zone, now) for row in often)
    return due + (_on_its_way(connection, now, *these) if month == month_of(now, campaign.time_zone) else 0)


def _on_its_way(connection: Connection, now: datetime, *these: ColumnElement[bool]) -> int:
    """What was asked for lately and is not in the book."""
    paid = select(entry.c.id).where(entry.c.key == support.c.invoice).exists()
    asked = (support.c.invoice != "", support.c.billed_at > now - ON_ITS_WAY, support.c.billed_at <= now)
    return _sum(connection, support.c.billed, *these, *asked, ~paid)


def _sum(connection: Connection, amount: ColumnElement[int], *these: ColumnElement[bool]) -> int:
    return int(connection.scalar(select(func.sum(amount)).where(*these)) or 0)


def _charges(row: Any) -> list[Charge]:
    return [
        Charge(amount, datetime.fromtimestamp(due, UTC), interval, count)
        for amount, due, interval, count in row.charges
    ]
