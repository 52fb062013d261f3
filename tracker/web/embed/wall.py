"""The supporters' wall: the names and words of a month or a drive, as a frame for other sites."""

from typing import Any
from urllib.parse import urlencode

from flask import Blueprint, Response, make_response, render_template, request

from tracker.giving.bar import Bar
from tracker.giving.bar_style import BarStyle
from tracker.giving.bar_words import say
from tracker.ledger import supporters
from tracker.ledger.store import reading
from tracker.paths import STATIC
from tracker.web.cache.bars import bars
from tracker.web.embed.bar_views import FRAME_STYLE, THEME_STYLE, asked_bar, colours, with_embed_headers
from tracker.web.embed.colours import as_style
from tracker.web.headers import may_be_framed
from tracker.web.site import settings

bp = Blueprint("wall", __name__)

ON_A_PAGE = 20
# Without a limit, a stranger could make the database count ever further back.
MOST_PAGES = 500
WALL_STYLE = (STATIC / "frame-wall.css").read_text(encoding="utf-8").partition("*/")[2].strip()


@bp.get("/embed/<slug>/wall")
def wall(slug: str) -> Response:
    """Names that donors chose to show and an editor has allowed, the newest first; empty pages say so."""
    bar, looks = asked_bar(slug)
    number = _page()
    bars().made_until_written()
    found = names(bar, ON_A_PAGE + 1, skip=(number - 1) * ON_A_PAGE)
    style = wall_style(bar, looks, WALL_STYLE)
    words = {
        "heading": say(bar.speaks, "From supporters"),
        "nameless": say(bar.speaks, "A supporter"),
        "empty": say(bar.speaks, "No names yet."),
        "older": say(bar.speaks, "Earlier names") if len(found) > ON_A_PAGE and number < MOST_PAGES else "",
        "newest": say(bar.speaks, "Newest names") if number > 1 else "",
    }
    html = render_template(
        "embed/wall.html", bar=bar, names=found[:ON_A_PAGE], words=words, style=style,
        older=_address(number + 1), newest=_address(1),
    )  # fmt: skip
    may_be_framed(settings(), style=style)
    return told_at_once(with_embed_headers(make_response(html), bar, ""))


def names(bar: Bar, limit: int, skip: int = 0) -> list[Any]:
    """Names and messages from the month, or the drive, that a bar shows; newest first."""
    zone = bar.campaign.time_zone
    starts, ends = bar.month.first_moment(zone), bar.month.next.first_moment(zone)
    if bar.drive:
        starts, ends = bar.drive.starts_at, bar.drive.ends_at or ends
    with reading() as session:
        return supporters.shown(
            session, bar.campaign, settings().live, limit, starts=starts, ends=ends, skip=skip
        )  # fmt: skip


def wall_style(bar: Bar, looks: BarStyle, own: str) -> str:
    """The style of a frame other than the bar, in the bar's colours and on its background."""
    return FRAME_STYLE + own + THEME_STYLE[looks.theme] + as_style(colours(bar, looks), looks.theme)


def told_at_once(response: Response) -> Response:
    """No cache shows a name for longer than a second after an editor has hidden it, not even while it asks for a newer page."""
    response.headers["Cache-Control"] = "public, max-age=1, must-revalidate"
    return response


def _page() -> int:
    """The page that is asked for; the first if there is no such page."""
    asked = request.args.get("page", "")
    return min(max(int(asked), 1), MOST_PAGES) if asked.isascii() and asked.isdecimal() and len(asked) < 5 else 1


def _address(number: int) -> str:
    """This wall's address for another page of it."""
    kept = {name: text for name, text in request.args.items() if name != "page"}
    query = urlencode(kept | ({"page": str(number)} if number > 1 else {}))
    return f"{request.path}?{query}" if query else request.path
