"""By which of Stripe's other ids a gift is known."""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from tracker.ledger.models import alias, entry, insert_unless_there

_NAME = insert_unless_there(alias)
_OTHERS = select(alias.c.gift_key).where(
    alias.c.stripe_id == bindparam("stripe_id"), alias.c.gift_key != bindparam("gift_key")
)


def add(session: Session, gift_key: str, stripe_ids: Iterable[str]) -> int:
    """Notes by which ids a gift is known; returns how many of them are new."""
    return sum(session.execute(_NAME, {"stripe_id": one, "gift_key": gift_key}).rowcount for one in stripe_ids)


def ids_of(session: Session, gift_key: str) -> tuple[str, ...]:
    """By which ids a gift is known, or will be once it is in the book."""
    return tuple(
        session.scalars(select(alias.c.stripe_id).where(alias.c.gift_key == gift_key).order_by(alias.c.stripe_id))
    )


def is_shared(session: Session, gift_key: str, stripe_ids: Iterable[str]) -> bool:
    """Whether another gift is known by one of these ids as well."""
    return any(session.execute(_OTHERS, {"stripe_id": one, "gift_key": gift_key}).first() for one in stripe_ids)


def gifts_known_as(session: Session, stripe_ids: Iterable[str], live: bool) -> list[Any]:
    """The entries of the gifts that these ids name, in that mode, oldest first: one, or several that one payment paid for."""
    known = select(alias.c.gift_key).where(alias.c.stripe_id.in_(list(stripe_ids)))
    found = select(entry).where(entry.c.key.in_(known), entry.c.live == live)
    return list(session.execute(found.order_by(entry.c.at, entry.c.key)))


def gift_known_as(session: Session, stripe_ids: Iterable[str], live: bool) -> Any:
    """The first of them; None when there is none."""
    return next(iter(gifts_known_as(session, stripe_ids, live)), None)


def paid_together(session: Session, gift: Any) -> list[Any]:
    """A gift's entry, and those of all others that a payment of it paid for as well; oldest first."""
    names = session.scalars(select(alias.c.stripe_id).where(alias.c.gift_key == gift.key)).all()
    return gifts_known_as(session, names, gift.live) if names else [gift]
