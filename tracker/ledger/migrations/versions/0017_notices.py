"""Notices: each one, who wants which, and the addresses they go to"""

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer, "sqlite")


def upgrade() -> None:
    op.create_table(
        "notice",
        sa.Column("id", ID, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("campaign", sa.String(60), nullable=False),
        sa.Column("about", sa.String(255), nullable=False),
        sa.Column("reader", sa.String(40), nullable=False),
        sa.Column("facts", sa.JSON(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("due_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(10), nullable=False),
        sa.Column("ended_at", sa.DateTime(timezone=True), nullable=True),
        sa.Column("reason", sa.String(20), nullable=False),
        sa.Column("detail", sa.String(300), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_notice"),
        sa.UniqueConstraint(
            "live", "kind", "campaign", "about", "reader", name="uq_notice_live_kind_campaign_about_reader"
        ),
    )
    op.create_index("ix_notice_due_at", "notice", ["state", "due_at"])
    op.create_index("ix_notice_made_at", "notice", ["made_at"])
    op.create_table(
        "notice_choice",
        sa.Column("reader", sa.String(40), nullable=False),
        sa.Column("kind", sa.String(20), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("reader", "kind", name="pk_notice_choice"),
    )
    op.create_table(
        "notice_address",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("email", sa.String(255), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_notice_address_user_id"),
        sa.PrimaryKeyConstraint("user_id", name="pk_notice_address"),
    )
    op.create_table(
        "notice_turn",
        sa.Column("name", sa.String(20), nullable=False),
        sa.Column("at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("name", name="pk_notice_turn"),
    )


def downgrade() -> None:
    for table in ("notice_turn", "notice_address", "notice_choice", "notice"):
        op.drop_table(table)
