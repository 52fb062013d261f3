"""Asks Stripe what happened: its events, and every object since a day, as the same facts that the hook records."""

import random
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from email.utils import parsedate_to_datetime
from functools import partial
from typing import Any

import stripe

from tracker.gateway import balance_facts, events, gift_facts, reversal_facts
from tracker.gateway.client import make_client
from tracker.gateway.fields import Object, ids, listed, moment, part, text
from tracker.gateway.payers import Payer, payer_of
from tracker.gateway.subscription_facts import support_facts
from tracker.giving.facts import Fact, Payout

PAGE = 100
TRIES = 8

# In this order everything finds what it belongs to: gifts, then what tells their payments, then what takes them back.
KINDS = ("session", "invoice", "payment", "charge", "refund", "dispute", "subscription", "payout")

# Stripe lists by when a thing was begun. This much earlier begins what can still move money on the day asked for: a
# debit takes weeks, an invoice is tried again for weeks, a refund comes back and a dispute is decided after months.
LEEWAY = {
    "session": timedelta(days=30),
    "invoice": timedelta(days=60),
    "payment": timedelta(days=60),
    "charge": timedelta(days=30),
    "refund": timedelta(days=120),
    "dispute": timedelta(days=180),
}
# Four levels are the deepest that Stripe expands, `data` included.
EXPANDED = {
    "session": ("payment_intent.latest_charge.balance_transaction",),
    # An invoice that is open may be paid in part, so all are read, with what was paid of them and how.
    "invoice": ("payments",),
    "charge": ("balance_transaction",),
    "refund": ("balance_transaction", "failure_balance_transaction"),
    "subscription": ("discounts.source.coupon",),
}
FILTERS: dict[str, dict[str, Any]] = {
    "session": {"status": "complete"},
    "payment": {"status": "paid"},
    "subscription": {"status": "all"},
}
NOT_PAID_OUT = ("failed", "canceled")


class HistoryUnavailable(Exception):
    """Stripe could not be asked; the text says why in a line."""


class NotAllowed(HistoryUnavailable):
    """A restricted key may not do this."""


@dataclass(frozen=True)
class Found:
    """One of Stripe's objects, and what it tells. No facts, and not ours: somebody else's on the same account."""

    kind: str
    """One of KINDS, or `event`."""
    id: str
    ours: bool
    """Whether it carries our metadata. Charges, refunds and disputes carry none: they find their gift."""
    facts: tuple[Fact, ...]
    payments: tuple[str, ...] = ()
    """The payment intents that paid an invoice."""


@dataclass(frozen=True)
class Page:
    """What one call found, and the id behind which to go on."""

    found: tuple[Found, ...]
    cursor: str


