"""Checkout Sessions: what may be asked for, what comes back, and what happens when a donor pays."""

from tracker.sandbox import billing, customers, payments
from tracker.sandbox.cards import Account, Card, CardDeclined, declined
from tracker.sandbox.checkout_rules import check
from tracker.sandbox.events import emit
from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

DAY, MONTH = 24 * 3600, 30 * 24 * 3600


def create_session(store: Store, params: Body, public_url: str) -> Body:
    check(store, params)
    mode = params["mode"]
    now = store.now()
    items = params["line_items"]
    prices = [(_price(store, item), item.get("quantity", 1)) for item in items]
    currency = prices[0][0]["currency"]
    total = sum(price["unit_amount"] * quantity for price, quantity in prices)
    subscribing = mode == "subscription"
    wanted = store.new_id("cs_live_a1" if store.live else "cs_test_a1", 56)
    recovery = (params.get("after_expiration") or {}).get("recovery")
    session = {
        "id": wanted,
        "object": "checkout.session",
        "adaptive_pricing": {"enabled": params.get("adaptive_pricing", {}).get("enabled", True)},
        "after_expiration": {
            "recovery": {
                "allow_promotion_codes": recovery.get("allow_promotion_codes", False),
                "enabled": recovery["enabled"],
                "expires_at": None,
                "url": None,
            }
        }
        if recovery
        else None,
        "allow_promotion_codes": params.get("allow_promotion_codes"),
        "allowed_payment_method_types": params.get("allowed_payment_method_types"),
        "amount_subtotal": total,
        "amount_total": total,
        "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
        "billing_address_collection": params.get("billing_address_collection"),
        "branding_settings": params.get("branding_settings"),
        "cancel_url": params.get("cancel_url"),
        "client_reference_id": params.get("client_reference_id"),
        "client_secret": None,
        "collected_information": None,
        "consent": None,
        "consent_collection": params.get("consent_collection"),
        "created": now,
        "currency": currency,
        "currency_conversion": None,
        "custom_fields": [_custom_field(field) for field in params.get("custom_fields", [])],
        "custom_text": dict.fromkeys(("after_submit", "shipping_address", "submit", "terms_of_service_acceptance"))
        | {name: text or None for name, text in (params.get("custom_text") or {}).items()},
        "customer": params.get("customer"),
        "customer_account": None,
        "customer_creation": params.get("customer_creation", "always" if subscribing else "if_required")
        if not params.get("customer")
        else None,
        "customer_details": _details(params["customer_email"]) if "customer_email" in params else None,
        "customer_email": params.get("customer_email"),
        "discounts": [],
        "excluded_payment_method_types": params.get("excluded_payment_method_types"),
        "expires_at": params.get("expires_at", now + DAY),
        "integration_identifier": params.get("integration_identifier"),
        "invoice": None,
        "invoice_creation": None
        if subscribing
        else {"enabled": False, "invoice_data": dict.fromkeys(INVOICE_DATA) | {"metadata": {}}},
        "livemode": store.live,
        "locale": params.get("locale"),
        "managed_payments": {"enabled": False},
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "mode": mode,
        "name_collection": params.get("name_collection"),
        "optional_items": None,
        "origin_context": params.get("origin_context"),
        "payment_intent": None,  # null until the donor confirms (API 2022-08-01)
        "payment_link": None,
        "payment_method_collection": params.get("payment_method_collection", "always")
        if subscribing
        else "if_required",
        "payment_method_configuration_details": {"id": "pmc_1SandboxDefault", "parent": None},
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": _methods(params, currency),
        "payment_status": "unpaid",
        "permissions": None,
        "phone_number_collection": {"enabled": params.get("phone_number_collection", {}).get("enabled", False)},
        "recovered_from": None,
        "saved_payment_method_options": {
            "allow_redisplay_filters": ["always"],
            "payment_method_remove": "disabled",
            "payment_method_save": None,
        }
        if subscribing
        else None,
        "setup_intent": None,
        "shipping_address_collection": None,
        "shipping_cost": None,
        "shipping_options": [],
        "status": "open",
        "submit_type": params.get("submit_type"),
        "subscription": None,
        "success_url": params["success_url"],
        "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0},
        "ui_mode": params.get("ui_mode", "hosted_page"),
        "url": f"{public_url.rstrip('/')}/pay/{wanted}",
        "wallet_options": None,
    }
    store.open.add(wanted)
    store.add(
        "checkout.session",
        session,
        lines=[_line_item(store, price, quantity) for price, quantity in prices],
        payment_intent_data=params.get("payment_intent_data") or {},
        subscription_data=params.get("subscription_data") or {},
    )
    return session


