"""Rate limits, by an address that is never written down."""

import hashlib
import hmac
import ipaddress
import threading
from functools import cache
from math import ceil
from time import time
from typing import ClassVar

import structlog
from flask import Flask, current_app, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter

from tracker.settings import Settings, SettingsError


def caller() -> str:
    """Who asks, as a keyed hash: an IPv4 address, or the /64 that one IPv6 customer has to choose from."""
    try:
        address = ipaddress.ip_address((request.remote_addr or "").partition("%")[0])
    except ValueError:
        return "unknown"
    # A server that listens on both sees all of IPv4 within one and the same /64.
    address = getattr(address, "ipv4_mapped", None) or address
    network = ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False)
    key = str(current_app.secret_key).encode()
    return hmac.new(key, str(network).encode(), hashlib.sha256).hexdigest()[:32]


log = structlog.get_logger()

# How long, in seconds, a supporter waits for a counter on another machine before this process counts for itself.
PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 1}


class InThisProcess(Storage):
    """Counts in memory, in place of the library's own, under the address `memory://`.

    That one (limits 5.8) starts a thread for nearly every count, and raises RuntimeError when two come at the same moment.
    """

    STORAGE_SCHEME: ClassVar = ["memory"]
    SWEPT_EVERY = 1000  # counts; the finished ones of people who never came back

    def __init__(self, uri: str | None = None, wrap_exceptions: bool = False, **options: float | str | bool) -> None:
        super().__init__(uri, wrap_exceptions, **options)
        self._counts: dict[str, tuple[int, float]] = {}
        self._lock = threading.Lock()
        self._until_swept = self.SWEPT_EVERY

    def __len__(self) -> int:
        return len(self._counts)

    @property
    def base_exceptions(self) -> type[Exception]:
        return ValueError

    def incr(self, key: str, expiry: float, amount: int = 1) -> int:
        """Counts, and returns how many there are; the first begins a time of `expiry` seconds."""
        moment = time()
        with self._lock:
            before, until = self._counts.get(key, (0, 0.0))
            if until <= moment:
                before, until = 0, moment + expiry
            self._counts[key] = (before + amount, until)
            self._until_swept -= 1
            if self._until_swept == 0:
                self._until_swept = self.SWEPT_EVERY
                self._counts = {one: found for one, found in self._counts.items() if found[1] > moment}
        return before + amount

    def get(self, key: str) -> int:
        count, until = self._counts.get(key, (0, 0.0))
        return count if until > time() else 0

    def get_expiry(self, key: str) -> float:
        """When the count is over, in seconds since 1970; now when there is none."""
        return max(self._counts.get(key, (0, 0.0))[1], time())

    def check(self) -> bool:
        return True

    def reset(self) -> int:
        with self._lock:
            before = len(self._counts)
            self._counts = {}
        return before

    def clear(self, key: str) -> None:
        with self._lock:
            self._counts.pop(key, None)


# Nothing is limited unless it asks `may_go_on`; Stripe's hook and the bar never do.
limiter = Limiter(caller, default_limits=[])


@cache
def _items(limits: str) -> list[RateLimitItem]:
    return parse_many(limits)


def may_go_on(limits: str, what: str, who: str = "") -> bool:
    """Counts one more of something by whoever asks, or for `who`, and says whether it is within the limits.

    Flask-Limiter's own way for a part of a view weighs every limit of the app anew each time; this asks its counter.
    """
    who = who or caller()
    try:
        within = [limiter.limiter.hit(item, what, who) for item in _items(limits)]
    except StorageError:
        # A counter that is away must neither stop gifts nor open the door: this process counts for itself meanwhile.
        log.warning("limits.storage_away")
        within = [_own_counter().hit(item, what, who) for item in _items(limits)]
    return all(within)


def seconds_left(limits: str, what: str, who: str = "") -> int:
    """How long until something that is at its limit may be done again; 0 when it may be done now."""
    who = who or caller()
    try:
        found = [limiter.limiter.get_window_stats(item, what, who) for item in _items(limits)]
    except StorageError:
        found = [_own_counter().get_window_stats(item, what, who) for item in _items(limits)]
    return max((ceil(until - time()) for until, remaining in found if remaining <= 0), default=0)


@cache
def _own_counter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(InThisProcess())


def init_app(app: Flask, settings: Settings) -> None:
    """Raises SettingsError when there is no such counter."""
    url = settings.limits_url
    elsewhere = url.startswith(("redis", "valkey"))
    app.config["RATELIMIT_STORAGE_URI"] = url
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"wrap_exceptions": True} | (PATIENCE if elsewhere else {})
    app.config["RATELIMIT_STRATEGY"] = "fixed-window"
    app.config["RATELIMIT_HEADERS_ENABLED"] = False
    try:
        limiter.init_app(app)
    except ConfigurationError as trouble:
        help_ = " For redis:// run “pip install 'pledgebar[redis]'”." if url.startswith("redis") else ""
        raise SettingsError(f"TRACKER_LIMITS_URL cannot be used: {str(trouble).rstrip('.')}.{help_}") from None
    # It would look for a limit before every request, and there is none but those that `may_go_on` is asked for.
    looks = app.before_request_funcs[None]
    looks[:] = [one for one in looks if getattr(one, "__self__", None) is not limiter]
