"""What months break down into by day: nobody asks for hours"""

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OF_MONTH = ("campaign_id", "live", "month", "currency")
SUMS = (
    "once", "monthly", "yearly", "offline", "refunds", "disputes", "gifts", "told", "told_of", "outside", "imported",
)  # fmt: skip


def upgrade() -> None:
    _make("day_total", "day")
    key = (*OF_MONTH, "day")
    day, hour = (sa.table(name, *map(sa.column, (*key, *SUMS))) for name in ("day_total", "hour_total"))
    of_day = [hour.c[name] for name in key]
    summed = sa.select(*of_day, *(sa.func.sum(hour.c[name]) for name in SUMS)).group_by(*of_day)
    op.execute(sa.insert(day).from_select([*key, *SUMS], summed))
    op.drop_table("hour_total")


def downgrade() -> None:
    _make("hour_total", "day", "hour")
    op.drop_table("day_total")
    # All entries are added up once more.
    for name in ("amount_total", "place_total", "broken_down"):
        op.execute(sa.delete(sa.table(name)))


def _make(name: str, *parts: str) -> None:
    op.create_table(
        name,
        sa.Column("campaign_id", ID, nullable=False),
        sa.Column("live", sa.Boolean(), nullable=False),
        sa.Column("month", sa.String(length=7), nullable=False),
        sa.Column("currency", sa.String(length=3), nullable=False),
        *(sa.Column(part, sa.Integer(), nullable=False) for part in parts),
        *(sa.Column(one, sa.BigInteger(), nullable=False) for one in SUMS),
        sa.ForeignKeyConstraint(["campaign_id"], ["campaign.id"], name=f"fk_{name}_campaign_id"),
        sa.PrimaryKeyConstraint(*OF_MONTH, *parts, name=f"pk_{name}"),
    )
