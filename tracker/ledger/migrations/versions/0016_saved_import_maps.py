"""Saved maps of other systems' files, and the ids of a gift in the order of its index"""

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "import_map",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(60), nullable=False),
        sa.Column("columns", sa.JSON(), nullable=False),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_import_map_campaign_id"),
        sa.PrimaryKeyConstraint("id", name="pk_import_map"),
        sa.UniqueConstraint("campaign_id", "name", name="uq_import_map_campaign_id_name"),
    )
    # A file of entries needs the payment of every gift: with the id in the index, it need not be looked up.
    op.drop_index("ix_alias_gift_key", "alias")
    op.create_index("ix_alias_gift_key", "alias", ["gift_key", "stripe_id"])


def downgrade() -> None:
    op.drop_index("ix_alias_gift_key", "alias")
    op.create_index("ix_alias_gift_key", "alias", ["gift_key"])
    op.drop_table("import_map")
