"""What needs a look: disputes, warnings, failed charges and whatever waits, from what the book keeps anyway. It only reads."""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import func, select, text
from sqlalchemy.orm import Session

from tracker.giving.alerts import Alert, Notice
from tracker.giving.campaign import Campaign
from tracker.giving.months import month_of
from tracker.ledger import checkout_counts
from tracker.ledger.models import delivery, entry, support, total, waiting
from tracker.ledger.stripe_ids import gift_known_as

# Nobody matters for longer at what Stripe said; most bodies are dropped before (TRACKER_KEEP_DELIVERIES).
KEPT = timedelta(days=90)
# Until then a gift may still be on its way.
PATIENCE = timedelta(days=1)
# That an attack is over is told for so long.
TOLD_FOR = timedelta(days=1)
MOST_READ = 500
LINES = 5
"""So many of a kind there are at most; where there are more, the last one stands for all others."""


def told(session: Session, types: Sequence[str], live: bool, now: datetime) -> list[bytes]:
    """The bodies of the newest deliveries of these types, in the order in which they came."""
    rows = (
        select(delivery.c.body)
        .where(delivery.c.body.is_not(None), delivery.c.received_at >= now - KEPT)
        .where(delivery.c.live == live, delivery.c.type.in_(types))
        .order_by(delivery.c.received_at.desc())
        .limit(MOST_READ)
    )
    return [bytes(body) for body in session.scalars(rows)][::-1]


def needs_attention(
    session: Session, campaign: Campaign, live: bool, now: datetime, notices: Iterable[Notice]
) -> list[Alert]:
    """What somebody should see to, the most urgent first; `notices` are what the deliveries said. Mostly nothing."""
    matters = list(noticed(session, campaign.id, live, notices))
    matters.sort(key=lambda matter: (ORDER.index(matter.kind), matter.due is None, matter.due))
    return [
        *_card_testing(session, campaign, live, now),
        *_at_most(matters),
        *_at_most(_failing(session, campaign.id, live)),
        *_at_most(_waiting(session, campaign.id, live, now)),
        *_at_most(_other_currencies(session, campaign, campaign.id, live, now)),
        *_other_mode(session, live, now),
    ]


ORDER = ("dispute", "inquiry", "warning", "refund_failed", "answered")


def _at_most(matters: Iterable[Alert]) -> list[Alert]:
    """Five lines of a kind, of which the last one counts those that have none."""
    kept: dict[str, list[Alert]] = {}
    for matter in matters:
        kept.setdefault(matter.kind, []).append(matter)
    return [matter for alike in kept.values() for matter in _shortened(alike)]


def _shortened(alike: list[Alert]) -> list[Alert]:
    if len(alike) <= LINES:
        return alike
    rest = alike[LINES - 1 :]
    return [*alike[: LINES - 1], replace(rest[0], amount=0, due=None, count=sum(matter.count for matter in rest))]


def noticed(session: Session, row_id: int, live: bool, notices: Iterable[Notice]) -> Iterator[Alert]:
    """Disputes, warnings and failed refunds of this campaign's gifts, by the newest word about each."""
    newest: dict[str, Notice] = {}
    # Stripe's times are whole seconds; of two words in one, the one that ends it comes later.
    for notice in sorted(notices, key=lambda one: (one.told_at, not one.is_open)):
        newest[notice.key] = notice
    for notice in newest.values():
        gift = gift_known_as(session, notice.known_as, live) if notice.is_open else None
        if gift is None or gift.campaign_id != row_id or _is_settled(session, gift.key, notice):
            continue
        amount, currency = (notice.amount, notice.currency) if notice.amount else (gift.amount, gift.currency)
        yield Alert(notice.kind, notice.key, amount, currency, notice.due)


def _is_settled(session: Session, gift_key: str, notice: Notice) -> bool:
    """A warning once the money went back or the dispute has come; a failed refund once there was another one."""
    came_of_it = (entry.c.gift_key == gift_key) & (entry.c.gift_key != entry.c.key)
    entries = session.execute(select(entry).where((entry.c.key == gift_key) | came_of_it)).all()
    if notice.kind == "warning":
        return sum(one.amount for one in entries) <= 0 or any(one.kind == "dispute" for one in entries)
    if notice.kind == "refund_failed":
        return any(one.kind == "refund" and one.told < 0 and one.at > notice.told_at for one in entries)
    return False


