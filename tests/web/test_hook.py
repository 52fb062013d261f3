"""The address that Stripe calls: kept when it is Stripe's, refused when it is not, and asked for again when we cannot."""

import io
import json
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from actors import (
    OURS,
    WEBHOOK_SECRET,
    Stripe,
    count,
    dispute_of,
    each,
    epoch,
    invoice,
    invoice_payment,
    refund_of,
    session,
    totals,
)
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, text
from stripe import WebhookSignature
from structlog.testing import capture_logs

from tracker.ledger import book, group_commit, store
from tracker.ledger.store import reading, writing
from tracker.settings import HOOK
from tracker.web.webhook.body_retention import drop_old_bodies

PRIVATE = "ana.private@example.org"


@pytest.fixture(autouse=True)
def _one_month() -> Iterator[None]:
    """Tests that use the real clock must not begin in one month and end in the next."""
    with time_machine.travel(datetime(2021, 5, 14, 9, 31, tzinfo=UTC), tick=True):
        yield


@pytest.fixture
def log() -> Iterator[list[Any]]:
    with capture_logs() as lines:
        yield lines


def may(live: bool = False) -> dict[str, int]:
    with reading() as connection:
        return totals(connection, live=live).get("2021-05 USD", {})


def outcome(event_id: str) -> str:
    with reading() as connection:
        return str(connection.scalar(text("SELECT outcome FROM delivery WHERE event_id = :id"), {"id": event_id}))


def bar(client: FlaskClient) -> dict[str, Any]:
    found = client.get("/embed/newsroom.json").json
    assert found is not None
    return dict(found)


# --- Kept -------------------------------------------------------------------------------------------------------------


def test_a_delivery_is_kept_as_it_came(stripe_calls: Stripe) -> None:
    told = stripe_calls.event("checkout.session.completed", session(), created=epoch("2021-05-14T09:30"))
    raw = json.dumps(told, indent=3).encode()
    assert stripe_calls.delivers(raw) == 204
    with reading() as connection:
        row = connection.execute(text("SELECT body, type, api_version, outcome FROM delivery")).one()
    assert bytes(row.body) == raw
    assert (row.type, row.api_version, row.outcome) == (
        "checkout.session.completed",
        "2026-10-28.endive",
        "recorded",
    )


def test_the_same_event_again_changes_nothing(stripe_calls: Stripe, log: list[Any]) -> None:
    told = stripe_calls.event("checkout.session.completed", session())
    assert [stripe_calls.sends(told) for _ in range(3)] == [204, 204, 204]
    assert may() == {"once": 1000, "gifts": 1}
    assert [line["outcome"] for line in log] == ["recorded", "known", "known"]


def test_two_events_about_one_session_count_once(stripe_calls: Stripe) -> None:
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", session())) == 204
    assert stripe_calls.sends(stripe_calls.event("checkout.session.async_payment_succeeded", session())) == 204
    assert may() == {"once": 1000, "gifts": 1}


def test_an_unpaid_session_counts_nothing_until_its_money_comes(stripe_calls: Stripe, client: FlaskClient) -> None:
    unpaid = stripe_calls.event("checkout.session.completed", session(payment_status="unpaid"))
    assert stripe_calls.sends(unpaid) == 204
    assert may() == {}
    assert outcome(unpaid["id"]) == "nothing"
    paid = stripe_calls.event("checkout.session.async_payment_succeeded", session())
    for _ in range(2):
        assert stripe_calls.sends(paid) == 204
    assert stripe_calls.sends(unpaid) == 204
    assert may() == {"once": 1000, "gifts": 1}
    assert bar(client)["raised"] == 1000


@each("about", [session(payment_status="no_payment_required"), session(mode="setup"), session(amount_total=0)])
def test_a_session_without_money_counts_nothing(stripe_calls: Stripe, about: dict[str, Any]) -> None:
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", about)) == 204
    assert may() == {}


