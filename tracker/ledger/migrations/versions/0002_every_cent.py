"""Every cent: settlements, supports, the hash chain, and what a closed month was closed with"""

import sqlalchemy as sa
from alembic import op

from tracker.ledger import chain

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEY = sa.String(length=255)


def upgrade() -> None:
    op.create_table(
        "settlement",
        sa.Column("key", KEY, nullable=False),
        sa.Column("entry_key", KEY, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=False),
        sa.Column("net", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("rate", sa.String(length=40), nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("available_on", MOMENT, nullable=False),
        sa.Column("payout", KEY, nullable=False),
        sa.Column("paid_out_on", MOMENT, nullable=True),
        sa.PrimaryKeyConstraint("key", name="pk_settlement"),
    )
    op.create_index("ix_settlement_entry_key", "settlement", ["entry_key"])
    op.create_table(
        "support",
        sa.Column("key", KEY, nullable=False),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("next_charge", MOMENT, nullable=True),
        sa.Column("ends", MOMENT, nullable=True),
        sa.Column("told_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_support_campaign_id"),
        sa.PrimaryKeyConstraint("key", name="pk_support"),
    )
    op.create_index("ix_support_campaign_id", "support", ["campaign_id"])
    op.create_table(
        "closed_entry",
        sa.Column("key", KEY, nullable=False),
        sa.Column("fee", sa.BigInteger(), nullable=True),
        sa.Column("net", sa.BigInteger(), nullable=True),
        sa.Column("payment_intent", KEY, nullable=False),
        sa.Column("payout", KEY, nullable=False),
        sa.ForeignKeyConstraint(["key"], ["entry.key"], name="fk_closed_entry_key"),
        sa.PrimaryKeyConstraint("key", name="pk_closed_entry"),
    )
    op.create_table(
        "note",
        sa.Column("gift_key", KEY, nullable=False),
        sa.Column("words", sa.String(length=300), nullable=False),
        sa.ForeignKeyConstraint(["gift_key"], ["entry.key"], name="fk_note_gift_key"),
        sa.PrimaryKeyConstraint("gift_key", name="pk_note"),
    )
    _chain_the_entries()
    _keep_what_months_were_closed_with()
    _keep_what_was_known_of_their_entries()
    # After the table was made anew, which would forget the condition.
    op.create_index(
        "ix_entry_correction",
        "entry",
        ["campaign_id", "live", "month"],
        sqlite_where=sa.text("month <> belongs_to"),
        postgresql_where=sa.text("month <> belongs_to"),
    )


def _chain_the_entries() -> None:
    with op.batch_alter_table("entry") as batch:
        batch.add_column(sa.Column("chain", sa.String(length=64), nullable=True))
    connection = op.get_bind()
    entry = sa.Table("entry", sa.MetaData(), autoload_with=connection)
    entry.c.at.type = entry.c.recorded_at.type = _Moment()
    before, last = chain.BEGINNING, 0
    while rows := connection.execute(sa.select(entry).where(entry.c.id > last).order_by(entry.c.id).limit(5000)).all():
        hashes = []
        for row in rows:
            before = chain.link(before, dict(row._mapping))
            hashes.append({"this": row.id, "hash": before})
        connection.execute(
            sa.update(entry).where(entry.c.id == sa.bindparam("this")).values(chain=sa.bindparam("hash")), hashes
        )
        last = rows[-1].id
    with op.batch_alter_table("entry") as batch:
        batch.alter_column("chain", existing_type=sa.String(length=64), nullable=False)


def _keep_what_months_were_closed_with() -> None:
    with op.batch_alter_table("closed_month") as batch:
        batch.add_column(sa.Column("figures", sa.JSON(), nullable=True))
        batch.add_column(sa.Column("head", sa.String(length=64), nullable=True))
        batch.add_column(sa.Column("shown_as", sa.JSON(), nullable=True))
    connection = op.get_bind()
    closed = sa.Table(
        "closed_month",
        sa.MetaData(),
        sa.Column("figures", sa.JSON()),
        sa.Column("shown_as", sa.JSON()),
        autoload_with=connection,
    )
    total = sa.Table("month_total", sa.MetaData(), autoload_with=connection)
    campaign = sa.Table("campaign", sa.MetaData(), autoload_with=connection)
    columns = ("once", "monthly", "offline", "refunds", "disputes", "gifts")
    # The head of today: of the time of closing nothing is known.
    entry = sa.Table("entry", sa.MetaData(), autoload_with=connection)
    newest = connection.scalar(sa.select(entry.c.chain).order_by(entry.c.id.desc()).limit(1)) or chain.BEGINNING
    for row in connection.execute(sa.select(closed)).all():
        this = [closed.c[name] == getattr(row, name) for name in ("campaign_id", "live", "month")]
        sums = connection.execute(
            sa.select(*(total.c[name] for name in columns))
            .join(campaign, (campaign.c.id == total.c.campaign_id) & (campaign.c.currency == total.c.currency))
            .where(*(total.c[name] == getattr(row, name) for name in ("campaign_id", "live", "month")))
        ).one_or_none()
        figures = {name: int(getattr(sums, name)) if sums else 0 for name in columns}
        look = [campaign.c[name] for name in ("title", "time_zone", "locale", "amount_pattern")]
        shown_as = dict(connection.execute(sa.select(*look).where(campaign.c.id == row.campaign_id)).one()._mapping)
        connection.execute(sa.update(closed).where(*this).values(figures=figures, head=newest, shown_as=shown_as))
    with op.batch_alter_table("closed_month") as batch:
        batch.alter_column("figures", existing_type=sa.JSON(), nullable=False)
        batch.alter_column("head", existing_type=sa.String(length=64), nullable=False)
        batch.alter_column("shown_as", existing_type=sa.JSON(), nullable=False)


def _keep_what_was_known_of_their_entries() -> None:
    # Of fees and payouts nothing was known yet.
    op.execute(
        """
        INSERT INTO closed_entry (key, fee, net, payment_intent, payout)
        SELECT entry.key, NULL, NULL, coalesce(min(alias.stripe_id), ''), ''
        FROM entry
        JOIN closed_month ON closed_month.campaign_id = entry.campaign_id AND closed_month.live = entry.live
            AND closed_month.month = entry.month
        LEFT JOIN alias ON alias.gift_key = entry.gift_key AND substr(alias.stripe_id, 1, 3) = 'pi_'
        GROUP BY entry.key
        """
    )


class _Moment(sa.TypeDecorator):  # type: ignore[type-arg]
    """Moments as the ledger reads them: in UTC, which SQLite alone would forget."""

    impl = sa.DateTime(timezone=True)
    cache_ok = True

    def process_result_value(self, value, dialect):  # type: ignore[no-untyped-def]
        from datetime import UTC

        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def downgrade() -> None:
    op.drop_table("note")
    op.drop_table("closed_entry")
    op.drop_index(
        "ix_entry_correction",
        "entry",
        sqlite_where=sa.text("month <> belongs_to"),
        postgresql_where=sa.text("month <> belongs_to"),
    )
    with op.batch_alter_table("closed_month") as batch:
        batch.drop_column("shown_as")
        batch.drop_column("head")
        batch.drop_column("figures")
    with op.batch_alter_table("entry") as batch:
        batch.drop_column("chain")
    op.drop_table("support")
    op.drop_table("settlement")
