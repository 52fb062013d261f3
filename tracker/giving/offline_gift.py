"""Gifts that came another way (cheques, cash, bank transfers), as a newsroom writes them down."""

import re
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Gift
from tracker.giving.refusals import Refusal

NEEDED = ("date", "amount")
ALLOWED = (*NEEDED, "note", "id")
LONGEST_NOTE = 300
LONGEST_ID = 100


@dataclass(frozen=True)
class Offline:
    """An offline gift, with what the newsroom noted beside it."""

    gift: Gift
    note: str


def offline_gift(campaign: Campaign, live: bool, given: date, amount: int, note: str, own_id: str) -> Offline:
    """A gift of that day, at noon on the campaign's clock. The same `own_id` again is the same gift."""
    # Test money and live money never meet, not even in an id: what was tried out in test mode can be imported for good.
    key = f"offline:{campaign.slug}:{'live' if live else 'test'}:{own_id}"
    gift = Gift(key, "offline", campaign.slug, amount, campaign.currency, noon(given, campaign), live)
    return Offline(gift, note)


def noon(day: date, campaign: Campaign) -> datetime:
    """Noon of a day on the campaign's clock: the moment of whatever is recorded by hand."""
    return datetime(day.year, day.month, day.day, 12, tzinfo=ZoneInfo(campaign.time_zone))


def parse_day(text: str, campaign: Campaign, now: datetime) -> date:
    """`2021-05-14`, not after today on the campaign's clock. Raises ValueError with a sentence."""
    try:
        day = date.fromisoformat(text) if re.fullmatch(r"[0-9]{4}-[0-9]{2}-[0-9]{2}", text) else None
    except ValueError:
        day = None
    if day is None or day.year < 1970:
        raise Refusal("“%(text)s” is not a date. Write it as 2021-05-14.", text=text[:20])
    if day > now.astimezone(ZoneInfo(campaign.time_zone)).date():
        raise Refusal("%(day)s is in the future.", day=day)
    return day


def tidy_note(text: str) -> str:
    """A note as it is kept. Raises ValueError with a sentence when it is too long."""
    tidy = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if len(tidy) > LONGEST_NOTE:
        raise ValueError(f"a note can have at most {LONGEST_NOTE} characters.")
    return tidy
