"""Refunds, disputes, balances and payouts."""

from typing import Any

import pytest
import stripe


def paid(server: Any, amount: int = 4000, card: str = "4242424242424242", **more: Any) -> Any:
    """The charge of a gift that was paid and has settled."""
    session = server.gift(amount, **more)
    assert server.pay(session, card).status == 303
    v1 = server.client.v1
    return v1.charges.list({"payment_intent": v1.checkout.sessions.retrieve(session.id).payment_intent}).data[0]


def test_refunds_add_up_and_stop_at_the_charge(sandbox_server: Any) -> None:
    charge = paid(sandbox_server)
    v1 = sandbox_server.client.v1
    first = v1.refunds.create({"charge": charge.id, "amount": 1000, "reason": "requested_by_customer"})
    assert (first.status, first.payment_intent, first.id[:3]) == ("succeeded", charge.payment_intent, "re_")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"charge": charge.id, "amount": 4000})
    assert refusal.value.param == "amount"
    assert str(refusal.value.user_message) == (
        "Refund amount ($40.00) is greater than unrefunded amount on charge ($30.00)"
    )
    rest = v1.refunds.create({"payment_intent": charge.payment_intent})
    assert rest.amount == 3000
    read = v1.charges.retrieve(charge.id, {"expand": ["refunds"]})
    assert (read.amount_refunded, read.refunded) == (4000, True)
    assert [refund.id for refund in read.refunds.data] == [rest.id, first.id]
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"charge": charge.id})
    assert refusal.value.code == "charge_already_refunded"
    entries = v1.balance_transactions.list({"type": "refund"}).data
    assert [(entry.amount, entry.fee) for entry in entries] == [(-3000, 0), (-1000, 0)]


def test_a_refund_is_told_in_stripes_order(sandbox_server: Any) -> None:
    charge = paid(sandbox_server)
    sandbox_server.hurry()
    before = len(sandbox_server.events())
    sandbox_server.client.v1.refunds.create({"charge": charge.id, "amount": 1500})
    sandbox_server.hurry()
    assert sandbox_server.events()[before:] == [
        "refund.created",
        "charge.refunded",
        "refund.updated",
        "charge.refund.updated",
    ]
    told = sandbox_server.event("charge.refunded")
    assert told["data"]["object"]["amount_refunded"] == 1500
    assert told["data"]["previous_attributes"] == {"amount_refunded": 0}
    assert told["request"]["id"].startswith("req_")


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({}, "charge", "parameter_missing"),
        ({"charge": "ch_none"}, "charge", "resource_missing"),
        ({"payment_intent": "pi_none"}, "payment_intent", "resource_missing"),
        ({"charge": "CHARGE", "amount": 0}, "amount", "parameter_invalid_integer"),
        ({"charge": "CHARGE", "amount": -5}, "amount", "parameter_invalid_integer"),
        ({"charge": "CHARGE", "reason": "regret"}, "reason", None),
    ],
)
def test_senseless_refunds_are_refused(sandbox_server: Any, params: Any, param: str, code: str | None) -> None:
    charge = paid(sandbox_server)
    given = {name: charge.id if value == "CHARGE" else value for name, value in params.items()}
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox_server.client.v1.refunds.create(given)
    assert (refusal.value.param, refusal.value.code) == (param, code)


def test_a_declined_payment_has_nothing_to_refund(sandbox_server: Any) -> None:
    session = sandbox_server.gift()
    sandbox_server.pay(session, "4000000000000002")
    v1 = sandbox_server.client.v1
    intent = v1.checkout.sessions.retrieve(session.id).payment_intent
    with pytest.raises(stripe.InvalidRequestError, match="does not have a successful charge"):
        v1.refunds.create({"payment_intent": intent})


