"""Second factors, passkeys, recovery codes, sessions that end on the server, and forms that outlive them"""

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
MOMENT = sa.DateTime(timezone=True)
HASH = sa.String(length=64)


def upgrade() -> None:
    # Plain columns and an index of its own: SQLite adds them in place, under the rows that point to the accounts.
    op.add_column("user_account", sa.Column("tf_primary_method", sa.String(length=20), nullable=True))
    op.add_column("user_account", sa.Column("tf_totp_secret", sa.String(length=255), nullable=True))
    op.add_column("user_account", sa.Column("totp_counter", sa.BigInteger(), nullable=True))
    op.add_column("user_account", sa.Column("fs_webauthn_user_handle", sa.String(length=64), nullable=True))
    op.create_index("ix_user_account_fs_webauthn_user_handle", "user_account", ["fs_webauthn_user_handle"], unique=True)
    op.create_table(
        "passkey",
        sa.Column("id", ID, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("credential_id", sa.LargeBinary(), nullable=False),
        sa.Column("public_key", sa.LargeBinary(), nullable=False),
        sa.Column("sign_count", sa.BigInteger(), nullable=False),
        sa.Column("transports", sa.JSON(), nullable=True),
        sa.Column("extensions", sa.Text(), nullable=True),
        sa.Column("device_type", sa.String(length=20), nullable=False),
        sa.Column("backup_state", sa.Boolean(), nullable=False),
        sa.Column("lastuse_datetime", MOMENT, nullable=False),
        sa.Column("usage", sa.String(length=10), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_passkey_user_id"),
        sa.PrimaryKeyConstraint("id", name="pk_passkey"),
    )
    op.create_index("ix_passkey_user_id", "passkey", ["user_id"])
    op.create_index("ix_passkey_credential_id", "passkey", ["credential_id"], unique=True)
    op.create_table(
        "recovery_code",
        sa.Column("user_id", ID, nullable=False),
        sa.Column("code_hash", HASH, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_recovery_code_user_id"),
        sa.PrimaryKeyConstraint("user_id", "code_hash", name="pk_recovery_code"),
    )
    op.create_table(
        "user_session",
        sa.Column("key_hash", HASH, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("began_at", MOMENT, nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_user_session_user_id"),
        sa.PrimaryKeyConstraint("key_hash", name="pk_user_session"),
    )
    op.create_index("ix_user_session_user_id", "user_session", ["user_id"])
    op.create_table(
        "unsent_form",
        sa.Column("key_hash", HASH, nullable=False),
        sa.Column("user_id", ID, nullable=False),
        sa.Column("at", MOMENT, nullable=False),
        sa.Column("body", sa.LargeBinary(), nullable=False),
        sa.ForeignKeyConstraint(["user_id"], ["user_account.id"], name="fk_unsent_form_user_id"),
        sa.PrimaryKeyConstraint("key_hash", name="pk_unsent_form"),
    )
    op.create_index("ix_unsent_form_user_id", "unsent_form", ["user_id"])


def downgrade() -> None:
    op.drop_table("unsent_form")
    op.drop_table("user_session")
    op.drop_table("recovery_code")
    op.drop_table("passkey")
    op.drop_index("ix_user_account_fs_webauthn_user_handle", "user_account")
    for column in ("fs_webauthn_user_handle", "totp_counter", "tf_totp_secret", "tf_primary_method"):
        op.drop_column("user_account", column)
