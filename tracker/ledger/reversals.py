"""Takes money off gifts again: refunds, disputes, what was given back outside of Stripe, and offline gifts taken back."""

import hashlib
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from tracker.giving.breakdown import OUTSIDE
from tracker.giving.facts import Reversal
from tracker.giving.import_map import IMPORTED
from tracker.giving.months import month_of, parse_month
from tracker.giving.refusals import Refusal
from tracker.giving.rollup import ONLINE, allotted, deducted
from tracker.ledger import stripe_ids
from tracker.ledger.entries import enter_for, open_month
from tracker.ledger.models import NoteRow, campaign, entry

TAKEN_BACK = "/taken-back"
"""What the key of an entry ends in that takes back what somebody noted by hand."""


@dataclass(frozen=True)
class _Change:
    """By how much a gift's refunds or disputes must change, to be what they come to in all."""

    gift: Any
    kind: str
    amount: int


def take(session: Session, gifts: Sequence[Any], taken: Reversal, now: datetime) -> None:
    """Books a refund or a dispute's movement on the gifts that its payment paid for, whose entries are given."""
    changes = _changes(session, gifts, [(taken.kind, taken.amount)])
    of_kind = [change for change in changes if change.kind == taken.kind]
    # Its own entry stands in the book even when it changes nothing.
    own = next((change for change in of_kind if change.amount), of_kind[-1])
    _enter(session, own, taken.key, taken.amount, taken.at, now)
    _enter_each(session, [change for change in changes if change is not own], taken.key, taken.at, now)


def even_out(session: Session, gift: Any, at: datetime, because: str, now: datetime) -> None:
    """Books what refunds and disputes of a gift come to now that more was paid of it, or for another with it.

    `because` is an id for the change; once for each.
    """
    gifts = stripe_ids.paid_together(session, gift)
    _enter_each(session, _changes(session, gifts, []), because, at, now)


def _changes(session: Session, gifts: Sequence[Any], more: list[tuple[str, int]]) -> list[_Change]:
    """For each gift and kind, when `more` was told of them besides what stands in the book."""
    before = _reversals(session, [gift.key for gift in gifts])
    told = [(row.kind, row.told) for row in before] + more
    if not told:
        return []
    amounts = amounts_of(session, gifts)
    in_all = [amounts[gift.key] for gift in gifts]
    is_now: Counter[tuple[str, str]] = Counter()
    for row in before:
        is_now[row.gift_key, row.kind] += row.amount
    return [
        _Change(gift, kind, -should_be - is_now[gift.key, kind])
        for gift, share in zip(gifts, allotted(in_all, deducted(sum(in_all), told)), strict=True)
        for kind, should_be in (("refund", share.refunds), ("dispute", share.disputes))
    ]


def _enter_each(session: Session, changes: list[_Change], because: str, at: datetime, now: datetime) -> None:
    """Books all that changes anything, under keys made of what changed it."""
    several = len({change.gift.key for change in changes}) > 1
    for change in changes:
        if change.amount:
            # Of several gifts each needs its own; the id of one could be too long to stand there whole.
            which = f"/{hashlib.sha256(change.gift.key.encode()).hexdigest()[:8]}" if several else ""
            _enter(session, change, f"{because}/{change.kind}{which}", 0, at, now)


def _enter(session: Session, change: _Change, key: str, told: int, at: datetime, now: datetime) -> None:
    gift = change.gift
    zone = zone_of(session, gift)
    wanted = [parse_month(gift.month), month_of(at, zone)]
    month = open_month(session, gift.campaign_id, gift.live, wanted, now, zone)
    enter_for(session, gift, key, now, kind=change.kind, amount=change.amount, told=told, at=at, month=month)


def _reversals(session: Session, gift_keys: list[str]) -> list[Any]:
    these = (entry.c.gift_key.in_(gift_keys), entry.c.gift_key != entry.c.key, entry.c.kind.in_(("refund", "dispute")))
    return list(session.execute(select(entry.c.gift_key, entry.c.kind, entry.c.told, entry.c.amount).where(*these)))


def amounts_of(session: Session, gifts: Sequence[Any]) -> Counter[str]:
    """What was given of each gift in all, by its key: what was paid of it later stands in entries of its own."""
    amounts = Counter({gift.key: gift.amount for gift in gifts})
    # Of a gift that was imported as offline, and taken back, nothing is left either.
    more = (entry.c.gift_key.in_(amounts), entry.c.gift_key != entry.c.key, entry.c.kind.in_((*ONLINE, "offline")))
    for row in session.execute(select(entry.c.gift_key, entry.c.amount).where(*more)):
        amounts[row.gift_key] += row.amount
    return amounts


def zone_of(session: Session, gift: Any) -> str:
    """The time zone of a gift's campaign."""
    zone = session.scalar(select(campaign.c.time_zone).where(campaign.c.id == gift.campaign_id))
    assert zone is not None
    return zone


# --- By hand ----------------------------------------------------------------------------------------------------------

NOT_AT_STRIPE = (OUTSIDE, IMPORTED)
"""Prefixes of the keys of entries that Stripe does not know, whatever their kind."""


