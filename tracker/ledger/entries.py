"""Writes entries: the only place where they are added, and their months' totals with them."""

from collections.abc import Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, bindparam, insert, select, update
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Gift
from tracker.giving.months import Month, month_of
from tracker.giving.rollup import Sums, is_more, sums_of
from tracker.ledger import appeals, chain
from tracker.ledger.models import closed, entry, total

# The database gives it its number, which nobody asks for.
_ENTER = insert(entry).inline()
_ADD = (
    update(total)
    .where(*(column == bindparam(f"this_{column.name}") for column in total.primary_key))
    .values({field.name: total.c[field.name] + bindparam(f"more_{field.name}") for field in fields(Sums)})
)
_IS_CLOSED = select(closed.c.month).where(
    *(closed.c[name] == bindparam(name) for name in ("campaign_id", "live", "month"))
)


def enter(
    session: Session, key: str, campaign_id: int, live: bool, kind: str, amount: int, told: int, currency: str,
    at: datetime, month: str, belongs_to: str, gift_key: str, now: datetime, head: str | None = None,
    gift_at: datetime | None = None, in_appeal: bool = True, **about: str,
) -> None:  # fmt: skip
    """Writes one entry and adds it to its month's totals, and to the drive and the match that its gift was made in.

    `head` is the newest entry's hash, where it is known already; `gift_at` when the gift was made, if not at `at`; `in_appeal`
    False where no drive or match holds that moment.
    """
    values: dict[str, Any] = {
        "key": key, "campaign_id": campaign_id, "live": live, "kind": kind, "amount": amount, "told": told,
        "currency": currency, "at": at, "month": month, "belongs_to": belongs_to, "gift_key": gift_key,
        "recorded_at": now, **about,
    }  # fmt: skip
    session.execute(_ENTER, values | {"chain": chain.link(head or chain.head(session), values)})
    this = {"campaign_id": campaign_id, "live": live, "month": month, "currency": currency}
    sums = sums_of(kind, amount, is_more=is_more(kind, key, gift_key))
    _add_to_total(session, this, sums)
    if in_appeal:
        appeals.add(session, campaign_id, live, kind, currency, gift_at or at, amount, sums.gifts)


def enter_gifts(
    session: Session, campaign: Campaign, live: bool, gifts: Sequence[tuple[Gift, str]], now: datetime
) -> None:  # fmt: skip
    """Writes many gifts that are new, each with the month it is booked in, in a few statements: for imports."""
    head = chain.head(session)
    rows: list[dict[str, Any]] = []
    alike: dict[tuple[str, str, str], list[int]] = {}
    for gift, month in gifts:
        values: dict[str, Any] = {
            "key": gift.key, "campaign_id": campaign.id, "live": live, "kind": gift.kind, "amount": gift.amount,
            "told": gift.told, "currency": gift.currency, "at": gift.at, "month": month,
            "belongs_to": str(month_of(gift.at, campaign.time_zone)), "gift_key": gift.key, "tier": gift.tier,
            "source": gift.source, "place": gift.place, "recorded_at": now,
        }  # fmt: skip
        head = values["chain"] = chain.link(head, values)
        rows.append(values)
        alike.setdefault((month, gift.currency, gift.kind), []).append(gift.amount)
    session.execute(_ENTER, rows)
    for (month, currency, kind), amounts in alike.items():
        sums = replace(sums_of(kind, sum(amounts)), gifts=len(amounts))
        _add_to_total(session, {"campaign_id": campaign.id, "live": live, "month": month, "currency": currency}, sums)
    spans = appeals.spans(session, campaign.id)
    for gift, _ in gifts:
        if any(starts <= gift.at and (ends is None or gift.at < ends) for starts, ends in spans):
            appeals.add(session, campaign.id, live, gift.kind, gift.currency, gift.at, gift.amount, 1)


def _add_to_total(session: Session, this: dict[str, Any], sums: Sums) -> None:
    added = {f"this_{name}": value for name, value in this.items()}
    added |= {f"more_{name}": value for name, value in vars(sums).items()}
    if not session.execute(_ADD, added).rowcount:
        session.execute(insert(total), this | vars(sums))


def enter_for(session: Session, gift: Any, key: str, now: datetime, **values: Any) -> None:
    """Writes an entry that comes of a gift, whose own entry is given: with its campaign, currency, tier and article."""
    alike = {name: getattr(gift, name) for name in ("campaign_id", "live", "currency", "tier", "source", "place")}
    enter(session, key, belongs_to=gift.month, gift_key=gift.key, now=now, gift_at=gift.at, **alike, **values)


def open_month(session: Session, campaign_id: int, live: bool, wanted: list[Month], now: datetime, zone: str) -> str:
    """The first of the wanted months that is not closed, else the current one.

    The current one cannot be closed, but a closed one can become it again, when the campaign moves to a time zone
    further west on the first of a month; then the next one is taken.
    """
    current = month_of(now, zone)
    for month in (*wanted, current):
        this = {"campaign_id": campaign_id, "live": live, "month": str(month)}
        if session.scalar(_IS_CLOSED, this) is None:
            return str(month)
    return str(current.next)


def month_is(table: Table, campaign_id: int, live: bool, month: Month) -> list[ColumnElement[bool]]:
    """The conditions that pick one campaign's month in one mode out of a table."""
    return [table.c.campaign_id == campaign_id, table.c.live == live, table.c.month == str(month)]