def _failing(session: Session, row_id: int, live: bool) -> list[Alert]:
    """Monthly gifts whose last charge failed."""
    # In the words of the index that holds only these.
    rows = session.execute(
        select(support)
        .where(support.c.campaign_id == row_id, support.c.live == live, text("state = 'failing'"))
        .order_by(support.c.told_at.desc())
    )
    return [Alert("failing", row.key, row.amount, row.currency) for row in rows]


def _waiting(session: Session, row_id: int, live: bool, now: datetime) -> Iterator[Alert]:
    """Facts that have waited for more than a day. A refund may be of somebody else's payment: those are one line."""
    rows = session.execute(
        select(waiting)
        .where(waiting.c.received_at < now - PATIENCE, waiting.c.received_at >= now - KEPT)
        .order_by(waiting.c.received_at.desc(), waiting.c.key, waiting.c.waits_for)
        .limit(MOST_READ)
    )
    facts = {row.key: row for row in rows if row.fact["live"] == live}
    gifts: dict[str, list[Any]] = {}
    homeless = []
    for row in facts.values():
        if row.fact["is"] == "Gift":
            gifts.setdefault(row.fact["campaign"], []).append(row)
        elif row.fact["is"] == "Taken" and not row.waits_for.startswith("currency:"):
            homeless.append(row)
        elif row.fact["is"] == "Taken":
            gift = gift_known_as(session, row.fact["gift_known_as"], live)
            if gift is not None and gift.campaign_id == row_id:
                yield Alert("cannot_be_taken", row.key, abs(row.fact["amount"]), row.fact["currency"])
    for slug, alike in gifts.items():
        yield Alert("gift_waits", alike[0].key, count=len(alike), campaign=slug)
    if homeless:
        yield Alert("taken_waits", homeless[0].key, count=len(homeless))


def _other_currencies(session: Session, campaign: Campaign, row_id: int, live: bool, now: datetime) -> Iterator[Alert]:
    """Gifts of this month and the last that are not in the campaign's figures, since their currency is another."""
    month = month_of(now, campaign.time_zone)
    these = (total.c.campaign_id == row_id, total.c.live == live, total.c.month.in_([str(month.previous), str(month)]))
    others = select(total.c.month, total.c.currency).where(
        *these, total.c.currency != campaign.currency, total.c.gifts > 0
    )
    for one in session.execute(others.order_by(total.c.month.desc(), total.c.currency)).all():
        gifts = (
            entry.c.campaign_id == row_id, entry.c.live == live, entry.c.month == one.month,
            entry.c.currency == one.currency, entry.c.key == entry.c.gift_key,
        )  # fmt: skip
        rows = session.execute(select(entry).where(*gifts).order_by(entry.c.id.desc()).limit(MOST_READ))
        for row in rows:
            yield Alert("other_currency", row.key, row.amount, row.currency)


def _card_testing(session: Session, campaign: Campaign, live: bool, now: datetime) -> Iterator[Alert]:
    """While somebody tests stolen cards here, and for a day afterwards."""
    found = checkout_counts.protections(session, live).get(campaign.slug)
    if found and found.began_at:
        yield Alert("card_testing", "", since=found.began_at)
    elif found and found.ended_at and now - found.ended_at < TOLD_FOR:
        yield Alert("card_testing_over", "", since=found.ended_at)


def _other_mode(session: Session, live: bool, now: datetime) -> list[Alert]:
    """Deliveries of test mode in live mode, or the other way round."""
    theirs = (delivery.c.body.is_not(None), delivery.c.received_at >= now - KEPT, delivery.c.live == (not live))
    newest = select(delivery.c.event_id, func.count().over()).where(*theirs).order_by(delivery.c.received_at.desc())
    found = session.execute(newest.limit(1)).first()
    return [Alert("other_mode", found[0], count=found[1])] if found else []
