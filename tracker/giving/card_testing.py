"""The rule that tells card testing from giving, by what lately became of the checkouts of a campaign."""

from dataclasses import dataclass, fields, replace
from datetime import datetime, timedelta
from typing import Literal

# Thieves try stolen cards wherever a small payment is easy to begin: many checkouts, few of which are ever paid.
BUSY_MINUTES = timedelta(minutes=10)
OUTCOME_MINUTES = timedelta(hours=1)
# So many cards are declined before it says anything; of honest donors' cards about one in ten is.
LEAST_DECLINED = 10
# Most people who begin a checkout leave it: three or four for each who pays. These are far more.
LEAST_EXPIRED, EXPIRED_FOR_EACH_PAID = 30, 10
MINUTE = timedelta(minutes=1)
# So long without a sign, and it is over.
QUIET = timedelta(minutes=30)

Switch = Literal["automatic", "on", "off"]
Sign = Literal["", "opened", "declined", "expired"]
"""What gave it away; nothing where nothing did."""


@dataclass(frozen=True)
class Counts:
    """What became of checkouts in some time. `refused` are those that we opened none for."""

    opened: int = 0
    completed: int = 0
    expired: int = 0
    declined: int = 0
    refused: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(*(getattr(self, name) + getattr(other, name) for name in KINDS))

    @property
    def negative(self) -> "Counts":
        return Counts(*(-getattr(self, name) for name in KINDS))


KINDS = tuple(field.name for field in fields(Counts))


@dataclass(frozen=True)
class Protection:
    """What is in force for a campaign."""

    switch: Switch = "automatic"
    began_at: datetime | None = None
    """Since when it has been under attack; None while it is not."""
    seen_at: datetime | None = None
    """When the last sign of that was seen."""
    ended_at: datetime | None = None
    """When the last attack was over."""
    sign: Sign = ""
    """By what it was noticed last."""

    @property
    def asks_everybody(self) -> bool:
        """Whether every donor's browser has to solve a task before a checkout is opened."""
        return self.switch == "on" or (self.switch == "automatic" and self.began_at is not None)


def sign_of_attack(ten_minutes: Counts, hour: Counts, usual: int) -> Sign:
    """What in these counts says that cards are being tested. `usual` checkouts in ten minutes are nothing special."""
    if hour.declined >= LEAST_DECLINED and hour.declined >= hour.completed:
        return "declined"
    if hour.expired >= LEAST_EXPIRED and hour.expired > EXPIRED_FOR_EACH_PAID * hour.completed:
        return "expired"
    return "opened" if ten_minutes.opened >= usual else ""


def judged(before: Protection, sign: Sign, now: datetime) -> Protection:
    """What is in force from now on: an attack begins with a sign, and ends when there was none for a while."""
    if sign and before.began_at and before.seen_at and now - before.seen_at < MINUTE:
        # Not written again and again.
        return before
    if sign:
        return replace(before, began_at=before.began_at or now, seen_at=now, sign=sign)
    if before.began_at and before.seen_at and now - before.seen_at >= QUIET:
        return replace(before, began_at=None, ended_at=now)
    return before
