"""A news site beside an app of ours, each at an origin of its own."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from flask import Flask
from serving import serving


@dataclass
class Site:
    """A news site at another origin than Pledgebar's, and what a browser asked of both."""

    app: Flask
    ours: str = ""
    news: str = ""
    html: str = ""
    asked: list[str] = field(default_factory=list)

    def article(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        html = self.html if environ["PATH_INFO"] == "/" else "<p>Another page.</p>"
        return [
            f'<!doctype html><html lang="en"><title>News</title><link rel="icon" href="data:,">{html}</html>'.encode()
        ]

    def pledgebar(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Any:
        self.asked.append(environ["PATH_INFO"] + "?" + environ["QUERY_STRING"])
        return self.app.wsgi_app(environ, start_response)

    def prints(self, html: str) -> str:
        self.html = html.replace("OURS", self.ours)
        self.asked.clear()
        return f"{self.news}/"

    def counted(self) -> dict[tuple[str, str], int]:
        """Loads by carrier and article that stand to be written down."""
        return {kind[1:3]: times for kind, times in self.app.extensions["visits"]._counts.items()}

    def asks_again(self) -> list[str]:
        return [one for one in self.asked if one.endswith("uncounted=1")]


@contextmanager
def news_site(app: Flask) -> Iterator[Site]:
    made = Site(app)
    with serving(made.pledgebar) as made.ours, serving(made.article) as news:
        # Another site by its name, too.
        made.news = news.replace("127.0.0.1", "localhost")
        yield made
