"""The bar for other sites: a frame without script or cookie, JSON, and a line of text, all from one state."""

import re
from dataclasses import replace

from flask import Blueprint, Response, abort, jsonify, make_response, render_template, request

from tracker.giving.bar import Bar
from tracker.giving.looks import Looks, read_looks, read_month
from tracker.places import STATIC
from tracker.web.bars import bars
from tracker.web.colours import as_style, on_each_paper
from tracker.web.headers import may_be_framed
from tracker.web.prepared import may_be_kept
from tracker.web.site import settings, with_source

bp = Blueprint("embed", __name__)


def _short(css: str) -> str:
    """The stylesheet without comments and needless spaces; the frame carries it inside, so every byte is in every view."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r"\s*([{};,])\s*|(?<=:)\s+|\s+(?=!)", r"\1", css).replace(";}", "}").strip()


FRAME_STYLE = _short(
    (STATIC / "bar.css").read_text(encoding="utf-8") + (STATIC / "frame.css").read_text(encoding="utf-8")
)


def asked_bar(slug: str) -> tuple[Bar, Looks]:
    """The bar that an address asks for, in the language and with the looks that it asks for; 404 if there is none."""
    looks = read_looks(request.args)
    try:
        month = read_month(request.args.get("month"))
    except ValueError:
        abort(404)
    bar = bars().bar(slug, month).speaking(looks.lang)
    return replace(bar, give_url=with_source(bar.give_url)), looks


def colours(bar: Bar, looks: Looks) -> dict[str, str]:
    """The accent on light and on dark paper, and the ink on each, as `#1c4f82`; empty while it is our own."""
    return on_each_paper(looks.accent or bar.campaign.accent)


def carried(response: Response, bar: Bar, carrier: str, *, dated: bool = False) -> Response:
    """The headers that every carrier has, and leave to keep the answer until the bar changes.

    `dated` when it says when it was made, so that it is made again every minute.
    """
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Cache-Control"] = bars().cache_control(bar)
    may_be_kept(response, bar.campaign.slug, carrier, dated=dated)
    response.add_etag()
    return response.make_conditional(request)


def open_to_all(response: Response) -> Response:
    """Lets scripts of other sites read it; there is no cookie and nothing about anybody in it."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@bp.get("/embed/<slug>")
def frame(slug: str) -> Response:
    bar, looks = asked_bar(slug)
    html = render_template("embed/bar.html", bar=bar, looks=looks, style=FRAME_STYLE + as_style(colours(bar, looks)))
    may_be_framed(settings(), style=html.partition("<style>")[2].partition("</style>")[0])
    return carried(make_response(html), bar, "frame")


@bp.get("/embed/<slug>.json")
def data(slug: str) -> Response:
    bar, _ = asked_bar(slug)
    return open_to_all(carried(jsonify(bar.as_json()), bar, "json", dated=True))


@bp.get("/embed/<slug>.txt")
def line(slug: str) -> Response:
    """The bar as one line of text, for tickers, terminals, chat bots and radio screens."""
    bar, looks = asked_bar(slug)
    words = " · ".join([bar.sentence, *bar.notes(looks)])
    return open_to_all(carried(Response(words + "\n", mimetype="text/plain"), bar, "text"))
