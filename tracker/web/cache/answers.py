"""The bar's answers as bytes in memory, in front of everything else: a load costs little more than that of a file.

Each is made by the app at the first load, and again at the first load after its bar has changed. In between it is given
out as it is: whole, compressed, or as the news that nothing has changed.
"""

import base64
import hashlib
import threading
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from functools import lru_cache
from typing import Any

import brotli
from flask import Flask, Response, g, request
from werkzeug.http import parse_accept_header
from werkzeug.test import create_environ, run_wsgi_app

from tracker.giving.bar_style import read_source
from tracker.web.cache.bars import BarCache, Kept, Written
from tracker.web.proxies import OUR_OWN
from tracker.web.visit_counter import Kind, Visits

PATHS = ("/embed/", "/oembed")
# Strangers can write any address; so many answers are a few megabytes, and pictures are larger.
MOST_KEPT = 4000
MOST_BYTES = 32 * 2**20
# An article's id in any script: escaped, a letter takes up to twelve characters.
LONGEST_QUERY = 1200
# Marks requests for the same answer that are not a reader's load: previews, and bars on open pages that ask again.
UNCOUNTED = "uncounted=1"
# Made again for each encoding; and what says nothing about a bar, which has no permissions to ask for and opens nothing.
_LEFT_OUT = ("ETag", "Content-Length", "Vary", "Permissions-Policy", "Cross-Origin-Opener-Policy")
_LEAVE = "tracker.may_be_kept"
# In a request that makes such an answer again: it waits at no gate, so that a new number shows at once.
MADE_AGAIN = "tracker.made_again"
_TEXTS = ("text/", "application/json", "image/svg+xml", "application/manifest")

Environ = dict[str, Any]
Start = Callable[[str, list[tuple[str, str]]], Any]


@dataclass(frozen=True)
class Variant:
    """One encoding of an answer, ready to be sent."""

    tag: str
    headers: list[tuple[str, str]]
    headers_304: list[tuple[str, str]]
    body: bytes


@dataclass(frozen=True)
class Answer:
    """An answer in its encodings, and the bar that it was made of."""

    status: str
    variants: dict[str, Variant]
    made_of: Kept | Written | None
    """None where it shows no bar, and is the same for ever."""
    counts_as: Kind | None = None
    """As what a load is counted; None where it is not."""
    cacheable: bool = True
    made_again: threading.Lock = field(default_factory=threading.Lock)
    """Held by the one who makes the next answer in its place."""

    @property
    def current(self) -> bool:
        return self.made_of is None or self.made_of.current

    @property
    def size(self) -> int:
        return sum(len(variant.body) for variant in self.variants.values())


def mark_cacheable(response: Response, slug: str, carrier: str) -> None:
    """A view's leave to keep its answer until the bar changes that it is made of.

    What is no carrier of a bar has no `carrier`, and its loads are not counted.
    """
    if _LEAVE in request.environ and response.status_code == 200:
        came = read_source(request.args)
        request.environ[_LEAVE].append(((slug, carrier, came["src"], came["pos"]), g.get("made_of")))


