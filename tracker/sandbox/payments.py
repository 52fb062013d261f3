"""Money that comes in: payment methods, payment intents and charges."""

from tracker.sandbox.balance import charge_fee, converted, make_entry
from tracker.sandbox.cards import ACCOUNT_FAILURES, ACCOUNTS, CARDS, Account, Card, CardDeclined, declined
from tracker.sandbox.disputes import open_dispute
from tracker.sandbox.events import emit
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import missing

NO_ADDRESS = {"city": None, "country": None, "line1": None, "line2": None, "postal_code": None, "state": None}


# --- payment methods ----------------------------------------------------------------------------------------------


def make_method(
    store: Store,
    means: Card | Account,
    month: int,
    year: int,
    email: str | None,
    name: str | None,
    customer: str | None,
) -> Body:
    sepa = isinstance(means, Account)
    kind = "sepa_debit" if sepa else "card"
    method = {
        "id": store.new_id("pm_1"),
        "object": "payment_method",
        "allow_redisplay": "limited",
        "billing_details": {"address": dict(NO_ADDRESS), "email": email, "name": name, "phone": None, "tax_id": None},
        kind: _bank_details(means) if isinstance(means, Account) else _card_details(means, month, year),
        "created": store.now(),
        "customer": customer,
        "customer_account": None,
        "livemode": store.live,
        "metadata": {},
        "type": kind,
    }
    number = means.iban if isinstance(means, Account) else means.number
    return store.add("payment_method", method, number=number)


def _card_details(card: Card, month: int, year: int) -> Body:
    return {
        "brand": card.brand,
        "checks": {"address_line1_check": None, "address_postal_code_check": None, "cvc_check": card.cvc_check},
        "country": card.country,
        "display_brand": card.brand,
        "exp_month": month,
        "exp_year": year,
        "fingerprint": _fingerprint(card.number),
        "funding": card.funding,
        "generated_from": None,
        "last4": card.number[-4:],
        "networks": {"available": [card.brand], "preferred": None},
        "regulated_status": "unregulated",
        "three_d_secure_usage": {"supported": True},
        "wallet": None,
    }


def _bank_details(account: Account) -> Body:
    return {
        "bank_code": account.iban[4:9],
        "branch_code": "",
        "country": account.country,
        "fingerprint": _fingerprint(account.iban),
        "generated_from": {"charge": None, "setup_attempt": None},
        "last4": account.iban[-4:],
    }


def _fingerprint(number: str) -> str:
    """The same number always gives the same sixteen letters."""
    return f"{int(number, 36) * 2654435761 % 36**16:016d}"[-16:]


def means_of(store: Store, method: Body) -> Card | Account:
    number = store.hidden(method["id"])["number"]
    return ACCOUNTS[number] if number in ACCOUNTS else CARDS.get(number) or Card(number, decline="test_mode_live_card")


# --- payment intents and charges ----------------------------------------------------------------------------------


def make_intent(
    store: Store,
    amount: int,
    currency: str,
    customer: str | None,
    data: Body | None = None,
    description: str | None = None,
) -> Body:
    """`data` is what a Checkout Session hands on in `payment_intent_data`."""
    data = data or {}
    wanted = store.new_id("pi_3")
    intent: Body = {
        "id": wanted,
        "object": "payment_intent",
        "allowed_payment_method_types": None,
        "amount": amount,
        "amount_capturable": 0,
        "amount_details": {"tip": {}},
        "amount_received": 0,
        "application": None,
        "application_fee_amount": None,
        "automatic_payment_methods": None,
        "canceled_at": None,
        "cancellation_reason": None,
        "capture_method": "automatic_async",
        "client_secret": store.new_id(f"{wanted}_secret_", 25),
        "confirmation_method": "automatic",
        "created": store.now(),
        "currency": currency,
        "customer": customer,
        "customer_account": None,
        "description": data.get("description", description),
        "excluded_payment_method_types": None,
        "last_payment_error": None,
        "latest_charge": None,
        "livemode": store.live,
        "metadata": dict(data.get("metadata") or {}),
        "next_action": None,
        "on_behalf_of": None,
        "payment_method": None,
        "payment_method_configuration_details": None,
        "payment_method_options": {"card": {"request_three_d_secure": "automatic"}},
        "payment_method_types": ["card", "sepa_debit"] if currency == "eur" else ["card"],
        "payment_record": None,
        "processing": None,
        "receipt_email": data.get("receipt_email"),
        "review": None,
        "setup_future_usage": data.get("setup_future_usage"),
        "shipping": None,
        "source": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": data.get("statement_descriptor_suffix"),
        "status": "requires_payment_method",
        "transfer_data": None,
        "transfer_group": None,
    }
    store.add("payment_intent", intent)
    emit(store, "payment_intent.created", intent)
    return intent


