"""Fees, nets and payouts find their entry, come once, and never move the bar."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

import pytest
from actors import NEWSROOM
from sqlalchemy import Connection, event, func, select

from tracker.giving.facts import BalanceTransaction, Gift, Payout, Reversal
from tracker.ledger import balance_transactions, campaigns, models, month_closing
from tracker.ledger.book import record, retry_pending_for_campaign

NOW = datetime(2021, 5, 20, 12, tzinfo=UTC)
GIFT = Gift("cs_1", "once", "newsroom", 1000, "USD", NOW, False, known_as=("pi_1",))
FEE = BalanceTransaction(
    "txn_1", "gift", ("ch_1", "pi_1"), 1000, 59, 941, "USD", "", NOW, NOW + timedelta(days=2), False
)
REFUND = Reversal("re_1", "refund", -300, "USD", NOW, False, ("pi_1", "ch_1"))
DISPUTE = Reversal("txn_9", "dispute", -700, "USD", NOW, False, ("pi_1",))


def kept(book: Connection) -> list[tuple[Any, ...]]:
    columns = (models.settlement.c[name] for name in ("key", "entry_key", "amount", "fee", "net", "payout"))
    return [tuple(row) for row in book.execute(select(*columns).order_by(models.settlement.c.key))]


def test_a_fee_finds_its_gift_by_its_payment(book: Connection) -> None:
    record(book, GIFT, NOW)
    totals = month_closing.differences(book)
    assert record(book, FEE, NOW) == "recorded"
    assert record(book, FEE, NOW) == "known"
    assert kept(book) == [("txn_1", "cs_1", 1000, 59, 941, "")]
    assert month_closing.differences(book) == totals == []


def test_a_fee_that_comes_before_its_gift_waits_for_it(book: Connection) -> None:
    assert record(book, FEE, NOW) == "waiting"
    assert record(book, FEE, NOW) == "waiting"
    assert kept(book) == []
    record(book, GIFT, NOW)
    assert kept(book) == [("txn_1", "cs_1", 1000, 59, 941, "")]
    assert book.scalar(select(func.count()).select_from(models.waiting)) == 0


@pytest.mark.parametrize(("kind", "key"), [("refund", "re_1"), ("refund_failed", "re_1/failed")])
def test_what_a_refund_came_to_waits_for_the_refund_and_that_for_the_gift(
    book: Connection, kind: Literal["refund", "refund_failed"], key: str
) -> None:
    came_to = replace(FEE, key="txn_2", kind=kind, of=("re_1",), amount=-300, fee=0, net=-300)
    failed = replace(REFUND, key="re_1/failed", amount=300)
    for fact in (came_to, failed, REFUND):
        assert record(book, fact, NOW) == "waiting"
    record(book, GIFT, NOW)
    assert kept(book) == [("txn_2", key, -300, 0, -300, "")]
    assert book.scalar(select(func.count()).select_from(models.waiting)) == 0


def test_a_payout_that_comes_before_the_fees_in_it_is_noted_on_them_when_they_come(book: Connection) -> None:
    payout = Payout("po_1", NOW, ("txn_of_somebody_else", "txn_1"), False)
    assert [record(book, payout, NOW) for _ in range(2)] == ["known", "known"]
    record(book, FEE, NOW)
    record(book, GIFT, NOW)
    assert kept(book) == [("txn_1", "cs_1", 1000, 59, 941, "po_1")]
    row = book.execute(select(models.settlement)).one()
    assert row.paid_out_on == NOW
    # Somebody else's is forgotten in time.
    assert balance_transactions.forget_payout_lines(book, NOW + timedelta(days=1)) == 1
    assert book.scalar(select(func.count()).select_from(models.payout_line)) == 0


def test_test_money_settles_no_live_gift(book: Connection) -> None:
    record(book, replace(GIFT, live=True), NOW)
    assert record(book, FEE, NOW) == "waiting"
    assert record(book, replace(FEE, live=True), NOW) == "recorded"


@pytest.mark.parametrize(
    ("kind", "of", "entry_key"),
    [("refund", "re_1", "re_1"), ("refund_failed", "re_1", "re_1/failed"), ("dispute", "txn_9", "txn_9")],
)
def test_what_was_taken_back_settles_under_its_own_key(
    book: Connection, kind: Literal["refund", "refund_failed", "dispute"], of: str, entry_key: str
) -> None:
    for fact in (GIFT, REFUND, replace(REFUND, key="re_1/failed", amount=300), DISPUTE):
        record(book, fact, NOW)
    settled = replace(FEE, key="txn_9" if kind == "dispute" else "txn_2", kind=kind, of=(of,), amount=-300, net=-359)
    assert record(book, settled, NOW) == "recorded"
    assert kept(book)[0][1] == entry_key


def test_a_disputes_fee_waits_with_it_for_the_gift(book: Connection) -> None:
    settled = replace(FEE, key="txn_9", kind="dispute", of=("txn_9",), amount=-700, fee=1500, net=-2200)
    for fact in (DISPUTE, settled, settled, DISPUTE):
        assert record(book, fact, NOW) == "waiting"
    assert record(book, GIFT, NOW) == "recorded"
    assert kept(book) == [("txn_9", "txn_9", -700, 1500, -2200, "")]
    assert book.scalar(select(func.count()).select_from(models.waiting)) == 0


def test_a_disputes_fee_waits_for_a_campaign_too(book: Connection) -> None:
    record(book, replace(GIFT, campaign="later"), NOW)
    record(book, DISPUTE, NOW)
    record(book, replace(FEE, key="txn_9", kind="dispute", of=("txn_9",), amount=-700, fee=1500, net=-2200), NOW)
    campaigns.save(book, replace(NEWSROOM, slug="later"))
    retry_pending_for_campaign(book, "later", NOW)
    assert [row[1] for row in kept(book)] == ["txn_9"]


def test_a_payout_marks_what_is_in_it_and_leaves_the_rest(book: Connection) -> None:
    record(book, GIFT, NOW)
    record(book, FEE, NOW)
    payout = Payout("po_1", NOW, ("txn_of_somebody_else", "txn_1"), False)
    assert record(book, payout, NOW) == "recorded"
    assert record(book, payout, NOW) == "known"
    assert kept(book)[0][-1] == "po_1"
    assert record(book, replace(payout, key="po_2", settled=("txn_7",)), NOW) == "known"


def test_a_payout_may_hold_more_than_a_statement(book: Connection) -> None:
    longest = {lines: _longest_statement(book, lines) for lines in (1_500, 4_500)}
    assert kept(book)[0][-1] == "po_4500"
    # However much is in a payout, no statement takes more for it. SQLite of old took 999 parameters.
    assert longest[4_500] == longest[1_500] < 999


def _longest_statement(book: Connection, lines: int) -> int:
    """How many parameters the longest statement has that records a payout of so many, with our gift the last of them."""
    for fact in (GIFT, FEE):
        record(book, fact, NOW)
    taken: list[int] = []

    def count(_connection: Any, _cursor: Any, _statement: str, parameters: Any, _context: Any, many: bool) -> None:
        taken.append(max(map(len, parameters)) if many else len(parameters))

    connection = book.connection()
    event.listen(connection, "before_cursor_execute", count)
    settled = (*(f"txn_of_others_{number}" for number in range(lines - 1)), "txn_1")
    assert record(book, Payout(f"po_{lines}", NOW, settled, False), NOW) == "recorded"
    event.remove(connection, "before_cursor_execute", count)
    return max(taken)


def test_entries_that_should_have_a_fee_by_now_are_counted(book: Connection) -> None:
    later = NOW + timedelta(days=4)
    for fact in (GIFT, replace(GIFT, key="cs_2", known_as=()), replace(GIFT, key="offline:1", kind="offline"), FEE):
        record(book, fact, NOW)
    assert balance_transactions.without(book, False, later) == (1, NOW)
    assert balance_transactions.without(book, False, NOW) == (0, None)
    assert balance_transactions.without(book, True, later) == (0, None)
