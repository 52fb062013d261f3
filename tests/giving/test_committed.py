"""What a supporter will still be charged in a month: only what is due later in it, and not once they have left."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

from tracker.giving.committed import committed
from tracker.giving.facts import Charge
from tracker.giving.months import Month

BERLIN = "Europe/Berlin"
MAY = Month(2021, 5)
NOW = datetime(2021, 5, 14, 12, tzinfo=UTC)
DUE = datetime(2021, 5, 20, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)
MONTHLY = Charge(500, DUE, "month", 1)


def still(*charges: Charge, ends: datetime | None = None, now: datetime = NOW) -> int:
    return committed(charges, ends, MAY, BERLIN, now)


def due(at: datetime, now: datetime = NOW) -> bool:
    return still(replace(MONTHLY, due=at), now=now) == 500


def test_what_is_charged_later_in_the_month_is_still_to_come() -> None:
    assert due(DUE)
    assert due(NOW + SECOND)
    assert not due(NOW)
    assert not due(NOW - SECOND)


def test_the_month_begins_and_ends_at_midnight_on_the_newsrooms_clock() -> None:
    begins, ends = datetime(2021, 4, 30, 22, tzinfo=UTC), datetime(2021, 5, 31, 22, tzinfo=UTC)
    before = begins - timedelta(days=1)
    assert due(begins, before)
    assert not due(begins - SECOND, before)
    assert due(ends - SECOND)
    assert not due(ends)


def test_whoever_leaves_before_being_charged_again_is_not_counted_on() -> None:
    assert still(MONTHLY, ends=DUE + SECOND) == 500
    assert still(MONTHLY, ends=DUE) == 0


def test_what_comes_more_often_than_monthly_counts_as_often_as_it_still_comes() -> None:
    weekly = Charge(100, datetime(2021, 5, 17, 12, tzinfo=UTC), "week", 1)
    assert still(weekly) == 300  # on the 17th, 24th and 31st
    assert still(replace(weekly, count=2)) == 200
    assert still(replace(weekly, interval="day", count=1)) == 1500
    assert still(replace(weekly, due=datetime(2021, 5, 3, 12, tzinfo=UTC))) == 300
    assert still(weekly, ends=datetime(2021, 5, 24, 12, tzinfo=UTC)) == 100


def test_what_is_due_in_another_month_waits_for_that() -> None:
    yearly = Charge(12000, datetime(2021, 11, 30, tzinfo=UTC), "year", 1)
    assert still(MONTHLY, yearly) == 500
    assert still(replace(yearly, due=DUE), MONTHLY) == 12500
    assert still() == 0