INVOICE_DATA = ("account_tax_ids", "custom_fields", "description", "footer", "issuer", "rendering_options")
# --- what comes back ----------------------------------------------------------------------------------------------


def _price(store: Store, item: Body) -> Body:
    return store.find("price", item["price"]) if "price" in item else customers.make_price(store, item["price_data"])


def _line_item(store: Store, price: Body, quantity: int) -> Body:
    amount = price["unit_amount"] * quantity
    return {
        "id": store.new_id("li_1"),
        "object": "item",
        "adjustable_quantity": None,
        "amount_discount": 0,
        "amount_subtotal": amount,
        "amount_tax": 0,
        "amount_total": amount,
        "currency": price["currency"],
        "description": (store.read(price["product"]) or {"name": "Donation"})["name"],
        "metadata": {},
        "price": dict(price),
        "quantity": quantity,
    }


def _methods(params: Body, currency: str) -> list[str]:
    """What the donor may pay with: dynamic payment methods, narrowed by the caller."""
    eligible = ["card", "sepa_debit"] if currency == "eur" else ["card"]
    allowed = params.get("allowed_payment_method_types")
    if allowed:
        eligible = [name for name in eligible if name in allowed]
    eligible = [name for name in eligible if name not in (params.get("excluded_payment_method_types") or [])]
    if not eligible:
        raise StripeError(
            "No valid payment method types for this Checkout Session. Please ensure that you have activated payment "
            "methods compatible with your chosen currency in your dashboard.",
            param="allowed_payment_method_types" if allowed else "excluded_payment_method_types",
        )
    return eligible


def _custom_field(field: Body) -> Body:
    kind = field["type"]
    settings = {"default_value": None, "value": None}
    settings |= {"options": field["dropdown"]["options"]} if kind == "dropdown" else NO_LENGTHS
    given = dict(field.get(kind, {}))
    return {
        "key": field["key"],
        "label": {"custom": field["label"]["custom"], "type": "custom"},
        "optional": field.get("optional", False),
        "type": kind,
        kind: settings | given,
    }


NO_LENGTHS = {"maximum_length": None, "minimum_length": None}


def _details(email: str | None, name: str | None = None) -> Body:
    return {
        "address": dict(payments.NO_ADDRESS) if name else None,
        "business_name": None,
        "email": email,
        "individual_name": None,
        "name": name,
        "phone": None,
        "tax_exempt": "none",
        "tax_ids": [] if name else None,
    }


def update_session(store: Store, session: Body, params: Body) -> Body:
    for name in params:
        if name not in ("metadata", "expand"):
            raise StripeError(f"This stand-in does not change {name} of a session.", param=name)
    if "metadata" in params:
        store.change(session, metadata=merged_metadata(session["metadata"], params["metadata"]))
    return session


# --- the end of a session -----------------------------------------------------------------------------------------


def expire_session(store: Store, session: Body) -> Body:
    if session["status"] != "open":
        raise StripeError(
            f'Only Checkout Sessions with a status in ["open"] can be expired. This Checkout Session has a status of '
            f"{session['status']}.",
            param="id",
            executed=True,
        )
    recovery = session["after_expiration"]
    changed: Body = {"status": "expired", "url": None}
    if recovery and recovery["recovery"]["enabled"]:
        link = {
            "expires_at": store.now() + MONTH,
            "url": f"{session['url'].rsplit('/pay/', 1)[0]}/recover/{session['id']}",
        }
        changed["after_expiration"] = {"recovery": recovery["recovery"] | link}
    store.change(session, **changed)
    store.open.discard(session["id"])
    emit(store, "checkout.session.expired", session)
    return session


