"""Amounts: what people type is read as they meant it or asked about, and what is shown reads the same everywhere."""

import random
import re
from decimal import Decimal

import pytest
from babel import Locale, localedata
from examples import LONG, examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.giving import money
from tracker.giving.money import (
    PRESENTMENT,
    AmountError,
    check_currency,
    check_locale,
    check_pattern,
    exponent,
    format_amount,
    least,
    parse_amount,
    parse_decimal_amount,
    pattern_choices,
    plain_number,
    step,
    symbol,
    to_main,
)

LOCALES = ["en_US", "de_DE", "fr_FR", "hi_IN", "ar_EG", "de_CH", "sv_SE", "pt_BR", "fa_IR", "he_IL", "ja_JP", "en_IN"]
EVERY_LOCALE = sorted(localedata.locale_identifiers())
# With `make test-long` every amount; otherwise one in seven, which has every number of cents.
STEP = 1 if LONG else 7
TWO_DECIMALS = ["USD", "EUR", "GBP", "CHF", "INR", "EGP", "HUF", "TWD", "MGX"]


def asked(text: str, currency: str = "USD", locale: str = "en_US") -> tuple[str, str]:
    """Why an amount was not read, and what was suggested."""
    with pytest.raises(AmountError) as caught:
        parse_amount(text, currency, locale)
    assert caught.value.reason == str(caught.value)
    return caught.value.reason, caught.value.suggestion


def read(text: str, currency: str, locale: str) -> int | AmountError:
    try:
        return parse_amount(text, currency, locale)
    except AmountError as refusal:
        return refusal


# --- Reading ----------------------------------------------------------------------------------------------------------


def test_every_amount_up_to_a_thousand_comes_back_from_the_input_field_to_the_cent() -> None:
    for amount in range(1, 100_001, STEP):
        assert parse_amount(f"{amount // 100}.{amount % 100:02d}", "USD", "en_US") == amount


@pytest.mark.parametrize("locale", LOCALES)
def test_what_we_write_into_an_input_field_is_read_back_to_the_cent(locale: str) -> None:
    # Each locale takes its share of them, and all of them together take every one.
    for amount in range(1 + LOCALES.index(locale), 100_001, len(LOCALES) * STEP):
        assert parse_amount(plain_number(to_main(amount, "EUR"), "EUR", locale), "EUR", locale) == amount


@pytest.mark.parametrize("locale", LOCALES)
@pytest.mark.parametrize("amount", [1999, 1990, 820, 435, 1, 99_999_999, 123_456_789])
def test_amounts_that_floats_get_wrong_are_right(amount: int, locale: str) -> None:
    assert parse_amount(plain_number(to_main(amount, "EUR"), "EUR", locale), "EUR", locale) == amount


@pytest.mark.parametrize("currency", sorted(money.NO_DECIMALS))
def test_a_currency_without_decimals_is_never_multiplied_by_a_hundred(currency: str) -> None:
    assert parse_amount("5000", currency, "en_US") == 5000
    assert parse_amount("5,000", currency, "en_US") == 5000
    assert parse_decimal_amount("5000", currency) == 5000
    assert to_main(5000, currency) == Decimal(5000)
    assert asked("12.5", currency) == ("too_precise", "")
    assert asked("12.50", currency)[0] == "too_precise"


@pytest.mark.parametrize("currency", sorted(money.THREE_DECIMALS))
def test_a_currency_with_three_decimals_takes_them_as_far_as_stripe_does(currency: str) -> None:
    assert parse_amount("12.55", currency, "en_US") == 12_550
    assert parse_amount("12.550", currency, "en_US") == 12_550
    assert asked("12.555", currency) == ("too_precise", "")
    assert format_amount(12_550, currency, "en_US").endswith("12.550")
    assert step(currency) == 10


@pytest.mark.parametrize("currency", ["ISK", "UGX"])
def test_a_currency_that_stripe_wants_in_hundreds_gets_only_hundreds(currency: str) -> None:
    assert parse_amount("500", currency, "en_US") == 50_000
    assert asked("5.50", currency) == ("too_precise", "")
    assert asked("5,5", currency) == ("not_a_number", "")
    with pytest.raises(AmountError, match="too_precise"):
        parse_decimal_amount("5.5", currency)
    assert format_amount(50_000, currency, "en_US").endswith("500")


