"""The rules of drives and matches, and what the bar says of them and of goals in people."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from actors import NEWSROOM, moment

from tracker.giving.bar import Bar
from tracker.giving.bar_style import BarStyle
from tracker.giving.drives import Appeal, Appeals, parse_moment, problems, when
from tracker.giving.goals import PeopleGoal, Progress
from tracker.giving.months import Month

START, END = moment("2021-05-14T16:00"), moment("2021-05-16T20:00")
NOW = moment("2021-05-14T17:00")
DRIVE = Appeal("drive", "Summer drive", 2_000_000, START, END, 1, 124_000, 31)
MATCH = Appeal("match", "Harbour Foundation", 500_000, START, None, 2, 124_000, 31)
COUNT = BarStyle(count=True, days=True, committed=True)


def bar(**about: Any) -> Bar:
    plain = Bar(
        NEWSROOM, Month(2021, 5), Progress(34_000, 500_000), 120, "https://give.example.org/go/newsroom", NOW, 5_000, 17
    )
    return replace(plain, **about)


@pytest.mark.parametrize(
    ("of", "at", "state"),
    [
        (DRIVE, START - timedelta(seconds=1), "planned"),
        (DRIVE, START, "running"),
        (DRIVE, END - timedelta(seconds=1), "running"),
        (DRIVE, END, "ended"),
        (replace(DRIVE, raised=9_000_000), NOW, "running"),
        (MATCH, END + timedelta(days=900), "running"),
        (replace(MATCH, raised=500_000), NOW, "used up"),
        (replace(MATCH, raised=500_000, ends_at=NOW), NOW, "ended"),
    ],
)
def test_an_appeal_is_planned_runs_and_ends(of: Appeal, at: datetime, state: str) -> None:
    assert of.state(at) == state


@pytest.mark.parametrize(
    ("raised", "matched"), [(-5, 0), (0, 0), (499_999, 499_999), (500_000, 500_000), (10**9, 500_000)]
)
def test_a_match_adds_as_much_as_was_given_up_to_its_cap(raised: int, matched: int) -> None:
    assert replace(MATCH, raised=raised).matched == matched


def test_days_left_are_those_of_the_newsrooms_calendar() -> None:
    berlin = "Europe/Berlin"
    assert DRIVE.days_left(NOW, berlin) == 2
    assert DRIVE.days_left(moment("2021-05-15T22:00"), berlin) == 0
    # At midnight the day before is the last one.
    until_midnight = replace(DRIVE, ends_at=moment("2021-05-15T22:00"))
    assert until_midnight.days_left(NOW, berlin) == 1
    assert until_midnight.days_left(moment("2021-05-15T21:59"), berlin) == 0
    assert MATCH.days_left(NOW, berlin) == 0


@pytest.mark.parametrize(
    ("changes", "name", "said"),
    [
        ({"name": " "}, "name", "A drive needs a name of 1 to 40"),
        ({"name": "x" * 41}, "name", "A drive needs a name of 1 to 40"),
        ({"name": "a\0b"}, "name", "A drive needs a name"),
        ({"kind": "match", "name": ""}, "name", "Say who doubles the gifts"),
        ({"amount": 0}, "amount", "Enter an amount above zero"),
        ({"amount": 10**16}, "amount", "too large"),
        ({"ends_at": None}, "ends_at", "When does the drive end"),
        ({"ends_at": START}, "ends_at", "It must end after it starts"),
        ({"ends_at": NOW}, "ends_at", "The end must be in the future"),
    ],
)
def test_what_cannot_be_saved_is_said_beside_its_field(changes: dict[str, Any], name: str, said: str) -> None:
    ((where, refusal),) = problems(replace(DRIVE, **changes), NOW)
    assert (where, said in str(refusal)) == (name, True), refusal


def test_a_match_needs_no_end() -> None:
    assert list(problems(DRIVE, NOW)) == list(problems(MATCH, NOW)) == []


@pytest.mark.parametrize(
    "written", ["2021-05-14 18:00", "2021-05-14T18:00", " 2021-05-14T18:00:00 ", "2021-05-14T18:00:00.000"]
)
def test_a_moment_is_on_the_newsrooms_clock(written: str) -> None:
    assert parse_moment(written, "Europe/Berlin") == START
    assert when(DRIVE, NEWSROOM) == "from 2021-05-14 18:00 to 2021-05-16 22:00"
    assert when(MATCH, NEWSROOM) == "from 2021-05-14 18:00"


def test_an_hour_that_the_clock_leaves_out_or_shows_twice_is_one_moment() -> None:
    assert parse_moment("2021-03-28 02:30", "Europe/Berlin") == datetime(2021, 3, 28, 1, 30, tzinfo=UTC)
    assert parse_moment("2021-10-31 02:30", "Europe/Berlin") == datetime(2021, 10, 31, 0, 30, tzinfo=UTC)


@pytest.mark.parametrize(
    "written",
    ["", "tomorrow", "2021-05-14", "2021-02-30 10:00", "2021-05-14 25:00", "0000-01-01 10:00", "٢٠٢١-05-14 10:00"],
)
def test_what_is_no_moment_says_how_to_write_one(written: str) -> None:
    with pytest.raises(ValueError, match="Write it as 2021-05-14 18:00"):
        parse_moment(written, "Europe/Berlin")


# --- The bar ----------------------------------------------------------------------------------------------------------


def test_a_drive_stands_in_the_months_place() -> None:
    drive = bar(appeals=Appeals(DRIVE))
    assert (drive.heading, drive.raised, drive.scale) == ("Summer drive", "1,240 $", ("0 $", "10,000 $", "20,000 $"))
    assert drive.sentence == "Summer drive: 1,240 $ of 20,000 $"
    assert drive.days_to_go(NOW) == 2
    # What is still to come in the month is not to come in the drive.
    assert drive.notes(COUNT) == ["31 gifts", "17 days left"]
    assert drive.committed_to == drive.shown.fill == 0.062
    assert drive.of_month.sentence == "May 2021: 340 $ of 5,000 $"
    beyond = bar(appeals=Appeals(replace(DRIVE, raised=2_840_000)))
    assert beyond.sentence == "Summer drive: 28,400 $ of 20,000 $ (142 %)"


def test_who_knows_no_drives_reads_the_month() -> None:
    plain, told = bar().as_json(), bar(appeals=Appeals(DRIVE, MATCH), people=PeopleGoal(200, first=True)).as_json()
    drive, match = told.pop("drive"), told.pop("match")
    assert (told.pop("supporters"), told.pop("supporters_goal")) == (120, 200)
    assert told["labels"].pop("supporters") == "120 of 200 supporters"
    assert told == plain
    assert drive == {
        "name": "Summer drive", "start": "2021-05-14T18:00:00+02:00", "end": "2021-05-16T22:00:00+02:00",
        "goal": 2_000_000, "raised": 124_000, "percent": 6.2, "gifts": 31, "scale": [0, 1_000_000, 2_000_000],
        "labels": {"scale": ["0 $", "10,000 $", "20,000 $"], "goal": "20,000 $", "raised": "1,240 $"},
    }  # fmt: skip
    assert match == {
        "name": "Harbour Foundation", "start": "2021-05-14T18:00:00+02:00", "end": None, "cap": 500_000, "matched": 124_000,
        "labels": {"matched": "Gifts doubled by Harbour Foundation: 1,240 $ of 5,000 $"},
    }  # fmt: skip


def test_a_match_is_said_while_gifts_are_doubled() -> None:
    runs = bar(appeals=Appeals(None, MATCH))
    assert runs.doubled == "Gifts doubled by Harbour Foundation: 1,240 $ of 5,000 $"
    assert runs.doubled_short == "Gifts doubled: 1,240 $ of 5,000 $"
    full = "Gifts are doubled by Harbour Foundation until 5,000 $ is reached: 1,240 $ so far."
    assert runs.doubled_in_full == full
    assert runs.summary == f"May 2021: 340 $ of 5,000 $ · {runs.doubled}"
    assert runs.low
    # It is no part of what was raised.
    assert runs.progress == runs.shown == Progress(34_000, 500_000)


@pytest.mark.parametrize(
    "about",
    [
        {"appeals": Appeals(None, replace(MATCH, raised=500_000))},
        {"stale": True},
        {"campaign": replace(NEWSROOM, paused=True)},
        {"appeals": Appeals()},
    ],
)
def test_it_is_not_said_once_it_is_used_up_nor_while_nobody_can_give_or_know(about: dict[str, Any]) -> None:
    silent = bar(**{"appeals": Appeals(None, MATCH)} | about)
    assert (silent.match, silent.doubled, silent.doubled_short, silent.doubled_in_full) == (None, "", "", "")
    assert "match" not in silent.as_json()
    assert silent.low is silent.stale


def test_a_goal_in_people_stands_in_place_of_the_number_of_gifts() -> None:
    beside = bar(people=PeopleGoal(200))
    assert beside.sentence == "May 2021: 340 $ of 5,000 $"
    assert beside.notes(BarStyle(count=True)) == ["120 of 200 supporters"]
    assert beside.notes(BarStyle()) == []
    assert bar(people=PeopleGoal(1), gifts=-1).supporters == "0 of 1 supporter"


def test_or_the_bar_counts_people_and_says_money_in_its_small_words() -> None:
    first = bar(people=PeopleGoal(200, first=True))
    assert (first.sentence, first.scale) == ("May 2021: 120 of 200 supporters", ("0", "100", "200"))
    assert (first.shown.fill, first.committed_to) == (0.6, 0.6)
    assert first.notes(BarStyle(count=True)) == ["340 $ of 5,000 $"]
    assert replace(first, gifts=200).sentence == "May 2021: 200 of 200 supporters: goal reached"
    assert replace(first, gifts=284).sentence == "May 2021: 284 of 200 supporters (142 %)"
    assert replace(first, people=PeopleGoal(2_000, first=True)).goal == "2,000"
    # A drive has a goal in money alone.
    assert replace(first, appeals=Appeals(DRIVE)).sentence == "Summer drive: 1,240 $ of 20,000 $"


def test_german_says_all_of_it() -> None:
    german = bar(appeals=Appeals(None, MATCH), people=PeopleGoal(200, first=True)).speaking("de_DE")
    assert german.sentence == "Mai 2021: 120 von 200 Unterstützern"
    assert german.doubled == "Harbour Foundation verdoppelt Spenden: 1.240 $ von 5.000 $"
