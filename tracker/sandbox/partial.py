"""Invoices that are paid in another way than once and whole: in parts, outside of Stripe, or several by one payment."""

from tracker.sandbox import billing, payments
from tracker.sandbox.events import emit
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError


def pay_part(store: Store, invoice: Body, amount: int) -> Body:
    """Part of an open invoice, or the rest of it, is paid by a payment of its own."""
    _must_be_open(invoice)
    if not 0 < amount <= invoice["amount_remaining"]:
        raise StripeError("An invoice takes no more than what is left of it.", param="amount", executed=True)
    _paid_by(store, invoice, _charged(store, invoice, amount)["id"], amount)
    return invoice


def pay_together(store: Store, invoices: list[Body]) -> Body:
    """One payment pays several invoices of a customer."""
    for invoice in invoices:
        _must_be_open(invoice)
    intent = _charged(store, invoices[0], sum(invoice["amount_remaining"] for invoice in invoices))
    for invoice in invoices:
        _paid_by(store, invoice, intent["id"], invoice["amount_remaining"])
    return intent


def pay_outside(store: Store, invoice: Body) -> Body:
    """Somebody notes that the rest of an invoice was paid outside of Stripe, by a cheque, say. No money moves here."""
    _must_be_open(invoice)
    left = invoice["amount_remaining"]
    store.change(invoice, amount_paid_off_stripe=invoice["amount_paid_off_stripe"] + left)
    _add_payment(store, invoice, left, {"payment_record": store.new_id("pr_1"), "type": "payment_record"})
    return invoice


def _must_be_open(invoice: Body) -> None:
    if invoice["status"] == "paid":
        raise StripeError("Invoice is already paid", code="invoice_already_paid", executed=True)
    if invoice["status"] != "open":
        raise StripeError(f"Invoice {invoice['id']} is {invoice['status']} and cannot be paid.", executed=True)


def _charged(store: Store, invoice: Body, amount: int) -> Body:
    subscription = store.rows[invoice["parent"]["subscription_details"]["subscription"]].body
    intent = payments.make_intent(store, amount, invoice["currency"], invoice["customer"], {}, "Payment for invoice")
    payments.charge(store, intent, store.rows[subscription["default_payment_method"]].body, saved=True)
    return intent


def _paid_by(store: Store, invoice: Body, intent: str, amount: int) -> None:
    _add_payment(store, invoice, amount, {"payment_intent": intent, "type": "payment_intent"})


def _add_payment(store: Store, invoice: Body, amount: int, payment: Body) -> None:
    now = store.now()
    paying = {
        "id": store.new_id("inpay_1"),
        "object": "invoice_payment",
        "amount_paid": amount,
        "amount_requested": amount,
        "created": now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": False,
        "livemode": store.live,
        "payment": payment,
        "status": "paid",
        "status_transitions": {"canceled_at": None, "paid_at": now},
    }
    default = next(one for one in billing.payments_of(store, invoice) if one["is_default"])
    store.add("invoice_payment", paying)
    left = invoice["amount_remaining"] - amount
    store.change(invoice, amount_paid=invoice["amount_paid"] + amount, amount_remaining=left)
    # The payment that stands there by default asks for what is left.
    store.change(default, amount_requested=left)
    if default["payment"]["type"] == "payment_intent":
        store.change(store.rows[default["payment"]["payment_intent"]].body, amount=left)
    if left:
        emit(store, "invoice.updated", invoice)
        emit(store, "invoice_payment.paid", paying)
        return
    canceled = default["status_transitions"] | {"canceled_at": now}
    store.change(default, status="canceled", status_transitions=canceled)
    billing.close_paid(store, invoice, paying)
