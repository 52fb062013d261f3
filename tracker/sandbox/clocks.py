"""Time that is made to pass: renewals, retries and scheduled ends, by test clock or for everybody."""

from tracker.sandbox.billing import (
    DAY,
    RUNNING,
    attempt,
    begin_period,
    collect,
    delete_customer,
    end_subscription,
    period_end,
)
from tracker.sandbox.events import emit
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError


def _happenings(store: Store, chosen: list[Body], until: int) -> list[tuple[int, str, Body]]:
    """What falls due by `until` in these subscriptions, soonest first."""
    due: list[tuple[int, str, Body]] = []
    for subscription in chosen:
        if subscription["status"] not in RUNNING:
            continue
        ends = subscription["items"]["data"][0]["current_period_end"]
        stop = subscription["cancel_at"]
        if stop and stop <= until:
            due.append((stop, "end", subscription))
        if subscription["status"] in ("active", "past_due") and ends < (stop or ends + 1) and ends <= until:
            due.append((ends, "renew", subscription))
        invoice = store.read(subscription["latest_invoice"])
        final = invoice["automatically_finalizes_at"] if invoice and invoice["status"] == "draft" else None
        if final and final <= until:
            due.append((final, "collect", subscription))
        if invoice and invoice["status"] == "open" and invoice["attempt_count"]:
            again = invoice["next_payment_attempt"]
            if again and again <= until:
                due.append((again, "retry", subscription))
    return sorted(due, key=lambda entry: (entry[0], entry[2]["id"]))


def live_until(store: Store, chosen: list[Body], until: int) -> None:
    """Let renewals, retries and scheduled ends of these subscriptions happen, each at its own time."""
    while due := _happenings(store, chosen, until):
        moment, what, subscription = due[0]
        with store.at(moment):
            if what == "renew":
                begin_period(store, subscription)
            elif what == "collect":
                collect(store, store.rows[subscription["latest_invoice"]].body)
            elif what == "end":
                end_subscription(store, subscription, "cancellation_requested")
            else:
                attempt(store, store.rows[subscription["latest_invoice"]].body)


def create_clock(store: Store, params: Body) -> Body:
    clock = {
        "id": store.new_id("clock_1"),
        "object": "test_helpers.test_clock",
        "created": store.now(),
        "deletes_after": store.now() + 30 * DAY,
        "frozen_time": params["frozen_time"],
        "livemode": store.live,
        "name": params.get("name"),
        "status": "ready",
        "status_details": {},
    }
    store.add("test_helpers.test_clock", clock)
    emit(store, "test_helpers.test_clock.created", clock)
    return clock


def advance_clock(store: Store, clock: Body, target: int) -> Body:
    """Start moving a test clock; it is `ready` again once everything due has happened."""
    if clock["status"] != "ready":
        raise StripeError("The test clock is still advancing.", code="clock_advancing", executed=True)
    if target <= clock["frozen_time"]:
        raise StripeError("The frozen time must be after the clock's current time.", param="frozen_time")
    running = [row for row in on_clock(store, clock) if row["status"] in RUNNING]
    furthest = min((_two_intervals(row) for row in running), default=2 * 366 * DAY)
    if target > clock["frozen_time"] + furthest:
        raise StripeError(
            "Cannot advance a test clock beyond two intervals of its shortest subscription.", param="frozen_time"
        )
    store.change(clock, status="advancing", status_details={"advancing": {"target_frozen_time": target}})
    emit(store, "test_helpers.test_clock.advancing", clock)
    store.later("clock", "clock_arrives", clock["id"], target=target)
    return clock


def _two_intervals(subscription: Body) -> int:
    """How far one step of a test clock may go, in seconds."""
    item = subscription["items"]["data"][0]
    every = item["price"]["recurring"]
    start: int = item["current_period_start"]
    return period_end(start, every["interval"], every["interval_count"], 2) - start + DAY


def on_clock(store: Store, clock: Body) -> list[Body]:
    return [row for row in store.newest("subscription") if row["test_clock"] == clock["id"]]


def clock_arrives(store: Store, clock: Body, target: int) -> None:
    live_until(store, on_clock(store, clock), target)
    before = store.change(clock, frozen_time=target, status="ready", status_details={})
    emit(store, "test_helpers.test_clock.ready", clock, before)


def delete_clock(store: Store, clock: Body) -> Body:
    for customer in [row for row in store.newest("customer") if row["test_clock"] == clock["id"]]:
        delete_customer(store, customer)
    store.remove(clock["id"])
    emit(store, "test_helpers.test_clock.deleted", clock)
    return {"id": clock["id"], "object": "test_helpers.test_clock", "deleted": True}
