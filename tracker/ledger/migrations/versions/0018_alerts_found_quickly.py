"""What needs attention is found among millions of deliveries and subscriptions"""

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None

WITH_BODY = sa.text("body IS NOT NULL")
FAILING = sa.text("state = 'failing'")


def upgrade() -> None:
    op.create_index(
        "ix_delivery_by_type", "delivery", ["live", "type", "received_at"],
        sqlite_where=WITH_BODY, postgresql_where=WITH_BODY,
    )  # fmt: skip
    op.create_index(
        "ix_support_failing", "support", ["campaign_id", "live", "told_at"],
        sqlite_where=FAILING, postgresql_where=FAILING,
    )  # fmt: skip


def downgrade() -> None:
    op.drop_index("ix_support_failing", "support")
    op.drop_index("ix_delivery_by_type", "delivery")
