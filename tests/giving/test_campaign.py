"""What owners may set, the sentence that each wrong setting gets, and the bar that comes of it."""

import json
import time
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import pytest
from actors import NEWSROOM

from tracker.giving import money
from tracker.giving.bar import Bar
from tracker.giving.campaign import Campaign, check
from tracker.giving.goals import Progress
from tracker.giving.months import Month

WRONG: list[tuple[dict[str, Any], str]] = [
    ({"slug": ""}, "cannot stand in an address"),
    ({"slug": "News"}, "cannot stand in an address"),
    ({"slug": "-news"}, "cannot stand in an address"),
    ({"slug": "news-"}, "cannot stand in an address"),
    ({"slug": "n" * 61}, "cannot stand in an address"),
    ({"slug": "news\n"}, "cannot stand in an address"),
    ({"slug": "nächste"}, "cannot stand in an address"),
    ({"slug": "a/b"}, "cannot stand in an address"),
    ({"title": ""}, "needs a title"),
    ({"title": "  "}, "needs a title"),
    ({"title": "t" * 121}, "needs a title"),
    ({"currency": "QQQ"}, "is no currency"),
    ({"currency": "usd"}, "Write the currency “usd” as USD"),
    ({"locale": "xx"}, "is no language"),
    ({"locale": "de-AT"}, "Write the language “de-AT” as de_AT"),
    ({"time_zone": "Berlin"}, "is no time zone"),
    ({"amount_pattern": "#,##0"}, "is no amount pattern"),
    ({"held_month": "May"}, "is no month"),
    ({"minimum": 49}, "The smallest gift must be at least 0.50 $"),
    ({"maximum": 100_000_000}, "The largest gift can be 999,999.99 $ at most"),
    ({"minimum": 900, "maximum": 800}, "must not be smaller than the smallest"),
    ({"once": (), "monthly": ()}, "at least one amount to choose"),
    ({"once": (1000, 2000, 3000, 4000, 5000, 6000, 7000)}, "6 amounts to choose from are the most"),
    ({"once": (2000, 1000)}, "must ascend"),
    ({"once": (1000, 1000)}, "must ascend"),
    ({"once": (100, 1000)}, "1 $ is not between the smallest and the largest gift, 2 $ and 10,000 $"),
    ({"monthly": (500, 1_000_100)}, "10,001 $ is not between"),
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


def test_another_currency_is_written_as_the_language_does_and_not_by_the_campaigns_own_pattern() -> None:
    assert NEWSROOM.write_in(250_000, "USD") == "2,500 $"
    assert NEWSROOM.write_in(250_000, "EUR") == "€2,500"
    assert replace(NEWSROOM, locale="de_DE").write_in(250_050, "CHF") == "2.500,50\xa0CHF"


def test_the_sentences_about_a_campaign_are_whole_ones() -> None:
    changes: list[tuple[dict[str, Any], str]] = [
        ({"title": ""}, "A campaign needs a title of 1 to 120 characters."),
        ({"minimum": 900, "maximum": 800}, "The largest gift must not be smaller than the smallest one."),
        ({"once": (), "monthly": ()}, "A campaign needs at least one amount to choose, once or monthly."),
        ({"once": (2000, 1000)}, "The amounts to choose from must ascend, each once."),
    ]
    for changed, said in changes:
        with pytest.raises(ValueError, match=r"[a-z]") as caught:
            check(replace(NEWSROOM, **changed))
        assert str(caught.value) == said


# --- The bar ----------------------------------------------------------------------------------------------------------

AS_OF = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _a_server_far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may depend on where the server stands."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


def bar(
    raised: int = 34_000, goal: int | None = 500_000, campaign: Campaign = NEWSROOM, as_of: datetime = AS_OF
) -> Bar:
    progress = Progress(raised, goal)
    return Bar(campaign, Month(2021, 5), progress, 12, "https://give.example.org/go/newsroom", as_of)


PUBLISHED = (
    '{"version": 1, "campaign": "newsroom", "title": "Support the newsroom", "month": "2021-05", '
    '"time_zone": "Europe/Berlin", "currency": "USD", "goal": 500000, "raised": 34000, "committed": 0, "percent": 6.8, '
    '"gifts": 12, "scale": [0, 250000, 500000], "labels": {"scale": ["0 $", "2,500 $", "5,000 $"], "goal": "5,000 $", '
    '"raised": "340 $", "month": "MAY 2021", "support": "Support us"}, '
    '"give_url": "https://give.example.org/go/newsroom", "as_of": "2021-05-14T09:31:00Z"}'
)


def test_the_founding_picture_is_published_letter_for_letter() -> None:
    assert json.dumps(bar().as_json()) == PUBLISHED


def test_the_moment_is_published_in_utc_whatever_zone_it_came_in() -> None:
    elsewhere = AS_OF.astimezone(timezone(timedelta(hours=-7)))
    assert bar(as_of=elsewhere).as_json()["as_of"] == "2021-05-14T09:31:00Z"
    assert bar(as_of=AS_OF.replace(microsecond=999_999)).as_json()["as_of"] == "2021-05-14T09:31:00Z"


def test_a_month_without_a_goal_says_so_in_its_figures() -> None:
    told = bar(goal=None).as_json()
    assert (told["goal"], told["percent"], told["scale"]) == (None, None, [0])
    assert told["labels"]["goal"] == ""
    assert told["labels"]["scale"] == ["0 $"]


@pytest.mark.parametrize(
    ("raised", "goal", "words"),
    [
        (0, 500_000, ["0 $ of 5,000 $"]),
        (34_000, 500_000, ["340 $ of 5,000 $"]),
        (499_999, 500_000, ["4,999.99 $ of 5,000 $"]),
        (500_000, 500_000, ["5,000 $", "goal"]),
        (710_000, 500_000, ["7,100 $", "5,000 $", "142 %"]),
        (34_000, None, ["340 $ received"]),
        (-2_000, 500_000, ["−20 $ of 5,000 $"]),
    ],
)
def test_the_bar_says_in_words_what_it_draws(raised: int, goal: int | None, words: list[str]) -> None:
    said = bar(raised, goal).sentence
    assert said.startswith(f"May 2021: {words[0]}")
    assert all(word in said for word in words)
    assert "None" not in said


def test_the_bar_speaks_the_campaigns_language() -> None:
    german = replace(NEWSROOM, locale="de_DE", currency="EUR", amount_pattern="")
    told = bar(campaign=german).as_json()
    assert told["labels"]["scale"] == ["0\xa0€", "2.500\xa0€", "5.000\xa0€"]
    assert told["labels"]["month"] == "MAI 2021"
    assert bar(campaign=german).sentence.startswith("Mai 2021: 340\xa0€")
