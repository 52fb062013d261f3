"""Roles, invitations, an audit log that is only ever added to, and by which ids a person was known who was forgotten"""

import sqlalchemy as sa
from alembic import op

revision = "0015"
down_revision = "0014"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
MAY = {
    "reader": "Sees every figure, changes nothing",
    "editor": "Also changes campaigns, goals, drives and gifts",
    "owner": "Also people, the audit log and personal data",
}
REFUSED = "the audit log is only added to"


def upgrade() -> None:
    op.create_table(
        "invitation",
        sa.Column("id", ID, nullable=False),
        sa.Column("email", sa.String(length=255), nullable=False),
        sa.Column("role", sa.String(length=10), nullable=False),
        sa.Column("key_hash", sa.String(length=64), nullable=False),
        sa.Column("expires_at", MOMENT, nullable=False),
        sa.Column("made_by", ID, nullable=True),
        sa.ForeignKeyConstraint(["made_by"], ["user_account.id"], name="fk_invitation_made_by"),
        sa.PrimaryKeyConstraint("id", name="pk_invitation"),
        sa.UniqueConstraint("email", name="uq_invitation_email"),
        sa.UniqueConstraint("key_hash", name="uq_invitation_key_hash"),
    )
    op.create_table(
        "audit_line",
        sa.Column("id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("account_id", ID, nullable=True),
        sa.Column("command", sa.String(length=80), nullable=False),
        sa.Column("login", sa.String(length=80), nullable=False),
        sa.Column("action", sa.String(length=40), nullable=False),
        sa.Column("campaign", sa.String(length=60), nullable=False),
        sa.Column("about", sa.String(length=255), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.ForeignKeyConstraint(["account_id"], ["user_account.id"], name="fk_audit_line_account_id"),
        sa.PrimaryKeyConstraint("id", name="pk_audit_line"),
    )
    op.create_table(
        "forgotten",
        sa.Column("stripe_id", sa.String(length=255), nullable=False),
        sa.PrimaryKeyConstraint("stripe_id", name="pk_forgotten"),
    )
    op.create_index("ix_audit_line_at", "audit_line", ["at"])
    op.create_index("ix_audit_line_campaign_action", "audit_line", ["campaign", "action"])
    _protect()
    _make_owners()


def _protect() -> None:
    if op.get_bind().dialect.name == "sqlite":
        for what in ("UPDATE", "DELETE"):
            op.execute(
                f"CREATE TRIGGER audit_line_no_{what.lower()} BEFORE {what} ON audit_line"
                f" BEGIN SELECT RAISE(ABORT, '{REFUSED}'); END"
            )
        return
    op.execute(
        "CREATE OR REPLACE FUNCTION refuse_audit_change() RETURNS trigger LANGUAGE plpgsql AS"
        f" $$ BEGIN RAISE EXCEPTION '{REFUSED}'; END $$"
    )
    op.execute(
        "CREATE TRIGGER audit_line_only_added BEFORE UPDATE OR DELETE ON audit_line"
        " FOR EACH ROW EXECUTE FUNCTION refuse_audit_change()"
    )


def _make_owners() -> None:
    """Until now everybody could do everything: existing accounts become owners."""
    connection = op.get_bind()
    role = sa.table("role", sa.column("id"), sa.column("name"), sa.column("description"))
    user, link = (
        sa.table("user_account", sa.column("id")),
        sa.table("user_role", *map(sa.column, ("user_id", "role_id"))),
    )
    people = connection.scalars(sa.select(user.c.id)).all()
    if not people:
        # A new database: the roles are made with the first account.
        connection.execute(sa.delete(role).where(role.c.name == "admin"))
        return
    before = connection.scalar(sa.select(role.c.id).where(role.c.name == "admin"))
    owner = {"name": "owner", "description": MAY["owner"]}
    if before is None:
        connection.execute(sa.insert(role).values(owner))
        before = connection.scalar(sa.select(role.c.id).where(role.c.name == "owner"))
    else:
        connection.execute(sa.update(role).where(role.c.id == before).values(owner))
    have = set(connection.scalars(sa.select(link.c.user_id).where(link.c.role_id == before)))
    new = [{"user_id": one, "role_id": before} for one in people if one not in have]
    if new:
        connection.execute(sa.insert(link), new)


def downgrade() -> None:
    op.drop_table("forgotten")
    connection = op.get_bind()
    role, link = sa.table("role", *map(sa.column, ("id", "name"))), sa.table("user_role", sa.column("role_id"))
    fewer = sa.select(role.c.id).where(role.c.name.in_(("reader", "editor")))
    connection.execute(sa.delete(link).where(link.c.role_id.in_(fewer)))
    connection.execute(sa.delete(role).where(role.c.name.in_(("reader", "editor"))))
    connection.execute(sa.update(role).where(role.c.name == "owner").values(name="admin"))
    op.drop_index("ix_audit_line_campaign_action", "audit_line")
    op.drop_index("ix_audit_line_at", "audit_line")
    op.drop_table("audit_line")
    if connection.dialect.name != "sqlite":
        op.execute("DROP FUNCTION refuse_audit_change()")
    op.drop_table("invitation")
