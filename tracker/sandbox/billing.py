"""Gifts that come again and again: subscriptions and their invoices."""

from calendar import monthrange
from collections.abc import Iterable
from datetime import UTC, datetime, timedelta

from tracker.sandbox import invoice_sums, payments
from tracker.sandbox.cards import CardDeclined
from tracker.sandbox.currencies import written
from tracker.sandbox.customers import make_plan, make_price
from tracker.sandbox.events import emit
from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

HOUR, DAY = 3600, 24 * 3600

# Retries of a failed renewal, counted from the first attempt; after the last the subscription is cancelled.
RETRY_AFTER = (3 * DAY, 5 * DAY, 7 * DAY)
RUNNING = ("active", "past_due", "trialing", "unpaid", "paused")


# --- periods ------------------------------------------------------------------------------------------------------


def period_end(anchor: int, interval: str, count: int, periods: int) -> int:
    """The end of the n-th period: always counted from the anchor, so that the 31st comes back after February."""
    start = datetime.fromtimestamp(anchor, UTC)
    steps = count * periods
    if interval == "day":
        return int((start + timedelta(days=steps)).timestamp())
    if interval == "week":
        return int((start + timedelta(weeks=steps)).timestamp())
    months = start.year * 12 + start.month - 1 + steps * (12 if interval == "year" else 1)
    year, month = divmod(months, 12)
    day = min(start.day, monthrange(year, month + 1)[1])
    return int(start.replace(year=year, month=month + 1, day=day).timestamp())


# --- subscriptions ------------------------------------------------------------------------------------------------


def start_subscription(
    store: Store, customer: Body, prices: list[tuple[Body, int]], data: Body, method: Body, intent: Body
) -> tuple[Body, Body]:
    """A subscription whose first period is already paid by `intent`, and its first invoice."""
    now = store.now()
    recurring = [(price, quantity) for price, quantity in prices if price["recurring"]]
    wanted = store.new_id("sub_1")
    items = [_subscription_item(store, wanted, price, quantity, now) for price, quantity in recurring]
    subscription = {
        "id": wanted,
        "object": "subscription",
        "application": None,
        "application_fee_percent": None,
        "automatic_tax": {"disabled_reason": None, "enabled": False, "liability": None},
        "billing_cycle_anchor": now,
        "billing_cycle_anchor_config": None,
        "billing_mode": {"flexible": {"proration_discounts": "included"}, "type": "flexible", "updated_at": now},
        "billing_schedules": [],
        "billing_thresholds": None,
        "cancel_at": None,
        "cancel_at_period_end": False,
        "canceled_at": None,
        "cancellation_details": {"comment": None, "feedback": None, "reason": None},
        "collection_method": "charge_automatically",
        "created": now,
        "currency": recurring[0][0]["currency"],
        "customer": customer["id"],
        "customer_account": None,
        "days_until_due": None,
        "default_payment_method": method["id"],
        "default_source": None,
        "default_tax_rates": [],
        "description": data.get("description"),
        "discounts": [],
        "ended_at": None,
        "invoice_settings": {"account_tax_ids": None, "issuer": {"type": "self"}},
        "items": {
            "object": "list",
            "data": items,
            "has_more": False,
            "url": f"/v1/subscription_items?subscription={wanted}",
        },
        "latest_invoice": None,
        "livemode": store.live,
        "managed_payments": {"enabled": False},
        "metadata": merged_metadata({}, data.get("metadata") or {}),
        "next_pending_invoice_item_invoice": None,
        "on_behalf_of": None,
        "pause_collection": None,
        "payment_settings": {
            "payment_method_options": None,
            "payment_method_types": None,
            "save_default_payment_method": "off",
        },
        "pending_invoice_item_interval": None,
        "pending_setup_intent": None,
        "pending_update": None,
        "schedule": None,
        "start_date": now,
        "status": "active",
        "test_clock": customer["test_clock"],
        "transfer_data": None,
        "trial_end": None,
        "trial_settings": {"end_behavior": {"missing_payment_method": "create_invoice"}},
        "trial_start": None,
    }
    store.add("subscription", subscription, periods=1)
    invoice = _make_invoice(store, subscription, prices, "subscription_create", now)
    store.change(subscription, latest_invoice=invoice["id"])
    emit(store, "customer.subscription.created", subscription)
    emit(store, "invoice.created", invoice)
    finalize(store, invoice, intent)
    return subscription, invoice


