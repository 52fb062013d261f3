"""Reads what Stripe's events say to an editor: disputes and inquiries, early fraud warnings, and refunds that failed."""

import json
from datetime import UTC, datetime

from tracker.gateway.events import NotFromStripe, as_event
from tracker.gateway.fields import Object
from tracker.giving.alerts import Notice

NOTICED_BY = (
    "charge.dispute.created",
    "charge.dispute.updated",
    "charge.dispute.funds_withdrawn",
    "charge.dispute.funds_reinstated",
    "charge.dispute.closed",
    "radar.early_fraud_warning.created",
    "refund.failed",
)
# Whatever else a dispute's status may be called one day is over as far as an editor can tell.
TO_ANSWER = {
    "needs_response": "dispute",
    "appeal_needs_response": "dispute",
    "warning_needs_response": "inquiry",
}
ANSWERED = ("under_review", "appeal_under_review", "warning_under_review")


def notice_of(body: bytes) -> Notice | None:
    """What a delivery that was verified before says to an editor; None when nothing, or when it cannot be read."""
    try:
        event = as_event(json.loads(body))
    except (ValueError, RecursionError, NotFromStripe):
        return None
    about = event.object
    key, known_as = _word(about, "id"), _names(about)
    if not key or not known_as:
        return None
    if event.type.startswith("charge.dispute."):
        status = _word(about, "status")
        kind = TO_ANSWER.get(status, "answered")
        is_open = status in TO_ANSWER or status in ANSWERED
        details = about.get("evidence_details")
        due = details.get("due_by") if isinstance(details, dict) else None
        return Notice(key, kind, known_as, is_open, event.created, *_money(about), _moment(due))  # type: ignore[arg-type]
    if event.type == "radar.early_fraud_warning.created":
        return Notice(key, "warning", known_as, about.get("actionable") is not False, event.created)
    if event.type == "refund.failed":
        return Notice(key, "refund_failed", known_as, True, event.created, *_money(about))
    return None


def _names(about: Object) -> tuple[str, ...]:
    return tuple(one for one in (_word(about, "payment_intent"), _word(about, "charge")) if one)


def _word(about: Object, name: str) -> str:
    value = about.get(name)
    if isinstance(value, dict):
        value = value.get("id")
    return value if isinstance(value, str) and value.isascii() and value.isprintable() and len(value) <= 255 else ""


def _money(about: Object) -> tuple[int | None, str]:
    amount, currency = about.get("amount"), _word(about, "currency").upper()
    whole = isinstance(amount, int) and not isinstance(amount, bool)
    return (amount, currency) if whole and len(currency) == 3 else (None, "")


def _moment(epoch: object) -> datetime | None:
    if isinstance(epoch, int) and not isinstance(epoch, bool) and 0 < epoch < 253_000_000_000:
        return datetime.fromtimestamp(epoch, UTC)
    return None
