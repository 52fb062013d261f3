"""Deliveries: signatures, retries, faults, the player, and a state that outlives the process."""

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import stripe

from tracker.sandbox import CardDeclined, Sandbox

SECRET = "whsec_of_the_tests"


def test_a_refused_delivery_comes_again_with_a_new_signature(sending: Any, listener: Any) -> None:
    listener.answers = [500, 302, 200]
    sending.client.v1.checkout.sessions.expire(sending.gift().id)
    sending.sandbox.sender.speed = 1
    first, second, third = listener.wait(3)
    assert first["event"]["id"] == second["event"]["id"] == third["event"]["id"]
    assert first["event"]["pending_webhooks"] == 1
    assert first["headers"]["Stripe-Signature"] != third["headers"]["Stripe-Signature"]
    events = sending.client.v1.events
    listener.until(lambda: events.retrieve(first["event"]["id"]).pending_webhooks == 0)


def test_while_a_secret_is_rolled_both_sign_and_then_the_new_one_alone(sending: Any, listener: Any) -> None:
    (endpoint,) = sending.client.v1.webhook_endpoints.list().data

    def signs(*secrets: str) -> list[bool]:
        before = len(listener.taken)
        sending.client.v1.checkout.sessions.expire(sending.gift().id)
        told = listener.wait(before + 1)[-1]
        header, body = told["headers"]["Stripe-Signature"], told["body"].decode()
        assert header.count("v1=") <= 2
        found = []
        for secret in secrets:
            try:
                found.append(stripe.WebhookSignature.verify_header(body, header, secret, 300))
            except stripe.SignatureVerificationError:
                found.append(False)
        return found

    new = sending.lever("roll_secret", endpoint=endpoint.id)["secret"]
    assert new.startswith("whsec_")
    assert signs(SECRET, new) == [True, True]
    newest = sending.lever("roll_secret", endpoint=endpoint.id, seconds=0)["secret"]
    sending.sandbox.store.hidden(endpoint.id)["older"].pop()  # a day later the first one is gone as well
    assert signs(SECRET, new, newest) == [False, False, True]
    assert "secret" not in sending.client.v1.webhook_endpoints.retrieve(endpoint.id).to_dict()


def test_an_endpoint_of_an_older_version_hears_of_things_in_their_older_places(
    sandbox_server: Any, listener: Any
) -> None:
    v1 = sandbox_server.client.v1
    for version in ("2024-06-20", stripe.api_version):
        v1.webhook_endpoints.create({"url": listener.url, "enabled_events": ["*"], "api_version": version})
    sandbox_server.sandbox.start_sender()
    sandbox_server.pay(sandbox_server.gift(1500, monthly=True))
    listener.until(lambda: listener.types().count("charge.updated") == 2)
    sandbox_server.sandbox.stop_sender()
    older, newer = (
        {told["event"]["type"]: told["event"] for told in listener.taken if told["event"]["api_version"] == version}
        for version in ("2024-06-20", stripe.api_version)
    )
    assert older["invoice.paid"]["id"] == newer["invoice.paid"]["id"]
    assert newer.keys() - older.keys() == {"invoice_payment.paid"}
    was, now = (events["invoice.paid"]["data"]["object"] for events in (older, newer))
    assert was["subscription"] == now["parent"]["subscription_details"]["subscription"]
    assert was["subscription_details"] == {"metadata": {"campaign": "newsroom"}}
    intent = older["payment_intent.succeeded"]["data"]["object"]
    assert (was["payment_intent"], was["paid"], intent["invoice"]) == (intent["id"], True, was["id"])
    assert older["charge.succeeded"]["data"]["object"]["invoice"] == was["id"]
    assert was["lines"]["data"][0]["price"]["object"] == "price"
    assert not {"parent", "payments"} & was.keys()
    assert not {"subscription", "payment_intent", "charge", "paid", "subscription_details"} & now.keys()
    was, now = (events["customer.subscription.created"]["data"]["object"] for events in (older, newer))
    assert was["current_period_end"] == now["items"]["data"][0]["current_period_end"]
    assert "current_period_end" not in was["items"]["data"][0]
    assert "current_period_end" not in now
    for told in listener.taken:
        assert v1.events.retrieve(told["event"]["id"]).api_version == stripe.api_version


def test_undelivered_events_can_be_listed(sandbox_server: Any, listener: Any) -> None:
    sandbox_server.sandbox.add_webhook(listener.url, SECRET, ["checkout.session.completed"])
    sandbox_server.pay(sandbox_server.gift())
    events = sandbox_server.client.v1.events
    assert [row.type for row in events.list({"delivery_success": False}).data] == ["checkout.session.completed"]
    sandbox_server.sandbox.start_sender()
    listener.wait(1)
    sandbox_server.sandbox.stop_sender()
    assert listener.types() == ["checkout.session.completed"]
    assert events.list({"delivery_success": False}).data == []
    assert len(events.list({"types": ["charge.succeeded", "checkout.session.completed"]}).data) == 2
    assert len(events.list({"type": "payment_intent.*"}).data) == 2
    with pytest.raises(stripe.InvalidRequestError):
        events.list({"types": [f"t{n}" for n in range(21)]})


