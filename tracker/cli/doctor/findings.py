"""What the doctor finds, and how it writes numbers and times."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal

from tracker.paths import DOCS

# What the proxy in front should be like.
NGINX = DOCS / "nginx.conf"
Level = Literal["ok", "warning", "error"]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Finding:
    """`ok`, `warning` (may well be meant) or `error`; a name that stays the same; and what it is and what to do, in words."""

    level: Level
    name: str
    text: str


def ago(passed: timedelta) -> str:
    seconds = int(passed.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'} ago"
    return "less than a minute ago"


def on(moment: datetime) -> str:
    return f"{moment:%Y-%m-%d at %H:%M} UTC"
