"""What editors' forms are made of: fields that read and check what was typed, and write it as the campaign does.

A form says how amounts are typed in its `meta`: `currency` and `locale`; forms with a day in them also say `campaign`.
"""

import re
import secrets
from collections.abc import Iterable, Mapping
from datetime import date, datetime
from decimal import Decimal
from functools import cache
from typing import Any
from zoneinfo import available_timezones

from babel import Locale
from babel.core import get_global
from babel.languages import get_official_languages
from babel.localedata import locale_identifiers
from flask_babel import get_locale, lazy_gettext
from flask_babel import gettext as _
from wtforms import Field, HiddenField, SelectField, ValidationError
from wtforms.validators import InputRequired, Regexp
from wtforms.widgets import ColorInput, TextInput

from tracker.giving.bar_style import ACCENT, check_accent
from tracker.giving.bar_words import languages
from tracker.giving.campaign import Campaign
from tracker.giving.money import (
    PRESENTMENT,
    AmountError,
    exponent,
    parse_amount,
    pattern_choices,
    pattern_example,
    plain_number,
    to_main,
)
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import parse_day
from tracker.giving.refusals import Refusal
from tracker.giving.way_back import read_hosts
from tracker.web.site import now

TOO_LONG = lazy_gettext("Use %(max)s characters or fewer.")
NOT_IN_THE_LIST = lazy_gettext("Choose one from the list.")


def in_words(error: ValueError) -> str:
    """What will not do, in the language of the page."""
    return _(error.words, **error.values) if isinstance(error, Refusal) else str(error)


class Required(InputRequired):  # type: ignore[misc]
    """Something must be typed; blanks alone are nothing."""

    def __call__(self, form: Any, field: Field) -> None:
        if not (field.raw_data and str(field.raw_data[0]).strip()):
            field.raw_data = None
        super().__call__(form, field)


class TypedField(Field):  # type: ignore[misc]
    """One line that is read by `read`; what cannot be read is shown again as it was typed."""

    widget = TextInput()

    def read(self, typed: str) -> Any:
        raise NotImplementedError

    def written(self) -> str:
        return str(self.data)

    def process_formdata(self, valuelist: list[str]) -> None:
        typed = valuelist[0].strip() if valuelist else ""
        self.data = None
        try:
            self.data = self.read(typed) if typed else self.empty
        except Refusal as refused:
            raise ValueError(in_words(refused)) from None

    empty: Any = None

    def _value(self) -> str:
        if self.raw_data is not None:
            return str(self.raw_data[0]) if self.raw_data else ""
        return self.written() if self.data else ""


class AmountField(TypedField):
    """An amount in smallest units, typed as the campaign writes its amounts."""

    def read(self, typed: str) -> int:
        return read_amount(typed, self.meta.currency, self.meta.locale)

    def written(self) -> str:
        return plain_amount(self.data, self.meta.currency, self.meta.locale)

    @property
    def example(self) -> str:
        """An amount as it would be typed here: `12.50`, `12,50` or `1200`."""
        currency = self.meta.currency
        return plain_number(Decimal("12.5") if exponent(currency) else Decimal(1200), currency, self.meta.locale)


class AmountsField(TypedField):
    """Several amounts, with semicolons between, or with commas where no amount has one in it. Kept in ascending order."""

    empty = ()

    def read(self, typed: str) -> tuple[int, ...]:
        parts = split_amounts(typed, self.meta.locale)
        return tuple(sorted(read_amount(part, self.meta.currency, self.meta.locale) for part in parts))

    def written(self) -> str:
        return self.joined(self.data)

    @property
    def example(self) -> str:
        step = 10 ** exponent(self.meta.currency)
        return self.joined([10 * step, 25 * step, 50 * step])

    def joined(self, amounts: Iterable[int]) -> str:
        between = "; " if has_decimal_comma(self.meta.locale) else ", "
        return between.join(plain_amount(amount, self.meta.currency, self.meta.locale) for amount in amounts)


def read_amount(typed: str, currency: str, locale: str) -> int:
    """What was typed, in smallest units. Raises Refusal, with what was probably meant."""
    try:
        return parse_amount(typed, currency, locale)
    except AmountError as error:
        if error.reason == "not_positive":
            raise Refusal("Enter an amount above zero.") from None
        if error.reason == "too_large":
            raise Refusal("That amount is too large.") from None
        if error.suggestion:
            raise Refusal(
                "We could not read “%(typed)s” as an amount. Did you mean %(meant)s?",
                typed=typed[:30],
                meant=error.suggestion,
            ) from None
        raise Refusal("We could not read “%(typed)s” as an amount.", typed=typed[:30]) from None