def _subscription_item(store: Store, subscription: str, price: Body, quantity: int, now: int) -> Body:
    every = price["recurring"]
    return {
        "id": store.new_id("si_", 14),
        "object": "subscription_item",
        "billing_thresholds": None,
        "created": now,
        "current_period_end": period_end(now, every["interval"], every["interval_count"], 1),
        "current_period_start": now,
        "discounts": [],
        "metadata": {},
        "plan": make_plan(price),
        "price": dict(price),
        "quantity": quantity,
        "subscription": subscription,
        "tax_rates": [],
    }


def renew(store: Store, subscription: Body) -> Body:
    """Bill the next period now, without its hour as a draft: the invoice comes back paid, or open after a failed attempt."""
    invoice = begin_period(store, subscription)
    if invoice["auto_advance"]:
        collect(store, invoice)
    return invoice


def begin_period(store: Store, subscription: Body) -> Body:
    """The period is over: the next one begins, and its invoice is a draft for about an hour."""
    if subscription["status"] not in ("active", "past_due", "trialing"):
        raise StripeError(
            f"Subscription {subscription['id']} is {subscription['status']} and is not billed.", executed=True
        )
    hidden = store.hidden(subscription["id"])
    items = subscription["items"]["data"]
    every = items[0]["price"]["recurring"]
    periods = hidden["periods"] = hidden["periods"] + 1
    anchor = subscription["billing_cycle_anchor"]
    start = items[0]["current_period_end"]
    end = period_end(anchor, every["interval"], every["interval_count"], periods)
    rolled = [item | {"current_period_start": start, "current_period_end": end} for item in items]
    before_items = subscription["items"]
    before: Body = {"items": before_items, "latest_invoice": subscription["latest_invoice"]}
    store.change(subscription, items=before_items | {"data": rolled})
    prices = [(item["price"], item["quantity"]) for item in rolled]
    invoice = _make_invoice(store, subscription, prices, "subscription_cycle", items[0]["current_period_start"])
    store.change(subscription, latest_invoice=invoice["id"])
    if subscription["pause_collection"]:
        _stays_a_draft(store, invoice)
    emit(store, "invoice.created", invoice)
    emit(store, "customer.subscription.updated", subscription, before)
    return invoice


def _stays_a_draft(store: Store, invoice: Body) -> None:
    store.change(invoice, auto_advance=False, automatically_finalizes_at=None, next_payment_attempt=None)


def collect(store: Store, invoice: Body) -> None:
    """The draft becomes final, and the saved payment method is charged."""
    finalize(store, invoice, None)
    attempt(store, invoice)


def update_subscription(store: Store, subscription: Body, params: Body) -> Body:
    fields: Body = {}
    now = store.now()
    for name in ("description", "default_payment_method"):
        if name in params:
            fields[name] = params[name] or None
    if "metadata" in params:
        fields["metadata"] = merged_metadata(subscription["metadata"], params["metadata"])
    if "pause_collection" in params:
        asked = params["pause_collection"]
        fields["pause_collection"] = (
            {"behavior": asked["behavior"], "resumes_at": asked.get("resumes_at")} if asked else None
        )
    if "cancellation_details" in params:
        fields["cancellation_details"] = subscription["cancellation_details"] | (params["cancellation_details"] or {})
    if "cancel_at_period_end" in params and "cancel_at" in params:
        raise StripeError(
            "You may only specify one of these parameters: cancel_at, cancel_at_period_end.",
            code="parameters_exclusive",
            param="cancel_at",
        )
    if "cancel_at_period_end" in params:
        fields |= _schedule_cancel(subscription, params["cancel_at_period_end"], now)
    if "cancel_at" in params:
        at = params["cancel_at"]
        if at in ("min_period_end", "max_period_end"):
            at = subscription["items"]["data"][0]["current_period_end"]
        if at and at <= now:
            raise StripeError("`cancel_at` must be in the future.", param="cancel_at")
        fields |= {"cancel_at": at or None, "canceled_at": now if at else None, "cancel_at_period_end": False}
    if "discounts" in params:
        fields["discounts"] = invoice_sums.discounts_of(store, subscription, params["discounts"])
    if "default_tax_rates" in params:
        fields["default_tax_rates"] = list(params["default_tax_rates"] or [])
    if "items" in params:
        fields["items"] = _changed_items(store, subscription, params["items"])
    before = store.change(subscription, **fields)
    if before:
        emit(store, "customer.subscription.updated", subscription, before)
    return subscription


