"""Monthly gifts: the first month, renewals, failures, cancellations, the portal and test clocks."""

import time
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe

from tracker.sandbox.billing import period_end

DAY = 24 * 3600


def supporter(server: Any, card: str = "4242424242424242", amount: int = 1500, **more: Any) -> Any:
    """The subscription of a monthly gift."""
    session = server.gift(amount, monthly=True, **more)
    assert server.pay(session, card).status == 303
    v1 = server.client.v1
    return v1.subscriptions.retrieve(v1.checkout.sessions.retrieve(session.id).subscription)


def test_the_first_month_is_an_invoice_like_any_other(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server)
    v1 = sandbox_server.client.v1
    assert (subscription.status, subscription.billing_mode.type) == ("active", "flexible")
    item = subscription["items"].data[0]
    assert item.current_period_end > item.current_period_start
    assert "current_period_end" not in subscription.to_dict()
    invoice = v1.invoices.retrieve(subscription.latest_invoice).to_dict()
    assert (invoice["status"], invoice["amount_paid"], invoice["billing_reason"]) == (
        "paid",
        1500,
        "subscription_create",
    )
    assert invoice["parent"]["subscription_details"] == {
        "metadata": {"campaign": "newsroom"},
        "subscription": subscription.id,
    }
    assert not {"subscription", "payment_intent", "charge", "paid"} & set(invoice)
    line = v1.invoices.line_items.list(invoice["id"]).data[0]
    assert (line.amount, line.period.end) == (1500, item.current_period_end)
    assert isinstance(line.pricing.price_details.price, str)
    kinds = sandbox_server.events()
    assert kinds == [
        "payment_intent.created",
        "customer.created",
        "payment_method.attached",
        "customer.subscription.created",
        "invoice.created",
        "invoice.finalized",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
        "checkout.session.completed",
    ]
    assert "payments" not in sandbox_server.event("invoice.paid")["data"]["object"]


def test_an_invoice_is_found_by_its_payment_intent(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server)
    v1 = sandbox_server.client.v1
    intent = v1.payment_intents.list().data[0]
    assert "invoice" not in intent.to_dict()
    found = v1.invoice_payments.list({"payment": {"type": "payment_intent", "payment_intent": intent.id}}).data
    assert [row.invoice for row in found] == [subscription.latest_invoice]
    assert (found[0].status, found[0].amount_paid) == ("paid", 1500)
    assert v1.invoices.list({"subscription": subscription.id}).data[0].id == subscription.latest_invoice


def test_the_metadata_of_an_invoice_is_a_snapshot(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server)
    v1 = sandbox_server.client.v1
    v1.subscriptions.update(subscription.id, {"metadata": {"campaign": "other"}})
    old = v1.invoices.retrieve(subscription.latest_invoice)
    assert old.parent.subscription_details.metadata["campaign"] == "newsroom"
    sandbox_server.lever("renew", subscription=subscription.id)
    new = v1.invoices.list().data[0]
    assert new.parent.subscription_details.metadata["campaign"] == "other"


def test_a_renewal_is_paid_and_moves_the_period(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server)
    sandbox_server.hurry()
    before = len(sandbox_server.events())
    invoice = sandbox_server.lever("renew", subscription=subscription.id)
    assert (invoice["status"], invoice["billing_reason"]) == ("paid", "subscription_cycle")
    old_end = subscription["items"].data[0].current_period_end
    assert invoice["lines"]["data"][0]["period"]["start"] == old_end
    again = sandbox_server.client.v1.subscriptions.retrieve(subscription.id)
    assert again["items"].data[0].current_period_start == old_end
    assert sandbox_server.events()[before:] == [
        "invoice.created",
        "customer.subscription.updated",
        "invoice.finalized",
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "invoice.paid",
        "invoice.payment_succeeded",
        "invoice_payment.paid",
    ]
    assert "items" in sandbox_server.event("customer.subscription.updated")["data"]["previous_attributes"]


def test_a_failed_renewal_leaves_the_subscription_past_due(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server, "4000000000000341")
    invoice = sandbox_server.lever("renew", subscription=subscription.id)
    assert (invoice["status"], invoice["attempt_count"]) == ("open", 1)
    assert invoice["next_payment_attempt"] > time.time()
    v1 = sandbox_server.client.v1
    assert v1.subscriptions.retrieve(subscription.id).status == "past_due"
    assert "invoice.payment_failed" in sandbox_server.events()
    with pytest.raises(stripe.CardError) as refusal:
        v1.invoices.pay(invoice["id"])
    assert refusal.value.error.decline_code == "generic_decline"


def test_a_declined_first_month_starts_nothing(sandbox_server: Any) -> None:
    session = sandbox_server.gift(monthly=True)
    assert sandbox_server.pay(session, "4000000000000002").status == 402
    v1 = sandbox_server.client.v1
    assert v1.subscriptions.list({"status": "all"}).data == []
    assert v1.customers.list().data == []
    assert sandbox_server.pay(session).status == 303


