"""The bar for other sites: a frame without cookie, an element, JSON, and a line of text, all from one state."""

import re
from dataclasses import replace
from typing import Any

from flask import Blueprint, Response, abort, jsonify, make_response, render_template, request

from tracker.giving.bar import Bar
from tracker.giving.bar_colours import Palette, palettes
from tracker.giving.bar_style import BarStyle, read_bar_style, read_month
from tracker.paths import STATIC
from tracker.web.cache.answers import mark_cacheable
from tracker.web.cache.bars import bars, cache_control
from tracker.web.embed.colours import as_style, differing, on_either_paper
from tracker.web.embed.text_width import text_widths
from tracker.web.headers import may_be_framed
from tracker.web.site import now, settings, with_source

bp = Blueprint("embed", __name__)


def _short(css: str) -> str:
    """The stylesheet without comments and needless spaces; the frame carries it inside, so every byte is in every view."""
    css = re.sub(r"/\*.*?\*/", "", css, flags=re.DOTALL)
    return re.sub(r"\s*([{};,])\s*|(?<=:)\s+|\s+(?=!)", r"\1", css).replace(";}", "}").strip()


def _read(name: str) -> str:
    return (STATIC / name).read_text(encoding="utf-8")


FRAME_STYLE = _short(_read("bar.css") + _read("frame.css"))
_DARK = _short(_read("frame-dark.css"))
THEME_STYLE = {"light": "", "dark": _DARK, "auto": on_either_paper("", _DARK)}
COMMITTED_STYLE = _short(_read("frame-committed.css"))
NOTES_STYLE = _short(_read("frame-notes.css"))
PAUSED_STYLE = _short(_read("frame-paused.css"))
DRIVE_STYLE = _short(_read("frame-drive.css"))
MATCH_STYLE = _short(_read("frame-match.css"))
CORNERS_STYLE = {"soft": "", "square": ".support{border-radius:0}", "round": ".support{border-radius:99px}"}
SIZE_STYLE = {"s": _short(_read("frame-s.css")), "m": "", "l": _short(_read("frame-l.css"))}


def _short_script(name: str) -> str:
    """A script without comments and indentation, for the same reason."""
    return re.sub(r"^\s*(//.*\n)?", "", _read(name), flags=re.MULTILINE)


ELEMENT = _short_script("embed/bar.js").encode()
# The script with which a frame follows the number while somebody looks at it; all frames share it.
FOLLOWING = _short_script("embed/frame.js").encode()
# WordPress shows frames of strangers in a box of its own, where links are dead and the frame is unseen until it speaks.
# While it is unseen it may have no size; it says that it is there, is then given one, and only asks for more if it must.
WORDPRESS = _short_script("embed/wordpress.js").strip()


def asked_bar(slug: str) -> tuple[Bar, BarStyle]:
    """The bar that an address asks for, in the language and with the looks that it asks for; 404 if there is none."""
    looks = read_bar_style(request.args)
    try:
        month = read_month(request.args.get("month"))
    except ValueError:
        abort(404)
    bar = bars().bar(slug, month).speaking(looks.lang)
    return replace(bar, give_url=with_source(bar.give_url, bar.campaign)), looks


def colours(bar: Bar, looks: BarStyle) -> dict[str, Palette]:
    """The bar's colours on a light and on a dark background."""
    return palettes(looks, bar.campaign.accent)


def with_embed_headers(response: Response, bar: Bar, carrier: str) -> Response:
    """The headers that every carrier has, and leave to keep the answer until the bar changes."""
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["X-Robots-Tag"] = "noindex"
    response.headers["Cache-Control"] = cache_control(bar, now())
    mark_cacheable(response, bar.campaign.slug, carrier)
    response.add_etag()
    return response.make_conditional(request)


def small_words(bar: Bar, looks: BarStyle) -> list[str]:
    """The words under the drawing, in parts that each stay in one line, so that lines break between them alone.

    What is still to come is a whole sentence, and so is the time of the number; the rest is short.
    """
    now = replace(bar, stale=False)
    parts = (
        now.notes(BarStyle(committed=looks.committed), pause=False),
        now.notes(replace(looks, committed=False), pause=False),
        bar.notes(BarStyle(), pause=False),
    )
    return [" · ".join(part) for part in parts if part]


def open_to_all(response: Response) -> Response:
    """Lets scripts of other sites read it; there is no cookie and nothing about anybody in it."""
    response.headers["Access-Control-Allow-Origin"] = "*"
    return response


