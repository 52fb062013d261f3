"""How a monthly supporter stands, read from subscriptions of every shape and state that Stripe has for them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from actors import OURS, epoch

from tracker.gateway.events import Event, to_facts
from tracker.giving.facts import Support

TOLD = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
DUE = epoch("2021-06-10T08:00")


def subscription(**changes: Any) -> dict[str, Any]:
    item = {"id": "si_1", "price": {"unit_amount": 500}, "quantity": 1, "current_period_end": DUE}
    return {
        "id": "sub_1", "object": "subscription", "status": "active", "currency": "usd", "metadata": OURS,
        "items": {"object": "list", "data": [item]}, "cancel_at": None, "cancel_at_period_end": False,
        "pause_collection": None,
    } | changes  # fmt: skip


def told(**changes: Any) -> Support:
    event = Event("evt_1", "customer.subscription.updated", TOLD, False, "", subscription(**changes))
    (fact,) = to_facts(event)
    assert isinstance(fact, Support)
    return fact


def paused(why: str) -> dict[str, Any]:
    details = {"type": "subscription", "transitioned_at": DUE, "subscription": {"type": why}}
    return {"status": "paused", "status_details": {"paused": details}}


@pytest.mark.parametrize(
    ("changes", "state"),
    [
        ({}, "active"), ({"status": "trialing"}, "active"), ({"status": "past_due"}, "failing"),
        ({"status": "unpaid"}, "failing"), ({"status": "incomplete"}, "failing"), ({"status": "something_new"}, "failing"),
        ({"status": "canceled"}, "ended"), ({"status": "incomplete_expired"}, "ended"), ({"status": "paused"}, "paused"),
        ({"pause_collection": {"behavior": "void", "resumes_at": None}}, "paused"),
        (paused("pause_requested"), "paused"), (paused("something_new"), "paused"),
        (paused("final_payment_failure"), "failing"), (paused("first_payment_failure"), "failing"),
        ({"status": "paused", "status_details": {"paused": "yes"}}, "paused"),
    ],
)  # fmt: skip
def test_a_state_is_read_from_whatever_tells_it(changes: dict[str, Any], state: str) -> None:
    assert told(**changes).state == state


def test_the_next_charge_is_found_at_its_old_and_its_new_place() -> None:
    older = {"items": {"data": [{"price": {"unit_amount": 500}, "quantity": 1}]}, "current_period_end": DUE}
    assert told().next_charge == told(**older).next_charge == datetime(2021, 6, 10, 8, tzinfo=UTC)
    assert told(items={"data": [{"price": {"unit_amount": 500}}]}).next_charge is None


def test_an_end_is_seen_whichever_way_it_was_asked_for() -> None:
    at = datetime(2021, 6, 10, 8, tzinfo=UTC)
    assert told().ends is None
    assert told(cancel_at=DUE).ends == told(cancel_at_period_end=True).ends == at
    assert told(cancel_at=DUE, cancel_at_period_end=True).ends == at
    older = {"items": {"data": [{"price": {"unit_amount": 500}}]}, "current_period_end": DUE}
    assert told(**older, cancel_at_period_end=True).ends == at


def test_the_amount_is_that_of_all_items_together() -> None:
    items = [{"price": {"unit_amount": 500}, "quantity": 2}, {"price": {"unit_amount": 250}, "quantity": 1}]
    assert told(items={"data": items}).amount == 1250


@pytest.mark.parametrize("metadata", [{}, {"order": "42"}, None])
def test_somebody_elses_subscription_tells_nothing(metadata: Any) -> None:
    about = subscription(metadata=metadata)
    assert to_facts(Event("evt_1", "customer.subscription.updated", TOLD, False, "", about)) == []