def test_an_endpoint_shows_its_secret_once(sandbox_server: Any) -> None:
    endpoints = sandbox_server.client.v1.webhook_endpoints
    params: Any = {
        "url": "http://127.0.0.1:9/hook",
        "enabled_events": ["invoice.paid"],
        "api_version": stripe.api_version,
    }
    made = endpoints.create(params)
    assert made.secret.startswith("whsec_")
    assert "secret" not in endpoints.retrieve(made.id).to_dict()
    assert endpoints.list().data[0].api_version == stripe.api_version
    assert endpoints.update(made.id, {"disabled": True}).status == "disabled"
    assert endpoints.delete(made.id).deleted
    assert endpoints.list().data == []
    for wrong in ({"enabled_events": ["gift.given"]}, {"url": "hook"}, {"api_version": "2020-01-01.nowhere"}):
        with pytest.raises(stripe.InvalidRequestError):
            endpoints.create(params | wrong)


def test_deliveries_go_wrong_on_demand(sending: Any, listener: Any) -> None:
    sending.lever("faults", drop=1)
    sending.client.v1.checkout.sessions.expire(sending.gift().id)
    listener.until(lambda: any(r["state"] == "dropped" for r in sending.lever_get("deliveries")["data"]))
    sending.lever("faults", duplicate=1)
    sending.client.v1.checkout.sessions.expire(sending.gift().id)
    twice = listener.wait(2)
    assert twice[0]["event"]["id"] == twice[1]["event"]["id"]
    sending.lever("faults", corrupt=1)
    sending.client.v1.checkout.sessions.expire(sending.gift().id)
    spoilt = listener.wait(3)[2]
    with pytest.raises(stripe.SignatureVerificationError):
        sending.client.construct_event(spoilt["body"], spoilt["headers"]["Stripe-Signature"], SECRET)
    sending.lever("resend", event=twice[0]["event"]["id"])
    assert listener.wait(4)[3]["event"]["id"] == twice[0]["event"]["id"]


def test_deliveries_can_come_out_of_order(sending: Any, listener: Any) -> None:
    sending.lever("faults", shuffle=0.4)
    for _ in range(3):
        sending.pay(sending.gift(monthly=True))
    told = listener.wait(36)
    moments = [sending.events().index(kind) for kind in ("invoice.paid", "checkout.session.completed")]
    assert moments[0] < moments[1]
    order = [entry["event"]["id"] for entry in told[:36]]
    made = [event.id for event in sending.client.v1.events.list({"limit": 100}).data][::-1]
    assert order != [wanted for wanted in made if wanted in order]


def history(sandbox: Sandbox, deliver: Any, gifts: int) -> None:
    price = {"currency": "usd", "unit_amount": 1000, "product_data": {"name": "Donation"}}
    with sandbox.playing(deliver):
        for number in range(gifts):
            sandbox.set_clock(1_700_000_000 + number * 3600)
            session = sandbox.create_checkout_session(
                {
                    "mode": "payment",
                    "line_items": [{"quantity": 1, "price_data": dict(price)}],
                    "success_url": "https://news.example/",
                    "metadata": {"campaign": "newsroom"},
                }
            )
            sandbox.pay(session["id"], email="donor@example.org", name="Dana")
        sandbox.set_clock(None)


def test_a_history_is_played_in_order(tmp_path: Path) -> None:
    sandbox = Sandbox(tmp_path / "sandbox.db")
    sandbox.add_webhook("http://127.0.0.1:9/hook", SECRET, ["checkout.session.completed", "charge.updated"])
    told: list[tuple[dict[str, Any], str]] = []

    def deliver(body: bytes, signature: str, url: str) -> int:
        stripe.WebhookSignature.verify_header(body.decode(), signature, SECRET, 300)
        told.append((json.loads(body), url))
        return 200

    history(sandbox, deliver, 300)
    assert [event["type"] for event, _ in told[:2]] == ["checkout.session.completed", "charge.updated"]
    assert len(told) == 600
    assert told[0][0]["created"] == told[0][0]["data"]["object"]["created"] == 1_700_000_000
    sandbox.close()


