"""Drives and matches: appeals with a beginning, an end and a sum of their own, beside the months."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

from tracker.giving.campaign import Campaign
from tracker.giving.goals import Progress
from tracker.giving.refusals import Refusal

Kind = Literal["drive", "match"]
State = Literal["planned", "running", "used up", "ended"]

LONGEST_NAME = 40
"""The bar has one short line for it."""
MOST = 10**15
"""More than any sum of gifts, and less than a number that the database could not keep."""


@dataclass(frozen=True)
class Appeal:
    """A drive or a match. It counts the gifts that were made while it ran, less what was taken off them later."""

    kind: Kind
    name: str
    """What readers call the drive; of a match, who doubles the gifts."""
    amount: int
    """The drive's goal, or the most that the match adds, in the campaign's smallest unit."""
    starts_at: datetime
    ends_at: datetime | None
    """None for a match that runs until it is used up or ended."""
    id: int = 0
    raised: int = 0
    """What was given while it ran, in the campaign's smallest unit; of a match, only through Stripe."""
    gifts: int = 0

    def state(self, now: datetime) -> State:
        if now < self.starts_at:
            return "planned"
        if self.ends_at is not None and now >= self.ends_at:
            return "ended"
        return "used up" if self.kind == "match" and self.matched >= self.amount else "running"

    @property
    def progress(self) -> Progress:
        return Progress(self.raised, self.amount)

    @property
    def matched(self) -> int:
        """What a match has added so far: as much as was given, up to its limit."""
        return min(max(self.raised, 0), self.amount)

    def holds(self, at: datetime) -> bool:
        """Whether a gift of that moment counts in it."""
        return self.starts_at <= at and (self.ends_at is None or at < self.ends_at)

    def days_left(self, now: datetime, zone: str) -> int:
        """How many days are still to come, today not counted; 0 on its last day, and without an end."""
        if self.ends_at is None:
            return 0
        last_day = (self.ends_at - timedelta(microseconds=1)).astimezone(ZoneInfo(zone)).date()
        return max(0, (last_day - now.astimezone(ZoneInfo(zone)).date()).days)


@dataclass(frozen=True)
class Appeals:
    """The drive and the match that run at one moment, and when that changes next by the clock alone."""

    drive: Appeal | None = None
    match: Appeal | None = None
    changes_at: datetime | None = None


NOTHING_RUNS = Appeals()


def problems(appeal: Appeal, now: datetime) -> Iterator[tuple[str, Refusal]]:
    """Everything that keeps an appeal from being saved: the name of what is wrong, and a sentence for the editor."""
    if not appeal.name.strip() or len(appeal.name) > LONGEST_NAME or not appeal.name.isprintable():
        if appeal.kind == "drive":
            yield "name", Refusal("A drive needs a name of 1 to %(most)s characters.", most=LONGEST_NAME)
        else:
            words = Refusal("Say who doubles the gifts, in a name of 1 to %(most)s characters.", most=LONGEST_NAME)
            yield "name", words
    if appeal.amount <= 0:
        yield "amount", Refusal("Enter an amount above zero.")
    elif appeal.amount > MOST:
        yield "amount", Refusal("That amount is too large.")
    if appeal.ends_at is None:
        if appeal.kind == "drive":
            yield "ends_at", Refusal("When does the drive end?")
    elif appeal.ends_at <= appeal.starts_at:
        yield "ends_at", Refusal("It must end after it starts.")
    elif appeal.ends_at <= now:
        yield "ends_at", Refusal("The end must be in the future.")


def in_the_way(other: Appeal, campaign: Campaign) -> Refusal:
    """That another appeal of the same kind runs at that time, in a sentence for the editor."""
    values: dict[str, object] = {"name": other.name, "start": campaign.moment(other.starts_at)}
    if other.ends_at is None:
        return Refusal("“%(name)s” runs from %(start)s: only one match can run at a time. End it first.", **values)
    values["end"] = campaign.moment(other.ends_at)
    if other.kind == "drive":
        return Refusal("“%(name)s” runs from %(start)s to %(end)s: only one drive can run at a time.", **values)
    return Refusal("“%(name)s” runs from %(start)s to %(end)s: only one match can run at a time.", **values)


def parse_moment(text: str, zone: str) -> datetime:
    """`2021-05-14 18:00` on the clock of a time zone, as a moment in UTC. Raises ValueError with a sentence.

    An hour that the clock shows twice is its first one; one that it leaves out is the hour after it.
    """
    match = re.fullmatch(r"(\d{4}-\d{2}-\d{2})[T ](\d{1,2}:\d{2})(:00(\.0+)?)?", text.strip(), re.ASCII)
    try:
        if match is None or not 1970 <= int(match[1][:4]) <= 9998:
            raise ValueError
        local = datetime.fromisoformat(f"{match[1]} {match[2]:0>5}")
    except ValueError:
        short = text.strip()[:30]
        raise Refusal("“%(text)s” is not a day and time. Write it as 2021-05-14 18:00.", text=short) from None
    return local.replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)


def when(appeal: Appeal, campaign: Campaign) -> str:
    """`from 2021-05-14 18:00 to 2021-05-16 06:00`, on the campaign's clock."""
    until = f" to {campaign.moment(appeal.ends_at)}" if appeal.ends_at else ""
    return f"from {campaign.moment(appeal.starts_at)}{until}"
