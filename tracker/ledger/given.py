"""What was given, by the ids of its payments: for asking Stripe who gave it."""

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.ledger.models import alias, entry


@dataclass(frozen=True)
class Given:
    """A gift with what is left of it after everything that was given back."""

    key: str
    stripe_id: str
    at: datetime
    amount: int
    currency: str


def of_payments(
    session: Session, campaign: Campaign, live: bool, stripe_ids: Iterable[str], since: datetime, until: datetime
) -> list[Given]:  # fmt: skip
    """The campaign's gifts of that time that these payments paid for. One payment can have paid for two."""
    part = entry.alias("part")
    left = select(func.sum(part.c.amount)).where((part.c.key == entry.c.key) | (
        (part.c.gift_key == entry.c.key) & (part.c.gift_key != part.c.key))).scalar_subquery()  # fmt: skip
    rows = session.execute(
        select(entry.c.key, alias.c.stripe_id, entry.c.at, left.label("amount"), entry.c.currency)
        .join(alias, alias.c.gift_key == entry.c.key)
        .where(
            alias.c.stripe_id.in_(list(stripe_ids)), entry.c.campaign_id == campaign.id, entry.c.live == live,
            entry.c.at >= since, entry.c.at < until,
        )
    )  # fmt: skip
    return [Given(row.key, row.stripe_id, row.at, int(row.amount), row.currency) for row in rows]
