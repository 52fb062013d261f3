"""The API under /v1: keys, idempotency, faults, and the shape of every answer."""

import hashlib
import json
import logging
import re
import time
from collections.abc import Callable
from typing import Any

import stripe
from flask import Blueprint, Response, request

from tracker.sandbox import routes
from tracker.sandbox.account import Sandbox
from tracker.sandbox.parameters import checked
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError, expand, parse_form

log = logging.getLogger(__name__)

KEY = re.compile(r"(sk|rk)_(test|live)_[A-Za-z0-9_]+")
VERSION = re.compile(r"\d{4}-\d{2}-\d{2}(\.[a-z]+)?")
ANSWERS_KEPT_SECONDS = 24 * 3600  # docs.stripe.com/api/idempotent_requests

UNRECOGNIZED = (
    "Unrecognized request URL ({method}: {path}). If you are trying to list objects, remove the trailing slash. If you "
    "are trying to retrieve an object, make sure you passed a valid (non-empty) identifier in your code. Please see "
    "https://stripe.com/docs or we can help at https://support.stripe.com/."
)
OTHER_PARAMETERS = (
    "Keys for idempotent requests can only be used with the same parameters they were first used with. Try using a key "
    "other than '{key}' if you meant to execute a different request."
)
STILL_RUNNING = (
    "There is currently another in-progress request using this Idempotent Key (that probably means you submitted twice, "
    "and the other request is still going through): {key}. Please try again later."
)
NO_KEY = (
    "You did not provide an API key. You need to provide your API key in the Authorization header, using Bearer auth "
    "(e.g. 'Authorization: Bearer YOUR_SECRET_KEY'). See https://stripe.com/docs/api#authentication for details, or we "
    "can help at https://support.stripe.com/."
)


