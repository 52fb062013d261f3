"""Reads what Stripe sends: is it Stripe's, is it ours, and which facts does it tell."""

import json
import re
import unicodedata
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

import stripe

from tracker.giving.facts import Fact, Gift, Link, Settled, Support, Taken

TOLERANCE_SECONDS = 300

# The events that we ask for when the endpoint is registered; everything else is kept and counts for nothing. The last
# one tells of no money either, and is what an editor should see (notices.py). Stripe lists twenty types at most.
TOLD_BY = (
    "checkout.session.completed",
    "checkout.session.async_payment_succeeded",
    "invoice.paid",
    "invoice_payment.paid",
    "refund.created",
    "refund.updated",
    "refund.failed",
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "charge.updated",
    "customer.subscription.created",
    "customer.subscription.updated",
    "customer.subscription.deleted",
    "customer.subscription.paused",
    "customer.subscription.resumed",
    "payout.reconciliation_completed",
    "radar.early_fraud_warning.created",
)
# Of these, the ones that tell of money going back; their order among each other matters, after all gifts.
CORRECTED_BY = tuple(name for name in TOLD_BY if name.startswith(("refund.", "charge.dispute.")))

# A refund that was asked for counts until it fails, since the money is on its way.
REFUND_COUNTS = ("succeeded", "pending", "requires_action")
REFUND_CAME_BACK = ("failed", "canceled")

Object = dict[str, Any]


class NotFromStripe(Exception):
    """The delivery is forged, too old, from the future, or no event at all. The text is for the log and has no body in it."""


@dataclass(frozen=True)
class Event:
    """A signed event: the envelope, and the object that it is about."""

    id: str
    type: str
    created: datetime
    live: bool
    api_version: str
    object: Object


def read_event(raw: bytes, signature: str, secrets: Sequence[str], now: datetime) -> Event:
    """The event in a delivery, if one of the secrets signed it within five minutes of now. Raises NotFromStripe.

    `verify_header` and `json.loads` rather than `construct_event`, which builds objects that nobody here needs and
    costs twenty times as much. The SDK refuses only old signatures; one from the future is as wrong.
    """
    try:
        body = raw.decode("utf-8")
    except UnicodeDecodeError:
        raise NotFromStripe("not UTF-8") from None
    signed_at, canonical = _signature(signature)
    if not any(_signed_with(secret, body, canonical) for secret in secrets):
        raise NotFromStripe("the signature does not match")
    if abs(now.timestamp() - signed_at) > TOLERANCE_SECONDS:
        raise NotFromStripe("signed too long ago, or in the future")
    try:
        event = json.loads(body)
    except (ValueError, RecursionError):
        raise NotFromStripe("not JSON") from None
    return as_event(event)


def _signature(header: str) -> tuple[int, str]:
    """When the delivery says it was signed, and its header with nothing else in it than that and the signatures.

    With two times in it, the SDK could check the signature of the one and we the age of the other; so there is one.
    """
    parts = [part.strip().split("=", 1) for part in header.split(",")]
    times = [part[1] for part in parts if part[0] == "t" and len(part) == 2]
    if len(times) != 1 or not re.fullmatch(r"[0-9]{1,11}", times[0]):
        raise NotFromStripe("no signature")
    # The SDK stumbles over one that is not ASCII.
    signatures = [part[1] for part in parts if part[0] == "v1" and len(part) == 2 and part[1].isascii()]
    return int(times[0]), ",".join([f"t={int(times[0])}", *(f"v1={one}" for one in signatures)])


def _signed_with(secret: str, body: str, signature: str) -> bool:
    try:
        # The tolerance is ours to check, both ways and by the time that was passed in.
        return bool(stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=None))
    except stripe.SignatureVerificationError:
        return False


def as_event(event: Any) -> Event:
    """The envelope of an event, read. A signed body need not be one: it may be a list, or an object of another kind."""
    if not isinstance(event, dict) or event.get("object") != "event":
        raise NotFromStripe("not an event")
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    created, live = event.get("created"), event.get("livemode")
    if (
        not isinstance(about, dict)
        or not _id(event.get("id"))
        or not _id(event.get("type"))
        or not _is_time(created)
        or not isinstance(live, bool)
    ):
        raise NotFromStripe("not an event")
    if event.get("account"):
        # Of an account that is connected to this one: another business's money, even where it uses Pledgebar, too.
        about = {}
    return Event(event["id"], event["type"], _moment(created), live, _id(event.get("api_version"))[:64], about)


