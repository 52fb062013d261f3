"""The one address that Stripe calls. What comes is verified, kept as it came, and recorded, in one transaction."""

from datetime import timedelta

import structlog
from flask import Blueprint, Response, abort, request

from tracker.gateway import events
from tracker.ledger import book
from tracker.ledger.store import writing
from tracker.web.settling import settle_soon
from tracker.web.site import now, settings

log = structlog.get_logger()
bp = Blueprint("stripe_hook", __name__)

# Real events have a few thousand bytes.
MOST_BYTES = 256 * 1024


@bp.post("/webhooks/stripe")
def receive() -> Response:
    """2xx when kept, 400 when it is not Stripe's, 5xx only when Stripe should send it again.

    A busy, full or lost database raises, which is answered 503 (errors.py).
    """
    moment = now()
    if not settings().stripe_webhook_secrets:
        log.error("hook.no_secret", hint="set STRIPE_WEBHOOK_SECRET; nothing can be verified without it")
        abort(503)
    request.max_content_length = MOST_BYTES
    raw = request.get_data(cache=False)
    try:
        event = events.read_event(
            raw, request.headers.get("Stripe-Signature", ""), settings().stripe_webhook_secrets, moment
        )
    except events.NotFromStripe as reason:
        log.warning("hook.refused", reason=str(reason), bytes=len(raw))
        return Response("not Stripe's\n", 400, mimetype="text/plain")
    facts = events.to_facts(event)
    # Nobody's type is that long; one that is must not be refused for it again and again.
    came = book.Delivery(event.id, event.type[:100], event.api_version, event.live, event.created, raw)
    with writing() as connection:
        outcome = book.receive(connection, came, facts, events.is_ours(event), moment)
        book.forget_bodies(connection, moment - timedelta(days=settings().keep_deliveries))
    log.info("hook.kept", id=event.id, type=event.type, outcome=outcome)
    settle_soon(event)
    return Response(status=204)