def expire_due(store: Store) -> None:
    """Sessions nobody paid in time."""
    now = store.now()
    for wanted in list(store.open):
        row = store.rows[wanted]
        if row.live == store.live and row.body["expires_at"] <= now:
            with store.at(row.body["expires_at"]):
                expire_session(store, row.body)


def recover_session(store: Store, old: Body, public_url: str) -> Body:
    """A new session, a copy of the expired one, for a donor who comes back by the recovery link."""
    hidden = store.hidden(old["id"])
    wanted = store.new_id("cs_live_b1" if store.live else "cs_test_b1", 56)
    again = old | {
        "id": wanted,
        "created": store.now(),
        "expires_at": store.now() + DAY,
        "after_expiration": None,
        "recovered_from": old["id"],
        "status": "open",
        "payment_status": "unpaid",
        "payment_intent": None,
        "url": f"{public_url.rstrip('/')}/pay/{wanted}",
    }
    store.open.add(wanted)
    return store.add("checkout.session", again, **{k: v for k, v in hidden.items() if k != "attempt"})


# --- paying -------------------------------------------------------------------------------------------------------


def needs_challenge(means: Card | Account) -> bool:
    return isinstance(means, Card) and means.challenge is not None


def pay_session(
    store: Store,
    session: Body,
    means: Card | Account,
    expiry: tuple[int, int],
    email: str,
    name: str | None,
    challenge: bool | None = None,
    answers: dict[str, str] | None = None,
) -> Body:
    """The donor confirms. A refusal raises CardDeclined and leaves the session open for another try.

    `challenge` says how a 3-D Secure page was answered: None when there was none.
    """
    if session["status"] != "open":
        raise StripeError(f"This Checkout Session is {session['status']}.", executed=True)
    kind = "sepa_debit" if isinstance(means, Account) else "card"
    if kind not in session["payment_method_types"]:
        raise CardDeclined("payment_method_unsupported_type", None, "This way of paying is not offered here.", "method")
    subscribing = session["mode"] == "subscription"
    customer = store.read(session["customer"])
    with store.at(customers.clock_moment(store, session["customer"])):
        intent = _intent(store, session, customer)
        method = payments.make_method(store, means, *expiry, email, name, customer["id"] if customer else None)
        if challenge is False:
            refusal = declined("authentication_failed")
            payments.refuse(store, intent, method, refusal)
            raise refusal
        if subscribing and kind == "sepa_debit":
            return _start_by_debit(store, session, intent, method, customer, email, name, answers)
        if subscribing:
            return _start_by_card(store, session, intent, method, customer, email, name, bool(challenge), answers)
        made = payments.charge(store, intent, method, challenged=bool(challenge))
        if customer is None and session["customer_creation"] == "always":
            customer = _new_customer(store, method, email, name)
            store.change(intent, customer=customer["id"])
            store.change(made, customer=customer["id"])
        _complete(store, session, customer, email, name, made["status"] == "succeeded", answers)
    return session


def _intent(store: Store, session: Body, customer: Body | None) -> Body:
    """The intent of an earlier try, or a new one: donors who are declined try again on the same one."""
    hidden = store.hidden(session["id"])
    known = store.read(hidden.get("intent"))
    if known:
        return known
    subscribing = session["mode"] == "subscription"
    data = {"setup_future_usage": "off_session"} if subscribing else hidden["payment_intent_data"]
    intent = payments.make_intent(
        store,
        session["amount_total"],
        session["currency"],
        customer["id"] if customer else None,
        data,
        "Subscription creation" if subscribing else None,
    )
    hidden["intent"] = intent["id"]
    store.touch(session["id"])
    if not subscribing:
        store.change(session, payment_intent=intent["id"])
    return intent


