"""What the book keeps about donors besides their money: names, messages, notes, bodies of deliveries; and its erasure."""

import re
from collections.abc import Callable, Collection, Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Mapped, Session, mapped_column

from tracker.ledger.editor_models import gift_note
from tracker.ledger.models import (
    STRIPE_ID,
    alias,
    campaign,
    db,
    delivery,
    entry,
    insert_unless_there,
    note,
    supporter,
    waiting,
)

SOME = 500


class ForgottenRow(db.Model):
    """An id at Stripe of a person whose data was erased here: later deliveries with it bring no name back."""

    __tablename__ = "forgotten"

    stripe_id: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)


forgotten = ForgottenRow.__table__


@dataclass(frozen=True)
class Kept:
    """What is kept about one person."""

    gifts: list[Any] = field(default_factory=list)
    """The entries of their gifts, refunds and disputes, oldest first, each with its campaign's `slug`."""
    names: dict[str, tuple[str, str]] = field(default_factory=dict)
    """Name and message, by the gift's key."""
    notes: dict[str, str] = field(default_factory=dict)
    """What editors wrote, by the entry's key."""
    waiting: list[str] = field(default_factory=list)
    """The keys of gifts whose campaign is not known here."""
    deliveries: list[str] = field(default_factory=list)
    """The ids of events whose bodies name the person."""

    @property
    def is_anything(self) -> bool:
        return bool(self.gifts or self.names or self.notes or self.waiting or self.deliveries)


def gift_behind(session: Session, wanted: str) -> Any:
    """The entry of a gift, by any of its ids: its own key, the key of a later entry for it, or one of Stripe's ids."""
    if not wanted.isprintable():
        return None
    keys = session.scalars(select(entry.c.gift_key).where(entry.c.key == wanted)).all()
    keys = keys or session.scalars(select(alias.c.gift_key).where(alias.c.stripe_id == wanted)).all()
    return session.execute(select(entry).where(entry.c.key.in_(keys[:1]))).one_or_none()


def known_as(session: Session, stripe_ids: Iterable[str]) -> set[str]:
    """The keys of the gifts that these ids stand for."""
    found: set[str] = set()
    for some in _batched(stripe_ids):
        found.update(session.scalars(select(alias.c.gift_key).where(alias.c.stripe_id.in_(some))))
    return found


def find(session: Session, gift_keys: Collection[str], named_by: Collection[str], words: Collection[str]) -> Kept:
    """What is kept about the person who made these gifts. Deliveries are found by ids and by words, such as an address."""
    kept = Kept()
    for some in _batched(gift_keys):
        these = select(entry, campaign.c.slug).join(campaign, campaign.c.id == entry.c.campaign_id)
        kept.gifts.extend(session.execute(these.where(entry.c.gift_key.in_(some))))
        for row in session.execute(select(supporter).where(supporter.c.gift_key.in_(some))):
            kept.names[row.gift_key] = (row.name, row.message)
        kept.waiting.extend(session.scalars(select(waiting.c.key).where(waiting.c.key.in_(some)).distinct()))
    kept.gifts.sort(key=lambda row: row.id)
    for some in _batched([row.key for row in kept.gifts]):
        for row in session.execute(select(note).where(note.c.gift_key.in_(some))):
            kept.notes[row.gift_key] = row.words
        of_gifts = select(gift_note).where(gift_note.c.gift_key.in_(some)).order_by(gift_note.c.id)
        for row in session.execute(of_gifts):
            before = kept.notes.get(row.gift_key)
            kept.notes[row.gift_key] = f"{before}\n{row.words}" if before else row.words
    kept.deliveries.extend(_naming(session, {*gift_keys, *named_by}, words))
    return kept


def _naming(session: Session, ids: Iterable[str], words: Iterable[str]) -> Iterator[str]:
    """The events whose kept bodies hold one of these ids, or one of these words in any spelling."""
    parts = [rf'"{re.escape(one)}"' for one in sorted(ids)] + [re.escape(one) for one in sorted(words) if one]
    if not parts:
        return
    named = re.compile("|".join(parts).encode(), re.IGNORECASE)
    rows = select(delivery.c.event_id, delivery.c.body).where(delivery.c.body.is_not(None))
    for row in session.execute(rows.execution_options(yield_per=SOME)):
        if named.search(bytes(row.body)):
            yield row.event_id


def forget(
    session: Session, kept: Kept, named_by: Collection[str], reduce: Callable[[bytes], bytes | None]
) -> None:  # fmt: skip
    """Deletes what is kept about a person, and remembers their ids, so that it does not come back. No sum or entry changes.

    `reduce` returns a body without what is about them, or None to keep none at all.
    """
    for some in _batched(kept.names):
        session.execute(delete(supporter).where(supporter.c.gift_key.in_(some)))
    for some in _batched(kept.notes):
        session.execute(delete(note).where(note.c.gift_key.in_(some)))
        session.execute(delete(gift_note).where(gift_note.c.gift_key.in_(some)))
    for key in kept.waiting:
        for row in session.execute(select(waiting).where(waiting.c.key == key)).all():
            this = (waiting.c.key == row.key, waiting.c.waits_for == row.waits_for)
            session.execute(update(waiting).where(*this).values(fact=row.fact | {"name": "", "message": ""}))
    for event_id in kept.deliveries:
        body = session.scalar(select(delivery.c.body).where(delivery.c.event_id == event_id))
        if body is not None:
            this_one = delivery.c.event_id == event_id
            session.execute(update(delivery).where(this_one).values(body=reduce(bytes(body))))
    for one in sorted({*named_by, *(row.gift_key for row in kept.gifts), *kept.waiting}):
        session.execute(insert_unless_there(forgotten), {"stripe_id": one})


def is_forgotten(session: Session, key: str) -> bool:
    """Whether the person who made a gift was erased."""
    return session.get(ForgottenRow, key) is not None


def _batched(keys: Iterable[str]) -> Iterator[list[str]]:
    every = list(keys)
    return (every[start : start + SOME] for start in range(0, len(every), SOME))


def has_old_bodies(session: Session, before: datetime) -> bool:
    """Whether there is a body from before that moment, to be dropped."""
    old = (delivery.c.received_at < before) & delivery.c.body.is_not(None)
    return session.scalar(select(delivery.c.event_id).where(old).limit(1)) is not None
