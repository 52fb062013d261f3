"""How a monthly supporter stands, read from subscriptions of every shape and state that Stripe has for them."""

from datetime import UTC, datetime
from typing import Any

import pytest
from actors import OURS, epoch

from tracker.gateway.events import Event, to_facts
from tracker.giving.facts import Subscription

TOLD = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
DUE = epoch("2021-06-10T08:00")


def subscription(**changes: Any) -> dict[str, Any]:
    item = {"id": "si_1", "price": {"unit_amount": 500}, "quantity": 1, "current_period_end": DUE}
    return {
        "id": "sub_1", "object": "subscription", "status": "active", "currency": "usd", "metadata": OURS,
        "items": {"object": "list", "data": [item]}, "cancel_at": None, "cancel_at_period_end": False,
        "pause_collection": None,
    } | changes  # fmt: skip


def told(**changes: Any) -> Subscription:
    event = Event("evt_1", "customer.subscription.updated", TOLD, False, "", subscription(**changes))
    (fact,) = to_facts(event)
    assert isinstance(fact, Subscription)
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


# --- What it comes to -------------------------------------------------------------------------------------------------

NOVEMBER = epoch("2021-11-30T08:00")
START = epoch("2021-05-10T08:00")


def item(amount: Any = 500, due: int = DUE, interval: str = "month", **changes: Any) -> dict[str, Any]:
    price = {"unit_amount": amount, "recurring": {"interval": interval, "interval_count": 1}}
    return {"price": price, "quantity": 1, "current_period_end": due, "current_period_start": START} | changes


def items(*each: dict[str, Any]) -> dict[str, Any]:
    return {"object": "list", "data": list(each)}


@pytest.mark.parametrize(
    "changes",
    [
        {"items": {"data": []}},
        {"items": {"data": [{"price": {"unit_amount": 500}, "quantity": 0, "current_period_end": DUE}]}},
        {"items": {"data": [{"price": {"unit_amount": None}, "quantity": 1}]}},
        {"items": None},
    ],
)
def test_a_subscription_that_comes_to_nothing_is_heard_like_any_other(changes: dict[str, Any]) -> None:
    assert (told(**changes).amount, told(**changes).state) == (0, "active")
    assert told(**changes, status="canceled").state == "ended"


def test_prices_with_parts_of_a_cent_and_quantities_are_rounded_as_stripe_does() -> None:
    fine = {"unit_amount": None, "unit_amount_decimal": "12.5"}
    assert told(items=items(item(price=fine, quantity=3))).amount == 38
    assert told(items=items(item(250, quantity=4))).amount == 1000


@pytest.mark.parametrize(
    ("discounts", "amount"),
    [
        ([{"source": {"coupon": {"percent_off": 50}}}], 1000),
        ([{"coupon": {"percent_off": 33.3}}], 1334),
        ([{"source": {"coupon": {"amount_off": 300, "currency": "usd"}}}], 1700),
        ([{"source": {"coupon": {"amount_off": 3000, "currency": "usd"}}}], 0),
        # Over before the next charge, and at it.
        ([{"source": {"coupon": {"percent_off": 50}}, "end": DUE - 1}], 2000),
        ([{"source": {"coupon": {"percent_off": 50}}, "end": DUE}], 2000),
        ([{"source": {"coupon": {"percent_off": 50}}, "end": DUE + 1}], 1000),
        ([{"coupon": {"percent_off": 50}}, {"coupon": {"amount_off": 100}}], 900),
        ([], 2000),
        (None, 2000),
    ],
)
def test_coupons_come_off_what_is_charged_next(discounts: Any, amount: int) -> None:
    found = told(items=items(item(2000)), discounts=discounts)
    assert (found.amount, found.is_whole) == (amount, True)


def test_coupons_stood_there_whole_and_alone_in_older_versions() -> None:
    assert told(items=items(item(2000)), discount={"coupon": {"percent_off": 50}, "end": None}).amount == 1000


def test_coupons_that_are_only_named_leave_the_amount_open() -> None:
    assert not told(items=items(item(2000)), discounts=["di_1"]).is_whole
    assert not told(discounts=[{"source": {"coupon": "co_1"}}]).is_whole
    assert told().is_whole


def test_an_items_own_coupon_comes_off_that_item_alone() -> None:
    reduced = item(1000, discounts=[{"source": {"coupon": {"percent_off": 50}}}])
    assert told(items=items(reduced, item(300))).amount == 800


def test_items_of_other_intervals_are_charged_on_days_of_their_own() -> None:
    found = told(items=items(item(500), item(12000, NOVEMBER, "year")))
    assert (found.amount, found.next_charge) == (500, datetime(2021, 6, 10, 8, tzinfo=UTC))
    assert [(one.amount, one.interval) for one in found.charges] == [(500, "month"), (12000, "year")]
    # One charge a month or less often needs no list.
    assert told(items=items(item(500))).charges == ()
    assert [(one.amount, one.count) for one in told(items=items(item(100, interval="week"))).charges] == [(100, 1)]


def test_a_sum_that_is_taken_off_comes_off_an_invoice_once() -> None:
    off = [{"source": {"coupon": {"amount_off": 300, "currency": "usd"}}}]
    found = told(items=items(item(500), item(1000, interval="year")), discounts=off)
    assert found.amount == 1200
    assert sum(one.amount for one in found.charges) == 1200


def test_the_invoice_of_the_running_period_and_what_it_asks_for() -> None:
    older = item(12000, NOVEMBER, "year", current_period_start=START - 1000)
    found = told(items=items(item(700), older), latest_invoice="in_7")
    assert (found.invoice, found.billed) == ("in_7", 700)
    assert found.billed_at == datetime(2021, 5, 10, 8, tzinfo=UTC)
    assert told(items=items(item(700)), latest_invoice={"id": "in_8"}).invoice == "in_8"


def test_what_is_told_of_a_beginning_ranks_below_whatever_came_of_it() -> None:
    made = Event("evt_1", "customer.subscription.created", TOLD, False, "", subscription())
    (began,) = to_facts(made)
    assert isinstance(began, Subscription)
    assert (began.rank, told().rank, told(status="incomplete").rank) == (0, 1, 0)


# --- Since when -------------------------------------------------------------------------------------------------------


def test_a_subscription_says_how_often_it_is_paid_and_when_it_began_and_ended() -> None:
    found = told(start_date=START, metadata=OURS | {"frequency": "year"})
    assert (found.frequency, found.began_at, found.ended_at) == ("year", datetime(2021, 5, 10, 8, tzinfo=UTC), None)
    assert (told().frequency, told().began_at) == ("month", None)
    assert told(created=START).began_at == datetime(2021, 5, 10, 8, tzinfo=UTC)
    assert told(start_date=START, status="canceled", ended_at=DUE).ended_at == datetime(2021, 6, 10, 8, tzinfo=UTC)
    assert told(start_date=START, status="canceled").ended_at == TOLD


@pytest.mark.parametrize("status", ["incomplete", "incomplete_expired"])
def test_whoever_never_paid_never_began(status: str) -> None:
    found = told(start_date=START, status=status)
    assert (found.began_at, found.ended_at) == (None, None)