@bp.get("/embed/<slug>")
def frame(slug: str) -> Response:
    bar, looks = asked_bar(slug)
    notes = small_words(bar, looks)
    needed = [
        THEME_STYLE[looks.theme],
        CORNERS_STYLE[looks.corners],
        SIZE_STYLE[looks.size],
        COMMITTED_STYLE if looks.committed else "",
        NOTES_STYLE if notes or bar.match else "",
        DRIVE_STYLE if bar.drive else "",
        MATCH_STYLE if bar.match else "",
        PAUSED_STYLE if bar.pause else "",
        text_widths(bar, looks, notes).as_style(),
        as_style(colours(bar, looks), looks.theme),
    ]
    style = FRAME_STYLE + "".join(needed)
    script = WORDPRESS if request.args.get("host") == "wordpress" else ""
    html = render_template("embed/bar.html", bar=bar, looks=looks, notes=notes, style=style, script=script)
    may_be_framed(settings(), style=style, script=script, follows=True)
    # In a sandbox the frame has no origin of its own, so this lets it ask for its own number.
    return open_to_all(with_embed_headers(make_response(html), bar, "frame"))


def _light_dark(light: str, dark: str) -> str:
    return f"light-dark({light},{dark})"


@bp.get("/embed/<slug>.json")
def data(slug: str) -> Response:
    """The figures; with `draw=1` also what the element needs to look like the frame, which is no contract."""
    bar, looks = asked_bar(slug)
    told = bar.as_json()
    drawn = request.args.get("draw") == "1"
    if drawn:
        told["draw"] = _drawn(bar.of_month, looks)
        if bar.drive or bar.counts_people:
            # Apart, for scripts from before there were drives, which some caches still hold: they go on with the month.
            told["draw"]["now"] = _drawn(bar, looks)
    return open_to_all(with_embed_headers(jsonify(told), bar, "element" if drawn else "json"))


def _drawn(bar: Bar, looks: BarStyle) -> dict[str, Any]:
    p, colour, notes = bar.shown, colours(bar, looks), small_words(bar, looks)
    named = differing(colour, "auto")
    accents = "--accent" in named["light"]
    room = text_widths(bar, looks, notes).as_json()
    if bar.match:
        # Its line as it is, and where the bar is narrow.
        room["match"] = [f"{words} ·" if notes else words for words in (bar.doubled, bar.doubled_short)]
        notes = [bar.doubled, *notes]
    return {
        "sentence": bar.sentence,
        "heading": bar.heading,
        "scale": list(bar.scale),
        "raised": bar.raised,
        "towards": bar.towards,
        "beyond": bar.beyond,
        "room": room,
        "support": "" if bar.pause else bar.support,
        "pause": bar.pause,
        "low": bar.low,
        "notes": notes,
        "fill": round(p.fill, 4),
        "committed_to": round(bar.committed_to if looks.committed else p.fill, 4),
        "goal_at": round(p.goal_at, 4),
        "half_at": round(p.half_at, 4),
        "dir": bar.direction,
        "lang": bar.language,
        "theme": looks.theme,
        "size": looks.size,
        "corners": looks.corners,
        # On light and on dark paper, where they are not our own.
        "colours": {name: [one, named["dark"][name]] for name, one in named["light"].items()},
        # For older scripts without backgrounds, which some caches still hold. Empty for the default.
        "accent": _light_dark(*(f"#{one.accent}" for one in colour.values())) if accents else "",
        "ink": _light_dark(*(f"#{one.on_accent}" for one in colour.values())) if accents else "",
        "back": _before_back(bar),
    }


def _before_back(bar: Bar) -> str:
    """What stands before the article's address behind the button's; empty where nobody is led back, or it is there."""
    if not bar.campaign.allowed_hosts or "back=" in bar.give_url:
        return ""
    return ("&" if "?" in bar.give_url else "?") + "back="


@bp.get("/embed/bar.js")
def element() -> Response:
    """The element, the same bytes for everybody, so that a page can hold it to a checksum."""
    return _script("bar.js", ELEMENT)


@bp.get("/embed/frame.js")
def following() -> Response:
    """The frame's script."""
    return _script("frame.js", FOLLOWING)


def _script(name: str, source: bytes) -> Response:
    response = Response(source, mimetype="text/javascript")
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = "public, max-age=3600, stale-while-revalidate=86400"
    mark_cacheable(response, name, "")
    response.add_etag()
    return open_to_all(response.make_conditional(request))


@bp.get("/embed/<slug>.txt")
def line(slug: str) -> Response:
    """The bar as one line of text, for tickers, terminals, chat bots and radio screens."""
    bar, looks = asked_bar(slug)
    words = " · ".join([bar.summary, *bar.notes(looks)])
    return open_to_all(with_embed_headers(Response(words + "\n", mimetype="text/plain"), bar, "text"))
