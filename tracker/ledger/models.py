"""The tables. Entries are only ever added; the running totals beside them can be made anew from them at any time."""

from datetime import UTC, datetime
from typing import Any

from flask_sqlalchemy import SQLAlchemy
from sqlalchemy import (
    JSON,
    BigInteger,
    Boolean,
    DateTime,
    Dialect,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    MetaData,
    String,
    Table,
    Text,
    TypeDecorator,
    UniqueConstraint,
    false,
    text,
)  # fmt: skip
from sqlalchemy.dialects import postgresql
from sqlalchemy.orm import DeclarativeBase, Mapped, mapped_column

# Every constraint has a name, so that a later migration can speak of it on both databases.
NAMES = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_name)s",
    "pk": "pk_%(table_name)s",
}
# SQLite counts up by itself only in a plain INTEGER primary key.
ID = BigInteger().with_variant(Integer, "sqlite")
# Stripe's ids may reach 255 characters.
STRIPE_ID = String(255)


class Base(DeclarativeBase):
    metadata = MetaData(naming_convention=NAMES)


db = SQLAlchemy(model_class=Base)


class Moment(TypeDecorator[datetime]):
    """A moment in UTC that keeps its zone on both databases; SQLite alone would forget it."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError("a moment without a time zone cannot be stored")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def _only(condition: str) -> dict[str, Any]:
    """What an index holds only rows by; a statement that is to use it says the same."""
    return {"sqlite_where": text(condition), "postgresql_where": text(condition)}


class CampaignRow(db.Model):
    """What a newsroom asks for. Its slug and currency never change once it stands here."""

    __tablename__ = "campaign"

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    slug: Mapped[str] = mapped_column(String(60), unique=True)
    title: Mapped[str] = mapped_column(String(120))
    lead: Mapped[str] = mapped_column(Text, default="")
    story: Mapped[str] = mapped_column(Text, default="")
    currency: Mapped[str] = mapped_column(String(3))
    time_zone: Mapped[str] = mapped_column(String(64))
    locale: Mapped[str] = mapped_column(String(32))
    amount_pattern: Mapped[str] = mapped_column(String(40), default="")
    once: Mapped[list[int]] = mapped_column(JSON)
    monthly: Mapped[list[int]] = mapped_column(JSON)
    yearly: Mapped[list[int] | None] = mapped_column(JSON(none_as_null=True))
    default_frequency: Mapped[str] = mapped_column(String(5), default="", server_default=text("''"))
    minimum: Mapped[int] = mapped_column(BigInteger)
    maximum: Mapped[int] = mapped_column(BigInteger)
    paused: Mapped[bool] = mapped_column(Boolean, default=False)
    pause_reason: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    stops_at_goal: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    reached_words: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    archived: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    cover_percent: Mapped[int] = mapped_column(Integer, default=0, server_default=text("0"))
    cover_fixed: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    newsletter: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    accent: Mapped[str] = mapped_column(String(6), default="", server_default=text("''"))
    held_month: Mapped[str] = mapped_column(String(7), default="")
    allowed_hosts: Mapped[list[str] | None] = mapped_column(JSON(none_as_null=True))
    thanks_words: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))
    checkout_words: Mapped[str] = mapped_column(Text, default="", server_default=text("''"))


class GoalRow(db.Model):
    """A goal. One with `stands` holds from its month on until the next such; the others are for their month alone."""

    __tablename__ = "goal"
    __table_args__ = (UniqueConstraint("campaign_id", "month", "stands"),)

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    month: Mapped[str] = mapped_column(String(7))
    amount: Mapped[int] = mapped_column(BigInteger)
    """0 where the row is about people alone."""
    stands: Mapped[bool] = mapped_column(Boolean)
    supporters: Mapped[int | None] = mapped_column(Integer)
    """The goal in people; 0 for none from here on, and None where the row is about money alone."""
    people_first: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())


class DeliveryRow(db.Model):
    """One event as Stripe sent it. The body is dropped after a while (TRACKER_KEEP_DELIVERIES): it may name people."""

    __tablename__ = "delivery"

    event_id: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    type: Mapped[str] = mapped_column(String(100))
    api_version: Mapped[str] = mapped_column(String(64))
    live: Mapped[bool] = mapped_column(Boolean)
    created_at: Mapped[datetime] = mapped_column(Moment)
    received_at: Mapped[datetime] = mapped_column(Moment)
    outcome: Mapped[str] = mapped_column(String(20))
    body: Mapped[bytes | None] = mapped_column(LargeBinary)

    __table_args__ = (
        # Only those that still have a body, so that finding the next ones to drop costs nothing at every delivery.
        Index("ix_delivery_with_body", "received_at", **_only("body IS NOT NULL")),
        # What needs attention is rare among them.
        Index("ix_delivery_by_type", "live", "type", "received_at", **_only("body IS NOT NULL")),
    )


class EntryRow(db.Model):
    """One thing that happened to money, as it counts. Never changed and never deleted."""

    __tablename__ = "entry"
    __table_args__ = (
        # The id as well: a month's lines are read in parts, each after the last line of the one before.
        Index("ix_entry_of_month", "campaign_id", "live", "month", "id"),
        # Only what is booked in another month than its own: the page of a month lists it, however many gifts there are.
        Index("ix_entry_correction", "campaign_id", "live", "month", **_only("month <> belongs_to")),
        # The same by the month that it belongs to, for that one's page.
        Index("ix_entry_corrected", "campaign_id", "live", "belongs_to", **_only("month <> belongs_to")),
        # Only what came of a gift later, so that a gift itself has a place in one index less.
        Index("ix_entry_of_gift", "gift_key", **_only("gift_key <> key")),
    )

    id: Mapped[int] = mapped_column(ID, primary_key=True)
    key: Mapped[str] = mapped_column(STRIPE_ID, unique=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    live: Mapped[bool] = mapped_column(Boolean)
    kind: Mapped[str] = mapped_column(String(10))
    amount: Mapped[int] = mapped_column(BigInteger)
    """Signed: what it does to `raised`."""
    told: Mapped[int] = mapped_column(BigInteger)
    """Signed: the fact's own amount. Differs from `amount` where refunds and disputes exceed their gift."""
    currency: Mapped[str] = mapped_column(String(3))
    at: Mapped[datetime] = mapped_column(Moment)
    month: Mapped[str] = mapped_column(String(7))
    """The month it is booked in."""
    belongs_to: Mapped[str] = mapped_column(String(7))
    """The month it would be in if that were not closed; mostly the same."""
    gift_key: Mapped[str] = mapped_column(STRIPE_ID)
    tier: Mapped[str] = mapped_column(String(20), default="")
    source: Mapped[str] = mapped_column(String(64), default="")
    place: Mapped[str] = mapped_column(String(20), default="")
    recorded_at: Mapped[datetime] = mapped_column(Moment)
    chain: Mapped[str] = mapped_column(String(64))
    """A hash over this entry and the one before it (chain.py): a silent edit of an older one is found."""


