"""Reads what Stripe sends: is it Stripe's, is it ours, and which facts does it tell."""

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal, TypeGuard

import stripe

from tracker.giving.facts import Fact, Gift, Link, Taken

TOLERANCE_SECONDS = 300

# The events that we ask for when the endpoint is registered; everything else is kept and counts for nothing.
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
)

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
    if not any(_signed_with(secret, body, signature) for secret in secrets):
        raise NotFromStripe("the signature does not match")
    if abs(now.timestamp() - _signed_at(signature)) > TOLERANCE_SECONDS:
        raise NotFromStripe("signed too long ago, or in the future")
    try:
        event = json.loads(body)
    except ValueError:
        raise NotFromStripe("not JSON") from None
    return _checked(event)


def _signed_with(secret: str, body: str, signature: str) -> bool:
    try:
        # The tolerance is ours to check, both ways and by the time that was passed in.
        return stripe.WebhookSignature.verify_header(body, signature, secret, tolerance=None)
    except (stripe.SignatureVerificationError, ValueError):
        return False


def _signed_at(signature: str) -> int:
    for part in signature.split(","):
        name, _, value = part.strip().partition("=")
        if name == "t" and value.isascii() and value.isdigit() and len(value) < 12:
            return int(value)
    return 0


def _checked(event: Any) -> Event:
    """A signed body need not be an event: it may be a list, or an object of another kind."""
    if not isinstance(event, dict) or event.get("object") != "event":
        raise NotFromStripe("not an event")
    data = event.get("data")
    about = data.get("object") if isinstance(data, dict) else None
    created, live = event.get("created"), event.get("livemode")
    if (
        not isinstance(about, dict)
        or not all(isinstance(event.get(name), str) and 0 < len(event[name]) <= 255 for name in ("id", "type"))
        or not _is_time(created)
        or not isinstance(live, bool)
    ):
        raise NotFromStripe("not an event")
    return Event(event["id"], event["type"], _moment(created), live, str(event.get("api_version") or "")[:64], about)


def is_ours(event: Event) -> bool:
    """Whether our own metadata is on it. Refunds, disputes and payments of invoices carry none: they find their gift."""
    return _our_metadata(event.object) is not None


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
    return []


def session_facts(session: Object, paid_at: datetime, live: bool) -> Iterator[Fact]:
    """A one-time gift is a session in payment mode that is paid. `unpaid` is a delayed method: its money comes later.

    A session in subscription mode counts nothing: its first month is an invoice like all others, which is linked to
    it so that the page of thanks can tell when it has come.
    """
    metadata = _our_metadata(session)
    if metadata is None:
        return
    if session.get("mode") == "subscription" and _ids(session, "invoice"):
        yield Link(_id(session["invoice"]), _ids(session, "id"))
    if session.get("mode") != "payment" or session.get("payment_status") != "paid":
        return
    yield from _gift(
        session, "once", session.get("amount_total"), metadata, paid_at, live, _ids(session, "payment_intent")
    )


def invoice_facts(invoice: Object, told_at: datetime, live: bool) -> Iterator[Fact]:
    """A monthly gift is a paid invoice of our subscription, the first month included."""
    metadata = _our_metadata(invoice)
    paid_at = (invoice.get("status_transitions") or {}).get("paid_at")
    if metadata is None:
        return
    at = _moment(paid_at) if _is_time(paid_at) else told_at
    # Until 2025 an invoice named its payment; since then the list of payments does, and is mostly left out.
    payments = (invoice.get("payments") or {}).get("data") or []
    known_as = _ids(invoice, "payment_intent", "charge")
    known_as += tuple(one for each in payments for one in _ids(each.get("payment") or {}, "payment_intent", "charge"))
    yield from _gift(invoice, "monthly", invoice.get("amount_paid"), metadata, at, live, known_as)


