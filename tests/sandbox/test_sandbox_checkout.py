"""Checkout Sessions: what is refused, what comes back, and what happens on the hosted page."""

import time
from typing import Any

import pytest
import stripe

PRICE: dict[str, Any] = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Donation"}}
MONTHLY = PRICE | {"recurring": {"interval": "month"}}


def params(mode: str = "payment", price: dict[str, Any] | None = None, **more: Any) -> dict[str, Any]:
    usual = MONTHLY if mode == "subscription" else PRICE
    items = [{"quantity": 1, "price_data": price or usual}]
    made = {"mode": mode, "line_items": items, "success_url": "https://news.example/thanks"} | more
    return {name: value for name, value in made.items() if value is not None}


def priced(**change: Any) -> dict[str, Any]:
    return {name: value for name, value in (PRICE | change).items() if value is not None}


NOW = int(time.time())

REFUSED: list[tuple[str, dict[str, Any], str | None, str | None]] = [
    ("an unknown parameter", params(foo="x"), "foo", "parameter_unknown"),
    ("payment_method_types", params(payment_method_types=["card"]), "payment_method_types", "parameter_unknown"),
    ("an old ui_mode", params(ui_mode="hosted"), "ui_mode", None),
    ("an unknown mode", params(mode="give", price=PRICE), "mode", None),
    ("no mode", params(mode=None, price=PRICE), "mode", "parameter_missing"),  # type: ignore[arg-type]
    ("no success_url", params(success_url=None), "success_url", "parameter_missing"),
    ("a relative success_url", params(success_url="/thanks"), "success_url", "url_invalid"),
    ("an empty text", params(client_reference_id=""), "client_reference_id", "parameter_invalid_empty"),
    ("a long reference", params(client_reference_id="x" * 201), "client_reference_id", None),
    ("payment_intent_data with a subscription", params("subscription", payment_intent_data={"metadata": {"a": "b"}}),
     "payment_intent_data", None),
    ("subscription_data with a payment", params(subscription_data={"metadata": {"a": "b"}}), "subscription_data", None),
    ("a recurring price in a payment", params(price=MONTHLY), "line_items[0]", None),
    ("a one-time price alone in a subscription", params("subscription", price=PRICE), "line_items", None),
    ("no line items", params(line_items=[]), "line_items", "parameter_missing"),
    ("an unknown field of an item", params(line_items=[{"quantity": 1, "price_data": PRICE, "foo": 1}]),
     "line_items[0][foo]", "parameter_unknown"),
    ("an unknown field deep down", params(price=priced(product_data={"name": "x", "colour": "red"})),
     "line_items[0][price_data][product_data][colour]", "parameter_unknown"),
    ("no product name", params(price=priced(product_data={"description": "x"})),
     "line_items[0][price_data][product_data][name]", "parameter_missing"),
    ("no currency", params(price=priced(currency=None)), "line_items[0][price_data][currency]", "parameter_missing"),
    ("an unknown currency", params(price=priced(currency="xyz")), "line_items[0][price_data][currency]", None),
    ("an amount in words", params(price=priced(unit_amount="ten")), "line_items[0][price_data][unit_amount]",
     "parameter_invalid_integer"),
    ("a decimal amount", params(price=priced(unit_amount="10.5")), "line_items[0][price_data][unit_amount]",
     "parameter_invalid_integer"),
    ("a negative amount", params(price=priced(unit_amount=-500)), "line_items[0][price_data][unit_amount]",
     "parameter_invalid_integer"),
    ("two amounts", params(price=priced(unit_amount_decimal="5")), "line_items[0][price_data][unit_amount]",
     "parameters_exclusive"),
    ("too little", params(price=priced(unit_amount=49)), "line_items", "amount_too_small"),
    ("too few crowns", params(price=priced(currency="czk", unit_amount=1499)), "line_items", "amount_too_small"),
    ("too much", params(price=priced(unit_amount=100_000_000)), "line_items", "amount_too_large"),
    ("part of an ISK", params(price=priced(currency="isk", unit_amount=15_050)),
     "line_items[0][price_data][unit_amount]", "parameter_invalid_integer"),
    ("the third decimal of a KWD", params(price=priced(currency="kwd", unit_amount=1_005)),
     "line_items[0][price_data][unit_amount]", "parameter_invalid_integer"),
    ("no quantity", params(line_items=[{"price_data": PRICE}]), "line_items[0][quantity]", "parameter_missing"),
    ("two currencies", params(line_items=[{"quantity": 1, "price_data": PRICE},
                                          {"quantity": 1, "price_data": priced(currency="eur")}]), "line_items", None),
    ("an unknown interval", params("subscription", price=PRICE | {"recurring": {"interval": "fortnight"}}),
     "line_items[0][price_data][recurring][interval]", None),
    ("an early expiry", params(expires_at=NOW + 600), "expires_at", None),
    ("a late expiry", params(expires_at=NOW + 90_000), "expires_at", None),
    ("four custom fields", params(custom_fields=[
        {"key": f"k{n}", "type": "text", "label": {"type": "custom", "custom": "x"}} for n in range(4)]),
     "custom_fields", None),
    ("too many metadata keys", params(metadata={f"k{n}": "x" for n in range(51)}), "metadata", None),
    ("a long metadata key", params(metadata={"k" * 41: "x"}), f"metadata[{'k' * 41}]", None),
    ("a long metadata value", params(metadata={"k": "x" * 501}), "metadata[k]", None),
    ("subscribe on a payment", params(submit_type="subscribe"), "submit_type", None),
    ("an unknown submit_type", params(submit_type="give"), "submit_type", None),
    ("a bad e-mail address", params(customer_email="donor"), "customer_email", "email_invalid"),
    ("an unknown customer", params(customer="cus_none"), "customer", "resource_missing"),
    ("a bad truth", params(adaptive_pricing={"enabled": "yes"}), "adaptive_pricing[enabled]", None),
    ("text for a hash", params(adaptive_pricing="off"), "adaptive_pricing", None),
    ("text for a list", params(line_items="x"), "line_items", None),
    ("the SDK's own option among the parameters", params(idempotency_key="k"), "idempotency_key", "parameter_unknown"),
]  # fmt: skip


