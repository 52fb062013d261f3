"""Supporters are counted from an index alone, and the few with several charges are found at once"""

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None

SEVERAL = sa.text("charges IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_support_counted", "support", ["campaign_id", "live", "frequency", "state", "began_at", "ended_at"]
    )
    op.create_index(
        "ix_support_several", "support", ["campaign_id", "live"], sqlite_where=SEVERAL, postgresql_where=SEVERAL
    )
    # The first of these begins in the same way.
    op.drop_index("ix_support_campaign_id", "support")


def downgrade() -> None:
    op.create_index("ix_support_campaign_id", "support", ["campaign_id"])
    op.drop_index("ix_support_several", "support")
    op.drop_index("ix_support_counted", "support")
