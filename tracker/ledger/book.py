"""The book: facts become entries. Recording a fact twice changes nothing, and facts may come in any order."""

from collections.abc import Iterable
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Literal

from sqlalchemy import LargeBinary, bindparam, case, cast, func, insert, select, update
from sqlalchemy.orm import Session

from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal, Subscription
from tracker.giving.import_map import IMPORTED
from tracker.giving.months import Month, month_of
from tracker.giving.rollup import SUBSCRIBED
from tracker.ledger import (
    appeals,
    balance_transactions,
    chain,
    donor_data,
    pending_facts,
    pending_fetches,
    reversals,
    stripe_ids,
    subscriptions,
)
from tracker.ledger.donor_data import forgotten
from tracker.ledger.entries import enter, enter_for, open_month
from tracker.ledger.models import alias, campaign, closed, delivery, entry, insert_unless_there, supporter
from tracker.ledger.models import waiting as waiting_table

Outcome = Literal["recorded", "known", "waiting"]

# What every gift asks for: built once, since building a statement costs more than running it.
# A delivery about somebody who was erased keeps its body without the person, or no body at all.
_OF_FORGOTTEN = (
    select(forgotten.c.stripe_id).where(forgotten.c.stripe_id.in_(bindparam("names", expanding=True))).exists()
)
# PostgreSQL alone would take it for text where there is no body at all.
_BODY = cast(
    case((_OF_FORGOTTEN, bindparam("reduced", type_=LargeBinary)), else_=bindparam("body", type_=LargeBinary)),
    LargeBinary,
)
_KEEP = insert_unless_there(delivery).values(
    {column.name: bindparam(column.name) for column in delivery.c} | {"body": _BODY}
)
_ENTERED = select(entry.c.amount).where(entry.c.key == bindparam("key"))
_FOR_GIFT = select(
    campaign.c.id,
    campaign.c.time_zone,
    _ENTERED.scalar_subquery().label("entered"),
    select(func.max(closed.c.month))
    .where(closed.c.campaign_id == campaign.c.id, closed.c.live == bindparam("live"))
    .scalar_subquery()
    .label("last_closed"),
    select(waiting_table.c.key).exists().label("some_wait"),
    chain.HEAD.scalar_subquery().label("head"),
    appeals.ONE_HOLDS.label("in_appeal"),
).where(campaign.c.slug == bindparam("slug"))
# Which of Stripe's objects tells what came of a gift of each kind.
BEHIND = {"once": "session", "monthly": "invoice", "yearly": "invoice"}


@dataclass(frozen=True)
class Delivery:
    """An event as Stripe sent it, to be kept as it came."""

    event_id: str
    type: str
    api_version: str
    live: bool
    created_at: datetime
    body: bytes | None
    names: tuple[str, ...] = ()
    """The ids by which it names a person or their gift."""
    reduced: bytes | None = None
    """What is kept in place of the body if that person was erased."""


def receive(session: Session, came: Delivery, facts: Iterable[Fact], ours: bool, now: datetime) -> str:
    """Keeps a delivery and records what it tells, inside the caller's one transaction. Says what came of it.

    `recorded`, `known` (nothing new), `waiting`, `nothing` (ours, but moves no money) or `foreign`.
    """
    outcomes = {record(session, fact, now) for fact in facts}
    outcome = next(
        (name for name in ("recorded", "waiting", "known") if name in outcomes), "nothing" if ours else "foreign"
    )
    session.execute(_KEEP, {**vars(came), "received_at": now, "outcome": outcome})
    return outcome


def forget_bodies(session: Session, before: datetime) -> int:
    """Drops the bodies of deliveries received before that moment, since they may name people. Returns how many."""
    old = (delivery.c.received_at < before) & delivery.c.body.is_not(None)
    return session.execute(update(delivery).where(old).values(body=None)).rowcount


def record(session: Session, fact: Fact, now: datetime) -> Outcome:
    """Adds a fact to the book. The same fact again changes nothing, and the order of facts does not matter.

    A refund or dispute whose gift is not known waits for it, and a gift whose campaign is not known waits for that.
    """
    match fact:
        case InvoicePayment():
            return _record_invoice_payment(session, fact, now)
        case BalanceTransaction():
            return _record_balance_transaction(session, fact, now)
        case Payout():
            return balance_transactions.record_payout(session, fact)
        case Subscription():
            return subscriptions.record(session, fact, now)
        case Gift():
            return _record_gift(session, fact, now)
        case Reversal():
            return _record_reversal(session, fact, now)


