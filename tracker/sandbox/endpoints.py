"""Webhook endpoints: who wants to hear of what, and the secret each one signs with."""

import time
from urllib.parse import urlsplit

from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError


def create(store: Store, params: Body, secret: str | None = None) -> Body:
    """The endpoint without its secret, which only the answer to its creation shows."""
    _check_url(params["url"])
    endpoint = {
        "id": store.new_id("we_1"),
        "object": "webhook_endpoint",
        "api_version": params.get("api_version"),
        "application": None,
        "created": store.now(),
        "description": params.get("description") or None,
        "enabled_events": _events(params["enabled_events"]),
        "livemode": store.live,
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "status": "enabled",
        "url": params["url"],
    }
    return store.add("webhook_endpoint", endpoint, secret=secret or store.new_id("whsec_", 32))


def update(store: Store, endpoint: Body, params: Body) -> Body:
    fields: Body = {}
    if "url" in params:
        _check_url(params["url"])
        fields["url"] = params["url"]
    if "enabled_events" in params:
        fields["enabled_events"] = _events(params["enabled_events"])
    if "disabled" in params:
        fields["status"] = "disabled" if params["disabled"] else "enabled"
    if "description" in params:
        fields["description"] = params["description"] or None
    if "metadata" in params:
        fields["metadata"] = merged_metadata(endpoint["metadata"], params["metadata"])
    store.change(endpoint, **fields)
    return endpoint


def roll_secret(store: Store, endpoint: Body, seconds: float) -> str:
    """A new secret, as from the Dashboard: the old one goes on signing beside it for so long (Stripe: 24 hours at most)."""
    hidden = store.hidden(endpoint["id"])
    now = time.time()
    still = [[secret, until] for secret, until in hidden.get("older", []) if until > now]
    hidden["older"] = [[hidden["secret"], now + seconds], *still]
    hidden["secret"] = store.new_id("whsec_", 32)
    store.touch(endpoint["id"])
    return str(hidden["secret"])


def delete(store: Store, endpoint: Body) -> Body:
    store.remove(endpoint["id"])
    return {"id": endpoint["id"], "object": "webhook_endpoint", "deleted": True}


def _events(names: list[str]) -> list[str]:
    if not names:
        raise StripeError("Missing required param: enabled_events.", code="parameter_missing", param="enabled_events")
    return names


def _check_url(url: str) -> None:
    """Live mode needs https; a local address is fine for a test."""
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise StripeError(
            "Invalid URL: An explicit scheme (such as https) must be provided.", code="url_invalid", param="url"
        )
