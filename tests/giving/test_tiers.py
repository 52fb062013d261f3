"""The choice that a form means: exactly what was offered or typed, and a question wherever it could mean two things."""

from dataclasses import replace
from fractions import Fraction

import pytest
from actors import NEWSROOM
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.giving.money import AmountError, step
from tracker.giving.tiers import OTHER, Choice, Frequency, choose


def refused(tier: str, typed: str = "", frequency: Frequency = "once") -> str:
    with pytest.raises(AmountError) as caught:
        choose(NEWSROOM, frequency, tier, typed)
    return caught.value.reason


@pytest.mark.parametrize("amount", NEWSROOM.once)
def test_a_preset_amount_is_charged_as_it_stands(amount: int) -> None:
    assert choose(NEWSROOM, "once", str(amount), "") == Choice("once", amount, str(amount))


def test_each_frequency_has_its_own_amounts() -> None:
    assert choose(NEWSROOM, "month", "500", "") == Choice("month", 500, "500")
    assert refused("500") == "unknown_tier"
    assert refused("2500", frequency="month") == "unknown_tier"
    yearly = replace(NEWSROOM, yearly=(5000, 12_000))
    assert choose(yearly, "year", "12000", "") == Choice("year", 12_000, "12000")
    assert choose(yearly, "year", OTHER, "75") == Choice("year", 7500, OTHER)
    assert refused("", "75", frequency="year") == "no_choice"


def test_another_amount_is_charged_as_it_was_typed() -> None:
    assert choose(NEWSROOM, "once", OTHER, "12.50") == Choice("once", 1250, OTHER)
    assert choose(NEWSROOM, "month", OTHER, "$7") == Choice("month", 700, OTHER)
    assert choose(NEWSROOM, "once", "", "12.50") == Choice("once", 1250, OTHER)


def test_a_typed_amount_that_equals_the_chosen_one_is_no_contradiction() -> None:
    assert choose(NEWSROOM, "once", "2500", " 25 ") == Choice("once", 2500, "2500")
    assert choose(NEWSROOM, "once", "2500", "25.00") == Choice("once", 2500, "2500")


@pytest.mark.parametrize("typed", ["50", "25.01", "2500", "abc", "25,00", "-25"])
def test_two_different_amounts_are_asked_about(typed: str) -> None:
    assert refused("2500", typed) == "two_amounts"


@pytest.mark.parametrize(
    "tier",
    ["1", "1001", "0", "-1000", "+1000", "1e3", "1000.0", " 1000", "1000 ", "01000", "１０００", "١٠٠٠", "Other", "none",
     "000000001000999", "00000000100000000000000", "1000" + "0" * 12, "9" * 6_000, "\x00"],
)  # fmt: skip
def test_an_amount_that_is_not_offered_is_never_charged(tier: str) -> None:
    assert refused(tier) == "unknown_tier"


@settings(max_examples=examples(500), deadline=None)
@given(st.one_of(st.text(max_size=30), st.from_regex(r"\A0{0,12}1000[0-9]{0,12}\Z")))
def test_whatever_is_sent_as_a_preset_amount_only_the_offered_ones_are_charged(tier: str) -> None:
    try:
        made = choose(NEWSROOM, "once", tier, "")
    except AmountError:
        return
    assert made.amount in NEWSROOM.once
    assert made.tier == str(made.amount)


@settings(max_examples=examples(500), deadline=None)
@given(st.sampled_from(["once", "month"]), st.text(max_size=12), st.text(alphabet="0123456789.,$ ", max_size=12))
def test_no_choice_is_ever_outside_of_what_the_campaign_takes(frequency: Frequency, tier: str, typed: str) -> None:
    for chosen in (tier, OTHER, ""):
        try:
            made = choose(NEWSROOM, frequency, chosen, typed)
        except AmountError:
            continue
        assert NEWSROOM.minimum <= made.amount <= NEWSROOM.maximum


def test_nothing_chosen_and_nothing_typed_is_no_choice() -> None:
    assert refused("") == "no_choice"
    assert refused("", "  ") == "no_choice"
    assert refused(OTHER) == "empty"
    assert refused(OTHER, " ") == "empty"


@pytest.mark.parametrize("tier", ["", OTHER, "500"])
def test_a_frequency_without_amounts_is_not_offered_and_so_not_taken(tier: str) -> None:
    only_once = replace(NEWSROOM, monthly=())
    with pytest.raises(AmountError, match="no_choice"):
        choose(only_once, "month", tier, "5" if tier != "500" else "")


@pytest.mark.parametrize(
    ("typed", "reason"),
    [("1.99", "below_minimum"), ("0.01", "below_minimum"), ("10000.01", "above_maximum"), ("0", "not_positive"),
     ("-5", "not_positive"), ("12,5", "not_a_number"), ("1.000", "too_precise"), ("1" * 13, "too_large")],
)  # fmt: skip
def test_a_typed_amount_is_refused_for_its_own_reason(typed: str, reason: str) -> None:
    assert refused(OTHER, typed) == reason


def test_what_is_not_offered_is_no_choice() -> None:
    with pytest.raises(AmountError) as caught:
        choose(replace(NEWSROOM, monthly=()), "month", OTHER, "5")
    assert caught.value.reason == "no_choice"


def test_the_limits_themselves_are_taken() -> None:
    assert choose(NEWSROOM, "once", OTHER, "2").amount == NEWSROOM.minimum
    assert choose(NEWSROOM, "once", OTHER, "10,000").amount == NEWSROOM.maximum


# --- The fee on top ---------------------------------------------------------------------------------------------------

CARDS = replace(NEWSROOM, cover_percent=290, cover_fixed=30)


def test_what_is_added_for_the_fee_is_left_of_the_whole() -> None:
    assert choose(CARDS, "once", "1000", "", CARDS.fee_terms) == Choice("once", 1000, "1000", cover=61)
    assert choose(CARDS, "month", OTHER, "12.50", "290+30").whole == 1250 + 69
    assert choose(CARDS, "once", "1000", "").cover == 0
    assert NEWSROOM.fee_terms == ""
    assert NEWSROOM.cover(1000) == 0


@pytest.mark.parametrize("terms", ["250+30", "290+25", "yes", "290"])
def test_a_fee_by_other_terms_than_todays_is_asked_about(terms: str) -> None:
    for campaign in (CARDS, NEWSROOM):
        with pytest.raises(AmountError, match="other_fee"):
            choose(campaign, "once", "1000", "", terms)


@settings(max_examples=examples(500), deadline=None)
@given(
    amount=st.integers(1, 1_000_000), percent=st.integers(0, 2000), fixed=st.integers(0, 500),
    currency=st.sampled_from(["USD", "JPY", "KWD", "ISK"]),
)  # fmt: skip
def test_after_the_fee_the_amount_is_left_and_less_would_not_do(
    amount: int, percent: int, fixed: int, currency: str
) -> None:
    campaign = replace(NEWSROOM, currency=currency, cover_percent=percent, cover_fixed=fixed)
    by = step(currency)
    amount *= by
    cover = campaign.cover(amount)

    def left(whole: int) -> Fraction:
        return whole - fixed - Fraction(whole * percent, 10_000)

    assert cover % by == 0
    assert left(amount + cover) >= amount
    assert cover == 0 or left(amount + cover - by) < amount
