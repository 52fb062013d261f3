"""What is kept beside the book for editors: notes on gifts, months that were reopened, runs of `tracker sync`.

And the indexes by which gifts are looked up. Each holds only gifts, or only refunds and disputes, in the order of the
list.
"""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from tracker.ledger.models import ID, STRIPE_ID, Moment, db, delivery, entry

IS_GIFT = "gift_key = key"
CAME_FROM = "gift_key = key AND source <> ''"
IS_RARE = "gift_key = key AND kind IN ('yearly', 'offline')"
CAME_OF_GIFT = "gift_key <> key AND kind IN ('refund', 'dispute', 'offline')"
"""What these indexes hold; a statement that is to use one says the same."""


def _of_entries(name: str, condition: str, *columns: str) -> Index:
    only = text(condition)
    return Index(name, *(entry.c[column] for column in columns), sqlite_where=only, postgresql_where=only)


_of_entries("ix_entry_gift_by_time", IS_GIFT, "campaign_id", "live", "month", "at", "id")
_of_entries("ix_entry_gift_by_source", CAME_FROM, "campaign_id", "live", "source", "month", "at", "id")
_of_entries("ix_entry_gift_by_amount", IS_GIFT, "campaign_id", "live", "amount", "month", "at", "id")
_of_entries("ix_entry_gift_by_kind", IS_RARE, "campaign_id", "live", "kind", "month", "at", "id")
_of_entries("ix_entry_reversal", CAME_OF_GIFT, "campaign_id", "live", "kind", "belongs_to", "at", "id")
# An entry and the delivery that brought it were recorded at the same moment.
Index("ix_delivery_received_at", delivery.c.received_at)


class GiftNoteRow(db.Model):
    """What an editor wrote about a gift. Apart from the entries, as it may name people: it can be deleted."""

    __tablename__ = "gift_note"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    gift_key: Mapped[str] = mapped_column(STRIPE_ID, ForeignKey("entry.key"), index=True)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    at: Mapped[datetime] = mapped_column(Moment)
    words: Mapped[str] = mapped_column(Text)


class ReopeningRow(db.Model):
    """A closed month that was reopened: what it had been closed with, and why it was reopened."""

    __tablename__ = "month_reopening"
    __table_args__ = (Index("ix_month_reopening_of_month", "campaign_id", "live", "month"),)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    live: Mapped[bool] = mapped_column(Boolean)
    month: Mapped[str] = mapped_column(String(7))
    at: Mapped[datetime] = mapped_column(Moment)
    user_id: Mapped[int | None] = mapped_column(ForeignKey("user_account.id"))
    """The account that did it on the page; None for a command."""
    reason: Mapped[str] = mapped_column(Text)
    closed_at: Mapped[datetime] = mapped_column(Moment)
    raised: Mapped[int] = mapped_column(BigInteger)
    head: Mapped[str] = mapped_column(String(64))
    public_hash: Mapped[str] = mapped_column(String(64))


class SyncRunRow(db.Model):
    """One completed run of `tracker sync`. Dry runs write nothing."""

    __tablename__ = "sync_run"
    __table_args__ = (Index("ix_sync_run_began_at", "live", "began_at"),)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    since: Mapped[datetime] = mapped_column(Moment)
    began_at: Mapped[datetime] = mapped_column(Moment)
    """Everything it recorded has this time."""
    ended_at: Mapped[datetime] = mapped_column(Moment)
    mended: Mapped[int] = mapped_column(Integer)
    """How many facts were missing here and are recorded now."""
    wrong: Mapped[int] = mapped_column(Integer)
    untied: Mapped[int] = mapped_column(Integer)
    """How many months and lines did not tie out with Stripe's balance."""


gift_note = GiftNoteRow.__table__
reopening = ReopeningRow.__table__
sync_run = SyncRunRow.__table__
