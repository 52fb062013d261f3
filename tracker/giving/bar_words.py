"""The bar's few words in the languages of its readers, from the catalogues; amounts and months are Babel's."""

from functools import cache
from gettext import NullTranslations, translation
from pathlib import Path

from babel import Locale
from babel.numbers import format_decimal

TRANSLATIONS = Path(__file__).parent.parent / "translations"


@cache
def _languages() -> tuple[str, ...]:
    """English, in which the texts are written, and every language with a catalogue."""
    found = sorted(path.parent.parent.name for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.mo"))
    return ("en", *found)


def language_of(locale: str) -> str:
    """The language whose words a locale's readers get: `de` for `de_AT`, English where we have none of theirs."""
    locale = locale.replace("-", "_")
    language = locale.partition("_")[0]
    # Babel and browsers know Norwegian by both names.
    language = "nb" if language in ("no", "nn") else language
    return next((one for one in (locale, language) if one in _languages()), "en")


def has_words(locale: str) -> bool:
    """Whether readers of a locale get words in their own language, and not in ours for want of them."""
    return language_of(locale) != "en" or locale.replace("-", "_").partition("_")[0] == "en"


@cache
def languages() -> tuple[tuple[str, str], ...]:
    """Every language with a catalogue and its own name for itself: `de`, `Deutsch`."""
    return tuple((code, str(Locale.parse(code).get_language_name(code)).capitalize()) for code in _languages())


def direction(locale: str) -> str:
    """`rtl` where the locale's script runs from right to left, else `ltr`."""
    return str(Locale.parse(locale.replace("-", "_")).text_direction)


def say(locale: str, words: str, **values: str) -> str:
    """The words in a locale's language, filled in: `say("de", "of %(goal)s", goal="5.000 €")` is `von 5.000 €`."""
    return _catalogue(language_of(locale)).gettext(words) % values


def say_count(locale: str, one: str, more: str, number: int) -> str:
    """The same for a number of things, `%(n)s`, in the form it needs: `12 gifts`, `został 1 dzień`."""
    words = _catalogue(language_of(locale)).ngettext(one, more, number)
    return words % {"n": format_decimal(number, locale=locale)}


@cache
def _catalogue(language: str) -> NullTranslations:
    return NullTranslations() if language == "en" else translation("messages", TRANSLATIONS, [language])