def test_monthly_money_is_the_invoice_and_never_the_session(stripe_calls: Stripe) -> None:
    subscribed = session("cs_monthly", 500, mode="subscription", invoice="in_1", payment_intent=None)
    for told in (
        stripe_calls.event("checkout.session.completed", subscribed),
        stripe_calls.event("invoice.paid", invoice("in_1")),
        stripe_calls.event("invoice_payment.paid", invoice_payment("in_1", "pi_in_1")),
        stripe_calls.event("invoice.paid", invoice("in_2", billing_reason="subscription_cycle")),
    ):
        assert stripe_calls.sends(told) == 204
    assert may() == {"monthly": 1000, "gifts": 2}
    assert stripe_calls.sends(stripe_calls.event("refund.created", refund_of("pi_in_1", amount=200))) == 204
    assert may() == {"monthly": 1000, "refunds": 200, "gifts": 2}


def test_refunds_and_disputes_move_the_bar_both_ways(stripe_calls: Stripe, client: FlaskClient) -> None:
    def told(kind: str, about: dict[str, Any]) -> int:
        assert stripe_calls.sends(stripe_calls.event(kind, about)) == 204
        return int(bar(client)["raised"])

    assert told("refund.created", refund_of("pi_cs_test_1", amount=400, status="pending")) == 0
    assert told("checkout.session.completed", session(amount=1000)) == 600
    assert told("refund.updated", refund_of("pi_cs_test_1", amount=400)) == 600
    assert told("refund.failed", refund_of("pi_cs_test_1", amount=400, status="failed")) == 1000
    assert told("charge.dispute.created", dispute_of("pi_cs_test_1", status="warning_needs_response")) == 1000
    assert told("charge.dispute.funds_withdrawn", dispute_of("pi_cs_test_1", -1000)) == 0
    assert told("charge.dispute.funds_reinstated", dispute_of("pi_cs_test_1", -1000, 1000)) == 1000
    assert told("charge.dispute.closed", dispute_of("pi_cs_test_1", -1000, 1000, status="won")) == 1000
    assert bar(client)["gifts"] == 1


@each(
    ("kind", "about"),
    [
        ("checkout.session.completed", session(metadata={})),
        ("checkout.session.completed", session(metadata={"campaign": "newsroom"})),
        ("checkout.session.completed", session(metadata=None)),
        ("invoice.paid", invoice(parent=None)),
        ("payment_intent.succeeded", {"id": "pi_1", "object": "payment_intent", "amount": 5000}),
        ("a.kind.of.event.that.nobody.knows." + "x" * 200, {"id": "x_1"}),
        ("customer.created", {}),
    ],
)
def test_what_is_not_ours_is_kept_and_counts_nothing(stripe_calls: Stripe, kind: str, about: dict[str, Any]) -> None:
    told = stripe_calls.event(kind, about)
    assert stripe_calls.sends(told) == 204
    assert outcome(told["id"]) == "foreign"
    assert may() == {}


def test_a_gift_for_a_campaign_that_is_not_here_waits(stripe_calls: Stripe) -> None:
    told = stripe_calls.event("checkout.session.completed", session(metadata=OURS | {"campaign": "elsewhere"}))
    assert stripe_calls.sends(told) == 204
    assert outcome(told["id"]) == "waiting"
    assert may() == {}


def test_money_of_the_other_mode_counts_nothing_here(stripe_calls: Stripe, client: FlaskClient) -> None:
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", session(), live=True)) == 204
    assert bar(client)["raised"] == 0
    assert may() == {}
    assert may(live=True) == {"once": 1000, "gifts": 1}


@pytest.mark.parametrize("words", ["nul \0 in it", "half \ud83d", "🎉" * 40, "x" * 80, "‮ right to left"])
def test_no_name_can_keep_a_gift_from_being_recorded(stripe_calls: Stripe, client: FlaskClient, words: str) -> None:
    about = session(metadata=OURS | {"name": words, "message": words * 3})
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", about)) == 204
    assert bar(client)["raised"] == 1000


def test_eight_deliveries_of_one_event_at_once_make_one_entry(app: Flask, stripe_calls: Stripe) -> None:
    told = stripe_calls.event("checkout.session.completed", session())
    together = threading.Barrier(8)

    def deliver(_: int) -> int:
        caller = Stripe(app.test_client())
        together.wait()
        return caller.sends(told)

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(deliver, range(8))) == [204] * 8
    with reading() as connection:
        assert count(connection, "entry") == count(connection, "delivery") == 1
    assert may() == {"once": 1000, "gifts": 1}


