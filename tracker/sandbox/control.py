"""The levers behind the sandbox, which Stripe does not have: `/_control/`.

Bodies are JSON objects or forms; answers are JSON, except that a form in a browser is sent back to the front page.

| call                         | fields                                             | what happens                               |
| ---------------------------- | -------------------------------------------------- | ------------------------------------------ |
| POST /_control/pay           | session, email, name, card or iban                 | a donor pays the session                   |
| POST /_control/refund        | payment_intent or charge, amount, reason           | the newsroom refunds                       |
| POST /_control/fail_refund   | refund                                             | a refund fails after all                   |
| POST /_control/dispute       | payment_intent or charge, amount, reason, inquiry  | the donor's bank disputes                  |
| POST /_control/close_dispute | dispute, won                                       | the bank decides                           |
| POST /_control/renew         | subscription                                       | the next period is billed now              |
| POST /_control/cancel        | subscription, at_period_end                        | the donor stops                            |
| POST /_control/payout        | live                                               | available money goes to the bank           |
| POST /_control/clock         | now (epoch or null), or until (epoch)              | hold the clock; or let time pass, renewing |
| POST /_control/due           |                                                    | what is still to come happens at once      |
| POST /_control/speed         | speed                                              | retries and slow things, n times faster    |
| GET  /_control/deliveries    | ?type=                                             | what was sent, and how it was taken        |
| POST /_control/resend        | event                                              | deliver one event again                    |
| POST /_control/roll_secret   | endpoint, seconds                                  | a new secret; the old one signs on a while |
| POST /_control/settle_in     | currency, rates                                    | charges in other currencies are converted  |
| POST /_control/faults        | the names below                                    | these things go wrong                      |
| GET, DELETE /_control/faults |                                                    | what goes wrong; nothing any more          |

`answers` is a list with one entry for each coming call of the API: 429, 500, 503, "cut" (the body breaks off),
"hang" (the answer comes after `hang_seconds`), "slow" (the work begins after them, while its key is in use) or "ok".
`drop`, `duplicate` and `corrupt` count coming deliveries; `latency`, `delay` and `shuffle` are seconds.
"""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, Response, jsonify, redirect, request

from tracker.sandbox import endpoints, refunds
from tracker.sandbox.account import Sandbox
from tracker.sandbox.cards import CardDeclined
from tracker.sandbox.events import Faults
from tracker.sandbox.state import Body
from tracker.sandbox.wire import StripeError, missing

Lever = Callable[[Sandbox, Body], Any]


def blueprint(sandbox: Sandbox) -> Blueprint:
    levers = Blueprint("control", __name__, url_prefix="/_control")

    @levers.post("/<name>")
    def pull(name: str) -> Any:
        if name not in LEVERS:
            return jsonify(error={"message": f"There is no lever called {name}."}), 404
        given = request.get_json(silent=True) if request.is_json else request.form.to_dict()
        if not isinstance(given, dict):
            return jsonify(error={"message": "The body is not a JSON object."}), 400
        try:
            outcome = LEVERS[name](sandbox, given)
        except KeyError as absent:
            return jsonify(error={"message": f"Missing field: {absent.args[0]}"}), 400
        except (TypeError, ValueError) as wrong:
            return jsonify(error={"message": str(wrong)}), 400
        except CardDeclined as refusal:
            return jsonify(error={"message": refusal.message, "code": refusal.code}), 402
        except StripeError as refusal:
            return jsonify(error=refusal.fields), refusal.status
        return _back(outcome)

    @levers.get("/deliveries")
    def deliveries() -> Response:
        return jsonify(data=_deliveries(sandbox, request.args.get("type")))

    @levers.get("/faults")
    def faults() -> Response:
        return jsonify(vars(sandbox.faults))

    @levers.delete("/faults")
    def clear_faults() -> Response:
        vars(sandbox.faults).update(vars(Faults()))
        return jsonify(vars(sandbox.faults))

    return levers


def _back(outcome: Any) -> Any:
    if not request.is_json and request.accept_mimetypes.best == "text/html":
        return redirect("/", 303)
    return jsonify(outcome)


def _pay(sandbox: Sandbox, given: Body) -> Any:
    chosen = {name: given[name] for name in ("email", "name", "card", "iban") if given.get(name)}
    return sandbox.pay(given["session"], **chosen)