def test_a_refund_may_fail_afterwards_and_the_money_comes_back(sandbox_server: Any) -> None:
    charge = paid(sandbox_server, card="4000000000005126")
    v1 = sandbox_server.client.v1
    refund = v1.refunds.create({"charge": charge.id, "amount": 1000})
    assert refund.status == "succeeded"
    sandbox_server.hurry()
    failed = v1.refunds.retrieve(refund.id, {"expand": ["failure_balance_transaction"]})
    assert (failed.status, failed.failure_reason) == ("failed", "expired_or_canceled_card")
    assert (failed.failure_balance_transaction.amount, failed.failure_balance_transaction.type) == (
        1000,
        "refund_failure",
    )
    assert "refund.failed" in sandbox_server.events()
    assert v1.charges.retrieve(charge.id).amount_refunded == 0


def test_a_refund_may_pend_first(sandbox_server: Any) -> None:
    charge = paid(sandbox_server, card="4000000000007726")
    v1 = sandbox_server.client.v1
    refund = v1.refunds.create({"charge": charge.id})
    assert refund.status == "pending"
    with pytest.raises(stripe.InvalidRequestError, match="cannot be canceled"):
        v1.refunds.cancel(refund.id)
    sandbox_server.hurry()
    assert v1.refunds.retrieve(refund.id).status == "succeeded"
    assert sandbox_server.event("refund.updated")["data"]["previous_attributes"]["status"] == "pending"


def net(dispute: Any) -> int:
    return sum(entry.net for entry in dispute.balance_transactions)


def test_a_lost_dispute_takes_the_money_and_a_fee(sandbox_server: Any) -> None:
    charge = paid(sandbox_server, 4200, "4000000000000259")
    v1 = sandbox_server.client.v1
    dispute = v1.disputes.list({"charge": charge.id}).data[0]
    assert (dispute.status, dispute.reason, dispute.amount, net(dispute)) == (
        "needs_response",
        "fraudulent",
        4200,
        -5700,
    )
    assert v1.charges.retrieve(charge.id).disputed
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        v1.refunds.create({"charge": charge.id})
    assert refusal.value.code == "charge_disputed"
    v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "losing_evidence"}})
    sandbox_server.hurry()
    lost = v1.disputes.retrieve(dispute.id)
    assert (lost.status, net(lost)) == ("lost", -5700)
    kinds = sandbox_server.events()
    assert kinds.index("charge.dispute.created") + 1 == kinds.index("charge.dispute.funds_withdrawn")
    assert "charge.dispute.closed" in kinds
    assert "charge.dispute.funds_reinstated" not in kinds
    told = sandbox_server.event("charge.dispute.funds_withdrawn")["data"]["object"]
    assert told["balance_transactions"][0]["net"] == -5700


def test_a_won_dispute_gives_the_money_back_but_not_the_fee(sandbox_server: Any) -> None:
    paid(sandbox_server, 4200, "4000000000002685")
    v1 = sandbox_server.client.v1
    dispute = v1.disputes.list().data[0]
    under = v1.disputes.update(dispute.id, {"evidence": {"uncategorized_text": "winning_evidence"}})
    assert under.status == "under_review"
    sandbox_server.hurry()
    won = v1.disputes.retrieve(dispute.id)
    assert (won.status, won.reason, net(won)) == ("won", "product_not_received", -1500)
    kinds = [kind for kind in sandbox_server.events() if kind.startswith("charge.dispute")]
    assert kinds == [
        "charge.dispute.created",
        "charge.dispute.funds_withdrawn",
        "charge.dispute.updated",
        "charge.dispute.funds_reinstated",
        "charge.dispute.closed",
    ]
    with pytest.raises(stripe.InvalidRequestError):
        v1.disputes.close(dispute.id)


def test_an_inquiry_moves_nothing_until_it_escalates(sandbox_server: Any) -> None:
    charge = paid(sandbox_server, card="4000000000001976")
    v1 = sandbox_server.client.v1
    inquiry = v1.disputes.list().data[0]
    assert (inquiry.status, inquiry.balance_transactions, inquiry.is_charge_refundable) == (
        "warning_needs_response",
        [],
        True,
    )
    assert v1.refunds.create({"charge": charge.id, "amount": 100}).status == "succeeded"
    v1.disputes.update(inquiry.id, {"evidence": {"uncategorized_text": "escalate_inquiry_evidence"}})
    grown = v1.disputes.retrieve(inquiry.id)
    assert (grown.status, net(grown)) == ("needs_response", -5500)
    assert v1.disputes.close(inquiry.id).status == "lost"


