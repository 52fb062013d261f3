"""The three roles, and which of them somebody has."""

from tracker.ledger.user_models import UserRow

READER, EDITOR, OWNER = ROLES = ("reader", "editor", "owner")
"""From the one that may least to the one that may everything."""

MAY = {
    READER: "Sees every figure, changes nothing",
    EDITOR: "Also changes campaigns, goals, drives and gifts",
    OWNER: "Also people, the audit log and personal data",
}


def role_of(user: UserRow) -> str:
    """The role that somebody has; of several the one that may most, and nothing where there is none."""
    has = {role.name for role in user.roles}
    return next((role for role in reversed(ROLES) if role in has), "")
