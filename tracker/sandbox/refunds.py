"""Refunds: what may be given back, and what can still happen to it on the way."""

from tracker.sandbox.balance import make_entry
from tracker.sandbox.cards import Card
from tracker.sandbox.currencies import written
from tracker.sandbox.events import emit
from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.payments import means_of, settle
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError


def create_refund(store: Store, params: Body) -> Body:
    made = _charge_to_refund(store, params)
    if made["disputed"] and not _refundable_though_disputed(store, made):
        raise StripeError(
            f"Charge {made['id']} has been charged back; cannot issue a refund.", code="charge_disputed", executed=True
        )
    left = made["amount"] - made["amount_refunded"]
    if left <= 0:
        raise StripeError(
            f"Charge {made['id']} has already been refunded.", code="charge_already_refunded", executed=True
        )
    amount = params.get("amount", left)
    if amount > left:
        currency = made["currency"]
        raise StripeError(
            f"Refund amount ({written(amount, currency)}) is greater than unrefunded amount on charge "
            f"({written(left, currency)})",
            param="amount",
            executed=True,
        )
    return _refund(store, made, amount, params.get("reason"), merged_metadata({}, params.get("metadata") or {}))


def _charge_to_refund(store: Store, params: Body) -> Body:
    by_charge, by_intent = params.get("charge"), params.get("payment_intent")
    if not by_charge and not by_intent:
        raise StripeError(
            "One of the following params should be provided for this request: payment_intent or charge.",
            code="parameter_missing",
            param="charge",
        )
    if by_charge and by_intent:
        raise StripeError(
            "You may only specify one of these parameters: charge, payment_intent.",
            code="parameters_exclusive",
            param="charge",
        )
    if params.get("amount", 1) <= 0:
        raise StripeError(
            "This value must be greater than or equal to 1.", code="parameter_invalid_integer", param="amount"
        )
    made = _charge_of(store, str(by_charge or by_intent), "charge" if by_charge else "payment_intent")
    if made is None or made["status"] == "failed":
        raise StripeError(
            f"This PaymentIntent ({by_intent}) does not have a successful charge to refund."
            if by_intent
            else f"Charge {by_charge} was not successful and cannot be refunded.",
            param="payment_intent" if by_intent else "charge",
            executed=True,
        )
    if made["status"] == "pending":
        raise StripeError(
            "This charge is still pending and cannot be refunded yet.", code="charge_not_refundable", executed=True
        )
    return made


def _charge_of(store: Store, wanted: str, param: str) -> Body | None:
    if param == "charge":
        return store.find("charge", wanted, "charge")
    intent = store.find("payment_intent", wanted, "payment_intent")
    return store.read(intent["latest_charge"])


def _refundable_though_disputed(store: Store, made: Body) -> bool:
    """An inquiry, or a dispute that was won, leaves the money refundable."""
    disputes = [row for row in store.newest("dispute") if row["charge"] == made["id"]]
    return all(row["status"].startswith("warning_") or row["status"] == "won" for row in disputes)


def _refund(store: Store, made: Body, amount: int, reason: str | None, metadata: dict[str, str]) -> Body:
    card = made["payment_method_details"]["type"] == "card"
    means = means_of(store, store.rows[made["payment_method"]].body)
    how = means.refund if isinstance(means, Card) else None
    if made["balance_transaction"] is None:
        settle(store, made)  # money that has not settled cannot go back
    wanted = store.new_id("re_3" if card else "pyr_1")
    entry = make_entry(
        store,
        wanted,
        "refund" if card else "payment_refund",
        "refund",
        -amount,
        made["currency"],
        description="REFUND FOR CHARGE",
    )
    refund = {
        "id": wanted,
        "object": "refund",
        "amount": amount,
        "balance_transaction": entry["id"],
        "charge": made["id"],
        "created": store.now(),
        "currency": made["currency"],
        "customer": made["customer"],
        "customer_account": None,
        "destination_details": {"card": {"reference_status": "pending", "reference_type": "acquirer_reference_number"}}
        | {"type": "card"}
        if card
        else {"sepa_debit": {}, "type": "sepa_debit"},
        "metadata": metadata,
        "payment_intent": made["payment_intent"],
        "payment_method": made["payment_method"],
        "reason": reason,
        "receipt_number": None,
        "source_transfer_reversal": None,
        "status": "pending" if how == "pending" else "succeeded",
        "transfer_reversal": None,
    }
    if card:
        refund["destination_details"]["card"]["type"] = "refund"
    store.add("refund", refund)
    emit(store, "refund.created", refund)
    _take_off(store, made, amount, "charge.refunded")
    store.later("refund", "refund_done", wanted, how=how)
    return refund


def _take_off(store: Store, made: Body, amount: int, kind: str) -> None:
    total = made["amount_refunded"] + amount
    before = store.change(made, amount_refunded=total, refunded=total == made["amount"])
    emit(store, kind, made, before)


def refund_done(store: Store, refund: Body, how: str | None) -> None:
    """The bank's reference arrives, or the refund fails after all."""
    if refund["status"] not in ("pending", "succeeded") or refund.get("failure_reason"):
        return
    if how == "fails":
        fail_refund(store, refund, "expired_or_canceled_card")
        return
    before: Body = {}
    if "card" in refund["destination_details"]:
        details = refund["destination_details"]
        card = details["card"] | {"reference": store.new_id("", 12).upper(), "reference_status": "available"}
        before = store.change(refund, destination_details=details | {"card": card})
    before |= store.change(refund, status="succeeded")
    emit(store, "refund.updated", refund, before)
    emit(store, "charge.refund.updated", refund, before)


def fail_refund(store: Store, refund: Body, reason: str) -> None:
    made = store.rows[refund["charge"]].body
    entry = make_entry(
        store,
        refund["id"],
        "refund_failure" if refund["id"].startswith("re_") else "payment_failure_refund",
        "refund_failure",
        refund["amount"],
        refund["currency"],
        description="REFUND FAILURE",
    )
    before = store.change(refund, status="failed")
    refund.update(failure_reason=reason, failure_balance_transaction=entry["id"])
    emit(store, "refund.failed", refund, before)
    emit(store, "charge.refund.updated", refund, before)
    _take_off(store, made, -refund["amount"], "charge.updated")


def cancel_refund(store: Store, refund: Body) -> Body:
    """Only a refund that waits for the donor's bank details can be called back."""
    if refund["status"] != "requires_action":
        raise StripeError(
            f"This refund ({refund['id']}) has a status of {refund['status']} and cannot be canceled. "
            "Only refunds with a status of requires_action can be canceled.",
            executed=True,
        )
    before = store.change(refund, status="canceled")
    emit(store, "refund.updated", refund, before)
    _take_off(store, store.rows[refund["charge"]].body, -refund["amount"], "charge.updated")
    return refund