def test_the_balance_is_the_sum_of_its_entries_and_can_be_paid_out(sandbox_server: Any) -> None:
    charge = paid(sandbox_server, 10_000, "4000000000000077")
    sandbox_server.hurry()
    v1 = sandbox_server.client.v1
    entries = v1.balance_transactions.list().data
    balance = v1.balance.retrieve()
    assert balance.available[0].amount + balance.pending[0].amount == sum(entry.net for entry in entries) == 9680
    [payout] = sandbox_server.lever("payout")
    assert payout["amount"] == 9680
    listed = v1.balance_transactions.list({"payout": payout["id"]}).data
    assert sum(entry.net for entry in listed if entry.type != "payout") == payout["amount"]
    assert charge.id in [entry.source for entry in listed]
    assert v1.balance.retrieve().available[0].amount == 0
    assert v1.payouts.retrieve(payout["id"]).reconciliation_status == "completed"
    assert sandbox_server.events()[-3:] == ["payout.created", "payout.paid", "payout.reconciliation_completed"]


def test_foreign_cards_cost_more(sandbox_server: Any) -> None:
    paid(sandbox_server, 10_000, "4000002760000016")
    sandbox_server.hurry()
    assert sandbox_server.client.v1.balance_transactions.list().data[0].fee == 470


def test_an_account_that_settles_in_another_currency_converts(sandbox_server: Any) -> None:
    sandbox_server.lever("settle_in", currency="usd", rates={"eur": 1.087})
    charge = paid(sandbox_server, 2000, currency="eur")
    sandbox_server.hurry()
    v1 = sandbox_server.client.v1
    settled = v1.charges.retrieve(charge.id, {"expand": ["balance_transaction"]}).balance_transaction
    assert (settled.amount, settled.currency, settled.exchange_rate) == (2174, "usd", 1.087)
    assert (settled.fee, settled.net) == (93, 2081)
    assert (settled.fee_details[0].currency, settled.fee_details[0].amount) == ("usd", 93)
    refund = v1.refunds.create({"charge": charge.id, "amount": 500}, {}).to_dict()
    assert (refund["amount"], refund["currency"]) == (500, "eur")
    back = v1.balance_transactions.retrieve(refund["balance_transaction"])
    assert (back.amount, back.currency, back.fee) == (-544, "usd", 0)
    dispute = sandbox_server.lever("dispute", charge=paid(sandbox_server, 1000, currency="eur").id)
    (taken,) = dispute["balance_transactions"]
    assert (dispute["amount"], dispute["currency"]) == (1000, "eur")
    assert (taken["amount"], taken["currency"], taken["fee"], taken["net"]) == (-1087, "usd", 1500, -2587)


def test_money_of_the_accounts_own_currency_is_not_converted(sandbox_server: Any) -> None:
    before = paid(sandbox_server, 5000, "4000000000000077", currency="eur")
    sandbox_server.hurry()
    sandbox_server.lever("settle_in", currency="usd", rates={"eur": 1.1, "usd": 2})
    paid(sandbox_server, 5000, "4000000000000077")
    sandbox_server.hurry()
    balances = sandbox_server.client.v1.balance_transactions.list().data
    assert [(one.amount, one.currency, one.exchange_rate) for one in balances] == [
        (5000, "usd", None),
        (5000, "eur", None),
    ]
    # What was settled in euros before leaves in euros.
    payouts = {row["currency"]: row["amount"] for row in sandbox_server.lever("payout")}
    assert payouts == {"eur": 5000 - 175, "usd": 5000 - 175}
    assert before.currency == "eur"
