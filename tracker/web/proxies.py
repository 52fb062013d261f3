"""Who asks: behind proxies of your own, by what they write into X-Forwarded-For; and whether the settings know of them.

A header is believed only from a proxy: from this machine or a private network, or from an address that TRACKER_PROXIES
names. From anybody else it is a stranger's own words, which change nothing and are not noticed.
"""

import ipaddress
import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any, cast

from tracker.settings import Settings
from tracker.web.heartbeat import AS_TOLD, Node

Address = ipaddress.IPv4Address | ipaddress.IPv6Address
# Named, since Python calls the addresses of documentation private as well, and those that carriers share not.
PRIVATE = tuple(
    ipaddress.ip_network(one)
    for one in (
        "127.0.0.0/8", "::1/128", "10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "169.254.0.0/16", "100.64.0.0/10",
        "fc00::/7", "fe80::/10",
    )
)  # fmt: skip
# What proxies write when they do not know who asks, or have been asked over a socket: it names nobody.
NOBODY = ("", "unknown", "unix:", "-", "none", "null", "undefined")
# Asked on the machine itself, past the proxy, by whoever watches the server.
PROBES = ("/healthz", "/readyz", "/metrics")
ROUTE = "tracker.route"
# Stands in a request that this process makes of itself: no proxy has seen it.
OUR_OWN = "tracker.our_own"
OTHER_HEADERS = ("HTTP_FORWARDED", "HTTP_X_REAL_IP")


def read_address(text: str) -> Address | None:
    """`192.0.2.1`, `192.0.2.1:4711`, `2001:db8::1`, `[2001:db8::1]:4711`, `fe80::1%eth0`, `::ffff:192.0.2.1`; else None."""
    text = text.strip().strip('"')
    if match := re.fullmatch(r"\[([^\]]*)\](:[0-9]{1,5})?|([0-9.]+):[0-9]{1,5}", text):
        text = match[1] or match[3] or ""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return None
    # A server that listens on both sees all of IPv4 within one and the same network.
    return getattr(address, "ipv4_mapped", None) or address


class Proxies:
    """Middleware that makes REMOTE_ADDR the address of the person who asks, and notes how many proxies wrote it."""

    def __init__(self, app: Callable[..., Iterable[bytes]], settings: Settings, node: Node) -> None:
        self.app, self.settings, self.node = app, settings, node
        self._networks = (*PRIVATE, *(ipaddress.ip_network(one) for one in settings.proxy_networks))
        self._public_host = settings.hosts[0]

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        named = environ.get("REMOTE_ADDR") or "127.0.0.1"  # over a socket, which is this machine
        peer, written = read_address(named), forwarded_for(environ)
        is_proxy = peer is not None and any(peer in network for network in self._networks)
        if peer and is_proxy:
            trusted = self._trusted(peer, written)
            if environ["PATH_INFO"] not in PROBES and OUR_OWN not in environ:
                self._note(environ, trusted, len(written))
            if trusted:
                self._believe(environ, written, trusted)
            elif not written and self._came_through_one(environ):
                environ["REMOTE_ADDR"] = "unknown"
        this_machine = peer is not None and peer.is_loopback
        environ[ROUTE] = Route(named, this_machine, is_proxy, len(written), environ.get("REMOTE_ADDR", ""))
        return self.app(environ, start_response)

    def _trusted(self, peer: Address, written: list[str]) -> int:
        """How many of the addresses in the header are our own proxies' words."""
        told = self.settings.proxies
        if told is None:
            # The address is https, which something on this machine must speak for us.
            return 1 if peer.is_loopback and written else 0
        return told if written else 0

    def _came_through_one(self, environ: dict[str, Any]) -> bool:
        """Whether this came through a proxy for certain: it named our public https address, and we speak no TLS."""
        return self.settings.secure and host_of(environ) == self._public_host

    def _believe(self, environ: dict[str, Any], written: list[str], trusted: int) -> None:
        # With fewer than told, the farthest there is.
        named = written[-min(trusted, len(written))]
        address = read_address(named)
        environ["REMOTE_ADDR"] = str(address) if address else named
        schemes = [one.strip() for one in environ.get("HTTP_X_FORWARDED_PROTO", "").split(",")]
        scheme = schemes[-min(trusted, len(schemes))]
        if scheme in ("http", "https"):
            environ["wsgi.url_scheme"] = scheme
        if address is None:
            self.node.note_proxies("junk")

    def _note(self, environ: dict[str, Any], trusted: int, written: int) -> None:
        if written:
            self.node.note_proxies(AS_TOLD if written == trusted else str(min(written, 9)))
        elif any(name in environ for name in OTHER_HEADERS) or self._came_through_one(environ):
            self.node.note_proxies("silent")
        elif self.settings.proxies == 0:
            self.node.note_proxies(AS_TOLD)


@dataclass(frozen=True)
class Route:
    """How a request came to this app."""

    peer: str
    """Who spoke to us: the nearest proxy, or the person."""
    this_machine: bool
    is_proxy: bool
    """Whether headers are believed from there."""
    written: int
    """How many addresses stood in X-Forwarded-For."""
    person: str
    """Whom the limits count."""

    @property
    def asked_nearby(self) -> bool:
        """Whether somebody on this machine or in a private network asked us, and not through a proxy."""
        return self.is_proxy and not self.written and self.person in ("", self.peer)


def route_of(environ: dict[str, Any]) -> Route:
    """The way that a request came which has passed the middleware."""
    return cast(Route, environ[ROUTE])


def forwarded_for(environ: dict[str, Any]) -> list[str]:
    """The addresses in X-Forwarded-For, the nearest last."""
    return [one.strip() for one in environ.get("HTTP_X_FORWARDED_FOR", "").split(",") if one.strip()]


def host_of(environ: dict[str, Any]) -> str:
    """The name in the request's Host header, in small letters and without its port; nothing where there is none."""
    match = re.fullmatch(
        r"(?:\[([0-9a-f:.]+)\]|([a-z0-9._-]+?)\.?)(?::[0-9]{0,5})?", environ.get("HTTP_HOST", "").lower()
    )
    return (match[1] or match[2]) if match else ""
