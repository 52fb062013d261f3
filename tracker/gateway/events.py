"""Reads what Stripe sends: is it Stripe's, is it ours, and which facts does it tell."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import stripe

from tracker.gateway.fields import Object, id_of, ids, is_time, moment
from tracker.gateway.gift_facts import invoice_facts, invoice_payment_facts, our_metadata, session_facts
from tracker.gateway.reversal_facts import dispute_facts, refund_facts
from tracker.gateway.subscription_facts import support_facts
from tracker.giving.facts import Fact

TOLERANCE_SECONDS = 300

# The events that move money, or tell of it; everything else is kept and counts for nothing. The last one tells of no money
# either, and is what an editor should see (notices.py). Stripe lists twenty types at most.
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
# Asked for as well, though none of them moves money: by these card testing is noticed (checkout_outcomes.py).
COUNTED_BY = (
    "checkout.session.expired",
    "payment_intent.payment_failed",
    "invoice.payment_failed",
)
ASKED_FOR = TOLD_BY + COUNTED_BY
# Of the former, the ones that tell of money going back; their order among each other matters, after all gifts.
CORRECTED_BY = tuple(name for name in TOLD_BY if name.startswith(("refund.", "charge.dispute.")))


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
        or not id_of(event.get("id"))
        or not id_of(event.get("type"))
        or not is_time(created)
        or not isinstance(live, bool)
    ):
        raise NotFromStripe("not an event")
    if event.get("account"):
        # Of an account that is connected to this one: another business's money, even where it uses Pledgebar, too.
        about = {}
    return Event(event["id"], event["type"], moment(created), live, id_of(event.get("api_version"))[:64], about)


def is_ours(event: Event, mark: str = "") -> bool:
    """Whether our own metadata is on it. Refunds, disputes and payments of invoices carry none: they find their gift."""
    return our_metadata(event.object, mark) is not None


def to_facts(event: Event, mark: str = "") -> list[Fact]:
    """The facts that an event tells. An event that is not ours, or moves no money, tells none.

    `mark` is this installation's: see `our_metadata`.
    """
    about = event.object
    match event.type:
        case "checkout.session.completed" | "checkout.session.async_payment_succeeded":
            return list(session_facts(about, event.created, event.live, mark))
        case "invoice.paid":
            return list(invoice_facts(about, event.created, event.live, mark))
        case "invoice_payment.paid":
            return list(invoice_payment_facts(about, event.live))
        case "refund.created" | "refund.updated" | "refund.failed" | "charge.refund.updated":
            return list(refund_facts(about, event.created, event.live))
        case _ if event.type.startswith("charge.dispute."):
            return list(dispute_facts(about, event.live))
        case _ if event.type.startswith("customer.subscription."):
            return list(support_facts(about, event.created, event.live, mark, began=event.type.endswith(".created")))
    return []


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
    return (kind, id_of(event.object)) if kind and id_of(event.object.get(named)) else ("", "")


def names_of(about: Object) -> tuple[str, ...]:
    """The ids by which the gift behind a charge or a refund may be known: its payment intent's and its charge's."""
    return ids(about, "id", "payment_intent", "charge")
