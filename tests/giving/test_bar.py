"""The bar: what is published of it, what it says in words, and how far it is filled."""

import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone

import pytest
from actors import NEWSROOM

from tracker.giving.bar import Bar
from tracker.giving.bar_style import BarStyle
from tracker.giving.campaign import Campaign
from tracker.giving.goals import Progress
from tracker.giving.months import Month

AS_OF = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


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
        (0, 500_000, "0 $ of 5,000 $"),
        (34_000, 500_000, "340 $ of 5,000 $"),
        (499_999, 500_000, "4,999.99 $ of 5,000 $"),
        (500_000, 500_000, "5,000 $ of 5,000 $: goal reached"),
        (710_000, 500_000, "7,100 $ of 5,000 $ (142 %)"),
        (34_000, None, "340 $ received"),
        (-2_000, 500_000, "−20 $ of 5,000 $"),
    ],
)
def test_the_bar_says_in_words_what_it_draws(raised: int, goal: int | None, words: str) -> None:
    assert bar(raised, goal).sentence == f"May 2021: {words}"


def test_the_bar_speaks_the_campaigns_language() -> None:
    german = replace(NEWSROOM, locale="de_DE", currency="EUR", amount_pattern="")
    told = bar(campaign=german).as_json()
    assert told["labels"]["scale"] == ["0\xa0€", "2.500\xa0€", "5.000\xa0€"]
    assert told["labels"]["month"] == "MAI 2021"
    assert bar(campaign=german).sentence.startswith("Mai 2021: 340\xa0€")


def test_a_reader_of_another_language_gets_words_amounts_and_months_in_it() -> None:
    spoken = replace(bar(), campaign=replace(NEWSROOM, currency="EUR", amount_pattern="")).speaking("de_AT")
    assert spoken.sentence == "Mai 2021: €\xa0340 von €\xa05.000"
    assert (spoken.support, spoken.language, spoken.direction) == ("Unterstützen", "de-AT", "ltr")
    assert bar().speaking("ar_EG").direction == "rtl"


def test_who_asks_for_no_language_gets_the_campaigns_own() -> None:
    french = bar(campaign=replace(NEWSROOM, locale="fr_FR")).speaking("")
    assert (french.speaks, french.support, french.month_name) == ("fr_FR", "Soutenez-nous", "mai 2021")


ALL_NOTES = BarStyle(committed=True, count=True, days=True)


def test_the_small_words_are_said_in_this_order_as_far_as_they_are_asked_for() -> None:
    full = replace(bar(), committed=5_000, days_left=17)
    still, gifts, days = "50 $ still to come from regular supporters", "12 gifts", "17 days left"
    assert full.notes(ALL_NOTES) == [still, gifts, days]
    assert full.notes(BarStyle(committed=True)) == [still]
    assert full.notes(BarStyle(count=True)) == [gifts]
    assert full.notes(BarStyle(days=True)) == [days]
    assert full.notes(BarStyle()) == []


def test_nothing_still_to_come_and_no_day_left_are_not_worth_a_word() -> None:
    assert bar().notes(ALL_NOTES) == ["12 gifts"]


def test_a_pause_and_an_old_number_are_said_unasked_in_the_readers_language() -> None:
    waits = replace(bar(campaign=replace(NEWSROOM, paused=True)), stale=True)
    assert waits.notes(BarStyle()) == ["Giving is paused just now", "as of May 14, 11:31\u202fAM CEST"]
    assert waits.pause == "Giving is paused just now"
    # Where that is said in the button's place.
    assert waits.notes(BarStyle(), pause=False) == ["as of May 14, 11:31\u202fAM CEST"]
    german = replace(waits, committed=5_000, days_left=1, gifts=1).speaking("de_DE").notes(ALL_NOTES)
    assert german == [
        "50 $ kommen noch von Dauerspendern",
        "1 Spende",
        "noch 1 Tag",
        "Spenden ist zurzeit nicht möglich",
        "Stand 14. Mai, 11:31 CEST",
    ]


@pytest.mark.parametrize(
    ("time_zone", "said"),
    [
        ("Europe/Berlin", "CEST"), ("UTC", "UTC"), ("Asia/Riyadh", "UTC+3"), ("America/Sao_Paulo", "UTC−3"),
        ("Asia/Kathmandu", "UTC+5:45"), ("Pacific/Marquesas", "UTC−9:30"), ("Pacific/Kiritimati", "UTC+14"),
    ],
)  # fmt: skip
def test_an_old_number_says_its_zone_so_that_it_is_known_for_one(time_zone: str, said: str) -> None:
    assert bar(campaign=replace(NEWSROOM, time_zone=time_zone)).as_of_words.rpartition(" ")[2] == said


@pytest.mark.parametrize(
    ("raised", "goal", "committed", "to"),
    [
        (100_000, 500_000, 100_000, 0.4),
        (100_000, 500_000, 1, 0.200002),
        (100_000, 500_000, 0, 0.2),
        (100_000, 500_000, -1_000, 0.2),
        (100_000, 500_000, 400_000, 1.0),
        (100_000, 500_000, 900_000, 1.0),
        (0, 500_000, 250_000, 0.5),
        # What was taken back comes off first.
        (-50_000, 500_000, 150_000, 0.2),
        (-50_000, 500_000, 20_000, 0.0),
        (900_000, 500_000, 10_000, 1.0),
    ],
)
def test_the_bar_is_hatched_up_to_what_is_committed(raised: int, goal: int, committed: int, to: float) -> None:
    assert replace(bar(raised, goal), committed=committed).committed_to == pytest.approx(to, abs=1e-9)


def test_without_a_goal_nothing_is_hatched() -> None:
    alone = bar(goal=None)
    assert replace(alone, committed=5_000).committed_to == alone.progress.fill
