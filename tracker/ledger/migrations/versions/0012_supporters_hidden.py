"""Names that editors have hidden, and the newest names however many there are"""

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("supporter", sa.Column("hidden", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_supporter_every", "supporter", ["campaign_id", "live", "at", "gift_key"])


def downgrade() -> None:
    op.drop_index("ix_supporter_every", "supporter")
    op.drop_column("supporter", "hidden")