def test_a_player_renews_refunds_disputes_and_cancels(tmp_path: Path) -> None:
    sandbox = Sandbox()
    sandbox.add_webhook("http://127.0.0.1:9/hook", SECRET)
    told: list[str] = []

    def deliver(body: bytes, signature: str, url: str) -> int:
        told.append(json.loads(body)["type"])
        return 200

    item = {"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Gift"}}}
    monthly = {"quantity": 1, "price_data": item["price_data"] | {"recurring": {"interval": "month"}}}  # type: ignore[operator]
    usual = {"success_url": "https://news.example/"}
    with sandbox.playing(deliver):
        sandbox.set_clock(1_700_000_000)
        once = sandbox.create_checkout_session({"mode": "payment", "line_items": [item]} | usual)
        with pytest.raises(CardDeclined):
            sandbox.pay(once["id"], email="a@example.org", card="4000000000000002")
        done = sandbox.pay(once["id"], email="a@example.org")
        assert sandbox.refund(payment_intent=done["payment_intent"], amount=100)["amount"] == 100
        dispute = sandbox.open_dispute(done["payment_intent"], amount=800)
        assert sandbox.close_dispute(dispute["id"], won=True)["status"] == "won"
        session = sandbox.create_checkout_session({"mode": "subscription", "line_items": [monthly]} | usual)
        begun = sandbox.pay(session["id"], email="m@example.org")
        sandbox.set_clock(1_702_600_000)
        assert sandbox.renew(begun["subscription"])["status"] == "paid"
        assert sandbox.cancel_subscription(begun["subscription"], at_period_end=True)["status"] == "active"
        assert sandbox.cancel_subscription(begun["subscription"])["status"] == "canceled"
    assert told.count("invoice.paid") == 2
    assert told[-1] == "customer.subscription.deleted"
    sandbox.close()


def test_everything_survives_a_kill(tmp_path: Path) -> None:
    script = f"""
import os, signal
from pathlib import Path
from tracker.sandbox import Sandbox
sandbox = Sandbox(Path({str(tmp_path / "sandbox.db")!r}))
sandbox.add_webhook("http://127.0.0.1:9/hook", "{SECRET}")
item = {{"quantity": 1, "price_data": {{"currency": "usd", "unit_amount": 900, "product_data": {{"name": "Gift"}}}}}}
session = sandbox.create_checkout_session(
    {{"mode": "payment", "line_items": [item], "success_url": "https://news.example/"}})
sandbox.pay(session["id"])
sandbox.set_clock(1700000000)
print(session["id"], flush=True)
os.kill(os.getpid(), signal.SIGKILL)
"""
    root = Path(__file__).parents[2]
    run = subprocess.run([sys.executable, "-c", script], cwd=root, capture_output=True, text=True, check=False)
    sandbox = Sandbox(tmp_path / "sandbox.db")
    with sandbox.store.acting():
        session = sandbox.store.find("checkout.session", run.stdout.strip())
        assert session["payment_status"] == "paid"
        assert len(list(sandbox.store.newest("_delivery"))) == 4
        assert sandbox.store.now() == 1_700_000_000
        sandbox.run_due(hurry=True)
        charge = next(iter(sandbox.store.newest("charge")))
        assert charge["balance_transaction"]
    sandbox.close()


def test_the_front_page_shows_what_happened_and_its_buttons_work(sending: Any, listener: Any) -> None:
    sending.pay(sending.gift(monthly=True))
    listener.wait(12)
    page = sending.visit(f"{sending.url}/")
    assert page.status == 200
    for words in ("A stand-in for Stripe", "Renew now", "Refund", listener.url):
        assert words in page.text
    subscription = sending.client.v1.subscriptions.list().data[0]
    assert sending.visit(f"{sending.url}/_control/renew", {"subscription": subscription.id}).status in (200, 303)
    assert len(sending.client.v1.invoices.list().data) == 2


def test_levers_say_what_is_wrong(sandbox_server: Any) -> None:
    for name, given, status in (
        ("nothing", {}, 404),
        ("refund", {"charge": "ch_none"}, 404),
        ("renew", {}, 400),
        ("faults", {"gravity": 1}, 400),
        ("dispute", {"charge": "ch_none", "amount": "some"}, 400),
    ):
        answer = sandbox_server.raw("POST", f"/_control/{name}", json.dumps(given), Content_Type="application/json")
        assert (answer[0], "message" in answer[2]["error"]) == (status, True), name


def test_sessions_left_open_in_a_history_expire_in_their_own_time() -> None:
    sandbox = Sandbox()
    sandbox.add_webhook("http://127.0.0.1:9/hook", SECRET)
    told: list[dict[str, Any]] = []

    def deliver(body: bytes, signature: str, url: str) -> int:
        told.append(json.loads(body))
        return 200

    item = {"quantity": 1, "price_data": {"currency": "usd", "unit_amount": 900, "product_data": {"name": "Gift"}}}
    params = {"mode": "payment", "line_items": [item], "success_url": "https://news.example/"}
    with sandbox.playing(deliver):
        sandbox.set_clock(1_700_000_000)
        left = sandbox.create_checkout_session(params)
        sandbox.set_clock(1_710_000_000)
        sandbox.create_checkout_session(params)
    assert [(event["type"], event["created"]) for event in told] == [("checkout.session.expired", left["expires_at"])]
    sandbox.close()


def test_what_a_player_could_not_hand_over_the_sender_tries_again(sandbox_server: Any, listener: Any) -> None:
    sandbox = sandbox_server.sandbox
    sandbox.add_webhook(listener.url, SECRET, ["checkout.session.completed"])
    session = sandbox_server.gift()
    with sandbox.playing(lambda body, signature, url: 503):
        sandbox.pay(session.id)
    sandbox.speed = 50
    sandbox.start_sender()
    listener.wait(1)
    sandbox.stop_sender()
    assert listener.taken[0]["event"]["data"]["object"]["id"] == session.id
