"""Disputes and inquiries: money taken back by the donor's bank, and sometimes returned."""

from tracker.sandbox.balance import DAY, make_entry
from tracker.sandbox.events import emit
from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

DISPUTE_FEE = 1500
EVIDENCE = """access_activity_log billing_address cancellation_policy cancellation_policy_disclosure
cancellation_rebuttal customer_communication customer_email_address customer_name customer_purchase_ip
customer_signature duplicate_charge_documentation duplicate_charge_explanation duplicate_charge_id
product_description receipt refund_policy refund_policy_disclosure refund_refusal_explanation service_date
service_documentation shipping_address shipping_carrier shipping_date shipping_documentation
shipping_tracking_number uncategorized_file uncategorized_text""".split()  # noqa: SIM905

OPEN_DISPUTE = ("needs_response", "under_review", "warning_needs_response", "warning_under_review")


def open_dispute(
    store: Store, made: Body, amount: int | None = None, reason: str = "fraudulent", inquiry: bool = False
) -> Body:
    if made["status"] != "succeeded":
        raise StripeError(f"Charge {made['id']} was not successful and cannot be disputed.", executed=True)
    kind = made["payment_method_details"]["type"]
    details = made["payment_method_details"][kind]
    described: Body = {"type": kind}
    if kind == "card":
        described["card"] = {
            "brand": details["brand"],
            "case_type": "inquiry" if inquiry else "chargeback",
            "network": details["network"],
            "network_reason_code": "10.4" if reason == "fraudulent" else "13.1",
        }
    dispute = {
        "id": store.new_id("du_1"),
        "object": "dispute",
        "amount": amount or made["amount"],
        "balance_transactions": [],
        "charge": made["id"],
        "created": store.now(),
        "currency": made["currency"],
        "enhanced_eligibility_types": [],
        "evidence": dict.fromkeys(EVIDENCE) | {"enhanced_evidence": {}},
        "evidence_details": {
            "due_by": store.now() + 9 * DAY,
            "enhanced_eligibility": {},
            "has_evidence": False,
            "past_due": False,
            "submission_count": 0,
        },
        "is_charge_refundable": inquiry,
        "livemode": store.live,
        "metadata": {},
        "payment_intent": made["payment_intent"],
        "payment_method_details": described,
        "reason": reason,
        "status": "warning_needs_response" if inquiry else "needs_response",
    }
    store.add("dispute", dispute)
    store.change(made, disputed=True)
    emit(store, "charge.dispute.created", dispute)
    if not inquiry:
        _withdraw(store, dispute)
    return dispute


def _withdraw(store: Store, dispute: Body) -> None:
    _move(store, dispute, -dispute["amount"], DISPUTE_FEE, f"Chargeback withdrawal for {dispute['charge']}")
    emit(store, "charge.dispute.funds_withdrawn", dispute)


def _move(store: Store, dispute: Body, amount: int, fee: int, why: str) -> None:
    category = "dispute" if amount < 0 else "dispute_reversal"
    entry = make_entry(
        store, dispute["id"], "adjustment", category, amount, dispute["currency"], fee, why, fee_for="Dispute fee"
    )
    store.change(dispute, balance_transactions=[*dispute["balance_transactions"], dict(entry)])


def _still_out(store: Store, dispute: Body) -> int:
    """What was taken and not given back yet, in the charge's currency."""
    return int(dispute["amount"]) - int(store.hidden(dispute["id"]).get("given_back", 0))


def give_back(store: Store, dispute: Body, amount: int) -> Body:
    """Part of what was taken comes back, in the charge's currency, while the bank still decides on the rest."""
    _still_open(dispute)
    if not 0 < amount <= _still_out(store, dispute):
        raise StripeError("A dispute gives back no more than it took.", param="amount")
    store.hidden(dispute["id"])["given_back"] = dispute["amount"] - _still_out(store, dispute) + amount
    _move(store, dispute, amount, 0, f"Partial chargeback reversal for {dispute['charge']}")
    emit(store, "charge.dispute.funds_reinstated", dispute)
    return dispute


def exchange_difference(store: Store, dispute: Body, amount: int) -> Body:
    """A small movement because the rate has changed since: signed, in the currency that the account settles in."""
    category = "dispute" if amount < 0 else "dispute_reversal"
    entry = make_entry(
        store, dispute["id"], "adjustment", category, amount, store.settles_in, convert=False,
        description=f"Exchange difference for {dispute['charge']}",
    )  # fmt: skip
    store.change(dispute, balance_transactions=[*dispute["balance_transactions"], dict(entry)])
    emit(store, "charge.dispute.updated", dispute)
    return dispute


def update_dispute(store: Store, dispute: Body, params: Body) -> Body:
    """Evidence, in the words that Stripe's test mode answers to: winning, losing, escalating."""
    _still_open(dispute)
    before: Body = {}
    if "metadata" in params:
        before |= store.change(dispute, metadata=merged_metadata(dispute["metadata"], params["metadata"]))
    evidence = params.get("evidence") or {}
    if evidence:
        before |= store.change(dispute, evidence=dispute["evidence"] | evidence)
        before |= store.change(dispute, evidence_details=dispute["evidence_details"] | {"has_evidence": True})
    words = dispute["evidence"]["uncategorized_text"]
    if evidence and params.get("submit", True):
        counted = dispute["evidence_details"]["submission_count"] + 1
        before |= store.change(dispute, evidence_details=dispute["evidence_details"] | {"submission_count": counted})
        inquiry = dispute["status"].startswith("warning_")
        before |= store.change(dispute, status="warning_under_review" if inquiry else "under_review")
    emit(store, "charge.dispute.updated", dispute, before)
    if evidence and params.get("submit", True):
        emit(store, "charge.updated", store.rows[dispute["charge"]].body, {})
        if words == "escalate_inquiry_evidence" and dispute["status"].startswith("warning_"):
            escalate(store, dispute)
        elif words in ("winning_evidence", "losing_evidence"):
            store.later("dispute", "dispute_decided", dispute["id"], won=words == "winning_evidence")
    return dispute


def escalate(store: Store, dispute: Body) -> None:
    """An inquiry becomes a dispute, and now the money goes."""
    before = store.change(dispute, status="needs_response", is_charge_refundable=False)
    emit(store, "charge.dispute.updated", dispute, before)
    _withdraw(store, dispute)


def close_dispute(store: Store, dispute: Body, won: bool) -> Body:
    _still_open(dispute)
    if dispute["status"].startswith("warning_"):
        before = store.change(dispute, status="warning_closed")
    elif won:
        before = store.change(dispute, status="won")
        _move(store, dispute, _still_out(store, dispute), 0, f"Chargeback reversal for {dispute['charge']}")
        emit(store, "charge.dispute.funds_reinstated", dispute, before)
    else:
        before = store.change(dispute, status="lost")
    emit(store, "charge.dispute.closed", dispute, before)
    return dispute


def _still_open(dispute: Body) -> None:
    if dispute["status"] not in OPEN_DISPUTE:
        raise StripeError(
            f"This dispute is already closed ({dispute['status']}).", code="dispute_already_closed", executed=True
        )
