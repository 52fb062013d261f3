"""Stripe's customer portal: its login page, where supporters end or change a regular gift by themselves."""

from dataclasses import dataclass
from functools import partial
from typing import Any

import stripe

from tracker.gateway.client import make_client
from tracker.gateway.stripe_history import patiently
from tracker.gateway.webhook_endpoints import INSTALLATION

NAME = "Pledgebar"
MOST_HEADLINE = 60
# What a supporter can do there alone. Ending takes effect when the time that is paid for is over.
FEATURES = {
    "subscription_cancel": {"enabled": True, "mode": "at_period_end"},
    "payment_method_update": {"enabled": True},
    "invoice_history": {"enabled": True},
}


@dataclass(frozen=True)
class LoginPage:
    """A page that asks for an e-mail address, and lets in whoever reads the mail that Stripe sends to it."""

    url: str
    configuration: str
    """The id of the portal's configuration at Stripe."""
    can_end: bool
    """Whether a regular gift can be ended there."""


class CustomerPortal:
    """The customer portal of an account. Close it when done."""

    def __init__(self, key: str, *, api_base: str, version: str) -> None:
        self._transport = stripe.RequestsClient(timeout=(5.0, 15.0))
        client = make_client(key, api_base=api_base, version=version, tries=2, transport=self._transport)
        self._configurations = client.v1.billing_portal.configurations

    def __enter__(self) -> "CustomerPortal":
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()  # type: ignore[no-untyped-call]

    def login_pages(self) -> list[LoginPage]:
        """Every login page of the account that is switched on."""
        return [page for page in map(_login_page, self._every()) if page.url]

    def set_up(self, public_url: str, newsroom: str, installation: str) -> LoginPage:
        """The login page of a configuration of our own, made or brought up to date; no other one is touched.

        `installation` is the mark by which ours is known again.
        """
        params: Any = {
            "features": FEATURES,
            "login_page": {"enabled": True},
            "default_return_url": public_url,
            "metadata": {INSTALLATION: installation},
            "name": NAME,
        }
        if newsroom:
            params["business_profile"] = {"headline": newsroom[:MOST_HEADLINE]}
        there = [row for row in self._every() if (row.get("metadata") or {}).get(INSTALLATION) == installation]
        if there:
            row = patiently(partial(self._configurations.update, there[0]["id"], params))
        else:
            row = patiently(partial(self._configurations.create, params))
        return _login_page(row.to_dict())

    def _every(self) -> list[dict[str, Any]]:
        found: list[dict[str, Any]] = []
        params: Any = {"limit": 100, "active": True}
        while True:
            page = patiently(partial(self._configurations.list, params))
            rows = [row.to_dict() for row in page.data]
            found += rows
            if not page.has_more or not rows:
                return found
            params = params | {"starting_after": rows[-1]["id"]}


def _login_page(row: dict[str, Any]) -> LoginPage:
    return LoginPage(
        str((row.get("login_page") or {}).get("url") or ""),
        row["id"],
        bool(((row.get("features") or {}).get("subscription_cancel") or {}).get("enabled")),
    )