def _schedule_cancel(subscription: Body, on: bool, now: int) -> Body:
    reason = "cancellation_requested" if on else None
    return {
        "cancel_at_period_end": on,
        "cancel_at": subscription["items"]["data"][0]["current_period_end"] if on else None,
        "canceled_at": now if on else None,
        "cancellation_details": subscription["cancellation_details"] | {"reason": reason},
    }


def _changed_items(store: Store, subscription: Body, changes: list[Body]) -> Body:
    """Another amount from the next period on; this stand-in bills no prorations."""
    items = {item["id"]: item for item in subscription["items"]["data"]}
    for position, change in enumerate(changes):
        item = items.get(change.get("id", ""))
        if item is None:
            raise StripeError(
                f"No such subscription_item: '{change.get('id')}'",
                code="resource_missing",
                param=f"items[{position}][id]",
            )
        price = item["price"]
        if "price_data" in change:
            if "unit_amount" not in change["price_data"]:
                needed = f"items[{position}][price_data][unit_amount]"
                raise StripeError(f"Missing required param: {needed}.", code="parameter_missing", param=needed)
            price = make_price(store, change["price_data"])
        elif "price" in change:
            price = store.find("price", change["price"], f"items[{position}][price]")
        items[item["id"]] = item | {
            "price": dict(price),
            "plan": make_plan(price),
            "quantity": change.get("quantity", item["quantity"]),
        }
    return {**subscription["items"], "data": list(items.values())}


def cancel_later(store: Store, subscription: Body) -> Body:
    """The donor cancels in the portal: with flexible billing that sets `cancel_at`, not the older flag (clover)."""
    _must_run(subscription)
    fields = _schedule_cancel(subscription, True, store.now()) | {"cancel_at_period_end": False}
    before = store.change(subscription, **fields)
    emit(store, "customer.subscription.updated", subscription, before)
    return subscription


def keep_after_all(store: Store, subscription: Body) -> Body:
    """The donor takes a scheduled cancellation back."""
    _must_run(subscription)
    before = store.change(subscription, **_schedule_cancel(subscription, False, store.now()))
    emit(store, "customer.subscription.updated", subscription, before)
    return subscription


def cancel_subscription(store: Store, subscription: Body, params: Body | None = None) -> Body:
    _must_run(subscription)
    details = (params or {}).get("cancellation_details") or {}
    told = {name: details[name] or None for name in ("comment", "feedback") if name in details}
    store.change(subscription, cancellation_details=subscription["cancellation_details"] | told)
    return end_subscription(store, subscription, "cancellation_requested")


def _must_run(subscription: Body) -> None:
    if subscription["status"] not in RUNNING:
        raise StripeError(
            f"No such subscription: '{subscription['id']}'", status=404, code="resource_missing", param="id"
        )


def end_subscription(store: Store, subscription: Body, reason: str) -> Body:
    now = store.now()
    draft = store.read(subscription["latest_invoice"])
    if draft and draft["status"] == "draft":
        _stays_a_draft(store, draft)
    store.change(
        subscription,
        status="canceled",
        canceled_at=subscription["canceled_at"] or now,
        ended_at=now,
        cancellation_details=subscription["cancellation_details"] | {"reason": reason},
    )
    emit(store, "customer.subscription.deleted", subscription)
    return subscription


def pause_subscription(store: Store, subscription: Body) -> Body:
    if subscription["status"] not in ("active", "past_due", "trialing"):
        raise StripeError(f"Subscription {subscription['id']} cannot be paused.", executed=True)
    paused = {
        "subscription": {"type": "pause_requested"},
        "transitioned_at": store.now(),
        "type": "subscription",
    }
    before = store.change(subscription, status="paused", status_details={"paused": paused})
    emit(store, "customer.subscription.updated", subscription, before)
    emit(store, "customer.subscription.paused", subscription)
    return subscription


