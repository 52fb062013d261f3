"""A number for each request, the proxy's or our own: in every line of the log about it, and in the answer."""

import re
import secrets
from collections.abc import Callable, Iterable
from typing import Any

import structlog

HEADER = "X-Request-ID"
Headers = list[tuple[str, str]]


class RequestIds:
    """Middleware that takes the proxy's X-Request-ID, or makes one where there is none that could be an id."""

    def __init__(self, app: Callable[..., Iterable[bytes]]) -> None:
        self.app = app

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        told = environ.get("HTTP_X_REQUEST_ID", "")
        mark = told if re.fullmatch(r"[A-Za-z0-9][A-Za-z0-9._-]{7,63}", told) else secrets.token_hex(16)

        def answer(status: str, headers: Headers, *rest: Any) -> Any:
            return start_response(status, [*headers, (HEADER, mark)], *rest)

        with structlog.contextvars.bound_contextvars(request_id=mark):
            return self.app(environ, answer)