def given_back_outside(session: Session, gift_key: str) -> int:
    """What was noted as given back of a gift outside of Stripe, in all."""
    these = (entry.c.gift_key == gift_key, entry.c.gift_key != entry.c.key, entry.c.key.startswith(OUTSIDE))
    return -int(session.scalar(select(func.sum(entry.c.told)).where(*these)) or 0)


def left_of(session: Session, gift: Any) -> int:
    """What is left of a gift, whose entry is given, after all that was taken off it."""
    of_gift = select(func.sum(entry.c.amount)).where(
        (entry.c.key == gift.key) | ((entry.c.gift_key == gift.key) & (entry.c.gift_key != entry.c.key))
    )
    return int(session.scalar(of_gift) or 0)


def take_back(session: Session, gift: Any, now: datetime) -> str:
    """Reverses an offline or imported gift, given as its entry, once: in its own month while that is open."""
    key = f"{gift.key}{TAKEN_BACK}"
    if session.scalar(select(entry.c.id).where(entry.c.key == key)) is not None:
        return "known"
    zone = zone_of(session, gift)
    month = open_month(session, gift.campaign_id, gift.live, [parse_month(gift.month)], now, zone)
    enter_for(session, gift, key, now, kind=gift.kind, amount=-gift.amount, told=-gift.amount, at=now, month=month)
    return "recorded"


def take_back_imported(session: Session, gift: Any, now: datetime, stripe_id: str = "") -> None:
    """Books the opposite of what was imported as given back of an imported gift, since Stripe itself tells of that as well.

    All of it, or what has that id at Stripe. What was given back outside of Stripe stays: nobody else tells of it.
    """
    gifts = stripe_ids.paid_together(session, gift)
    these = (entry.c.gift_key.in_([one.key for one in gifts]), entry.c.gift_key != entry.c.key, entry.c.told != 0)
    rows = session.execute(
        select(entry).where(*these, entry.c.kind.in_(("refund", "dispute"))).order_by(entry.c.id)
    ).all()
    keys = {row.key for row in rows}
    known_as = tuple(one.key for one in gifts)
    for row in rows:
        back = f"{row.key}{TAKEN_BACK}"
        is_imported = row.key.startswith(IMPORTED) and f":{OUTSIDE}" not in row.key
        is_wanted = row.key.endswith(f":{stripe_id}") if stripe_id else not row.key.endswith(TAKEN_BACK)
        if is_imported and is_wanted and back not in keys:
            take(session, gifts, Reversal(back, row.kind, -row.told, row.currency, now, row.live, known_as), now)


def find_online(session: Session, stripe_id: str, live: bool) -> Any:
    """The entry of the gift that came through Stripe and has this id, or is known by it; None when there is none."""
    if not (stripe_id.isascii() and stripe_id.isprintable()):
        return None
    these = (entry.c.key == stripe_id, entry.c.key == entry.c.gift_key, entry.c.kind.in_(ONLINE))
    found = session.execute(select(entry).where(*these, entry.c.live == live)).one_or_none()
    return found or stripe_ids.gift_known_as(session, [stripe_id], live)


def give_back(session: Session, gift: Any, amount: int, at: datetime, words: str, own_id: str, now: datetime) -> str:
    """Books money of an online gift, whose entry is given, that was given back outside of Stripe. Returns the entry's key.

    `amount` in smallest units, `at` on the campaign's clock. The same `own_id` again is the same money, and changes nothing.
    Raises ValueError with a sentence when it is more than is left of the gift, or was given back before it was given.
    """
    key = f"{OUTSIDE}{'live' if gift.live else 'test'}:{own_id}"
    if session.scalar(select(entry.c.id).where(entry.c.key == key)) is not None:
        return key
    gifts = stripe_ids.paid_together(session, gift)
    left = sum(left_of(session, one) for one in gifts)
    if amount <= 0:
        raise Refusal("Enter an amount above zero.")
    if amount > left:
        if left <= 0:
            raise Refusal("Everything was already given back.")
        raise Refusal("That is more than is left of the gift.")
    made = gift.at.astimezone(at.tzinfo).date()
    if at.date() < made:
        raise Refusal("The gift was made on %(day)s: it cannot have been given back before that.", day=made)
    known_as = tuple(one.key for one in gifts)
    take(session, gifts, Reversal(key, "refund", -amount, gift.currency, at, gift.live, known_as), now)
    if words:
        session.add(NoteRow(gift_key=key, words=words))
    return key


def undo_give_back(session: Session, given_back: Any, now: datetime) -> str:
    """Books the opposite of what was noted as given back by mistake, given as its entry, once."""
    key = f"{given_back.key}{TAKEN_BACK}"
    if session.scalar(select(entry.c.id).where(entry.c.key == key)) is not None:
        return "known"
    gift = session.execute(select(entry).where(entry.c.key == given_back.gift_key)).one()
    gifts = stripe_ids.paid_together(session, gift)
    known_as = tuple(one.key for one in gifts)
    take(session, gifts, Reversal(key, "refund", -given_back.told, gift.currency, now, gift.live, known_as), now)
    return "recorded"
