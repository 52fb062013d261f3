"""The bar's words: the reader's own where there are some, with numbers in their right forms."""

import json
from pathlib import Path

import pytest

from tracker.giving.bar_words import direction, language_of, languages, say, say_count

# Every word that the bar has said since it was first published, in nineteen languages: none may be lost.
SAID = json.loads(Path(__file__).with_name("bar_words.json").read_text(encoding="utf-8"))
VALUES = {name: f"{{{name}}}" for name in ("goal", "amount", "time")}


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"), ("de_AT", "de"), ("de-AT", "de"), ("pt_BR", "pt"), ("nb_NO", "nb"), ("no", "nb"), ("nn_NO", "nb"),
        ("uz_Latn_UZ", "en"), ("ja_JP", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_readers_get_words_in_their_language_or_else_in_english(locale: str, language: str) -> None:
    assert language_of(locale) == language
    assert say(locale, "Support us") == SAID[language]["Support us"]


def test_every_language_calls_itself_by_its_own_name() -> None:
    names = dict(languages())
    assert names.keys() >= SAID.keys()
    assert next(iter(names)) == "en"
    assert [names[code] for code in ("en", "de", "pt", "el")] == ["English", "Deutsch", "Português", "Ελληνικά"]


@pytest.mark.parametrize("language", sorted(SAID))
def test_every_language_says_what_it_always_said(language: str) -> None:
    counted = {"%(n)s gifts": "%(n)s gift", "%(n)s days left": "%(n)s day left"}
    for words, said in SAID[language].items():
        if one := counted.get(words):
            assert {number: say_count(language, one, words, int(number)) for number in said} == said
        else:
            assert say(language, words, **VALUES) == said


@pytest.mark.parametrize(
    ("locale", "runs"),
    [("ar_EG", "rtl"), ("ar-EG", "rtl"), ("he", "rtl"), ("ckb_IQ", "rtl"), ("en_US", "ltr"), ("uz_Latn_UZ", "ltr")],
)
def test_arabic_and_hebrew_run_from_right_to_left(locale: str, runs: str) -> None:
    assert direction(locale) == runs


@pytest.mark.parametrize(
    ("locale", "what", "number", "said"),
    [
        ("en_US", "gift", 1, "1 gift"),
        ("en_US", "gift", 0, "0 gifts"),
        ("en_US", "gift", 1240, "1,240 gifts"),
        ("en_US", "day", 1, "1 day left"),
        ("pl_PL", "gift", 1, "1 wpłata"),
        ("pl_PL", "gift", 3, "3 wpłaty"),
        ("pl_PL", "gift", 5, "5 wpłat"),
        # A form that the language has no words of its own for.
        ("tr_TR", "day", 1, "1 gün kaldı"),
        # The word is the language's, the number is written as in the reader's country.
        ("de_DE", "gift", 1240, "1.240 Spenden"),
        ("de_CH", "gift", 1240, "1’240 Spenden"),
    ],
)
def test_a_number_of_things_has_its_right_form(locale: str, what: str, number: int, said: str) -> None:
    words = {"gift": ("%(n)s gift", "%(n)s gifts"), "day": ("%(n)s day left", "%(n)s days left")}
    assert say_count(locale, *words[what], number) == said
