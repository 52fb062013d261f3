"""A month that was closed by mistake can be opened again, and then counts like any other."""

import pytest
from actors import NEWSROOM, gift_fact, moment, refund_fact, totals
from sqlalchemy import Connection

from tracker.giving.months import parse_month
from tracker.ledger import month_closing
from tracker.ledger.book import record

MAY = parse_month("2021-05")
IN_JUNE = moment("2021-06-10T12:00")


@pytest.mark.parametrize("kind", ["gift", "refund"])
def test_a_reopened_month_takes_what_belongs_to_it_again(book: Connection, kind: str) -> None:
    record(book, gift_fact("cs_1", 1000), IN_JUNE)
    month_closing.close(book, NEWSROOM, MAY, False, IN_JUNE)
    record(book, refund_fact("cs_1", 100, "re_1", at=IN_JUNE), IN_JUNE)
    month_closing.reopen(book, NEWSROOM, MAY, False, IN_JUNE)
    fact = gift_fact("cs_2", 50) if kind == "gift" else refund_fact("cs_1", 50, "re_2", at=IN_JUNE)
    record(book, fact, IN_JUNE)
    # What was booked elsewhere while it was closed stays there: entries never move.
    assert totals(book)["2021-06 USD"] == {"refunds": 100}
    expected = {"once": 1050, "gifts": 2} if kind == "gift" else {"once": 1000, "refunds": 50, "gifts": 1}
    assert totals(book)["2021-05 USD"] == expected
    assert month_closing.differences(book) == []