# --- Gifts ------------------------------------------------------------------------------------------------------------


def _record_gift(session: Session, gift: Gift, now: datetime) -> Outcome:
    gift = _storable(gift)
    these = {"slug": gift.campaign, "key": gift.key, "live": gift.live, "at": gift.at}
    found = session.execute(_FOR_GIFT, these).one_or_none()
    if found is None:
        pending_facts.wait(session, gift, [f"campaign:{gift.campaign}"], now)
        return "waiting"
    campaign_id, zone, entered, last_closed, some_wait, head, in_appeal = found
    if entered is not None:
        has_grown = gift.kind in SUBSCRIBED and entered < gift.amount
        return _record_the_rest(session, gift, zone, now) if has_grown else "known"
    belongs_to = month_of(gift.at, zone)
    enter(
        session, gift.key, campaign_id, gift.live, gift.kind, gift.amount, gift.told, gift.currency, gift.at,
        _month_for(session, campaign_id, gift.live, belongs_to, last_closed, now, zone), str(belongs_to), gift.key, now,
        head, in_appeal=in_appeal, tier=gift.tier, source=gift.source, place=gift.place,
    )  # fmt: skip
    if (gift.name or gift.message) and not donor_data.is_forgotten(session, gift.key):
        session.execute(
            insert(supporter).values(
                gift_key=gift.key, campaign_id=campaign_id, live=gift.live, at=gift.at, name=gift.name, message=gift.message
            )
        )  # fmt: skip
    if gift.kind in BEHIND:
        pending_fetches.schedule(session, BEHIND[gift.kind], gift.key, gift.live, now + pending_fetches.PATIENCE)
    # The link between an invoice and its payment may have come before the invoice itself.
    noted = stripe_ids.ids_of(session, gift.key) if gift.kind in SUBSCRIBED else ()
    _add_stripe_ids(session, gift.key, gift.known_as, gift.at, now, noted)
    if some_wait:
        # Some ids may have been noted before the gift came, by the link between an invoice and its payment.
        _retry_pending(session, pending_facts.for_gift(session, gift.key), now)
    return "recorded"


def _record_the_rest(session: Session, gift: Gift, zone: str, now: datetime) -> Outcome:
    """More was paid of an invoice than is in the book: the rest of it is an entry of its own, of the day it was paid."""
    first = session.execute(select(entry).where(entry.c.key == gift.key)).one()
    more = gift.amount - reversals.amounts_of(session, [first])[gift.key]
    if more <= 0:
        return "known"
    told = select(func.sum(entry.c.told)).where(entry.c.gift_key == gift.key, entry.c.kind == gift.kind)
    key = f"{gift.key}/{gift.amount}"
    month = open_month(session, first.campaign_id, gift.live, [month_of(gift.at, zone)], now, zone)
    enter_for(
        session, first, key, now, kind=gift.kind, amount=more,
        told=gift.told - int(session.scalar(told) or 0), at=gift.at, month=month,
    )  # fmt: skip
    pending_fetches.schedule(session, BEHIND[gift.kind], gift.key, gift.live, now + pending_fetches.PATIENCE)
    _add_stripe_ids(session, gift.key, gift.known_as, gift.at, now)
    reversals.even_out(session, first, gift.at, key, now)
    return "recorded"


def _month_for(
    session: Session,
    campaign_id: int,
    live: bool,
    wanted: Month,
    last_closed: str | None,
    now: datetime,
    zone: str,
) -> str:
    if str(wanted) > (last_closed or ""):
        return str(wanted)
    return open_month(session, campaign_id, live, [wanted], now, zone)


def _storable(gift: Gift) -> Gift:
    """The gift with words that both databases can hold: no word of a donor may keep money out of the book.

    PostgreSQL refuses a NUL, and neither takes half of a surrogate pair, which JSON can carry.
    """
    words = ("campaign", "tier", "source", "place", "name", "message")
    texts = {name: getattr(gift, name).replace("\0", "\N{REPLACEMENT CHARACTER}") for name in words}
    return replace(gift, **{name: text.encode("utf-8", "replace").decode() for name, text in texts.items()})