def test_cancelling_at_once_and_at_the_end(sandbox_server: Any) -> None:
    v1 = sandbox_server.client.v1
    now, then = supporter(sandbox_server), supporter(sandbox_server)
    cancelled = v1.subscriptions.cancel(now.id, {"cancellation_details": {"comment": "moved"}})
    assert (cancelled.status, cancelled.cancellation_details.reason) == ("canceled", "cancellation_requested")
    assert "customer.subscription.deleted" in sandbox_server.events()
    kept = v1.subscriptions.update(then.id, {"cancel_at_period_end": True})
    assert (kept.status, kept.cancel_at) == ("active", then["items"].data[0].current_period_end)
    assert [row.id for row in v1.subscriptions.list().data] == [then.id]
    assert len(v1.subscriptions.list({"status": "all"}).data) == 2
    with pytest.raises(stripe.InvalidRequestError):
        v1.subscriptions.cancel(now.id)


def test_pausing_and_resuming(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server)
    v1 = sandbox_server.client.v1
    collection = v1.subscriptions.update(subscription.id, {"pause_collection": {"behavior": "void"}})
    assert collection.pause_collection.behavior == "void"
    assert v1.subscriptions.update(subscription.id, {"pause_collection": ""}).pause_collection is None


def test_the_portal_is_where_a_supporter_stops(sandbox_server: Any) -> None:
    subscription = supporter(sandbox_server)
    v1 = sandbox_server.client.v1
    portal = v1.billing_portal.sessions.create(
        {"customer": subscription.customer, "return_url": "https://news.example/"}
    )
    assert "Next payment on" in sandbox_server.visit(portal.url).text
    assert sandbox_server.visit(portal.url, {"subscription": subscription.id, "choice": "cancel"}).status == 303
    stopped = v1.subscriptions.retrieve(subscription.id)
    assert (stopped.cancel_at_period_end, stopped.status) == (False, "active")
    assert stopped.cancel_at == subscription["items"].data[0].current_period_end
    assert "Ends on" in sandbox_server.visit(portal.url).text
    sandbox_server.visit(portal.url, {"subscription": subscription.id, "choice": "keep"})
    assert v1.subscriptions.retrieve(subscription.id).cancel_at is None
    assert sandbox_server.visit(f"{sandbox_server.url}/portal/guessed").status == 404
    with pytest.raises(stripe.InvalidRequestError):
        v1.billing_portal.sessions.create({"customer": "cus_none"})


def test_a_debit_pays_the_first_month_later(sandbox_server: Any) -> None:
    session = sandbox_server.gift(monthly=True, currency="eur")
    assert sandbox_server.debit(session, "AT611904300234573201").status == 303
    assert "invoice.paid" not in sandbox_server.events()
    sandbox_server.hurry()
    kinds = sandbox_server.events()
    assert kinds.count("invoice.paid") == 1
    assert kinds.index("checkout.session.completed") < kinds.index("invoice.paid")


def on_a_clock(server: Any, start: datetime) -> tuple[Any, Any]:
    v1 = server.client.v1
    clock = v1.test_helpers.test_clocks.create({"frozen_time": int(start.timestamp())})
    customer = v1.customers.create({"test_clock": clock.id, "email": "clock@example.org"})
    return clock, customer


def advance(server: Any, clock: Any, to: int) -> None:
    clocks = server.client.v1.test_helpers.test_clocks
    assert clocks.advance(clock.id, {"frozen_time": to}).status == "advancing"
    server.hurry()
    assert clocks.retrieve(clock.id).status == "ready"


def test_a_month_on_a_test_clock_is_one_renewal(sandbox_server: Any) -> None:
    clock, customer = on_a_clock(sandbox_server, datetime(2026, 1, 31, 12, tzinfo=UTC))
    subscription = supporter(sandbox_server, customer=customer.id)
    assert subscription.test_clock == clock.id
    assert subscription.created == clock.frozen_time
    end = subscription["items"].data[0].current_period_end
    assert datetime.fromtimestamp(end, UTC) == datetime(2026, 2, 28, 12, tzinfo=UTC)
    advance(sandbox_server, clock, end + 2 * 3600)
    v1 = sandbox_server.client.v1
    invoices = v1.invoices.list({"subscription": subscription.id}).data
    assert [(row.status, row.billing_reason) for row in invoices] == [
        ("paid", "subscription_cycle"),
        ("paid", "subscription_create"),
    ]
    with pytest.raises(stripe.InvalidRequestError, match="two intervals"):
        v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": end + 100 * DAY})