def is_ours(event: Event) -> bool:
    """Whether our own metadata is on it. Refunds, disputes and payments of invoices carry none: they find their gift."""
    return our_metadata(event.object) is not None


def to_facts(event: Event) -> list[Fact]:
    """The facts that an event tells. An event that is not ours, or moves no money, tells none."""
    about = event.object
    match event.type:
        case "checkout.session.completed" | "checkout.session.async_payment_succeeded":
            return list(session_facts(about, event.created, event.live))
        case "invoice.paid":
            return list(invoice_facts(about, event.created, event.live))
        case "invoice_payment.paid":
            return list(invoice_payment_facts(about))
        case "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated":
            return list(refund_facts(about, event.created, event.live))
        case _ if event.type.startswith("charge.dispute."):
            return list(dispute_facts(about, event.live))
        case _ if event.type.startswith("customer.subscription."):
            return list(support_facts(about, event.created, event.live))
    return []


def session_facts(session: Object, paid_at: datetime, live: bool) -> Iterator[Fact]:
    """A one-time gift is a session in payment mode that is paid. `unpaid` is a delayed method: its money comes later.

    A session in subscription mode counts nothing: its first month is an invoice like all others, which is linked to
    it so that the page of thanks can tell when it has come.
    """
    metadata = our_metadata(session)
    if metadata is None:
        return
    if session.get("mode") == "subscription" and _ids(session, "id") and _ids(session, "invoice"):
        yield Link(_id(session["invoice"]), _ids(session, "id"))
    if session.get("mode") != "payment" or session.get("payment_status") != "paid":
        return
    yield from _gift(
        session, "once", session.get("amount_total"), metadata, paid_at, live, _ids(session, "payment_intent")
    )


def session_paid_at(session: Object) -> datetime:
    """When a session was paid, for one that no event tells of any more: it only has the time at which it was opened.

    Its payment intent has to be expanded down to the balance transaction. The charge of a card is made when it is
    paid; that of a debit when it is asked for, days before its money comes, so there the balance transaction tells.
    """
    intent = _part(session, "payment_intent")
    charge = _part(intent, "latest_charge")
    times = [charge.get("created"), intent.get("created"), session.get("created")]
    made = next((time for time in times if _is_time(time)), 0)
    settled = _part(charge, "balance_transaction").get("created")
    if _part(charge, "payment_method_details").get("type") != "card" and _is_time(settled):
        return _moment(max(made, settled))
    return _moment(made)


def invoice_facts(invoice: Object, told_at: datetime, live: bool) -> Iterator[Fact]:
    """A monthly gift is a paid invoice of our subscription, the first month included."""
    metadata = our_metadata(invoice)
    if metadata is None or not _is_of_subscription(invoice):
        return
    paid_at = _part(invoice, "status_transitions").get("paid_at")
    at = _moment(paid_at) if _is_time(paid_at) else told_at
    # Until 2025 an invoice named its payment; since then the list of payments does, and is mostly left out.
    payments = _list(_part(invoice, "payments").get("data"))
    known_as = _ids(invoice, "payment_intent", "charge")
    known_as += tuple(one for each in payments for one in _ids(_part(each, "payment"), "payment_intent", "charge"))
    yield from _gift(invoice, "monthly", invoice.get("amount_paid"), metadata, at, live, known_as)


def invoice_payment_facts(payment: Object) -> Iterator[Fact]:
    """Tells which payment intent paid an invoice: a refund of a monthly gift names only that."""
    invoice = _id(payment.get("invoice"))
    known_as = _ids(_part(payment, "payment"), "payment_intent", "charge")
    if invoice and known_as:
        yield Link(invoice, known_as)


def refund_facts(refund: Object, told_at: datetime, live: bool) -> Iterator[Fact]:
    """Each refund takes its own amount off. One that failed took it and then gave it back, which comes to nothing."""
    status, amount, key = refund.get("status"), refund.get("amount"), _id(refund)
    known_as = _ids(refund, "payment_intent", "charge")
    currency = _currency(refund)
    if not (known_as and key and currency and _is_amount(amount)) or status not in REFUND_COUNTS + REFUND_CAME_BACK:
        return
    created = refund.get("created")
    at = _moment(created) if _is_time(created) else told_at
    yield Taken(key, "refund", -amount, currency, at, live, known_as)
    if status in REFUND_CAME_BACK:
        yield Taken(f"{key}/failed", "refund", amount, currency, told_at, live, known_as)


