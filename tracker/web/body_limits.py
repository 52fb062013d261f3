"""How much anybody may send, and how many may send at once: held to before any of it is parsed."""

import threading
from collections.abc import Callable, Iterable
from typing import Any

from flask import Flask, Response, abort, current_app, request, session
from werkzeug.exceptions import RequestEntityTooLarge

from tracker.settings import HOOK
from tracker.web import errors

# In bytes. A donor's form fits even if every letter of it is escaped.
LONGEST_FORM = 16 * 1024
# A campaign's longer text does not, but only its editors send that.
LONGEST_FORM_SIGNED_IN = 256 * 1024
# The query of an address, or one header. nginx takes no longer ones either.
LONGEST_LINE = 8 * 1024
# A file of past gifts does neither. The command takes longer ones.
LONGEST_IMPORT = 1024 * 1024
MOST_FIELDS = 100
# How many may be sending a form at once, and how many an event of Stripe's: a slow one holds a thread, and may never finish.
# Well below the server's threads (tracker/server/serve.py).
MOST_SENDERS = 256
RETRY_SECONDS = 10

_REFUSED = "tracker.refused"


class TooManySenders(Exception):
    """Nothing was read of this one."""


class ShortLines:
    """Middleware that takes out a long query or header, so that nothing looks into it, not even the page that refuses it."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]]) -> None:
        self.wsgi = wsgi

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        query = environ.get("QUERY_STRING", "")
        if len(query) > LONGEST_LINE or query.count("&") > MOST_FIELDS:
            environ["QUERY_STRING"], environ[_REFUSED] = "", 414
        for name in [name for name in environ if name.startswith("HTTP_") and len(environ[name]) > LONGEST_LINE]:
            environ[name], environ[_REFUSED] = "", 431
        return self.wsgi(environ, start_response)


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_FORM
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    app.extensions["senders"] = {kind: threading.BoundedSemaphore(MOST_SENDERS) for kind in ("forms", "hook")}
    app.before_request(_take_form)


def take_body(kind: str) -> bytes:
    """All that is sent, kept for whoever asks for it next. Raises TooManySenders or RequestEntityTooLarge."""
    senders: threading.BoundedSemaphore = current_app.extensions["senders"][kind]
    if not senders.acquire(blocking=False):
        raise TooManySenders
    try:
        body = request.get_data()
    finally:
        senders.release()
    if request.content_length is None and len(body) >= (request.max_content_length or 0):
        # What comes in pieces, without its length, is read up to the limit and no further.
        raise RequestEntityTooLarge
    return body


def _take_form() -> Response | None:
    if _REFUSED in request.environ:
        abort(request.environ[_REFUSED])
    if request.path == HOOK:
        # Another limit, another way to say no: tracker/web/webhook/stripe_webhook.py.
        return None
    # Whoever signed in here before may send what they wrote while their session ended, and it is kept for them.
    if "_user_id" in session or "known" in session:
        is_import = request.path.startswith("/admin/") and request.path.endswith("/import")
        request.max_content_length = LONGEST_IMPORT if is_import else LONGEST_FORM_SIGNED_IN
    length, most = request.content_length, request.max_content_length or 0
    if length is None and "HTTP_TRANSFER_ENCODING" not in request.environ:
        return None
    if request.routing_exception or length == 0 or (length or 0) > most:
        # Nobody reads a longer one. A view that tries to answers 413; one that first asks people to sign in does that.
        return None
    try:
        body = take_body("forms")
    except TooManySenders:
        return errors.too_busy(RETRY_SECONDS)
    if len(body) < (length or 0):
        # Cut off. What is missing at the end of a form would count as left empty.
        abort(400)
    if body.count(_between_fields()) > MOST_FIELDS:
        abort(413)
    return None


def _between_fields() -> bytes:
    """What separates two fields of this request's form."""
    if request.mimetype == "multipart/form-data":
        return b"--" + request.mimetype_params.get("boundary", "").encode("ascii", "replace")
    return b"&"
