"""What a stand-in for Stripe has to do so that an app can be built on it, by the real SDK and, from seven on, by the app."""

import threading
import time
from typing import Any

import pytest
import stripe
from account import SEPA, SINCE, Account
from actors import WEBHOOK_SECRET
from commands import run_command
from flask import Flask
from sqlalchemy import delete, func, select
from town import Town

from tracker.ledger import models, results
from tracker.ledger.models import delivery, entry, settlement
from tracker.ledger.store import reading, writing

SECRET = "whsec_of_the_tests"


# --- 1: the real SDK makes both modes ---------------------------------------------------------------------------------


def test_both_modes_are_created_and_read_back(sandbox_server: Any) -> None:
    sessions = sandbox_server.client.v1.checkout.sessions
    for mode in ("payment", "subscription"):
        made = sandbox_server.gift(
            monthly=mode == "subscription",
            client_reference_id="p-1",
            expires_at=int(time.time()) + 3600,
            adaptive_pricing={"enabled": False},
            after_expiration={"recovery": {"enabled": True}},
            locale="de",
        )
        read = sessions.retrieve(made.id)
        assert read.to_dict() == made.to_dict()
        assert (read.amount_total, read.currency, read.mode) == (1000, "usd", mode)
        assert (read.status, read.payment_status, read.payment_intent) == ("open", "unpaid", None)
        assert read.url == f"{sandbox_server.url}/pay/{made.id}"
        assert read.metadata["campaign"] == "newsroom"
        assert made.id.startswith("cs_test_")


# --- 2: each card and account does what Stripe says it does -----------------------------------------------------------

PAID = ["payment_intent.created", "charge.succeeded", "payment_intent.succeeded"]
COMPLETED = ["checkout.session.completed"]
DISPUTED = ["charge.dispute.created", "charge.dispute.funds_withdrawn"]


@pytest.mark.parametrize(
    "card",
    [
        "4242424242424242", "4000056655665556", "5555555555554444", "2223003122003222", "378282246310005",
        "6011111111111117", "3566002020360505", "6200000000000005", "4000002500000003", "4000002760000016",
        "4000008260000000", "4000001240000000", "4000003920000003", "4000000000000341", "4000000000009235",
        "4000000000000036", "4000003800000446", "4000000000003055", "4000000000003097", "4000000000000077",
        "4000003720000278", "4000000000007726", "4000000000005126",
    ],
)  # fmt: skip
def test_a_card_that_pays_pays_at_once(sandbox_server: Any, card: str) -> None:
    # What Stripe would do a little later comes when the test says so, however long a busy machine takes.
    sandbox_server.sandbox.speed = 0.001
    session = sandbox_server.gift()
    assert sandbox_server.pay(session, card).status == 303
    v1 = sandbox_server.client.v1
    paid = v1.checkout.sessions.retrieve(session.id, {"expand": ["payment_intent.latest_charge"]})
    assert (paid.status, paid.payment_status, paid.payment_intent.status) == ("complete", "paid", "succeeded")
    assert sandbox_server.events() == PAID + COMPLETED
    charge = paid.payment_intent.latest_charge
    assert charge.balance_transaction is None
    assert charge.outcome.risk_level == ("elevated" if card == "4000000000009235" else "normal")
    sandbox_server.hurry()
    assert sandbox_server.events() == [*PAID, *COMPLETED, "charge.updated"]
    settled = v1.charges.retrieve(charge.id, {"expand": ["balance_transaction"]}).balance_transaction
    at_once = card in ("4000000000000077", "4000003720000278")
    assert (settled.amount, settled.status) == (1000, "available" if at_once else "pending")
    at_home = charge.payment_method_details.card.country == "US"
    assert settled.fee == (59 if at_home else 74)


DECLINES = [
    ("4000000000000002", "card_declined", "generic_decline"),
    ("4000000000009995", "card_declined", "insufficient_funds"),
    ("4000000000009987", "card_declined", "lost_card"),
    ("4000000000009979", "card_declined", "stolen_card"),
    ("4000000000000069", "expired_card", None),
    ("4000000000000127", "incorrect_cvc", None),
    ("4000000000000119", "processing_error", None),
    ("4000000000006975", "card_declined", "card_velocity_exceeded"),
    ("4100000000000019", "card_declined", "fraudulent"),
    ("4000000000004954", "card_declined", "fraudulent"),
    ("4000000000000101", "incorrect_cvc", None),
    ("4000008400001280", "processing_error", None),
    ("4012888888881881", "card_declined", "test_mode_live_card"),
]