def dispute_facts(dispute: Object, live: bool) -> Iterator[Fact]:
    """What a dispute's balance transactions moved. An inquiry has none and so moves nothing."""
    known_as, currency = _ids(dispute, "payment_intent", "charge"), _currency(dispute)
    for moved in _list(dispute.get("balance_transactions")):
        key, amount, created = _id(moved), moved.get("amount"), moved.get("created")
        gives_back = _is_amount(amount)
        taken = amount if gives_back else -amount if isinstance(amount, int) else 0
        if _currency(moved) != currency:
            # The account settles in another currency than the gift's; the dispute itself says how much of the gift.
            taken = dispute.get("amount") if taken else 0
        if known_as and key and currency and _is_amount(taken) and _is_time(created):
            signed = taken if gives_back else -taken
            yield Taken(key, "dispute", signed, currency, _moment(created), live, known_as)
            yield from settled_facts(moved, (key,), live)


def support_facts(subscription: Object, told_at: datetime, live: bool) -> Iterator[Fact]:
    """How a monthly supporter's subscription stands. Moves no money: each month of it is an invoice."""
    metadata = our_metadata(subscription)
    key, status = _id(subscription), _text(subscription.get("status"))
    if metadata is None or not key or not status:
        return
    items = [item for item in _list(_part(subscription, "items").get("data")) if isinstance(item, dict)]
    # Since 2025 the periods are the items'; before, they were the subscription's own.
    ends = [item.get("current_period_end") for item in items] + [subscription.get("current_period_end")]
    due = min((end for end in ends if _is_time(end)), default=None)
    # A cancellation in the portal sets cancel_at; one by the API may set the flag instead.
    leaves = subscription.get("cancel_at") or (due if subscription.get("cancel_at_period_end") is True else None)
    amount, currency = sum(_monthly_amount(item) for item in items), _currency(subscription)
    if not _is_amount(amount) or not currency:
        return
    yield Support(
        key=key,
        campaign=_text(metadata.get("campaign"))[:60],
        amount=amount,
        currency=currency,
        state=_state(status, subscription),
        next_charge=_moment(due) if due is not None else None,
        ends=_moment(leaves) if _is_time(leaves) else None,
        told_at=told_at,
        live=live,
    )


def _state(status: str, subscription: Object) -> Literal["active", "failing", "paused", "ended"]:
    if status in ("canceled", "incomplete_expired"):
        return "ended"
    why = _part(_part(_part(subscription, "status_details"), "paused"), "subscription").get("type")
    if status == "paused" and why in ("final_payment_failure", "first_payment_failure"):
        return "failing"
    if status == "paused" or isinstance(subscription.get("pause_collection"), dict):
        return "paused"
    # Whatever else Stripe may say one day is not money to count on.
    return "active" if status in ("active", "trialing") else "failing"


def _monthly_amount(item: Object) -> int:
    amount, quantity = _part(item, "price").get("unit_amount"), item.get("quantity", 1)
    return amount * quantity if _is_amount(amount) and _is_amount(quantity) else 0


MOVED: dict[str, Literal["gift", "refund", "refund_failed", "dispute"]] = {
    "charge": "gift",
    "payment": "gift",
    "refund": "refund",
    "payment_refund": "refund",
    "refund_failure": "refund_failed",
    "payment_failure_refund": "refund_failed",
    "adjustment": "dispute",
}


def settled_facts(transaction: Object, of: tuple[str, ...], live: bool) -> Iterator[Fact]:
    """What a balance transaction says of fee and net. `of` holds the ids of what it settles: a charge and its payment
    intent, or a refund. A balance transaction has no livemode of its own."""
    key, kind = _id(transaction), MOVED.get(_text(transaction.get("type")))
    amount, fee, net = (transaction.get(name) for name in ("amount", "fee", "net"))
    created, available = transaction.get("created"), transaction.get("available_on")
    currency, rate = _currency(transaction), transaction.get("exchange_rate")
    if not (key and kind and of and currency and _is_time(created) and _is_time(available)):
        return
    if not (_is_sum(amount) and _is_sum(fee) and _is_sum(net)):
        return
    yield Settled(
        key=key,
        kind=kind,
        of=of,
        amount=amount,
        fee=fee,
        net=net,
        currency=currency,
        rate=str(rate)[:40] if isinstance(rate, (int, float)) else "",
        at=_moment(created),
        available_on=_moment(available),
        live=live,
    )


