"""Names and words that donors chose to show, and that an editor let stand."""

from collections.abc import Sequence
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.ledger.models import SupporterRow


def shown(session: Session, campaign: Campaign, live: bool, limit: int) -> list[Any]:
    """The newest names and messages that may stand on the page: rows with `name`, `message`, `at`, to be kept by anybody."""
    columns = select(SupporterRow.name, SupporterRow.message, SupporterRow.at)
    return list(session.execute(_newest(columns, campaign, live, limit).where(SupporterRow.shown)))


def every(session: Session, campaign: Campaign, live: bool, limit: int) -> Sequence[SupporterRow]:
    """The newest ones for the editor, shown or not."""
    return session.scalars(_newest(select(SupporterRow), campaign, live, limit)).all()


def _newest(these: Select[Any], campaign: Campaign, live: bool, limit: int) -> Select[Any]:
    these = these.where(SupporterRow.campaign_id == campaign.id, SupporterRow.live == live)
    return these.order_by(SupporterRow.at.desc(), SupporterRow.gift_key).limit(limit)


def show(session: Session, gift_key: str, *, shown: bool) -> bool:
    """Lets a name and message stand on the page, or takes them off it. Says whether that changed anything."""
    if not gift_key.isprintable():  # PostgreSQL alone would refuse a NUL in it
        return False
    row = session.get(SupporterRow, gift_key)
    if row is None or row.shown is shown:
        return False
    row.shown = shown
    return True
