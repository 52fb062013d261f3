"""What owners may set, and the sentence that each wrong setting gets."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from actors import NEWSROOM

from tracker.giving import money
from tracker.giving.campaign import check
from tracker.giving.months import Month

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"slug": ""}, "cannot be used in a web address"),
    ({"slug": "News"}, "cannot be used in a web address"),
    ({"slug": "-news"}, "cannot be used in a web address"),
    ({"slug": "news-"}, "cannot be used in a web address"),
    ({"slug": "n" * 61}, "cannot be used in a web address"),
    ({"slug": "news\n"}, "cannot be used in a web address"),
    ({"slug": "nächste"}, "cannot be used in a web address"),
    ({"slug": "a/b"}, "cannot be used in a web address"),
    ({"title": ""}, "needs a title"),
    ({"title": "  "}, "needs a title"),
    ({"title": "t" * 121}, "needs a title"),
    ({"currency": "QQQ"}, "is not a currency"),
    ({"currency": "usd"}, "Write the currency “usd” as USD"),
    ({"locale": "xx"}, "is not a language"),
    ({"locale": "de-AT"}, "Write the language “de-AT” as de_AT"),
    ({"time_zone": "Berlin"}, "is not a time zone"),
    ({"amount_pattern": "#,##0"}, "is not an amount pattern"),
    ({"held_month": "May"}, "is not a month"),
    ({"accent": "#1C4F82"}, "Write the colour “#1C4F82” as 1c4f82."),
    ({"minimum": 49}, "The smallest gift must be at least 0.50 $"),
    ({"maximum": 100_000_000}, "The largest gift can be 999,999.99 $ at most"),
    ({"minimum": 900, "maximum": 800}, "must not be smaller than the smallest"),
    ({"once": (), "monthly": ()}, "at least one amount to choose"),
    ({"once": (1000, 2000, 3000, 4000, 5000, 6000, 7000)}, "Offer 6 amounts at most"),
    ({"once": (2000, 1000)}, "ascending order"),
    ({"once": (1000, 1000)}, "ascending order"),
    ({"once": (100, 1000)}, "1 $ is not between the smallest and the largest gift, 2 $ and 10,000 $"),
    ({"monthly": (500, 1_000_100)}, "10,001 $ is not between"),
    ({"cover_percent": 2001}, "The fee can be 20 % of a gift at most"),
    ({"cover_percent": -1}, "The fee can be 20 % of a gift at most"),
    ({"cover_fixed": 201}, "must not be larger than the smallest gift"),
    ({"cover_percent": 290, "maximum": 99_999_999}, "With the fee on top it would be more than 999,999.99 $"),
    ({"default_frequency": "year"}, "Choose a frequency that has amounts"),
    ({"default_frequency": "daily"}, "Choose a frequency that has amounts"),
    ({"once": (), "default_frequency": "once"}, "Choose a frequency that has amounts"),
    ({"currency": "ISK", "once": (100_050,), "monthly": ()}, "cannot be charged in ISK: it needs whole amounts"),
    ({"currency": "KWD", "minimum": 1000, "once": (1005,), "monthly": ()}, "cannot be charged in KWD"),
]


@pytest.mark.parametrize(("changes", "words"), WRONG)
def test_every_wrong_setting_gets_its_sentence(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(ValueError, match=r"[.]$") as caught:
        check(replace(NEWSROOM, **changes))
    assert words in str(caught.value)


@pytest.mark.parametrize(
    "changes",
    [
        {},
        {"slug": "a"},
        {"slug": "n" * 60},
        {"title": "t" * 120},
        {"monthly": ()},
        {"once": ()},
        {"locale": "zh_Hant_TW"},
        {"default_frequency": "month"},
        {"cover_percent": 290, "cover_fixed": 30},
        {"yearly": (5000,), "default_frequency": "year"},
        {"amount_pattern": ""},
        {"held_month": "2021-05"},
        {"minimum": 50, "maximum": 99_999_999},
        {"minimum": 1000, "maximum": 1000, "once": (1000,), "monthly": ()},
        {"once": (1000, 2000, 3000, 4000, 5000, 6000)},
        {"maximum": 10_000},
        {"currency": "JPY", "minimum": 50, "once": (1000,), "monthly": (500,)},
    ],
)
def test_a_campaign_that_works_is_taken(changes: dict[str, Any]) -> None:
    check(replace(NEWSROOM, **changes))


@pytest.mark.parametrize("currency", sorted(money.MINIMUMS))
def test_each_currency_starts_at_what_stripe_takes(currency: str) -> None:
    least = money.least(currency)
    campaign = replace(NEWSROOM, currency=currency, minimum=least, maximum=least * 10, once=(least,), monthly=())
    check(campaign)
    with pytest.raises(ValueError, match="Stripe takes no less"):
        check(replace(campaign, minimum=least - 1))


def test_the_preselected_amount_is_a_middle_one_and_the_lower_of_two() -> None:
    assert NEWSROOM.preselected("once") == 2500
    assert NEWSROOM.preselected("month") == 1000
    assert replace(NEWSROOM, once=(700,)).preselected("once") == 700
    assert replace(NEWSROOM, once=()).preselected("once") is None


def test_a_paused_campaign_and_one_that_is_over_take_no_gifts() -> None:
    assert NEWSROOM.takes_gifts
    assert not replace(NEWSROOM, paused=True).takes_gifts
    assert not replace(NEWSROOM, held_month="2021-05").takes_gifts


def test_a_campaign_speaks_its_own_language_and_time() -> None:
    assert replace(NEWSROOM, locale="pt_BR").language == "pt-BR"
    assert NEWSROOM.moment(datetime(2021, 5, 14, 9, 31, tzinfo=UTC)) == "2021-05-14 11:31"
    assert NEWSROOM.month_name(Month(2021, 5)) == "May 2021"
    assert replace(NEWSROOM, locale="de_DE").month_name(Month(2021, 5)) == "Mai 2021"


def test_a_number_of_things_is_written_as_the_language_does() -> None:
    assert (NEWSROOM.count(1240), replace(NEWSROOM, locale="de_DE").count(1240)) == ("1,240", "1.240")


def test_another_currency_is_written_as_the_language_does_and_not_by_the_campaigns_own_pattern() -> None:
    assert NEWSROOM.write_in(250_000, "USD") == "2,500 $"
    assert NEWSROOM.write_in(250_000, "EUR") == "€2,500"
    assert replace(NEWSROOM, locale="de_DE").write_in(250_050, "CHF") == "2.500,50\xa0CHF"


def test_the_sentences_about_a_campaign_are_whole_ones() -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"title": ""}, "A campaign needs a title of 1 to 120 characters."),
        ({"minimum": 900, "maximum": 800}, "The largest gift must not be smaller than the smallest one."),
        ({"once": (), "monthly": ()}, "A campaign needs at least one amount to choose: once, monthly or yearly."),
        ({"once": (2000, 1000)}, "List the amounts in ascending order, each once."),
    ]
    for changed, said in changes:
        with pytest.raises(ValueError, match=r"[a-z]") as caught:
            check(replace(NEWSROOM, **changed))
        assert str(caught.value) == said


def test_a_campaign_offers_the_frequencies_that_have_amounts() -> None:
    assert NEWSROOM.offered == ("once", "month")
    assert replace(NEWSROOM, yearly=(5000,)).offered == ("once", "month", "year")
    assert replace(NEWSROOM, default_frequency="month").first_frequency == "month"
    assert NEWSROOM.first_frequency == "once"
    assert replace(NEWSROOM, default_frequency="month", monthly=()).first_frequency == "once"
    only_yearly = replace(NEWSROOM, once=(), monthly=(), yearly=(5000, 10_000))
    check(only_yearly)
    assert only_yearly.offered == ("year",)
    assert only_yearly.preselected("year") == 5000
    assert only_yearly.tiers("week") == ()


def test_a_fee_is_written_as_the_campaign_writes() -> None:
    assert replace(NEWSROOM, cover_percent=290, cover_fixed=30).fee_words == "2.9% + 0.30 $"
    assert replace(NEWSROOM, cover_percent=150, locale="de_DE", currency="EUR").fee_words == "1,5\N{NO-BREAK SPACE}%"
    assert replace(NEWSROOM, cover_fixed=25).fee_words == "0.25 $"