class History:
    """What Stripe knows of an account, page by page and polite to its limits. Close it when done."""

    def __init__(
        self, key: str, *, api_base: str, version: str, mark: str = "", sleep: Callable[[float], None] = time.sleep
    ) -> None:
        """`mark` is this installation's: what others on the account began is not ours."""
        self._transport = stripe.RequestsClient(timeout=(5.0, 30.0))
        self._client = make_client(key, api_base=api_base, version=version, tries=4, transport=self._transport)
        self._live = key.startswith(("sk_live_", "rk_live_"))
        self._mark = mark
        self._sleep = sleep

    def __enter__(self) -> "History":
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()  # type: ignore[no-untyped-call]

    def events(self, since: datetime, types: Sequence[str]) -> list[Found]:
        """The events of up to twenty types since then, oldest first, as far as Stripe still has them (thirty days).

        Only what they tell is kept in memory: the events of a month would fill it.
        """
        told: list[tuple[datetime, Found]] = []
        for rows, _ in self._lists("event", {"created": _from(since), "types": list(types)}):
            told += map(self._told, rows)
        # They come newest first. Their times are whole seconds, within which only this order tells what came first.
        told.reverse()
        told.sort(key=lambda one: one[0])
        return [found for _, found in told]

    def newest_events(self, since: datetime, most: int) -> list[tuple[datetime, Found]]:
        """The newest events of the types that we understand, newest first, each with the time at which it happened."""
        told: list[tuple[datetime, Found]] = []
        for rows, _ in self._lists("event", {"created": _from(since), "types": list(events.TOLD_BY)}):
            told += map(self._told, rows)
            if len(told) >= most:
                break
        return told[:most]

    def _told(self, row: Object) -> tuple[datetime, Found]:
        event = events.as_event(row)
        facts = tuple(events.to_facts(event, self._mark))
        return event.created, Found("event", event.id, events.is_ours(event, self._mark), facts)

    def pages(self, kind: str, since: datetime, after: str = "") -> Iterator[Page]:
        """Everything of one kind since then, newest first; `after` is the cursor behind which to go on."""
        params: dict[str, Any] = dict(FILTERS.get(kind, {}))
        if kind != "subscription":
            # Supporters from long ago still change their minds: those are listed whole.
            params["created"] = _from(since - LEEWAY.get(kind, timedelta()))
        if kind in EXPANDED:
            params["expand"] = [f"data.{path}" for path in EXPANDED[kind]]
        for rows, asked_at in self._lists(kind, params, after):
            yield Page(tuple(self._found(kind, row, asked_at) for row in rows), rows[-1]["id"])

    def found(self, kind: str, since: datetime) -> Iterator[Found]:
        """Everything of one kind since then, one by one."""
        for page in self.pages(kind, since):
            yield from page.found

    def one(self, kind: str, stripe_id: str) -> Found | None:
        """One object, or nothing when Stripe has none of that id. The kind may also be `balance_transaction`."""
        expanded = ("source",) if kind == "balance_transaction" else EXPANDED.get(kind, ())
        params = {"expand": list(expanded)} if expanded else {}
        try:
            answer = self._patiently(partial(self._service(kind).retrieve, stripe_id, params))
        except Missing:
            return None
        about, asked_at = answer.to_dict(), answered_at(answer)
        if kind == "balance_transaction":
            # Of a dispute's movement: the dispute is what tells of it.
            source = about["source"] if isinstance(about.get("source"), dict) else {}
            return self._found("dispute", source, asked_at) if source.get("object") == "dispute" else None
        return self._found(kind, about, asked_at)

    def fetch(self, kind: str, stripe_id: str) -> tuple[Fact, ...]:
        """All that one object tells, its fee and net among it where they are known; nothing where there is no such object."""
        found = self.one(kind, stripe_id)
        if found is None:
            return ()
        if kind != "invoice" or not found.ours:
            return found.facts
        # Further than its payments an invoice cannot be expanded.
        return found.facts + tuple(fact for one in found.payments for fact in self._settled_payment(one))

    def _settled_payment(self, payment_intent: str) -> Iterator[Fact]:
        asked = partial(
            self._client.v1.payment_intents.retrieve, payment_intent, {"expand": ["latest_charge.balance_transaction"]}
        )
        try:
            charge = part(self._patiently(asked).to_dict(), "latest_charge")
        except Missing:
            return
        yield from self._settled(charge, "balance_transaction", events.names_of(charge))

    def newsletter(self, campaign: str, since: datetime) -> Iterator[tuple[datetime, str]]:
        """Who ticked a campaign's box for the newsletter in a checkout since then that was completed: when, and the address."""
        for rows, _ in self._lists("session", {"created": _from(since), "status": "complete"}):
            for row in rows:
                metadata = gift_facts.our_metadata(row, self._mark) or {}
                email = text(part(row, "customer_details").get("email"))
                if (metadata.get("campaign"), metadata.get("newsletter")) == (campaign, "yes") and email:
                    yield moment(row["created"]), email

    def payers(self, since: datetime, until: datetime) -> Iterator[list[Payer]]:
        """Who paid in that time, a part at a time, newest first: for tax letters, and not kept."""
        created = {"gte": int((since - LEEWAY["charge"]).timestamp()), "lt": int(until.timestamp())}
        for rows, _ in self._lists("charge", {"created": created}):
            yield [payer_of(row) for row in rows if row.get("paid")]

    # --- Kinds ---

    def _found(self, kind: str, about: Object, asked_at: datetime) -> Found:
        ours = gift_facts.our_metadata(about, self._mark) is not None
        paid_by = tuple(
            one for each in listed(about, "payments") for one in ids(part(each, "payment"), "payment_intent")
        )
        return Found(kind, about["id"], ours, tuple(self._facts(kind, about, asked_at, ours)), paid_by)

    def _facts(self, kind: str, about: Object, asked_at: datetime, ours: bool) -> Iterator[Fact]:
        match kind:
            case "session":
                yield from gift_facts.session_facts(about, gift_facts.session_paid_at(about), self._live, self._mark)
                charge = part(part(about, "payment_intent"), "latest_charge")
                if ours:
                    yield from self._settled(charge, "balance_transaction", events.names_of(charge))
            case "invoice":
                yield from gift_facts.invoice_facts(about, moment(about["created"]), self._live, self._mark)
                if ours:
                    for payment in listed(about, "payments"):
                        yield from gift_facts.invoice_payment_facts(payment, self._live)
            case "payment":
                yield from gift_facts.invoice_payment_facts(about, self._live)
            case "charge":
                yield from self._settled(about, "balance_transaction", events.names_of(about))
            case "refund":
                failed = about.get("failure_balance_transaction")
                failed_at = failed["created"] if isinstance(failed, dict) else about["created"]
                yield from reversal_facts.refund_facts(about, moment(failed_at), self._live)
                yield from self._settled(about, "balance_transaction", (about["id"],))
                yield from self._settled(about, "failure_balance_transaction", (about["id"],))
            case "dispute":
                yield from reversal_facts.dispute_facts(about, self._live)
            case "subscription":
                # As it stands at this moment by Stripe's own clock, which also dates the events.
                yield from support_facts(about, asked_at, self._live, self._mark)
            case "payout":
                yield from self._paid_out(about)

    def _settled(self, about: Object, named: str, of: tuple[str, ...]) -> Iterator[Fact]:
        transaction = about.get(named)
        if isinstance(transaction, dict):
            yield from balance_facts.settled_facts(transaction, of, self._live)

    def _paid_out(self, payout: Object) -> Iterator[Fact]:
        if payout["status"] in NOT_PAID_OUT:
            return
        pages = self._lists("balance_transaction", {"payout": payout["id"]})
        inside = tuple(row["id"] for rows, _ in pages for row in rows if row["type"] in balance_facts.MOVED)
        if inside:
            yield Payout(payout["id"], moment(payout["arrival_date"]), inside, self._live)

    # --- Calls ---

    def _lists(self, kind: str, params: dict[str, Any], after: str = "") -> Iterator[tuple[list[Object], datetime]]:
        """The rows of each page that is not empty, and when Stripe answered."""
        while True:
            asked = {"limit": PAGE, **params} | ({"starting_after": after} if after else {})
            page = self._patiently(partial(self._service(kind).list, asked))
            rows = [row.to_dict() for row in page.data]
            if rows:
                yield rows, answered_at(page)
                after = rows[-1]["id"]
            if not page.has_more or not rows:
                return

    def _service(self, kind: str) -> Any:
        v1 = self._client.v1
        return {
            "event": v1.events,
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
        return patiently(call, self._sleep, only_reads=True)


class Missing(HistoryUnavailable):
    """Stripe has no object of that id."""


def patiently(call: Callable[[], Any], sleep: Callable[[float], None] = time.sleep, *, only_reads: bool = False) -> Any:
    """Repeats a call that Stripe limits, each time waiting longer: the SDK repeats others by itself, never a 429.

    Nor does it repeat one whose answer broke off half-way, since it may have been carried out; a question may be asked again.
    """
    for attempt in range(TRIES):
        try:
            return call()
        except stripe.RateLimitError as error:
            if attempt == TRIES - 1:
                raise HistoryUnavailable("Stripe limits how often it may be asked: try again later.") from error
        except stripe.StripeError as error:
            broke_off = isinstance(error, stripe.APIConnectionError) and not error.should_retry
            if not (only_reads and broke_off and attempt < TRIES - 1):
                raise _refusal(error) from error
        sleep(min(30.0, 0.5 * 2**attempt) * random.uniform(0.75, 1.25))  # noqa: S311
    raise AssertionError("unreachable")


def _refusal(error: stripe.StripeError) -> HistoryUnavailable:
    if error.http_status == 404 and error.code == "resource_missing":
        return Missing("Stripe has no object of that id any more.")
    return (NotAllowed if isinstance(error, stripe.PermissionError) else HistoryUnavailable)(_in_words(error))


def _in_words(error: stripe.StripeError) -> str:
    """Why Stripe could not be asked, without a key in it."""
    if isinstance(error, stripe.AuthenticationError):
        return "Stripe does not know the key in STRIPE_SECRET_KEY: was it rolled, or copied in part?"
    if isinstance(error, stripe.PermissionError):
        return f"The key in STRIPE_SECRET_KEY may not do this: {_one_line(error.user_message)}"
    if isinstance(error, stripe.APIConnectionError):
        return "Stripe did not answer: is this machine connected?"
    return f"Stripe could not be asked: {_one_line(error.user_message) or type(error).__name__}"


def _one_line(text: str | None) -> str:
    return " ".join((text or "").split())[:300]


def _from(since: datetime) -> dict[str, int]:
    return {"gte": int(since.timestamp())}


def answered_at(answer: Any) -> datetime:
    """When Stripe answered, by its own clock."""
    return parsedate_to_datetime(answer.last_response.headers["Date"])
