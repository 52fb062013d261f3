"""The rows of a file of past gifts, one after the other: each a fact to record, or the reason why not."""

import csv
import hashlib
import re
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import lru_cache
from typing import Literal, cast
from zoneinfo import ZoneInfo

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Gift, Reversal
from tracker.giving.import_map import GIVEN_BACK, IMPORTED, ImportMap
from tracker.giving.money import AmountError, parse_decimal_amount, symbol, to_main, to_smallest
from tracker.giving.offline_gift import ALLOWED, LONGEST_ID, NEEDED, noon, parse_day, tidy_note

Outcome = Literal["gift", "back", "left_out", "refused"]
SEPARATORS = ",;\t"
IS_ID = re.compile(r"[a-z]{2,10}_\w|offline:|import:|outside:")
"""How a payment's id begins, at Stripe or here. Words such as “-” or “n/a” stand in place of one."""


@dataclass(frozen=True)
class Line:
    """A row, by the number of the line that it begins in."""

    number: int
    outcome: Outcome
    why: str = ""
    fact: Gift | Reversal | None = None
    note: str = ""
    own_id: str = ""


Nth = Callable[[str, int], tuple[int, int]]
"""Given a text and its line, says how often the text has come so far, including now, and in which line first."""


class FirstLine(ValueError):
    """The first line of the file does not fit, so nothing can be read."""


def read_lines(
    text: Iterable[str], how: ImportMap, campaign: Campaign, live: bool, now: datetime, nth: Nth
) -> Iterator[Line]:
    """Every row, in constant memory. Raises ValueError with a sentence where the file cannot be read at all.

    A gift without an id from the other system is recognised by its row and by the number of equal rows before it, so
    that the same file again, or a longer one, records no gift twice.
    """
    rows = _rows(text, any_separator=bool(how.system))
    _, names = next(rows, (1, []))
    reader = _Reader(_positions(names, how), how, campaign, live, now, nth, len(names))
    for number, cells in rows:
        yield reader.read(number, cells)


def _rows(text: Iterable[str], *, any_separator: bool) -> Iterator[tuple[int, list[str]]]:
    """The rows that are not empty, each with the line that it begins in."""
    lines = iter(text)
    first = next(lines, "").removeprefix("\ufeff")
    separator = max(SEPARATORS, key=first.count) if any_separator else ","
    reader = csv.reader(_with_first(first, lines), delimiter=separator, strict=True)
    line = 1
    try:
        for cells in reader:
            if any(cell.strip() for cell in cells):
                yield line, cells
            line = reader.line_num + 1
    except csv.Error as error:
        raise ValueError(f"Line {line}: this is not CSV ({error}).") from None


def _with_first(first: str, rest: Iterable[str]) -> Iterator[str]:
    yield first
    yield from rest


def _positions(names: list[str], how: ImportMap) -> dict[str, int]:
    """The position of each column in the map, in upper or lower case."""
    there = [" ".join(name.split()).casefold() for name in names]
    if not how.system:
        _check_own_head(names, there)
    found: dict[str, int] = {}
    needed = {how.date, how.amount, *how.only} | ({how.kind_column} if how.kind_column else set())
    for name in {*needed, how.time, how.id, how.currency, how.note, how.refunded, *how.payments} - {""}:
        if there.count(name.casefold()) == 1:
            found[name] = there.index(name.casefold())
        elif name in needed or there.count(name.casefold()) > 1:
            raise FirstLine(f"There must be one column “{name}” in the first line; it says “{', '.join(names)[:200]}”.")
    return found


def _check_own_head(names: list[str], there: list[str]) -> None:
    wanted = "The first line must name the columns: date,amount and, if there are any, note and id"
    if len(names) == 1 and re.search(r"[;\t]", names[0]):
        raise FirstLine(f"{wanted}. Separate them with commas, not with semicolons or tabs.")
    if not set(NEEDED) <= set(there) or not set(there) <= set(ALLOWED) or len(there) != len(set(there)):
        raise FirstLine(f"{wanted}; it says “{','.join(names)[:80]}”.")


