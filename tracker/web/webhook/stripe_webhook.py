"""The one address that Stripe calls. What comes is verified, kept as it came, and recorded, in one transaction."""

from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from typing import Any

import structlog
from flask import Flask, current_app
from sqlalchemy import Connection
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import ClientDisconnected, RequestEntityTooLarge
from werkzeug.wsgi import get_input_stream

from tracker.gateway import events
from tracker.ledger import balance_transactions, book, database_errors
from tracker.ledger.group_commit import QueueFull, computing, write_in_group
from tracker.settings import HOOK
from tracker.web.gates import hook_senders
from tracker.web.headers import usual
from tracker.web.heartbeat import node
from tracker.web.site import mark, now, settings
from tracker.web.webhook.fee_fetcher import ask_for

log = structlog.get_logger()

# After these something may have to be asked for at once.
FETCHED_FOR = (*events.SETTLED_BY, *(name for name in events.TOLD_BY if name.startswith("customer.subscription.")))

# Real events have a few thousand bytes.
MOST_BYTES = 256 * 1024
RETRY_SECONDS = "30"

KEPT = "204 No Content"
REFUSED = "400 Bad Request"
ONLY_POST = "405 Method Not Allowed"
TOO_LONG = "413 Content Too Large"
STUMBLED = "500 Internal Server Error"
AGAIN = "503 Service Unavailable"


class StripeWebhook:
    """The app with Stripe's address in front of it, which needs nothing of what a page needs and must be quick."""

    def __init__(self, app: Flask) -> None:
        self.app = app
        self.pages = app.wsgi_app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] != HOOK:
            return self.pages(environ, start_response)
        with self.app.app_context():
            status = _receive(environ) if environ["REQUEST_METHOD"] == "POST" else ONLY_POST
            said = {} if status == KEPT else usual(settings(), {})
        if status == KEPT:
            start_response(status, [])
            return []
        words = f"{status}\n".encode()
        said |= {"Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(words))}
        if status == AGAIN:
            said["Retry-After"] = RETRY_SECONDS
        if status == ONLY_POST:
            said["Allow"] = "POST"
        start_response(status, list(said.items()))
        return [words]


def _receive(environ: dict[str, Any]) -> str:
    """2xx when kept, 4xx when it is not Stripe's, 5xx only when Stripe should send it again."""
    moment, raw = now(), b""
    if not settings().stripe_webhook_secrets:
        log.error("hook.no_secret", hint="set STRIPE_WEBHOOK_SECRET; nothing can be verified without it")
        return AGAIN
    try:
        raw = _body(environ)
        with computing:
            event = events.read_event(
                raw, environ.get("HTTP_STRIPE_SIGNATURE", ""), settings().stripe_webhook_secrets, moment
            )
            write = _recorder(event, raw, moment)
        outcome = write_in_group(write)
        log.info("hook.kept", id=event.id, type=event.type, outcome=outcome)
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
    except QueueFull:
        log.warning("hook.line_full")
        return AGAIN
    except SQLAlchemyError as error:
        log.error("database.trouble", **database_errors.named(error), path=HOOK)
        return AGAIN
    except Exception:
        log.exception("hook.stumbled")
        return STUMBLED
    return KEPT


def _body(environ: dict[str, Any]) -> bytes:
    """What was sent. Raises RequestEntityTooLarge, ClientDisconnected when it is not all there, or LineFull."""
    senders = hook_senders()
    if not senders.enter():
        raise QueueFull
    try:
        return _read(environ)
    finally:
        senders.leave()


def _read(environ: dict[str, Any]) -> bytes:
    stream, said = environ["wsgi.input"], environ.get("CONTENT_LENGTH") or ""
    if not (said.isdecimal() and len(said) < 10 and int(said) <= MOST_BYTES):
        return bytes(get_input_stream(environ, max_content_length=MOST_BYTES).read())
    # Werkzeug's own way takes three times as long, for what Stripe always says.
    raw, length = b"", int(said)
    while len(raw) < length:
        piece = stream.read(length - len(raw))
        if not piece:
            raise ClientDisconnected
        raw += piece
    return raw


def _recorder(event: events.Event, raw: bytes, moment: datetime) -> Callable[[Connection], str]:
    """What keeps this delivery and records what it tells, inside a transaction."""
    facts = events.to_facts(event, mark())
    # Nobody's type is that long; one that is must not be refused for it again and again.
    came = book.Delivery(event.id, event.type[:100], event.api_version, event.live, event.created, raw)
    ours, forget_before = events.is_ours(event, mark()), _forget_before(moment)

    def write(connection: Connection) -> str:
        if forget_before:
            book.forget_bodies(connection, forget_before)
            balance_transactions.forget_payout_lines(connection, forget_before)
        outcome = book.receive(connection, came, facts, ours, moment)
        ask_for(connection, event, moment)
        return outcome

    return write


def _forget_before(moment: datetime) -> datetime | None:
    """From which moment on bodies are still kept, once an hour; None in between, when nobody has to look."""
    looked = current_app.extensions.get("bodies_looked_at")
    if looked and abs(moment - looked) < timedelta(hours=1):
        return None
    current_app.extensions["bodies_looked_at"] = moment
    return moment - timedelta(days=settings().keep_deliveries)
