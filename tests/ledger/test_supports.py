"""Supporters stand as the newest word about them has it, whatever order the words come in."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import permutations
from typing import Any

import pytest
from actors import NEWSROOM, each, gift_fact
from sqlalchemy import Connection, select

from tracker.giving.facts import Charge, Subscription
from tracker.giving.months import parse_month
from tracker.ledger import models, subscriptions
from tracker.ledger.book import record

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
MAY, JUNE = parse_month("2021-05"), parse_month("2021-06")
DAY = timedelta(days=1)
ADA = Subscription("sub_1", "newsroom", 500, "USD", "active", NOW + 3 * DAY, None, NOW, False)


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


def asked_for(book: Connection) -> list[tuple[str, str]]:
    return [tuple(row) for row in book.execute(select(models.pending_fetch.c.kind, models.pending_fetch.c.key))]  # type: ignore[misc]


def test_of_two_words_of_one_second_the_beginning_is_the_older(book: Connection) -> None:
    began = replace(ADA, state="failing", rank=0)
    for order in ((began, ADA), (ADA, began)):
        book.execute(models.support.delete())
        for word in order:
            record(book, word, NOW)
        assert kept(book).state == "active"
    assert asked_for(book) == []


def test_two_different_words_of_one_second_have_stripe_asked(book: Connection) -> None:
    record(book, replace(ADA, state="failing"), NOW)
    record(book, ADA, NOW)
    assert kept(book).state == "active"
    assert asked_for(book) == [("subscription", "sub_1")]
    # As it stands says Stripe, whose clock need not be ours; what is told of later still counts.
    subscriptions.record_answer(book, replace(ADA, state="paused", told_at=NOW + 9 * DAY))
    assert (kept(book).state, kept(book).told_at) == ("paused", NOW)
    record(book, replace(ADA, amount=900, told_at=NOW + DAY), NOW)
    assert (kept(book).state, kept(book).amount) == ("active", 900)


def test_coupons_that_are_only_named_have_stripe_asked(book: Connection) -> None:
    record(book, replace(ADA, is_whole=False), NOW)
    assert asked_for(book) == [("subscription", "sub_1")]


def test_an_end_is_heard_whenever_it_is_told_and_whatever_it_comes_to(book: Connection) -> None:
    record(book, replace(ADA, amount=0, next_charge=None), NOW)
    record(book, replace(ADA, amount=0, told_at=NOW + 3 * DAY), NOW)
    assert record(book, replace(ADA, amount=0, state="ended", told_at=NOW + DAY), NOW) == "recorded"
    assert kept(book).state == "ended"
    subscriptions.record_answer(book, ADA)
    assert kept(book).state == "ended"


def still(book: Connection, now: datetime = NOW) -> int:
    return subscriptions.still_to_come(book, NEWSROOM, MAY, False, now)


def test_what_was_asked_for_and_is_not_paid_yet_is_still_to_come_until_it_is_in_the_book(book: Connection) -> None:
    billed = replace(ADA, next_charge=NOW + 30 * DAY, invoice="in_7", billed=700, billed_at=NOW - DAY)
    record(book, billed, NOW)
    assert still(book) == 700
    # A debit takes days; after two weeks nobody counts on it.
    assert still(book, NOW + 12 * DAY) == 700
    assert still(book, NOW + 13 * DAY) == 0
    assert subscriptions.still_to_come(book, NEWSROOM, JUNE, False, NOW) == 500
    record(book, gift_fact("in_7", 700, kind="monthly"), NOW)
    assert still(book) == 0


@pytest.mark.parametrize("state", ["failing", "paused", "ended"])
def test_what_was_asked_of_a_supporter_who_does_not_pay_is_not_still_to_come(book: Connection, state: Any) -> None:
    record(book, replace(ADA, state=state, next_charge=None, invoice="in_7", billed=700, billed_at=NOW - DAY), NOW)
    assert still(book) == 0


def test_charges_of_other_intervals_count_on_their_own_days(book: Connection) -> None:
    charges = (Charge(500, NOW + 3 * DAY, "month", 1), Charge(12000, NOW + 200 * DAY, "year", 1))
    record(book, replace(ADA, charges=charges), NOW)
    assert still(book) == 500
    weekly = (Charge(100, NOW + 3 * DAY, "week", 1),)
    record(book, replace(ADA, amount=100, charges=weekly, told_at=NOW + DAY), NOW)
    # On the 17th, 24th and 31st.
    assert still(book) == 300
    record(book, replace(ADA, amount=100, charges=weekly, told_at=NOW + 2 * DAY, ends=NOW + 4 * DAY), NOW)
    assert still(book) == 100


@each(
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
    assert subscriptions.still_to_come(book, NEWSROOM, MAY, False, NOW) == still


def test_several_supporters_add_up(book: Connection) -> None:
    for number in range(3):
        record(book, replace(ADA, key=f"sub_{number}", amount=500 + number), NOW)
    assert subscriptions.still_to_come(book, NEWSROOM, MAY, False, NOW) == 1503
    assert subscriptions.still_to_come(book, NEWSROOM, JUNE, False, NOW) == 0