# What is settled a little later than it happens, and which of Stripe's fields then names the balance transaction.
SETTLED_BY = {
    "charge.updated": ("charge", "balance_transaction"),
    "refund.created": ("refund", "balance_transaction"),
    "refund.updated": ("refund", "balance_transaction"),
    "refund.failed": ("refund", "failure_balance_transaction"),
    "payout.reconciliation_completed": ("payout", "id"),
}


def to_settle(event: Event) -> tuple[str, str]:
    """What now has a fee, a net or a payout to be asked for, as kind and id; the transaction itself is in no event."""
    kind, named = SETTLED_BY.get(event.type, ("", ""))
    return (kind, _id(event.object)) if kind and _id(event.object.get(named)) else ("", "")


def names_of(about: Object) -> tuple[str, ...]:
    """The ids by which the gift behind a charge or a refund may be known: its payment intent's and its charge's."""
    return _ids(about, "id", "payment_intent", "charge")


def _gift(
    paid: Object,
    kind: Literal["once", "monthly"],
    amount: Any,
    metadata: Object,
    at: datetime,
    live: bool,
    known_as: tuple[str, ...],
) -> Iterator[Fact]:
    key, currency = _id(paid), _currency(paid)
    if not key or not currency or not _is_amount(amount):
        return
    text = {name: _text(metadata.get(name)) for name in ("campaign", "tier", "src", "pos", "name", "message")}
    # Told with the first payment of a subscription and again with every renewal; once is enough.
    first = paid.get("billing_reason") in (None, "subscription_create")
    yield Gift(
        key=key,
        kind=kind,
        campaign=text["campaign"][:60],
        amount=amount,
        currency=currency,
        at=at,
        live=live,
        known_as=known_as,
        tier=text["tier"][:20],
        source=text["src"][:64],
        place=text["pos"][:20],
        name=text["name"][:80] if first else "",
        message=text["message"][:300] if first else "",
    )


def our_metadata(about: Object) -> Object | None:
    """The metadata by which we know a session, or the subscription behind an invoice; None on anybody else's."""
    lines = _list(_part(about, "lines").get("data")) if about.get("object") == "invoice" else []
    # The oldest invoices carry what stands on their subscription on their lines alone.
    of_lines = [_part(line, "metadata") for line in lines if _is_line_of_subscription(line)]
    for metadata in (_part(_subscription(about), "metadata"), _part(about, "metadata"), *of_lines):
        if metadata.get("pledgebar") and _text(metadata.get("campaign")):
            return metadata
    return None


def _subscription(invoice: Object) -> Object:
    """What an invoice says of its subscription, at its old place or its new one."""
    return _part(_part(invoice, "parent"), "subscription_details") or _part(invoice, "subscription_details")


def _is_line_of_subscription(line: Object) -> bool:
    details = _part(_part(line, "parent"), "subscription_item_details")
    return bool(_id(line.get("subscription")) or _id(details.get("subscription")))


def _is_of_subscription(invoice: Object) -> bool:
    """Checkout can also write an invoice for a one-time gift, which its session has already told of."""
    said = _subscription(invoice)
    return bool(_id(said.get("subscription")) or _part(said, "metadata") or _id(invoice.get("subscription")))


def _part(about: Object, name: str) -> Object:
    """The object under that name; an empty one where there is none, or where something else stands."""
    part = about.get(name)
    return part if isinstance(part, dict) else {}


def _list(value: Any) -> list[Object]:
    return [each for each in value if isinstance(each, dict)] if isinstance(value, list) else []


def _ids(about: Object, *names: str) -> tuple[str, ...]:
    """The ids under those names that are there. An empty one would match every gift that has none."""
    return tuple(one for one in (_id(about.get(name)) for name in names) if one)


def _id(value: Any) -> str:
    """An id, whether Stripe sent it alone or expanded to the whole object; with `/failed` it still fits into 255."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and re.fullmatch(r"[!-~]{1,248}", value) else ""


def _text(value: Any) -> str:
    """What people typed, without what no database keeps: control characters and halves of characters."""
    kept = str(value) if isinstance(value, (str, int)) else ""
    return "".join(letter for letter in kept if letter == "\n" or unicodedata.category(letter) not in ("Cc", "Cs"))


def _currency(about: Object) -> str:
    code = about.get("currency")
    return code.upper() if isinstance(code, str) and re.fullmatch(r"[A-Za-z]{3}", code) else ""


def _is_amount(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**15


def _is_sum(value: Any) -> TypeGuard[int]:
    """A signed amount, which may be nothing."""
    return isinstance(value, int) and not isinstance(value, bool) and abs(value) < 10**15


def _is_time(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 253_000_000_000


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