@pytest.mark.parametrize(("given", "param", "code"), [row[1:] for row in REFUSED], ids=[row[0] for row in REFUSED])
def test_what_stripe_refuses_is_refused(sandbox_server: Any, given: Any, param: str | None, code: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox_server.client.v1.checkout.sessions.create(given)
    assert (refusal.value.param, refusal.value.code) == (param, code)
    assert sandbox_server.client.v1.checkout.sessions.list().data == []


def test_amounts_count_as_stripe_counts_them(sandbox_server: Any) -> None:
    for currency, amount in (("jpy", 50), ("isk", 15_000), ("kwd", 1_010), ("mga", 5_000)):
        session = sandbox_server.client.v1.checkout.sessions.create(
            params(price=priced(currency=currency.upper(), unit_amount=amount))
        )
        assert (session.amount_total, session.currency) == (amount, currency)


def test_an_expired_session_has_no_url_and_a_way_back(sandbox_server: Any) -> None:
    session = sandbox_server.gift(after_expiration={"recovery": {"enabled": True}})
    sessions = sandbox_server.client.v1.checkout.sessions
    expired = sessions.expire(session.id)
    assert (expired.status, expired.url) == ("expired", None)
    assert sandbox_server.events() == ["checkout.session.expired"]
    assert "expired" in sandbox_server.visit(session.url).text
    again = sandbox_server.visit(expired.after_expiration.recovery.url)
    assert again.status == 303
    recovered = sessions.list().data[0]
    assert recovered.recovered_from == session.id
    assert recovered.metadata["campaign"] == "newsroom"
    assert sandbox_server.pay(recovered).status == 303
    with pytest.raises(stripe.InvalidRequestError, match="Only Checkout Sessions"):
        sessions.expire(session.id)


def test_sessions_expire_by_themselves(sandbox_server: Any) -> None:
    session = sandbox_server.gift()
    sandbox_server.sandbox.set_clock(session.expires_at + 1)
    time.sleep(1.05)  # expiry is looked for once a second
    assert sandbox_server.client.v1.checkout.sessions.retrieve(session.id).status == "expired"


def test_a_gift_is_paid_on_the_page(sandbox_server: Any) -> None:
    session = sandbox_server.gift(1500, payment_intent_data={"metadata": {"campaign": "n"}, "description": "A gift"})
    page = sandbox_server.visit(session.url)
    assert page.status == 200
    assert "Donate $15.00" in page.text
    done = sandbox_server.pay(session, name="Dana Donor")
    assert (done.status, done.location) == (303, f"https://news.example/thanks?session_id={session.id}")
    v1 = sandbox_server.client.v1
    paid = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (paid.status, paid.payment_status, paid.url, paid.customer) == ("complete", "paid", None, None)
    assert (paid.customer_details.email, paid.customer_details.name) == ("donor@example.org", "Dana Donor")
    intent = paid.payment_intent
    assert (intent.status, intent.amount_received, intent.description) == ("succeeded", 1500, "A gift")
    charge = intent.latest_charge
    assert (charge.amount, charge.paid, charge.balance_transaction) == (1500, True, None)
    assert charge.metadata.to_dict() == intent.metadata.to_dict() == {"campaign": "n"}
    sandbox_server.hurry()
    entry = v1.charges.retrieve(charge.id, {"expand": ["balance_transaction"]}).balance_transaction
    assert (entry.amount, entry.fee, entry.net, entry.type) == (1500, 74, 1426, "charge")
    assert sandbox_server.events() == [
        "payment_intent.created",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.completed",
        "charge.updated",
    ]
    told = sandbox_server.event("charge.updated")["data"]
    assert told["previous_attributes"]["balance_transaction"] is None
    assert told["object"]["balance_transaction"] == entry.id
    assert "already paid" in sandbox_server.visit(session.url or f"{sandbox_server.url}/pay/{session.id}").text


def test_events_are_in_stripes_envelope_with_nothing_expanded(sandbox_server: Any) -> None:
    session = sandbox_server.gift()
    sandbox_server.pay(session)
    event = sandbox_server.event("checkout.session.completed")
    assert event["api_version"] == stripe.api_version == "2026-10-28.endive"
    assert (event["livemode"], event["pending_webhooks"]) == (False, 0)
    assert set(event["request"]) == {"id", "idempotency_key"}
    told = event["data"]["object"]
    assert told["payment_status"] == "paid"
    assert isinstance(told["payment_intent"], str)
    assert "line_items" not in told


@pytest.mark.parametrize(
    ("typed", "words"),
    [
        ({"card_number": "4242 4242 4242 4241"}, "Your card number is invalid."),
        ({"card_number": "4242"}, "Your card number is incomplete."),
        ({"expiry": "12/21"}, "expiration date is in the past"),
        ({"expiry": "13/34"}, "expiration month is invalid"),
        ({"expiry": ""}, "expiration date is incomplete"),
        ({"cvc": "1"}, "security code is incomplete"),
        ({"email": "donor"}, "valid email address"),
    ],
)
def test_a_slip_of_the_pen_is_said_in_words_and_charges_nothing(
    sandbox_server: Any, typed: dict[str, str], words: str
) -> None:
    session = sandbox_server.gift()
    page = sandbox_server.visit(
        session.url,
        {"email": "a@example.org", "card_number": "4242424242424242", "expiry": "12/34", "cvc": "123"} | typed,
    )
    assert page.status == 402
    assert words in page.text.replace("&#39;", "'")
    assert sandbox_server.events() == []


@pytest.mark.parametrize("expiry", ["12/34", "12 / 2034", "1234", "12-34"])
def test_expiries_are_taken_as_people_write_them(sandbox_server: Any, expiry: str) -> None:
    assert sandbox_server.pay(sandbox_server.gift(), expiry=expiry).status == 303


def test_three_d_secure_asks_in_between(sandbox_server: Any) -> None:
    session = sandbox_server.gift()
    asked = sandbox_server.pay(session, "4000002760003184")
    assert asked.status == 200
    assert "Complete" in asked.text
    answer = f"{sandbox_server.url}/pay/{session.id}/authenticate"
    failed = sandbox_server.visit(answer, {"outcome": "fail"})
    assert failed.status == 402
    assert "unable to authenticate" in failed.text
    sandbox_server.pay(session, "4000002760003184")
    assert sandbox_server.visit(answer, {"outcome": "complete"}).status == 303
    refused = sandbox_server.gift()
    sandbox_server.pay(refused, "4000008260003178")
    page = sandbox_server.visit(f"{sandbox_server.url}/pay/{refused.id}/authenticate", {"outcome": "complete"})
    assert (page.status, "insufficient funds" in page.text) == (402, True)


def test_a_debit_that_works_is_paid_later(sandbox_server: Any) -> None:
    session = sandbox_server.gift(currency="eur")
    assert sandbox_server.debit(session, "AT61 1904 3002 3457 3201").status == 303
    sessions = sandbox_server.client.v1.checkout.sessions
    waiting = sessions.retrieve(session.id)
    assert (waiting.status, waiting.payment_status) == ("complete", "unpaid")
    sandbox_server.hurry()
    sandbox_server.hurry()
    assert sessions.retrieve(session.id).payment_status == "paid"
    assert sandbox_server.client.v1.charges.list().data[0].id.startswith("py_")
    assert sandbox_server.events() == [
        "payment_intent.created",
        "payment_intent.processing",
        "charge.pending",
        "checkout.session.completed",
        "charge.succeeded",
        "payment_intent.succeeded",
        "checkout.session.async_payment_succeeded",
        "charge.updated",
    ]


def test_a_debit_that_fails_says_so_later(sandbox_server: Any) -> None:
    session = sandbox_server.gift(currency="eur")
    sandbox_server.debit(session, "AT861904300235473202")
    sandbox_server.hurry()
    read = sandbox_server.client.v1.checkout.sessions.retrieve(session.id)
    assert (read.status, read.payment_status) == ("complete", "unpaid")
    assert sandbox_server.events()[-3:] == [
        "charge.failed",
        "payment_intent.payment_failed",
        "checkout.session.async_payment_failed",
    ]


def test_debits_are_for_euros_and_for_test_accounts(sandbox_server: Any) -> None:
    assert "not offered" in sandbox_server.debit(sandbox_server.gift(), "AT611904300234573201").text
    for iban in ("AT611904300234573202", "GB33BUKB20201555555555", "AT511904300000066666"):
        assert sandbox_server.debit(sandbox_server.gift(currency="eur"), iban).status == 402


def test_custom_fields_are_asked_and_answered(sandbox_server: Any) -> None:
    fields = [{"key": "note", "type": "text", "label": {"type": "custom", "custom": "A note"}}]
    session = sandbox_server.gift(custom_fields=fields)
    assert "A note" in sandbox_server.visit(session.url).text
    assert sandbox_server.pay(session).status == 402
    assert sandbox_server.pay(session, custom_note="Keep going").status == 303
    read = sandbox_server.client.v1.checkout.sessions.retrieve(session.id)
    assert read.custom_fields[0].text.value == "Keep going"


def test_the_page_escapes_what_callers_and_donors_write(sandbox_server: Any) -> None:
    session = sandbox_server.client.v1.checkout.sessions.create(
        params(price=priced(product_data={"name": "<script>alert(1)</script>"}))
    )
    page = sandbox_server.visit(session.url, {"email": '"><script>x', "card_number": "<b>"})
    assert "<script" not in page.text
    assert "<b>" not in page.text
