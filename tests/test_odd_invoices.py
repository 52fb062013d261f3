"""Invoices that are paid in another way than once and whole, or for more than a gift: by webhooks, and by sync alone."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe
from account import SINCE, Account, Raised
from actors import OURS, Stripe, each, invoice
from commands import run_command
from flask import Flask
from sqlalchemy import func, select

from tracker.ledger.models import entry, pending_fetch, total, waiting
from tracker.ledger.store import reading
from tracker.reconcile import tie_out
from tracker.web.webhook import fee_fetcher


@pytest.fixture(params=["webhooks", "sync"])
def told(
    request: pytest.FixtureRequest, newsroom: Flask, account: Account, environ: dict[str, str]
) -> Callable[[], None]:
    """Has what happened told: by webhooks and what they have asked for, or by sync alone."""
    if request.param == "webhooks":
        hooked: Account = request.getfixturevalue("hooked")

        def tell() -> None:
            hooked.happens()
            fee_fetcher.fetch_due(datetime.now(UTC) + timedelta(minutes=2))
    else:

        def tell() -> None:
            while next(iter(account.sandbox.store.newest("_job")), None):
                account.sandbox.run_due(hurry=True)
            account.sandbox.sender.waiting(False)
            said = run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}")
            assert said.exit_code == 0, said.output
            again = run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}", "--dry-run")
            assert again.exit_code == 0, again.output
            assert "Missing: nothing." in again.output

    return tell


def gifts() -> int:
    with reading() as connection:
        return int(connection.scalar(select(func.sum(total.c.gifts))) or 0)


def ties() -> bool:
    """Whether each month ties to Stripe's balance with nothing left open."""
    with reading() as connection:
        months = tie_out.tie_out(connection, f"{SINCE:%Y-%m}", live=False)
        return not any(month.difference or month.unequal or month.pending_count for month in months)


def a_subscription(account: Account, amount: int = 1500) -> str:
    """A supporter since a month ago; returns the subscription's id."""
    session = account.sandbox.create_checkout_session(account.asks(amount, monthly=True))
    return str(account.sandbox.pay(session["id"])["subscription"])


def test_a_cheque_noted_on_an_invoice_is_no_money_through_stripe(
    account: Account, told: Callable[[], None], raised: Raised, sdk: stripe.StripeClient
) -> None:
    subscription = a_subscription(account)
    made = account.sandbox.bill(subscription)
    sdk.v1.invoices.pay(made["id"], {"paid_out_of_band": True})
    told()
    # The first month alone. Whoever noted the cheque records it as an offline gift.
    assert (raised(), gifts(), ties()) == (1500, 1, True)


def test_what_is_paid_of_an_invoice_in_part_counts_and_so_does_the_rest(
    account: Account, told: Callable[[], None], raised: Raised
) -> None:
    subscription = a_subscription(account)
    made = account.sandbox.bill(subscription)
    account.sandbox.pay_part(made["id"], 600)
    told()
    assert (raised(), gifts(), ties()) == (2100, 2, True)
    account.sandbox.pay_part(made["id"], 900)
    told()
    assert (raised(), gifts(), ties()) == (3000, 2, True)


def test_an_invoice_that_is_never_paid_whole_keeps_what_was_paid(
    account: Account, told: Callable[[], None], raised: Raised
) -> None:
    subscription = a_subscription(account)
    made = account.sandbox.bill(subscription)
    account.sandbox.pay_part(made["id"], 600)
    account.sandbox.cancel_subscription(subscription)
    told()
    assert (raised(), gifts(), ties()) == (2100, 2, True)


def test_part_by_stripe_and_the_rest_by_cheque_counts_the_part(
    account: Account, told: Callable[[], None], raised: Raised, sdk: stripe.StripeClient
) -> None:
    made = account.sandbox.bill(a_subscription(account))
    account.sandbox.pay_part(made["id"], 600)
    sdk.v1.invoices.pay(made["id"], {"paid_out_of_band": True})
    told()
    assert (raised(), gifts(), ties()) == (2100, 2, True)


def test_one_payment_for_two_invoices_counts_for_each_and_a_refund_comes_off_both(
    account: Account, told: Callable[[], None], raised: Raised
) -> None:
    subscription = a_subscription(account)
    first, second = (account.sandbox.bill(subscription) for _ in range(2))
    intent = account.sandbox.pay_together(first["id"], second["id"])
    told()
    assert (raised(), gifts(), ties()) == (4500, 3, True)
    account.sandbox.refund(payment_intent=intent["id"], amount=2000)
    told()
    assert (raised(), gifts()) == (2500, 3)
    account.sandbox.refund(payment_intent=intent["id"])
    told()
    assert raised() == 1500


