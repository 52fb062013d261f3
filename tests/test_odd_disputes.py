"""Disputes where the account settles in another currency than the gift's: told by webhooks, found by sync, tied to the cent."""

from datetime import UTC, datetime
from itertools import permutations
from typing import Any

import pytest
from account import SINCE, Account, Raised
from actors import Stripe, epoch, refund_of, session, totals
from commands import run_command
from flask import Flask
from sqlalchemy import func, select

from tracker.giving.facts import Reversal
from tracker.ledger.book import record
from tracker.ledger.models import settlement, waiting
from tracker.ledger.store import reading, writing
from tracker.reconcile import tie_out

NOW = datetime.now(UTC)


@pytest.fixture
def euros(hooked: Account) -> Account:
    """The newsroom's account settles in euros, of which a dollar brings 93 cents."""
    hooked.sandbox.settle_in("eur", {"usd": 0.93})
    return hooked


def syncs(environ: dict[str, str]) -> Any:
    return run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}")


def test_a_part_that_is_given_back_is_a_part(euros: Account, raised: Raised, environ: dict[str, str]) -> None:
    gift = euros.gives(10000)
    euros.refunds(gift, 4000)
    dispute = euros.disputes(gift, 10000)
    assert raised() == 0
    euros.sandbox.give_back_of_dispute(dispute, 4000)
    euros.tells()
    euros.decides(dispute, won=False)
    # 40 refunded and 60 lost: what the bank gave back went out again by the refund.
    assert raised() == 0
    said = syncs(environ)
    assert said.exit_code == 0, said.output
    assert "Wrong: nothing." in said.output


@pytest.mark.parametrize("difference", [-45, 45])
@pytest.mark.parametrize("won", [True, False])
def test_small_movements_for_the_exchange_rate_decide_nothing(
    euros: Account, raised: Raised, environ: dict[str, str], difference: int, won: bool
) -> None:
    dispute = euros.disputes(euros.gives(10000))
    euros.sandbox.exchange_difference(dispute, difference)
    euros.tells()
    euros.decides(dispute, won=won)
    euros.sandbox.exchange_difference(dispute, -difference)
    euros.tells()
    # To within what moved for the rate: less than half a per cent.
    assert abs(raised() - (10000 if won else 0)) < 50
    assert syncs(environ).exit_code == 0
    with reading() as connection:
        # Whatever moved for the rate alone is settled with the movement that it belongs to.
        assert connection.scalar(select(func.count()).select_from(waiting)) == 0
        came_to = connection.scalar(select(func.sum(settlement.c.amount)).where(settlement.c.key.like("txn%")))
    assert came_to == (9300 if won else 0)


def test_whatever_order_the_words_about_a_dispute_come_in_it_comes_to_the_same(
    client: Any, app: Flask, raised: Raised
) -> None:
    moved = [
        {"id": f"txn_{number}", "object": "balance_transaction", "type": "adjustment", "currency": "eur", "amount": amount,
         "fee": 0, "net": amount, "created": epoch("2021-05-15T10:00") + number, "available_on": epoch("2021-05-20T00:00")}
        for number, amount in enumerate((-9300, 3720, -3720, -45, 9345))
    ]  # fmt: skip
    about = {
        "id": "du_1",
        "object": "dispute",
        "amount": 10000,
        "currency": "usd",
        "payment_intent": "pi_cs_1",
        "charge": None,
    }
    # Each word lists all that has moved so far.
    words = [about | {"balance_transactions": moved[:upto][::-1]} for upto in (1, 3, 4, 5)]
    for order in permutations(range(4)):
        calls = Stripe(app.test_client(), count=100 * sum(place * 4**number for number, place in enumerate(order)))
        key = f"cs_{'_'.join(map(str, order))}"
        for number in order:
            mine = words[number] | {"payment_intent": f"pi_{key}", "id": f"du_{key}"}
            mine["balance_transactions"] = [one | {"id": f"{one['id']}_{key}"} for one in mine["balance_transactions"]]
            assert calls.sends(calls.event("charge.dispute.updated", mine)) == 204
        assert calls.sends(calls.event("checkout.session.completed", session(key, 10000))) == 204
    assert raised() == 24 * 10000


def test_stripes_own_fees_among_a_disputes_movements_are_not_the_donors(stripe_calls: Stripe, raised: Raised) -> None:
    fee = {
        "id": "txn_fee",
        "type": "stripe_fee",
        "currency": "eur",
        "amount": -1500,
        "created": epoch("2021-05-15T10:00"),
    }
    taken = fee | {"id": "txn_1", "type": "adjustment", "amount": -4650}
    about = {"id": "du_1", "amount": 5000, "currency": "usd", "payment_intent": "pi_cs_test_1", "charge": None}
    stripe_calls.sends(stripe_calls.event("checkout.session.completed", session(amount=10000)))
    told = about | {"balance_transactions": [fee, taken]}
    assert stripe_calls.sends(stripe_calls.event("charge.dispute.funds_withdrawn", told)) == 204
    assert raised() == 5000


def test_what_an_older_version_recorded_wrongly_is_named_by_sync_and_by_the_tie_out(
    euros: Account, raised: Raised, environ: dict[str, str]
) -> None:
    gift = euros.gives(10000)
    dispute = euros.disputes(gift)
    euros.hook, hook = None, euros.hook
    made = euros.sandbox.give_back_of_dispute(dispute, 4000)
    back = made["balance_transactions"][-1]["id"]
    # As it was once read: each movement as all of the dispute.
    with writing() as connection:
        at = datetime.fromtimestamp(euros.clock, UTC)
        record(connection, Reversal(back, "dispute", 10000, "USD", at, False, (gift["payment_intent"],)), NOW)
    euros.hook = hook
    euros.tells()
    said = syncs(environ)
    assert said.exit_code == 1
    assert f"{back}: the book has 10000 USD, Stripe 4000 USD" in said.output
    with reading() as connection:
        (month,) = tie_out.tie_out(connection, f"{SINCE:%Y-%m}", live=False)
    (line,) = month.unequal
    assert (line.key, line.told, line.settled, line.settled_in) == (back, 10000, 3720, "EUR")
    assert f"{back}: 100.00 in the ledger, 37.20 EUR settled" in said.output


def test_a_refund_of_what_was_disputed_before_never_takes_more_than_the_gift(
    stripe_calls: Stripe, raised: Raised
) -> None:
    stripe_calls.sends(stripe_calls.event("checkout.session.completed", session(amount=10000)))
    moved = {
        "id": "txn_1",
        "type": "adjustment",
        "currency": "eur",
        "amount": -9300,
        "created": epoch("2021-05-15T10:00"),
    }
    about = {"id": "du_1", "amount": 10000, "currency": "usd", "payment_intent": "pi_cs_test_1", "charge": None}
    stripe_calls.sends(stripe_calls.event("charge.dispute.created", about | {"balance_transactions": [moved]}))
    stripe_calls.sends(stripe_calls.event("refund.created", refund_of("pi_cs_test_1", amount=2500)))
    assert raised() == 0
    with reading() as connection:
        (figures,) = totals(connection).values()
    assert (figures["refunds"], figures["disputes"]) == (2500, 7500)