@pytest.mark.parametrize(
    ("currency", "digits"), [("MGA", 0), ("ISK", 2), ("UGX", 2), ("HUF", 2), ("TWD", 2), ("JPY", 0)]
)
def test_stripes_own_table_of_decimals_rules(currency: str, digits: int) -> None:
    assert exponent(currency) == exponent(currency.lower()) == digits


def test_twelve_comma_five_in_an_english_campaign_is_asked_about_and_never_read_as_125() -> None:
    assert asked("12,5") == ("not_a_number", "12.50")
    assert asked("12,50") == ("not_a_number", "12.50")
    assert asked("1,00") == ("not_a_number", "1")


@pytest.mark.parametrize("text", ["1.000", "12.500", "999.000", "$1.000", "1.000 USD"])
def test_a_point_between_thousands_in_an_english_campaign_is_asked_about_and_never_read_as_one(text: str) -> None:
    reason, suggestion = asked(text)
    assert reason == "too_precise"
    assert suggestion == re.sub(r"[^0-9]", "", text)


def test_what_is_suggested_is_an_amount_that_can_be_given_and_the_same_to_the_cent() -> None:
    assert asked("1.234,05") == ("not_a_number", "1234.05")
    assert asked("1.200,00", "JPY") == ("not_a_number", "1200")
    assert asked("0,01") == ("not_a_number", "0.01")
    assert asked("0,00") == ("not_a_number", "")
    assert asked("999.999,99") == ("not_a_number", "999999.99")
    assert asked("1.000.000,00") == ("not_a_number", "")


def test_a_french_reader_may_type_a_point_for_the_decimals_but_not_one_that_may_mean_thousands() -> None:
    assert parse_amount("12.50", "EUR", "fr_FR") == 1250
    assert asked("1.234", "EUR", "fr_FR") == ("too_precise", "1234")
    assert asked("1.230", "KWD", "fr_FR") == ("too_precise", "")
    assert asked("1.234,50", "EUR", "fr_FR") == ("not_a_number", "1234,50")


@pytest.mark.parametrize(
    ("text", "amount"), [("1.234,50", 123_450), ("1234,5", 123_450), ("1.234", 123_400), ("12,5", 1250), ("1.234.567", 123_456_700)]
)  # fmt: skip
def test_german_separators_are_read_in_a_german_campaign(text: str, amount: int) -> None:
    assert parse_amount(text, "EUR", "de_DE") == amount


@pytest.mark.parametrize(
    ("text", "suggestion"),
    [("12.50", "12,50"), ("12.5", "12,50"), ("1,234.50", "1234,50"), ("1 234,50", "1234,50"), ("1'234", "1234")],
)
def test_english_and_swiss_separators_are_asked_about_in_a_german_campaign(text: str, suggestion: str) -> None:
    assert asked(text, "EUR", "de_DE") == ("not_a_number", suggestion)


def test_lakhs_are_read_in_india_and_thousands_are_asked_about() -> None:
    assert parse_amount("1,00,000", "INR", "en_IN") == 10_000_000
    assert asked("100,000", "INR", "en_IN") == ("not_a_number", "100000")


@pytest.mark.parametrize("space", [" ", "\N{NO-BREAK SPACE}", "\N{NARROW NO-BREAK SPACE}", "\N{THIN SPACE}"])
def test_every_kind_of_space_groups_where_the_locale_groups_by_a_space(space: str) -> None:
    assert parse_amount(f"1{space}234,50", "EUR", "fr_FR") == 123_450
    assert parse_amount(f"1{space}234{space}567", "SEK", "sv_SE") == 123_456_700
    assert asked(f"1{space}234") == ("not_a_number", "1234")
    assert asked(f"12{space}34", "EUR", "fr_FR")[0] == "not_a_number"


@pytest.mark.parametrize("mark", ["'", "’"])
def test_both_apostrophes_group_in_switzerland(mark: str) -> None:
    assert parse_amount(f"1{mark}234.50", "CHF", "de_CH") == 123_450


@pytest.mark.parametrize("text", ["١٢", "１２", "௧௨", "१२", "\u200f12\u200e", "\ufeff12", "12\u2069", "\t12\n", " 12 "])
def test_digits_of_every_script_and_unseen_marks_are_read(text: str) -> None:
    assert parse_amount(text, "USD", "en_US") == 1200


