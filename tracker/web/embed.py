"""The bar for other sites: a frame of two kilobytes without script or cookie, and the same as JSON."""

import re

from flask import Blueprint, Response, jsonify, make_response, render_template, request

from tracker.giving.bar import Bar
from tracker.ledger.store import reading
from tracker.places import STATIC
from tracker.web.headers import may_be_framed
from tracker.web.site import bar_of, campaign_or_404, month_or_404, now, settings

bp = Blueprint("embed", __name__)


def _short(css: str) -> str:
    """The stylesheet without comments and needless spaces; the frame carries it inside, so every byte is in every view."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r"\s*([{};,])\s*|(?<=:)\s+|\s+(?=!)", r"\1", css).replace(";}", "}").strip()


FRAME_STYLE = _short(
    (STATIC / "bar.css").read_text(encoding="utf-8") + (STATIC / "frame.css").read_text(encoding="utf-8")
)


def _bar(slug: str) -> Bar:
    campaign = campaign_or_404(slug)
    moment = now()
    asked = request.args.get("month")
    month = month_or_404(asked, campaign, moment) if asked else None
    with reading() as connection:
        return bar_of(connection, campaign, moment, month)


@bp.get("/embed/<slug>")
def frame(slug: str) -> Response:
    bar = _bar(slug)
    may_be_framed(settings(), style=FRAME_STYLE)
    response = make_response(render_template("embed/bar.html", bar=bar, style=FRAME_STYLE))
    response.add_etag()
    return _fresh(response).make_conditional(request)


@bp.get("/embed/<slug>.json")
def data(slug: str) -> Response:
    response = jsonify(_bar(slug).as_json())
    response.headers["Access-Control-Allow-Origin"] = "*"
    return _fresh(response)


def _fresh(response: Response) -> Response:
    # A payment must show within a second of Stripe's telling, so every reader asks; the answer is a short one.
    response.headers["Cache-Control"] = "public, no-cache"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    return response