def test_other_things_and_tax_on_an_invoice_are_no_gift(
    account: Account, told: Callable[[], None], raised: Raised, sdk: stripe.StripeClient
) -> None:
    subscription = a_subscription(account)
    customer = str(sdk.v1.subscriptions.retrieve(subscription).customer)
    rate = sdk.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": False})
    sdk.v1.invoice_items.create({"customer": customer, "amount": 500, "currency": "usd", "description": "A mug"})
    sdk.v1.subscriptions.update(subscription, {"default_tax_rates": [rate.id]})
    account.sandbox.renew(subscription)
    told()
    # 15.00 of the gift, 5.00 for the mug, 4.00 tax: 24.00 were paid, and the balance ties to that.
    assert (raised(), ties()) == (3000, True)
    with reading() as connection:
        rows = connection.execute(select(entry.c.amount, entry.c.told).order_by(entry.c.id)).all()
    assert sorted(map(tuple, rows)) == [(1500, 1500), (1500, 2400)]


def test_tax_that_is_within_the_price_is_no_gift_either(
    account: Account, told: Callable[[], None], raised: Raised, sdk: stripe.StripeClient
) -> None:
    subscription = a_subscription(account, 1200)
    rate = sdk.v1.tax_rates.create({"display_name": "VAT", "percentage": 20, "inclusive": True})
    sdk.v1.subscriptions.update(subscription, {"default_tax_rates": [rate.id]})
    account.sandbox.renew(subscription)
    told()
    assert (raised(), ties()) == (1200 + 1000, True)


@pytest.mark.parametrize(
    ("coupon", "comes_to"), [({"percent_off": 50}, 750), ({"amount_off": 400, "currency": "usd"}, 1100)]
)
def test_a_coupon_makes_the_gift_smaller_by_what_it_takes_off(
    account: Account, told: Callable[[], None], raised: Raised, sdk: stripe.StripeClient, coupon: Any, comes_to: int
) -> None:
    subscription = a_subscription(account)
    made = sdk.v1.coupons.create(coupon | {"duration": "forever"})
    sdk.v1.subscriptions.update(subscription, {"discounts": [{"coupon": made.id}]})
    account.sandbox.renew(subscription)
    told()
    assert (raised(), ties()) == (1500 + comes_to, True)


# --- Shapes of other versions, and what is told twice -----------------------------------------------------------------


@each(
    "changes",
    [
        {"paid_out_of_band": True},
        {"amount_paid_off_stripe": 1500},
        {"amount_paid": 0, "amount_paid_off_stripe": 1500, "amount_due": 1500},
        {"payments": {"data": [{"amount_paid": 1500, "status": "paid", "payment": {"type": "payment_record"}}]}},
    ],
)
def test_an_invoice_paid_outside_of_stripe_counts_nothing_however_that_is_told(
    stripe_calls: Stripe, raised: Raised, changes: dict[str, Any]
) -> None:
    told = invoice(f"in_{stripe_calls.count}", 1500) | changes
    assert stripe_calls.sends(stripe_calls.event("invoice.paid", told)) == 204
    assert raised() == 0


def test_where_it_was_paid_both_ways_what_came_through_stripe_counts(stripe_calls: Stripe, raised: Raised) -> None:
    holds_both = invoice("in_1", 1500, amount_paid_off_stripe=900, amount_due=1500, amount_remaining=0)
    apart = invoice("in_2", 600, amount_paid_off_stripe=900, amount_due=1500, amount_remaining=0)
    for about in (holds_both, apart):
        stripe_calls.sends(stripe_calls.event("invoice.paid", about))
    assert raised() == 1200


def test_an_invoice_that_is_told_again_with_more_grows_and_with_less_does_not_shrink(
    stripe_calls: Stripe, raised: Raised
) -> None:
    for amount, comes_to in ((600, 600), (1500, 1500), (600, 1500), (1500, 1500), (2000, 2000)):
        stripe_calls.sends(stripe_calls.event("invoice.paid", invoice(amount=amount)))
        assert (raised(), gifts()) == (comes_to, 1)


