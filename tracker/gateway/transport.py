"""What the SDK asks Stripe with while a donor waits: one plain connection for each call, which can be ended from outside.

The SDK's own transports bound each wait, but not all of them together: a Stripe that drips would hold a thread for ever.
"""

import base64
import socket
import threading
from collections.abc import Callable, Mapping
from concurrent.futures import Future, wait
from contextlib import suppress
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from ssl import create_default_context
from typing import Any, TypeVar
from urllib.parse import unquote, urlsplit
from urllib.request import getproxies, proxy_bypass

import stripe

# How long a call that was ended may take to end.
END_SECONDS = 0.5

Answer = TypeVar("Answer")


class Call:
    """One question with all its tries, asked in a thread of its own. Whoever waits for it may end it."""

    current = threading.local()

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._socket: socket.socket | None = None
        self.ended = False

    def make(self, question: Callable[..., Answer], *about: Any) -> Answer:
        """Asks, in the thread that is to do so."""
        self.current.call = self
        return question(*about)

    def wait(self, asked: Future[Answer], seconds: float) -> Answer:
        """The answer. After so many seconds it ends the call, and raises TimeoutError."""
        try:
            return asked.result(seconds)
        except TimeoutError:
            self.end()
            # Its place is free a moment later, unless it hangs in looking up a name.
            wait([asked], END_SECONDS)
            raise

    def uses(self, connected: socket.socket | None) -> None:
        """Raises ConnectionAbortedError once it has ended."""
        with self._lock:
            self._socket = connected
            if self.ended:
                raise ConnectionAbortedError

    def end(self) -> None:
        with self._lock:
            self.ended = True
            if self._socket is not None:
                # Whoever is reading from it or writing to it finds it closed.
                with suppress(OSError):
                    self._socket.shutdown(socket.SHUT_RDWR)


class Transport(stripe.HTTPClient):
    """Follows no redirects: Stripe sends nobody elsewhere, and whoever does is not to have the key."""

    name = "http.client"

    def __init__(self, connecting: float, answering: float) -> None:
        """How long to wait for a connection, and for each piece of an answer, in seconds."""
        super().__init__()
        self._connecting, self._answering = connecting, answering
        self._context = create_default_context(cafile=stripe.ca_bundle_path)

    def request(
        self, method: str, url: str, headers: Mapping[str, str] | None, post_data: Any = None, **_: Any
    ) -> tuple[Any, int, Mapping[str, str]]:
        call: Call = Call.current.call
        connection, target, more = self._connection(url)
        try:
            call.uses(None)
            connection.connect()
            call.uses(connection.sock)
            connection.sock.settimeout(self._answering)
            connection.request(method.upper(), target, post_data, {**(headers or {}), **more, "Connection": "close"})
            answer = connection.getresponse()
            return answer.read(), answer.status, answer.headers  # type: ignore[return-value]
        except (OSError, HTTPException) as error:
            raise stripe.APIConnectionError(type(error).__name__, should_retry=not call.ended) from error  # type: ignore[no-untyped-call]
        finally:
            connection.close()

    def close(self) -> None:
        """Nothing stays open."""

    def _connection(self, url: str) -> tuple[HTTPConnection, str, dict[str, str]]:
        """Not opened yet; what to ask it for, and the headers that it wants."""
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
        proxy = _proxy(url)
        reached = urlsplit(proxy) if proxy else parts
        credentials = _credentials(reached.username, reached.password) if proxy else {}
        if parts.scheme != "https":
            plain = HTTPConnection(reached.hostname or "", reached.port, timeout=self._connecting)
            return plain, url if proxy else url.partition(parts.netloc)[2], credentials
        secure = HTTPSConnection(reached.hostname or "", reached.port, timeout=self._connecting, context=self._context)
        if proxy:
            secure.set_tunnel(host, port, credentials)
        return secure, url.partition(parts.netloc)[2], {}


def _credentials(user: str | None, password: str | None) -> dict[str, str]:
    if user is None:
        return {}
    said = f"{unquote(user)}:{unquote(password or '')}".encode()
    return {"Proxy-Authorization": f"Basic {base64.b64encode(said).decode()}"}


def _proxy(address: str) -> str | None:
    """The proxy that the operator's environment names for an address, as other clients understand it."""
    parts, proxies = urlsplit(address), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
