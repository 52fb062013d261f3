"""Holds a fact against the book without changing it: is it there, and is it the same?"""

from dataclasses import dataclass, field
from typing import Any, Literal

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal, Subscription
from tracker.giving.rollup import SUBSCRIBED
from tracker.ledger import balance_transactions, reversals, stripe_ids, subscriptions
from tracker.ledger.models import alias, campaign, entry, settlement, support

Standing = Literal["known", "missing", "wrong", "waiting", "foreign"]


@dataclass(frozen=True)
class Comparison:
    """How a fact stands: `waiting` is for its campaign or for a rate, `foreign` belongs to nothing in the book."""

    standing: Standing
    here: str = ""
    """For a wrong one: what the book has instead, such as `1000 USD`."""


@dataclass
class Comparer:
    """Compares fact after fact, and remembers the missing ones: what belongs to a missing gift is missing as well."""

    missing: set[str] = field(default_factory=set)
    """The ids of whatever was found missing so far, under all its names."""

    def compare(self, session: Session, fact: Fact) -> Comparison:
        found = self._compare(session, fact)
        if found.standing == "missing":
            self.missing |= _names(fact)
        return found

    def _compare(self, session: Session, fact: Fact) -> Comparison:
        match fact:
            case Gift() | Reversal():
                return self._entry(session, fact)
            case InvoicePayment():
                return self._link(session, fact)
            case BalanceTransaction():
                return self._settled(session, fact)
            case Payout():
                return self._paid_out(session, fact)
            case Subscription():
                return _support(session, fact)

    def _entry(self, session: Session, fact: Gift | Reversal) -> Comparison:
        row = session.execute(select(entry).where(entry.c.key == fact.key)).one_or_none()
        if row is not None:
            if row.currency != fact.currency or row.live != fact.live:
                mode = "" if row.live == fact.live else " in the other mode"
                return Comparison("wrong", f"{row.told} {row.currency}{mode}")
            if isinstance(fact, Gift):
                return _gift(session, fact, row)
            return Comparison("known") if row.told == fact.amount else Comparison("wrong", f"{row.told} {row.currency}")
        if isinstance(fact, Gift):
            return Comparison("missing" if _campaign_id(session, fact.campaign) else "waiting")
        gifts = stripe_ids.gifts_known_as(session, fact.gift_known_as, fact.live)
        if gifts:
            alike = any(gift.currency == fact.currency for gift in gifts)
            return Comparison("missing" if alike else "waiting")
        return Comparison("missing" if self.missing & set(fact.gift_known_as) else "foreign")

    def _link(self, session: Session, fact: InvoicePayment) -> Comparison:
        there = session.scalar(select(entry.c.id).where(entry.c.key == fact.gift_key)) is not None
        if not there and fact.gift_key not in self.missing:
            return Comparison("foreign")
        ids = set(fact.known_as)
        these = (alias.c.stripe_id.in_(ids), alias.c.gift_key == fact.gift_key)
        known = session.scalar(select(func.count()).select_from(alias).where(*these))
        return Comparison("known" if known == len(ids) else "missing")

    def _settled(self, session: Session, fact: BalanceTransaction) -> Comparison:
        row = session.execute(select(settlement).where(settlement.c.key == fact.key)).one_or_none()
        if row is not None:
            names = ("amount", "fee", "net", "currency", "live")
            if all(getattr(row, name) == getattr(fact, name) for name in names):
                return Comparison("known")
            return Comparison("wrong", f"{row.amount} {row.currency}, fee {row.fee}, net {row.net}")
        key = fact.of[0] if fact.kind == "dispute" else f"{fact.of[0]}/failed" if fact.kind == "refund_failed" else ""
        of_missing = self.missing & ({key} if key else set(fact.of))
        return Comparison("missing" if of_missing or balance_transactions.entry_of(session, fact) else "foreign")

    def _paid_out(self, session: Session, fact: Payout) -> Comparison:
        inside = found = 0
        for some in balance_transactions.batched(fact.settled):
            of_ours = select(func.count()).select_from(settlement).where(settlement.c.key.in_(some))
            inside += session.scalar(of_ours) or 0
            found += session.scalar(of_ours.where(settlement.c.payout == fact.key)) or 0
        if found < inside or self.missing & set(fact.settled):
            return Comparison("missing")
        return Comparison("known" if inside else "foreign")


def _gift(session: Session, fact: Gift, row: Any) -> Comparison:
    """A gift with an entry. An invoice may have been paid further since; what was noted by hand as given back is right."""
    amount = reversals.amounts_of(session, [row])[row.key]
    own = (entry.c.gift_key == row.key, entry.c.kind == row.kind)
    told = int(session.scalar(select(func.sum(entry.c.told)).where(*own)) or 0)
    if (amount, told) == (fact.amount, fact.told):
        return Comparison("known")
    if fact.kind in SUBSCRIBED and amount < fact.amount and amount == told:
        return Comparison("missing")
    if amount - reversals.given_back_outside(session, row.key) == fact.amount:
        return Comparison("known")
    return Comparison("wrong", f"{amount} {row.currency}" + (f", told as {told}" if amount != told else ""))


def _support(session: Session, fact: Subscription) -> Comparison:
    known = session.execute(select(support).where(support.c.key == fact.key)).one_or_none()
    if known is None:
        return Comparison("missing" if _campaign_id(session, fact.campaign) else "waiting")
    news = subscriptions.differs(fact, known) and not subscriptions.is_outdated(fact, known)
    return Comparison("missing" if news else "known")


def _campaign_id(session: Session, slug: str) -> int | None:
    return session.scalar(select(campaign.c.id).where(campaign.c.slug == slug))


def _names(fact: Fact) -> set[str]:
    match fact:
        case Gift():
            return {fact.key, *fact.known_as}
        case InvoicePayment():
            return set(fact.known_as)
        case Reversal() | BalanceTransaction():
            return {fact.key}
    return set()