def test_stripe_is_never_told_that_it_calls_too_often(stripe_calls: Stripe) -> None:
    told = [stripe_calls.event("checkout.session.completed", session(f"cs_{number}", 100)) for number in range(150)]
    assert {stripe_calls.sends(one) for one in told} == {204}
    assert may() == {"once": 15_000, "gifts": 150}


def test_old_bodies_go_and_what_they_told_stays(stripe_calls: Stripe) -> None:
    first = stripe_calls.event("checkout.session.completed", session())
    assert stripe_calls.sends(first) == 204
    with time_machine.travel(datetime.now(UTC) + timedelta(days=91), tick=True):
        # By the clock: nothing more is delivered.
        assert drop_old_bodies(datetime.now(UTC)) == 1
    with reading() as connection:
        kept = dict(connection.execute(text("SELECT event_id, body FROM delivery")).all())  # type: ignore[arg-type]
    assert kept[first["id"]] is None
    assert may() == {"once": 1000, "gifts": 1}


# --- Refused ----------------------------------------------------------------------------------------------------------


def refused(status: int, log: list[Any]) -> str:
    """Asserts that a delivery was refused without a trace in the ledger; returns the reason that was logged."""
    assert status == 400
    with reading() as connection:
        assert count(connection, "delivery") == count(connection, "entry") == 0
    (line,) = log
    assert line["event"] == "hook.refused"
    assert set(line) == {"event", "log_level", "reason", "bytes"}
    assert PRIVATE not in repr(line)
    log.clear()
    return str(line["reason"])


def body_of(stripe_calls: Stripe) -> bytes:
    about = session(customer_details={"email": PRIVATE})
    return json.dumps(stripe_calls.event("checkout.session.completed", about)).encode()


@each(
    "signature",
    ["", "nonsense", "t=1", "v1=abc", "t=,v1=", "t=abc,v1=abc", ",,,", "t=1,v1=é", "t=1,v1=" + "0" * 64, "=" * 500],
)
def test_a_forged_delivery_is_refused(stripe_calls: Stripe, log: list[Any], signature: str) -> None:
    refused(stripe_calls.delivers(body_of(stripe_calls), signature=signature), log)


def test_a_delivery_signed_with_another_secret_is_refused(stripe_calls: Stripe, log: list[Any]) -> None:
    status = stripe_calls.delivers(body_of(stripe_calls), secret="whsec_another_secret")
    assert refused(status, log) == "the signature does not match"


def test_a_delivery_that_was_changed_on_its_way_is_refused(stripe_calls: Stripe, log: list[Any]) -> None:
    body = body_of(stripe_calls)
    signature = WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()))
    status = stripe_calls.delivers(body.replace(b'"amount_total": 1000', b'"amount_total": 9000'), signature=signature)
    assert refused(status, log) == "the signature does not match"


@each("seconds", [-301, 301, -86_400, 365 * 86_400])
def test_a_delivery_that_is_too_old_or_from_the_future_is_refused(
    stripe_calls: Stripe, log: list[Any], seconds: int
) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False):
        status = stripe_calls.delivers(body_of(stripe_calls), at=time.time() + seconds)
    assert refused(status, log) == "signed too long ago, or in the future"


@each("fresh", [" t={now},", "t ={now},", "T={now},", "\tt={now},", "t={now};"])
def test_an_old_signature_is_not_made_young_by_a_second_time_beside_it(
    stripe_calls: Stripe, log: list[Any], fresh: str
) -> None:
    body = body_of(stripe_calls)
    old = WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()) - 10_000)
    refused(stripe_calls.delivers(body, signature=fresh.format(now=int(time.time())) + old), log)


@pytest.mark.parametrize("seconds", [-299, 299])
def test_a_clock_may_be_five_minutes_off(stripe_calls: Stripe, seconds: int) -> None:
    with time_machine.travel(datetime.now(UTC), tick=False):
        assert stripe_calls.delivers(body_of(stripe_calls), at=time.time() + seconds) == 204


