"""Calendar months as a newsroom counts them: in its own time zone, half-open, written `2021-05`."""

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from babel import Locale
from babel.dates import format_skeleton

from tracker.giving.refusals import Refusal


@dataclass(frozen=True, order=True)
class Month:
    """One calendar month. `str()` gives `2021-05`, which also sorts and is what the ledger stores.

    Any that a moment can fall in, so that the month before or after one that somebody asked for exists as well.
    """

    year: int
    number: int

    def __post_init__(self) -> None:
        if not (1 <= self.year <= 9999 and 1 <= self.number <= 12):
            raise Refusal("“%(text)s” is not a month. Write it as 2021-05.", text=f"{self.year}-{self.number}")

    def __str__(self) -> str:
        return f"{self.year:04d}-{self.number:02d}"

    @property
    def next(self) -> "Month":
        return Month(self.year + self.number // 12, self.number % 12 + 1)

    @property
    def previous(self) -> "Month":
        return Month(self.year - (self.number == 1), (self.number - 2) % 12 + 1)

    def first_moment(self, zone: str) -> datetime:
        """When the month begins in that time zone, in UTC.

        Where midnight does not exist (Beirut and Havana move the clock at midnight) this is the first moment after it.
        """
        return datetime(self.year, self.number, 1, tzinfo=ZoneInfo(zone)).astimezone(UTC)

    def days_left(self, now: datetime, zone: str) -> int:
        """How many days of the month are still to come, today not counted; 0 on its last day and after it."""
        today = now.astimezone(ZoneInfo(zone)).date()
        first_of_next = date(self.next.year, self.next.number, 1)
        return max(0, (first_of_next - today).days - 1) if today >= date(self.year, self.number, 1) else 0


def parse_month(text: str) -> Month:
    """`2021-05` as a Month, from 1970 to 9998. Raises ValueError with a sentence for anything else."""
    match = re.fullmatch(r"([0-9]{4})-(0[1-9]|1[0-2])", text)
    if not match or not 1970 <= int(match[1]) <= 9998:
        raise Refusal("“%(text)s” is not a month. Write it as 2021-05.", text=text[:20])
    return Month(int(match[1]), int(match[2]))


def month_of(moment: datetime, zone: str) -> Month:
    """The month in which a moment (with its time zone) falls for a newsroom in `zone`."""
    local = moment.astimezone(ZoneInfo(zone))
    return Month(local.year, local.month)


def month_name(month: Month, locale: str) -> str:
    """`May 2021`, as the locale writes it.

    By skeleton and never by `LLLL`: Babel's stand-alone month names leak from one locale into another in one process.
    """
    return str(format_skeleton("yMMMM", date(month.year, month.number, 1), locale=locale))


def month_label(month: Month, locale: str) -> str:
    """`MAY 2021`: the month's name in capitals, as it stands on the bar."""
    name = month_name(month, locale)
    language = Locale.parse(locale).language
    if language in ("tr", "az"):
        name = name.replace("i", "İ")
    # Greek capitals are written without accents.
    return name.upper().translate(str.maketrans("ΆΈΉΊΌΎΏ", "ΑΕΗΙΟΥΩ")) if language == "el" else name.upper()


def check_zone(name: str) -> str:
    """The time zone's name. Raises ValueError with a sentence for an unknown one."""
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise Refusal("“%(name)s” is not a time zone. Use a name such as Europe/Berlin.", name=name) from None
    return name
