"""One thread that asks Stripe for all donors at once.

With a thread for each, those whose answers come together take turns at computing, and every reader of the bar waits behind
all of them. And what is awaited can be given up for good: a thread that reads what drips cannot be ended from outside.
"""

import asyncio
import threading
from collections.abc import Awaitable, Coroutine, Mapping
from concurrent.futures import Future
from ssl import create_default_context
from typing import Any, TypeVar
from urllib.parse import urlsplit
from urllib.request import getproxies, proxy_bypass

import aiohttp
import stripe

from tracker.gateway.client import make_client

T = TypeVar("T")


class Awaited:
    """A client whose calls are awaited, and the thread that does so until it is closed."""

    def __init__(self, key: str, *, api_base: str, version: str, seconds: tuple[float, float], tries: int) -> None:
        """`seconds` are for having a connection, and for each wait for an answer; `tries` includes the first."""
        self._transport = _Transport(seconds, _proxy(api_base or stripe.DEFAULT_API_BASE))
        self.client = make_client(key, api_base=api_base, version=version, tries=tries, transport=self._transport)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._run, name="stripe", daemon=True)
        self._thread.start()

    def ask(self, call: Coroutine[Any, Any, T]) -> Future[T]:
        """Begins a call. To cancel what is returned ends it. Raises RuntimeError once closed."""
        try:
            return asyncio.run_coroutine_threadsafe(call, self._loop)
        except BaseException:
            call.close()
            raise

    def close(self) -> None:
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()

    def _run(self) -> None:
        try:
            self._loop.run_forever()
            for task in asyncio.all_tasks(self._loop):
                task.cancel()
            self._loop.run_until_complete(self._transport.close_async())
        finally:
            self._loop.close()


class _Transport(stripe.HTTPClient):
    """What the SDK sends with. Its own for aiohttp leaves the connection open when a call is given up."""

    name = "aiohttp"

    def __init__(self, seconds: tuple[float, float], proxy: str | None) -> None:
        super().__init__()
        connecting, answering = seconds
        self._timeout = aiohttp.ClientTimeout(total=None, connect=connecting, sock_read=answering)
        self._through = proxy
        self._session: aiohttp.ClientSession | None = None

    async def request_async(
        self, method: str, url: str, headers: Mapping[str, str], post_data: Any = None
    ) -> tuple[bytes, int, Mapping[str, str]]:
        # It must be made in the thread that it is for. Stripe redirects nobody: whoever does is not to have the key.
        self._session = self._session or aiohttp.ClientSession(
            connector=aiohttp.TCPConnector(ssl=create_default_context(cafile=stripe.ca_bundle_path), limit=0),
            cookie_jar=aiohttp.DummyCookieJar(),
            timeout=self._timeout,
        )
        try:
            async with self._session.request(
                method, url, headers=headers, data=post_data, proxy=self._through, allow_redirects=False
            ) as answer:
                return await answer.read(), answer.status, answer.headers
        except (aiohttp.ClientError, TimeoutError) as error:
            raise stripe.APIConnectionError(type(error).__name__, should_retry=True) from error  # type: ignore[no-untyped-call]

    def sleep_async(self, secs: float) -> Awaitable[None]:
        return asyncio.sleep(secs)

    async def close_async(self) -> None:
        if self._session:
            await self._session.close()


def _proxy(address: str) -> str | None:
    """The proxy that the operator's environment names for an address, as other clients understand it."""
    parts, proxies = urlsplit(address), getproxies()
    proxy = proxies.get(parts.scheme) or proxies.get("all")
    if not proxy or proxy_bypass(parts.netloc):
        return None
    return proxy if "://" in proxy else f"http://{proxy}"
