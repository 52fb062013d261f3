"""The tables behind a month's page. All of them can be made again from the entries and their settlements."""

from datetime import datetime

from sqlalchemy import BigInteger, Boolean, ForeignKey, Index, Integer, String, text
from sqlalchemy.orm import Mapped, mapped_column

from tracker.ledger.models import ID, STRIPE_ID, Moment, db, entry, support


class _OfMonth:
    """The columns that all breakdowns share: a campaign's month in one mode and currency."""

    # Puts these columns before each table's own.
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True, sort_order=-4)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True, sort_order=-3)
    month: Mapped[str] = mapped_column(String(7), primary_key=True, sort_order=-2)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True, sort_order=-1)


class DayRow(_OfMonth, db.Model):
    """What was raised on each day of a month, on the newsroom's calendar."""

    __tablename__ = "day_total"

    day: Mapped[int] = mapped_column(Integer, primary_key=True)
    once: Mapped[int] = mapped_column(BigInteger)
    monthly: Mapped[int] = mapped_column(BigInteger)
    yearly: Mapped[int] = mapped_column(BigInteger)
    offline: Mapped[int] = mapped_column(BigInteger)
    refunds: Mapped[int] = mapped_column(BigInteger)
    disputes: Mapped[int] = mapped_column(BigInteger)
    gifts: Mapped[int] = mapped_column(BigInteger)
    told: Mapped[int] = mapped_column(BigInteger)
    """What Stripe's balance will show for the entries that went through Stripe."""
    told_of: Mapped[int] = mapped_column(BigInteger)
    """How many entries that is."""
    outside: Mapped[int] = mapped_column(BigInteger)
    """What was given back outside Stripe; negative."""
    imported: Mapped[int] = mapped_column(BigInteger)
    """What came from another system's file as given online: it never went through Stripe here."""


class AmountRow(_OfMonth, db.Model):
    """How often each amount was given in a month: for the tiers, and for the median."""

    __tablename__ = "amount_total"

    kind: Mapped[str] = mapped_column(String(10), primary_key=True)
    tier: Mapped[str] = mapped_column(String(20), primary_key=True)
    amount: Mapped[int] = mapped_column(BigInteger, primary_key=True)
    gifts: Mapped[int] = mapped_column(BigInteger)
    given: Mapped[int] = mapped_column(BigInteger)


class PlaceRow(_OfMonth, db.Model):
    """What each place on each article brought in a month: numbers of gifts, and what is left of them."""

    __tablename__ = "place_total"

    source: Mapped[str] = mapped_column(String(64), primary_key=True)
    place: Mapped[str] = mapped_column(String(20), primary_key=True)
    once: Mapped[int] = mapped_column(BigInteger)
    monthly: Mapped[int] = mapped_column(BigInteger)
    yearly: Mapped[int] = mapped_column(BigInteger)
    given: Mapped[int] = mapped_column(BigInteger)


class BrokenDownRow(db.Model):
    """One row: the last entry that the tables above include. Newer entries are added when they are read."""

    __tablename__ = "broken_down"

    id: Mapped[int] = mapped_column(Integer, primary_key=True, autoincrement=False)
    entry_id: Mapped[int] = mapped_column(ID)


class SettledRow(_OfMonth, db.Model):
    """What the entries of a month came to at Stripe, by the payout they are in; kept with every settlement."""

    __tablename__ = "settled_total"

    settled_in: Mapped[str] = mapped_column(String(3), primary_key=True)
    """The currency of the account's balance."""
    payout: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    """Empty until it is paid out."""
    paid_out_on: Mapped[datetime | None] = mapped_column(Moment)
    entries: Mapped[int] = mapped_column(BigInteger)
    told: Mapped[int] = mapped_column(BigInteger)
    """What Stripe reported for these entries, in the month's currency."""
    gross: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    net: Mapped[int] = mapped_column(BigInteger)


day_total = DayRow.__table__
amount_total = AmountRow.__table__
place_total = PlaceRow.__table__
broken_down = BrokenDownRow.__table__
settled_total = SettledRow.__table__

# The newest entries of a month, and those of the day that has begun: its page reads them, however many there are.
Index("ix_entry_at", *(entry.c[name] for name in ("campaign_id", "live", "month", "at")))
# All that is needed to count supporters; and the few subscriptions with several charges, for what is still to come.
Index(
    "ix_support_counted",
    *(support.c[name] for name in ("campaign_id", "live", "frequency", "state", "began_at", "ended_at")),
)
_SEVERAL = text("charges IS NOT NULL")
Index("ix_support_several", support.c.campaign_id, support.c.live, sqlite_where=_SEVERAL, postgresql_where=_SEVERAL)