@pytest.mark.parametrize(("card", "code", "decline_code"), DECLINES)
def test_a_decline_leaves_the_session_open_for_another_try(
    sandbox_server: Any, card: str, code: str, decline_code: str | None
) -> None:
    session = sandbox_server.gift()
    page = sandbox_server.pay(session, card)
    assert page.status == 402
    assert card in page.text
    v1 = sandbox_server.client.v1
    intent = v1.payment_intents.retrieve(v1.checkout.sessions.retrieve(session.id).payment_intent)
    assert intent.status == "requires_payment_method"
    error = intent.last_payment_error
    assert error.code == code
    assert error.to_dict().get("decline_code") == decline_code
    assert error.message.split(".")[0].replace("'", "&#39;") in page.text
    assert sandbox_server.events() == ["payment_intent.created", "charge.failed", "payment_intent.payment_failed"]
    assert sandbox_server.pay(session).status == 303
    assert v1.checkout.sessions.retrieve(session.id).payment_intent == intent.id


@pytest.mark.parametrize(
    ("card", "refused"),
    [
        ("4000002500003155", ""), ("4000002760003184", ""), ("4000000000003220", ""),
        ("4000008260003178", "insufficient funds"), ("4000008400001629", "declined"),
    ],
)  # fmt: skip
def test_a_card_that_asks_for_authentication_asks_and_then_pays_or_not(
    sandbox_server: Any, card: str, refused: str
) -> None:
    session = sandbox_server.gift()
    assert sandbox_server.pay(session, card).status == 200
    assert "checkout.session.completed" not in sandbox_server.events()
    page = sandbox_server.visit(f"{sandbox_server.url}/pay/{session.id}/authenticate", {"outcome": "complete"})
    assert (page.status, refused in page.text) == (402 if refused else 303, True)
    end = ["charge.failed", "payment_intent.payment_failed"] if refused else PAID[1:] + COMPLETED
    assert sandbox_server.events()[-len(end) :] == end


@pytest.mark.parametrize(
    ("card", "status", "reason", "told"),
    [
        ("4000000000000259", "needs_response", "fraudulent", DISPUTED),
        ("4000000000002685", "needs_response", "product_not_received", DISPUTED),
        ("4000000000001976", "warning_needs_response", "fraudulent", DISPUTED[:1]),
        ("4000000404000079", "needs_response", "fraudulent", DISPUTED * 2),
    ],
)
def test_a_card_that_is_disputed_pays_first(
    sandbox_server: Any, card: str, status: str, reason: str, told: list[str]
) -> None:
    assert sandbox_server.pay(sandbox_server.gift(), card).status == 303
    disputes = sandbox_server.client.v1.disputes.list().data
    assert {(one.status, one.reason) for one in disputes} == {(status, reason)}
    kinds = sandbox_server.events()
    assert [kind for kind in kinds if kind.startswith("charge.dispute")] == told
    assert set(kinds) == {*PAID, *COMPLETED, *told}


def test_a_card_with_an_early_fraud_warning_pays_and_warns(sandbox_server: Any) -> None:
    sandbox_server.pay(sandbox_server.gift(), "4000000000005423")
    assert set(sandbox_server.events()) == {*PAID, *COMPLETED, "radar.early_fraud_warning.created"}
    warning = sandbox_server.event("radar.early_fraud_warning.created")["data"]["object"]
    assert warning["charge"] == sandbox_server.client.v1.charges.list().data[0].id


IBANS = [
    ("AT611904300234573201", ""), ("BE62510007547061", ""), ("FR1420041010050500013M02606", ""),
    ("FI2112345600000785", ""), ("EE382200221020145685", ""), ("AT321904300235473204", ""),
    ("AT861904300235473202", "generic_decline"), ("AT051904300235473205", "generic_decline"),
    ("AT981904300000343434", "charge_exceeds_source_limit"), ("AT601904300000121212", "charge_exceeds_weekly_limit"),
    ("AT981904300002222227", "insufficient_funds"),
]  # fmt: skip