def split_amounts(typed: str, locale: str) -> list[str]:
    """`10, 25,50` or `10; 25; 50` as its parts. Raises Refusal where `5,100` could be one amount or two."""
    parts = [part for part in re.split(r"[;؛\n]|[,،]\s+", typed.rstrip(",")) if part.strip()]
    if has_decimal_comma(locale):
        return parts
    if len(parts) == 1 and re.search(r",\d{3}(?!\d)", parts[0]):
        raise Refusal("Put a semicolon after each amount: is “%(typed)s” one amount or more?", typed=typed[:30])
    # A comma before three digits stands between thousands, any other between two amounts.
    return [one for part in parts for one in re.split(r",(?!\d{3}(?!\d))", part) if one.strip()]


def has_decimal_comma(locale: str) -> bool:
    return bool(Locale.parse(locale).number_symbols["latn"]["decimal"] == ",")


def plain_amount(amount: int, currency: str, locale: str) -> str:
    """An amount as it is typed into a form: `12.50`, `12,50` or `12`."""
    return plain_number(to_main(amount, currency), currency, locale)


class CalendarField(TypedField):
    """A line for which browsers show a calendar. It has no place for other words: these are shown as they were typed."""

    shape: str
    """How the browser writes it, for strftime."""

    def __call__(self, **about: Any) -> Any:
        value = self._value()
        return super().__call__(**({"type": "text"} if value and not self._is_shown(value) else {}) | about)

    def _is_shown(self, value: str) -> bool:
        try:
            return datetime.strptime(value, self.shape).strftime(self.shape) == value  # noqa: DTZ007 - only its shape
        except ValueError:
            return False


class MonthField(CalendarField):
    """A calendar month, written `2021-05`."""

    widget = TextInput(input_type="month")
    shape = "%Y-%m"
    read = staticmethod(parse_month)


class DayField(CalendarField):
    """A day that is not in the future on the campaign's own clock."""

    widget = TextInput(input_type="date")
    shape = "%Y-%m-%d"

    def read(self, typed: str) -> date:
        campaign: Campaign = self.meta.campaign
        return parse_day(typed, campaign, now())


class ColourField(TypedField):
    """A colour of the newsroom's own, or none. What is sent is `own` and a colour, or nothing; a colour alone will do."""

    widget = ColorInput()
    empty = ""

    def process_formdata(self, valuelist: list[str]) -> None:
        chosen = [text.strip() for text in valuelist if text.strip() not in ("", "own")]
        self.own = bool(chosen) and valuelist[0].strip() != ""
        super().process_formdata(chosen if self.own else [""])
        self.raw_data = chosen

    def process_data(self, value: Any) -> None:
        super().process_data(value)
        self.own = bool(value)

    def read(self, typed: str) -> str:
        return check_accent(typed)

    def _value(self) -> str:
        typed = self.raw_data[0] if self.raw_data else self.data or ACCENT["light"]
        return f"#{str(typed).removeprefix('#').lower()}"


class KnownChoices(SelectField):  # type: ignore[misc]
    """A choice from a long list in groups. What is set already may stay, even if the list does not have it."""

    def __init__(self, label: str = "", wrong: str = "", **more: Any) -> None:
        super().__init__(label, choices={}, validate_choice=False, **more)
        self.wrong = wrong or NOT_IN_THE_LIST

    def known(self) -> Mapping[str, list[tuple[str, str]]]:
        raise NotImplementedError

    def process_data(self, value: Any) -> None:
        super().process_data(value)
        self.choices = dict(self.known())
        if value and value not in self.values():
            self.choices = {_("As it is now"): [(value, value)], **self.choices}

    def values(self) -> set[str]:
        return {value for group in self.choices.values() for value, _ in group}

    def pre_validate(self, form: Any) -> None:
        if self.data not in self.values():
            raise ValidationError(self.wrong)


class TimeZoneField(KnownChoices):
    """A time zone, by continent and city."""

    def known(self) -> Mapping[str, list[tuple[str, str]]]:
        return {_("Everywhere"): [("UTC", "UTC")], **_zones(_speaks())}


