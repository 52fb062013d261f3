"""The bar's answers as bytes in memory, in front of everything else: a load costs little more than that of a file.

Each answer is made by the app at the first load and again as soon as its number, its month or its looks change, and is
then given out as it is: whole, compressed, or as the news that nothing has changed.
"""

import base64
import hashlib
import re
import time
import zlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import brotli
from flask import Flask, Response, request
from werkzeug.test import create_environ, run_wsgi_app

from tracker.giving.bar_style import read_source
from tracker.web.bar_cache import BarCache
from tracker.web.proxies import OUR_OWN
from tracker.web.visit_counter import Counter, Visits

PATHS = ("/embed/", "/oembed")
# Strangers can write any address; so many answers are a few megabytes, and pictures are larger.
MOST_KEPT = 4000
MOST_BYTES = 32 * 2**20
LONGEST_QUERY = 500
# So many of the answers that are asked for are made anew when the number changes, before anybody asks.
MADE_AHEAD = 100
# Made again for each encoding; and what says nothing about a bar, which has no permissions to ask for and opens nothing.
_LEFT_OUT = ("ETag", "Content-Length", "Vary", "Permissions-Policy", "Cross-Origin-Opener-Policy")
_WEIGHT = re.compile(r"0(\.[0-9]{0,3})?|1(\.0{0,3})?")
_LEAVE = "tracker.may_be_kept"
# Stands in a request that nobody waits for, so that a change of the number never stands in line behind readers.
MADE_AHEAD_OF_READERS = "tracker.made_ahead"
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


@dataclass
class Answer:
    """An answer in its encodings, whose bar it is, and how often it was given."""

    status: str
    variants: dict[str, Variant]
    slug: str = ""
    dated: bool = False
    loads: Counter = field(default_factory=Counter)
    asked: bool = True
    """Whether anybody asked for it since it was made."""

    @property
    def size(self) -> int:
        return sum(len(variant.body) for variant in self.variants.values())


def mark_cacheable(response: Response, slug: str, carrier: str, *, dated: bool) -> None:
    """A view's leave to keep its answer until the campaign's bar changes, and with `dated` for a minute at most.

    What is no carrier of a bar has no `carrier`, and its loads are not counted.
    """
    if _LEAVE in request.environ and response.status_code == 200:
        came = read_source(request.args)
        request.environ[_LEAVE].append(((slug, carrier, came["src"], came["pos"]), dated))


class ResponseCache:
    """Middleware with the bar's answers. Keeps none while nobody looks out for changes."""

    def __init__(self, wsgi: Callable[..., Iterable[bytes]], app: Flask) -> None:
        self.wsgi, self.app = wsgi, app
        self.answers: dict[tuple[str, str], Answer] = {}
        self.bars: BarCache = app.extensions["bars"]
        self.visits: Visits = app.extensions["visits"]
        self.bars.on_change = self.renew
        self.bars.on_forget = self.forget
        self._encodings: dict[str, str] = {}
        self._bytes = 0

    def __call__(self, environ: Environ, start_response: Start) -> Iterable[bytes]:
        path = environ["PATH_INFO"]
        method = environ["REQUEST_METHOD"]
        if not path.startswith(PATHS) or (method != "GET" and method != "HEAD") or not self.bars.watched:
            return self.wsgi(environ, start_response)
        query = environ.get("QUERY_STRING", "")
        answer = self.answers.get((path, query)) or self._first(path, query)
        answer.asked = True
        accepted = environ.get("HTTP_ACCEPT_ENCODING", "")
        encoding = self._encodings.get(accepted)
        if encoding is None:
            encoding = self._choose(accepted)
        variant = answer.variants.get(encoding) or answer.variants[""]
        if method == "GET":
            answer.loads.one_more()
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

    def _choose(self, accepted: str) -> str:
        """The best encoding for an Accept-Encoding header, noted for the next reader with the same browser."""
        # The first of those that are liked alike.
        liked = {"br": 0.0, "gzip": 0.0, "identity": 0.0}
        for part in accepted[:1000].lower().split(","):
            name, *parameters = (one.strip() for one in part.split(";"))
            if name in liked:
                weights = [one[2:] for one in parameters if one.startswith("q=")] or ["1"]
                liked[name] = float(weights[0]) if _WEIGHT.fullmatch(weights[0]) else 0.0
        best = max(liked, key=lambda name: liked[name])
        encoding = best if liked[best] and best != "identity" else ""
        if len(self._encodings) < 1000 and len(accepted) < 200:
            self._encodings[accepted] = encoding
        return encoding

    # --- Making -------------------------------------------------------------------------------------------------------

    def _first(self, path: str, query: str) -> Answer:
        before = self.bars.generation
        answer = self._make(path, query)
        if not answer.slug or len(query) > LONGEST_QUERY:
            return answer
        with self.bars.lock:
            # Not when the bar was read anew meanwhile: this may be of the one before.
            if before == self.bars.generation and before % 2 == 0:
                if len(self.answers) >= MOST_KEPT or self._bytes >= MOST_BYTES:
                    self.forget()
                self.answers[path, query] = answer
                self._bytes += answer.size
        return answer

    def _make(self, path: str, query: str, *, ahead: bool = False) -> Answer:
        """Has the app answer, without anything of the reader's request but the address."""
        environ = create_environ("/", base_url=self.app.extensions["settings"].public_url)
        leave: list[tuple[tuple[str, str, str, str], bool]] = []
        environ |= {"PATH_INFO": path, "QUERY_STRING": query, _LEAVE: leave, OUR_OWN: True}
        if ahead:
            environ[MADE_AHEAD_OF_READERS] = True
        pieces, status, headers = run_wsgi_app(self.wsgi, environ, buffered=True)
        body = b"".join(pieces)
        plain = [(name, value) for name, value in headers if name not in _LEFT_OUT]
        if not leave:
            return Answer(status, {"": Variant("", [*plain, ("Content-Length", str(len(body)))], plain, body)})
        about, dated = leave[0]
        loads = self.visits.counter(*about) if about[1] else Counter()
        return Answer(status, _variants(plain, body), about[0], dated, loads)

    def forget(self) -> None:
        """All of them, to be made again when somebody asks. Called by whoever holds the bars' lock."""
        self.answers.clear()
        self._bytes = 0

    def renew(self, slugs: set[str], minute: bool) -> None:
        """Makes the answers of these campaigns anew, those asked for at once; with `minute` all that say the time."""
        old = {key: one for key, one in list(self.answers.items()) if one.slug in slugs or (minute and one.dated)}
        # Pictures of points take long to draw: they are drawn when somebody asks, so that the numbers need not wait.
        asked = [key for key, one in old.items() if one.asked and not key[0].endswith(".png")][-MADE_AHEAD:]
        for key in set(old) - set(asked):
            self.answers.pop(key, None)
        for key in asked:
            before = self.bars.generation
            answer = self._make(*key, ahead=True)
            answer.asked = False
            with self.bars.lock:
                if answer.slug and before == self.bars.generation:
                    self.answers[key] = answer
                else:
                    self.answers.pop(key, None)
        # Two that came first at the same moment were both counted.
        self._bytes = sum(one.size for one in list(self.answers.values()))


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
