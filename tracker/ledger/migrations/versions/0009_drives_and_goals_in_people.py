"""Drives and matches with their sums, and goals in people"""

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.create_table(
        "appeal",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=10), nullable=False),
        sa.Column("name", sa.String(length=40), nullable=False),
        sa.Column("amount", sa.BigInteger(), nullable=False),
        sa.Column("starts_at", MOMENT, nullable=False),
        sa.Column("ends_at", MOMENT, nullable=True),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_appeal_campaign_id"),
        sa.PrimaryKeyConstraint("id", name="pk_appeal"),
    )
    op.create_index("ix_appeal_campaign_id_starts_at", "appeal", ["campaign_id", "starts_at"])
    op.create_table(
        "appeal_total",
        sa.Column("appeal_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("raised", sa.BigInteger(), nullable=False),
        sa.Column("gifts", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["appeal_id"], ["appeal.id"], name="fk_appeal_total_appeal_id"),
        sa.PrimaryKeyConstraint("appeal_id", "live", name="pk_appeal_total"),
    )
    op.add_column("goal", sa.Column("supporters", sa.Integer(), nullable=True))
    op.add_column("goal", sa.Column("people_first", sa.Boolean(), nullable=False, server_default=sa.false()))


def downgrade() -> None:
    # Rows that say nothing of money were not known before.
    op.execute("DELETE FROM goal WHERE amount = 0")
    op.drop_column("goal", "people_first")
    op.drop_column("goal", "supporters")
    op.drop_table("appeal_total")
    op.drop_index("ix_appeal_campaign_id_starts_at", table_name="appeal")
    op.drop_table("appeal")
