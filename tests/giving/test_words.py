"""The bar's words: the reader's own where there are some, with numbers in their right forms."""

import re

import pytest

from tracker.giving.bar_words import WORDS, count, direction, language_of, languages, say


@pytest.mark.parametrize(
    ("locale", "language"),
    [
        ("de", "de"), ("de_AT", "de"), ("de-AT", "de"), ("pt_BR", "pt"), ("nb_NO", "nb"), ("no", "nb"), ("nn_NO", "nb"),
        ("uz_Latn_UZ", "en"), ("ja_JP", "en"), ("", "en"),
    ],
)  # fmt: skip
def test_readers_get_words_in_their_language_or_else_in_english(locale: str, language: str) -> None:
    assert language_of(locale) == language
    assert say(locale, "support") == WORDS[language]["support"]


def test_every_language_calls_itself_by_its_own_name() -> None:
    names = dict(languages())
    assert list(names) == list(WORDS)
    assert [names[code] for code in ("en", "de", "pt", "el")] == ["English", "Deutsch", "Português", "Ελληνικά"]


@pytest.mark.parametrize("language", sorted(WORDS))
def test_every_language_can_say_all_that_english_can(language: str) -> None:
    for what, english in WORDS["en"].items():
        own = WORDS[language].get(what, WORDS[language].get(re.sub(r"\..*", ".other", what), ""))
        assert set(re.findall(r"\{\w+\}", own)) == set(re.findall(r"\{\w+\}", english)), what
        assert re.sub(r"\{\w+\}", "", own).strip()


@pytest.mark.parametrize(
    ("locale", "runs"),
    [("ar_EG", "rtl"), ("ar-EG", "rtl"), ("he", "rtl"), ("ckb_IQ", "rtl"), ("en_US", "ltr"), ("uz_Latn_UZ", "ltr")],
)
def test_arabic_and_hebrew_run_from_right_to_left(locale: str, runs: str) -> None:
    assert direction(locale) == runs


@pytest.mark.parametrize(
    ("locale", "what", "number", "said"),
    [
        ("en_US", "gifts", 1, "1 gift"),
        ("en_US", "gifts", 0, "0 gifts"),
        ("en_US", "gifts", 1240, "1,240 gifts"),
        ("en_US", "days", 1, "1 day left"),
        ("pl_PL", "gifts", 1, "1 wpłata"),
        ("pl_PL", "gifts", 3, "3 wpłaty"),
        ("pl_PL", "gifts", 5, "5 wpłat"),
        # A form that the language has no words of its own for.
        ("tr_TR", "days", 1, "1 gün kaldı"),
        # The word is the language's, the number is written as in the reader's country.
        ("de_DE", "gifts", 1240, "1.240 Spenden"),
        ("de_CH", "gifts", 1240, "1’240 Spenden"),
    ],
)
def test_a_number_of_things_has_its_right_form(locale: str, what: str, number: int, said: str) -> None:
    assert count(locale, what, number) == said