def resume_subscription(store: Store, subscription: Body) -> Body:
    if subscription["status"] != "paused":
        raise StripeError(f"Subscription {subscription['id']} is not paused.", executed=True)
    before = store.change(subscription, status="active", status_details=None)
    emit(store, "customer.subscription.updated", subscription, before)
    emit(store, "customer.subscription.resumed", subscription)
    return subscription


def delete_customer(store: Store, customer: Body) -> Body:
    """A deleted customer's subscriptions end at once."""
    for subscription in list(store.newest("subscription")):
        if subscription["customer"] == customer["id"] and subscription["status"] in RUNNING:
            end_subscription(store, subscription, "cancellation_requested")
    store.remove(customer["id"])
    emit(store, "customer.deleted", customer)
    return {"id": customer["id"], "object": "customer", "deleted": True}


# --- invoices -----------------------------------------------------------------------------------------------------


def _make_invoice(
    store: Store, subscription: Body, prices: list[tuple[Body, int]], reason: str, period_start: int
) -> Body:
    customer = store.rows[subscription["customer"]].body
    wanted = store.new_id("in_1")
    now = store.now()
    first = reason == "subscription_create"
    items = {item["price"]["id"]: item for item in subscription["items"]["data"]}
    lines = [
        _line(store, wanted, subscription, items.get(price["id"]), price, quantity, period_start)
        for price, quantity in prices
    ]
    if not first:
        lines += invoice_sums.other_lines(store, customer["id"], wanted)
    sums = invoice_sums.summed(store, subscription, lines)
    sequence = customer["next_invoice_sequence"]
    store.change(customer, next_invoice_sequence=sequence + 1, currency=subscription["currency"])
    invoice = {
        "id": wanted,
        "object": "invoice",
        "account_country": "US",
        "account_name": "Sandbox",
        "account_tax_ids": None,
        "amount_overpaid": 0,
        "amount_paid": 0,
        "amount_paid_off_stripe": 0,
        "amount_shipping": 0,
        "application": None,
        "attempt_count": 0,
        "attempted": False,
        "auto_advance": True,
        "automatic_tax": {
            "disabled_reason": None,
            "enabled": False,
            "liability": None,
            "provider": None,
            "status": None,
        },
        "automatically_finalizes_at": None if first else now + HOUR,
        "billing_reason": reason,
        "collection_method": "charge_automatically",
        "created": now,
        "currency": subscription["currency"],
        "custom_fields": None,
        "customer": customer["id"],
        "customer_account": None,
        "customer_address": customer["address"],
        "customer_email": customer["email"],
        "customer_name": customer["name"],
        "customer_phone": None,
        "customer_shipping": None,
        "customer_tax_exempt": "none",
        "customer_tax_ids": [],
        "default_payment_method": None,
        "default_source": None,
        "default_tax_rates": [],
        "description": None,
        "due_date": None,
        "effective_at": None,
        "ending_balance": None,
        "footer": None,
        "from_invoice": None,
        "hosted_invoice_url": None,
        "invoice_pdf": None,
        "issuer": {"type": "self"},
        "last_finalization_error": None,
        "latest_revision": None,
        "lines": {
            "object": "list",
            "data": lines,
            "has_more": False,
            "total_count": len(lines),
            "url": f"/v1/invoices/{wanted}/lines",
        },
        "livemode": store.live,
        "metadata": {},
        "next_payment_attempt": None if first else now + HOUR,
        "number": f"{customer['invoice_prefix']}-{sequence:04d}",
        "on_behalf_of": None,
        # Where the subscription stands since basil, with its metadata as it was when the invoice was made.
        "parent": {
            "quote_details": None,
            "subscription_details": {
                "metadata": dict(subscription["metadata"]),
                "subscription": subscription["id"],
            },
            "type": "subscription_details",
        },
        "payment_settings": {
            "default_mandate": None,
            "payment_method_options": None,
            "payment_method_types": None,
        },
        # A renewal's own period is the one just ended; the one being paid for stands in its lines.
        "period_end": now if first else lines[0]["period"]["start"],
        "period_start": period_start,
        "post_payment_credit_notes_amount": 0,
        "pre_payment_credit_notes_amount": 0,
        "receipt_number": None,
        "rendering": None,
        "shipping_cost": None,
        "shipping_details": None,
        "starting_balance": 0,
        "statement_descriptor": None,
        "status": "draft",
        "status_details": None,
        "status_transitions": {
            "finalized_at": None,
            "marked_uncollectible_at": None,
            "paid_at": None,
            "voided_at": None,
        },
        "test_clock": subscription["test_clock"],
        "total_pretax_credit_amounts": [],
        "webhooks_delivered_at": now,
    }
    return store.add("invoice", invoice | sums)