def test_arabic_and_full_width_separators_are_read() -> None:
    assert parse_amount("١٬٢٣٤٫٥", "EGP", "ar_EG") == 123_450
    assert parse_amount("１，０００", "JPY", "ja_JP") == 1000
    assert parse_amount("１２．５", "USD", "en_US") == 1250


@pytest.mark.parametrize(
    "text",
    ["$12.50", "$ 12.50", "12.50 $", "12.50$", "12.50 USD", "usd 12.50", "Usd12.50", "$12.50 USD", "USD $12.50"],
)
def test_the_currency_may_stand_on_either_side(text: str) -> None:
    assert parse_amount(text, "USD", "en_US") == 1250


def test_a_sign_is_read_with_and_without_its_point() -> None:
    assert parse_amount("100 kr.", "DKK", "da_DK") == parse_amount("100 kr", "DKK", "da_DK") == 10_000


@pytest.mark.parametrize("text", ["€12", "12 EUR", "£5", "12 kr"])
def test_another_currency_is_not_taken_for_ours(text: str) -> None:
    assert asked(text)[0] == "not_a_number"


@pytest.mark.parametrize(
    "text",
    [
        "NaN", "sNaN", "Infinity", "-inf", "1e5", "1E5", "1_000", "0x10", "½", "12½", "²", "12²", "百", "😀", "12😀", "twelve",
        "--5", "5-", "1-2", "+", "-", ".", ",", "..", "1..2", "1.2.3", "12,", "1,,000", ",123", "1;5", "=5", "5%", "9" * 10_000,
        "1," * 5_000, "(5)", "1 2", "5 5", "12\x00", "\x00", "−5", "1,2345", "12,345,67", "0,012",
    ],
)  # fmt: skip
def test_what_is_no_number_is_not_read(text: str) -> None:
    assert asked(text) == ("not_a_number", "")


@pytest.mark.parametrize("text", ["", " ", "\n", "\u200f", "$", "USD", "\N{NARROW NO-BREAK SPACE}"])
def test_nothing_is_called_empty(text: str) -> None:
    assert asked(text) == ("empty", "")


@pytest.mark.parametrize("text", ["0", "0.00", "-5", "-0", "-0.01", "$-5", "0,000"[:1]])
def test_nothing_and_less_is_refused(text: str) -> None:
    assert asked(text) == ("not_positive", "")


@pytest.mark.parametrize("text", ["1000000000000", "99999999999999999999", "1,000,000,000,000"])
def test_more_than_anybody_has_is_too_large(text: str) -> None:
    assert asked(text) == ("too_large", "")


@pytest.mark.parametrize("text", ["0.001", "12.5000", "0.005", "12." + "0" * 40 + "1"])
def test_fractions_of_a_cent_are_refused(text: str) -> None:
    assert asked(text)[0] == "too_precise"


@st.composite
def typed(draw: st.DrawFn) -> str:
    """What people type, and what they do not."""
    numberish = st.text(alphabet="0123456789.,'’ \u00a0\u202f٫٬-+$€", max_size=14)
    grouped = st.from_regex(r"\A[1-9][0-9]{0,2}([.,' ][0-9]{2,3}){0,3}([.,][0-9]{1,3})?\Z")
    return draw(st.one_of(numberish, grouped, st.text(max_size=30)))


@settings(max_examples=examples(1500), deadline=None)
@given(typed(), st.sampled_from(["USD", "EUR", "JPY", "KWD", "ISK"]), st.sampled_from(LOCALES))
def test_any_text_is_an_amount_that_reads_the_same_once_written_or_is_asked_about(
    text: str, currency: str, locale: str
) -> None:
    amount = read(text, currency, locale)
    if isinstance(amount, AmountError):
        assert not amount.suggestion or parse_amount(amount.suggestion, currency, locale) > 0
        return
    assert amount > 0
    assert amount % step(currency) == 0
    assert parse_amount(plain_number(to_main(amount, currency), currency, locale), currency, locale) == amount
    assert parse_amount(format_amount(amount, currency, locale), currency, locale) == amount
    # Every digit that was typed counts: none is dropped, and none is added but zeros behind.
    digits = "".join(str(int(character)) for character in text if character.isdecimal()).lstrip("0")
    assert digits.rstrip("0") == str(amount).rstrip("0")


