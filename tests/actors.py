"""Who acts in the tests: a newsroom, and Stripe as it calls; with the objects that Stripe tells of."""

import json
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from inspect import Parameter, Signature, signature
from typing import Any, Literal

import pytest
from flask.testing import FlaskClient
from sqlalchemy import Connection, text
from sqlalchemy.orm import Session
from stripe import WebhookSignature

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Gift, Reversal

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
    # The first campaign in the database of each test.
    id=1,
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
        self, kind: str, about: dict[str, Any], *, created: int | None = None, live: bool = False
    ) -> dict[str, Any]:
        self.count += 1
        return {
            "id": f"evt_{self.count}",
            "object": "event",
            "type": kind,
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


def invoice_payment(invoice_key: str = "in_1", intent: str = "pi_in_1") -> dict[str, Any]:
    """What tells which payment intent paid an invoice."""
    return {
        "id": f"inpay_{invoice_key}",
        "object": "invoice_payment",
        "invoice": invoice_key,
        "payment": {"type": "payment_intent", "payment_intent": intent},
        "status": "paid",
    }


def refund_of(intent: str, key: str = "re_1", amount: int = 1000, **changes: Any) -> dict[str, Any]:
    """A refund of what a payment intent paid."""
    return {
        "id": key,
        "object": "refund",
        "amount": amount,
        "currency": "usd",
        "payment_intent": intent,
        "charge": None,
        "status": "succeeded",
        "created": int(time.time()),
    } | changes


def dispute_of(intent: str, *moved: int, key: str = "du_1", **changes: Any) -> dict[str, Any]:
    """A dispute whose balance transactions moved these amounts: negative when withdrawn."""
    transactions = [
        {"id": f"txn_{key}_{number}", "amount": amount, "currency": "usd", "created": int(time.time())}
        for number, amount in enumerate(moved)
    ]
    return {
        "id": key,
        "object": "dispute",
        "amount": max((abs(amount) for amount in moved), default=1000),
        "currency": "usd",
        "payment_intent": intent,
        "charge": None,
        "status": "needs_response",
        "balance_transactions": transactions,
    } | changes


def moment(text: str) -> datetime:
    """`2021-05-14T09:31` in UTC."""
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


def epoch(text: str) -> int:
    """`2021-05-14T09:31` in UTC as Stripe writes it."""
    return int(moment(text).timestamp())


# --- Facts, for tests of the ledger alone -----------------------------------------------------------------------------

MAY = moment("2021-05-14T09:31")


def gift_fact(key: str = "cs_1", amount: int = 1000, **changes: Any) -> Gift:
    """A one-time gift to the newsroom in May 2021, paid by `pi_` and its key."""
    values: dict[str, Any] = {
        "kind": "once",
        "campaign": "newsroom",
        "currency": "USD",
        "at": MAY,
        "live": False,
        "known_as": (f"pi_{key}",),
    }
    return Gift(key=key, amount=amount, **values | changes)


def refund_fact(of: str = "cs_1", amount: int = 1000, key: str = "re_1", **changes: Any) -> Reversal:
    """A refund of the gift with that key, in May 2021; negative amounts bring it back."""
    return _taken("refund", of, amount, key, changes)


def dispute_fact(of: str = "cs_1", amount: int = 1000, key: str = "txn_1", **changes: Any) -> Reversal:
    """What a dispute took from the gift with that key, in May 2021; negative amounts give it back."""
    return _taken("dispute", of, amount, key, changes)


def _taken(kind: Literal["refund", "dispute"], of: str, amount: int, key: str, changes: dict[str, Any]) -> Reversal:
    values: dict[str, Any] = {"currency": "USD", "at": MAY, "live": False, "gift_known_as": (f"pi_{of}",)}
    return Reversal(key=key, kind=kind, amount=-amount, **values | changes)


def totals(connection: Connection, *, live: bool = False, campaign: str = "newsroom") -> dict[str, dict[str, int]]:
    """What the running totals say, read past the project's own code: `{"2021-05 USD": {"once": 1000, "gifts": 1}}`."""
    columns = ("once", "monthly", "yearly", "offline", "refunds", "disputes", "gifts")
    rows = connection.execute(
        text(
            f"SELECT month, month_total.currency, {', '.join(f'month_total.{name}' for name in columns)} FROM month_total"
            " JOIN campaign ON campaign.id = month_total.campaign_id WHERE slug = :slug AND live = :live"
        ),
        {"slug": campaign, "live": live},
    )
    found = {}
    for month, currency, *amounts in rows:
        named = zip(columns, amounts, strict=True)
        if any(amounts):
            found[f"{month} {currency}"] = {name: amount for name, amount in named if amount}
    return found


Test = Callable[..., None]


def each(names: str | tuple[str, ...], values: Iterable[Any]) -> Callable[[Test], Test]:
    """Like pytest's `parametrize`, with one database and one app for all cases: for those that leave nothing behind.

    What is written by the test's own transaction, such as `book`, is undone after each case.
    """
    arguments = (names,) if isinstance(names, str) else names
    cases = [(value,) if isinstance(names, str) else value for value in values]

    def decorate(test: Test) -> Test:
        @wraps(test)
        def run(*self: Any, subtests: pytest.Subtests, **fixtures: Any) -> None:
            for case in cases:
                given = dict(zip(arguments, case, strict=True))
                with subtests.test(**given), _undone(*fixtures.values()):
                    test(*self, **fixtures, **given)

        kept = [one for name, one in signature(test).parameters.items() if name not in arguments]
        subtests = Parameter("subtests", Parameter.KEYWORD_ONLY)
        run.__signature__ = Signature([*kept, subtests])  # type: ignore[attr-defined]
        return run

    return decorate


@contextmanager
def _undone(*fixtures: Any) -> Iterator[None]:
    with ExitStack() as at_the_end:
        for session in (one for one in fixtures if isinstance(one, Session)):
            at_the_end.callback(session.begin_nested().rollback)
        yield


def count(connection: Connection, table: str) -> int:
    """How many rows a table has."""
    return int(connection.scalar(text(f"SELECT count(*) FROM {table}")) or 0)