def _line(
    store: Store, invoice: str, subscription: Body, item: Body | None, price: Body, quantity: int, start: int
) -> Body:
    amount = price["unit_amount"] * quantity
    product = store.read(price["product"]) or {"name": "Subscription"}
    text = f"{quantity} × {product['name']}"
    if price["recurring"]:
        text += f" (at {written(price['unit_amount'], price['currency'])} / {price['recurring']['interval']})"
    return {
        "id": store.new_id("il_1"),
        "object": "line_item",
        "amount": amount,
        "currency": price["currency"],
        "description": text,
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice,
        "livemode": store.live,
        "metadata": dict(subscription["metadata"]),
        "parent": {
            "invoice_item_details": None,
            "subscription_item_details": {
                "invoice_item": None,
                "proration": False,
                "proration_details": {"credited_items": None},
                "subscription": subscription["id"],
                "subscription_item": item["id"] if item else None,
            },
            "type": "subscription_item_details",
        },
        "period": {
            "start": item["current_period_start"] if item else start,
            "end": item["current_period_end"] if item else start,
        },
        "pretax_credit_amounts": [],
        "pricing": {
            "price_details": {"price": price["id"], "product": price["product"]},
            "type": "price_details",
            "unit_amount_decimal": price["unit_amount_decimal"],
        },
        "quantity": quantity,
        "quantity_decimal": str(quantity),
        "subscription": subscription["id"],
        "subtotal": amount,
        "taxes": [],
    }


def finalize(store: Store, invoice: Body, intent: Body | None) -> None:
    """From draft to open, with the payment intent that is to pay it."""
    now = store.now()
    store.change(
        invoice,
        status="open",
        effective_at=now,
        hosted_invoice_url=f"https://invoice.stripe.com/i/{invoice['id']}",
        invoice_pdf=f"https://pay.stripe.com/invoice/{invoice['id']}/pdf",
        automatically_finalizes_at=None,
        ending_balance=0,
        status_transitions=invoice["status_transitions"] | {"finalized_at": now},
    )
    emit(store, "invoice.finalized", invoice)
    if intent is None:
        intent = payments.make_intent(
            store,
            invoice["amount_due"],
            invoice["currency"],
            invoice["customer"],
            {"setup_future_usage": "off_session"},
            "Subscription update",
        )
    paying = {
        "id": store.new_id("inpay_1"),
        "object": "invoice_payment",
        "amount_paid": None,
        "amount_requested": invoice["amount_due"],
        "created": now,
        "currency": invoice["currency"],
        "invoice": invoice["id"],
        "is_default": True,
        "livemode": store.live,
        "payment": {"payment_intent": intent["id"], "type": "payment_intent"},
        "status": "open",
        "status_transitions": {"canceled_at": None, "paid_at": None},
    }
    store.add("invoice_payment", paying)


def payments_of(store: Store, invoice: Body) -> Iterable[Body]:
    return (row for row in store.newest("invoice_payment") if row["invoice"] == invoice["id"])


def default_payment(store: Store, invoice: Body) -> Body:
    """The payment that Stripe itself made to collect an invoice."""
    return next(one for one in payments_of(store, invoice) if one["is_default"])


