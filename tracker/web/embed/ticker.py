"""The ticker: the bar on a full screen, for a projector or a stream on the evening of a drive. It updates itself."""

import re
from dataclasses import replace
from urllib.parse import urlsplit
from zoneinfo import ZoneInfo

from babel.dates import format_time
from flask import Blueprint, Response, g, make_response, render_template, request

from tracker.giving.bar import Bar
from tracker.giving.bar_style import THEMES
from tracker.giving.bar_words import say
from tracker.paths import STATIC
from tracker.web.cache.bars import bars
from tracker.web.embed.bar_views import asked_bar, open_to_all, with_embed_headers
from tracker.web.embed.wall import names, told_at_once, wall_style
from tracker.web.headers import may_be_framed
from tracker.web.site import now, settings

bp = Blueprint("ticker", __name__)

NAMES = 6
TICKER_STYLE = (STATIC / "frame-ticker.css").read_text(encoding="utf-8").partition("*/")[2].strip()
SCRIPT = re.sub(r"^\s*(//.*\n)?", "", (STATIC / "embed" / "ticker.js").read_text(encoding="utf-8"), flags=re.MULTILINE)
# The longest amount of each size, in characters; each is set as large as it fits.
SHORT, MIDDLING, LONG = 6, 9, 13


@bp.get("/embed/<slug>/ticker")
def ticker(slug: str) -> Response:
    """What the bar shows, and the newest names. Dark unless the address says otherwise."""
    bar, looks = asked_bar(slug)
    if request.args.get("theme") not in THEMES:
        looks = replace(looks, theme="dark")
    bars().made_until_written()
    words = {
        "from": say(bar.speaks, "From supporters"),
        "lost": say(bar.speaks, "No connection: this may be out of date."),
        "ends": _ends(bar),
    }
    style = wall_style(bar, looks, TICKER_STYLE)
    html = render_template(
        "embed/ticker.html", bar=bar, style=style, script=SCRIPT, words=words, size=_size(bar.raised),
        notes=bar.notes(replace(looks, count=True, days=not words["ends"])), address=_address(bar),
        names=[one.name for one in names(bar, NAMES) if one.name],
    )  # fmt: skip
    may_be_framed(settings(), style=style, script=SCRIPT)
    # It fetches itself every few seconds.
    g.policy["connect-src"] = "'self'"
    # Not counted: one screen would look like a thousand readers.
    return open_to_all(told_at_once(with_embed_headers(make_response(html), bar, "")))


def _ends(bar: Bar) -> str:
    """When a drive that ends today ends; nothing else is shown to the minute."""
    if not (bar.drive and bar.drive.ends_at):
        return ""
    zone = ZoneInfo(bar.campaign.time_zone)
    ends = bar.drive.ends_at.astimezone(zone)
    if ends.date() != now().astimezone(zone).date():
        return ""
    return say(bar.speaks, "until %(time)s", time=format_time(ends, "short", locale=bar.campaign.locale))


def _size(amount: str) -> str:
    """How large an amount may be set."""
    sizes = {"short": SHORT, "middling": MIDDLING, "long": LONG}
    return next((size for size, most in sizes.items() if len(amount) <= most), "longest")


def _address(bar: Bar) -> str:
    """Where to give, to be read from a screen and typed."""
    public = urlsplit(settings().public_url)
    return f"{public.netloc}{public.path}/c/{bar.campaign.slug}"
