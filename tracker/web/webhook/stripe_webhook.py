"""The one address that Stripe calls. What comes is verified, kept as it came, and recorded, in one transaction."""

from collections.abc import Callable
from datetime import datetime

import structlog
from flask import Blueprint, Response, current_app, request
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge

from tracker.gateway import events
from tracker.gateway.checkout_outcomes import outcome_of
from tracker.gateway.notices import NOTICED_BY
from tracker.gateway.personal_data import ids_in, without_person
from tracker.ledger import book, database_errors
from tracker.ledger.group_commit import QueueFull, write_in_group
from tracker.settings import HOOK
from tracker.web.body_limits import TooManySenders, take_body
from tracker.web.heartbeat import node
from tracker.web.protection import LATE, checkouts
from tracker.web.site import mark, now, settings
from tracker.web.webhook.fee_fetcher import ask_for

log = structlog.get_logger()
bp = Blueprint("webhook", __name__)

# After these something may have to be asked for at once.
FETCHED_FOR = (*events.SETTLED_BY, *(name for name in events.TOLD_BY if name.startswith("customer.subscription.")))

# Real events have a few thousand bytes.
MOST_BYTES = 256 * 1024
RETRY_SECONDS = "30"

KEPT = "204 No Content"
REFUSED = "400 Bad Request"
TOO_LONG = "413 Content Too Large"
STUMBLED = "500 Internal Server Error"
AGAIN = "503 Service Unavailable"


@bp.post(HOOK, provide_automatic_options=False)
def receive() -> Response:
    """204 when kept, 4xx when it is not Stripe's, 5xx only when Stripe should send it again."""
    status = _receive()
    if status == KEPT:
        return Response(status=status)
    response = Response(f"{status}\n", status, mimetype="text/plain")
    if status == AGAIN:
        response.headers["Retry-After"] = RETRY_SECONDS
    return response


def _receive() -> str:
    moment, raw = now(), b""
    if not settings().stripe_webhook_secrets:
        log.error("hook.no_secret", hint="set STRIPE_WEBHOOK_SECRET; nothing can be verified without it")
        return AGAIN
    try:
        raw = _body()
        signature = request.headers.get("Stripe-Signature", "")
        event = events.read_event(raw, signature, settings().stripe_webhook_secrets, moment)
        outcome = write_in_group(_recorder(event, raw, moment))
        log.info("hook.kept", id=event.id, type=event.type, outcome=outcome)
        _count(event, outcome, moment)
        if event.type in FETCHED_FOR:
            current_app.extensions["fees_due"].set()
    except RequestEntityTooLarge:
        log.warning("hook.refused", reason="too long")
        return TOO_LONG
    except ClientDisconnected:
        log.warning("hook.refused", reason="cut off")
        return REFUSED
    except events.NotFromStripe as reason:
        log.warning("hook.refused", reason=str(reason), bytes=len(raw))
        node().note_refused(str(reason), moment)
        return REFUSED
    except (QueueFull, TooManySenders):
        log.warning("hook.line_full")
        return AGAIN
    except SQLAlchemyError as error:
        log.error("database.trouble", **database_errors.named(error), path=HOOK)
        return AGAIN
    except Exception:
        log.exception("hook.stumbled")
        return STUMBLED
    return KEPT


def _count(event: events.Event, outcome: str, moment: datetime) -> None:
    """Counts what became of a checkout, for the mode that this server is in. What was in the book before was counted then."""
    found = outcome_of(event, mark())
    if found and outcome != "known" and event.live == settings().live and moment - event.created < LATE:
        checkouts().note(*found, event.created, event.id)


def _body() -> bytes:
    """What was sent, all of it."""
    request.max_content_length = MOST_BYTES
    raw = take_body("hook")
    if len(raw) < (request.content_length or 0):
        raise ClientDisconnected
    return raw


def _recorder(event: events.Event, raw: bytes, moment: datetime) -> Callable[[Session], str]:
    """What keeps this delivery and records what it tells, inside a transaction."""
    facts = events.to_facts(event, mark())
    # Nobody's type is that long; one that is must not be refused for it again and again.
    # What is only counted names people, comes in thousands while cards are tested, and is of no use to anybody later.
    body = None if event.type in events.COUNTED_BY else raw
    # Some events' bodies are shown to editors; of the others, it is enough to know that they came.
    reduced = without_person(raw, ()) if event.type in NOTICED_BY else None
    came = book.Delivery(
        event.id, event.type[:100], event.api_version, event.live, event.created, body, ids_in(event.object), reduced
    )
    ours = events.is_ours(event, mark())

    def write(connection: Session) -> str:
        outcome = book.receive(connection, came, facts, ours, moment)
        ask_for(connection, event, moment)
        return outcome

    return write