def mark_paid(store: Store, invoice: Body) -> None:
    """The money of an invoice, or what was left of it, has arrived."""
    paying = default_payment(store, invoice)
    store.change(
        paying,
        status="paid",
        amount_paid=invoice["amount_remaining"],
        status_transitions=paying["status_transitions"] | {"paid_at": store.now()},
    )
    store.change(invoice, amount_paid=invoice["amount_due"], amount_remaining=0, attempted=True)
    close_paid(store, invoice, paying)


def close_paid(store: Store, invoice: Body, paying: Body) -> None:
    """All of an invoice is paid, the last of it by this payment."""
    store.change(
        invoice,
        status="paid",
        auto_advance=False,
        next_payment_attempt=None,
        status_transitions=invoice["status_transitions"] | {"paid_at": store.now()},
    )
    emit(store, "invoice.paid", invoice)
    emit(store, "invoice.payment_succeeded", invoice)
    emit(store, "invoice_payment.paid", paying)


def attempt(store: Store, invoice: Body) -> bool:
    """Try to collect an open invoice from the saved payment method: whether it worked or is on its way."""
    details = invoice["parent"]["subscription_details"]
    subscription = store.rows[details["subscription"]].body
    paying = default_payment(store, invoice)
    intent = store.rows[paying["payment"]["payment_intent"]].body
    method = store.rows[subscription["default_payment_method"]].body
    store.change(invoice, attempt_count=invoice["attempt_count"] + 1, attempted=True, next_payment_attempt=None)
    try:
        made = payments.charge(store, intent, method, saved=True)
    except CardDeclined as refusal:
        _not_collected(store, invoice, subscription, refusal)
        return False
    if made["status"] == "pending":
        return True  # a bank debit: the answer comes later
    mark_paid(store, invoice)
    _recover(store, subscription)
    return True


def _recover(store: Store, subscription: Body) -> None:
    if subscription["status"] == "past_due":
        before = store.change(subscription, status="active")
        emit(store, "customer.subscription.updated", subscription, before)


def debit_answered(store: Store, intent: Body, paid: bool) -> None:
    """A bank debit for an invoice has been answered."""
    paying = next(
        (row for row in store.newest("invoice_payment") if row["payment"].get("payment_intent") == intent["id"]), None
    )
    if paying is None:
        return
    invoice = store.rows[paying["invoice"]].body
    subscription = store.rows[invoice["parent"]["subscription_details"]["subscription"]].body
    if paid:
        mark_paid(store, invoice)
        _recover(store, subscription)
    else:
        _not_collected(store, invoice, subscription, None)


def _not_collected(store: Store, invoice: Body, subscription: Body, refusal: CardDeclined | None) -> None:
    tries = invoice["attempt_count"]
    hidden = store.hidden(invoice["id"])
    first = hidden.setdefault("first_attempt", store.now())
    last = tries > len(RETRY_AFTER)
    store.change(invoice, next_payment_attempt=None if last else first + RETRY_AFTER[tries - 1])
    emit(store, "invoice.payment_failed", invoice)
    if refusal and refusal.code == "authentication_required":
        emit(store, "invoice.payment_action_required", invoice)
    if subscription["status"] == "active":
        before = store.change(subscription, status="past_due")
        emit(store, "customer.subscription.updated", subscription, before)
    if last and subscription["status"] in RUNNING:
        end_subscription(store, subscription, "payment_failed")


def pay_invoice(store: Store, invoice: Body) -> Body:
    """`POST /v1/invoices/{id}/pay`: one more attempt, whose refusal the caller sees as a card error."""
    if invoice["status"] == "paid":
        raise StripeError("Invoice is already paid", code="invoice_already_paid", executed=True)
    if invoice["status"] != "open":
        raise StripeError(f"Invoice {invoice['id']} is {invoice['status']} and cannot be paid.", executed=True)
    if not attempt(store, invoice):
        paying = default_payment(store, invoice)
        intent = store.rows[paying["payment"]["payment_intent"]].body
        error = intent["last_payment_error"]
        more = {"decline_code": error["decline_code"]} if "decline_code" in error else {}
        raise StripeError(
            error["message"], status=402, kind="card_error", code=error["code"], executed=True,
            charge=error["charge"], payment_intent=dict(intent), **more,
        )  # fmt: skip
    return invoice