def _new_customer(store: Store, method: Body, email: str, name: str | None) -> Body:
    customer = customers.create_customer(store, {"email": email, "name": name})
    _attach(store, method, customer)
    return customer


def _attach(store: Store, method: Body, customer: Body) -> None:
    store.change(method, customer=customer["id"])
    emit(store, "payment_method.attached", method)


def _start_by_card(
    store: Store,
    session: Body,
    intent: Body,
    method: Body,
    customer: Body | None,
    email: str,
    name: str | None,
    challenged: bool,
    answers: dict[str, str] | None,
) -> Body:
    """The first month: the money first, then the subscription (basil), told in the order of Stripe's documentation."""
    means = payments.means_of(store, method)
    reason = (means.decline or (means.after_challenge if challenged else None)) if isinstance(means, Card) else None
    if reason:
        refusal = declined(reason)
        payments.refuse(store, intent, method, refusal)
        raise refusal
    customer = _customer_for(store, method, customer, email, name)
    store.change(intent, customer=customer["id"])
    subscription, invoice = _begin(store, session, customer, method, intent)
    made = payments.charge(store, intent, method, challenged=challenged)
    store.change(invoice, attempt_count=1)
    if made["status"] == "succeeded":
        billing.mark_paid(store, invoice)
    store.change(session, subscription=subscription["id"], invoice=invoice["id"])
    _complete(store, session, customer, email, name, True, answers)
    return session


def _start_by_debit(
    store: Store,
    session: Body,
    intent: Body,
    method: Body,
    customer: Body | None,
    email: str,
    name: str | None,
    answers: dict[str, str] | None,
) -> Body:
    """The subscription runs while its first debit is on the way; `invoice.paid` comes with the bank's answer."""
    customer = _customer_for(store, method, customer, email, name)
    store.change(intent, customer=customer["id"])
    subscription, invoice = _begin(store, session, customer, method, intent)
    payments.charge(store, intent, method)
    store.change(invoice, attempt_count=1, attempted=True)
    store.change(session, subscription=subscription["id"], invoice=invoice["id"])
    _complete(store, session, customer, email, name, False, answers)
    return session


def _customer_for(store: Store, method: Body, customer: Body | None, email: str, name: str | None) -> Body:
    if customer is None:
        return _new_customer(store, method, email, name)
    _attach(store, method, customer)
    return customer


def _begin(store: Store, session: Body, customer: Body, method: Body, intent: Body) -> tuple[Body, Body]:
    hidden = store.hidden(session["id"])
    prices = [(line["price"], line["quantity"]) for line in hidden["lines"]]
    return billing.start_subscription(store, customer, prices, hidden["subscription_data"], method, intent)


def _complete(
    store: Store,
    session: Body,
    customer: Body | None,
    email: str,
    name: str | None,
    paid: bool,
    answers: dict[str, str] | None,
) -> None:
    fields = [
        field | {field["type"]: field[field["type"]] | {"value": (answers or {}).get(field["key"])}}
        for field in session["custom_fields"]
    ]
    if customer and customer["email"] is None:
        customers.update_customer(store, customer, {"email": email})
    store.change(
        session,
        status="complete",
        payment_status="paid" if paid else "unpaid",
        url=None,
        customer=customer["id"] if customer else None,
        customer_details=_details(email, name or ""),
        custom_fields=fields,
        collected_information={"business_name": None, "individual_name": None, "shipping_details": None},
    )
    session["customer_details"]["name"] = name
    store.open.discard(session["id"])
    emit(store, "checkout.session.completed", session)


def debit_answered(store: Store, intent: Body, paid: bool) -> None:
    """The bank's answer to a delayed payment reaches the session."""
    session = next(
        (row for row in store.newest("checkout.session") if store.hidden(row["id"]).get("intent") == intent["id"]), None
    )
    if session is None:
        return
    if paid:
        store.change(session, payment_status="paid")
        emit(store, "checkout.session.async_payment_succeeded", session)
    else:
        emit(store, "checkout.session.async_payment_failed", session)
