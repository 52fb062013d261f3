"""Where Stripe sends its events: finds our endpoint on the account, makes it, and says what is the matter with it."""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

import stripe

from tracker.gateway.client import make_client
from tracker.gateway.events import ASKED_FOR
from tracker.gateway.stripe_history import answered_at, patiently

API_VERSION: str = stripe.api_version
"""The version that the installed SDK speaks, and in which events should come."""
# By which an endpoint of ours is known again when our address has changed.
DESCRIPTION, INSTALLATION = "Pledgebar", "pledgebar_installation"


@dataclass(frozen=True)
class Endpoint:
    """A webhook endpoint as it is registered. Its secret is known only in the moment in which it is made."""

    id: str
    url: str
    enabled: bool
    api_version: str
    """Nothing where it follows the account's default, which is not ours to know."""
    events: frozenset[str]
    created: datetime
    installation: str
    """The mark of the installation that made it; nothing where it was made by hand or by an earlier version."""
    by_us: bool
    """Whether `tracker webhook register` made it, here or elsewhere."""
    secret: str = ""

    @property
    def missing(self) -> list[str]:
        """The events that we need and it does not send."""
        return [] if "*" in self.events else sorted(set(ASKED_FOR) - self.events)

    @property
    def extra(self) -> list[str]:
        """Those that it sends and that count for nothing."""
        return sorted(self.events - set(ASKED_FOR))


class Endpoints:
    """The webhook endpoints of an account. Close it when done."""

    def __init__(self, key: str, *, api_base: str, version: str) -> None:
        self._transport = stripe.RequestsClient(timeout=(5.0, 15.0))
        client = make_client(key, api_base=api_base, version=version, tries=2, transport=self._transport)
        self._endpoints = client.v1.webhook_endpoints
        self._sessions = client.v1.checkout.sessions

    def __enter__(self) -> "Endpoints":
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()  # type: ignore[no-untyped-call]

    def time(self) -> datetime:
        """What Stripe's clock shows, from a call that any key that can open a checkout may make."""
        return answered_at(patiently(partial(self._sessions.list, {"limit": 1})))

    def every(self) -> list[Endpoint]:
        """All endpoints of the account, the enabled ones first."""
        found: list[Endpoint] = []
        params: Any = {"limit": 100}
        while True:
            page = patiently(partial(self._endpoints.list, params))
            rows = [row.to_dict() for row in page.data]
            found += [_endpoint(row) for row in rows]
            if not page.has_more or not rows:
                return sorted(found, key=lambda one: not one.enabled)
            params = params | {"starting_after": rows[-1]["id"]}

    def register(self, url: str, installation: str) -> Endpoint:
        """A new endpoint in the SDK's version, with exactly the events that are understood."""
        params: Any = {
            "url": url,
            "enabled_events": list(ASKED_FOR),
            "api_version": API_VERSION,
            "description": DESCRIPTION,
            "metadata": {INSTALLATION: installation},
        }
        return _endpoint(patiently(partial(self._endpoints.create, params)).to_dict())

    def bring_up_to_date(self, endpoint: Endpoint, installation: str) -> None:
        """Has it send exactly the events that are understood, and carry the mark of this installation."""
        params: Any = {"enabled_events": list(ASKED_FOR), "metadata": {INSTALLATION: installation}}
        patiently(partial(self._endpoints.update, endpoint.id, params))


def left_behind(every: list[Endpoint], url: str, installation: str) -> list[Endpoint]:
    """Endpoints that this installation made at another address, or that an earlier version made somewhere, and still on."""
    elsewhere = [one for one in every if one.enabled and one.url != url]
    return [one for one in elsewhere if one.installation == installation or (one.by_us and not one.installation)]


def _endpoint(row: dict[str, Any]) -> Endpoint:
    return Endpoint(
        row["id"],
        row["url"],
        row.get("status") == "enabled",
        str(row.get("api_version") or ""),
        frozenset(row["enabled_events"]),
        datetime.fromtimestamp(row["created"], UTC),
        str((row.get("metadata") or {}).get(INSTALLATION, "")),
        row.get("description") == DESCRIPTION,
        str(row.get("secret") or ""),
    )