@settings(max_examples=examples(800), deadline=None)
@given(typed())
def test_a_text_that_two_countries_read_differently_is_never_off_by_a_thousand(text: str) -> None:
    meanings = {read(text, "EUR", locale) for locale in ("en_US", "fr_FR", "de_CH")}
    assert len([meaning for meaning in meanings if isinstance(meaning, int)]) < 2


def test_what_readers_see_can_be_typed_back_in_nearly_every_locale_and_is_never_misread() -> None:
    currencies = ("USD", "JPY", "KWD", "DKK", "CHF")
    refused = set()
    for number, locale in enumerate(EVERY_LOCALE):
        # With `make test-long` all of them; otherwise one after the other.
        for currency in currencies if LONG else (currencies[number % len(currencies)], "USD"):
            for amount in (5_000, 250_000, 123_450, 123_456_780):
                try:
                    assert parse_amount(format_amount(amount, currency, locale), currency, locale) == amount
                except AmountError:
                    refused.add(locale.split("_")[0])
    # These group money in another way than numbers, or by a comma of their own: there it is asked about.
    assert refused <= {"bgn", "dv", "ff", "ks", "ml", "mr", "nqo", "or", "tok"}


# --- On the command line and in files -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "amount"), [("12.5", 1250), ("12.50", 1250), ("0.01", 1), ("5000", 500_000), (" 7 ", 700), ("-3", -300)]
)
def test_decimal_amounts_are_read(text: str, amount: int) -> None:
    assert parse_decimal_amount(text, "USD") == amount


@pytest.mark.parametrize(
    "text", ["", "12,5", "1,000", "1e3", "NaN", "１２", ".5", "5.", "1_0", "1" * 13, "+5", "1 000", "5.0000"]
)
def test_other_writings_are_no_decimal_amounts(text: str) -> None:
    with pytest.raises(AmountError) as caught:
        parse_decimal_amount(text, "USD")
    assert (caught.value.reason, caught.value.suggestion) == ("not_a_number", "")


@pytest.mark.parametrize("text", ["5.000", "12.500", "1.234", "0.001"])
def test_a_goal_of_five_point_three_noughts_is_not_taken_for_five(text: str) -> None:
    with pytest.raises(AmountError, match="too_precise"):
        parse_decimal_amount(text, "USD")


@given(st.integers(-(10**11), 10**11), st.sampled_from([*TWO_DECIMALS, "JPY", "KWD"]))
@settings(max_examples=examples(300), deadline=None)
def test_an_exported_amount_is_read_back_as_it_was(amount: int, currency: str) -> None:
    amount -= amount % step(currency)
    assert parse_decimal_amount(str(to_main(amount, currency)), currency) == amount


# --- Writing ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("amount", "text"),
    [(0, "0 $"), (250_000, "2,500 $"), (500_000, "5,000 $"), (34_000, "340 $"), (34_050, "340.50 $"), (1, "0.01 $"),
     (-34_000, "−340 $"), (-1, "−0.01 $"), (123_456_789_00, "123,456,789 $")],
)  # fmt: skip
def test_the_founding_pattern_puts_the_sign_behind(amount: int, text: str) -> None:
    assert format_amount(amount, "USD", "en_US", "#,##0 ¤") == text


@pytest.mark.parametrize(
    ("locale", "currency", "text"),
    [
        ("en_US", "USD", "$2,500"), ("de_DE", "EUR", "2.500\xa0€"), ("fr_FR", "EUR", "2\u202f500\xa0€"),
        ("de_AT", "EUR", "€\xa02.500"), ("ja_JP", "JPY", "￥250,000"), ("en_CA", "CAD", "$2,500"), ("pt_BR", "BRL", "R$\xa02.500"),
        ("en_US", "KWD", "KWD\xa0250"), ("en_IN", "INR", "₹2,500"), ("es_ES", "EUR", "2.500\xa0€"),
        ("da_DK", "DKK", "2.500\xa0kr."),
    ],
)  # fmt: skip
def test_amounts_are_written_as_each_country_does(locale: str, currency: str, text: str) -> None:
    assert format_amount(250_000, currency, locale) == text


