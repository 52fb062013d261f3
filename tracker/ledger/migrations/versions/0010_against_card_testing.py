"""What became of checkouts, minute by minute, and what protects a campaign from card testing"""

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None


def upgrade() -> None:
    campaign_id = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
    op.create_table(
        "checkout_count",
        sa.Column("campaign_id", campaign_id, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("minute", sa.DateTime(timezone=True), nullable=False),
        sa.Column("opened", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("expired", sa.BigInteger(), nullable=False),
        sa.Column("declined", sa.BigInteger(), nullable=False),
        sa.Column("refused", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_checkout_count_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "live", "minute", name="pk_checkout_count"),
    )
    op.create_table(
        "protection",
        sa.Column("campaign_id", campaign_id, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("switch", sa.String(length=10), nullable=False),
        sa.Column("began_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("sign", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_protection_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "live", name="pk_protection"),
    )


def downgrade() -> None:
    op.drop_table("protection")
    op.drop_table("checkout_count")