def _record_invoice_payment(session: Session, link: InvoicePayment, now: datetime) -> Outcome:
    gift = session.execute(select(entry).where(entry.c.key == link.gift_key)).one_or_none()
    if gift is None:
        stripe_ids.add(session, link.gift_key, link.known_as)
        if link.live is not None:
            # The invoice is paid in part, its own event is late or lost, or it is somebody else's: Stripe knows.
            pending_fetches.schedule(session, "invoice", link.gift_key, link.live, now + pending_fetches.PATIENCE)
        return "waiting"
    new = _add_stripe_ids(session, link.gift_key, link.known_as, gift.at, now)
    _retry_pending(session, pending_facts.for_gift(session, link.gift_key), now)
    return "recorded" if new else "known"


def _add_stripe_ids(
    session: Session, gift_key: str, known_as: tuple[str, ...], at: datetime, now: datetime, noted: tuple[str, ...] = ()
) -> int:  # fmt: skip
    """Notes by which ids a gift is known; returns how many are new. `noted` were there before the gift was.

    One may be another gift's already: one payment that paid two invoices. What was taken of it then comes off both.
    """
    new = stripe_ids.add(session, gift_key, known_as)
    names = (*known_as, *noted)
    if (new or noted) and stripe_ids.is_shared(session, gift_key, names):
        _take_back_imported(session, gift_key, names, now)
        gift = session.execute(select(entry).where(entry.c.key == gift_key)).one()
        reversals.even_out(session, gift, at, f"{gift_key}/noted" if noted else f"{names[0]}/{gift.id}", now)
    return new


def _take_back_imported(session: Session, gift_key: str, known_as: tuple[str, ...], now: datetime) -> None:
    """Removes a gift imported from Stripe's file once Stripe itself reports it: the gift is in the book once."""
    paid = select(alias.c.gift_key).where(alias.c.stripe_id.in_(known_as), alias.c.gift_key != gift_key)
    these = (entry.c.key.in_(paid), entry.c.key == entry.c.gift_key, entry.c.key.startswith(IMPORTED))
    for imported in session.execute(select(entry).where(*these)).all():
        reversals.take_back(session, imported, now)
        reversals.take_back_imported(session, imported, now)


def retry_pending_for_campaign(session: Session, slug: str, now: datetime) -> None:
    """Records the gifts that came for a campaign before it was known here."""
    _retry_pending(session, pending_facts.for_campaign(session, slug), now)


def _retry_pending(session: Session, facts: Iterable[Fact], now: datetime) -> None:
    for fact in facts:
        record(session, fact, now)


# --- What comes of them -----------------------------------------------------------------------------------------------


def _record_reversal(session: Session, taken: Reversal, now: datetime) -> Outcome:
    if session.scalar(select(entry.c.id).where(entry.c.key == taken.key)) is not None:
        return "known"
    gifts = stripe_ids.gifts_known_as(session, taken.gift_known_as, taken.live)
    alike = [gift for gift in gifts if gift.currency == taken.currency]
    if not alike:
        # In another currency it cannot be taken off without a rate: it stays visible among the waiting, and counts nothing.
        waits_for = [f"currency:{gifts[0].currency}"] if gifts else taken.gift_known_as
        pending_facts.wait(session, taken, waits_for, now)
        return "waiting"
    is_at_stripe = not taken.key.startswith(reversals.NOT_AT_STRIPE)
    imported = next((gift for gift in alike if gift.key.startswith(IMPORTED)), None)
    if is_at_stripe and imported is not None:
        reversals.take_back_imported(session, imported, now, taken.key)
    reversals.take(session, alike, taken, now)
    if taken.kind == "refund" and is_at_stripe:
        refund = taken.key.removesuffix("/failed")
        pending_fetches.schedule(session, "refund", refund, taken.live, now + pending_fetches.PATIENCE)
    _retry_pending(session, pending_facts.for_entry(session, taken.key), now)
    return "recorded"


def _record_balance_transaction(session: Session, settled: BalanceTransaction, now: datetime) -> Outcome:
    outcome = balance_transactions.record(session, settled)
    if outcome == "waiting":
        pending_facts.wait(session, settled, balance_transactions.waits_for(settled), now)
    return outcome
