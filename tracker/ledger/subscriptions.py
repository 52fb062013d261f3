"""Supporters' subscriptions, as the newest word about each has it, and what is still to come from them."""

from datetime import UTC, datetime
from typing import Any, Literal

from sqlalchemy import and_, case, func, insert, literal, select, true, update
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.committed import ON_ITS_WAY, committed
from tracker.giving.facts import Charge, Subscription
from tracker.giving.months import Month, month_of
from tracker.ledger import pending_fetches
from tracker.ledger.models import campaign as campaign_table
from tracker.ledger.models import entry, support

# What makes a subscription stand differently; when it was told does not.
_STATE = (
    "amount", "currency", "state", "next_charge", "ends", "live", "charges", "invoice", "billed", "billed_at", "frequency",
    "began_at",
)  # fmt: skip
# Not every message has them; what is known stays.
_DATES = ("began_at", "ended_at")


def record(session: Session, fact: Subscription, now: datetime) -> Literal["recorded", "known", "waiting"]:
    """Keeps how a subscription stands, unless something newer is known already. What has ended stays ended.

    Two different words of one second leave open which came later, and a word with coupons does not say what they take off:
    then Stripe is asked how it stands.
    """
    campaign_id = session.scalar(select(campaign_table.c.id).where(campaign_table.c.slug == fact.campaign))
    if campaign_id is None:
        # Of a campaign that is not known here; `tracker sync` asks again.
        return "waiting"
    values = _as_row(fact) | {"campaign_id": campaign_id}
    known = session.execute(select(support).where(support.c.key == fact.key)).one_or_none()
    if known is not None and is_outdated(fact, known):
        return "known"
    news = known is None or differs(fact, known)
    if known is None:
        session.execute(insert(support).values(values))
    else:
        # Also when nothing else has changed: what is told now outdates whatever was said before it and comes later.
        session.execute(update(support).where(support.c.key == fact.key).values(values))
        same_moment = (known.told_at, known.rank) == (fact.told_at, fact.rank)
    if news and (not fact.is_whole or (known is not None and same_moment)):
        pending_fetches.schedule(session, "subscription", fact.key, fact.live, now)
        pending_fetches.hurry(session, [fact.key], now)
    return "recorded" if news else "known"


def record_answer(session: Session, fact: Subscription) -> None:
    """Keeps how a subscription stands, as Stripe answered when asked about what is known of it.

    It takes the place of the word that was asked about, so that whatever is told of later still outdates it: Stripe's clock
    and the events' need not agree.
    """
    known = session.execute(select(support.c.state).where(support.c.key == fact.key)).one_or_none()
    if known is not None and not (known.state == "ended" and fact.state != "ended"):
        values = {name: value for name, value in _as_row(fact).items() if name not in ("told_at", "rank")}
        session.execute(update(support).where(support.c.key == fact.key).values(values))


def is_outdated(fact: Subscription, known: Any) -> bool:
    """Whether something newer is known already. What has ended stays ended, and is heard whenever it is told."""
    if "ended" in (known.state, fact.state) and known.state != fact.state:
        return bool(known.state == "ended")
    return bool((fact.told_at, fact.rank) < (known.told_at, known.rank))


def differs(fact: Subscription, known: Any) -> bool:
    """Whether a fact says another thing than the row that is known."""
    values = _as_row(fact)
    return any(name in values and values[name] != getattr(known, name) for name in _STATE)


def _as_row(fact: Subscription) -> dict[str, Any]:
    untold = [name for name in _DATES if getattr(fact, name) is None]
    values = {name: value for name, value in vars(fact).items() if name not in ("campaign", "is_whole", *untold)}
    charges = [[one.amount, int(one.due.timestamp()), one.interval, one.count] for one in fact.charges]
    return values | {"charges": charges or None}


def still_to_come(session: Session, campaign: Campaign, month: Month, live: bool, now: datetime) -> int:
    """What active supporters will still give in the month, in the campaign's smallest unit.

    What is due later in it, and what was asked for lately and is not paid yet: a renewal's invoice waits for an hour, a
    direct debit for days. See docs/giving.md.
    """
    these = (
        support.c.campaign_id == campaign.id,
        support.c.live == live,
        support.c.currency == campaign.currency,
        support.c.state == "active",
    )
    until = month.next.first_moment(campaign.time_zone)
    is_due = and_(
        support.c.charges.is_(None), support.c.next_charge > now,
        support.c.next_charge >= month.first_moment(campaign.time_zone), support.c.next_charge < until,
        support.c.ends.is_(None) | (support.c.ends > support.c.next_charge),
    )  # fmt: skip
    # Asked for lately, and not in the book.
    paid = select(entry.c.id).where(entry.c.key == support.c.invoice).exists()
    is_on_its_way = and_(
        support.c.invoice != "", support.c.billed_at > now - ON_ITS_WAY, support.c.billed_at <= now, ~paid,
        literal(month == month_of(now, campaign.time_zone)),
    )  # fmt: skip
    sums = select(
        func.sum(case((is_due, support.c.amount), else_=0)).label("due"),
        func.sum(case((is_on_its_way, support.c.billed), else_=0)).label("billed"),
    ).where(*these)
    several = select(support.c.charges, support.c.ends).where(
        *these, support.c.charges.is_not(None), support.c.next_charge < until
    )
    # In one statement: one row of sums beside each subscription that is charged several times, or one row alone.
    one, each = sums.subquery(), several.subquery()
    rows = session.execute(select(one, each).select_from(one.outerjoin(each, true()))).all()
    often = sum(
        committed(_charges(row), row.ends, month, campaign.time_zone, now) for row in rows if row.charges is not None
    )
    return int(rows[0].due or 0) + int(rows[0].billed or 0) + often


def _charges(row: Any) -> list[Charge]:
    return [
        Charge(amount, datetime.fromtimestamp(due, UTC), interval, count)
        for amount, due, interval, count in row.charges
    ]
