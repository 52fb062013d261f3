"""How a month is getting on: the same day of other months, and what it may come to."""

from datetime import UTC, datetime

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.giving.months import Month
from tracker.giving.pace import Projection, days_in, percent_ahead, project, rounded, running, same_moment

AMOUNTS = st.integers(-(10**6), 10**7)
DAYS = st.lists(AMOUNTS, min_size=1, max_size=28)
MONTHS = st.builds(Month, st.integers(1971, 2090), st.integers(1, 12))
ZONES = st.sampled_from(
    ["UTC", "Europe/Berlin", "Asia/Kolkata", "America/St_Johns", "Pacific/Apia", "Africa/Casablanca"]
)


@given(st.dictionaries(st.integers(1, 31), AMOUNTS), st.integers(0, 31))
@settings(max_examples=examples(100))
def test_each_day_has_all_that_was_raised_by_then(by_day: dict[int, int], days: int) -> None:
    found = running(by_day, days)
    assert len(found) == days
    for day, amount in enumerate(found, 1):
        assert amount == sum(one for on, one in by_day.items() if on <= day)


@given(MONTHS, MONTHS, ZONES, st.integers(0, 31 * 24 * 60 - 1))
@settings(max_examples=examples(200))
def test_the_same_moment_lies_in_the_other_month_or_at_its_end(
    this: Month, other: Month, zone: str, minutes: int
) -> None:
    minutes = min(minutes, days_in(this) * 24 * 60 - 180)
    now = datetime.fromtimestamp(this.first_moment(zone).timestamp() + minutes * 60, UTC)
    found = same_moment(now, zone, this, other)
    assert other.first_moment(zone) <= found <= other.next.first_moment(zone)


def test_the_same_moment_is_that_on_the_wall() -> None:
    at = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
    assert same_moment(at, "Europe/Berlin", Month(2021, 5), Month(2020, 12)) == datetime(
        2020, 12, 14, 10, 31, tzinfo=UTC
    )
    end = datetime(2021, 3, 30, 9, 31, tzinfo=UTC)
    assert same_moment(end, "UTC", Month(2021, 3), Month(2021, 2)) == datetime(2021, 3, 1, tzinfo=UTC)


@pytest.mark.parametrize(
    ("raised", "before", "percent"),
    [(150, 100, 50), (100, 100, 0), (1005, 1000, 0), (995, 1000, 0), (15, 100, -85), (-50, 100, -150), (5, 0, None), (5, -5, None)],
)  # fmt: skip
def test_how_far_ahead_a_month_is_is_rounded_towards_nothing(raised: int, before: int, percent: int | None) -> None:
    assert percent_ahead(raised, before) == percent


# --- What it may come to ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("day", "gifts", "ordinary"), [(4, 100, [1]), (20, 9, [1]), (20, 100, [])])
def test_nothing_is_said_while_there_is_too_little_to_go_on(day: int, gifts: int, ordinary: list[int]) -> None:
    assert project(1000, gifts, day, 10, 0, ordinary) is None


def test_ordinary_days_and_regular_supporters_make_the_range() -> None:
    # Ten days at 100, and nine tenths of 1,000 for certain.
    assert project(5000, 30, 20, 10, 1000, [100] * 28) == Projection(5000 + 900 + 1000, 5000 + 1000 + 1000)
    # Days of 0 and 200 have the same mean, and vary by 100 each: by 100 times the root of ten in ten days.
    assert project(5000, 30, 20, 10, 0, [0, 200] * 14) == Projection(6000 - 316, 6000 + 316)


@given(AMOUNTS, st.integers(10, 10**6), st.integers(5, 31), st.integers(0, 26), st.integers(0, 10**7), DAYS)
@settings(max_examples=examples(200))
def test_a_range_is_a_range_and_holds_what_is_certain(
    raised: int, gifts: int, day: int, left: int, to_come: int, ordinary: list[int]
) -> None:
    found = project(raised, gifts, day, left, to_come, ordinary)
    assert found is not None
    assert raised + to_come * 9 // 10 <= found.low <= found.high
    outwards = rounded(found, raised)
    assert outwards.low <= found.low <= found.high <= outwards.high
    assert outwards.low >= min(raised, found.low)
    more = project(raised, gifts, day, left, to_come + 1000, ordinary)
    assert more is not None
    assert more.low >= found.low
    assert more.high >= found.high


def test_on_the_last_day_only_what_is_on_its_way_may_still_come() -> None:
    assert project(5000, 30, 31, 0, 200, [100, 900, 0]) == Projection(5180, 5200)
    assert rounded(Projection(5180, 5230), 5000) == Projection(5100, 5300)
    assert rounded(Projection(5180, 5230), 5150) == Projection(5150, 5300)