def invoice_payment_facts(payment: Object) -> Iterator[Fact]:
    """Tells which payment intent paid an invoice: a refund of a monthly gift names only that."""
    invoice = _id(payment.get("invoice"))
    known_as = _ids(payment.get("payment") or {}, "payment_intent", "charge")
    if invoice and known_as:
        yield Link(invoice, known_as)


def refund_facts(refund: Object, told_at: datetime, live: bool) -> Iterator[Fact]:
    """Each refund takes its own amount off. One that failed took it and then gave it back, which comes to nothing."""
    status, amount, key = refund.get("status"), refund.get("amount"), _id(refund)
    known_as = _ids(refund, "payment_intent", "charge")
    if not known_as or not key or not _is_amount(amount) or status not in REFUND_COUNTS + REFUND_CAME_BACK:
        return
    created = refund.get("created")
    at = _moment(created) if _is_time(created) else told_at
    currency = _currency(refund)
    yield Taken(key, "refund", -amount, currency, at, live, known_as)
    if status in REFUND_CAME_BACK:
        yield Taken(f"{key}/failed", "refund", amount, currency, told_at, live, known_as)


def dispute_facts(dispute: Object, live: bool) -> Iterator[Fact]:
    """What a dispute's balance transactions moved. An inquiry has none and so moves nothing."""
    known_as = _ids(dispute, "payment_intent", "charge")
    for moved in dispute.get("balance_transactions") or []:
        key, amount, created = _id(moved), moved.get("amount"), moved.get("created")
        if not known_as or not key or not isinstance(amount, int) or not amount or not _is_time(created):
            continue
        if _currency(moved) != _currency(dispute):
            # The account settles in another currency than the gift's; the dispute itself says how much of the gift.
            whole = dispute.get("amount")
            if not _is_amount(whole):
                continue
            amount = whole if amount > 0 else -whole
        yield Taken(key, "dispute", amount, _currency(dispute), _moment(created), live, known_as)


def _gift(
    paid: Object,
    kind: Literal["once", "monthly"],
    amount: Any,
    metadata: Object,
    at: datetime,
    live: bool,
    known_as: tuple[str, ...],
) -> Iterator[Fact]:
    key = _id(paid)
    if not key or not _is_amount(amount):
        return
    text = {name: str(metadata.get(name) or "") for name in ("campaign", "tier", "src", "pos", "name", "message")}
    yield Gift(
        key=key,
        kind=kind,
        campaign=text["campaign"][:60],
        amount=amount,
        currency=_currency(paid),
        at=at,
        live=live,
        known_as=known_as,
        tier=text["tier"][:20],
        source=text["src"][:64],
        place=text["pos"][:20],
        # Told with the first payment of a subscription and again with every renewal; once is enough.
        name=text["name"][:80] if paid.get("billing_reason") in (None, "subscription_create") else "",
        message=text["message"][:300] if paid.get("billing_reason") in (None, "subscription_create") else "",
    )


def _our_metadata(about: Object) -> Object | None:
    """The metadata by which we know a session, or the subscription behind an invoice; None on anybody else's."""
    subscription = (about.get("parent") or {}).get("subscription_details") or about.get("subscription_details") or {}
    for metadata in (subscription.get("metadata"), about.get("metadata")):
        if isinstance(metadata, dict) and metadata.get("pledgebar") and metadata.get("campaign"):
            return metadata
    return None


def _ids(about: Object, *names: str) -> tuple[str, ...]:
    """The ids under those names that are there. An empty one would match every gift that has none."""
    return tuple(one for one in (_id(about.get(name)) for name in names) if one)


def _id(value: Any) -> str:
    """An id, whether Stripe sent it alone or expanded to the whole object."""
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and len(value) <= 250 else ""


def _currency(about: Object) -> str:
    return str(about.get("currency") or "")[:3].upper()


def _is_amount(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 10**15


def _is_time(value: Any) -> TypeGuard[int]:
    return isinstance(value, int) and not isinstance(value, bool) and 0 < value < 253_000_000_000


def _moment(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)
