"""Which passwords will do: long enough, and not among the first that anybody would try (zxcvbn)."""

import re
from typing import Any
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_security import PasswordUtil

from tracker.web.site import settings

SHORTEST, LONGEST = 12, 128
# Of zxcvbn's 0 to 4: from here on it takes a hundred million tries and more.
GOOD_ENOUGH = 3
# It raises ValueError for more letters than these; the first ones decide.
LOOKED_AT = 72


class Passwords(PasswordUtil):  # type: ignore[misc]
    """Flask-Security's own check would break at a password of more than 72 characters."""

    def validate(self, password: str, is_register: bool, **who: Any) -> tuple[list[str] | None, str]:
        """What is wrong with a new password, in a list of one sentence or None, and the password as it is kept."""
        password = self.normalize(password)
        email = who["user"].email if "user" in who else who.get("email", "")
        problem = problem_of(password, email)
        return ([problem] if problem else None), password


def problem_of(password: str, email: str) -> str:
    """Why a new password will not do, in words; nothing when it will."""
    if len(password) < SHORTEST:
        return _("The password needs %(least)s characters or more.", least=SHORTEST)
    if len(password) > LONGEST:
        return _("The password may have %(most)s characters at most.", most=LONGEST)
    # Its lists of words take a while to load, and only a new password needs them.
    from zxcvbn import zxcvbn

    told = ("pledgebar", email, settings().newsroom, urlsplit(settings().public_url).hostname or "")
    found = zxcvbn(password[:LOOKED_AT], user_inputs=[*told, *re.findall(r"\w{3,}", " ".join(told))])
    if found["score"] >= GOOD_ENOUGH:
        return ""
    why = found["feedback"]["warning"].rstrip(".")
    if not why:
        return _("This password is too easy to guess. Four words that do not belong together make a good one.")
    return _(
        "This password is too easy to guess: %(why)s. Four words that do not belong together make a good one.",
        why=f"{why[0].lower()}{why[1:]}",
    )
