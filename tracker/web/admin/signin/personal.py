"""The pages where people sign in and look after their own account: passwords are typed there, and no campaign changes."""

from flask import request

ADDRESSES = (
    "/admin/login", "/admin/logout", "/admin/verify", "/admin/account", "/admin/unsent", "/admin/invitation",
)  # fmt: skip


def is_personal() -> bool:
    """Whether this request is for one of them."""
    return request.path.startswith(ADDRESSES)