def blueprint(sandbox: Sandbox) -> Blueprint:
    api = Blueprint("api", __name__)

    @api.route("/v1/", defaults={"path": ""}, methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
    @api.route("/v1/<path:path>", methods=["GET", "POST", "DELETE", "PUT", "PATCH"])
    def answer(path: str) -> Response:
        sandbox.run_due()
        request_id = sandbox.store.new_id("req_", 14)
        faults = sandbox.faults
        if faults.latency:
            time.sleep(faults.latency)
        fault = faults.next_answer()
        try:
            given = _answer(sandbox, request_id, fault)
        except StripeError as error:
            given = _Answer(error.status, json.dumps(error.body(request_id), indent=2))
        except Exception:
            log.exception("the sandbox failed at %s %s", request.method, request.path)
            trouble = StripeError("The stand-in itself has failed; its log says where.", kind="api_error")
            given = _Answer(500, json.dumps(trouble.body(request_id), indent=2))
        if fault == "hang":
            time.sleep(faults.hang_seconds)
        return _response(given, request_id, cut=fault == "cut")

    return api


class _Answer:
    def __init__(self, status: int, body: str, original: str | None = None) -> None:
        self.status, self.body, self.original = status, body, original


def _response(given: _Answer, request_id: str, cut: bool) -> Response:
    body = given.body.encode()
    response = Response(body[: len(body) // 2] if cut else body, given.status, mimetype="application/json")
    response.headers["Content-Length"] = str(len(body))
    response.headers["Request-Id"] = request_id
    response.headers["Stripe-Version"] = request.headers.get("Stripe-Version", stripe.api_version)
    if request.headers.get("Idempotency-Key") and request.method == "POST":
        response.headers["Idempotency-Key"] = request.headers["Idempotency-Key"]
    if given.original:
        response.headers["Idempotent-Replayed"] = "true"
        response.headers["Original-Request"] = given.original
    if given.status in (409, 429):
        response.headers["Stripe-Should-Retry"] = "true" if given.status == 409 else "false"
    return response


def _answer(sandbox: Sandbox, request_id: str, fault: Any) -> _Answer:
    live = _mode()
    version = request.headers.get("Stripe-Version")
    if version and not VERSION.fullmatch(version):
        raise StripeError(f"Invalid Stripe API version: {version}")
    if fault == 429:
        raise StripeError("Too many requests in a period of time.", status=429, code="rate_limit")
    if fault == 503:
        raise StripeError("Stripe is briefly unavailable.", status=503, kind="api_error")
    fields = parse_form(request.query_string.decode(errors="replace")) if request.method in ("GET", "DELETE") else {}
    fields |= parse_form(request.get_data(as_text=True))
    key = request.headers.get("Idempotency-Key") if request.method == "POST" else None

    def work() -> str:
        with sandbox.store.acting(live, request_id, key):
            return json.dumps(_execute(sandbox, fields, fault), indent=2, ensure_ascii=False)

    if key is None:
        return _Answer(200, work())
    if len(key) > 255:
        raise StripeError("Idempotency keys can be at most 255 characters.", kind="idempotency_error")
    if fault == "slow":
        work = _slowly(work, sandbox.faults.hang_seconds)
    return _once(sandbox, live, key, request_id, fields, work)


def _slowly(work: Callable[[], str], seconds: float) -> Callable[[], str]:
    """The same work after a while, in which others are served."""

    def later() -> str:
        time.sleep(seconds)
        return work()

    return later


def _once(sandbox: Sandbox, live: bool, key: str, request_id: str, fields: Body, work: Callable[[], str]) -> _Answer:
    """Answer the same key in the same way: the first outcome is kept, a 500 as well, a failed validation not."""
    store = sandbox.store
    wanted = f"answer/{'live' if live else 'test'}/{key}"
    same = hashlib.sha256(f"{request.path} {json.dumps(fields, sort_keys=True)}".encode()).hexdigest()
    with store.lock:
        known = store.rows.get(wanted)
        if known and known.body["at"] > time.time() - ANSWERS_KEPT_SECONDS:
            if known.body["same"] != same:
                raise StripeError(OTHER_PARAMETERS.format(key=key), kind="idempotency_error")
            return _Answer(known.body["status"], known.body["answer"], original=known.body["request"])
        if (live, key) in sandbox.answering:
            raise StripeError(
                STILL_RUNNING.format(key=key), status=409, kind="idempotency_error", code="idempotency_key_in_use"
            )
        sandbox.answering.add((live, key))
    try:
        given, executed = _Answer(200, work()), True
    except StripeError as error:
        given, executed = _Answer(error.status, json.dumps(error.body(request_id), indent=2)), error.executed
    finally:
        sandbox.answering.discard((live, key))
    if executed:
        with store.acting(live):
            if wanted in store.rows:
                store.remove(wanted)
            kept = {"id": wanted, "created": int(time.time()), "at": time.time(), "same": same}
            store.add("_answer", kept | {"status": given.status, "answer": given.body, "request": request_id})
    return given


def _mode() -> bool:
    """Whether the key is a live one; both ways of sending it are Stripe's."""
    header = request.headers.get("Authorization", "")
    sent = request.authorization
    key = header[7:].strip() if header.lower().startswith("bearer ") else ""
    if sent and sent.type == "basic":
        key = sent.username or ""
    if not key:
        raise StripeError(NO_KEY, status=401)
    if not KEY.fullmatch(key):
        raise StripeError(f"Invalid API Key provided: {_masked(key)}", status=401)
    return "_live_" in key


def _masked(key: str) -> str:
    """`sk_test_****xyz`, as Stripe shows it."""
    prefix = re.match(r"[a-z]+_(test|live)_", key)
    head = prefix.group() if prefix else key[:4]
    return head + "*" * max(4, len(key) - len(head) - 4) + key[-4:]


def _execute(sandbox: Sandbox, fields: Body, fault: Any) -> Body:
    known = routes.find(request.method, request.path)
    if known is None:
        raise StripeError(UNRECOGNIZED.format(method=request.method, path=request.path), status=404)
    found, ids = known
    params = checked(found.shape, fields)
    if fault == 500:  # the endpoint had begun: this answer is kept under the idempotency key
        raise StripeError(
            "An unknown error occurred while processing your request.", status=500, kind="api_error", executed=True
        )
    body = found.handler(sandbox, params, *ids)
    store = sandbox.store
    return expand(body, params.get("expand", []), store.read, lambda owner, name: includable(store, owner, name))


def includable(store: Store, owner: Body, name: str) -> Body | None:
    """The lists that Stripe sends only to those who ask."""
    wanted = owner["id"]
    if owner["object"] == "charge" and name == "refunds":
        url, rows = f"/v1/charges/{wanted}/refunds", [r for r in store.newest("refund") if r["charge"] == wanted]
    elif owner["object"] == "invoice" and name == "payments":
        rows = [row for row in store.newest("invoice_payment") if row["invoice"] == wanted]
        url = f"/v1/invoices/{wanted}/payments"
    elif owner["object"] == "checkout.session" and name == "line_items":
        url, rows = f"/v1/checkout/sessions/{wanted}/line_items", store.hidden(wanted)["lines"]
    elif owner["object"] == "customer" and name == "subscriptions":
        rows = [r for r in store.newest("subscription") if r["customer"] == wanted and r["status"] != "canceled"]
        url = f"/v1/customers/{wanted}/subscriptions"
    else:
        return None
    return {"object": "list", "data": rows[:10], "has_more": len(rows) > 10, "url": url}