@each(
    "body",
    [
        b"",
        b"not json",
        b"[]",
        b"[1, 2]",
        b"null",
        b"7",
        b'"event"',
        b"{}",
        b'{"object": "event"}',
        b'{"object": "event", "id": "evt_1", "type": "x", "created": 1, "livemode": false, "data": []}',
        b'{"object": "event", "id": 7, "type": "x", "created": 1, "livemode": false, "data": {"object": {}}}',
        b'{"object": "event", "id": "", "type": "x", "created": 1, "livemode": false, "data": {"object": {}}}',
        b'{"object": "event", "id": "e", "type": "x", "created": "1", "livemode": false, "data": {"object": {}}}',
        b'{"object": "event", "id": "e", "type": "x", "created": 1, "livemode": "no", "data": {"object": {}}}',
        b'{"object": "event", "id": "e", "type": "x", "created": true, "livemode": true, "data": {"object": {}}}',
        b'{"object": "v2.core.event", "id": "e", "type": "x", "created": "2021-05-14T09:31:00Z", "livemode": true}',
        b'{"a":' * 200 + b"1" + b"}" * 200,
        b"\xff\xfe",
    ],
)
def test_what_is_signed_but_no_event_is_refused(stripe_calls: Stripe, log: list[Any], body: bytes) -> None:
    refused(stripe_calls.delivers(body), log)


def test_a_body_beyond_all_measure_is_not_even_read(stripe_calls: Stripe, client: FlaskClient) -> None:
    assert stripe_calls.delivers(b"x" * 300 * 1024) == 413
    assert stripe_calls.delivers(b"x" * 256 * 1024) == 400
    assert client.get("/webhooks/stripe").status_code == 405


def test_it_is_an_address_like_any_other(app: Flask) -> None:
    (rule,) = (one for one in app.url_map.iter_rules() if one.rule == HOOK)
    assert rule.methods == {"POST"}


def test_a_body_that_is_cut_off_is_refused(client: FlaskClient, log: list[Any]) -> None:
    half = client.post("/webhooks/stripe", input_stream=io.BytesIO(b"{"), environ_overrides={"CONTENT_LENGTH": "1000"})
    assert half.status_code == 400
    assert [(line["event"], line["reason"]) for line in log] == [("hook.refused", "cut off")]


def test_what_goes_wrong_as_nobody_thought_of_is_asked_for_again(
    stripe_calls: Stripe, monkeypatch: pytest.MonkeyPatch
) -> None:
    told = stripe_calls.event("checkout.session.completed", session())
    with monkeypatch.context() as patched, capture_logs() as lines:
        patched.setattr(book, "record", lambda *_: 1 / 0)
        assert stripe_calls.sends(told) == 500
    assert lines == [{"event": "hook.stumbled", "log_level": "error", "exc_info": True}]
    assert may() == {}
    assert stripe_calls.sends(told) == 204
    assert may() == {"once": 1000, "gifts": 1}


# --- Secrets ----------------------------------------------------------------------------------------------------------


class TestWhileASecretIsRolled:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"STRIPE_WEBHOOK_SECRET": "whsec_old_secret, whsec_new_secret"}

    def test_both_secrets_are_good(self, stripe_calls: Stripe) -> None:
        for secret in ("whsec_old_secret", "whsec_new_secret"):
            told = json.dumps(stripe_calls.event("checkout.session.completed", session(secret))).encode()
            assert stripe_calls.delivers(told, secret=secret) == 204
        assert may() == {"once": 2000, "gifts": 2}

    def test_a_third_one_is_not(self, stripe_calls: Stripe, log: list[Any]) -> None:
        refused(stripe_calls.delivers(body_of(stripe_calls)), log)


class TestWithoutASecret:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"STRIPE_WEBHOOK_SECRET": ""}

    def test_stripe_is_asked_to_send_again_later(self, stripe_calls: Stripe, log: list[Any]) -> None:
        assert stripe_calls.delivers(body_of(stripe_calls)) == 503
        assert [line["event"] for line in log] == ["hook.no_secret"]
        with reading() as connection:
            assert count(connection, "delivery") == 0


# --- Trouble with the database ----------------------------------------------------------------------------------------


