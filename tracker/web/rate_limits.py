"""Rate limits by address, of which only a keyed hash is kept."""

import hashlib
import hmac
import ipaddress
import math
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import cache
from time import time
from typing import ClassVar, TypeVar

import structlog
from babel import Locale
from babel.lists import format_list
from babel.units import format_unit
from flask import Flask, current_app, request
from flask_babel import get_locale, gettext
from flask_limiter import Limiter
from limits import RateLimitItem, parse_many
from limits.errors import ConfigurationError, StorageError
from limits.storage import Storage
from limits.strategies import FixedWindowRateLimiter, RateLimiter
from werkzeug.exceptions import TooManyRequests

from tracker.settings import Settings, SettingsError
from tracker.web.proxies import NOBODY, read_address


def caller() -> str:
    """Who asks, as a keyed hash: an IPv4 address, or the /64 that one IPv6 customer has to choose from.

    What a proxy writes instead of an address stands for one person all the same. Nothing where it names nobody: then
    everybody would be counted as one.
    """
    written = (request.remote_addr or "").strip().lower()
    if written in NOBODY:
        return ""
    if address := read_address(written):
        written = str(ipaddress.ip_network((address, 64 if address.version == 6 else 32), strict=False))
    return _hashed(written)


def callers_site() -> str:
    """The /48 that an IPv6 address is in, as a keyed hash: what providers give to one house. Nothing of other addresses."""
    address = read_address(request.remote_addr or "")
    if address is None or address.version == 4:
        return ""
    return _hashed(str(ipaddress.ip_network((address, 48), strict=False)))


def _hashed(written: str) -> str:
    key = str(current_app.secret_key).encode()
    return hmac.new(key, written.encode(), hashlib.sha256).hexdigest()[:32]


log = structlog.get_logger()
T = TypeVar("T")

# How long, in seconds, a supporter waits for a counter on another machine before this process counts for itself.
PATIENCE = {"socket_connect_timeout": 1, "socket_timeout": 1}
# How long nobody waits for it again, once it was away.
AWAY_SECONDS = 10.0


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


class TooManyAttempts(TooManyRequests):
    """A limit is reached: 429, with a sentence that says until when, and the same time in Retry-After."""

    def __init__(self, seconds: float) -> None:
        self.seconds, self.time = _rounded(seconds)
        self.words = gettext("Please try again in %(time)s.", time=self.time)
        self.sentence = gettext("Too many attempts. Please try again in %(time)s.", time=self.time)
        super().__init__(self.words, retry_after=self.seconds)


def _rounded(seconds: float) -> tuple[int, str]:
    """A time to wait, rounded up to minutes, and to hours from a day on: in seconds, and as people say it."""
    step = 60 if seconds <= 86_400 else 3600
    rounded = max(1, math.ceil(seconds / step)) * step
    days, rest = divmod(rounded, 86_400)
    counted = (("day", days), ("hour", rest // 3600), ("minute", rest % 3600 // 60))
    locale = get_locale() or "en"
    said = [_duration(count, f"duration-{unit}", locale) for unit, count in counted if count]
    return rounded, format_list(said, locale=locale)


def _duration(count: int, unit: str, locale: Locale | str) -> str:
    """As `format_unit`, which writes the unit's bare name where a locale's long words are the same as its short ones."""
    words = format_unit(count, unit, locale=locale)
    return format_unit(count, unit, "short", locale=locale) if unit in words else words


# Nothing is limited unless it asks `check_limit`; Stripe's hook and the bar never do.
limiter = Limiter(caller, default_limits=[])


@cache
def limits_of(text: str, times: int = 1) -> tuple[RateLimitItem, ...]:
    """What a setting says, or so many times as much in the same time."""
    items = parse_many(text)
    return tuple(type(item)(item.amount * times, item.multiples, item.namespace) for item in items)


@dataclass(frozen=True)
class Limit:
    """How often something may be done for `who`: within all of the items."""

    items: tuple[RateLimitItem, ...]
    what: str
    who: str


@dataclass(frozen=True)
class Reached:
    """The limit that lets nobody on for longest, and for how many seconds."""

    what: str
    item: RateLimitItem
    seconds: float


def check_limit(limits: str, what: str, who: str = "") -> None:
    """Counts one more of something by whoever asks, or for `who`. Raises TooManyAttempts at a limit, and then counts nothing.

    Flask-Limiter's own way for a part of a view weighs every limit of the app again each time; this asks its counter.
    """
    if who := who or caller():
        reached = take(Limit(limits_of(limits), what, who))
        if reached:
            raise refusal_of(reached)


def refusal_of(reached: Reached) -> TooManyAttempts:
    """The refusal, and its line in the log."""
    refused = TooManyAttempts(reached.seconds)
    log.warning("limits.refused", what=reached.what, limit=str(reached.item), seconds=refused.seconds)
    return refused


def take(*limits: Limit) -> Reached | None:
    """Counts one more for each of the limits, if it is within all of them. Otherwise counts nothing, and says which is reached."""
    return asking_counter(lambda counter: _count(counter, [(item, one) for one in limits for item in one.items]))


def asking_counter(ask: Callable[[RateLimiter], T]) -> T:
    """What the counter answers, or this process's own one while that is away."""
    counter = limiter.limiter if time() >= current_app.extensions.get("counter_away_until", 0.0) else _own_counter()
    try:
        return ask(counter)
    except StorageError:
        # A counter that is away must neither stop gifts nor open the door: this process counts for itself meanwhile.
        log.warning("limits.storage_away", hint=f"counting for itself for {AWAY_SECONDS:.0f} seconds")
        current_app.extensions["counter_away_until"] = time() + AWAY_SECONDS
        return ask(_own_counter())


def _count(counter: RateLimiter, limits: list[tuple[RateLimitItem, Limit]]) -> Reached | None:
    def is_within(item: RateLimitItem, one: Limit) -> bool:
        return counter.test(item, one.what, one.who)

    # Looked at first and counted then: what is refused by one limit must not be taken off another.
    reached = [one for one in limits if not is_within(*one)]
    if not reached and all(counter.hit(item, one.what, one.who) for item, one in limits):
        return None
    # Two at the same moment may both have seen the last place.
    reached = reached or [one for one in limits if not is_within(*one)] or limits
    waits = [
        Reached(one.what, item, counter.get_window_stats(item, one.what, one.who).reset_time - time())
        for item, one in reached
    ]
    return max(waits, key=lambda one: one.seconds)


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
    # It would look for a limit before every request, and there is none but those that `check_limit` is asked for.
    looks = app.before_request_funcs[None]
    looks[:] = [one for one in looks if getattr(one, "__self__", None) is not limiter]
