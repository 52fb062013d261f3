"""What is in an article's HTML: every carrier of the bar, with how it was put there."""

import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import SplitResult, parse_qs, urljoin, urlsplit

from tracker.web.admin.html_tags import tags

Kind = Literal["frame", "element", "picture", "link"]
TAGS: dict[str, Kind] = {
    "iframe": "frame", "amp-iframe": "frame", "pledge-bar": "element", "img": "picture", "amp-img": "picture",
}  # fmt: skip
MOST_FOUND = 50


@dataclass(frozen=True)
class Found:
    """One carrier in the article; `url` is its address in full, `slug` the campaign that it names."""

    kind: Kind
    url: str
    slug: str
    ours: bool
    """Whether its host is the one of our own address."""
    attributes: dict[str, str] = field(default_factory=dict)
    in_link: bool = False
    noscript: bool = False
    late: bool = False
    """Whether a script of the site's own puts the address in its place, to load it late."""

    def asked(self, name: str) -> str:
        """A parameter of its address."""
        return parse_qs(urlsplit(self.url).query).get(name, [""])[0]


@dataclass
class Article:
    """A page that has been read: what of ours is in it, and the policies and scripts that it names itself."""

    url: str
    found: list[Found] = field(default_factory=list)
    as_text: bool = False
    """Whether a snippet can be read on the page as code, since something took its brackets for letters."""
    policies: list[str] = field(default_factory=list)
    scripts: list[tuple[str, str]] = field(default_factory=list)
    """Every script of another file as (address, nonce)."""

    def of(self, *kinds: Kind) -> list[Found]:
        return [one for one in self.found if one.kind in kinds]


def read_article(html: str, url: str, public_url: str) -> Article:
    """Everything of ours in a page. `url` is its own address, `public_url` that of this Pledgebar."""
    article = Article(url)
    ours = urlsplit(public_url)
    snippet = re.compile(
        rf"&(?:lt|#60|#x3c);(?:iframe|pledge-bar|img)\b[^<>]{{0,300}}//{re.escape(ours.netloc)}/embed/"
    )
    base = url
    is_open: Counter[str] = Counter()
    for tag in tags(html):
        if not is_open["template"] and snippet.search(tag.text):
            article.as_text = True
        if tag.is_end:
            is_open[tag.name] -= is_open[tag.name] > 0
            continue
        if tag.name in ("a", "noscript", "template"):
            is_open[tag.name] += 1
        given = tag.attributes
        if tag.name == "base" and given.get("href"):
            base = _full(url, given["href"])
        elif tag.name == "meta" and given.get("http-equiv", "").lower() == "content-security-policy":
            article.policies.append(given.get("content", ""))
        elif tag.name == "script" and given.get("src"):
            article.scripts.append((_full(base, given["src"]), given.get("nonce", "")))
        elif not is_open["template"] and len(article.found) < MOST_FOUND:
            article.found += _carrier(tag.name, given, base, ours, is_open)
    everybody = {(one.kind, one.url) for one in article.found if not one.noscript}
    # A copy for readers without script says nothing new.
    article.found = [one for one in article.found if not one.noscript or (one.kind, one.url) not in everybody]
    return article


def _carrier(name: str, given: dict[str, str], base: str, ours: SplitResult, is_open: Counter[str]) -> list[Found]:
    """The carrier that a tag is, if it is one."""
    if name == "a":
        parts = _parts(base, given.get("href", ""))
        match = re.fullmatch(r"/(?:go|c)/([a-z0-9-]+)", parts.path) if parts else None
        return [Found("link", parts.geturl(), match[1], True)] if parts and match and same_host(parts, ours) else []
    if name not in TAGS:
        return []
    late = next((given[at] for at in ("data-src", "data-lazy-src", "data-original") if given.get(at)), "")
    is_late = bool(late) and "/embed/" not in given.get("src", "")
    parts = _parts(base, late if is_late else given.get("src", ""))
    match = re.fullmatch(r"/embed/([a-z0-9-]+)(\.(?:svg|png))?", parts.path) if parts else None
    if not parts or not match or (TAGS[name] == "picture") != bool(match[2]):
        return []
    in_link, noscript = is_open["a"] > 0, is_open["noscript"] > 0
    return [Found(TAGS[name], parts.geturl(), match[1], same_host(parts, ours), given, in_link, noscript, is_late)]


def same_host(one: SplitResult, other: SplitResult) -> bool:
    """Whether two addresses have the same host, by http or by https."""
    return one.hostname == other.hostname and _port(one) == _port(other)


def _port(parts: SplitResult) -> int | None:
    return None if parts.port in (80, 443) else parts.port


def _parts(base: str, address: str) -> SplitResult | None:
    try:
        parts = urlsplit(_full(base, address))
        return parts if parts.scheme in ("http", "https") and parts.port != 0 else None
    except ValueError:  # a port that is none
        return None


def _full(base: str, address: str) -> str:
    try:
        return urljoin(base, address.strip())
    except ValueError:  # half an IPv6 address
        return ""
