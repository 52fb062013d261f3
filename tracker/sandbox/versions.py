"""Events as an endpoint of an older API version is told them: the few fields that have changed their place since then."""

from tracker.sandbox.state import Body, Store

# docs.stripe.com/changelog. What is not named here looks the same in every version that an endpoint can have.
BASIL, INVOICE_PAYMENTS = "2025-03-31", "2025-05-28"


def knows_type(kind: str, version: str | None) -> bool:
    """Whether that version has events of this type at all."""
    return version is None or version[:10] >= INVOICE_PAYMENTS or not kind.startswith("invoice_payment.")


def rendered(store: Store, event: Body, version: str | None) -> Body | None:
    """The event as that version has it; None where that is as it stands. Without one an endpoint hears the newest."""
    if version is None or version == event["api_version"]:
        return None
    about = event["data"]["object"]
    if version[:10] < BASIL and about["object"] in OLDER:
        about = OLDER[about["object"]](store, about)
    return event | {"api_version": version, "data": event["data"] | {"object": about}}


def _invoice(store: Store, invoice: Body) -> Body:
    """Before basil an invoice named its subscription, its payment and whether it was paid by itself."""
    details = invoice["parent"]["subscription_details"]
    off_stripe = invoice["amount_paid_off_stripe"]
    newer = ("parent", "total_taxes", "amount_overpaid", "amount_paid_off_stripe")
    intent = _intent_of(store, invoice["id"])
    lines = [_line(line) for line in invoice["lines"]["data"]]
    older = {name: value for name, value in invoice.items() if name not in newer}
    return older | {
        "charge": intent["latest_charge"] if intent else None,
        "lines": invoice["lines"] | {"data": lines},
        "paid": invoice["status"] == "paid",
        "paid_out_of_band": invoice["status"] == "paid" and off_stripe == invoice["amount_due"],
        "payment_intent": intent["id"] if intent else None,
        "subscription": details["subscription"],
        "subscription_details": {"metadata": details["metadata"]},
        "tax": sum(tax["amount"] for tax in invoice["total_taxes"]) or None,
        "total_tax_amounts": [
            {"amount": tax["amount"], "inclusive": tax["tax_behavior"] == "inclusive"} for tax in invoice["total_taxes"]
        ],
    }


def _line(line: Body) -> Body:
    own = line["parent"]["subscription_item_details"]
    item = own or line["parent"]["invoice_item_details"]
    price = {"id": line["pricing"]["price_details"]["price"], "object": "price"} if line["pricing"] else None
    older = {name: value for name, value in line.items() if name not in ("parent", "pricing", "taxes")}
    return older | {
        "price": price,
        "proration": item["proration"],
        "subscription": item["subscription"],
        "subscription_item": own["subscription_item"] if own else None,
        "tax_amounts": [
            {"amount": tax["amount"], "inclusive": tax["tax_behavior"] == "inclusive"} for tax in line["taxes"]
        ],
        "type": "subscription" if own else "invoiceitem",
    }


def _subscription(store: Store, subscription: Body) -> Body:
    """Before basil the period was the subscription's own, and its items had none."""
    periods = ("current_period_start", "current_period_end")
    items = subscription["items"]["data"]
    older = [{name: value for name, value in item.items() if name not in periods} for item in items]
    own = {name: items[0][name] for name in periods}
    return subscription | own | {"items": subscription["items"] | {"data": older}}


def _charge(store: Store, charge: Body) -> Body:
    return charge | {"invoice": _invoice_of(store, charge["payment_intent"])}


def _payment_intent(store: Store, intent: Body) -> Body:
    return intent | {"invoice": _invoice_of(store, intent["id"])}


OLDER = {"charge": _charge, "invoice": _invoice, "payment_intent": _payment_intent, "subscription": _subscription}


def _intent_of(store: Store, invoice: str) -> Body | None:
    paying = next((row for row in store.newest("invoice_payment") if row["invoice"] == invoice), None)
    return store.read(paying["payment"].get("payment_intent")) if paying else None


def _invoice_of(store: Store, intent: str) -> str | None:
    paid = (row for row in store.newest("invoice_payment") if row["payment"].get("payment_intent") == intent)
    return next((str(row["invoice"]) for row in paid), None)
