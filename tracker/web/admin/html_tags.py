"""Reads a stranger's HTML tag by tag, in a time that grows with its length and no faster.

Python's own parser needs minutes for two megabytes that are made for it, and stumbles over some.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from html import unescape

_TAG = re.compile(r"<(?:(!--)|(/?)([a-zA-Z][^\s/>]*))")
_GAP = re.compile(r"[\s/]*")
_NAME = re.compile(r"=?[^\s/>=]*")
_EQUALS = re.compile(r"\s*=\s*")
_BARE = re.compile(r"[^\s>]*")
_LONGEST_VALUE = 4000
# Up to their end tag these hold letters and no tags.
_RAW = {name: re.compile(rf"</{name}(?=[\s/>])", re.IGNORECASE) for name in ("script", "style", "textarea", "title")}


@dataclass(frozen=True)
class Tag:
    """A start tag with its attributes, or an end tag, and the text for readers before it, as the source has it."""

    name: str
    attributes: dict[str, str]
    is_end: bool
    text: str


def tags(html: str) -> Iterator[Tag]:
    """Every tag in order, but those within comments and within elements that hold letters alone."""
    at = seen = 0
    while match := _TAG.search(html, at):
        if match[1]:
            end = html.find("-->", match.start() + 2)
            if end < 0:
                return
            at = end + 3
            continue
        name = match[3].lower()
        read = _attributes(html, match.end())
        if read is None:
            return
        attributes, at = read
        yield Tag(name, attributes, bool(match[2]), html[seen : match.start()])
        if name in _RAW and not match[2]:
            closing = _RAW[name].search(html, at)
            if closing is None:
                return
            at = closing.start()
        seen = at
    yield Tag("", {}, True, html[seen:])


def _attributes(html: str, at: int) -> tuple[dict[str, str], int] | None:
    """A tag's attributes, and where it ends; None when it never does."""
    given: dict[str, str] = {}
    while True:
        at = _end(_GAP, html, at)
        if at >= len(html):
            return None
        if html[at] == ">":
            return given, at + 1
        name, at = html[at : (end := _end(_NAME, html, at))].lower(), end
        value = ""
        if equals := _EQUALS.match(html, at):
            at = equals.end()
            quote = html[at : at + 1]
            if quote in ("'", '"'):
                end = html.find(quote, at + 1)
                if end < 0:
                    return None
                value, at = html[at + 1 : end], end + 1
            else:
                value, at = html[at : (end := _end(_BARE, html, at))], end
        given.setdefault(name, unescape(value[:_LONGEST_VALUE]))


def _end(pattern: re.Pattern[str], html: str, at: int) -> int:
    match = pattern.match(html, at)
    return match.end() if match else at
