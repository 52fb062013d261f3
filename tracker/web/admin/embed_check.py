"""Says in plain words whether an article shows the bar, and what keeps it from doing so."""

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Literal
from urllib.parse import urlsplit

from tracker.giving.bar_style import frame_heights, read_bar_style, tidy
from tracker.web.admin import csp
from tracker.web.admin.embed_finder import Article, Found, read_article
from tracker.web.admin.page_fetcher import Fetched, origin
from tracker.web.admin.snippet_code import NEEDS

Level = Literal["good", "look", "bad"]
NAMES = {"frame": "frame", "element": "<pledge-bar>", "picture": "picture", "link": "link"}
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
            "The snippet stands in the article as text: readers see its code.",
            "Paste it where your system takes HTML, such as a “Custom HTML” block, and not into the text itself.",
        )
        return
    if any(one.slug in ours.slugs for one in article.of("link")):
        yield Finding(
            "look",
            "There is a link to the campaign, but no bar.",
            "If you pasted a frame, your system took it out: paste the campaign's address instead, or use a picture.",
        )
        return
    yield Finding(
        "bad",
        "The bar is not in this page as its server sends it.",
        "Is the article published with the snippet in it, and is a cache still sending an older one? A snippet that a"
        " script or a tag manager puts in later cannot be seen here.",
    )


def _elsewhere(article: Article, ours: Ours) -> Iterator[Finding]:
    for one in article.of("frame", "element", "picture"):
        if not one.ours and one.slug in ours.slugs:
            there = origin(urlsplit(one.url))
            yield Finding(
                "bad",
                f"There is a bar of another address, {there}.",
                f"Ours is {ours.public_url}: take the snippet from this page again, or mend TRACKER_PUBLIC_URL.",
            )


def _campaigns(bars: list[Found], ours: Ours) -> Iterator[Finding]:
    for slug in sorted({one.slug for one in bars} - {ours.slug}):
        if slug in ours.slugs:
            yield Finding(
                "look", f"There is a bar of another campaign, “{slug}”.", f"This page is about “{ours.slug}”."
            )
        else:
            yield Finding("bad", f"There is a bar of a campaign that is not there, “{slug}”.", "Was it misspelt?")


def _how_many(bars: list[Found], ours: Ours) -> Iterator[Finding]:
    shown = [one for one in bars if one.slug == ours.slug]
    for kind, number in Counter(one.kind for one in shown).items():
        places = ", ".join(one.asked("pos") or "no place named" for one in shown if one.kind == kind)
        articles = ", ".join(
            sorted({f"“{one.asked('src')}”" for one in shown if one.kind == kind and one.asked("src")})
        )
        of = f" of article {articles}" if articles else ""
        several = f"{number} {NAMES[kind]}s" if kind != "element" else f"{number} {NAMES[kind]}"
        yield Finding("good", f"The bar is there: {f'one {NAMES[kind]}' if number == 1 else several}{of} ({places}).")


def _one(one: Found, article: Article, ours: Ours) -> Iterator[Finding]:
    """What may be wrong with a carrier by itself."""
    where = f"The {one.asked('pos')} {NAMES[one.kind]}" if one.asked("pos") else f"The {NAMES[one.kind]}"
    if one.noscript:
        yield Finding("look", f"{where} is only there for readers without script.", "Paste it outside of <noscript>.")
    if one.late:
        yield Finding(
            "look",
            f"{where} is loaded late by a script of the site's.",
            "It has loading=lazy of its own: let your system leave it as it is.",
        )
    if one.kind == "element" and not any(_is_script(address, one, ours) for address, _ in article.scripts):
        yield Finding(
            "bad",
            "<pledge-bar> is there without its script: readers see a link only.",
            f'Add <script src="{ours.public_url}/embed/bar.js" async></script> once to the page.',
        )
    if one.kind == "picture" and not one.attributes.get("alt", "").strip():
        yield Finding(
            "look", f"{where} has no alt text: those who cannot see it learn nothing.", "Copy the snippet again."
        )
    if one.kind == "picture" and not one.in_link:
        yield Finding(
            "look", f"{where} is not in a link: nobody can give by it.", "Copy the snippet again, link and all."
        )
    if one.kind == "frame":
        yield from _frame(one, where)
    source = one.asked("src")
    if not source:
        yield Finding(
            "look",
            f"{where} does not say which article it is in.",
            "Put src= with the article's id into its address, and the admin shows what each article brings.",
        )
    elif PLACEHOLDER.fullmatch(source) or tidy(source, 64) != source:
        yield Finding(
            "look",
            f"{where} names the article “{source[:40]}”, which looks like a placeholder.",
            "Let your system put the article's id there: letters, digits and -_.~/, up to 64.",
        )


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
            f"{where} is in a sandbox out of which its button cannot lead.",
            "Take the sandbox attribute away, or add allow-top-navigation-by-user-activation to it.",
        )
    height = one.attributes.get("height", "")
    asked = {name: one.asked(name) for name in ("size", "committed", "count", "days")}
    least = frame_heights(read_bar_style(asked))[0]
    if re.fullmatch(r"\d{1,4}(px)?", height) and int(height.removesuffix("px")) < least:
        yield Finding("look", f"{where} is {height} high, and the bar needs {least}.", "Copy the snippet again.")


