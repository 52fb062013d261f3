"""The way back to the article, the newsroom's own words after a gift, and what a reader can check of a month"""

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("campaign", sa.Column("allowed_hosts", sa.JSON(), nullable=True))
    op.add_column("campaign", sa.Column("thanks_words", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column("campaign", sa.Column("checkout_words", sa.Text(), nullable=False, server_default=sa.text("''")))
    op.add_column(
        "closed_month", sa.Column("public_hash", sa.String(length=64), nullable=False, server_default=sa.text("''"))
    )
    op.create_index("ix_entry_of_month", "entry", ["campaign_id", "live", "month", "id"])
    op.drop_index("ix_entry_campaign_id_live_month", "entry")
    condition = sa.text("month <> belongs_to")
    op.create_index(
        "ix_entry_corrected",
        "entry",
        ["campaign_id", "live", "belongs_to"],
        sqlite_where=condition,
        postgresql_where=condition,
    )


def downgrade() -> None:
    op.create_index("ix_entry_campaign_id_live_month", "entry", ["campaign_id", "live", "month"])
    op.drop_index("ix_entry_of_month", "entry")
    op.drop_index("ix_entry_corrected", "entry")
    op.drop_column("closed_month", "public_hash")
    for column in ("checkout_words", "thanks_words", "allowed_hosts"):
        op.drop_column("campaign", column)
