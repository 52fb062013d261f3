"""What WordPress makes of the HTML of a provider that it does not know, so that the demo shows an article as it would."""

import secrets
from html import escape
from html.parser import HTMLParser

ALLOWED = {
    "a": {"href"},
    "blockquote": set[str](),
    "iframe": {"src", "width", "height", "frameborder", "marginwidth", "marginheight", "scrolling", "title"},
}


def embedded(html: str) -> str:
    """A blockquote and a frame of `html`, the frame in a sandbox, unseen until it has told the blockquote's secret.

    Empty where there is no frame: WordPress then shows the pasted address as a link.
    """
    found = _Reduced(html)
    if "src" not in found.frame:
        return ""
    secret = secrets.token_hex(5)
    frame = found.frame | {"src": f"{found.frame['src']}#?secret={secret}", "data-secret": secret}
    frame |= {"class": "wp-embedded-content", "sandbox": "allow-scripts"}
    quote = ""
    if found.quote:
        frame["style"] = "position: absolute; visibility: hidden;"
        quote = f'<blockquote class="wp-embedded-content" data-secret="{secret}">{found.quote}</blockquote>'
    return quote + _tag("iframe", frame) + "</iframe>"


class _Reduced(HTMLParser):
    """The first blockquote with the links in it, and the first frame, each with the attributes that are kept."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.quote = ""
        self.frame: dict[str, str] = {}
        self._inside = False
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        kept = {name: value or "" for name, value in attrs if name in ALLOWED.get(tag, ())}
        if tag == "iframe" and not self.frame:
            self.frame = kept
        elif tag == "blockquote":
            self._inside = not self.quote
        elif tag == "a" and self._inside:
            self.quote += _tag(tag, kept)

    def handle_endtag(self, tag: str) -> None:
        if tag == "blockquote":
            self._inside = False
        elif tag == "a" and self._inside:
            self.quote += "</a>"

    def handle_data(self, data: str) -> None:
        if self._inside:
            self.quote += escape(data)


def _tag(name: str, attributes: dict[str, str]) -> str:
    return f"<{name}" + "".join(f' {key}="{escape(value)}"' for key, value in attributes.items()) + ">"