@pytest.mark.parametrize(("iban", "fails"), IBANS)
def test_a_debit_is_answered_later(sandbox_server: Any, iban: str, fails: str) -> None:
    session = sandbox_server.gift(currency="eur")
    assert sandbox_server.debit(session, iban).status == 303
    asked = ["payment_intent.created", "payment_intent.processing", "charge.pending", "checkout.session.completed"]
    assert sandbox_server.events() == asked
    assert sandbox_server.event("checkout.session.completed")["data"]["object"]["payment_status"] == "unpaid"
    sandbox_server.hurry()
    answered = {
        True: ["charge.failed", "payment_intent.payment_failed", "checkout.session.async_payment_failed"],
        False: ["charge.succeeded", "payment_intent.succeeded", "checkout.session.async_payment_succeeded"],
    }[bool(fails)]
    assert sandbox_server.events()[4:7] == answered
    charge = sandbox_server.client.v1.charges.list().data[0]
    assert (charge.failure_code, charge.paid) == (fails or None, not fails)


def test_a_disputed_debit_is_disputed_and_an_unusable_account_is_refused_on_the_page(sandbox_server: Any) -> None:
    assert sandbox_server.debit(sandbox_server.gift(currency="eur"), "AT511904300000066666").status == 402
    assert sandbox_server.events() == []
    assert sandbox_server.debit(sandbox_server.gift(currency="eur"), "AT591904300235473203").status == 303
    sandbox_server.hurry()
    assert [kind for kind in sandbox_server.events() if kind.startswith("charge.dispute")] == DISPUTED


# --- 3: idempotency ---------------------------------------------------------------------------------------------------