class LocaleField(KnownChoices):
    """A language and its country, in English and in its own name."""

    def known(self) -> Mapping[str, list[tuple[str, str]]]:
        first, others = _locales(_speaks())
        return {
            _("Languages that the bar speaks"): first,
            _("Other languages: the bar's words are English"): others,
        }

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([one.replace("-", "_") for one in valuelist])


class CurrencyField(KnownChoices):
    """A currency that Stripe takes payments in, by its code and name."""

    def known(self) -> Mapping[str, list[tuple[str, str]]]:
        return {_("Currencies"): _currencies(_speaks())}

    def process_formdata(self, valuelist: list[str]) -> None:
        super().process_formdata([one.strip().upper() for one in valuelist])


class AmountPatternField(SelectField):  # type: ignore[misc]
    """How amounts are written, by example. A pattern that is set already may stay, even if it is not a usual one."""

    def __init__(self, label: str = "", **more: Any) -> None:
        super().__init__(label, validate_choice=False, **more)

    def process_data(self, value: Any) -> None:
        super().process_data(value or "")
        currency, locale = self.meta.currency, self.meta.locale
        shown = pattern_choices(currency, locale)
        choices = {**shown, "": _("Automatic: %(example)s", example=shown[""])}
        if value and value not in choices:
            example = pattern_example(value, currency, locale)
            choices[value] = _("As it is now: %(example)s", example=example)
        self.choices = list(choices.items())

    def pre_validate(self, form: Any) -> None:
        if self.data not in dict(self.choices):
            raise ValidationError(NOT_IN_THE_LIST)


class HostsField(TypedField):
    """The names of sites, as a tuple; of whole addresses that were pasted, their hosts."""

    empty = ()

    def read(self, typed: str) -> tuple[str, ...]:
        return read_hosts(typed)

    def written(self) -> str:
        return " ".join(self.data)


class ShowingField(HiddenField):  # type: ignore[misc]
    """Which showing of a form this is: pressed twice, it is still one gift."""

    def __init__(self, *arguments: Any, **more: Any) -> None:
        again = lazy_gettext("Please open this page again and fill in the form there.")
        super().__init__(*arguments, validators=[Regexp(r"^[\w-]{8,64}$", message=again)], **more)

    def process_data(self, value: Any) -> None:
        super().process_data(value or secrets.token_urlsafe(12))

    def process_formdata(self, valuelist: list[str]) -> None:
        self.data = valuelist[0] if valuelist else ""


def _speaks() -> str:
    """The language of the page, for names of countries and currencies."""
    return str(get_locale() or "en")


@cache
def _zones(speaks: str) -> dict[str, list[tuple[str, str]]]:
    """Every zone that Babel knows a country for, by continent; Python's other names are older ones of the same."""
    groups: dict[str, list[tuple[str, str]]] = {}
    countries, known = Locale.parse(speaks).territories, available_timezones()
    for name, country in sorted(get_global("zone_territories").items()):
        area, _, city = name.partition("/")
        if city and area != "Etc" and name in known:
            words = " – ".join(city.replace("_", " ").split("/"))
            groups.setdefault(area, []).append((name, f"{words} ({countries.get(country, country)})"))
    return groups


@cache
def _locales(speaks: str) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """Languages in the countries where they are official: those that the bar speaks, also by their own names; the others."""
    here = Locale.parse(speaks)
    spoken = {language: Locale.parse(language) for language, _ in languages()}
    first, others = [], []
    for name in locale_identifiers():
        match = re.fullmatch(r"([a-z]{2,3})(?:_([A-Z][a-z]{3}))?_([A-Z]{2})", name)
        if not match or match[1] not in _official(match[3]):
            continue
        language, script, country = match.groups()
        written = f"{here.languages.get(language, language)} ({here.territories.get(country, country)})"
        if script:
            others.append((name, f"{written[:-1]}, {here.scripts.get(script, script)})"))
        elif own := spoken.get(language):
            first.append((name, f"{written} – {own.languages[language]} ({own.territories.get(country, country)})"))
        else:
            others.append((name, written))

    def by_words(choice: tuple[str, str]) -> str:
        return choice[1]

    return sorted(first, key=by_words), sorted(others, key=by_words)


def _official(territory: str) -> set[str]:
    found = get_official_languages(territory, regional=True, de_facto=True)
    return {language.partition("_")[0] for language in found}


@cache
def _currencies(speaks: str) -> list[tuple[str, str]]:
    names = Locale.parse(speaks).currencies
    return [(code, f"{code} – {names.get(code, code)}") for code in sorted(PRESENTMENT)]
