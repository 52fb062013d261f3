"""The donor comes back at the very moment at which Stripe calls, twice: the gift is counted once."""

import json
import os
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier

from actors import Stripe, invoice, invoice_payment, session, totals
from flask import Flask
from sqlalchemy import select

from tracker.ledger import month_closing
from tracker.ledger.models import delivery, entry
from tracker.ledger.store import reading

ROUNDS = 500 if os.environ.get("TEST_LONG") else 20


def test_the_page_of_thanks_and_two_deliveries_at_once_make_one_entry(app: Flask) -> None:
    stripe = Stripe(app.test_client())
    start = Barrier(3)

    def looks(key: str) -> int:
        start.wait(30)
        return app.test_client().get(f"/c/newsroom/thanks?session_id={key}").status_code

    def tells(event: bytes) -> int:
        start.wait(30)
        return Stripe(app.test_client()).delivers(event)

    with ThreadPoolExecutor(3) as at_once:
        for number in range(ROUNDS):
            key = f"cs_test_{number}"
            # The same event twice, two events about the same session, and the first month of a supporter, in turn.
            first = stripe.event("checkout.session.completed", session(key))
            second = stripe.event("checkout.session.async_payment_succeeded", session(key))
            if number % 3 == 0:
                second = first
            elif number % 3 == 1:
                key = f"in_{number}"
                first = stripe.event("invoice.paid", invoice(key, 1000))
                second = stripe.event("invoice_payment.paid", invoice_payment(key, f"pi_{key}"))
            told = [at_once.submit(tells, json.dumps(event).encode()) for event in (first, second)]
            page = at_once.submit(looks, f"cs_test_{number}")
            assert [one.result() for one in told] == [204, 204]
            assert page.result() == 200
            with reading() as connection:
                assert connection.scalars(select(entry.c.amount).where(entry.c.key == key)).all() == [1000]
                events = select(delivery.c.event_id).where(delivery.c.event_id.in_([first["id"], second["id"]]))
                assert set(connection.scalars(events)) == {first["id"], second["id"]}
    with reading() as connection:
        (month,) = totals(connection).values()
        assert month["gifts"] == ROUNDS
        assert month["once"] + month["monthly"] == ROUNDS * 1000
        assert month_closing.differences(connection) == []
