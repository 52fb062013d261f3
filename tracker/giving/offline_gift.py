"""Gifts that came another way (cheques, cash, bank transfers), as a newsroom writes them down."""

import csv
import hashlib
import io
import re
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Gift
from tracker.giving.money import AmountError, parse_decimal_amount
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


def read_offline_gifts(text: str, campaign: Campaign, live: bool, now: datetime) -> list[Offline]:
    """The gifts in a CSV file with the columns `date,amount[,note][,id]`. Raises ValueError with line and reason.

    A gift without an id is known by what its row says and by how many rows before it say the same, so that the same
    file again, or a longer one, makes no gift twice.
    """
    rows = _rows(text)
    line, names = next(rows, (1, []))
    _check_head(names)
    gifts: list[Offline] = []
    alike: Counter[str] = Counter()
    ids: dict[str, int] = {}
    for line, cells in rows:
        try:
            if len(cells) != len(names):
                raise ValueError(f"there are {len(cells)} columns, and {len(names)} in the first line.")
            row = {name: cell.strip() for name, cell in zip(names, cells, strict=True)}
            own_id = row.get("id", "")
            if own_id in ids:
                raise ValueError(f"the id “{own_id}” is already used in line {ids[own_id]}.")
            if own_id:
                ids[own_id] = line
            gifts.append(_gift(row, own_id, alike, campaign, live, now))
        except ValueError as error:
            raise ValueError(f"Line {line}: {error} Nothing was written.") from None
    if not gifts:
        raise ValueError("There are no gifts in it.")
    return gifts


def _rows(text: str) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line that it begins in."""
    reader = csv.reader(io.StringIO(text.removeprefix("\ufeff"), newline=""), strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"Line {line}: this is not CSV ({error}). Nothing was written.") from None


def _check_head(names: list[str]) -> None:
    wanted = "The first line must name the columns: date,amount and, if there are any, note and id"
    if len(names) == 1 and re.search(r"[;\t]", names[0]):
        raise ValueError(f"{wanted}. Separate them with commas, not with semicolons or tabs.")
    if not set(NEEDED) <= set(names) or not set(names) <= set(ALLOWED) or len(names) != len(set(names)):
        raise ValueError(f"{wanted}; it says “{','.join(names)[:80]}”.")


def _gift(
    row: dict[str, str], own_id: str, alike: Counter[str], campaign: Campaign, live: bool, now: datetime
) -> Offline:
    given = parse_day(row["date"], campaign, now)
    amount = _amount(row["amount"], campaign)
    note = tidy_note(row.get("note", ""))
    if len(own_id) > LONGEST_ID or not own_id.isprintable():
        raise ValueError(f"an id can have at most {LONGEST_ID} characters, all of them visible.")
    if own_id:
        return offline_gift(campaign, live, given, amount, note, f"id:{own_id}")
    said = f"{given}|{amount}|{note}"
    alike[said] += 1
    made = hashlib.sha256(f"{said}|{alike[said]}".encode()).hexdigest()[:32]
    return offline_gift(campaign, live, given, amount, note, f"row:{made}")


def _amount(text: str, campaign: Campaign) -> int:
    try:
        amount = parse_decimal_amount(text, campaign.currency)
    except AmountError:
        raise ValueError(f"“{text[:20]}” is not an amount in {campaign.currency}: write it as 10 or 12.50.") from None
    if amount <= 0:
        raise ValueError(f"“{text[:20]}” is not a gift: enter an amount above zero.")
    return amount


def tidy_note(text: str) -> str:
    """A note as it is kept. Raises ValueError with a sentence when it is too long."""
    tidy = " ".join("".join(letter if letter.isprintable() else " " for letter in text).split())
    if len(tidy) > LONGEST_NOTE:
        raise ValueError(f"a note can have at most {LONGEST_NOTE} characters.")
    return tidy
