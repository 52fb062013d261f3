"""Supporters stand as the newest word about them has it, whatever order the words come in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from actors import NEWSROOM
from sqlalchemy import Connection, select

from tracker.giving.facts import Support
from tracker.giving.months import parse_month
from tracker.ledger import models, supports
from tracker.ledger.book import record

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
MAY, JUNE = parse_month("2021-05"), parse_month("2021-06")
DAY = timedelta(days=1)
ADA = Support("sub_1", "newsroom", 500, "USD", "active", NOW + 3 * DAY, None, NOW, False)


def kept(book: Connection) -> Any:
    return book.execute(select(models.support)).one()


def test_the_newest_word_counts_in_every_order(book: Connection) -> None:
    words = [
        replace(ADA, amount=500),
        replace(ADA, amount=700, told_at=NOW + DAY),
        replace(ADA, state="paused", told_at=NOW + 2 * DAY),
        replace(ADA, amount=900, told_at=NOW + 3 * DAY),
    ]
    for order in permutations(words):
        book.execute(models.support.delete())
        for word in order:
            record(book, word, NOW)
        assert (kept(book).amount, kept(book).state) == (900, "active")


def test_what_has_ended_stays_ended(book: Connection) -> None:
    record(book, replace(ADA, state="ended"), NOW)
    assert record(book, replace(ADA, told_at=NOW + DAY), NOW) == "known"
    assert kept(book).state == "ended"


def test_the_same_again_is_known_and_outdates_what_was_said_before_it(book: Connection) -> None:
    assert record(book, ADA, NOW) == "recorded"
    assert record(book, replace(ADA, told_at=NOW + 2 * DAY), NOW) == "known"
    assert record(book, replace(ADA, state="paused", told_at=NOW + DAY), NOW) == "known"
    assert kept(book).state == "active"


def test_a_supporter_of_a_campaign_that_is_not_known_here_is_left_out(book: Connection) -> None:
    assert record(book, replace(ADA, campaign="elsewhere"), NOW) == "waiting"
    assert book.execute(select(models.support)).all() == []


@pytest.mark.parametrize(
    ("changes", "still"),
    [
        ({}, 500),
        ({"state": "failing"}, 0),
        ({"state": "paused"}, 0),
        ({"state": "ended"}, 0),
        ({"next_charge": None}, 0),
        ({"next_charge": NOW - DAY}, 0),
        ({"next_charge": NOW + 30 * DAY}, 0),
        ({"ends": NOW + 2 * DAY}, 0),
        ({"ends": NOW + 20 * DAY}, 500),
        ({"currency": "EUR"}, 0),
        ({"live": True}, 0),
        # Midnight in Berlin is two hours before that in UTC.
        ({"next_charge": datetime(2021, 5, 31, 21, 59, tzinfo=UTC)}, 500),
        ({"next_charge": datetime(2021, 5, 31, 22, 0, tzinfo=UTC)}, 0),
    ],
)
def test_what_is_still_to_come_in_a_month(book: Connection, changes: dict[str, Any], still: int) -> None:
    record(book, replace(ADA, **changes), NOW)
    assert supports.still_to_come(book, NEWSROOM, MAY, False, NOW) == still


def test_several_supporters_add_up(book: Connection) -> None:
    for number in range(3):
        record(book, replace(ADA, key=f"sub_{number}", amount=500 + number), NOW)
    assert supports.still_to_come(book, NEWSROOM, MAY, False, NOW) == 1503
    assert supports.still_to_come(book, NEWSROOM, JUNE, False, NOW) == 0