class ResponseCache:
    """Middleware with the bar's answers. Keeps none while nothing watches the database."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], app: Flask) -> None:
        self.wsgi, self.app = wsgi, app
        self._bars: BarCache = app.extensions["bars"]
        self._visits: Visits = app.extensions["visits"]
        self._answers: dict[tuple[str, str], Answer] = {}
        self._bytes = 0
        self._lock = threading.Lock()
        """Held for a moment by whoever keeps an answer."""

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        method = environ["REQUEST_METHOD"]
        if not path.startswith(PATHS) or (method != "GET" and method != "HEAD") or not self._bars.watched:
            return self.wsgi(environ, start_response)
        query = environ.get("QUERY_STRING", "")
        if uncounted := UNCOUNTED in query.split("&"):
            query = "&".join(part for part in query.split("&") if part != UNCOUNTED)
        answer = self._answers.get((path, query))
        if answer is None or not answer.current:
            answer = self._made((path, query), answer)
        encoding = _best_encoding(environ.get("HTTP_ACCEPT_ENCODING", "")[:1000])
        variant = answer.variants.get(encoding) or answer.variants[""]
        if method == "GET" and answer.counts_as and not uncounted:
            self._visits.count(answer.counts_as)
        known = environ.get("HTTP_IF_NONE_MATCH")
        if known and variant.tag and (variant.tag in known or known.strip() == "*"):
            start_response("304 Not Modified", self._shared(environ, variant.headers_304))
            return []
        start_response(answer.status, self._shared(environ, variant.headers) if variant.tag else variant.headers)
        # Lists: the server sends them as they are, and asks anything else for its pieces, at twice the cost.
        return [variant.body] if method == "GET" else []

    def _shared(self, environ: Environ, headers: list[tuple[str, str]]) -> list[tuple[str, str]]:
        """The headers, and for nginx that the answer is good until this second ends (docs/nginx.conf).

        nginx counts in whole seconds: told “for a second”, it would show an answer for up to two.
        """
        if "HTTP_X_SHARED_CACHE" not in environ:
            return headers
        return [*headers, ("X-Accel-Expires", f"@{int(time.time())}")]

    # --- Making -------------------------------------------------------------------------------------------------------

    def _made(self, key: tuple[str, str], old: Answer | None) -> Answer:
        if old and not old.made_again.acquire(blocking=False):
            # Somebody else has just begun with it; so many may come at once that all of them would wait for each other.
            return old
        try:
            answer = self._make(*key, again=old is not None)
            self._keep(key, answer)
            return answer
        finally:
            if old:
                old.made_again.release()

    def _make(self, path: str, query: str, *, again: bool = False) -> Answer:
        """Has the app answer, without anything of the reader's request but the address."""
        environ = create_environ("/", base_url=self.app.extensions["settings"].public_url)
        leave: list[tuple[Kind, Kept | Written | None]] = []
        environ |= {"PATH_INFO": path, "QUERY_STRING": query, _LEAVE: leave, OUR_OWN: True}
        if again:
            environ[MADE_AGAIN] = True
        pieces, status, headers = run_wsgi_app(self.wsgi, environ, buffered=True)
        body = b"".join(pieces)
        plain = [(name, value) for name, value in headers if name not in _LEFT_OUT]
        if not leave:
            whole = Variant("", [*plain, ("Content-Length", str(len(body)))], plain, body)
            return Answer(status, {"": whole}, None, cacheable=False)
        kind, made_of = leave[0]
        return Answer(status, _variants(plain, body), made_of, kind if kind[1] else None)

    def _keep(self, key: tuple[str, str], answer: Answer) -> None:
        with self._lock:
            if old := self._answers.pop(key, None):
                self._bytes -= old.size
            if not answer.cacheable or len(key[1]) > LONGEST_QUERY:
                return
            if len(self._answers) >= MOST_KEPT or self._bytes >= MOST_BYTES:
                # All of them, to be made again when somebody asks.
                self._answers.clear()
                self._bytes = 0
            self._answers[key] = answer
            self._bytes += answer.size


@lru_cache(1000)
def _best_encoding(accepted: str) -> str:
    """What suits an Accept-Encoding header best; browsers send few different ones."""
    best = parse_accept_header(accepted).best_match(("br", "gzip", "identity"))
    return best if best in ("br", "gzip") else ""


def _variants(headers: list[tuple[str, str]], body: bytes) -> dict[str, Variant]:
    digest = base64.urlsafe_b64encode(hashlib.sha256(body).digest()[:12]).decode()
    kind = dict(headers).get("Content-Type", "")
    bodies = {"": body}
    if kind.startswith(_TEXTS):
        headers = [*headers, ("Vary", "Accept-Encoding")]
        squeeze = zlib.compressobj(9, zlib.DEFLATED, 31)
        bodies["gzip"] = squeeze.compress(body) + squeeze.flush()
        bodies["br"] = brotli.compress(body, quality=6, lgwin=14)
    return {encoding: _variant(encoding, headers, one, digest) for encoding, one in bodies.items()}


def _variant(encoding: str, headers: list[tuple[str, str]], body: bytes, digest: str) -> Variant:
    tag = f'"{digest}-{encoding}"' if encoding else f'"{digest}"'
    shared = [*headers, ("ETag", tag)]
    named = [("Content-Encoding", encoding)] if encoding else []
    # What a 304 must repeat (RFC 9110, 15.4.5), and the policies, which browsers take from it.
    repeated = (
        "Cache-Control", "Vary", "ETag", "Content-Security-Policy", "Access-Control-Allow-Origin",
        "Cross-Origin-Resource-Policy", "Cross-Origin-Embedder-Policy",
    )  # fmt: skip
    return Variant(
        tag,
        [*shared, *named, ("Content-Length", str(len(body)))],
        [(name, value) for name, value in shared if name in repeated],
        body,
    )
