"""Gifts as the list shows them: each with its refunds and disputes, its fee and payout, and its name."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from tracker.giving.rollup import ONLINE
from tracker.ledger.editor_models import gift_note
from tracker.ledger.models import entry, note, settlement, supporter


@dataclass(frozen=True)
class Listed:
    """One gift. Amounts in the smallest unit of `currency`; `fee` and `net` in that of `settled_in`."""

    key: str
    kind: str
    given: int
    """Including later payments for it."""
    currency: str
    at: datetime
    month: str
    belongs_to: str
    tier: str
    source: str
    place: str
    refunded: int
    disputed: int
    is_reversed: bool
    """An offline gift that was recorded by mistake."""
    fee: int | None
    """None until it is known."""
    net: int | None
    settled_in: str
    payout: str
    name: str
    has_note: bool

    @property
    def left(self) -> int:
        return 0 if self.is_reversed else self.given - self.refunded - self.disputed


def listed(session: Session, gifts: Sequence[Any]) -> list[Listed]:
    """Some gifts as the list shows them, in the same order, with a handful of queries for all of them."""
    keys = [gift.key for gift in gifts]
    if not keys:
        return []
    came: dict[str, list[Any]] = defaultdict(list)
    these = (entry.c.gift_key.in_(keys), entry.c.gift_key != entry.c.key)
    for row in session.execute(select(entry.c.gift_key, entry.c.key, entry.c.kind, entry.c.amount).where(*these)):
        came[row.gift_key].append(row)
    gift_of = {row.key: row.gift_key for some in came.values() for row in some if row.kind in ONLINE}
    gift_of |= {key: key for key in keys}
    settled: dict[str, list[Any]] = defaultdict(list)
    for row in session.execute(select(settlement).where(settlement.c.entry_key.in_(gift_of))):
        settled[gift_of[row.entry_key]].append(row)
    named = select(supporter.c.gift_key, supporter.c.name).where(supporter.c.gift_key.in_(keys))
    names = {row.gift_key: row.name for row in session.execute(named)}
    noted = set(session.scalars(select(gift_note.c.gift_key).where(gift_note.c.gift_key.in_(keys))))
    noted |= set(session.scalars(select(note.c.gift_key).where(note.c.gift_key.in_(keys))))
    return [
        _listed(gift, came[gift.key], settled[gift.key], names.get(gift.key, ""), gift.key in noted) for gift in gifts
    ]


def _listed(gift: Any, came: list[Any], settled: list[Any], name: str, has_note: bool) -> Listed:
    def sum_of(*kinds: str) -> int:
        return sum(row.amount for row in came if row.kind in kinds)

    # An account settles in one currency; if that has changed, the newest counts.
    alike = [row for row in settled if row.currency == settled[-1].currency]
    columns = ("key", "kind", "currency", "at", "month", "belongs_to", "tier", "source", "place")
    return Listed(
        **{column: getattr(gift, column) for column in columns},
        given=gift.amount + sum_of(*ONLINE), refunded=-sum_of("refund"), disputed=-sum_of("dispute"),
        is_reversed=sum_of("offline") < 0,
        fee=sum(row.fee for row in alike) if alike else None, net=sum(row.net for row in alike) if alike else None,
        settled_in=alike[0].currency if alike else "", payout=next((row.payout for row in alike if row.payout), ""),
        name=name, has_note=has_note,
    )  # fmt: skip