class _Reader:
    """Reads one row after the other."""

    def __init__(
        self, at: dict[str, int], how: ImportMap, campaign: Campaign, live: bool, now: datetime, nth: Nth, width: int
    ) -> None:  # fmt: skip
        self.at, self.how, self.campaign, self.live, self.now, self.nth = at, how, campaign, live, now, nth
        self.width = width
        mode = "live" if live else "test"
        # Test money and live money never meet, not even in an id: what was tried in test mode can then be imported for real.
        self.prefix = (
            f"{IMPORTED}{how.system}:{campaign.slug}:{mode}:" if how.system else f"offline:{campaign.slug}:{mode}:"
        )
        self.zone = ZoneInfo(how.zone or campaign.time_zone)
        self.today = now.astimezone(ZoneInfo(campaign.time_zone)).date()
        self.only = {column: {word.casefold() for word in words} for column, words in how.only.items()}
        self.kinds = {word.casefold(): kind for word, kind in how.kinds.items()}
        # The same days and minutes recur.
        self.moment = lru_cache(maxsize=16_384)(self._moment)

    def read(self, number: int, cells: list[str]) -> Line:
        own_id = ""
        try:
            if len(cells) != self.width:
                raise ValueError(f"there are {len(cells)} columns, and {self.width} in the first line.")
            own_id = self._cell(cells, self.how.id)
            if why := self._left_out(cells):
                return Line(number, "left_out", why, own_id=own_id)
            return self._read(number, cells, own_id)
        except ValueError as error:
            return Line(number, "refused", str(error), own_id=own_id)

    def _cell(self, cells: list[str], column: str) -> str:
        position = self.at.get(column)
        return "" if position is None else cells[position].strip()

    def _left_out(self, cells: list[str]) -> str:
        for column, words in self.only.items():
            word = self._cell(cells, column)
            if word.casefold() not in words:
                return f"{column} is “{word[:40]}”."
        return ""

    def _read(self, number: int, cells: list[str], own_id: str) -> Line:
        how, campaign = self.how, self.campaign
        moment = self.moment(self._cell(cells, how.date), self._cell(cells, how.time))
        kind = self._kind(self._cell(cells, how.kind_column))
        currency = self._cell(cells, how.currency).upper()
        if currency and currency != campaign.currency:
            raise ValueError(f"it is in {currency[:10]}, but the campaign counts {campaign.currency}.")
        amount = self._amount(self._cell(cells, how.amount))
        words = (self._cell(cells, column) for column in how.payments)
        known_as = tuple(dict.fromkeys(word for word in words if IS_ID.match(word)))
        for word in (own_id, *known_as):
            _check_id(word)
        if kind in GIVEN_BACK:
            return self._back(number, kind, amount, moment, own_id, known_as)
        if amount <= 0:
            raise ValueError(f"“{self._cell(cells, how.amount)[:20]}” is not a gift: enter an amount above zero.")
        note = tidy_note(self._cell(cells, how.note))
        back = self._amount(self._cell(cells, how.refunded)) if self._cell(cells, how.refunded) else 0
        if back >= amount:
            return Line(number, "left_out", "It was given back in full.", own_id=own_id)
        key = self._key(number, cells, own_id, moment, amount, note)
        gift = Gift(key, kind, campaign.slug, amount - back, campaign.currency, moment, self.live, known_as)  # type: ignore[arg-type]
        if back:
            note = f"{to_main(back, campaign.currency)} of {to_main(amount, campaign.currency)} given back. {note}".strip()[
                :300
            ]
        return Line(number, "gift", fact=gift, note=note, own_id=own_id)

    def _back(
        self, number: int, kind: str, amount: int, moment: datetime, own_id: str, known_as: tuple[str, ...]
    ) -> Line:
        names = tuple(one for one in known_as if one != own_id)
        if not (names and own_id):
            raise ValueError("it takes money off a gift without saying which one: leave out both lines.")
        back = Reversal(
            f"{self.prefix}{own_id}", cast(Literal["refund", "dispute"], kind), amount, self.campaign.currency, moment,
            self.live, names,
        )  # fmt: skip
        return Line(number, "back", fact=back, own_id=own_id)

    def _moment(self, text: str, time: str) -> datetime:
        if not self.how.system:
            return noon(parse_day(text, self.campaign, self.now), self.campaign)
        found = _parsed(text, time, self.how.date_formats)
        if found is None:
            raise ValueError(f"“{f'{text} {time}'.strip()[:30]}” is not a date as expected here.")
        if not isinstance(found, datetime):
            if found > self.today:
                raise ValueError(f"{found} is in the future.")
            return noon(found, self.campaign)
        moment = found if found.tzinfo else found.replace(tzinfo=self.zone)
        if moment > self.now:
            raise ValueError(f"{moment:%Y-%m-%d %H:%M} is in the future.")
        return moment.astimezone(UTC)

    def _kind(self, word: str) -> str:
        if not self.how.kind_column:
            return self.how.kind
        kind = self.kinds.get(word.casefold()) or (self.kinds.get("*") if word else None)
        if kind is None:
            raise ValueError(
                f"“{word[:40]}” in {self.how.kind_column} does not say whether it is once, monthly or yearly."
            )
        return kind

    def _amount(self, text: str) -> int:
        amount = _parsed_amount(text, self.campaign.currency, self.how.numbers)
        if amount is None:
            example = {"comma": "10 or 12,50", "smallest": "1250"}.get(self.how.numbers, "10 or 12.50")
            raise ValueError(f"“{text[:20]}” is not an amount in {self.campaign.currency}: write it as {example}.")
        return amount

    def _key(self, number: int, cells: list[str], own_id: str, moment: datetime, amount: int, note: str) -> str:
        if own_id:
            times, first = self.nth(f"id:{own_id}", number)
            if times > 1:
                raise ValueError(f"the id “{own_id}” is already used in line {first}.")
            return f"{self.prefix}id:{own_id}"
        day = moment.astimezone(ZoneInfo(self.campaign.time_zone)).date()
        said = f"{day}|{amount}|{note}" if not self.how.system else "|".join(cells)
        times, _ = self.nth(f"row:{said}", number)
        made = hashlib.sha256(f"{said}|{times}".encode()).hexdigest()[:32]
        return f"{self.prefix}row:{made}"