class AliasRow(db.Model):
    """By which other Stripe ids a gift is known: payment intents and charges, which refunds and disputes name.

    Mostly one payment pays for one gift; one that pays two invoices is known for both.
    """

    __tablename__ = "alias"
    # With the id itself, which a file of entries needs for every gift.
    __table_args__ = (Index("ix_alias_gift_key", "gift_key", "stripe_id"),)

    stripe_id: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    gift_key: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)


class WaitingRow(db.Model):
    """A fact whose gift or campaign is not known yet. It may be somebody else's, on the same Stripe account."""

    __tablename__ = "waiting"

    key: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    waits_for: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    """A payment intent's or charge's id, or `campaign:SLUG`. A fact that names two ids waits in two rows."""
    fact: Mapped[dict[str, Any]] = mapped_column(JSON)
    received_at: Mapped[datetime] = mapped_column(Moment)

    __table_args__ = (Index("ix_waiting_waits_for", "waits_for"),)


class TotalRow(db.Model):
    """A month's running sums, kept in the same transaction as the entries, so that reading them is always cheap."""

    __tablename__ = "month_total"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    currency: Mapped[str] = mapped_column(String(3), primary_key=True)
    once: Mapped[int] = mapped_column(BigInteger)
    monthly: Mapped[int] = mapped_column(BigInteger)
    offline: Mapped[int] = mapped_column(BigInteger)
    refunds: Mapped[int] = mapped_column(BigInteger)
    disputes: Mapped[int] = mapped_column(BigInteger)
    gifts: Mapped[int] = mapped_column(BigInteger)
    yearly: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))