def test_the_same_key_gets_the_same_answer(sandbox_server: Any) -> None:
    sessions = sandbox_server.client.v1.checkout.sessions
    params: Any = {
        "mode": "payment",
        "line_items": [
            {"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 500, "product_data": {"name": "x"}}}
        ],
        "success_url": "https://news.example/",
    }
    first = sessions.create(params, {"idempotency_key": "gift-1"})
    again = sessions.create(params, {"idempotency_key": "gift-1"})
    assert again.id == first.id
    assert again.last_response.headers["Idempotent-Replayed"] == "true"
    assert again.last_response.headers["Original-Request"] == first.last_response.headers["Request-Id"]
    with pytest.raises(stripe.IdempotencyError):
        sessions.create(params | {"client_reference_id": "other"}, {"idempotency_key": "gift-1"})
    assert len(sessions.list().data) == 1


def test_a_key_that_is_in_use_is_a_409_and_the_sdk_waits_for_the_first_answer(sandbox_server: Any) -> None:
    made: list[Any] = []
    sandbox_server.lever("faults", answers=["slow"], hang_seconds=1)
    create = sandbox_server.client.v1.customers.create
    first = threading.Thread(
        target=lambda: made.append(create({"email": "a@example.org"}, {"idempotency_key": "twice"}))
    )
    first.start()
    while first.is_alive() and not sandbox_server.sandbox.answering:
        time.sleep(0.005)
    with pytest.raises(stripe.APIError) as refusal:
        create({"email": "a@example.org"}, {"idempotency_key": "twice"})
    assert (refusal.value.http_status, refusal.value.error.code) == (409, "idempotency_key_in_use")
    patient = sandbox_server.another_client("sk_test_tests", max_network_retries=8)
    second = patient.v1.customers.create({"email": "a@example.org"}, {"idempotency_key": "twice"})
    first.join()
    assert second.id == made[0].id
    assert len(sandbox_server.client.v1.customers.list().data) == 1


# --- 4: pages ---------------------------------------------------------------------------------------------------------


def test_payments_and_charges_page_to_the_end_both_ways(sandbox_server: Any) -> None:
    for amount in (500, 600, 700, 800, 900):
        sandbox_server.pay(sandbox_server.gift(amount))
    v1 = sandbox_server.client.v1
    services: tuple[Any, ...] = (v1.charges, v1.payment_intents)
    for service in services:
        page = service.list({"limit": 2})
        assert (len(page.data), page.has_more) == (2, True)
        every = list(page.auto_paging_iter())
        assert [row.amount for row in every] == [900, 800, 700, 600, 500]
        backwards = service.list({"limit": 2, "ending_before": every[-1].id}).auto_paging_iter()
        assert [row.amount for row in backwards] == [600, 700, 800, 900]
        exactly = service.list({"limit": 5})
        assert (len(exactly.data), exactly.has_more) == (5, False)


# --- 5: expansion -----------------------------------------------------------------------------------------------------


def test_expansion_reaches_four_levels_and_no_further(sandbox_server: Any) -> None:
    session = sandbox_server.gift(monthly=True)
    sandbox_server.pay(session)
    sandbox_server.hurry()
    v1 = sandbox_server.client.v1
    invoice = v1.checkout.sessions.retrieve(session.id).invoice
    deep = v1.invoices.retrieve(invoice, {"expand": ["payments.data.payment.payment_intent"]})
    intent = deep.payments.data[0].payment.payment_intent
    assert intent.object == "payment_intent"
    with pytest.raises(stripe.InvalidRequestError, match="more than 4 levels"):
        v1.invoices.retrieve(invoice, {"expand": ["payments.data.payment.payment_intent.latest_charge"]})
    deeper = v1.payment_intents.retrieve(intent.id, {"expand": ["latest_charge.balance_transaction"]})
    assert deeper.latest_charge.balance_transaction.net == 1000 - 59
    listed = v1.charges.list({"expand": ["data.balance_transaction", "data.payment_intent.latest_charge"]})
    assert listed.data[0].payment_intent.latest_charge.id == listed.data[0].id
    subscription = deep.parent.subscription_details.subscription
    product = v1.subscriptions.retrieve(subscription, {"expand": ["items.data.price.product"]})
    assert product["items"].data[0].price.product.name == "Donation"


# --- 6: signatures ----------------------------------------------------------------------------------------------------


def test_a_delivery_is_signed_and_sent_as_stripe_does(sending: Any, listener: Any) -> None:
    sending.pay(sending.gift())
    told = listener.wait(4)[0]
    assert told["headers"]["Content-Type"] == "application/json; charset=utf-8"
    assert told["headers"]["User-Agent"] == "Stripe/1.0 (+https://stripe.com/docs/webhooks)"
    header = told["headers"]["Stripe-Signature"]
    event = sending.client.construct_event(told["body"], header, SECRET)
    assert event.id == told["event"]["id"]
    with pytest.raises(stripe.SignatureVerificationError):
        sending.client.construct_event(told["body"].replace(b"usd", b"eur"), header, SECRET)
    with pytest.raises(stripe.SignatureVerificationError):
        sending.client.construct_event(told["body"], header, "whsec_other")
    listener.wait(5)  # charge.updated comes by itself a little later
    assert "charge.updated" in listener.types()


# --- 7: an app that fails ---------------------------------------------------------------------------------------------


def test_an_app_that_answers_500_twice_gets_a_third_delivery_with_a_new_signature_and_books_once(town: Town) -> None:
    hook = f"{town.app_url}/webhooks/stripe"
    town.sandbox.add_webhook(hook, WEBHOOK_SECRET, ["checkout.session.completed"])
    town.sandbox.speed = 1  # waits of one and two seconds, so that each attempt has a time of its own
    town.refuses = [500, 500]
    town.gives(frequency="once", tier_once="1000")
    town.waits_for(1000)
    times = [int(signature.split(",")[0].removeprefix("t=")) for signature in town.signatures]
    assert len(times) == 3
    assert times == sorted(set(times))
    with town.app.app_context(), reading() as connection:
        assert connection.scalar(select(func.count()).select_from(entry)) == 1
        assert connection.scalar(select(func.count()).select_from(delivery)) == 1


# --- 8: any order -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("first", ["invoice.paid", "checkout.session.completed"])
def test_whichever_comes_first_the_first_month_is_one_gift_that_its_session_knows(hooked: Account, first: str) -> None:
    hold = hooked.sandbox.create_checkout_session(hooked.asks(500, monthly=True))
    paid = hooked.sandbox.pay(hold["id"])
    hooked.tells(first=first)
    hooked.happens()
    with reading() as connection:
        assert [(row.kind, row.amount) for row in connection.execute(select(entry))] == [("monthly", 500)]
        assert results.booked(connection, paid["id"], live=False)
        told = select(delivery.c.type).where(delivery.c.type.in_(["invoice.paid", "checkout.session.completed"]))
        assert connection.scalars(told.order_by(delivery.c.received_at)).first() == first
    hooked.refunds(paid)
    with reading() as connection:
        assert connection.scalar(select(func.sum(entry.c.amount))) == 0


# --- 9: refunds that fail ---------------------------------------------------------------------------------------------


def test_a_refund_that_fails_after_all_brings_the_bar_back_up(town: Town) -> None:
    town.sandbox.delays["refund"] = 40.0  # two seconds at twenty times the speed
    town.gives(card="4000 0000 0000 5126", frequency="once", tier_once="1000")
    town.waits_for(1000)
    town.sandbox.refund(payment_intent=next(town.sandbox.store.newest("payment_intent"))["id"])
    town.waits_for(0)
    town.waits_for(1000)
    assert (town.month()["once"], town.month()["refunds"]) == (1000, 0)


# --- 10: disputes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("won", "raised", "net"), [(True, 4200, -1500), (False, 0, -5700)])
def test_a_dispute_nets_what_stripe_moved_and_its_fee_stays_lost(
    hooked: Account, won: bool, raised: int, net: int
) -> None:
    dispute = hooked.disputes(hooked.gives(4200))
    hooked.decides(dispute, won=won)
    with reading() as connection:
        assert connection.scalar(select(func.sum(entry.c.amount))) == raised
        of_dispute = select(entry.c.key).where(entry.c.kind == "dispute")
        moved = select(func.sum(settlement.c.net)).where(settlement.c.entry_key.in_(of_dispute))
        assert connection.scalar(moved) == net


# --- 11: time ---------------------------------------------------------------------------------------------------------


def test_a_month_on_a_test_clock_books_one_renewal(hooked: Account, sdk: stripe.StripeClient) -> None:
    v1 = sdk.v1
    hooked.sandbox.set_clock(None)
    clock = v1.test_helpers.test_clocks.create({"frozen_time": int(time.time())})
    customer = v1.customers.create({"test_clock": clock.id})
    session = v1.checkout.sessions.create(hooked.asks(500, monthly=True) | {"customer": customer.id})
    hooked.sandbox.pay(session.id)
    subscription = v1.subscriptions.list({"customer": customer.id}).data[0]
    end = subscription["items"].data[0].current_period_end
    v1.test_helpers.test_clocks.advance(clock.id, {"frozen_time": end + 2 * 3600})
    hooked.happens()
    with reading() as connection:
        assert connection.scalars(select(entry.c.amount)).all() == [500, 500]
        newest = connection.scalars(select(entry.c.at).order_by(entry.c.at.desc())).first()
        assert newest is not None
        assert newest.timestamp() == end + 3600  # a renewal is a draft for an hour


# --- 12: without webhooks ---------------------------------------------------------------------------------------------


def test_with_webhooks_off_asking_stripe_gives_the_same_book(
    hooked: Account, newsroom: Flask, environ: dict[str, str]
) -> None:
    """Of a rich month, and with every gap that can be planted: tests/cli/test_reconciling.py."""

    def the_book() -> list[Any]:
        columns = [entry.c[name] for name in ("key", "kind", "amount", "month", "gift_key", "at")]
        with reading() as connection:
            settled = connection.execute(select(settlement.c.key, settlement.c.net)).all()
            return sorted(map(repr, [*connection.execute(select(*columns)).all(), *settled]))

    hooked.refunds(hooked.gives(2500), 500)
    monthly = hooked.gives(500, monthly=True)
    hooked.renews(monthly)
    hooked.decides(hooked.disputes(hooked.gives(4000)), won=True)
    hooked.gives(1200, currency="eur", iban=SEPA, campaign="zeitung")
    hooked.gives(9900, foreign=True)
    hooked.happens()
    told = the_book()
    assert len(told) > 12
    with writing() as connection:
        for name in ("settlement", "support", "alias", "waiting", "delivery", "month_total", "entry"):
            connection.execute(delete(models.db.metadata.tables[name]))
    done = run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}")
    assert done.exit_code == 0, done.output
    assert the_book() == told
