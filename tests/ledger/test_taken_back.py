"""An offline gift that was a mistake comes off again: once, by its opposite, and out of no month that is closed."""

from collections.abc import Iterator
from typing import Any

import pytest
from actors import NEWSROOM, gift_fact, moment, totals
from sqlalchemy import Connection, select

from tracker.giving.months import parse_month
from tracker.ledger import month_closing
from tracker.ledger.book import record
from tracker.ledger.models import entry
from tracker.ledger.reversals import take_back

KEY = "offline:newsroom:test:id:1"
IN_MAY = moment("2021-05-20T12:00")
# Still May in UTC, and June already where the newsroom is.
IN_JUNE = moment("2021-05-31T22:30")


@pytest.fixture(autouse=True)
def _the_book_adds_up(book: Connection) -> Iterator[None]:
    yield
    assert month_closing.differences(book) == []


def the_gift(book: Connection, **about: Any) -> Any:
    # Another one of the same month, which nothing may be taken from.
    record(book, gift_fact("offline:other", 700, kind="offline", live=about.get("live", False)), IN_MAY)
    record(book, gift_fact(KEY, 5000, kind="offline", tier="tin", source="fair", place="hall", **about), IN_MAY)
    return book.execute(select(entry).where(entry.c.key == KEY)).one()


def test_the_opposite_is_like_the_gift_but_for_its_key_its_sign_and_its_moment(book: Connection) -> None:
    gift = the_gift(book)
    assert take_back(book, gift, IN_JUNE) == "recorded"
    row = book.execute(select(entry).where(entry.c.key == f"{KEY}/taken-back")).one()
    differs = {column.name for column in entry.c if getattr(row, column.name) != getattr(gift, column.name)}
    assert differs == {"id", "key", "amount", "told", "at", "recorded_at", "chain"}
    assert (row.amount, row.told, row.at, row.recorded_at) == (-5000, -5000, IN_JUNE, IN_JUNE)
    assert totals(book) == {"2021-05 USD": {"offline": 700, "gifts": 1}}


def test_a_second_time_nothing_happens(book: Connection) -> None:
    gift = the_gift(book)
    assert [take_back(book, gift, IN_JUNE) for _ in range(3)] == ["recorded", "known", "known"]
    assert totals(book) == {"2021-05 USD": {"offline": 700, "gifts": 1}}


def test_a_gift_of_a_closed_month_comes_off_the_month_in_which_that_is_said(book: Connection) -> None:
    gift = the_gift(book)
    month_closing.close(book, NEWSROOM, parse_month("2021-05"), False, IN_JUNE)
    take_back(book, gift, IN_JUNE)
    assert totals(book) == {
        "2021-05 USD": {"offline": 5700, "gifts": 2},
        "2021-06 USD": {"offline": -5000, "gifts": -1},
    }


def test_a_live_gift_comes_off_the_live_month_even_if_that_of_the_test_money_is_closed(book: Connection) -> None:
    gift = the_gift(book, live=True)
    month_closing.close(book, NEWSROOM, parse_month("2021-05"), False, IN_JUNE)
    take_back(book, gift, IN_JUNE)
    assert totals(book, live=True) == {"2021-05 USD": {"offline": 700, "gifts": 1}}
    assert totals(book) == {}
