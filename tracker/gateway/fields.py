"""Reads fields of Stripe's objects without trusting them: each reader gives a good value or an empty one, and never raises."""

import re
import unicodedata
from datetime import UTC, datetime
from typing import Any, TypeGuard

Object = dict[str, Any]


def part(about: Object, name: str) -> Object:
    """The object under that name; an empty one where there is none, or where something else stands."""
    found = about.get(name)
    return found if isinstance(found, dict) else {}


def objects(value: Any) -> list[Object]:
    """The objects of a list, without whatever else is in it."""
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def listed(about: Object, name: str) -> list[Object]:
    """What Stripe's own kind of list, under that name, holds in `data`."""
    return objects(part(about, name).get("data"))


def ids(about: Object, *names: str) -> tuple[str, ...]:
    """The ids under those names that are there. An empty one would match every gift that has none."""
    return tuple(one for one in (id_of(about.get(name)) for name in names) if one)


def id_of(value: Any) -> str:
    """An id, whether Stripe sent it alone or expanded to the whole object; with `/failed` it still fits into 255."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,248}", value) else ""


def text(value: Any) -> str:
    """What people typed, without what no database keeps: control characters and halves of characters."""
    kept = str(value) if isinstance(value, (str, int)) else ""
    return "".join(letter for letter in kept if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs"))


def currency(about: Object) -> str:
    """Three capitals, or nothing."""
    code = about.get("currency")
    return code.upper() if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{3}", code) else ""


def is_amount(value: Any) -> TypeGuard[int]:
    """Whether it is an amount above zero, in smallest units."""
    return is_sum(value) and value > 0


def is_sum(value: Any) -> TypeGuard[int]:
    """Whether it is a signed amount, which may be zero."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15


def amount(about: Object, name: str) -> int:
    """The signed amount under that name; 0 where there is none."""
    value = about.get(name)
    return value if is_sum(value) else 0


def is_time(value: Any) -> TypeGuard[int]:
    """Whether it is a time in seconds since 1970, before the year 9987."""
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 253_000_000_000


def moment(epoch: int) -> datetime:
    """Seconds since 1970 as a moment in UTC."""
    return datetime.fromtimestamp(epoch, UTC)
