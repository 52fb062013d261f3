"""Every carrier: the newsroom's colour, and how often bars are loaded and pressed"""

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None


def upgrade() -> None:
    # A plain column: SQLite adds it in place, so that no table is made anew under the entries that point to it.
    op.add_column("campaign", sa.Column("accent", sa.String(length=6), nullable=False, server_default=sa.text("''")))
    op.create_table(
        "visit",
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("day", sa.String(length=10), nullable=False),
        sa.Column("carrier", sa.String(length=10), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("place", sa.String(length=20), nullable=False),
        sa.Column("times", sa.BigInteger(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_visit_campaign_id"),
        sa.PrimaryKeyConstraint("campaign_id", "day", "carrier", "source", "place", name="pk_visit"),
    )


def downgrade() -> None:
    op.drop_table("visit")
    op.drop_column("campaign", "accent")
