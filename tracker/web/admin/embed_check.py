"""Says in plain words whether an article shows the bar, and what keeps it from doing so."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext

from tracker.giving.bar_style import frame_heights, read_bar_style, tidy
from tracker.web.admin import csp
from tracker.web.admin.embed_finder import Article, Found, read_article
from tracker.web.admin.page_fetcher import Fetched, origin
from tracker.web.admin.snippet_code import NEEDS

Level = Literal["good", "look", "bad"]
NAMES = {"frame": lazy_gettext("frame"), "element": "<pledge-bar>", "picture": lazy_gettext("picture")}
# What a snippet says until somebody puts the article's id there.
PLACEHOLDER = re.compile(r"ARTICLE(-ID)?|.*[{}%<>\[\]$].*")


@dataclass(frozen=True)
class Finding:
    """`good`, `look` (may well be meant) or `bad`; what was found, and what to do about it."""

    level: Level
    words: str
    hint: str = ""


@dataclass(frozen=True)
class Ours:
    """What the article is held against: our address, the campaign, every campaign there is, and who may frame us."""

    public_url: str
    slug: str
    slugs: Sequence[str]
    embed_on: str


def check(page: Fetched, ours: Ours) -> list[Finding]:
    """Every finding about a page; never empty. Nothing is asked of anybody here."""
    article = read_article(page.html, page.url, ours.public_url)
    bars = [one for one in article.of("frame", "element", "picture") if one.ours]
    findings = [*_elsewhere(article, ours), *_campaigns(bars, ours)]
    if not bars:
        return [*_nothing(article, ours), *findings]
    for one in bars:
        findings += _one(one, article, ours)
    policies = csp.read_policies([*page.policies, *article.policies])
    return [
        *_how_many(bars, ours), *findings, *_places(bars), *_titles(article),
        *_may_be_loaded(bars, article, policies, ours), *_may_be_framed(bars, page, ours),
    ]  # fmt: skip


# --- What is there ----------------------------------------------------------------------------------------------------


def _nothing(article: Article, ours: Ours) -> Iterator[Finding]:
    if article.as_text:
        yield Finding(
            "bad",
            _("The snippet is in the article as text: readers see its code."),
            _("Paste it where your system takes HTML, such as a “Custom HTML” block, and not into the text itself."),
        )
        return
    if any(one.slug in ours.slugs for one in article.of("link")):
        yield Finding(
            "look",
            _("There is a link to the campaign, but no bar."),
            _("If you pasted a frame, your system removed it: paste the campaign's address instead, or use a picture."),
        )
        return
    yield Finding(
        "bad",
        _("The bar is not in this page as its server sends it."),
        _(
            "Has the article been published with the snippet in it? Is a cache still sending an older version? A snippet"
            " that a script or a tag manager adds later cannot be seen here."
        ),
    )


def _elsewhere(article: Article, ours: Ours) -> Iterator[Finding]:
    for one in article.of("frame", "element", "picture"):
        if not one.ours and one.slug in ours.slugs:
            there = origin(urlsplit(one.url))
            yield Finding(
                "bad",
                _("There is a bar from another address, %(address)s.", address=there),
                _(
                    "Ours is %(address)s: copy the snippet from this page again, or correct TRACKER_PUBLIC_URL.",
                    address=ours.public_url,
                ),
            )


def _campaigns(bars: list[Found], ours: Ours) -> Iterator[Finding]:
    for slug in sorted({one.slug for one in bars} - {ours.slug}):
        if slug in ours.slugs:
            yield Finding(
                "look",
                _("There is a bar of another campaign, “%(campaign)s”.", campaign=slug),
                _("This page is about “%(campaign)s”.", campaign=ours.slug),
            )
        else:
            words = _("There is a bar of a campaign that does not exist, “%(campaign)s”.", campaign=slug)
            yield Finding("bad", words, _("Was it misspelt?"))


def _how_many(bars: list[Found], ours: Ours) -> Iterator[Finding]:
    shown = [one for one in bars if one.slug == ours.slug]
    for kind, number in Counter(one.kind for one in shown).items():
        places = ", ".join(one.asked("pos") or _("no place named") for one in shown if one.kind == kind)
        articles = ", ".join(
            sorted({f"“{one.asked('src')}”" for one in shown if one.kind == kind and one.asked("src")})
        )
        there = _so_many(kind, number)
        if articles:
            words = _(
                "The bar is there: %(bars)s of article %(articles)s (%(places)s).",
                bars=there,
                articles=articles,
                places=places,
            )
        else:
            words = _("The bar is there: %(bars)s (%(places)s).", bars=there, places=places)
        yield Finding("good", words)


def _so_many(kind: str, number: int) -> str:
    if kind == "frame":
        return _("one frame") if number == 1 else ngettext("%(num)s frame", "%(num)s frames", number)
    if kind == "picture":
        return _("one picture") if number == 1 else ngettext("%(num)s picture", "%(num)s pictures", number)
    return _("one <pledge-bar>") if number == 1 else f"{number} <pledge-bar>"


def _one(one: Found, article: Article, ours: Ours) -> Iterator[Finding]:
    """What may be wrong with a carrier by itself."""
    where = _where(one)
    if one.noscript:
        yield Finding(
            "look",
            _("%(bar)s is only there for readers without JavaScript.", bar=where),
            _("Paste it outside of <noscript>."),
        )
    if one.late:
        yield Finding(
            "look",
            _("%(bar)s is loaded late by one of the site's scripts.", bar=where),
            _("It already has loading=lazy: tell your system to leave it as it is."),
        )
    if one.kind == "element" and not any(_is_script(address, one, ours) for address, _ in article.scripts):
        yield Finding(
            "bad",
            _("<pledge-bar> is there without its script: readers see only a link."),
            _(
                "Add %(script)s once to the page.",
                script=f'<script src="{ours.public_url}/embed/bar.js" async></script>',
            ),
        )
    if one.kind == "picture" and not one.attributes.get("alt", "").strip():
        yield Finding(
            "look",
            _("%(bar)s has no alt text: people who cannot see it learn nothing.", bar=where),
            _("Copy the snippet again."),
        )
    if one.kind == "picture" and not one.in_link:
        yield Finding(
            "look",
            _("%(bar)s is not in a link: it leads nobody to the form.", bar=where),
            _("Copy the snippet again, link and all."),
        )
    if one.kind == "frame":
        yield from _frame(one, where)
    source = one.asked("src")
    if not source:
        yield Finding(
            "look",
            _("%(bar)s does not say which article it is in.", bar=where),
            _("Put src= with the article's id into its address, and the admin shows what each article brings."),
        )
    elif PLACEHOLDER.fullmatch(source) or tidy(source, 64) != source:
        yield Finding(
            "look",
            _(
                "%(bar)s names the article “%(article)s”, which looks like a placeholder.",
                bar=where,
                article=source[:40],
            ),
            _("Have your system put the article's id there: letters, digits and -_.~/, up to 64."),
        )


def _where(one: Found) -> str:
    """A carrier at the beginning of a sentence: “The top frame”."""
    if one.asked("pos"):
        return _("The %(place)s %(carrier)s", place=one.asked("pos"), carrier=NAMES[one.kind])
    return _("The %(carrier)s", carrier=NAMES[one.kind])


def _is_script(address: str, one: Found, ours: Ours) -> bool:
    return address.partition("?")[0] in (f"{ours.public_url}/embed/bar.js", f"{origin(urlsplit(one.url))}/embed/bar.js")


def _frame(one: Found, where: str) -> Iterator[Finding]:
    sandbox = one.attributes.get("sandbox")
    way_out = ("allow-top-navigation", "allow-top-navigation-by-user-activation")
    # WordPress puts addresses that were pasted into a sandbox of its own, in which the frame speaks to it.
    pasted = "wp-embedded-content" in one.attributes.get("class", "")
    if sandbox is not None and not pasted and not any(word in sandbox.lower().split() for word in way_out):
        yield Finding(
            "bad",
            _("%(bar)s is in a sandbox that its button cannot lead out of.", bar=where),
            _("Remove the sandbox attribute, or add allow-top-navigation-by-user-activation to it."),
        )
    height = one.attributes.get("height", "")
    asked = {name: one.asked(name) for name in ("size", "committed", "count", "days")}
    least = frame_heights(read_bar_style(asked))[0]
    if re.fullmatch(r"\d{1,4}(px)?", height) and int(height.removesuffix("px")) < least:
        words = _("%(bar)s is %(height)s high, and the bar needs %(least)s.", bar=where, height=height, least=least)
        yield Finding("look", words, _("Copy the snippet again."))


def _places(bars: list[Found]) -> Iterator[Finding]:
    frames = [one for one in bars if one.kind in ("frame", "element")]
    places = [one.asked("pos") for one in frames]
    for place, number in Counter(places).items():
        if number > 1:
            if place:
                words = ngettext(
                    "%(num)s bar says that it is at “%(place)s”: they cannot be told apart.",
                    "%(num)s bars say that they are at “%(place)s”: they cannot be told apart.",
                    number,
                    place=place,
                )
            else:
                words = ngettext(
                    "%(num)s bar does not say where it is: they cannot be told apart.",
                    "%(num)s bars do not say where they are: they cannot be told apart.",
                    number,
                )
            yield Finding("look", words, _("Use pos=top above and pos=bottom below."))
    if len(frames) == 1 and "top" in places:
        yield Finding(
            "look",
            _("There is no bar below the article."),
            _("Add the snippet for pos=bottom: people who read to the end are the ones who give."),
        )
    if len(frames) == 1 and "bottom" in places:
        yield Finding(
            "look", _("There is no bar above the article."), _("Add the snippet for pos=top: more people see it.")
        )


def _titles(article: Article) -> Iterator[Finding]:
    frames = [one for one in article.of("frame") if one.ours]
    titles = [one.attributes.get("title", "").strip() for one in frames]
    if not all(titles):
        yield Finding(
            "bad",
            _("A frame has no title: a screen reader cannot say what it is."),
            _('Add title="…" to the iframe.'),
        )
    if any(number > 1 for title, number in Counter(titles).items() if title):
        yield Finding("look", _("Two frames have the same title."), _("Give each its own, such as “(top of article)”."))


# --- Whether it is let in ---------------------------------------------------------------------------------------------


def _may_be_loaded(bars: list[Found], article: Article, policies: list[csp.Policy], ours: Ours) -> Iterator[Finding]:
    secure = article.url.startswith("https://")
    shut: set[tuple[str, str]] = set()
    for one in bars:
        if secure and one.url.startswith("http://") and not csp.upgraded(policies):
            yield Finding(
                "bad",
                _(
                    "The %(carrier)s is asked for by http:// on an https:// page: browsers refuse that.",
                    carrier=NAMES[one.kind],
                ),
                _("Copy the snippet from here again; TRACKER_PUBLIC_URL is %(address)s.", address=ours.public_url),
            )
        there = origin(urlsplit(one.url))
        for kind, asked in _needs(one, article, there):
            nonce = next((nonce for address, nonce in article.scripts if address == asked), "")
            name = csp.objection(policies, kind, asked, article.url, nonce)
            if name and (kind, there) not in shut:
                shut.add((kind, there))
                yield _forbidden(one, kind, name, there)


def _needs(one: Found, article: Article, there: str) -> list[tuple[str, str]]:
    """What the article must be allowed to load for a carrier, as (kind, address)."""
    if one.kind == "element":
        script = next(
            (address for address, _ in article.scripts if "/embed/bar.js" in address), f"{there}/embed/bar.js"
        )
        return list(zip(NEEDS["element"], (script, f"{there}/embed/{one.slug}.json"), strict=True))
    return [(kind, one.url) for kind in NEEDS[one.kind]]


def _forbidden(one: Found, kind: str, name: str, there: str) -> Finding:
    what = {
        "frame-src": _("The article's own Content-Security-Policy forbids the frame: readers see an empty box."),
        "img-src": _("The article's own Content-Security-Policy forbids the picture."),
        "script-src": _(
            "The article's own Content-Security-Policy forbids the script of <pledge-bar>: readers see only a link."
        ),
        "connect-src": _("The article's own Content-Security-Policy forbids the numbers of <pledge-bar>."),
    }[kind]
    if name == kind:
        because = _("It says so in %(directive)s.", directive=name)
    else:
        because = _("There is no %(missing)s in it, so %(directive)s decides.", missing=kind, directive=name)
    mend = _("Add %(address)s to %(directive)s in the site's policy.", address=there, directive=kind)
    if len(NEEDS[one.kind]) > 1:
        first, second = NEEDS[one.kind]
        mend += " " + _("It needs %(first)s and %(second)s.", first=first, second=second)
    return Finding("bad", f"{what} {because}", mend)


def _may_be_framed(bars: list[Found], page: Fetched, ours: Ours) -> Iterator[Finding]:
    if not any(one.kind == "frame" for one in bars):
        return
    site = origin(urlsplit(page.url))
    if not csp.allowed(ours.embed_on.split(), page.url, ours.public_url):
        yield Finding(
            "bad",
            _("TRACKER_EMBED_ON does not name %(site)s: readers see an empty frame.", site=site),
            _("Add %(site)s to it after a space, and restart Pledgebar.", site=site),
        )