class ClosedRow(db.Model):
    """A month whose figures never change again, with the goal it was closed with."""

    __tablename__ = "closed_month"

    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"), primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean, primary_key=True)
    month: Mapped[str] = mapped_column(String(7), primary_key=True)
    goal: Mapped[int | None] = mapped_column(BigInteger)
    closed_at: Mapped[datetime] = mapped_column(Moment)
    figures: Mapped[dict[str, int]] = mapped_column(JSON)
    """The sums as they were at closing, by column; they must never differ from the totals again."""
    head: Mapped[str] = mapped_column(String(64))
    """The newest entry's chain hash at closing: printed, so that it can be kept elsewhere."""
    shown_as: Mapped[dict[str, str]] = mapped_column(JSON)
    """The campaign's title, time zone and writing of amounts at closing: the month's page and files keep them."""
    public_hash: Mapped[str] = mapped_column(String(64), default="", server_default=text("''"))
    """SHA-256 over the month's public file; nothing where the month was closed before there was one."""


class ClosedEntryRow(db.Model):
    """What was known of an entry when its month was closed. Fees and payouts that come later do not change the file."""

    __tablename__ = "closed_entry"

    key: Mapped[str] = mapped_column(STRIPE_ID, ForeignKey("entry.key"), primary_key=True)
    fee: Mapped[int | None] = mapped_column(BigInteger)
    net: Mapped[int | None] = mapped_column(BigInteger)
    payment_intent: Mapped[str] = mapped_column(STRIPE_ID)
    payout: Mapped[str] = mapped_column(STRIPE_ID)


class BalanceTransactionRow(db.Model):
    """What an entry came to at Stripe: fee and net, in the currency the account settles in, and the payout it is in."""

    __tablename__ = "settlement"

    key: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    """The balance transaction's id."""
    entry_key: Mapped[str] = mapped_column(STRIPE_ID, index=True)
    live: Mapped[bool] = mapped_column(Boolean)
    amount: Mapped[int] = mapped_column(BigInteger)
    fee: Mapped[int] = mapped_column(BigInteger)
    net: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    rate: Mapped[str] = mapped_column(String(40))
    at: Mapped[datetime] = mapped_column(Moment)
    available_on: Mapped[datetime] = mapped_column(Moment)
    payout: Mapped[str] = mapped_column(STRIPE_ID, default="")
    paid_out_on: Mapped[datetime | None] = mapped_column(Moment)


class PayoutLineRow(db.Model):
    """A balance transaction that a payout holds and that is not known here yet: it may come, or be somebody else's."""

    __tablename__ = "payout_line"

    key: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    """The balance transaction's id."""
    live: Mapped[bool] = mapped_column(Boolean)
    payout: Mapped[str] = mapped_column(STRIPE_ID)
    paid_out_on: Mapped[datetime] = mapped_column(Moment)


class PendingFetchRow(db.Model):
    """What Stripe is still to be asked for. Kept here and not in memory, so that it is asked for after a crash as well."""

    __tablename__ = "pending_fetch"

    kind: Mapped[str] = mapped_column(String(20), primary_key=True)
    """`session`, `invoice`, `refund`, `payout` or `subscription`."""
    key: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    live: Mapped[bool] = mapped_column(Boolean)
    due_at: Mapped[datetime] = mapped_column(Moment, index=True)
    tries: Mapped[int] = mapped_column(Integer)


