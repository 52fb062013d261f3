"""Asks Stripe what happened: every object since a day, as the same facts that the hook records."""

import random
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import stripe

from tracker.gateway import events
from tracker.gateway.client import make_client
from tracker.gateway.events import Event, Object
from tracker.giving.facts import Fact, PaidOut

PAGE = 100
TRIES = 8


class HistoryUnavailable(Exception):
    """Stripe could not be asked; the text says why in a line."""


@dataclass(frozen=True)
class Found:
    """One of Stripe's objects, and what it tells. No facts, and not ours: somebody else's on the same account."""

    kind: str
    """`session`, `invoice`, `payment`, `charge`, `refund`, `dispute`, `subscription` or `payout`."""
    id: str
    ours: bool
    facts: tuple[Fact, ...]


class History:
    """What Stripe knows of an account, page by page and polite to its limits."""

    def __init__(self, key: str, *, api_base: str, version: str, sleep: Callable[[float], None] = time.sleep) -> None:
        self._client = make_client(key, api_base=api_base, version=version, seconds=(5, 30), tries=4)
        self._live = key.startswith(("sk_live_", "rk_live_"))
        self._sleep = sleep

    def events(self, since: datetime) -> Iterator[Event]:
        """The events that tell of money since then, oldest first, as far as Stripe still has them (thirty days)."""
        types = list(events.TOLD_BY)
        # The list takes twenty types at most.
        raw = [one for part in (types[:20], types[20:]) if part for one in self._list("events", since, types=part)]
        for one in sorted(raw, key=lambda one: (one["created"], one["id"])):
            version = str(one.get("api_version") or "")
            yield Event(
                one["id"], one["type"], _moment(one["created"]), one["livemode"], version, one["data"]["object"]
            )

    def found(self, kind: str, since: datetime, after: str = "") -> Iterator[Found]:
        """Everything of one kind since then, newest first; `after` is the id behind which to go on."""
        reading: dict[str, Callable[[Object], Found]] = {
            "session": self._session,
            "invoice": self._invoice,
            "payment": self._payment,
            "charge": self._charge,
            "refund": self._refund,
            "dispute": self._dispute,
            "subscription": self._subscription,
            "payout": self._payout,
        }
        for one in self._list(kind, since, after=after, **FILTERS.get(kind, {})):
            yield reading[kind](one)

    def settlement(self, charge: str) -> tuple[Fact, ...]:
        """Fee and net of one charge, once its balance transaction is there."""
        found = self._patiently(lambda: self._client.v1.charges.retrieve(charge, {"expand": ["balance_transaction"]}))
        return self._charge(found.to_dict()).facts

    # --- Kinds ---

    def _session(self, session: Object) -> Found:
        paid_at = _moment(session["created"])
        intent = session.get("payment_intent")
        if isinstance(intent, dict):
            # Expanded, so that the time of payment is known: the session has only the time at which it was opened.
            charge = intent.get("latest_charge")
            paid_at = _moment(charge["created"] if isinstance(charge, dict) else intent["created"])
        return self._as_found("session", session, events.session_facts(session, paid_at, self._live))

    def _invoice(self, invoice: Object) -> Found:
        told_at = _moment(invoice["created"])
        return self._as_found("invoice", invoice, events.invoice_facts(invoice, told_at, self._live))

    def _payment(self, payment: Object) -> Found:
        return Found("payment", payment["id"], False, tuple(events.invoice_payment_facts(payment)))

    def _charge(self, charge: Object) -> Found:
        transaction = charge.get("balance_transaction")
        of = tuple(one for one in (charge["id"], charge.get("payment_intent")) if isinstance(one, str))
        facts = events.settled_facts(transaction, of, self._live) if isinstance(transaction, dict) else ()
        return Found("charge", charge["id"], False, tuple(facts))

    def _refund(self, refund: Object) -> Found:
        facts = list(events.refund_facts(refund, _moment(refund["created"]), self._live))
        for name in ("balance_transaction", "failure_balance_transaction"):
            if isinstance(refund.get(name), dict):
                facts += events.settled_facts(refund[name], (refund["id"],), self._live)
        return Found("refund", refund["id"], False, tuple(facts))

    def _dispute(self, dispute: Object) -> Found:
        return Found("dispute", dispute["id"], False, tuple(events.dispute_facts(dispute, self._live)))

    def _subscription(self, subscription: Object) -> Found:
        now = datetime.now(UTC)
        return self._as_found("subscription", subscription, events.support_facts(subscription, now, self._live))

    def _payout(self, payout: Object) -> Found:
        inside = self._list("balance_transaction", None, payout=payout["id"])
        settled = tuple(one["id"] for one in inside if one["type"] not in ("payout", "payout_failure"))
        fact = PaidOut(payout["id"], _moment(payout["arrival_date"]), settled, self._live)
        return Found("payout", payout["id"], True, (fact,) if settled else ())

    def _as_found(self, kind: str, about: Object, facts: Iterator[Fact]) -> Found:
        return Found(kind, about["id"], events.our_metadata(about) is not None, tuple(facts))

    # --- Pages ---

    def _list(self, kind: str, since: datetime | None, after: str = "", **filters: Any) -> Iterator[Object]:
        params: dict[str, Any] = {"limit": PAGE, **filters}
        if since is not None:
            params["created"] = {"gte": int(since.timestamp())}
        while True:
            if after:
                params["starting_after"] = after
            page = self._patiently(lambda: self._service(kind).list(dict(params)))
            rows = [row.to_dict() for row in page.data]
            yield from rows
            if not page.has_more or not rows:
                return
            after = rows[-1]["id"]

    def _service(self, kind: str) -> Any:
        v1 = self._client.v1
        return {
            "events": v1.events,
            "session": v1.checkout.sessions,
            "invoice": v1.invoices,
            "payment": v1.invoice_payments,
            "charge": v1.charges,
            "refund": v1.refunds,
            "dispute": v1.disputes,
            "subscription": v1.subscriptions,
            "payout": v1.payouts,
            "balance_transaction": v1.balance_transactions,
        }[kind]

    def _patiently(self, call: Callable[[], Any]) -> Any:
        """Repeats a call that Stripe limits, each time waiting longer: the SDK repeats others by itself, never a 429."""
        for attempt in range(TRIES):
            try:
                return call()
            except stripe.RateLimitError as error:
                if attempt == TRIES - 1:
                    raise HistoryUnavailable("Stripe limits how often it may be asked; try again later.") from error
                self._sleep(min(30.0, 0.5 * 2**attempt) * random.uniform(0.75, 1.25))  # noqa: S311
            except stripe.StripeError as error:
                words = error.user_message or type(error).__name__
                raise HistoryUnavailable(f"Stripe could not be asked: {words}") from error
        raise AssertionError("unreachable")


# In this order everything finds what it belongs to: gifts, then what tells their payments, then what takes them back.
KINDS = ("session", "invoice", "payment", "charge", "refund", "dispute", "subscription", "payout")
FILTERS: dict[str, dict[str, Any]] = {
    "session": {"status": "complete", "expand": ["data.payment_intent.latest_charge"]},
    "invoice": {"status": "paid"},
    "payment": {"status": "paid"},
    "charge": {"expand": ["data.balance_transaction"]},
    "refund": {"expand": ["data.balance_transaction", "data.failure_balance_transaction"]},
    "subscription": {"status": "all"},
}


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
