"""The form people give with: yearly gifts, the first choice, the fee on top, the newsletter, and words for when giving stops"""

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
    ("campaign", sa.Column("cover_percent", sa.Integer(), nullable=False, server_default=sa.text("0"))),
    ("campaign", sa.Column("cover_fixed", sa.BigInteger(), nullable=False, server_default=sa.text("0"))),
    ("campaign", sa.Column("newsletter", sa.Text(), nullable=False, server_default=sa.text("''"))),
    ("campaign", sa.Column("pause_reason", sa.Text(), nullable=False, server_default=sa.text("''"))),
    ("campaign", sa.Column("stops_at_goal", sa.Boolean(), nullable=False, server_default=sa.false())),
    ("campaign", sa.Column("reached_words", sa.Text(), nullable=False, server_default=sa.text("''"))),
    ("campaign", sa.Column("archived", sa.Boolean(), nullable=False, server_default=sa.false())),
    ("month_total", sa.Column("yearly", sa.BigInteger(), nullable=False, server_default=sa.text("0"))),
)


def upgrade() -> None:
    for table, column in COLUMNS:
        op.add_column(table, column)


def downgrade() -> None:
    for table, column in reversed(COLUMNS):
        op.drop_column(table, column.name)
