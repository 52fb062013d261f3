"""What monthly supporters will still give: only what is due later in the month, and would not have ended before."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tracker.giving.committed import committed, is_still_to_come
from tracker.giving.facts import Support
from tracker.giving.months import Month

BERLIN = "Europe/Berlin"
MAY = Month(2021, 5)
NOW = datetime(2021, 5, 14, 12, tzinfo=UTC)
DUE = datetime(2021, 5, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
SUPPORT = Support("sub_1", "newsroom", 500, "USD", "active", DUE, None, NOW, False)


def due(at: datetime | None, now: datetime = NOW) -> bool:
    return is_still_to_come(replace(SUPPORT, next_charge=at), MAY, BERLIN, now)


def test_an_active_supporter_who_is_charged_later_in_the_month_still_gives() -> None:
    assert due(DUE)
    assert due(NOW + SECOND)
    assert not due(NOW)
    assert not due(NOW - SECOND)
    assert not due(None)


def test_the_month_begins_and_ends_at_midnight_on_the_newsrooms_clock() -> None:
    begins, ends = datetime(2021, 4, 30, 22, tzinfo=UTC), datetime(2021, 5, 31, 22, tzinfo=UTC)
    before = begins - timedelta(days=1)
    assert due(begins, before)
    assert not due(begins - SECOND, before)
    assert due(ends - SECOND)
    assert not due(ends)


@pytest.mark.parametrize("state", ["failing", "paused", "ended"])
def test_whoever_is_not_active_is_not_counted_on(state: str) -> None:
    assert not is_still_to_come(replace(SUPPORT, state=state), MAY, BERLIN, NOW)  # type: ignore[arg-type]


def test_whoever_leaves_before_being_charged_again_is_not_counted_on() -> None:
    assert is_still_to_come(replace(SUPPORT, ends=DUE + SECOND), MAY, BERLIN, NOW)
    assert not is_still_to_come(replace(SUPPORT, ends=DUE), MAY, BERLIN, NOW)


def test_it_is_the_sum_of_those() -> None:
    others = [replace(SUPPORT, amount=2000), replace(SUPPORT, amount=300, state="paused"), SUPPORT]
    assert committed(others, MAY, BERLIN, NOW) == 2500
    assert committed([], MAY, BERLIN, NOW) == 0
