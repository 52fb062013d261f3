"""oEmbed: what a CMS makes of the page's address when somebody pastes it into an article (oembed.com, version 1.0)."""

from urllib.parse import SplitResult, parse_qsl, unquote, urlencode, urlsplit

from flask import Blueprint, Response, abort, jsonify, render_template, request
from werkzeug.datastructures import ImmutableMultiDict

from tracker.giving.bar import Bar
from tracker.giving.bar_style import NARROW, BarStyle, frame_heights, read_bar_style, read_month, read_source
from tracker.giving.months import Month
from tracker.ledger import campaigns
from tracker.ledger.store import reading
from tracker.web.admin.embed_finder import same_host
from tracker.web.admin.snippet_code import WIDEST
from tracker.web.cache.bars import bars
from tracker.web.embed.bar_views import open_to_all, with_embed_headers
from tracker.web.embed.svg_layout import sheet_for
from tracker.web.site import settings

bp = Blueprint("oembed", __name__)

CACHE_AGE = 86_400


@bp.get("/oembed")
def oembed() -> Response:
    """The answer for one of our own addresses; 404 for any other, 501 for any format but JSON."""
    if request.args.get("format", "json") != "json":
        abort(501)
    slug, named = _campaign_of(request.args.get("url", ""))
    looks, month = read_bar_style(named), _month(named)
    bar = bars().bar(slug or _only_campaign(), month).speaking(looks.lang)
    answer = open_to_all(jsonify(_rich(bar, looks, month, named)))
    # Which campaign is the only one is nothing that its bar would tell.
    return with_embed_headers(answer, bar, "") if slug else answer


def _campaign_of(url: str) -> tuple[str, ImmutableMultiDict[str, str]]:
    """The campaign that one of our addresses is about, empty for the front page, and the parameters; 404 for others.

    However it is spelt: people type it, and programs that ask for them change it.
    """
    ours = _parts(settings().public_url)
    try:
        asked = _parts(url)
        named = ImmutableMultiDict(parse_qsl(asked.query, max_num_fields=40))
        is_ours = asked.scheme in ("http", "https") and same_host(asked, ours)
    except ValueError:  # half an address, or a port that is none
        abort(404)
    if not is_ours or "@" in asked.netloc:
        abort(404)
    parts = [part for part in unquote(asked.path).removeprefix(ours.path).split("/") if part]
    if not parts:
        return "", named
    if len(parts) != 2 or parts[0] not in ("c", "embed", "go"):
        abort(404)
    return parts[1].lower(), named


def _parts(url: str) -> SplitResult:
    """An address that may lack its scheme, with the host as names are looked up. Raises ValueError when it is none."""
    url = url.strip()
    asked = urlsplit(url if "://" in url else f"https://{url.lstrip('/')}")
    host = (asked.hostname or "").removesuffix(".")
    try:
        host = host.encode("idna").decode()
    except UnicodeError:
        raise ValueError(f"{host!r} is not a host") from None
    return asked._replace(netloc=asked.netloc.lower().replace(asked.hostname or "", host))


def _only_campaign() -> str:
    with reading() as connection:
        every = campaigns.every(connection)
    return every[0].slug if len(every) == 1 else abort(404)


def _month(named: ImmutableMultiDict[str, str]) -> Month | None:
    try:
        return read_month(named.get("month"))
    except ValueError:
        abort(404)


def wishes(named: ImmutableMultiDict[str, str]) -> str:
    """What an address asks of the frame, as a query in our spelling; a month that is none is left out."""
    try:
        month = read_month(named.get("month"))
    except ValueError:
        month = None
    return _query(_asked(read_bar_style(named), month, named))


def _rich(bar: Bar, looks: BarStyle, month: Month | None, named: ImmutableMultiDict[str, str]) -> dict[str, object]:
    slug, ours = bar.campaign.slug, settings().public_url
    most_wide, most_high = _at_most("maxwidth"), _at_most("maxheight")
    width = min(WIDEST, most_wide)
    wide, narrow = (min(one, most_high) for one in frame_heights(looks))
    height = wide if width >= NARROW else narrow
    # With how WordPress is spoken to.
    frame = f"{ours}/embed/{slug}?{_query(_asked(looks, month, named) | {'host': 'wordpress'})}"
    source = _query(read_source(named))
    go = bar.give_url + (f"?{source}" if source else "")
    html = render_template("embed/oembed.html", bar=bar, frame=frame, go=go, width=width, height=height, narrow=narrow)
    picture = {}
    # A thumbnail must keep to the limits, too.
    sheet = sheet_for(bar, BarStyle())
    if sheet.width <= most_wide and sheet.height <= most_high:
        picture = {
            "thumbnail_url": f"{ours}/embed/{slug}.png" + (f"?month={month}" if month else ""),
            "thumbnail_width": sheet.width,
            "thumbnail_height": sheet.height,
        }
    return {
        "version": "1.0",
        "type": "rich",
        "title": bar.campaign.title,
        "provider_name": settings().newsroom or "Pledgebar",
        "provider_url": ours,
        "cache_age": CACHE_AGE,
        "html": html,
        "width": width,
        "height": height,
    } | picture


def _at_most(name: str) -> int:
    """A limit in pixels; what is no number, or nothing, is no limit."""
    asked = request.args.get(name, "")
    return int(asked) if asked.isascii() and asked.isdigit() and len(asked) < 6 and int(asked) else 99_999


def _asked(looks: BarStyle, month: Month | None, named: ImmutableMultiDict[str, str]) -> dict[str, str]:
    """The pasted address's own wishes as the frame's, in our spelling."""
    return {"month": str(month or "")} | looks.named | read_source(named)


def _query(told: dict[str, str]) -> str:
    return urlencode({name: text for name, text in told.items() if text})
