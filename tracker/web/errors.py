"""The pages for what went wrong: in plain words, and without a word about our insides."""

import structlog
from flask import Flask, Response, current_app, make_response, request
from flask_babel import lazy_gettext as _
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import HTTPException, InternalServerError, ServiceUnavailable

from tracker.giving.bar_style import read_bar_style
from tracker.ledger import database_errors
from tracker.web.addresses import right_address
from tracker.web.embed.colours import plain_style
from tracker.web.headers import may_be_framed
from tracker.web.rate_limits import TooManyAttempts
from tracker.web.site import settings

log = structlog.get_logger()

WORDS = {
    400: (
        _("That did not work"),
        _("The browser sent something that we could not read. Please go back and try again."),
    ),
    403: (
        _("That did not come from our page"),
        _("Please open the page again and send the form from there."),
    ),
    404: (
        _("There is nothing at this address"),
        _("It may have been mistyped. All our campaigns are on the front page."),
    ),
    405: (_("That cannot be done here"), _("Please open the page again and use its form.")),
    413: (
        _("That was too much at once"),
        _("The form held more than we can take. Please shorten it and try again."),
    ),
    414: (
        _("That address is too long"),
        _("Part of it may have been pasted twice. Please check it and try again."),
    ),
    429: (_("Too many attempts"), _("Please wait a few minutes and try again.")),
    431: (
        _("That was too much at once"),
        _("Please delete this site's cookies in your browser and try again."),
    ),
    500: (
        _("Something broke on our side"),
        _("It has been noted. Please try again in a few minutes."),
    ),
    501: (_("That format is not available"), _("Only JSON is available here.")),
    503: (_("We cannot do that right now"), _("Please try again in a few minutes.")),
}


def init_app(app: Flask) -> None:
    app.register_error_handler(HTTPException, page)
    app.register_error_handler(SQLAlchemyError, database_trouble)
    app.register_error_handler(Exception, stumbled)


def page(error: HTTPException) -> Response:
    if error.response is not None or error.code is None or error.code < 400:
        return error.get_response()  # type: ignore[return-value]
    if error.code == 404 and (meant := right_address()):
        return meant
    title, words = WORDS.get(error.code, WORDS[400 if error.code < 500 else 500])
    if isinstance(error, TooManyAttempts):
        words = error.words
    return _with_words(error, error.code, title, words)


def too_busy(retry_seconds: int) -> Response:
    """For those who come when too many are waiting already."""
    title, words = (
        _("Too many people are here right now"),
        # Also whoever comes back from Stripe's page, and has paid, may read it.
        _("Please try again in a minute. Nothing is charged twice, and what was paid is not lost."),
    )
    return _with_words(ServiceUnavailable(retry_after=retry_seconds), 503, title, words)


def _with_words(error: HTTPException, status: int, title: object, words: object) -> Response:
    # For other sites' scripts, which without the first header would see no answer at all.
    open_to_all = {"Access-Control-Allow-Origin": "*", "Cross-Origin-Resource-Policy": "cross-origin"}
    if request.path.endswith(".json") or request.path == "/oembed":
        return _with_headers(error, make_response({"error": f"{title}."}, status, open_to_all))
    if request.path.endswith(".txt"):
        plain = open_to_all | {"Content-Type": "text/plain; charset=utf-8"}
        return _with_headers(error, make_response(f"{title}.\n", status, plain))
    framed = request.path.startswith("/embed/")
    # Past the context processors: one of them asks the database who is signed in, and that may be what broke.
    template = current_app.jinja_env.get_template("embed/error.html" if framed else "error.html")
    looks = read_bar_style(request.args)
    about = {"title": title, "words": words, "settings": settings()}
    html = template.render(**about, theme=looks.theme, paper=plain_style(looks))
    if framed:
        # A frame that cannot be shown would be a browser's own error page in the middle of an article.
        may_be_framed(settings(), style=html.partition("<style>")[2].partition("</style>")[0])
    response = make_response(html, status)
    if framed:
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return _with_headers(error, response)


def _with_headers(error: HTTPException, response: Response) -> Response:
    for name, value in error.get_headers():
        if name not in ("Content-Type", "Content-Length"):
            response.headers[name] = value
    return response


def database_trouble(error: SQLAlchemyError) -> Response:
    """A database that is busy, full or away: 503, for a person to try again and for Stripe to send again."""
    log.error("database.trouble", **database_errors.named(error), path=request.path)
    return page(ServiceUnavailable(retry_after=30))


def stumbled(error: Exception) -> Response:
    """What nobody thought of: 500. Flask itself would write down the words of it, with what a donor typed in them."""
    log.exception("page.stumbled", path=request.path)
    return page(InternalServerError())
