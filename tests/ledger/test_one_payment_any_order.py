"""All that Stripe tells of one payment, in every order and each of it up to three times, ends in one and the same state."""

import os
from collections.abc import Callable
from datetime import UTC, datetime
from functools import cache
from typing import Any

import pytest
from actors import count, totals
from happenings import DAY, SLOW_REFUND_CARD, Account, plain_sum, told_by
from hypothesis import given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from tracker.gateway import events
from tracker.ledger import book, month_closing

# With `make test-long` fifty thousand on each database, in pieces: one alone grows slower as it remembers what it tried.
LONG = bool(os.environ.get("TEST_LONG"))
SEEDS = range(3, 23) if LONG else [3]
EXAMPLES = 2_500 if LONG else 60
PAID = int(datetime(2021, 5, 30, tzinfo=UTC).timestamp())
NOW = datetime(2021, 8, 20, tzinfo=UTC)

Life = Callable[[Account], object]


def days_pass(account: Account) -> None:
    account.passes(DAY)


def refunded(amount: int) -> Life:
    return lambda account: account.refunds(account.gifts[0], amount)


def disputed(amount: int, *, inquiry: bool = False) -> Life:
    return lambda account: account.disputes(account.gifts[0], amount, inquiry=inquiry)


def decided(*, won: bool) -> Life:
    return lambda account: account.decides(account.gifts[0], won=won)


def refund_fails(account: Account) -> None:
    account.a_refund_fails(account.gifts[0])


def inquiry_grows(account: Account) -> None:
    account.an_inquiry_becomes_a_dispute(account.gifts[0])


def given_once(account: Account) -> None:
    account.gives(5000)


def given_each_month(account: Account) -> None:
    account.subscribes(5000)


LIVES: dict[str, tuple[Life, ...]] = {
    "paid": (given_once,),
    "monthly": (given_each_month,),
    "debit that comes": (lambda account: account.gives_by_debit(5000),),
    "debit that fails": (lambda account: account.gives_by_debit(5000, fails=True),),
    "refunded in two parts": (given_once, refunded(1500), refunded(3500)),
    "monthly refunded": (given_each_month, refunded(5000)),
    "refund pends": (lambda account: account.gives(5000, card=SLOW_REFUND_CARD), refunded(5000)),
    "refund fails": (given_once, refunded(5000), refund_fails),
    "refunded again after failing": (given_once, refunded(5000), refund_fails, refunded(2000)),
    "monthly refund fails": (given_each_month, refunded(5000), refund_fails),
    "dispute lost": (given_once, disputed(5000), decided(won=False)),
    "dispute won": (given_once, disputed(5000), decided(won=True)),
    "monthly dispute won": (given_each_month, disputed(5000), decided(won=True)),
    "disputed in part": (given_once, disputed(1200)),
    "inquiry": (given_once, disputed(5000, inquiry=True), decided(won=True)),
    "inquiry grows": (given_once, disputed(5000, inquiry=True), inquiry_grows),
    "refunded, then disputed whole": (given_once, refunded(3000), disputed(5000)),
    "refunded, then disputed whole and won": (given_once, refunded(3000), disputed(5000), decided(won=True)),
    "refund fails while disputed": (given_once, refunded(3000), disputed(5000), refund_fails),
    "renewed": (given_each_month, lambda account: account.renews(0)),
    "live": (lambda account: account.gives(5000, live=True), refunded(700)),
    "a stranger's": (lambda account: account.a_stranger_gives(5000, monthly=False),),
}


@cache
def lived(name: str) -> tuple[Account, tuple[dict[str, Any], ...]]:
    """The account on which it happened, and every event that was sent of it."""
    account = Account(PAID)
    told = []
    for happens in LIVES[name]:
        happens(account)
        told += account.new_events()
        days_pass(account)
    told += account.new_events()
    return account, tuple(event for event in told if event["type"] in events.TOLD_BY)


@pytest.mark.parametrize("number", SEEDS)
def test_every_order_and_repetition_of_one_payments_events_ends_the_same(book_of_all: Connection, number: int) -> None:
    @seed(number)
    @settings(max_examples=EXAMPLES, deadline=None, database=None)
    @given(name=st.sampled_from(sorted(LIVES)), data=st.data())
    def ends_the_same(name: str, data: st.DataObject) -> None:
        account, told = lived(name)
        times = data.draw(st.lists(st.integers(1, 3), min_size=len(told), max_size=len(told)), label="times")
        sent = [event for event, often in zip(told, times, strict=True) for _ in range(often)]
        with book_of_all.begin_nested() as this_life:
            for event in data.draw(st.permutations(sent), label="order"):
                read = events.as_event(event)
                came = book.Delivery(read.id, read.type, read.api_version, read.live, read.created, b"{}")
                book.receive(book_of_all, came, events.to_facts(read), events.is_ours(read), NOW)
            is_told_of(book_of_all, name, account, told)
            this_life.rollback()

    ends_the_same()


def is_told_of(connection: Connection, name: str, account: Account, told: tuple[dict[str, Any], ...]) -> None:
    """The book says what happened on the account, each thing once, beside what evens out two of them."""
    for live in (False, True):
        assert totals(connection, live=live) == plain_sum(account, live, month)
    assert month_closing.differences(connection) == []
    assert name == "a stranger's" or count(connection, "waiting") == 0
    assert count(connection, "delivery") == len(told)
    keys = {key for event in told for key in told_by(event) if not key.startswith("link ")}
    booked = set(connection.scalars(text("SELECT key FROM entry WHERE told <> 0")))
    assert booked == (set() if name == "a stranger's" else keys)


def month(at: int) -> str:
    """In Berlin, where the newsroom is; none of these gifts is near the edge of a month."""
    return datetime.fromtimestamp(at, UTC).strftime("%Y-%m")


@pytest.fixture
def book_of_all(book: Connection) -> Connection:
    for name in LIVES:
        lived(name)
    return book
