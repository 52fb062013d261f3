"""How much anybody may send: counted before any of it is parsed."""

from typing import Any

from flask import Flask, abort, request, session

# In bytes. A donor's form fits even if every letter of it is escaped.
LONGEST_FORM = 16 * 1024
# A campaign's longer text does not, but only its editors send that.
LONGEST_FORM_SIGNED_IN = 256 * 1024
# The query of an address, or one header. nginx takes no longer ones either.
LONGEST_LINE = 8 * 1024
MOST_FIELDS = 100

_REFUSED = "tracker.refused"


def init_app(app: Flask) -> None:
    app.config["MAX_CONTENT_LENGTH"] = LONGEST_FORM
    app.config["MAX_FORM_PARTS"] = MOST_FIELDS
    app.before_request(_refuse)


def take_out_what_is_too_long(environ: dict[str, Any]) -> None:
    """Removes a long query or header, so that nothing looks into it, not even the page that refuses it."""
    query = environ.get("QUERY_STRING", "")
    if len(query) > LONGEST_LINE or query.count("&") > MOST_FIELDS:
        environ["QUERY_STRING"], environ[_REFUSED] = "", 414
    for name in [name for name in environ if name.startswith("HTTP_") and len(environ[name]) > LONGEST_LINE]:
        environ[name], environ[_REFUSED] = "", 431


def _refuse() -> None:
    if _REFUSED in request.environ:
        abort(request.environ[_REFUSED])
    # Whoever signed in here before may send what they wrote while their session ended, and it is kept for them.
    if "_user_id" in session or "known" in session:
        request.max_content_length = LONGEST_FORM_SIGNED_IN
    length, most = request.content_length or 0, request.max_content_length or 0
    if request.routing_exception or not 0 < length <= most:
        # Nobody reads a longer one. A view that tries to answers 413; one that first asks people to sign in does that.
        return
    body = request.get_data()
    if len(body) < length:
        # Cut off. What is missing at the end of a form would count as left empty.
        abort(400)
    if body.count(_between_fields()) > MOST_FIELDS:
        abort(413)


def _between_fields() -> bytes:
    """What separates two fields of this request's form."""
    if request.mimetype == "multipart/form-data":
        return b"--" + request.mimetype_params.get("boundary", "").encode("ascii", "replace")
    return b"&"
