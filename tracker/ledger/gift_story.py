"""All that the book knows about one gift: its entries and where they came from, fees, payouts, notes, gifts paid with it."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, select
from sqlalchemy.orm import Session

from tracker.giving.campaign import Campaign
from tracker.giving.import_map import IMPORTED
from tracker.giving.rollup import ONLINE
from tracker.ledger import reversals, stripe_ids
from tracker.ledger.editor_models import gift_note, sync_run
from tracker.ledger.gift_list import keys_of
from tracker.ledger.listed_gifts import Listed, listed
from tracker.ledger.models import alias, closed, delivery, entry, note, settlement, supporter
from tracker.ledger.user_models import UserRow

LONGEST_NOTE = 1000
MOST_NOTES = 200


@dataclass(frozen=True)
class Step:
    """One entry of the gift."""

    entry: Any
    settled: Sequence[Any]
    """What it came to at Stripe: rows with amount, fee, net, currency, rate, available_on, payout and paid_out_on."""
    note: str
    """What was noted when it was recorded by hand."""
    events: Sequence[Any]
    """The deliveries that reported it: rows with event_id, type, created_at and received_at."""
    synced_at: datetime | None
    """When the run of `tracker sync` that found it began."""
    may_be_reversed: bool


@dataclass(frozen=True)
class Story:
    """One gift with its refunds and disputes, oldest first."""

    gift: Any
    summary: Listed
    steps: list[Step]
    known_as: list[str]
    """Stripe's other ids for it."""
    paid_with: list[Any]
    """Other gifts that the same payment paid for."""
    name: str
    message: str
    notes: Sequence[Any]
    """What editors wrote about it, the newest first: rows with id, at, words and the e-mail address of who wrote it."""
    closed_at: datetime | None
    """When the month that it is booked in was closed, if it is."""


def gifts(session: Session, campaign: Campaign, live: bool, stripe_id: str) -> list[Any]:
    """The entries of the campaign's gifts that an id stands for: usually one or none."""
    these = (entry.c.key.in_(keys_of(session, stripe_id)), entry.c.campaign_id == campaign.id, entry.c.live == live)
    return list(session.execute(select(entry).where(*these).order_by(entry.c.id)))


def tell(session: Session, gift: Any) -> Story:
    """The story of a gift whose own entry is given."""
    came = (entry.c.gift_key == gift.key, entry.c.gift_key != entry.c.key)
    entries = [gift, *session.execute(select(entry).where(*came).order_by(entry.c.id))]
    keys = [one.key for one in entries]
    settled = session.execute(
        select(settlement).where(settlement.c.entry_key.in_(keys)).order_by(settlement.c.at, settlement.c.key)
    ).all()
    words = {row.gift_key: row.words for row in session.execute(select(note).where(note.c.gift_key.in_(keys)))}
    moments = {one.recorded_at for one in entries}
    events = session.execute(
        select(delivery.c.event_id, delivery.c.type, delivery.c.created_at, delivery.c.received_at)
        .where(delivery.c.received_at.in_(moments), delivery.c.live == gift.live, delivery.c.outcome == "recorded")
        .order_by(delivery.c.created_at, delivery.c.event_id)
    ).all()
    runs = set(session.scalars(select(sync_run.c.began_at).where(sync_run.c.began_at.in_(moments))))
    person = session.execute(select(supporter).where(supporter.c.gift_key == gift.key)).one_or_none()
    names = session.scalars(select(alias.c.stripe_id).where(alias.c.gift_key == gift.key).order_by(alias.c.stripe_id))
    closing = (closed.c.campaign_id == gift.campaign_id, closed.c.live == gift.live, closed.c.month == gift.month)
    return Story(
        gift,
        listed(session, [gift])[0],
        [
            Step(
                one,
                [row for row in settled if row.entry_key == one.key],
                words.get(one.key, ""),
                [row for row in events if row.received_at == one.recorded_at and one.told],
                one.recorded_at if one.recorded_at in runs else None,
                _may_be_reversed(one, keys),
            )
            for one in entries
        ],
        list(names),
        [one for one in stripe_ids.paid_together(session, gift) if one.key != gift.key],
        person.name if person else "",
        person.message if person else "",
        _notes(session, gift.key),
        session.scalar(select(closed.c.closed_at).where(*closing)),
    )


def _may_be_reversed(one: Any, keys: list[str]) -> bool:
    """Whether it was recorded by hand, and not reversed since."""
    if f"{one.key}{reversals.TAKEN_BACK}" in keys or one.key.endswith(reversals.TAKEN_BACK):
        return False
    return (one.key == one.gift_key and one.kind == "offline") or (
        one.key.startswith(reversals.OUTSIDE) and one.told < 0
    )


def is_online(gift: Any) -> bool:
    """Whether it came through Stripe; an imported one did so elsewhere, if at all."""
    return gift.kind in ONLINE and not gift.key.startswith(IMPORTED)


# --- Notes ------------------------------------------------------------------------------------------------------------

_user = UserRow.__table__


def _notes(session: Session, gift_key: str) -> Sequence[Any]:
    rows = select(gift_note, _user.c.email).outerjoin(_user, _user.c.id == gift_note.c.user_id)
    newest = rows.where(gift_note.c.gift_key == gift_key).order_by(gift_note.c.id.desc())
    return session.execute(newest.limit(MOST_NOTES)).all()


def write_note(session: Session, gift: Any, words: str, by: int | None, now: datetime) -> bool:
    """Keeps what an editor wrote about a gift; says whether it is new. The same words by the same person again are not."""
    newest = select(gift_note.c.words, gift_note.c.user_id).where(gift_note.c.gift_key == gift.key)
    before = session.execute(newest.order_by(gift_note.c.id.desc()).limit(1)).one_or_none()
    if before is not None and (before.words, before.user_id) == (words, by):
        return False
    session.execute(insert(gift_note).values(gift_key=gift.key, user_id=by, at=now, words=words))
    return True


def delete_note(session: Session, gift: Any, number: int) -> bool:
    """Deletes a note for good, since it may name people; says whether there was one."""
    these = (gift_note.c.id == number, gift_note.c.gift_key == gift.key)
    return bool(session.execute(delete(gift_note).where(*these)).rowcount)