def fails_and_recovers(stripe_calls: Stripe, client: FlaskClient, log: list[Any], trouble: Any) -> None:
    """While there is trouble the same event is answered 503; after it the event is recorded, once."""
    told = stripe_calls.event("checkout.session.completed", session(customer_details={"email": PRIVATE}))
    with trouble:
        assert stripe_calls.sends(told) == 503
        assert stripe_calls.sends(told) == 503
    assert [line["event"] for line in log] == ["database.trouble"] * 2
    assert PRIVATE not in repr(log)
    with reading() as connection:
        assert count(connection, "entry") == count(connection, "delivery") == 0
    assert stripe_calls.sends(told) == 204
    assert stripe_calls.sends(told) == 204
    assert may() == {"once": 1000, "gifts": 1}
    assert bar(client)["raised"] == 1000


class BrokenTable:
    """A table that is gone for a while."""

    def __init__(self, name: str) -> None:
        self.name = name

    def __enter__(self) -> None:
        with writing() as connection:
            connection.execute(text(f"ALTER TABLE {self.name} RENAME TO elsewhere"))

    def __exit__(self, *_: object) -> None:
        with writing() as connection:
            connection.execute(text(f"ALTER TABLE elsewhere RENAME TO {self.name}"))


@pytest.mark.parametrize("table", ["entry", "month_total", "delivery", "alias"])
def test_a_broken_table_asks_stripe_to_send_again(
    stripe_calls: Stripe, client: FlaskClient, log: list[Any], table: str
) -> None:
    fails_and_recovers(stripe_calls, client, log, BrokenTable(table))


class WithEveryConnection:
    """Runs a statement on every connection of the app for a while; another one undoes it."""

    def __init__(self, *statements: str) -> None:
        self.statements = statements

    def _prepare(self, connection: Any, _: object) -> None:
        for statement in self.statements:
            connection.execute(statement)
        connection.commit()

    def __enter__(self) -> None:
        store.db.engine.dispose()
        event.listen(store.db.engine, "connect", self._prepare)

    def __exit__(self, *_: object) -> None:
        event.remove(store.db.engine, "connect", self._prepare)
        store.db.engine.dispose()


def test_a_ledger_that_can_only_be_read_asks_stripe_to_send_again(
    stripe_calls: Stripe, client: FlaskClient, log: list[Any], database_url: str
) -> None:
    read_only = "SET SESSION CHARACTERISTICS AS TRANSACTION READ ONLY" if database_url else "PRAGMA query_only = ON"
    fails_and_recovers(stripe_calls, client, log, WithEveryConnection(read_only))


class TestOnAFullDisk:
    @pytest.fixture
    def database_url(self) -> str:
        """SQLite, which can be told to take no more pages."""
        return ""

    def test_stripe_is_asked_to_send_again_and_the_bar_stays(self, stripe_calls: Stripe, client: FlaskClient) -> None:
        big = stripe_calls.event("checkout.session.completed", session(padding="x" * 100_000))
        with reading() as connection:
            pages = connection.scalar(text("PRAGMA page_count"))
        with WithEveryConnection(f"PRAGMA max_page_count = {pages}"):
            assert stripe_calls.sends(big) == 503
            assert bar(client)["raised"] == 0
            assert client.get("/c/newsroom").status_code == 200
        assert may() == {}
        assert [stripe_calls.sends(big) for _ in range(2)] == [204, 204]
        assert may() == {"once": 1000, "gifts": 1}


def test_a_ledger_that_somebody_else_holds_asks_stripe_to_send_again(
    stripe_calls: Stripe,
    client: FlaskClient,
    log: list[Any],
    held_ledger: Any,
) -> None:
    fails_and_recovers(stripe_calls, client, log, held_ledger)


def test_more_deliveries_at_once_than_can_wait_are_asked_for_again(
    stripe_calls: Stripe, log: list[Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(group_commit, "MOST", 0)
    told = stripe_calls.event("checkout.session.completed", session())
    assert stripe_calls.sends(told) == 503
    assert [line["event"] for line in log] == ["hook.line_full"]
    with reading() as connection:
        assert count(connection, "entry") == count(connection, "delivery") == 0


def test_a_hook_in_trouble_answers_in_a_page_without_our_insides(stripe_calls: Stripe, client: FlaskClient) -> None:
    with BrokenTable("campaign"):
        answer = client.get("/c/newsroom")
    assert answer.status_code == 503
    assert answer.headers["Retry-After"] == "30"
    for inside in ("sqlite", "psycopg", "SELECT", "Traceback", "campaign.slug"):
        assert inside not in answer.text
