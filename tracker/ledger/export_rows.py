"""The entries as rows of a file, in constant memory. A closed month's rows are the same for ever."""

from collections.abc import Iterator
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, and_, delete, func, insert, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.export_columns import Row
from tracker.giving.months import Month
from tracker.ledger.entries import month_is
from tracker.ledger.models import alias, closed, closed_entry, entry, settlement

FREQUENCY = {"once": "once", "monthly": "month", "yearly": "year"}
AT_ONCE = 1000


def rows(session: Session, campaign: Campaign, month: Month | None, live: bool) -> Iterator[Row]:
    """A month's entries, or all of the campaign's, oldest first.

    A closed month's rows are as they were at closing. Among all of the campaign's rows they show fees and payouts that
    came later, too, since that file is one of today.
    """
    is_closed = month is not None and _is_closed(session, campaign.id, month, live)
    known = _known_at_closing() if is_closed else _known_today()
    gift = entry.alias("gift")
    these = (
        month_is(entry, campaign.id, live, month)
        if month
        else [entry.c.campaign_id == campaign.id, entry.c.live == live]
    )
    found = session.execute(
        select(entry, gift.c.kind.label("gift_kind"), closed.c.shown_as, *known)
        .outerjoin(gift, gift.c.key == entry.c.gift_key)
        .outerjoin(closed, _closes(entry.c))
        .outerjoin(closed_entry, closed_entry.c.key == entry.c.key)
        .where(*these)
        .order_by(entry.c.at, entry.c.id),
        execution_options={"yield_per": AT_ONCE},
    )
    for one in found:
        yield _row(one, campaign)


def _row(one: Any, campaign: Campaign) -> Row:
    zone = ZoneInfo(one.shown_as["time_zone"] if one.shown_as else campaign.time_zone)
    return Row(
        date=one.at.astimezone(zone), month=one.month, kind=one.kind, amount=one.amount, fee=_whole(one.fee),
        net=_whole(one.net), currency=one.currency, campaign=campaign.slug,
        frequency=FREQUENCY.get(one.gift_kind or one.kind, ""), tier=one.tier, source=one.source,
        closed_month=one.belongs_to if one.belongs_to != one.month else "", stripe_id=one.key,
        payment_intent=one.payment_intent, payout=one.payout,
    )  # fmt: skip


def _whole(amount: Any) -> int | None:
    # PostgreSQL's sums of whole numbers are decimals.
    return None if amount is None else int(amount)


def _is_closed(session: Session, row_id: int, month: Month, live: bool) -> bool:
    return session.scalar(select(closed.c.month).where(*month_is(closed, row_id, live, month))) is not None


def _closes(this: Any) -> ColumnElement[bool]:
    return and_(closed.c.campaign_id == this.campaign_id, closed.c.live == this.live, closed.c.month == this.month)


# --- What is known of an entry beside the book ------------------------------------------------------------------------


def _known_at_closing() -> list[ColumnElement[Any]]:
    return [
        closed_entry.c.fee,
        closed_entry.c.net,
        func.coalesce(closed_entry.c.payment_intent, "").label("payment_intent"),
        func.coalesce(closed_entry.c.payout, "").label("payout"),
    ]


def _known_today() -> list[ColumnElement[Any]]:
    """Fee, net, payment and payout, looked up for each entry, so that however many settlements make no second row."""
    settled = settlement.c.entry_key == entry.c.key
    in_same_currency = settled & (settlement.c.currency == entry.c.currency)
    payments = (alias.c.gift_key == entry.c.gift_key) & (func.substr(alias.c.stripe_id, 1, 3) == "pi_")
    return [
        select(func.sum(settlement.c.fee)).where(in_same_currency).scalar_subquery().label("fee"),
        select(func.sum(settlement.c.net)).where(in_same_currency).scalar_subquery().label("net"),
        func.coalesce(select(func.min(alias.c.stripe_id)).where(payments).scalar_subquery(), "").label(
            "payment_intent"
        ),
        func.coalesce(select(func.max(settlement.c.payout)).where(settled).scalar_subquery(), "").label("payout"),
    ]


def freeze(session: Session, row_id: int, month: Month, live: bool) -> None:
    """Keeps what is known of a month's entries as it is closed."""
    columns = ["key", "fee", "net", "payment_intent", "payout"]
    known = select(entry.c.key, *_known_today()).where(*month_is(entry, row_id, live, month))
    session.execute(insert(closed_entry).from_select(columns, known))


def thaw(session: Session, row_id: int, month: Month, live: bool) -> None:
    """Forgets what was kept, as the month is opened again."""
    these = select(entry.c.key).where(*month_is(entry, row_id, live, month))
    session.execute(delete(closed_entry).where(closed_entry.c.key.in_(these)))
