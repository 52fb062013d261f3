"""The sandbox as its owner holds it: state, clock, webhooks, and a player for histories."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from stripe.params.checkout import SessionCreateParams

from tracker.sandbox import (
    billing,
    checkout,
    clocks,
    customers,
    disputes,
    endpoints,
    events,
    partial,
    payments,
    payouts,
    refunds,
)
from tracker.sandbox.cards import CardDeclined, read_account, read_card
from tracker.sandbox.currencies import check_currency
from tracker.sandbox.events import Deliver, Faults, Sender
from tracker.sandbox.parameters import checked
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError, missing

# Seconds until Stripe does by itself what it does a little later; `Sandbox.speed` divides them.
DELAYS = {
    "settle": 1.0,
    "debit": 4.0,
    "slow_debit": 180.0,
    "refund": 3.0,
    "dispute": 5.0,
    "clock": 0.3,
}
ANY_CVC, ANY_YEAR = "123", 5


class Sandbox:
    """A Stripe account of one's own.

    With `file`, everything survives a restart; one process owns that file. Every public method may be called from
    any thread.
    """

    def __init__(self, file: Path | None = None, public_url: str = "http://127.0.0.1:12111") -> None:
        self.public_url = public_url.rstrip("/")
        self.store = Store(file)
        self.merchant = "Sandbox Newsroom"
        self.faults = Faults()
        self.delays = dict(DELAYS)
        self.sender = Sender(self.store, self.faults, self.run_due)
        self.answering: set[tuple[bool, str]] = set()  # idempotency keys whose first request is still running
        self._deliver: Deliver | None = None

    # --- webhooks

    @property
    def speed(self) -> float:
        """How many times faster than life deliveries are retried and slow things happen."""
        return self.sender.speed

    @speed.setter
    def speed(self, value: float) -> None:
        self.sender.speed = value

    def add_webhook(
        self,
        url: str,
        secret: str,
        enabled_events: tuple[str, ...] | list[str] = ("*",),
        api_version: str | None = None,
        live: bool = False,
    ) -> Body:
        """An endpoint with a secret of one's own; it replaces one with the same address."""
        with self.store.acting(live):
            for known in list(self.store.newest("webhook_endpoint")):
                if known["url"] == url:
                    self.store.remove(known["id"])
            params = {"url": url, "enabled_events": list(enabled_events)}
            return endpoints.create(self.store, params | ({"api_version": api_version} if api_version else {}), secret)

    def remove_webhooks(self) -> None:
        """Forget every endpoint of both modes, such as those of an earlier start on another port."""
        for live in (False, True):
            with self.store.acting(live):
                for known in list(self.store.newest("webhook_endpoint")):
                    self.store.remove(known["id"])

    def settle_in(self, currency: str, rates: dict[str, float]) -> None:
        """From now on the account settles in that currency, and charges in the ones with a rate are converted.

        A rate says how many smallest units of the account's currency one of the charge's is worth.
        """
        with self.store.acting():
            self.store.rates = {check_currency(name, "rates"): rate for name, rate in rates.items()}
            self.store.settles_in = check_currency(currency, "currency")
            self.store.fact("settles", [self.store.settles_in, self.store.rates])

    def start_sender(self) -> None:
        self.sender.start()

    def stop_sender(self) -> None:
        self.sender.stop()

    def close(self) -> None:
        self.stop_sender()
        self.store.close()

    # --- time

    def set_clock(self, moment: int | None) -> None:
        """Hold the clock at an epoch second; None follows real time again."""
        with self.store.acting():
            self.store.held = moment
            self.store.fact("clock", moment)

    def live_until(self, moment: int) -> None:
        """Move the clock on, letting renewals, retries and scheduled ends happen on the way."""
        with self.doing():
            for live in (False, True):
                with self.store.acting(live):
                    running = [row for row in self.store.newest("subscription") if not row["test_clock"]]
                    clocks.live_until(self.store, running, moment)
            self.set_clock(moment)

    def run_due(self, hurry: bool = False) -> None:
        """Do what Stripe would by now have done by itself; in a hurry, all that is still to come as well."""
        with self.store.lock:
            now = time.time()
            for live in (False, True):
                jobs = list(self.store.newest("_job", live))[::-1]
                ripe = [job for job in jobs if hurry or job["started"] + self.delays[job["delay"]] / self.speed <= now]
                if ripe:
                    with self.store.acting(live):
                        for job in ripe:
                            self._run(job)
            if int(now) != getattr(self, "_last_look", 0):
                self._last_look = int(now)
                for live in (False, True):
                    with self.store.acting(live):
                        checkout.expire_due(self.store)

    def _run(self, job: Body) -> None:
        store = self.store
        store.remove(job["id"])
        row = store.rows.get(job["object"])
        if row is None:
            return
        body, what, more = row.body, job["what"], job["more"]
        customer = body.get("customer")
        with store.at(customers.clock_moment(store, customer if isinstance(customer, str) else None)):
            if what == "settle" and body["balance_transaction"] is None:
                payments.settle(store, body)
            elif what == "clear" and body["status"] == "pending":
                paid = payments.clear(store, body)
                intent = store.rows[body["payment_intent"]].body
                billing.debit_answered(store, intent, paid)
                checkout.debit_answered(store, intent, paid)
            elif what == "refund_done":
                refunds.refund_done(store, body, more["how"])
            elif what == "dispute_decided" and body["status"] == "under_review":
                disputes.close_dispute(store, body, more["won"])
            elif what == "clock_arrives":
                clocks.clock_arrives(store, body, more["target"])

    # --- the player

    @contextmanager
    def playing(self, deliver: Deliver) -> Iterator["Sandbox"]:
        """Inside, events are handed to `deliver` one by one as they happen, and nothing takes time.

        Saved once, at the end. What `deliver` could not hand over, the sender tries again afterwards.
        """
        with self.store.lock:
            self.store.saving, self._deliver = False, deliver
        try:
            yield self
        finally:
            with self.store.acting():
                self.store.saving, self._deliver = True, None
                self.store.fact("clock", self.store.held)
                events.forget_old(self.store)

    @contextmanager
    def doing(self, live: bool = False) -> Iterator[None]:
        """One thing done from outside; while playing, its consequences follow at once."""
        with self.store.acting(live):
            try:
                if self._deliver:
                    checkout.expire_due(self.store)
                yield
            finally:
                if self._deliver:
                    while next(iter(self.store.newest("_job")), None):
                        self.run_due(hurry=True)
        if self._deliver:
            for row in self.sender.waiting(live):
                if not row["attempts"]:
                    self.sender.attempt(row, self._deliver)

    def create_checkout_session(self, params: Body, api_key: str = "sk_test_demo") -> Body:
        with self.doing("_live_" in api_key):
            session = checkout.create_session(self.store, checked(SessionCreateParams, params), self.public_url)
        return dict(session)

    def pay(
        self,
        session_id: str,
        email: str = "donor@example.org",
        name: str | None = None,
        card: str = "4242424242424242",
        iban: str | None = None,
    ) -> Body:
        """The donor fills in the page and confirms, passing any 3-D Secure question. Raises CardDeclined."""
        session, live = self._any("checkout.session", session_id)
        with self.doing(live):
            now = self.store.now()
            email = session["customer_email"] or email
            year = time.gmtime(now).tm_year + ANY_YEAR
            if iban:
                account = read_account(iban)
                return dict(checkout.pay_session(self.store, session, account, (0, 0), email, name))
            means, month, year = read_card(card, f"12/{year}", ANY_CVC, now)
            passed = True if checkout.needs_challenge(means) else None
            return dict(checkout.pay_session(self.store, session, means, (month, year), email, name, passed))

    def renew(self, subscription_id: str) -> Body:
        subscription, live = self._any("subscription", subscription_id)
        with self.doing(live), self.store.at(customers.clock_moment(self.store, subscription["customer"])):
            return dict(billing.renew(self.store, subscription))

    def refund(
        self,
        payment_intent: str | None = None,
        amount: int | None = None,
        charge: str | None = None,
        reason: str | None = None,
    ) -> Body:
        row = self.store.rows.get(payment_intent or charge or "")
        given = {"payment_intent": payment_intent, "amount": amount, "charge": charge, "reason": reason}
        params = {name: value for name, value in given.items() if value is not None}
        with self.doing(bool(row and row.live)):
            return dict(refunds.create_refund(self.store, params))

    def open_dispute(
        self, charge_or_pi: str, amount: int | None = None, reason: str = "fraudulent", inquiry: bool = False
    ) -> Body:
        row = self.store.rows.get(charge_or_pi)
        with self.doing(bool(row and row.live)):
            made = payments.charge_named(self.store, charge_or_pi)
            return dict(disputes.open_dispute(self.store, made, amount, reason, inquiry))

    def close_dispute(self, dispute_id: str, won: bool) -> Body:
        dispute, live = self._any("dispute", dispute_id)
        with self.doing(live):
            return dict(disputes.close_dispute(self.store, dispute, won))

    def give_back_of_dispute(self, dispute_id: str, amount: int) -> Body:
        """Part of what a dispute took comes back, in the charge's currency."""
        dispute, live = self._any("dispute", dispute_id)
        with self.doing(live):
            return dict(disputes.give_back(self.store, dispute, amount))

    def exchange_difference(self, dispute_id: str, amount: int) -> Body:
        """A dispute's money moves a little because the rate has changed, in the currency that the account settles in."""
        dispute, live = self._any("dispute", dispute_id)
        with self.doing(live):
            return dict(disputes.exchange_difference(self.store, dispute, amount))

    def bill(self, subscription_id: str) -> Body:
        """The next period begins and its invoice is final and open; nobody has tried to collect it."""
        subscription, live = self._any("subscription", subscription_id)
        with self.doing(live), self.store.at(customers.clock_moment(self.store, subscription["customer"])):
            invoice = billing.begin_period(self.store, subscription)
            billing.finalize(self.store, invoice, None)
            return dict(invoice)

    def pay_part(self, invoice_id: str, amount: int) -> Body:
        """Part of an open invoice is paid by a payment of its own."""
        invoice, live = self._any("invoice", invoice_id)
        with self.doing(live):
            return dict(partial.pay_part(self.store, invoice, amount))

    def pay_together(self, *invoice_ids: str) -> Body:
        """One payment pays several open invoices; returns the payment intent."""
        found = [self._any("invoice", one) for one in invoice_ids]
        with self.doing(found[0][1]):
            return dict(partial.pay_together(self.store, [invoice for invoice, _ in found]))

    def cancel_subscription(self, sub_id: str, at_period_end: bool = False) -> Body:
        subscription, live = self._any("subscription", sub_id)
        with self.doing(live), self.store.at(customers.clock_moment(self.store, subscription["customer"])):
            end = billing.cancel_later if at_period_end else billing.cancel_subscription
            return dict(end(self.store, subscription))

    def pay_out(self, live: bool = False) -> list[Body]:
        """Send all available money to the bank: one payout for each currency."""
        with self.doing(live):
            return [dict(payout) for payout in payouts.pay_out(self.store)]

    def _any(self, kind: str, wanted: str) -> tuple[Body, bool]:
        """An object of either mode."""
        row = self.store.rows.get(wanted)
        if row is None or row.kind != kind:
            missing(kind, wanted)
        return row.body, row.live


__all__ = ["CardDeclined", "Sandbox", "StripeError"]
