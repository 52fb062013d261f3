"""Who acts in the tests: a newsroom, and Stripe as it calls; with the objects that Stripe tells of."""

import json
import time
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from flask.testing import FlaskClient
from stripe import WebhookSignature

from tracker.giving.campaign import Campaign

WEBHOOK_SECRET = "whsec_test_secret"
PUBLIC_URL = "http://127.0.0.1:5000"

NEWSROOM = Campaign(
    slug="newsroom",
    title="Support the newsroom",
    currency="USD",
    time_zone="Europe/Berlin",
    locale="en_US",
    amount_pattern="#,##0 ¤",
    once=(1000, 2500, 5000, 10000),
    monthly=(500, 1000, 2000),
    minimum=200,
    maximum=1_000_000,
)


@dataclass
class Stripe:
    """Sends signed events to the hook, as Stripe does."""

    client: FlaskClient
    secret: str = WEBHOOK_SECRET
    count: int = 0

    def sends(self, event: dict[str, Any], **how: Any) -> int:
        """Delivers an event and returns the status of the answer."""
        return self.delivers(json.dumps(event).encode(), **how)

    def delivers(self, body: bytes, *, at: float | None = None, secret: str = "", signature: str | None = None) -> int:
        moment = int(time.time() if at is None else at)
        made = WebhookSignature.generate_signature_header(
            body.decode("utf-8", "replace"), secret or self.secret, moment
        )
        headers = {"Stripe-Signature": made if signature is None else signature, "Content-Type": "application/json"}
        return self.client.post("/webhooks/stripe", data=body, headers=headers).status_code

    def event(
        self, type: str, about: dict[str, Any], *, created: int | None = None, live: bool = False
    ) -> dict[str, Any]:
        self.count += 1
        return {
            "id": f"evt_{self.count}",
            "object": "event",
            "type": type,
            "created": int(time.time()) if created is None else created,
            "livemode": live,
            "api_version": "2026-10-28.endive",
            "data": {"object": about},
        }


OURS = {"pledgebar": "1", "campaign": "newsroom", "frequency": "once", "tier": "1000", "src": "article-1", "pos": "top"}


def session(key: str = "cs_test_1", amount: int = 1000, **changes: Any) -> dict[str, Any]:
    """A paid one-time checkout session of ours, as Stripe tells of it."""
    return {
        "id": key,
        "object": "checkout.session",
        "mode": "payment",
        "payment_status": "paid",
        "status": "complete",
        "amount_total": amount,
        "currency": "usd",
        "payment_intent": f"pi_{key}",
        "customer": None,
        "metadata": OURS,
    } | changes


def invoice(key: str = "in_1", amount: int = 500, *, paid_at: int | None = None, **changes: Any) -> dict[str, Any]:
    """A paid invoice of a subscription of ours, in the current shape."""
    return {
        "id": key,
        "object": "invoice",
        "status": "paid",
        "amount_paid": amount,
        "currency": "usd",
        "billing_reason": "subscription_create",
        "customer": "cus_1",
        "parent": {
            "type": "subscription_details",
            "quote_details": None,
            "subscription_details": {"subscription": "sub_1", "metadata": OURS | {"frequency": "month"}},
        },
        "status_transitions": {"paid_at": int(time.time()) if paid_at is None else paid_at},
    } | changes


def epoch(text: str) -> int:
    """`2021-05-14T09:31` in UTC as Stripe writes it."""
    return int(datetime.fromisoformat(text).replace(tzinfo=UTC).timestamp())
