"""Stripe's part in the figures: events as it sends them, each of another gift, and senders that post them."""

import hashlib
import hmac
import json
import secrets
import selectors
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from typing import Any

SECRET = "whsec_bench"
AMOUNT = 1000
SESSION: dict[str, Any] = {
    "object": "checkout.session", "adaptive_pricing": {"enabled": False}, "after_expiration": None,
    "allow_promotion_codes": None, "amount_subtotal": AMOUNT, "amount_total": AMOUNT,
    "automatic_tax": {"enabled": False, "liability": None, "provider": None, "status": None},
    "billing_address_collection": None, "cancel_url": "https://give.example.org/c/newsroom", "client_reference_id": None,
    "client_secret": None, "collected_information": None, "consent": None, "consent_collection": None,
    "currency": "usd", "currency_conversion": None, "custom_fields": [],
    "custom_text": {"after_submit": None, "shipping_address": None, "submit": None, "terms_of_service_acceptance": None},
    "customer": None, "customer_creation": "if_required",
    "customer_details": {
        "address": {
            "city": "Berlin", "country": "DE", "line1": None, "line2": None, "postal_code": "10115", "state": None,
        },
        "email": "ana@example.org", "name": "Ana Example", "phone": None, "tax_exempt": "none", "tax_ids": [],
    },
    "customer_email": None, "discounts": [], "invoice": None, "invoice_creation": {"enabled": False},
    "livemode": False, "locale": None,
    "metadata": {
        "pledgebar": "1", "campaign": "newsroom", "frequency": "once", "tier": "1000", "src": "article-1", "pos": "top",
    },
    "mode": "payment", "payment_link": None, "payment_method_collection": "if_required",
    "payment_method_configuration_details": {"id": "pmc_1PgafyB7WZ01zgkW", "parent": None},
    "payment_method_options": {"card": {"request_three_d_secure": "automatic"}}, "payment_method_types": ["card", "link"],
    "payment_status": "paid", "permissions": None, "phone_number_collection": {"enabled": False},
    "recovered_from": None, "saved_payment_method_options": None, "setup_intent": None, "shipping_cost": None,
    "shipping_options": [], "status": "complete", "submit_type": "donate", "subscription": None,
    "success_url": "https://give.example.org/c/newsroom/thanks?session_id={CHECKOUT_SESSION_ID}",
    "total_details": {"amount_discount": 0, "amount_shipping": 0, "amount_tax": 0}, "ui_mode": "hosted", "url": None,
    "wallet_options": None,
}  # fmt: skip


def signed() -> tuple[bytes, str]:
    """One new paid session's event, about 2.6 KB, and its signature."""
    one, now = secrets.token_hex(12), int(time.time())
    about = SESSION | {"id": f"cs_test_{one}", "payment_intent": f"pi_{one}", "created": now, "expires_at": now + 3600}
    event = {
        "id": f"evt_{one}", "object": "event", "api_version": "2026-10-28.endive", "created": now,
        "data": {"object": about}, "livemode": False, "pending_webhooks": 1,
        "request": {"id": None, "idempotency_key": None}, "type": "checkout.session.completed",
    }  # fmt: skip
    body = json.dumps(event, indent=1).encode()
    made = hmac.new(SECRET.encode(), b"%d." % now + body, hashlib.sha256).hexdigest()
    return body, f"t={now},v1={made}"


def requests(count: int) -> Iterator[bytes]:
    """Whole requests, ready to be sent, so that sending costs next to nothing."""
    for _ in range(count):
        body, signature = signed()
        yield (
            f"POST /webhooks/stripe HTTP/1.1\r\nHost: 127.0.0.1\r\nContent-Type: application/json; charset=utf-8\r\n"
            f"Stripe-Signature: {signature}\r\nContent-Length: {len(body)}\r\n\r\n"
        ).encode() + body


def send(port: int, senders: int, seconds: float, most: int) -> dict[str, Any]:
    """Posts as so many senders, each on a connection of its own and waiting for its answer, for so long.

    The answers' statuses, each one's milliseconds, and how long it took altogether.
    """
    waiting, statuses, took = list(requests(most)), [], []
    look = selectors.DefaultSelector()
    sent: dict[socket.socket, float] = {}
    for _ in range(senders):
        connection = socket.create_connection(("127.0.0.1", port))
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        look.register(connection, selectors.EVENT_READ)
    began = time.perf_counter()

    def post(connection: socket.socket) -> None:
        sent[connection] = time.perf_counter()
        connection.sendall(waiting.pop())

    for key in list(look.get_map().values()):
        post(key.fileobj)  # type: ignore[arg-type]
    while sent:
        for key, _ in look.select():
            connection: socket.socket = key.fileobj  # type: ignore[assignment]
            answer = connection.recv(65536)
            if sent and not answer.endswith(b"\r\n\r\n"):
                sys.exit(f"not answered as it should be: {answer[:300]!r}")
            took.append(time.perf_counter() - sent.pop(connection))
            statuses.append(int(answer.split(b" ", 2)[1]))
            if waiting and time.perf_counter() - began < seconds:
                post(connection)
    ended = time.perf_counter()
    with suppress(OSError):
        for key in list(look.get_map().values()):
            key.fileobj.close()  # type: ignore[union-attr]
    return {"seconds": ended - began, "ms": [one * 1000 for one in took], "statuses": sorted(set(statuses))}


if __name__ == "__main__":
    port, senders, seconds, most = sys.argv[1:]
    print(json.dumps(send(int(port), int(senders), float(seconds), int(most))))
