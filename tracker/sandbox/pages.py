"""The pages people see: the hosted checkout, its 3-D Secure question, the portal, and the sandbox's front page."""

from datetime import UTC, datetime
from typing import Any

from flask import Blueprint, redirect, render_template, request

from tracker.sandbox import billing, checkout, customers, portal
from tracker.sandbox.account import Sandbox
from tracker.sandbox.cards import (
    ACCOUNTS,
    ACCOUNTS_SHOWN,
    CARDS,
    SHOWN,
    Account,
    Card,
    CardDeclined,
    grouped,
    read_account,
    read_card,
)
from tracker.sandbox.checkout_rules import plausible_email
from tracker.sandbox.currencies import written
from tracker.sandbox.state import Body

LATEST = 12

VERBS = {"donate": "Donate", "book": "Book", "subscribe": "Subscribe", "pay": "Pay", "auto": "Pay"}


def blueprint(sandbox: Sandbox) -> Blueprint:
    pages = Blueprint("pages", __name__)
    store = sandbox.store

    @pages.app_template_filter("money")
    def money(amount: int, currency: str) -> str:
        return written(amount, currency)

    @pages.app_template_filter("moment")
    def moment(epoch: float) -> str:
        return datetime.fromtimestamp(epoch, UTC).strftime("%Y-%m-%d %H:%M")

    @pages.app_template_filter("day")
    def day(epoch: int) -> str:
        when = datetime.fromtimestamp(epoch, UTC)
        return f"{when:%B} {when.day}, {when.year}"

    def session_named(wanted: str) -> tuple[Body, bool] | None:
        row = store.rows.get(wanted)
        return (row.body, row.live) if row and row.kind == "checkout.session" else None

    @pages.get("/pay/<wanted>")
    def show(wanted: str) -> Any:
        sandbox.run_due()
        found = session_named(wanted)
        if found is None:
            return render_template("sandbox/over.html", session=None), 404
        session, _ = found
        if session["status"] != "open":
            return render_template("sandbox/over.html", session=session), 200
        return _form(sandbox, session, {})

    @pages.post("/pay/<wanted>")
    def confirm(wanted: str) -> Any:
        sandbox.run_due()
        found = session_named(wanted)
        if found is None:
            return render_template("sandbox/over.html", session=None), 404
        session, live = found
        typed = {name: value.strip() for name, value in request.form.items()}
        with sandbox.doing(live):
            if session["status"] != "open":
                return render_template("sandbox/over.html", session=session), 409
            try:
                means, expiry = _read(sandbox, session, typed)
                if checkout.needs_challenge(means):
                    store.hidden(wanted)["attempt"] = typed
                    store.touch(wanted)
                    return render_template("sandbox/challenge.html", session=session, **_sums(session))
                return _pay(sandbox, session, means, expiry, typed, None)
            except CardDeclined as refusal:
                return _form(sandbox, session, typed, refusal)

    @pages.post("/pay/<wanted>/authenticate")
    def authenticate(wanted: str) -> Any:
        """The donor answers the bank's question."""
        found = session_named(wanted)
        if found is None:
            return render_template("sandbox/over.html", session=None), 404
        session, live = found
        with sandbox.doing(live):
            typed = store.hidden(wanted).pop("attempt", None)
            store.touch(wanted)
            if session["status"] != "open" or typed is None:
                return redirect(f"/pay/{wanted}", 303)
            try:
                means, expiry = _read(sandbox, session, typed)
                passed = request.form.get("outcome") == "complete"
                return _pay(sandbox, session, means, expiry, typed, passed)
            except CardDeclined as refusal:
                return _form(sandbox, session, typed, refusal)

    @pages.get("/recover/<wanted>")
    def recover(wanted: str) -> Any:
        """The link in an expired session: a fresh copy of it."""
        found = session_named(wanted)
        if found is None or not (found[0]["after_expiration"] or {}).get("recovery", {}).get("url"):
            return render_template("sandbox/over.html", session=None), 404
        with sandbox.doing(found[1]):
            again = checkout.recover_session(store, found[0], sandbox.public_url)
        return redirect(f"/pay/{again['id']}", 303)

    @pages.route("/portal/<secret>", methods=["GET", "POST"])
    def supporter(secret: str) -> Any:
        with store.lock:
            session = portal.session_by_link(store, secret)
            if session is None:
                return render_template("sandbox/portal.html", session=None), 404
            customer = store.rows[session["customer"]]
            if request.method == "POST":
                _portal_choice(sandbox, customer.body, customer.live)
                return redirect(f"/portal/{secret}", 303)
            with store.acting(customer.live):
                mine = [row for row in store.newest("subscription") if row["customer"] == customer.body["id"]]
                bills = [row for row in store.newest("invoice") if row["customer"] == customer.body["id"]]
            return render_template(
                "sandbox/portal.html",
                session=session,
                customer=customer.body,
                subscriptions=mine,
                invoices=bills,
                merchant=sandbox.merchant,
            )

    @pages.route("/p/login/<secret>", methods=["GET", "POST"])
    def log_in(secret: str) -> Any:
        """The portal's front door: an e-mail address, then the code that was sent to it."""
        with store.lock:
            found = portal.by_login(store, secret)
            if found is None:
                return render_template("sandbox/login.html", configuration=None), 404
            configuration, live = found
            email, code = (request.form.get(name, "").strip() for name in ("email", "code"))
            about = {"configuration": configuration, "merchant": sandbox.merchant, "email": email}
            if not plausible_email(email):
                return render_template("sandbox/login.html", wrong=bool(email), **about | {"email": ""})
            with sandbox.doing(live):
                if not code:
                    sent = portal.send_code(store, configuration, email)
                    return render_template("sandbox/login.html", sent=sent, asked=True, **about)
                session = portal.log_in(store, configuration, email, code, sandbox.public_url)
            if session is None:
                return render_template("sandbox/login.html", asked=True, wrong=True, **about), 422
            return redirect(session["url"], 303)

    @pages.get("/")
    def front() -> Any:
        sandbox.run_due()
        with store.lock:
            return render_template("sandbox/front.html", modes=[_overview(sandbox, live) for live in (False, True)])

    return pages


