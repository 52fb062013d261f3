"""The demo paper's pages about the bar itself: one for each way in which it can be carried, on a site as it would be."""

import json
from dataclasses import dataclass
from http.client import HTTPException
from typing import Any
from urllib.parse import urlencode
from urllib.request import urlopen

from flask import Blueprint, abort, g, render_template

from tracker.demo.wordpress import embedded

TIMEOUT_SECONDS = 3


@dataclass(frozen=True)
class Carrier:
    """One way of showing the bar: its page's name, a title, what it is in a sentence, and where it works."""

    name: str
    title: str
    lead: str
    works: str


CARRIERS = (
    Carrier(
        "frame",
        "The frame",
        "A frame of a kilobyte, without a script, for the top and the bottom of an article.",
        "Wherever a CMS lets you paste an iframe.",
    ),
    Carrier(
        "element",
        "The element",
        "Two lines of HTML that become a part of the page; until then, and without script, a link.",
        "Your own templates, static sites, any CMS that lets a script in.",
    ),
    Carrier(
        "strict",
        "Under a strict policy",
        "Frame and element on a page that lets nothing in but what it names.",
        "Sites with a Content-Security-Policy, trusted types included.",
    ),
    Carrier(
        "wordpress",
        "WordPress",
        "The address of the supporter’s page, pasted on a line of its own.",
        "Any WordPress, with nothing installed, for authors who may not paste HTML.",
    ),
    Carrier(
        "pasted",
        "A pasted address",
        "The same address in any system that asks where it leads.",
        "Systems that take oEmbed from every site. Ghost does not: use an HTML card with the frame there.",
    ),
    Carrier(
        "picture",
        "The picture",
        "A linked picture where neither frames nor scripts are allowed.",
        "AMP pages, feeds, forums, wikis, a README.",
    ),
    Carrier(
        "newsletter",
        "The newsletter",
        "A picture that is fresh whenever the letter is opened, with the numbers in words for those who see none.",
        "Any newsletter. Pictures are never counted as readers.",
    ),
    Carrier(
        "data",
        "The numbers",
        "JSON for programs, and one line of text for everything else.",
        "Static sites, apps, terminals, chat bots, a screen in the newsroom.",
    ),
    Carrier(
        "wall",
        "The supporters’ wall",
        "The names and words that donors chose to show and an editor has allowed, in a frame.",
        "Beside the comments, at the end of an article, on a page that says thank you.",
    ),
    Carrier(
        "ticker",
        "The ticker",
        "The same number on a whole screen, with the newest names. It follows by itself.",
        "A projector or a stream, on the evening of a drive.",
    ),
    Carrier(
        "print",
        "On paper",
        "A notice in the printed edition, with a code that leads to the page.",
        "Print, posters, the back of an envelope, the last frame of a video.",
    ),
)


def pages(app_url: str, campaign: str) -> Blueprint:
    """The pages below `/bar/`, with the bar of `campaign` from `app_url`."""
    bp = Blueprint("carriers", __name__, url_prefix="/bar")
    known = {carrier.name: carrier for carrier in CARRIERS}

    @bp.get("/")
    def index() -> str:
        return render_template("carriers/index.html", carriers=CARRIERS)

    @bp.get("/<name>")
    def one(name: str) -> str:
        carrier = known.get(name) or abort(404)
        g.policy = _policy(name, app_url)
        told = _told(name, app_url, campaign)
        return render_template(f"carriers/{name}.html", carrier=carrier, campaign=campaign, policy=g.policy, **told)

    @bp.get("/newsletter/letter")
    def letter() -> str:
        g.policy = _policy("picture", app_url)
        words = _asked(f"{app_url}/embed/{campaign}.txt").strip()
        return render_template("carriers/letter.html", campaign=campaign, words=words)

    return bp


def _told(name: str, app_url: str, campaign: str) -> dict[str, Any]:
    """What a page has this site's own server fetch from the bar, as a build of a static site or a CMS would."""
    page = f"{app_url}/c/{campaign}"
    if name == "data":
        told = _asked(f"{app_url}/embed/{campaign}.json")
        return {"told": told, "bar": json.loads(told or "{}"), "line": _asked(f"{app_url}/embed/{campaign}.txt")}
    if name in ("wordpress", "pasted"):
        limits = {"maxwidth": 600, "maxheight": 900} if name == "wordpress" else {}
        asked = f"{app_url}/oembed?" + urlencode({"url": page, "format": "json"} | limits)
        answer = json.loads(_asked(asked) or "{}")
        html = str(answer.get("html", ""))
        return {"page": page, "asked": asked, "answer": answer, "html": embedded(html) if name == "wordpress" else html}
    return {}


def _asked(url: str) -> str:
    """What is at an address; nothing where nobody answers, and the page then says so."""
    try:
        with urlopen(url, timeout=TIMEOUT_SECONDS) as answer:  # noqa: S310
            return str(answer.read().decode())
    except (OSError, HTTPException):
        return ""


def _policy(name: str, app_url: str) -> dict[str, str]:
    """What each of these pages lets in, beside what every page of this site does."""
    if name in ("element", "strict"):
        more = {"script-src": app_url, "connect-src": app_url}
        # No style attribute here: the snippet's height is in the site's own style sheet.
        return more | {"style-src": "'self'", "require-trusted-types-for": "'script'"} if name == "strict" else more
    if name in ("picture", "print"):
        return {"img-src": f"'self' {app_url}", "frame-src": "'none'"}
    return {"wordpress": {"script-src": "'self'"}, "newsletter": {"frame-src": "'self'"}}.get(name, {})
