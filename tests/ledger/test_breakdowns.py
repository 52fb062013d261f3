"""What a month breaks down into is the same before and after it was added up, and is what its entries come to."""

from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
from actors import MAY, NEWSROOM, dispute_fact, gift_fact, moment, refund_fact
from flask import Flask
from sqlalchemy import Connection, select, text, update

from tracker.giving.breakdown import Breakdown, sums_in
from tracker.giving.facts import BalanceTransaction, Payout
from tracker.giving.import_map import IMPORTED
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import breakdowns, campaigns, month_closing, month_figures, results, same_day, settled_totals
from tracker.ledger.book import record
from tracker.ledger.breakdown_models import day_total, settled_total
from tracker.ledger.models import entry
from tracker.ledger.offline_gifts import write_down
from tracker.ledger.reversals import take_back
from tracker.ledger.store import reading, writing

NOW = moment("2021-05-20T12:00")
MONTH, APRIL = parse_month("2021-05"), parse_month("2021-04")


def read(book: Connection, months: tuple[object, ...] = (MONTH, APRIL)) -> Breakdown:
    found = breakdowns.of_months(book, NEWSROOM, False, months)  # type: ignore[arg-type]
    return Breakdown(*({key: row for key, row in part.items() if any(row.values())} for part in vars(found).values()))


def cheque(book: Connection, own_id: str) -> None:
    write_down(book, [offline_gift(NEWSROOM, False, NOW.date(), 5000, "", own_id)], NOW)


def happen(book: Connection, seed: int) -> None:
    """A few weeks of all that can happen, and some of it added up meanwhile."""
    dice = Random(seed)
    for number in range(40):
        key, at = f"cs_{number}", MAY - timedelta(hours=dice.randrange(900))
        kind = dice.choice(["once", "once", "monthly", "yearly"])
        about = {"tier": dice.choice(["1000", "other", ""]), "source": dice.choice(["a-1", "a-2", ""]), "place": "top"}
        amount = dice.choice([500, 1000, 1000, 2500, 1234])
        record(book, gift_fact(key, amount, kind=kind, at=at, **about), NOW)
        if dice.random() < 0.2:
            record(
                book, refund_fact(key, dice.choice([100, 400, 9000]), f"re_{number}", at=at + timedelta(days=9)), NOW
            )
        if dice.random() < 0.1:
            record(book, dispute_fact(key, 300, f"txn_{number}", at=at + timedelta(days=2)), NOW)
        if dice.random() < 0.2:
            breakdowns.add_up(book, dice.randrange(1, 9))
    record(book, gift_fact("cs_euro", 900, currency="EUR"), NOW)
    record(book, gift_fact("cs_live", 900, live=True), NOW)
    # Stripe told of this one later, too.
    record(book, gift_fact(f"{IMPORTED}stripe:newsroom:test:id:ch_1", 700, source="a-1", place="top"), NOW)
    imported = book.execute(select(entry).where(entry.c.key.startswith(IMPORTED))).one()
    take_back(book, imported, NOW)


@pytest.mark.parametrize("seed", [1, 2, 3])
def test_it_is_the_same_before_and_after_it_was_added_up(book: Connection, seed: int) -> None:
    happen(book, seed)
    before = read(book)
    while breakdowns.add_up(book, 7):
        assert read(book) == before
    assert breakdowns.differences(book) == 0
    assert book.scalar(text("SELECT count(*) FROM day_total")) > 10
    breakdowns.forget(book)
    assert read(book) == before


@pytest.mark.parametrize("seed", [4, 5])
def test_days_amounts_and_places_add_up_to_the_month(book: Connection, seed: int) -> None:
    happen(book, seed)
    breakdowns.add_up(book, 20)
    found = read(book)
    for month in (MONTH, APRIL):
        sums = results.result(book, NEWSROOM, month, False).sums
        assert sums_in(*found.days_of(month).values()) == sums
        amounts = found.amounts_of(month).values()
        assert sum(row["gifts"] for row in amounts) == sums.gifts
        assert sum(row["given"] for row in amounts) == sums.once + sums.monthly + sums.yearly + sums.offline
        assert sum(row["given"] for row in found.places_of(month).values()) == sums.raised - sums.offline


def test_a_tampered_row_is_found_and_made_right_again(book: Connection) -> None:
    happen(book, 6)
    before = read(book)
    while breakdowns.add_up(book):
        pass
    book.execute(update(day_total).where(day_total.c.day == 14).values(gifts=day_total.c.gifts + 1))
    assert breakdowns.differences(book) > 0
    assert breakdowns.rebuild(book) > 0
    assert (breakdowns.differences(book), read(book)) == (0, before)
    assert breakdowns.rebuild(book) == 0


def test_days_follow_the_newsrooms_clock_also_when_it_is_moved(book: Connection) -> None:
    record(book, gift_fact("cs_1", 1000, at=moment("2021-05-10T22:30")), NOW)
    breakdowns.add_up(book)
    assert list(read(book).days_of(MONTH)) == [11]
    campaigns.save(book, replace(NEWSROOM, time_zone="America/New_York"))
    assert list(read(book).days_of(MONTH)) == [10]
    breakdowns.add_up(book)
    assert list(read(book).days_of(MONTH)) == [10]


