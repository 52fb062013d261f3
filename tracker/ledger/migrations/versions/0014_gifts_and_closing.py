"""Gifts found quickly, notes to them, reopened months, and runs of sync"""

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")
IS_GIFT = "gift_key = key"
INDEXES = {
    "ix_entry_gift_by_time": (IS_GIFT, ["month", "at", "id"]),
    "ix_entry_gift_by_source": (f"{IS_GIFT} AND source <> ''", ["source", "month", "at", "id"]),
    "ix_entry_gift_by_amount": (IS_GIFT, ["amount", "month", "at", "id"]),
    "ix_entry_gift_by_kind": (f"{IS_GIFT} AND kind IN ('yearly', 'offline')", ["kind", "month", "at", "id"]),
    "ix_entry_reversal": (
        "gift_key <> key AND kind IN ('refund', 'dispute', 'offline')", ["kind", "belongs_to", "at", "id"],
    ),
}  # fmt: skip


def upgrade() -> None:
    for name, (condition, columns) in INDEXES.items():
        only = sa.text(condition)
        op.create_index(
            name, "entry", ["campaign_id", "live", *columns], sqlite_where=only, postgresql_where=only
        )  # fmt: skip
    op.create_index("ix_delivery_received_at", "delivery", ["received_at"])
    op.create_table(
        "gift_note",
        sa.Column("id", ID, nullable=False),
        sa.Column("gift_key", sa.String(length=255), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("words", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(["gift_key"], ["entry.key"], name=op.f("fk_gift_note_gift_key")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_gift_note_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_gift_note")),
    )
    op.create_index("ix_gift_note_gift_key", "gift_note", ["gift_key"])
    op.create_table(
        "month_reopening",
        sa.Column("id", ID, nullable=False),
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("user_id", ID, nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("closed_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("raised", sa.BigInteger(), nullable=False),
        sa.Column("head", sa.String(length=64), nullable=False),
        sa.Column("public_hash", sa.String(length=64), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=op.f("fk_month_reopening_campaign_id")),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name=op.f("fk_month_reopening_user_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_month_reopening")),
    )
    op.create_index("ix_month_reopening_of_month", "month_reopening", ["campaign_id", "live", "month"])
    op.create_table(
        "sync_run",
        sa.Column("id", ID, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("mended", sa.Integer(), nullable=False),
        sa.Column("wrong", sa.Integer(), nullable=False),
        sa.Column("untied", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_run")),
    )
    op.create_index("ix_sync_run_began_at", "sync_run", ["live", "began_at"])


def downgrade() -> None:
    for table in ("sync_run", "month_reopening", "gift_note"):
        op.drop_table(table)
    op.drop_index("ix_delivery_received_at", "delivery")
    for name in INDEXES:
        op.drop_index(name, "entry")
