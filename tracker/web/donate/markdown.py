"""A campaign's longer text: Markdown in, harmless HTML out."""

from functools import lru_cache

import nh3
from markdown_it import MarkdownIt
from markupsafe import Markup

_markdown = MarkdownIt("commonmark", {"html": False})
TAGS = {"p", "h2", "h3", "ul", "ol", "li", "em", "strong", "a", "blockquote", "br", "hr"}


@lru_cache(100)
def html(markdown: str) -> Markup:
    """The text as HTML with nothing in it but paragraphs, heads, lists, quotes, emphasis and links."""
    clean = nh3.clean(
        _markdown.render(markdown), tags=TAGS, attributes={"a": {"href"}}, url_schemes={"https", "http", "mailto"}
    )
    return Markup(clean)  # noqa: S704 - cleaned in the line above
