"""Names found quickly: whose they are and when they came stands beside them; and an index less for each gift"""

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.drop_index("ix_entry_gift_key", "entry")
    condition = sa.text("gift_key <> key")
    op.create_index("ix_entry_of_gift", "entry", ["gift_key"], sqlite_where=condition, postgresql_where=condition)
    # For some days before 0.3.0 was numbered, 0003 did the rest itself.
    if "campaign_id" in [column["name"] for column in sa.inspect(op.get_bind()).get_columns("supporter")]:
        return
    _make_supporters_anew(
        [
            sa.Column("campaign_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
            sa.Column("live", sa.Boolean(), nullable=False),
            sa.Column("at", sa.DateTime(timezone=True), nullable=False),
            sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name="fk_supporter_campaign_id"),
        ],
        "INSERT INTO supporter (gift_key, campaign_id, live, at, name, message, shown)"
        " SELECT kept.gift_key, entry.campaign_id, entry.live, entry.at, kept.name, kept.message, kept.shown"
        " FROM kept_supporter AS kept JOIN entry ON entry.key = kept.gift_key",
    )
    op.create_index("ix_supporter_newest", "supporter", ["campaign_id", "live", "shown", "at"])


def _make_supporters_anew(more: list[sa.schema.SchemaItem], fill: str) -> None:
    # SQLite adds no column that points to another table; nothing points to this one, so it may go and come back.
    op.execute("CREATE TABLE kept_supporter AS SELECT * FROM supporter")
    op.drop_table("supporter")
    op.create_table(
        "supporter",
        sa.Column("gift_key", sa.String(length=255), nullable=False),
        *more,
        sa.Column("name", sa.String(length=80), nullable=False),
        sa.Column("message", sa.String(length=300), nullable=False),
        sa.Column("shown", sa.Boolean(), server_default=sa.false(), nullable=False),
        sa.ForeignKeyConstraint(["gift_key"], ["entry.key"], name="fk_supporter_gift_key"),
        sa.PrimaryKeyConstraint("gift_key", name="pk_supporter"),
    )
    op.execute(fill)
    op.drop_table("kept_supporter")


def downgrade() -> None:
    op.drop_index("ix_entry_of_gift", "entry")
    op.create_index("ix_entry_gift_key", "entry", ["gift_key"])
    op.drop_index("ix_supporter_newest", "supporter")
    _make_supporters_anew(
        [],
        "INSERT INTO supporter (gift_key, name, message, shown) SELECT gift_key, name, message, shown FROM kept_supporter",
    )
