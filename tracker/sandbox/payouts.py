"""Payouts: the balance that has become available, sent to the newsroom's bank."""

from tracker.sandbox.balance import DAY, make_entry, ripen
from tracker.sandbox.events import emit
from tracker.sandbox.state import Body, Store


def pay_out(store: Store) -> list[Body]:
    ripen(store)
    waiting: dict[str, list[Body]] = {}
    for entry in store.newest("balance_transaction"):
        if entry["status"] == "available" and entry["type"] != "payout" and not store.hidden(entry["id"]).get("payout"):
            waiting.setdefault(entry["currency"], []).append(entry)
    return [
        _one(store, currency, entries)
        for currency, entries in sorted(waiting.items())
        if sum(entry["net"] for entry in entries) > 0
    ]


def _one(store: Store, currency: str, entries: list[Body]) -> Body:
    amount = sum(entry["net"] for entry in entries)
    wanted = store.new_id("po_1")
    own = make_entry(
        store, wanted, "payout", "payout", -amount, currency,
        description="STRIPE PAYOUT", at_once=True, convert=False,
    )  # fmt: skip
    payout = {
        "id": wanted,
        "object": "payout",
        "amount": amount,
        "application_fee": None,
        "application_fee_amount": None,
        "arrival_date": (store.now() // DAY + 1) * DAY,
        "automatic": True,
        "balance_transaction": own["id"],
        "created": store.now(),
        "currency": currency,
        "description": "STRIPE PAYOUT",
        "destination": "ba_1SandboxBank",
        "failure_balance_transaction": None,
        "failure_code": None,
        "failure_message": None,
        "livemode": store.live,
        "metadata": {},
        "method": "standard",
        "original_payout": None,
        "payout_method": None,
        "reconciliation_status": "in_progress",
        "reversed_by": None,
        "source_type": "card",
        "statement_descriptor": None,
        "status": "pending",
        "trace_id": None,
        "type": "bank_account",
    }
    store.add("payout", payout)
    for entry in [*entries, own]:
        store.hidden(entry["id"])["payout"] = wanted
        store.touch(entry["id"])
    emit(store, "payout.created", payout)
    before = store.change(payout, status="paid")
    emit(store, "payout.paid", payout, before)
    before = store.change(payout, reconciliation_status="completed")
    emit(store, "payout.reconciliation_completed", payout, before)
    return payout
