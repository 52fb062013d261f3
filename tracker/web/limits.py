"""Rate limits, by an address that is never written down."""

import hashlib
import hmac
import ipaddress
from functools import cache

import structlog
from flask import Flask, current_app, request
from flask_limiter import Limiter
from limits import RateLimitItem, parse_many
from limits.errors import StorageError
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter

from tracker.settings import Settings


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

# Nothing is limited unless it says so; Stripe's hook and the bar never are.
limiter = Limiter(caller, default_limits=[], swallow_errors=False, in_memory_fallback_enabled=True)


@cache
def _items(limits: str) -> list[RateLimitItem]:
    return parse_many(limits)


def may_go_on(limits: str, what: str) -> bool:
    """Counts one more of something by whoever asks, and says whether it is within the limits.

    Flask-Limiter's own way for a part of a view weighs every limit of the app anew each time; this asks its counter.
    """
    who = caller()
    try:
        within = [limiter.limiter.hit(item, what, who) for item in _items(limits)]
    except StorageError:
        # A counter that is away must neither stop gifts nor open the door: this process counts for itself meanwhile.
        log.warning("limits.storage_away")
        within = [_own_counter().hit(item, what, who) for item in _items(limits)]
    return all(within)


@cache
def _own_counter() -> FixedWindowRateLimiter:
    return FixedWindowRateLimiter(MemoryStorage())


def init_app(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = settings.limits_url
    app.config["RATELIMIT_STORAGE_OPTIONS"] = {"wrap_exceptions": True}
    app.config["RATELIMIT_STRATEGY"] = "fixed-window"
    app.config["RATELIMIT_HEADERS_ENABLED"] = False
    limiter.init_app(app)