def _refund(sandbox: Sandbox, given: Body) -> Any:
    return sandbox.refund(
        given.get("payment_intent"), _amount(given), charge=given.get("charge"), reason=given.get("reason")
    )


def _fail_refund(sandbox: Sandbox, given: Body) -> Any:
    row = sandbox.store.rows.get(given["refund"])
    if row is None or row.kind != "refund":
        missing("refund", given["refund"])
    with sandbox.store.acting(row.live):
        if row.body["status"] not in ("pending", "succeeded", "requires_action"):
            raise StripeError(f"Refund {row.body['id']} is already {row.body['status']}.")
        refunds.fail_refund(sandbox.store, row.body, "lost_or_stolen_card")
    return row.body


def _dispute(sandbox: Sandbox, given: Body) -> Any:
    wanted = given.get("charge") or given["payment_intent"]
    inquiry = _truth(given.get("inquiry", False))
    return sandbox.open_dispute(wanted, _amount(given), given.get("reason", "fraudulent"), inquiry)


def _amount(given: Body) -> int | None:
    return int(given["amount"]) if given.get("amount") else None


def _truth(value: Any) -> bool:
    return value in (True, "true", "1", "yes", "on")


def _clock(sandbox: Sandbox, given: Body) -> Any:
    if "until" in given:
        sandbox.live_until(int(given["until"]))
    else:
        sandbox.set_clock(int(given["now"]) if given["now"] else None)
    return {"now": sandbox.store.now()}


def _due(sandbox: Sandbox, given: Body) -> Any:
    sandbox.run_due(hurry=True)
    return {"now": sandbox.store.now()}


def _speed(sandbox: Sandbox, given: Body) -> Any:
    speed = float(given["speed"])
    if speed <= 0:
        raise ValueError("speed must be above zero")
    sandbox.speed = speed
    return {"speed": speed}


def _resend(sandbox: Sandbox, given: Body) -> Any:
    """To the endpoints that were to have it, whether or not they took it before."""
    row = sandbox.store.rows.get(given["event"])
    if row is None or row.kind != "event":
        missing("event", given["event"])
    return sandbox.sender.send_again(row.body, row.live)


def _roll_secret(sandbox: Sandbox, given: Body) -> Any:
    row = sandbox.store.rows.get(given["endpoint"])
    if row is None or row.kind != "webhook_endpoint":
        missing("webhook_endpoint", given["endpoint"])
    with sandbox.store.acting(row.live):
        return {"secret": endpoints.roll_secret(sandbox.store, row.body, float(given.get("seconds", 24 * 3600)))}


def _settle_in(sandbox: Sandbox, given: Body) -> Any:
    """`{"currency": "usd", "rates": {"eur": 1.087}}`; without rates each currency is its own balance again."""
    rates = {name: float(rate) for name, rate in (given.get("rates") or {}).items()}
    sandbox.settle_in(given["currency"], rates)
    return given


def _deliveries(sandbox: Sandbox, kind: str | None) -> list[Body]:
    store = sandbox.store
    with store.lock:
        found = [
            dict(row)
            for live in (False, True)
            for box in ("_delivery", "_delivered")
            for row in store.newest(box, live)
            if kind is None or row["type"] == kind
        ]
    return sorted(found, key=lambda row: float(row["due"]), reverse=True)


def _set_faults(sandbox: Sandbox, given: Body) -> Any:
    usual = vars(Faults())
    for name, value in given.items():
        if name not in usual:
            raise ValueError(f"There is no fault called {name}.")
        kind = type(usual[name])
        setattr(sandbox.faults, name, list(value) if kind is list else kind(value))
    return vars(sandbox.faults)


LEVERS: dict[str, Lever] = {
    "pay": _pay,
    "refund": _refund,
    "fail_refund": _fail_refund,
    "dispute": _dispute,
    "close_dispute": lambda sandbox, given: sandbox.close_dispute(given["dispute"], _truth(given["won"])),
    "renew": lambda sandbox, given: sandbox.renew(given["subscription"]),
    "cancel": lambda sandbox, given: sandbox.cancel_subscription(
        given["subscription"], _truth(given.get("at_period_end", False))
    ),
    "payout": lambda sandbox, given: sandbox.pay_out(_truth(given.get("live", False))),
    "clock": _clock,
    "due": _due,
    "speed": _speed,
    "resend": _resend,
    "roll_secret": _roll_secret,
    "settle_in": _settle_in,
    "faults": _set_faults,
}