class SubscriptionRow(db.Model):
    """How a supporter's subscription stands, by the newest word about it."""

    __tablename__ = "support"
    # The few whose last charge failed, for the editors' pages.
    __table_args__ = (Index("ix_support_failing", "campaign_id", "live", "told_at", **_only("state = 'failing'")),)

    key: Mapped[str] = mapped_column(STRIPE_ID, primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    live: Mapped[bool] = mapped_column(Boolean)
    amount: Mapped[int] = mapped_column(BigInteger)
    currency: Mapped[str] = mapped_column(String(3))
    state: Mapped[str] = mapped_column(String(10))
    next_charge: Mapped[datetime | None] = mapped_column(Moment)
    ends: Mapped[datetime | None] = mapped_column(Moment)
    told_at: Mapped[datetime] = mapped_column(Moment)
    rank: Mapped[int] = mapped_column(Integer, default=1, server_default=text("1"))
    charges: Mapped[list[list[Any]] | None] = mapped_column(JSON(none_as_null=True))
    """`[amount, due, interval, count]` each, where there is more to come than `amount` at `next_charge`."""
    invoice: Mapped[str] = mapped_column(STRIPE_ID, default="", server_default=text("''"))
    billed: Mapped[int] = mapped_column(BigInteger, default=0, server_default=text("0"))
    billed_at: Mapped[datetime | None] = mapped_column(Moment)
    frequency: Mapped[str] = mapped_column(String(5), default="month", server_default=text("'month'"))
    began_at: Mapped[datetime | None] = mapped_column(Moment)
    ended_at: Mapped[datetime | None] = mapped_column(Moment)


class InstallationRow(db.Model):
    """The one row that tells this installation from others on the same Stripe account."""

    __tablename__ = "installation"

    mark: Mapped[str] = mapped_column(String(32), primary_key=True)


class SupporterRow(db.Model):
    """The name and words that a donor chose to show. Apart from the entries: erasing a person leaves the sums alone."""

    __tablename__ = "supporter"
    __table_args__ = (
        Index("ix_supporter_newest", "campaign_id", "live", "shown", "at"),
        Index("ix_supporter_every", "campaign_id", "live", "at", "gift_key"),
    )

    gift_key: Mapped[str] = mapped_column(ForeignKey("entry.key"), primary_key=True)
    campaign_id: Mapped[int] = mapped_column(ForeignKey("campaign.id"))
    live: Mapped[bool] = mapped_column(Boolean)
    at: Mapped[datetime] = mapped_column(Moment)
    name: Mapped[str] = mapped_column(String(80))
    message: Mapped[str] = mapped_column(String(300))
    shown: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    hidden: Mapped[bool] = mapped_column(Boolean, default=False, server_default=false())
    """An editor shows or hides it; until then it is neither, and waits."""


class NoteRow(db.Model):
    """What an editor wrote beside an offline gift. Apart from the entries, as it may name people."""

    __tablename__ = "note"

    gift_key: Mapped[str] = mapped_column(ForeignKey("entry.key"), primary_key=True)
    words: Mapped[str] = mapped_column(String(300))


# The tables, for the statements of the other modules.
campaign = CampaignRow.__table__
goal = GoalRow.__table__
delivery = DeliveryRow.__table__
entry = EntryRow.__table__
alias = AliasRow.__table__
waiting = WaitingRow.__table__
total = TotalRow.__table__
closed = ClosedRow.__table__
closed_entry = ClosedEntryRow.__table__
supporter = SupporterRow.__table__
note = NoteRow.__table__
settlement = BalanceTransactionRow.__table__
support = SubscriptionRow.__table__
payout_line = PayoutLineRow.__table__
pending_fetch = PendingFetchRow.__table__
installation = InstallationRow.__table__


def insert_unless_there(table: Table) -> postgresql.Insert:
    """Adds a row unless its key is there; the result's `rowcount` says whether. SQLite has PostgreSQL's words for it."""
    return postgresql.insert(table).on_conflict_do_nothing().execution_options(preserve_rowcount=True)
