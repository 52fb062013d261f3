"""The running totals are proven to be the sum of the entries, and made anew where they are not."""

import threading

import pytest
from actors import count, each, gift_fact, moment, refund_fact, totals
from flask import Flask
from sqlalchemy import Connection, text

from tracker.ledger import month_closing
from tracker.ledger.book import record
from tracker.ledger.store import reading, writing

NOW = moment("2021-05-20T12:00")


@pytest.fixture
def kept(book: Connection) -> Connection:
    """A book with two months, both modes and two currencies."""
    for number, changes in enumerate(({}, {"live": True}, {"currency": "EUR"}, {"at": moment("2021-04-02T10:00")})):
        record(book, gift_fact(f"cs_{number}", 1000 + number, **changes), NOW)
    record(book, refund_fact("cs_0", 300), NOW)
    assert month_closing.differences(book) == []
    return book


PLANTED = {
    "a total that is too high": "UPDATE month_total SET once = once + 1 WHERE month = '2021-04'",
    "a total with another gift": "UPDATE month_total SET gifts = gifts + 1 WHERE month = '2021-04'",
    "money moved between columns": "UPDATE month_total SET once = once - 5, offline = 5 WHERE month = '2021-04'",
    "a total that is gone": "DELETE FROM month_total WHERE month = '2021-04'",
    "a total of a month without entries": "UPDATE month_total SET month = '2021-03' WHERE month = '2021-04'",
    "an entry with another amount": "UPDATE entry SET amount = 999999 WHERE key = 'cs_3'",
    "an entry that is gone": "DELETE FROM entry WHERE key = 'cs_3'",
    "an entry in another month": "UPDATE entry SET month = '2021-02' WHERE key = 'cs_3'",
    "an entry of another kind": "UPDATE entry SET kind = 'offline' WHERE key = 'cs_3'",
    "an entry in the other mode": "UPDATE entry SET live = NOT live WHERE key = 'cs_3'",
    "an entry in another currency": "UPDATE entry SET currency = 'GBP' WHERE key = 'cs_3'",
}


@each("planted", PLANTED)
def test_whatever_somebody_edits_is_found_and_mended(kept: Connection, planted: str) -> None:
    kept.execute(text(PLANTED[planted]))
    found = month_closing.differences(kept)
    assert found
    assert "2021-04" in [one.month for one in found]
    assert month_closing.rebuild(kept) == len(found)
    assert month_closing.differences(kept) == []
    assert month_closing.rebuild(kept) == 0


def test_rebuilding_makes_the_same_totals_from_nothing(kept: Connection) -> None:
    before = totals(kept), totals(kept, live=True)
    kept.execute(text("DELETE FROM month_total"))
    assert month_closing.rebuild(kept) == 4
    assert (totals(kept), totals(kept, live=True)) == before


def test_a_difference_says_what_is_kept_and_what_the_entries_come_to(kept: Connection) -> None:
    kept.execute(text("UPDATE month_total SET once = 7 WHERE month = '2021-04'"))
    (found,) = month_closing.differences(kept)
    assert (found.month, found.currency, found.live, found.kept.raised, found.summed.raised) == (
        "2021-04",
        "USD",
        False,
        7,
        1003,
    )


def test_a_gift_that_comes_while_the_proof_is_read_is_no_difference(app: Flask) -> None:
    with writing() as connection:
        record(connection, gift_fact("cs_0"), NOW)

    def give() -> None:
        with app.app_context(), writing() as other:
            record(other, gift_fact("cs_1", 2500), NOW)

    with reading() as connection:
        assert count(connection, "entry") == 1
        donor = threading.Thread(target=give)
        donor.start()
        donor.join()
        # One moment for all that is read together: otherwise entries and totals would differ under load.
        assert totals(connection) == {"2021-05 USD": {"once": 1000, "gifts": 1}}
        assert month_closing.differences(connection) == []
    with reading() as connection:
        assert totals(connection) == {"2021-05 USD": {"once": 3500, "gifts": 2}}