def test_every_locale_writes_amounts_without_noughts_behind_whole_ones() -> None:
    for locale in EVERY_LOCALE:
        decimal = Locale.parse(locale).number_symbols["latn"]["decimal"]
        for currency in ("USD", "EUR", "JPY", "KWD", "ISK", "XOF"):
            whole = format_amount(1_200_000, currency, locale)
            digits = re.sub(r"\D", "", whole)
            assert digits == str(1_200_000 // 10 ** exponent(currency))
            assert f"{decimal}00" not in re.sub(r"[.]$", "", whole)
            assert "¤" not in whole
        assert re.sub(r"\D", "", format_amount(1_250, "USD", locale)) == "1250"
        assert format_amount(-500, "USD", locale) == "−" + format_amount(500, "USD", locale)


@settings(max_examples=examples(600), deadline=None)
@given(st.integers(0, 10**15), st.sampled_from(EVERY_LOCALE), st.sampled_from([*TWO_DECIMALS, "JPY", "KWD"]))
def test_the_digits_shown_are_the_amounts_own(amount: int, locale: str, currency: str) -> None:
    digits = re.sub(r"\D", "", format_amount(amount, currency, locale))
    assert int(digits) == amount or int(digits) * 10 ** exponent(currency) == amount


def test_writing_in_one_locale_does_not_change_another() -> None:
    shuffled = random.Random(7)
    alone = {locale: format_amount(123_400, "USD", locale) for locale in EVERY_LOCALE}
    for locale in shuffled.sample(EVERY_LOCALE, len(EVERY_LOCALE)):
        format_amount(99, "USD", locale)
        assert format_amount(123_400, "USD", locale) == alone[locale]


def test_babels_own_pattern_still_writes_two_decimals_after_we_used_it() -> None:
    format_amount(500, "USD", "en_US")
    assert Locale.parse("en_US").currency_formats["standard"].frac_prec == (2, 2)


@pytest.mark.parametrize(("locale", "sign"), [("en_US", "$"), ("en_CA", "$"), ("fr_CA", "$"), ("de_DE", "$")])
def test_dollars_are_a_dollar_sign_for_readers_abroad_too(locale: str, sign: str) -> None:
    assert symbol("USD", locale) == sign


# --- What owners set --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "pattern",
    [
        "#,##0 ¤",
        "¤#,##0",
        "¤ #,##0.00",
        "#,##0.00 ¤",
        "#,##,##0 ¤",
        "¤0",
        "0 ¤",
        "#0¤",
        "\u200f#,##0\xa0¤",
        "¤¤ #,##0",
        "#,##0 ¤¤",
    ],
)
def test_a_pattern_that_shows_the_amount_is_taken(pattern: str) -> None:
    check_pattern(pattern)
    assert re.sub(r"\D", "", format_amount(34_000, "USD", "en_US", pattern)) == "340"
    assert re.sub(r"\D", "", format_amount(34_050, "USD", "en_US", pattern)) == "34050"


@pytest.mark.parametrize(
    "pattern",
    ["", "¤", "#,##0", "¤¤¤ #,##0", "¤ #,##0 ¤", "¤¤ #,##0 ¤", "#,##0 ¤;(#,##0 ¤)", "#,##0 ¤%", "‰#,##0 ¤", "@@ ¤",
     "@@#¤", "0E0 ¤", "1#,##0 ¤", "-#,##0 ¤",
     "−#,##0 ¤", "0000 ¤", "#,### ¤", "'x'#,##0 ¤", "#,##0 ¤#", "#,##0 ¤ 0", "#,##0\n¤",
     "#,##0 ¤" + "x" * 40, "#,##0 ¤" + "x" * 34, "#,##0 ¤" + "x" * 99, "#,##0*x¤", "#,##0 5¤", "#,##0 ¤E"],
)  # fmt: skip
def test_a_pattern_that_would_show_something_else_is_refused_in_a_sentence(pattern: str) -> None:
    with pytest.raises(ValueError, match="is not an amount pattern") as caught:
        check_pattern(pattern)
    said = "is not an amount pattern: write the number as #,##0 and the sign as ¤, as in “#,##0 ¤”."
    assert str(caught.value) == f"“{pattern[:60]}” {said}"


