"""The pages for what went wrong: in plain words, and without a word about our insides."""

import structlog
from flask import Flask, Response, make_response, render_template, request
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException

log = structlog.get_logger()

WORDS = {
    400: ("That did not work", "The browser sent something that we could not read. Please go back and try again."),
    403: ("That did not come from our page", "Please open the page again and send the form from there."),
    404: ("There is nothing at this address", "It may have been mistyped, or the page may have moved."),
    405: ("That cannot be done here", "Please open the page again and use its form."),
    413: ("That was too much at once", "The form held more than we can take. Please shorten it and try again."),
    429: ("That was very often in a short time", "Please wait a few minutes and try again."),
    500: ("Something broke on our side", "It has been noted. Please try again in a few minutes."),
    503: ("We cannot do that right now", "Please try again in a few minutes."),
}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, page)
    app.register_error_handler(SQLAlchemyError, database_trouble)


def page(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    title, words = WORDS.get(error.code, WORDS[400 if error.code < 500 else 500])
    template = "embed/error.html" if request.path.startswith("/embed/") else "error.html"
    response = make_response(render_template(template, title=title, words=words), error.code)
    if request.path.startswith("/embed/"):
        # A frame that cannot be shown would be a browser's own error page in the middle of an article.
        response.headers["Content-Security-Policy"] = (
            "default-src 'none'; style-src 'unsafe-inline'; frame-ancestors *; base-uri 'none'"
        )
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def database_trouble(error: SQLAlchemyError) -> Response:
    """A database that is busy, full or away: 503, for a person to try again and for Stripe to send again."""
    log.error("database.trouble", error=type(error).__name__, path=request.path)
    title, words = WORDS[503]
    return make_response(render_template("error.html", title=title, words=words), 503, {"Retry-After": "30"})