def _check_id(text: str) -> None:
    if len(text) > LONGEST_ID or not text.isprintable():
        raise ValueError(f"an id can have at most {LONGEST_ID} characters, all of them visible.")


# --- Cells ------------------------------------------------------------------------------------------------------------


def _parsed(text: str, time: str, formats: tuple[str, ...]) -> datetime | date | None:
    """The day, or the moment if there is a time as well; None if it is neither."""
    found: datetime | None = None
    has_time = False
    for one in formats:
        try:
            if one == "iso":
                found, has_time = datetime.fromisoformat(text), len(text) > 10
            else:
                found, has_time = datetime.strptime(text, one), "%H" in one or "%I" in one  # noqa: DTZ007 - the zone comes later
        except ValueError:
            continue
        break
    if found is None or not 1970 <= found.year <= 9998:
        return None
    if has_time:
        return found
    clock = re.fullmatch(r"([01]?\d|2[0-3]):([0-5]\d)(?::[0-5]\d)?", time)
    return found.replace(hour=int(clock[1]), minute=int(clock[2])) if clock else found.date()


# The same amounts recur.
@lru_cache(maxsize=16_384)
def _parsed_amount(text: str, currency: str, numbers: str) -> int | None:
    """In smallest units; None if it is not an amount."""
    if numbers == "plain":
        try:
            return parse_decimal_amount(text, currency)
        except AmountError:
            return None
    for sign in (currency, symbol(currency, "en_US")):
        text = text.removeprefix(sign).removesuffix(sign).strip()
    if numbers == "smallest":
        return int(text) if re.fullmatch(r"-?[0-9]{1,15}", text) else None
    group, decimal = (".", ",") if numbers == "comma" else (",", ".")
    whole = rf"(?:[0-9]{{1,3}}(?:[{group} ][0-9]{{3}})+|[0-9]{{1,12}})"
    if not re.fullmatch(rf"-?{whole}(?:[{decimal}][0-9]{{1,3}})?", text):
        return None
    try:
        return to_smallest(Decimal(text.replace(group, "").replace(" ", "").replace(decimal, ".")), currency)
    except AmountError:
        return None
