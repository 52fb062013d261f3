"""Odd cases of money: what Stripe is still to be asked for, payouts before their fees, what subscriptions charge, and a mark"""

import secrets

import sqlalchemy as sa
from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
KEY = sa.String(length=255)


def upgrade() -> None:
    _make_aliases_anew("stripe_id", "gift_key")
    op.create_table(
        "payout_line",
        sa.Column("key", KEY, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("payout", KEY, nullable=False),
        sa.Column("paid_out_on", MOMENT, nullable=False),
        sa.PrimaryKeyConstraint("key", name="pk_payout_line"),
    )
    op.create_table(
        "pending_fetch",
        sa.Column("kind", sa.String(length=20), nullable=False),
        sa.Column("key", KEY, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("due_at", MOMENT, nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("kind", "key", name="pk_pending_fetch"),
    )
    op.create_index("ix_pending_fetch_due_at", "pending_fetch", ["due_at"])
    op.add_column("support", sa.Column("rank", sa.Integer(), nullable=False, server_default=sa.text("1")))
    op.add_column("support", sa.Column("charges", sa.JSON(), nullable=True))
    op.add_column("support", sa.Column("invoice", KEY, nullable=False, server_default=sa.text("''")))
    op.add_column("support", sa.Column("billed", sa.BigInteger(), nullable=False, server_default=sa.text("0")))
    op.add_column("support", sa.Column("billed_at", MOMENT, nullable=True))
    made = op.create_table(
        "installation",
        sa.Column("mark", sa.String(length=32), nullable=False),
        sa.PrimaryKeyConstraint("mark", name="pk_installation"),
    )
    op.bulk_insert(made, [{"mark": secrets.token_hex(8)}])


def _make_aliases_anew(*key: str) -> None:
    # SQLite cannot change a table's key; nothing points to this one, so it may go and come back.
    op.execute("CREATE TABLE kept_alias AS SELECT stripe_id, gift_key FROM alias")
    op.drop_table("alias")
    op.create_table(
        "alias",
        sa.Column("stripe_id", KEY, nullable=False),
        sa.Column("gift_key", KEY, nullable=False),
        sa.PrimaryKeyConstraint(*key, name="pk_alias"),
    )
    op.create_index("ix_alias_gift_key", "alias", ["gift_key"])
    op.execute(
        "INSERT INTO alias (stripe_id, gift_key) SELECT stripe_id, min(gift_key) FROM kept_alias GROUP BY stripe_id"
    )
    op.drop_table("kept_alias")


def downgrade() -> None:
    op.drop_table("installation")
    for name in ("billed_at", "billed", "invoice", "charges", "rank"):
        op.drop_column("support", name)
    op.drop_table("pending_fetch")
    op.drop_table("payout_line")
    _make_aliases_anew("stripe_id")
