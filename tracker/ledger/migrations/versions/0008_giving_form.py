"""The form people give with: yearly gifts, and which frequency is chosen at first"""

import sqlalchemy as sa
from alembic import op

revision = "0008"
down_revision = "0007"
branch_labels = None
depends_on = None

# Plain columns: SQLite adds them in place, so that no table is made anew under the entries that point to it.
COLUMNS = (
    ("campaign", sa.Column("yearly", sa.JSON(), nullable=True)),
    ("campaign", sa.Column("default_frequency", sa.String(length=5), nullable=False, server_default=sa.text("''"))),
    ("month_total", sa.Column("yearly", sa.BigInteger(), nullable=False, server_default=sa.text("0"))),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column)


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column.name)
