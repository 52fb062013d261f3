"""The one address that Stripe calls. What comes is verified, kept as it came, and recorded, in one transaction."""

from datetime import datetime, timedelta

import structlog
from flask import Blueprint, Response, abort, current_app, request
from sqlalchemy import Connection

from tracker.gateway import events
from tracker.ledger import book
from tracker.ledger.together import LineFull, together
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
    ours, forget_before = events.is_ours(event), _forget_before(moment)

    def write(connection: Connection) -> str:
        if forget_before:
            book.forget_bodies(connection, forget_before)
        return book.receive(connection, came, facts, ours, moment)

    try:
        outcome = together(write)
    except LineFull:
        log.warning("hook.line_full")
        abort(503)
    log.info("hook.kept", id=event.id, type=event.type, outcome=outcome)
    settle_soon(event)
    return Response(status=204)


def _forget_before(moment: datetime) -> datetime | None:
    """From which moment on bodies are still kept, once an hour; None in between, when nobody has to look."""
    looked = current_app.extensions.get("bodies_looked_at")
    if looked and abs(moment - looked) < timedelta(hours=1):
        return None
    current_app.extensions["bodies_looked_at"] = moment
    return moment - timedelta(days=settings().keep_deliveries)
