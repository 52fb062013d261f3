"""Fee, net and payout reach their entry in whatever order things are told, and after a crash."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from account import Account
from flask import Flask
from sqlalchemy import func, select

from tracker import create_app
from tracker.ledger.models import entry, pending_fetch, settlement
from tracker.ledger.store import db, reading
from tracker.reconcile import tie_out
from tracker.settings import read_settings
from tracker.web.webhook import fee_fetcher

LATER = timedelta(minutes=2)


def now() -> datetime:
    return datetime.now(UTC)


def settled() -> list[tuple[str, int, int]]:
    """Kind, fee and net of each entry that has any, oldest first."""
    with reading() as connection:
        joined = entry.join(settlement, settlement.c.entry_key == entry.c.key)
        rows = connection.execute(
            select(entry.c.kind, settlement.c.fee, settlement.c.net).select_from(joined).order_by(entry.c.id)
        )
        return [tuple(row) for row in rows]  # type: ignore[misc]


def still_to_ask() -> int:
    with reading() as connection:
        return int(connection.scalar(select(func.count()).select_from(pending_fetch)) or 0)


@pytest.fixture
def quiet(hooked: Account) -> Account:
    """The account, whose events are told only when a test says so."""
    return hooked


def gives_untold(account: Account, **how: Any) -> dict[str, Any]:
    session = account.sandbox.create_checkout_session(account.asks(1000, **how))
    paid = account.sandbox.pay(session["id"])
    account.sandbox.run_due(hurry=True)
    return paid


@pytest.mark.parametrize("monthly", [False, True])
def test_a_fee_that_is_told_of_before_its_gift_is_asked_for_once_the_gift_is_there(
    quiet: Account, monthly: bool
) -> None:
    gives_untold(quiet, monthly=monthly)
    quiet.tells(first="charge.updated")
    fee_fetcher.fetch_due(now() + LATER)
    assert settled() == [("monthly" if monthly else "once", 59, 941)]
    assert still_to_ask() == 0


def test_a_fee_is_asked_for_as_soon_as_an_event_says_that_there_is_one(quiet: Account) -> None:
    gives_untold(quiet)
    quiet.tells()
    assert settled() == [("once", 59, 941)]


def test_a_fee_of_which_no_event_ever_tells_is_asked_for_as_well(quiet: Account) -> None:
    session = quiet.sandbox.create_checkout_session(quiet.asks(1000))
    quiet.sandbox.pay(session["id"])
    quiet.tells()
    fee_fetcher.fetch_due(now() + LATER)
    # Not there yet: it is asked for again, and meanwhile the money settles without a word.
    assert (settled(), still_to_ask()) == ([], 1)
    quiet.hook, hook = None, quiet.hook
    quiet.sandbox.remove_webhooks()
    quiet.sandbox.run_due(hurry=True)
    quiet.hook = hook
    fee_fetcher.fetch_due(now() + timedelta(hours=1))
    assert (settled(), still_to_ask()) == ([("once", 59, 941)], 0)


def test_what_a_refund_came_to_is_asked_for_even_when_the_refund_came_before_its_gift(quiet: Account) -> None:
    paid = gives_untold(quiet)
    quiet.sandbox.refund(payment_intent=paid["payment_intent"], amount=400)
    quiet.sandbox.run_due(hurry=True)
    for first in ("refund.created", "charge.updated"):
        quiet.tells(first=first)
    fee_fetcher.fetch_due(now() + LATER)
    assert sorted(settled()) == [("once", 59, 941), ("refund", 0, -400)]
    assert still_to_ask() == 0


def test_a_refund_that_fails_later_is_asked_for_again(quiet: Account) -> None:
    gift = quiet.gives()
    refund = quiet.refunds(gift, 400)
    fee_fetcher.fetch_due(now() + LATER)
    quiet.refund_fails(refund)
    fee_fetcher.fetch_due(now() + LATER)
    assert settled() == [("once", 59, 941), ("refund", 0, -400), ("refund", 0, 400)]
    assert still_to_ask() == 0


def test_a_payout_that_is_told_of_before_the_fees_in_it_marks_them_when_they_come(quiet: Account) -> None:
    quiet.gives()
    quiet.passes(3 * 86400)
    gives_untold(quiet, monthly=True)
    quiet.clock += 3 * 86400
    quiet.sandbox.set_clock(quiet.clock)
    quiet.sandbox.pay_out()
    quiet.tells(first="payout.reconciliation_completed")
    fee_fetcher.fetch_due(now() + LATER)
    with reading() as connection:
        payouts = connection.scalars(select(settlement.c.payout)).all()
        months = tie_out.tie_out(connection, "2000-01", live=False)
    assert len(payouts) == 2
    assert len(set(payouts)) == 1
    assert payouts[0].startswith("po_")
    assert all(one.not_paid_out == 0 for month in months for one in month.settled)


def test_what_was_to_be_asked_for_survives_the_process(
    quiet: Account, newsroom: Flask, environ: dict[str, str]
) -> None:
    session = quiet.sandbox.create_checkout_session(quiet.asks(1000))
    quiet.sandbox.pay(session["id"])
    quiet.tells()
    quiet.sandbox.remove_webhooks()
    quiet.sandbox.run_due(hurry=True)
    # The process is gone before it asked; another one begins, and nothing is told to it.
    another = create_app(read_settings(environ), background=False)
    with another.app_context():
        assert fee_fetcher.fetch_due(now() + LATER) == 1
        db.engine.dispose()
    assert settled() == [("once", 59, 941)]


def test_two_processes_do_not_ask_for_the_same(quiet: Account) -> None:
    gives_untold(quiet)
    quiet.tells(first="charge.updated")
    moment = now() + LATER
    taken = fee_fetcher.take_due(moment)
    assert [one.kind for one in taken] == ["session"]
    assert fee_fetcher.take_due(moment) == []


def test_while_stripe_does_not_answer_it_is_asked_again_later(quiet: Account, monkeypatch: pytest.MonkeyPatch) -> None:
    gives_untold(quiet)
    quiet.tells(first="charge.updated")
    quiet.sandbox.faults.answers = [500] * 4
    fee_fetcher.fetch_due(now() + LATER)
    assert (settled(), still_to_ask()) == ([], 1)
    quiet.sandbox.faults.answers = []
    fee_fetcher.fetch_due(now() + timedelta(hours=1))
    assert (settled(), still_to_ask()) == ([("once", 59, 941)], 0)


def test_what_is_never_answered_is_given_up_after_two_weeks(quiet: Account) -> None:
    session = quiet.sandbox.create_checkout_session(quiet.asks(1000))
    quiet.sandbox.pay(session["id"])
    quiet.tells()
    at = now()
    for _ in range(20):
        at += timedelta(days=2)
        fee_fetcher.fetch_due(at)
    assert (settled(), still_to_ask()) == ([], 0)


def test_an_invoice_whose_own_event_was_lost_is_found_by_its_payment(quiet: Account) -> None:
    session = quiet.sandbox.create_checkout_session(quiet.asks(500, monthly=True))
    quiet.sandbox.pay(session["id"])
    quiet.sandbox.run_due(hurry=True)
    for row in list(quiet.sandbox.sender.waiting(False)):
        if row["type"] == "invoice.paid":
            quiet.sandbox.store.remove(row["id"])
    quiet.tells()
    fee_fetcher.fetch_due(now() + LATER)
    with reading() as connection:
        assert connection.execute(select(entry.c.kind, entry.c.amount)).one() == ("monthly", 500)


def test_somebody_elses_invoice_is_asked_for_once_and_left_alone(quiet: Account) -> None:
    session = quiet.sandbox.create_checkout_session(quiet.asks(500, monthly=True, foreign=True))
    quiet.sandbox.pay(session["id"])
    quiet.sandbox.run_due(hurry=True)
    quiet.tells()
    fee_fetcher.fetch_due(now() + LATER)
    with reading() as connection:
        assert connection.scalar(select(func.count()).select_from(entry)) == 0
    assert still_to_ask() == 0
