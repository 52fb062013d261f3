"""What months break down into: by hour, amount and place, and what came of them at Stripe; when supporters began and ended"""

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

MOMENT = sa.DateTime(timezone=True)
NUMBER = sa.BigInteger()
ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    # Existing entries are added up by `tracker init`, or by the first page that is opened: in parts, outside this migration.
    _make("hour_total", [("day", sa.Integer()), ("hour", sa.Integer())], [
        "once", "monthly", "yearly", "offline", "refunds", "disputes", "gifts", "told", "told_of", "outside", "imported",
    ])  # fmt: skip
    _make(
        "amount_total", [("kind", sa.String(length=10)), ("tier", sa.String(length=20)), ("amount", NUMBER)],
        ["gifts", "given"],
    )  # fmt: skip
    _make(
        "place_total", [("source", sa.String(length=64)), ("place", sa.String(length=20))],
        ["once", "monthly", "yearly", "given"],
    )  # fmt: skip
    op.create_table(
        "broken_down",
        sa.Column("id", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("entry_id", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_broken_down"),
    )
    _make(
        "settled_total", [("settled_in", sa.String(length=3)), ("payout", sa.String(length=255))],
        ["entries", "told", "gross", "fee", "net"], sa.Column("paid_out_on", MOMENT, nullable=True),
    )  # fmt: skip
    _sum_settlements()
    op.create_index("ix_entry_at", "entry", ["campaign_id", "live", "month", "at"])
    op.add_column(
        "support", sa.Column("frequency", sa.String(length=5), nullable=False, server_default=sa.text("'month'"))
    )
    op.add_column("support", sa.Column("began_at", MOMENT, nullable=True))
    op.add_column("support", sa.Column("ended_at", MOMENT, nullable=True))
    # Subscriptions that have ended did so when that was reported. `tracker sync` asks Stripe when they began.
    op.execute("UPDATE support SET ended_at = told_at WHERE state = 'ended'")
    op.execute(
        "UPDATE support SET frequency = 'year' WHERE invoice <> ''"
        " AND EXISTS (SELECT 1 FROM entry WHERE entry.key = support.invoice AND entry.kind = 'yearly')"
    )


def _make(name: str, key: list[tuple[str, sa.types.TypeEngine]], sums: list[str], *more: sa.Column) -> None:  # type: ignore[type-arg]
    op.create_table(
        name,
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        *(sa.Column(part, of_type, autoincrement=False, nullable=False) for part, of_type in key),
        *more,
        *(sa.Column(part, NUMBER, nullable=False) for part in sums),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=f"fk_{name}_campaign_id"),
        sa.PrimaryKeyConstraint(
            "campaign_id", "live", "month", "currency", *(part for part, _ in key), name=f"pk_{name}"
        ),
    )


def _sum_settlements() -> None:
    op.execute(
        """
        INSERT INTO settled_total (campaign_id, live, month, currency, settled_in, payout, paid_out_on, entries, told, gross,
            fee, net)
        SELECT one.campaign_id, one.live, one.month, one.currency, one.settled_in, one.payout, max(one.paid_out_on),
            sum(one.is_first), sum(one.is_first * one.told), sum(one.amount), sum(one.fee), sum(one.net)
        FROM (
            SELECT entry.campaign_id, entry.live, entry.month, entry.currency, entry.told, settlement.currency AS settled_in,
                settlement.payout, settlement.paid_out_on, settlement.amount, settlement.fee, settlement.net,
                CASE WHEN EXISTS (
                    SELECT 1 FROM settlement AS earlier
                    WHERE earlier.entry_key = settlement.entry_key AND earlier.key < settlement.key
                ) THEN 0 ELSE 1 END AS is_first
            FROM settlement JOIN entry ON entry.key = settlement.entry_key
        ) AS one
        GROUP BY one.campaign_id, one.live, one.month, one.currency, one.settled_in, one.payout
        """
    )


def downgrade() -> None:
    for column in ("ended_at", "began_at", "frequency"):
        op.drop_column("support", column)
    op.drop_index("ix_entry_at", "entry")
    for table in ("settled_total", "broken_down", "place_total", "amount_total", "hour_total"):
        op.drop_table(table)