def _read(sandbox: Sandbox, session: Body, typed: Body) -> tuple[Card | Account, tuple[int, int]]:
    """What the donor typed, as a way of paying."""
    if not plausible_email(_email(sandbox, session, typed)):
        raise CardDeclined("email_invalid", None, "Please enter a valid email address.", "email")
    for field in session["custom_fields"]:
        answer = typed.get(f"custom_{field['key']}", "")
        if not answer and not field["optional"]:
            raise CardDeclined("field_missing", None, "Please fill in this field.", f"custom_{field['key']}")
    method = typed.get("method") or ("sepa_debit" if typed.get("iban") and not typed.get("card_number") else "card")
    if method == "sepa_debit":
        return read_account(typed.get("iban", "")), (0, 0)
    card, month, year = read_card(
        typed.get("card_number", ""), typed.get("expiry", ""), typed.get("cvc", ""), sandbox.store.now()
    )
    return card, (month, year)


def _email(sandbox: Sandbox, session: Body, typed: Body) -> str:
    """An address given by the caller, or known of the customer, cannot be changed on the page."""
    return str(_known_email(sandbox, session) or typed.get("email", ""))


def _known_email(sandbox: Sandbox, session: Body) -> str | None:
    row = sandbox.store.rows.get(session["customer"] or "")
    return session["customer_email"] or (row.body["email"] if row else None)


def _pay(
    sandbox: Sandbox,
    session: Body,
    means: Card | Account,
    expiry: tuple[int, int],
    typed: Body,
    challenge: bool | None,
) -> Any:
    answers = {name.removeprefix("custom_"): value for name, value in typed.items() if name.startswith("custom_")}
    email = _email(sandbox, session, typed)
    checkout.pay_session(sandbox.store, session, means, expiry, email, typed.get("name") or None, challenge, answers)
    return redirect(session["success_url"].replace("{CHECKOUT_SESSION_ID}", session["id"]), 303)


def _form(sandbox: Sandbox, session: Body, typed: Body, refusal: CardDeclined | None = None) -> Any:
    known = _known_email(sandbox, session)
    method = typed.get("method") or ("sepa_debit" if "card" not in session["payment_method_types"] else "card")
    page = render_template(
        "sandbox/pay.html",
        session=session,
        typed=typed | ({"email": known} if known else {}),
        known_email=known,
        method=method,
        refusal=refusal,
        merchant=sandbox.merchant,
        cards=[(grouped(number), CARDS[number].note) for number in SHOWN],
        accounts=[(grouped(iban), ACCOUNTS[iban].note) for iban in ACCOUNTS_SHOWN],
        **_sums(session, sandbox.store.hidden(session["id"])["lines"]),
    )
    return page, 402 if refusal else 200


def _sums(session: Body, lines: list[Body] | None = None) -> Body:
    """What is paid, how often, and what the button says."""
    amount = written(session["amount_total"], session["currency"])
    every = next((line["price"]["recurring"] for line in lines or [] if line["price"]["recurring"]), None)
    often = ""
    if every:
        count, unit = every["interval_count"], every["interval"]
        often = f"per {unit}" if count == 1 else f"every {count} {unit}s"
    verb = VERBS.get(session["submit_type"] or "", "Subscribe" if every else "Pay")
    return {"amount": amount, "often": often, "button": f"{verb} {amount} {often}".strip(), "lines": lines or []}


def _portal_choice(sandbox: Sandbox, customer: Body, live: bool) -> None:
    store = sandbox.store
    row = store.rows.get(request.form.get("subscription", ""))
    if row is None or row.kind != "subscription" or row.body["customer"] != customer["id"]:
        return
    with sandbox.doing(live), store.at(customers.clock_moment(store, customer["id"])):
        if row.body["status"] not in billing.RUNNING:
            return
        if request.form.get("choice") == "keep":
            billing.keep_after_all(store, row.body)
        elif not row.body["cancel_at"]:
            billing.cancel_later(store, row.body)


def _overview(sandbox: Sandbox, live: bool) -> Body:
    """The latest of everything in one mode."""
    store = sandbox.store

    def latest(kind: str) -> list[Body]:
        return [row for row, _ in zip(store.newest(kind, live), range(LATEST), strict=False)]

    disputes = {row["charge"]: row for row in reversed(list(store.newest("dispute", live)))}
    endpoints = latest("webhook_endpoint")
    news: dict[str, Body] = {}
    for box in ("_delivered", "_delivery"):
        for row in store.newest(box, live):
            last = news.get(row["endpoint"])
            if row["attempts"] and (last is None or row["attempts"][-1]["at"] > last["attempts"][-1]["at"]):
                news[row["endpoint"]] = row
    waiting: dict[str, int] = {}
    for row in store.newest("_delivery", live):
        waiting[row["endpoint"]] = waiting.get(row["endpoint"], 0) + 1
    return {
        "live": live,
        "sessions": latest("checkout.session"),
        "charges": [row | {"dispute": disputes.get(row["id"])} for row in latest("charge")],
        "subscriptions": latest("subscription"),
        "endpoints": [row | {"last": news.get(row["id"]), "waiting": waiting.get(row["id"], 0)} for row in endpoints],
    }