def _places(bars: list[Found]) -> Iterator[Finding]:
    frames = [one for one in bars if one.kind in ("frame", "element")]
    places = [one.asked("pos") for one in frames]
    for place, number in Counter(places).items():
        if number > 1:
            named = f"say that they are at “{place}”" if place else "do not say where they are"
            yield Finding(
                "look", f"{number} bars {named}: they cannot be told apart.", "Use pos=top above and pos=bottom below."
            )
    for this, other, words in (("top", "bottom", "below"), ("bottom", "top", "above")):
        if this in places and other not in places and len(frames) == 1:
            yield Finding(
                "look", f"There is none {words} the article.", f"Add the snippet for pos={other}: those who read to the end give."
            )  # fmt: skip


def _titles(article: Article) -> Iterator[Finding]:
    frames = [one for one in article.of("frame") if one.ours]
    titles = [one.attributes.get("title", "").strip() for one in frames]
    if not all(titles):
        yield Finding(
            "bad", "A frame has no title: a screen reader cannot say what it is.", 'Add title="…" to the iframe.'
        )
    if any(number > 1 for title, number in Counter(titles).items() if title):
        yield Finding("look", "Two frames have the same title.", "Give each its own, such as “(top of article)”.")


# --- Whether it is let in ---------------------------------------------------------------------------------------------


def _may_be_loaded(bars: list[Found], article: Article, policies: list[csp.Policy], ours: Ours) -> Iterator[Finding]:
    secure = article.url.startswith("https://")
    shut: set[tuple[str, str]] = set()
    for one in bars:
        if secure and one.url.startswith("http://") and not csp.upgraded(policies):
            yield Finding(
                "bad",
                f"The {NAMES[one.kind]} is asked for by http:// on an https:// page: browsers refuse that.",
                f"Take the snippet from here again; TRACKER_PUBLIC_URL is {ours.public_url}.",
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
        "frame-src": "the frame: readers see an empty box",
        "img-src": "the picture",
        "script-src": "the script of <pledge-bar>: readers see a link only",
        "connect-src": "the numbers of <pledge-bar>",
    }[kind]
    instead = f", and so says {name}" if name == kind else f" (there is no {kind}, so {name} decides)"
    others = f" It needs {' and '.join(NEEDS[one.kind])}." if len(NEEDS[one.kind]) > 1 else ""
    return Finding(
        "bad",
        f"The article's own Content-Security-Policy forbids {what}{instead}.",
        f"Add {there} to {kind} in the site's policy.{others}",
    )


def _may_be_framed(bars: list[Found], page: Fetched, ours: Ours) -> Iterator[Finding]:
    if not any(one.kind == "frame" for one in bars):
        return
    site = origin(urlsplit(page.url))
    if not csp.allowed(ours.embed_on.split(), page.url, ours.public_url):
        yield Finding(
            "bad",
            f"TRACKER_EMBED_ON does not name {site}: readers see an empty frame.",
            f"Add {site} to it, with a blank between, and start Pledgebar again.",
        )