def test_what_is_booked_elsewhere_counts_on_the_first_or_the_last_day(book: Connection) -> None:
    record(book, gift_fact("cs_1", 1000, at=moment("2021-04-10T10:00")), NOW)
    record(book, refund_fact("cs_1", 100, "re_1", at=moment("2021-05-03T10:00")), NOW)
    month_closing.close(book, NEWSROOM, APRIL, False, NOW)
    record(book, gift_fact("cs_late", 700, at=moment("2021-04-11T10:00")), NOW)
    assert [list(read(book).days_of(month)) for month in (APRIL, MONTH)] == [[10, 30], [1]]
    for until, raised in (("2021-04-30T12:00", 1000), ("2021-05-01T00:00", 900)):
        assert same_day.sums_until(book, NEWSROOM, False, APRIL, moment(until)).raised == raised


def test_an_offline_gift_that_was_taken_back_was_never_made(book: Connection) -> None:
    for number in (1, 2):
        cheque(book, str(number))
    (first, _) = results.entries(book, NEWSROOM, MONTH, False)
    take_back(book, first, NOW)
    assert [(key[-3:], row) for key, row in read(book).amounts.items()] == [
        (("offline", "", 5000), {"gifts": 1, "given": 5000})
    ]


# --- What it came to at Stripe ----------------------------------------------------------------------------------------


def settled(key: str, gift: str, amount: int = 1000, fee: int = 50, **changes: object) -> BalanceTransaction:
    values = {
        "kind": "gift", "of": (f"pi_{gift}",), "currency": "USD", "rate": "", "at": MAY, "available_on": MAY, "live": False,
    }  # fmt: skip
    return BalanceTransaction(key=key, amount=amount, fee=fee, net=amount - fee, **values | changes)  # type: ignore[arg-type]


def money(book: Connection) -> month_figures.Money:
    return month_figures.figures(book, NEWSROOM, MONTH, False, NOW).own.money


def test_the_money_of_a_month_ties_to_the_payouts(book: Connection) -> None:
    for key in ("cs_1", "cs_2", "cs_3", "cs_4"):
        record(book, gift_fact(key, 1000), NOW)
    record(book, refund_fact("cs_4", 300), NOW)
    cheque(book, "1")
    for number in (1, 2, 4):
        record(book, settled(f"txn_{number}", f"cs_{number}"), NOW)
    record(book, settled("txn_re", "", -300, 0, kind="refund", of=("re_1",)), NOW)
    record(book, Payout("po_1", MAY + timedelta(days=3), ("txn_1", "txn_4", "txn_elsewhere"), False), NOW)
    found = money(book)
    assert (found.raised, found.offline, found.told, found.settled) == (8700, 5000, 3700, 2700)
    assert (found.unsettled, found.unsettled_of, found.beyond, found.outside) == (1000, 1, 0, 0)
    (balance,) = found.balances
    assert (balance.gross, balance.fee, balance.net, balance.difference) == (2700, 150, 2550, 0)
    assert [(one.key, one.entries, one.net) for one in balance.payouts] == [("po_1", 2, 1900)]
    assert balance.in_balance
    assert (balance.in_balance.entries, balance.in_balance.net) == (2, 650)
    assert settled_totals.differences(book) == 0
    # The rest is paid out, the first payout again, and one that was in another.
    record(book, Payout("po_2", MAY + timedelta(days=4), ("txn_2", "txn_re"), False), NOW)
    record(book, Payout("po_1", MAY + timedelta(days=3), ("txn_1", "txn_4", "txn_elsewhere"), False), NOW)
    (balance,) = money(book).balances
    assert [(one.key, one.net) for one in balance.payouts] == [("po_1", 1900), ("po_2", 650)]
    assert balance.in_balance is None
    assert settled_totals.differences(book) == 0


def test_a_payout_that_came_first_and_a_second_settlement_are_added_up_as_well(book: Connection) -> None:
    record(book, gift_fact("cs_1", 1000), NOW)
    record(book, Payout("po_1", MAY, ("txn_2",), False), NOW)
    record(book, settled("txn_2", "cs_1", 600, 30), NOW)
    record(book, settled("txn_1", "cs_1", 400, 20), NOW)
    (balance,) = money(book).balances
    assert (balance.entries, balance.told, balance.gross, balance.fee, balance.difference) == (1, 1000, 1000, 50, 0)
    assert settled_totals.differences(book) == 0


def test_other_currencies_of_the_balance_are_not_held_against_the_book(book: Connection) -> None:
    record(book, gift_fact("cs_1", 1000), NOW)
    record(book, settled("txn_1", "cs_1", 930, 30, currency="EUR", rate="0.93"), NOW)
    found = money(book)
    assert found.own is None
    assert [(one.currency, one.converted, one.told, one.difference) for one in found.balances] == [
        ("EUR", True, 1000, 0)
    ]


def test_tampered_settled_sums_are_found_and_made_right_again(book: Connection) -> None:
    record(book, gift_fact("cs_1", 1000), NOW)
    record(book, settled("txn_1", "cs_1"), NOW)
    book.execute(update(settled_total).values(fee=1))
    assert settled_totals.differences(book) == 1
    assert settled_totals.rebuild(book) == 1
    assert (settled_totals.differences(book), settled_totals.rebuild(book)) == (0, 0)


# --- While the app runs -----------------------------------------------------------------------------------------------


def test_the_rest_is_added_up_in_parts_once_there_is_enough(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    with writing() as session:
        for number in range(8):
            record(session, gift_fact(f"cs_{number}"), NOW)
    breakdowns.keep_up(enough=9)
    with reading() as session:
        assert session.scalar(text("SELECT count(*) FROM broken_down")) == 0
    monkeypatch.setattr(breakdowns, "AT_ONCE", 3)
    breakdowns.keep_up(enough=1)
    with reading() as session:
        assert session.scalar(text("SELECT entry_id FROM broken_down")) == 8
        assert session.scalar(text("SELECT sum(gifts) FROM day_total")) == 8
