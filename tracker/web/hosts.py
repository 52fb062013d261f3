"""Requests are taken under our own host names alone, so that nobody's own name gets into an answer or a cache."""

from collections.abc import Callable, Iterable
from typing import Any

from tracker.settings import HOOK, Settings, is_this_machine
from tracker.web.headers import usual
from tracker.web.proxies import PROBES, host_of

WORDS = b"This server is not known under that name.\n"


class TrustedHosts:
    """Middleware that answers 400 to requests for a host that is not ours, without repeating its name.

    Probes ask by address, and Stripe's hook has its signature.
    """

    def __init__(self, app: Callable[..., Iterable[bytes]], settings: Settings) -> None:
        self.app, self.settings = app, settings

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> Iterable[bytes]:
        if environ["PATH_INFO"] in (*PROBES, HOOK) or is_ours(host_of(environ), self.settings):
            return self.app(environ, start_response)
        headers = usual(self.settings, {}) | {
            "Content-Type": "text/plain; charset=utf-8", "Content-Length": str(len(WORDS)), "Cache-Control": "no-store",
        }  # fmt: skip
        start_response("400 Bad Request", list(headers.items()))
        return [WORDS]


def is_ours(host: str, settings: Settings) -> bool:
    """Whether a name in a Host header is that of the public address, of TRACKER_HOSTS, or of this machine to itself."""
    return host in settings.hosts or is_this_machine(host)