def test_a_renewal_is_a_draft_for_an_hour_and_then_paid(sandbox_server: Any) -> None:
    clock, customer = on_a_clock(sandbox_server, datetime.now(UTC))
    subscription = supporter(sandbox_server, customer=customer.id)
    end = subscription["items"].data[0].current_period_end
    told = len(sandbox_server.events())
    advance(sandbox_server, clock, end + 1800)
    v1 = sandbox_server.client.v1
    draft = v1.invoices.list({"subscription": subscription.id}).data[0]
    assert (draft.status, draft.created, draft.automatically_finalizes_at) == ("draft", end, end + 3600)
    assert (draft.amount_paid, draft.attempt_count, draft.auto_advance) == (0, 0, True)
    assert v1.subscriptions.retrieve(subscription.id)["items"].data[0].current_period_start == end
    advance(sandbox_server, clock, end + 7200)
    paid = v1.invoices.retrieve(draft.id)
    assert (paid.status, paid.amount_paid) == ("paid", 1500)
    assert paid.status_transitions.finalized_at == paid.status_transitions.paid_at == end + 3600
    kinds = [kind for kind in sandbox_server.events()[told:] if kind.startswith(("invoice.", "customer.subscription"))]
    assert kinds == [
        "invoice.created",
        "customer.subscription.updated",
        "invoice.finalized",
        "invoice.paid",
        "invoice.payment_succeeded",
    ]
    assert len(v1.invoices.list({"subscription": subscription.id}).data) == 2


def test_a_draft_is_never_charged_once_its_subscription_has_ended_or_pauses(sandbox_server: Any) -> None:
    clock, customer = on_a_clock(sandbox_server, datetime(2026, 1, 15, 12, tzinfo=UTC))
    ended, pausing = (supporter(sandbox_server, customer=customer.id) for _ in range(2))
    v1 = sandbox_server.client.v1
    v1.subscriptions.update(pausing.id, {"pause_collection": {"behavior": "keep_as_draft"}})
    end = ended["items"].data[0].current_period_end
    advance(sandbox_server, clock, end + 60)
    v1.subscriptions.cancel(ended.id)
    advance(sandbox_server, clock, end + DAY)
    for one in (ended, pausing):
        newest = v1.invoices.list({"subscription": one.id}).data[0]
        assert (newest.status, newest.auto_advance) == ("draft", False)


def test_renewals_that_keep_failing_end_the_subscription(sandbox_server: Any) -> None:
    clock, customer = on_a_clock(sandbox_server, datetime.now(UTC))
    subscription = supporter(sandbox_server, "4000000000000341", customer=customer.id)
    end = subscription["items"].data[0].current_period_end
    advance(sandbox_server, clock, end + 20 * DAY)
    ended = sandbox_server.client.v1.subscriptions.retrieve(subscription.id)
    assert (ended.status, ended.cancellation_details.reason) == ("canceled", "payment_failed")
    assert sandbox_server.events().count("invoice.payment_failed") == 4


def test_a_scheduled_end_comes_without_another_payment(sandbox_server: Any) -> None:
    clock, customer = on_a_clock(sandbox_server, datetime.now(UTC))
    subscription = supporter(sandbox_server, customer=customer.id)
    v1 = sandbox_server.client.v1
    v1.subscriptions.update(subscription.id, {"cancel_at_period_end": True})
    advance(sandbox_server, clock, subscription["items"].data[0].current_period_end + DAY)
    assert v1.subscriptions.retrieve(subscription.id).status == "canceled"
    assert len(v1.invoices.list({"subscription": subscription.id}).data) == 1


@pytest.mark.parametrize(
    ("start", "interval", "periods", "end"),
    [
        ("2026-01-31", "month", 1, "2026-02-28"),
        ("2026-01-31", "month", 2, "2026-03-31"),
        ("2024-02-29", "year", 1, "2025-02-28"),
        ("2024-02-29", "year", 4, "2028-02-29"),
        ("2026-12-15", "month", 1, "2027-01-15"),
        ("2026-01-01", "week", 2, "2026-01-15"),
    ],
)
def test_periods_are_counted_from_the_anchor(start: str, interval: str, periods: int, end: str) -> None:
    def epoch(day: str) -> int:
        return int(datetime.fromisoformat(day).replace(tzinfo=UTC).timestamp())

    assert period_end(epoch(start), interval, 1, periods) == epoch(end)


def test_a_reusable_price_can_be_made_and_used(sandbox_server: Any) -> None:
    v1 = sandbox_server.client.v1
    price = v1.prices.create(
        {"currency": "usd", "unit_amount": 700, "recurring": {"interval": "month"}, "product_data": {"name": "Club"}}
    )
    session = sandbox_server.gift(monthly=True, line_items=[{"price": price.id, "quantity": 2}])
    assert session.amount_total == 1400
    made_in_passing = v1.prices.list({"active": False}).data
    assert made_in_passing == []
