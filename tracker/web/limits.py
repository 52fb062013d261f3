"""Rate limits, by an address that is never written down."""

import hashlib
import hmac
import ipaddress

from flask import Flask, current_app, request
from flask_limiter import Limiter

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


# Nothing is limited unless it says so; Stripe's hook and the bar never are.
limiter = Limiter(caller, default_limits=[], swallow_errors=False, in_memory_fallback_enabled=True)


def init_app(app: Flask, settings: Settings) -> None:
    app.config["RATELIMIT_STORAGE_URI"] = settings.limits_url
    app.config["RATELIMIT_STRATEGY"] = "fixed-window"
    app.config["RATELIMIT_HEADERS_ENABLED"] = False
    limiter.init_app(app)
