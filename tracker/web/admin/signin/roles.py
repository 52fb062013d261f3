"""The three roles, which of them somebody has, and whether it is enough for a page."""

from typing import cast

from flask import current_app

from tracker.ledger.user_models import UserRow

READER, EDITOR, OWNER = ROLES = ("reader", "editor", "owner")
"""From least to most: each role may do what those before it may."""


def role_of(user: UserRow) -> str:
    """The role that somebody has; of several, the one that may do most; empty if there is none."""
    has = {role.name for role in user.roles}
    return next((role for role in reversed(ROLES) if role in has), "")


def needed_for(view: str) -> str:
    """The role that an editors' page needs, by the name of its view; empty if none is named."""
    views = cast(dict[str, tuple[str, ...]], current_app.extensions["views_of_roles"])
    return next((role for role, names in views.items() if view in names), "")


def may(user: UserRow, view: str) -> bool:
    """Whether somebody may open that page, or send its form. One that names no role is refused to everybody."""
    role, needed = role_of(user), needed_for(view)
    return bool(role and needed) and ROLES.index(role) >= ROLES.index(needed)