def charge(store: Store, intent: Body, method: Body, saved: bool = False, challenged: bool = False) -> Body:
    """Take the intent's money from the payment method; a refusal raises CardDeclined after telling of it.

    `saved` means nobody sits in front of a page: a renewal. `challenged` means 3-D Secure was passed.
    """
    means = means_of(store, method)
    if isinstance(means, Account):
        return _debit(store, intent, method, means)
    reason = means.decline or (means.later if saved else None) or (means.after_challenge if challenged else None)
    if reason:
        refusal = declined(reason)
        refuse(store, intent, method, refusal)
        raise refusal
    made = _make_charge(store, intent, method, "succeeded")
    emit(store, "charge.succeeded", made)
    if means.dispute and not saved:
        for _ in range(means.disputes):
            open_dispute(store, made, made["amount"] // means.disputes, means.dispute, means.inquiry)
    _succeed(store, intent, made)
    store.later("settle", "settle", made["id"])
    if means.warning:
        _warn(store, made)
    return made


def _debit(store: Store, intent: Body, method: Body, account: Account) -> Body:
    """A bank debit is on its way for a while before anyone knows whether it works."""
    made = _make_charge(store, intent, method, "pending")
    store.change(
        intent,
        status="processing",
        latest_charge=made["id"],
        payment_method=method["id"],
        last_payment_error=None,
    )
    emit(store, "payment_intent.processing", intent)
    emit(store, "charge.pending", made)
    store.later("slow_debit" if account.slow else "debit", "clear", made["id"])
    return made


def clear(store: Store, made: Body) -> bool:
    """The bank has answered a debit: whether it paid."""
    intent = store.rows[made["payment_intent"]].body
    method = store.rows[made["payment_method"]].body
    account = means_of(store, method)
    assert isinstance(account, Account)
    if account.fails:
        refusal = CardDeclined(account.fails, account.fails, ACCOUNT_FAILURES[account.fails], "iban")
        outcome = _outcome("issuer_declined", refusal)
        store.change(made, status="failed", paid=False, failure_code=refusal.code, failure_message=refusal.message)
        store.change(made, outcome=outcome, captured=False, amount_captured=0)
        emit(store, "charge.failed", made)
        _fail_intent(store, intent, method, refusal, made)
        return False
    store.change(made, status="succeeded", paid=True, captured=True, amount_captured=made["amount"])
    emit(store, "charge.succeeded", made)
    _succeed(store, intent, made)
    store.later("settle", "settle", made["id"])
    if account.dispute:
        open_dispute(store, made, made["amount"], "debit_not_authorized")
    return True


def refuse(store: Store, intent: Body, method: Body, refusal: CardDeclined) -> Body:
    """A charge that fails, and the events that say so."""
    made = _make_charge(store, intent, method, "failed", refusal)
    emit(store, "charge.failed", made)
    _fail_intent(store, intent, method, refusal, made)
    return made


def _fail_intent(store: Store, intent: Body, method: Body, refusal: CardDeclined, made: Body) -> None:
    error = {
        "charge": made["id"],
        "code": refusal.code,
        "decline_code": refusal.decline_code,
        "doc_url": f"https://stripe.com/docs/error-codes/{refusal.code.replace('_', '-')}",
        "message": refusal.message,
        "payment_method": dict(method),
        "type": "card_error",
    }
    if refusal.decline_code is None:
        del error["decline_code"]
    store.change(
        intent,
        status="requires_payment_method",
        last_payment_error=error,
        latest_charge=made["id"],
        payment_method=None,
        next_action=None,
    )
    emit(store, "payment_intent.payment_failed", intent)


def _succeed(store: Store, intent: Body, made: Body) -> None:
    store.change(
        intent,
        status="succeeded",
        amount_received=intent["amount"],
        latest_charge=made["id"],
        payment_method=made["payment_method"],
        last_payment_error=None,
        next_action=None,
        processing=None,
    )
    emit(store, "payment_intent.succeeded", intent)


def _make_charge(store: Store, intent: Body, method: Body, status: str, refusal: CardDeclined | None = None) -> Body:
    kind = method["type"]
    succeeded = status == "succeeded"
    details = {key: value for key, value in method[kind].items() if key not in UNCHARGED}
    if kind == "card":
        details |= {
            "amount_authorized": intent["amount"] if succeeded else None,
            "authorization_code": f"{store.now() % 1_000_000:06d}" if succeeded else None,
            "extended_authorization": {"status": "disabled"},
            "incremental_authorization": {"status": "unavailable"},
            "installments": None,
            "mandate": None,
            "multicapture": {"status": "unavailable"},
            "network": details["brand"],
            "network_token": {"used": False},
            "network_transaction_id": None,
            "overcapture": {"maximum_amount_capturable": intent["amount"], "status": "unavailable"},
            "three_d_secure": None,
        }
    else:
        details |= {"expected_debit_date": None, "mandate": None}
    made = {
        "id": store.new_id("ch_3" if kind == "card" else "py_3"),
        "object": "charge",
        "amount": intent["amount"],
        "amount_captured": intent["amount"] if succeeded else 0,
        "amount_refunded": 0,
        "application": None,
        "application_fee": None,
        "application_fee_amount": None,
        # Null until the asynchronous capture is done; charge.updated tells when (API 2024-04-10).
        "balance_transaction": None,
        "billing_details": dict(method["billing_details"]),
        "calculated_statement_descriptor": "PLEDGEBAR SANDBOX" if kind == "card" else None,
        "captured": succeeded,
        "created": store.now(),
        "currency": intent["currency"],
        "customer": intent["customer"],
        "description": intent["description"],
        "disputed": False,
        "failure_balance_transaction": None,
        "failure_code": refusal.code if refusal else None,
        "failure_message": refusal.message if refusal else None,
        "fraud_details": {},
        "livemode": store.live,
        "metadata": dict(intent["metadata"]),
        "on_behalf_of": None,
        "outcome": _outcome("authorized" if not refusal else "declined", refusal, means_of(store, method)),
        "paid": succeeded,
        "payment_intent": intent["id"],
        "payment_method": method["id"],
        "payment_method_details": {kind: details, "type": kind},
        "radar_options": {},
        "receipt_email": intent["receipt_email"],
        "receipt_number": None,
        "receipt_url": None,
        "refunded": False,
        "review": None,
        "shipping": None,
        "source": None,
        "source_transfer": None,
        "statement_descriptor": None,
        "statement_descriptor_suffix": intent["statement_descriptor_suffix"],
        "status": status,
        "transfer_data": None,
        "transfer_group": None,
    }
    return store.add("charge", made)


UNCHARGED = {"generated_from", "networks", "three_d_secure_usage", "display_brand"}


def _outcome(what: str, refusal: CardDeclined | None, means: Card | Account | None = None) -> Body:
    risk = means.risk if isinstance(means, Card) else "not_assessed"
    blocked = risk == "highest"
    return {
        "advice_code": "try_again_later" if refusal and not blocked else None,
        "network_advice_code": None,
        "network_decline_code": None,
        "network_status": "approved_by_network"
        if refusal is None
        else "not_sent_to_network"
        if blocked
        else "declined_by_network",
        "reason": "highest_risk_level" if blocked else (refusal.decline_code or refusal.code) if refusal else None,
        "risk_level": risk,
        "risk_score": {"normal": 12, "elevated": 68, "highest": 96}.get(risk),
        "seller_message": "Payment complete."
        if refusal is None
        else "Stripe blocked this payment as too risky."
        if blocked
        else "The bank did not return any further details with this decline.",
        "type": "authorized" if refusal is None else "blocked" if blocked else "issuer_declined",
    }


def _warn(store: Store, made: Body) -> None:
    warning = {
        "id": store.new_id("issfr_1"),
        "object": "radar.early_fraud_warning",
        "actionable": True,
        "charge": made["id"],
        "created": store.now(),
        "fraud_type": "misc",
        "livemode": store.live,
        "payment_intent": made["payment_intent"],
    }
    store.add("radar.early_fraud_warning", warning)
    emit(store, "radar.early_fraud_warning.created", warning)


def settle(store: Store, made: Body) -> None:
    """The asynchronous capture is done: the fee is known."""
    card = made["payment_method_details"]["type"] == "card"
    method = store.rows[made["payment_method"]].body
    means = means_of(store, method)
    amount, currency, _ = converted(store, made["amount"], made["currency"])
    fee = charge_fee(amount, currency, means)
    entry = make_entry(
        store,
        made["id"],
        "charge" if card else "payment",
        "charge",
        made["amount"],
        made["currency"],
        fee,
        made["description"],
        at_once=isinstance(means, Card) and means.available,
    )
    before = store.change(
        made, balance_transaction=entry["id"], receipt_url=f"https://pay.stripe.com/receipts/{made['id']}"
    )
    emit(store, "charge.updated", made, before)


def charge_named(store: Store, wanted: str) -> Body:
    """The charge that an id of a charge or of a payment intent stands for."""
    found = store.read(wanted)
    if found and found["object"] == "payment_intent":
        found = store.read(found["latest_charge"])
    if not found or found["object"] != "charge":
        missing("charge", wanted)
    return found
