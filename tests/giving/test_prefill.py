"""What a link to the page may choose beforehand: never an error, and never another amount than it says."""

from dataclasses import replace
from urllib.parse import parse_qs, parse_qsl, quote

import pytest
from actors import NEWSROOM
from hypothesis import given
from hypothesis import strategies as st

from tracker.giving.bar_words import languages
from tracker.giving.campaign import Campaign
from tracker.giving.money import parse_amount, plain_number, to_main
from tracker.giving.prefill import Prefill, read_prefill

YEN = replace(NEWSROOM, currency="JPY", once=(1000,), monthly=(500,), minimum=100, maximum=1_000_000)
DINAR = replace(NEWSROOM, currency="KWD", once=(5000,), monthly=(1000,), minimum=500, maximum=1_000_000)
KRONA = replace(NEWSROOM, currency="ISK", once=(100_000,), monthly=(50_000,), minimum=10_000, maximum=10_000_000)


def amount(text: str, campaign: Campaign = NEWSROOM) -> int | None:
    return read_prefill({"amount": text}, campaign).amount


@pytest.mark.parametrize(
    ("campaign", "text", "means"),
    [
        (NEWSROOM, "25", 2500),
        (NEWSROOM, "12.50", 1250),
        (NEWSROOM, "12.5", 1250),
        (NEWSROOM, "2", 200),
        (NEWSROOM, "10000", 1_000_000),
        (YEN, "500", 500),
        (DINAR, "5", 5000),
        (DINAR, "12.250", 12_250),
        (KRONA, "1000", 100_000),
    ],
)
def test_an_amount_is_in_the_main_unit_with_a_point(campaign: Campaign, text: str, means: int) -> None:
    assert amount(text, campaign) == means


@pytest.mark.parametrize(
    ("campaign", "text"),
    [
        (NEWSROOM, "1.99"),  # below the least
        (NEWSROOM, "10000.01"),  # above the most
        (NEWSROOM, "12.505"),
        (NEWSROOM, "12,50"),
        (NEWSROOM, "1,000"),
        (NEWSROOM, "-25"),
        (NEWSROOM, "0"),
        (NEWSROOM, ""),
        (NEWSROOM, "25 $"),
        (NEWSROOM, "1e3"),
        (NEWSROOM, "NaN"),
        (NEWSROOM, "²5"),
        (NEWSROOM, "٢٥"),
        (NEWSROOM, "25\0"),
        (NEWSROOM, "9" * 6000),
        (YEN, "500.5"),
        (YEN, "500.00"),
        (DINAR, "12.255"),  # Stripe takes no such thousandth
        (KRONA, "1000.50"),
    ],
)
def test_what_cannot_be_given_is_left_out(campaign: Campaign, text: str) -> None:
    assert amount(text, campaign) is None


def test_an_amount_beyond_the_limits_is_kept_for_who_had_chosen_it_before() -> None:
    for text, means in (("1", 100), ("99999", 9_999_900)):
        assert read_prefill({"amount": text}, NEWSROOM, any_amount=True).amount == means
    for text in ("-1", "0", "1.999", "x"):
        assert read_prefill({"amount": text}, NEWSROOM, any_amount=True).amount is None


@pytest.mark.parametrize(
    ("asked", "found"), [("once", "once"), ("month", "month"), ("year", ""), ("Month", ""), ("", ""), ("x" * 9000, "")]
)
def test_a_frequency_that_is_not_offered_is_left_out(asked: str, found: str) -> None:
    assert read_prefill({"frequency": asked}, NEWSROOM).frequency == found
    assert read_prefill({"frequency": asked}, replace(NEWSROOM, once=(), monthly=())).frequency == ""
    yearly = replace(NEWSROOM, yearly=(5000,))
    assert read_prefill({"frequency": asked}, yearly).frequency == (asked if asked in yearly.offered else "")


def test_where_a_supporter_came_from_is_kept_tidy() -> None:
    asked = {"src": "2021/05/новости", "pos": "“top”", "lang": "pt-BR"}
    found = read_prefill(asked, NEWSROOM)
    assert (found.src, found.pos, found.lang) == ("2021/05/новости", "top", "pt_BR")
    assert found.query("USD") == f"src=2021/05/{quote('новости')}&pos=top&lang=pt-BR"
    assert read_prefill({"lang": "tlh"}, NEWSROOM).lang == ""


@pytest.mark.parametrize(
    ("campaign", "smallest", "written"),
    [
        (NEWSROOM, 2500, "25"),
        (NEWSROOM, 1250, "12.50"),
        (YEN, 500, "500"),
        (DINAR, 1250, "1.250"),
        (KRONA, 100_000, "1000"),
    ],
)
def test_an_address_writes_amounts_as_it_reads_them(campaign: Campaign, smallest: int, written: str) -> None:
    assert parse_qs(Prefill("month", smallest).query(campaign.currency)) == {
        "frequency": ["month"],
        "amount": [written],
    }


def test_the_fee_is_kept_for_who_had_added_it_where_it_is_still_offered() -> None:
    cards = replace(NEWSROOM, cover_percent=290)
    assert Prefill("once", 1000, cover=True).query("USD") == "frequency=once&amount=10&cover=yes"
    assert read_prefill({"cover": "yes"}, cards).cover
    assert not read_prefill({"cover": "yes"}, NEWSROOM).cover
    assert not read_prefill({}, cards).cover


def test_an_address_that_asks_for_nothing_has_no_query() -> None:
    assert Prefill().query("USD") == ""


@given(
    st.sampled_from(["", "once", "month"]),
    st.none() | st.integers(200, 1_000_000),
    st.text("abc-_.~/09", max_size=64),
    st.text("abc", max_size=20),
    st.sampled_from(["", "de", "de_AT", "pt_BR"]),
)
def test_what_an_address_says_is_read_again_whole(
    frequency: str, amount: int | None, src: str, pos: str, lang: str
) -> None:
    asked = Prefill(frequency, amount, src, pos, lang)
    assert read_prefill(dict(parse_qsl(asked.query("USD"))), NEWSROOM) == asked


@pytest.mark.parametrize(
    "locale", [*dict(languages()), "de_CH", "en_IN", "fr_CA", "pt_PT", "ar_KW", "fa_IR", "hi_IN", "ja_JP"]
)
def test_an_amount_that_a_link_puts_into_the_field_is_read_back_as_the_same(locale: str) -> None:
    for currency, amounts in {"USD": (1250, 100_050), "JPY": (1500,), "KWD": (1250, 12_500), "ISK": (150_000,)}.items():
        for amount in amounts:
            typed = plain_number(to_main(amount, currency), currency, locale)
            assert parse_amount(typed, currency, locale) == amount, (currency, typed)