def test_a_refund_of_a_gift_that_grew_takes_what_it_was_asked_for(stripe_calls: Stripe, raised: Raised) -> None:
    from actors import invoice_payment, refund_of

    stripe_calls.sends(stripe_calls.event("invoice_payment.paid", invoice_payment()))
    stripe_calls.sends(stripe_calls.event("refund.created", refund_of("pi_in_1", amount=1200)))
    stripe_calls.sends(stripe_calls.event("invoice.paid", invoice(amount=600)))
    assert raised() == 0
    stripe_calls.sends(stripe_calls.event("invoice.paid", invoice(amount=1500)))
    assert raised() == 300


def line(amount: int, **changes: Any) -> dict[str, Any]:
    details = {"subscription": "sub_1", "subscription_item": "si_1", "proration": False}
    parent = {"type": "subscription_item_details", "subscription_item_details": details}
    return {"object": "line_item", "amount": amount, "parent": parent, "metadata": OURS} | changes


OTHER = {
    "parent": {"type": "invoice_item_details", "invoice_item_details": {"proration": False, "subscription": "sub_1"}}
}
PRORATED = {
    "parent": {"type": "invoice_item_details", "invoice_item_details": {"proration": True, "subscription": "sub_1"}}
}


@each(
    ("paid", "lines", "more", "comes_to"),
    [
        (1500, [line(1500)], {}, 1500),
        (2000, [line(1500), line(500, **OTHER)], {}, 1500),
        (1700, [line(1500), line(200, **PRORATED)], {}, 1700),
        # A credit of something else makes the payment smaller, and no gift larger.
        (1000, [line(1500), line(-500, **OTHER)], {}, 1000),
        (1000, [line(2000, discount_amounts=[{"amount": 1000, "discount": "di_1"}])], {}, 1000),
        (1785, [line(1500)], {"total_taxes": [{"amount": 285, "tax_behavior": "exclusive"}]}, 1500),
        (1785, [line(1500)], {"total_tax_amounts": [{"amount": 285, "inclusive": False}]}, 1500),
        (1500, [line(1500, taxes=[{"amount": 239, "tax_behavior": "inclusive"}])], {}, 1261),
        (1500, [line(1500, tax_amounts=[{"amount": 239, "inclusive": True}])], {}, 1261),
        # Paid in part: the gift comes first.
        (700, [line(1500), line(500, **OTHER)], {}, 700),
        # Paid beyond an invoice of gifts alone: all of it was given.
        (1800, [line(1500)], {"amount_overpaid": 300}, 1800),
        # The newest lines are not all of them: then nothing is known of the others.
        (2000, [line(1500)], {"has_more": True}, 2000),
        # As lines were until 2025.
        (2000, [{"amount": 1500, "type": "subscription", "subscription": "sub_1"},
                {"amount": 500, "type": "invoiceitem", "subscription": "sub_1", "proration": False}], {}, 1500),
        (2000, [{"amount": 1500, "type": "subscription", "subscription": "sub_1"},
                {"amount": 500, "type": "invoiceitem", "subscription": "sub_1", "proration": True}], {}, 2000),
        # Nothing of it is a gift.
        (500, [line(500, **OTHER)], {}, 0),
    ],
)  # fmt: skip
def test_of_an_invoice_the_subscriptions_own_lines_are_the_gift(
    stripe_calls: Stripe, raised: Raised, paid: int, lines: list[Any], more: dict[str, Any], comes_to: int
) -> None:
    listed = {"object": "list", "data": lines, "has_more": "has_more" in more}
    before = raised()
    about = invoice(f"in_{stripe_calls.count}", paid, lines=listed, billing_reason="subscription_cycle")
    about |= {name: value for name, value in more.items() if name != "has_more"}
    assert stripe_calls.sends(stripe_calls.event("invoice.paid", about)) == 204
    assert raised() - before == comes_to


def test_nothing_is_left_waiting_and_nothing_is_asked_for_any_more(
    account: Account, told: Callable[[], None], raised: Raised
) -> None:
    subscription = a_subscription(account)
    account.sandbox.renew(subscription)
    told()
    fee_fetcher.fetch_due(datetime.now(UTC) + timedelta(days=1))
    with reading() as connection:
        left = [connection.scalar(select(func.count()).select_from(table)) for table in (waiting, pending_fetch)]
    assert left == [0, 0]