@pytest.mark.parametrize(
    ("currency", "locale", "examples"),
    [
        ("USD", "en_US", ["$2,500", "$ 2,500", "2,500 $", "2,500$", "USD 2,500", "2,500 USD"]),
        ("EUR", "de_DE", ["2.500\xa0€", "€2.500", "€ 2.500", "2.500€", "EUR 2.500", "2.500 EUR"]),
        # The sign is the code: those with it would stand twice.
        ("CHF", "de_CH", ["CHF\xa02’500", "2’500 CHF"]),
        ("JPY", "en_US", ["¥2,500", "¥ 2,500", "2,500 ¥", "2,500¥", "JPY 2,500", "2,500 JPY"]),
    ],
)
def test_the_usual_patterns_are_shown_by_example_and_no_two_look_alike(
    currency: str, locale: str, examples: list[str]
) -> None:
    assert list(pattern_choices(currency, locale).values()) == examples


def test_the_usual_patterns_put_separators_where_the_locale_does() -> None:
    patterns = pattern_choices("INR", "hi_IN")
    assert list(patterns)[:3] == ["", "¤ #,##,##0", "#,##,##0 ¤"]
    assert format_amount(250_000_000, "INR", "hi_IN", "#,##,##0 ¤") == "25,00,000 ₹"


@pytest.mark.parametrize("locale", EVERY_LOCALE[::7])
def test_every_usual_pattern_can_be_saved(locale: str) -> None:
    for pattern in list(pattern_choices("USD", locale))[1:]:
        check_pattern(pattern)


def test_every_currency_that_stripe_takes_is_one_we_can_write() -> None:
    for code in PRESENTMENT:
        assert check_currency(code) == code
    assert {"USD", "EUR", "JPY", "XCG"} < PRESENTMENT
    # Bulgaria has paid in euros since 2026; the others Stripe does not take.
    assert not {"BGN", "BYR", "IRR", "CUP", "KPW"} & PRESENTMENT


def test_a_pattern_may_have_words_beside_the_number_up_to_forty_characters() -> None:
    check_pattern("#,##0 ¤ here")
    check_pattern("#,##0 ¤" + "x" * 33)


@settings(max_examples=examples(400), deadline=None)
@given(st.text(alphabet="#0,.¤ @E%-'*5;x\xa0", max_size=12))
def test_every_pattern_that_is_taken_shows_the_amounts_own_digits(pattern: str) -> None:
    try:
        check_pattern(pattern)
    except ValueError:
        return
    for amount in (0, 1, 1250, 34_000, 123_456_700):
        digits = re.sub(r"\D", "", format_amount(amount, "USD", "en_US", pattern))
        assert int(digits) in (amount, amount / 100)


@pytest.mark.parametrize(
    ("name", "known"),
    [("de-AT", "de_AT"), ("EN-us", "en_US"), ("zh_TW", "zh_Hant_TW"), ("ar_EG", "ar_EG"), ("no", "no")],
)
def test_languages_are_found_in_either_spelling(name: str, known: str) -> None:
    assert check_locale(name) == known
    assert check_locale(known) == known


@pytest.mark.parametrize(
    "name", ["", "english", "xx", "en_XX", "root", "de_DE@euro", "../en", "en\x00", "e", "C", "x" * 9_999, "de DE"]
)
def test_unknown_languages_are_refused_in_a_short_sentence(name: str) -> None:
    with pytest.raises(ValueError, match="is not a language that Pledgebar knows") as caught:
        check_locale(name)
    said = "is not a language that Pledgebar knows. Write it as en_US, de_DE or pt_BR."
    assert str(caught.value) == f"“{name[:60]}” {said}"


@pytest.mark.parametrize(("code", "known"), [("usd", "USD"), ("EUR", "EUR"), ("xof", "XOF"), ("XPF", "XPF")])
def test_currencies_are_found_in_capitals(code: str, known: str) -> None:
    assert check_currency(code) == known


@pytest.mark.parametrize(
    "code", ["", "US", "USDT", "QQQ", "ＵＳＤ", "XXX", "XAU", "XTS", "$", "U S", "USD\n", "x" * 9_999]
)
def test_what_is_no_money_is_refused_in_a_short_sentence(code: str) -> None:
    with pytest.raises(ValueError, match="is not a currency") as caught:
        check_currency(code)
    assert str(caught.value) == f"“{code[:60]}” is not a currency. Write its three letters, such as USD or EUR."


@pytest.mark.parametrize(
    ("currency", "amount"),
    [("USD", 50), ("usd", 50), ("JPY", 50), ("HUF", 17_500), ("KES", 100), ("KWD", 1000), ("VND", 1)],
)
def test_the_least_gift_is_stripes_or_one_of_the_main_unit(currency: str, amount: int) -> None:
    assert least(currency) == amount
