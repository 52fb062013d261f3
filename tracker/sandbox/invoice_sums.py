"""What an invoice comes to: other items of the same customer, coupons and taxes."""

from decimal import ROUND_HALF_UP, Decimal

from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

MONTH = 30 * 24 * 3600


# --- coupons ------------------------------------------------------------------------------------------------------


def create_coupon(store: Store, params: Body) -> Body:
    if ("percent_off" in params) == ("amount_off" in params):
        raise StripeError("You must pass either `percent_off` or `amount_off`.", param="percent_off")
    if "amount_off" in params and "currency" not in params:
        raise StripeError("Missing required param: currency.", code="parameter_missing", param="currency")
    coupon = {
        "id": params.get("id") or store.new_id("", 8),
        "object": "coupon",
        "amount_off": params.get("amount_off"),
        "created": store.now(),
        "currency": params.get("currency"),
        "duration": params.get("duration", "once"),
        "duration_in_months": params.get("duration_in_months"),
        "livemode": store.live,
        "max_redemptions": None,
        "metadata": {},
        "name": params.get("name"),
        "percent_off": float(params["percent_off"]) if "percent_off" in params else None,
        "redeem_by": None,
        "times_redeemed": 0,
        "valid": True,
    }
    return store.add("coupon", coupon)


def discounts_of(store: Store, subscription: Body, asked: list[Body] | str) -> list[str]:
    """The ids of the discounts that `discounts` of an update asks for; an empty text takes them away."""
    made = []
    for position, one in enumerate(asked or []):
        if not isinstance(one, dict) or "coupon" not in one:
            raise StripeError("This stand-in takes coupons alone.", param=f"discounts[{position}]")
        coupon = store.find("coupon", one["coupon"], f"discounts[{position}][coupon]")
        months = coupon["duration_in_months"] if coupon["duration"] == "repeating" else None
        discount = {
            "id": store.new_id("di_1"),
            "object": "discount",
            "checkout_session": None,
            "customer": subscription["customer"],
            "customer_account": None,
            "end": store.now() + months * MONTH if months else None,
            "invoice": None,
            "invoice_item": None,
            "promotion_code": None,
            "source": {"coupon": coupon["id"], "type": "coupon"},
            "start": store.now(),
            "subscription": subscription["id"],
            "subscription_item": None,
        }
        made.append(store.add("discount", discount)["id"])
    return made


def _take_off(store: Store, subscription: Body, lines: list[Body]) -> None:
    """The subscription's coupons come off its lines; one that holds once is gone afterwards."""
    kept = []
    for wanted in subscription["discounts"]:
        discount = store.rows[wanted].body
        coupon = store.rows[discount["source"]["coupon"]].body
        if discount["end"] is None or discount["end"] > store.now():
            left = coupon["amount_off"] or 0
            for line in lines:
                base = line["amount"] - sum(one["amount"] for one in line["discount_amounts"])
                off = _share(base, coupon["percent_off"]) if coupon["percent_off"] else min(left, base)
                left -= 0 if coupon["percent_off"] else off
                line["discount_amounts"].append({"amount": off, "discount": wanted})
        if coupon["duration"] != "once":
            kept.append(wanted)
    store.change(subscription, discounts=kept)


def _share(amount: int, percent: float) -> int:
    return int((Decimal(amount) * Decimal(str(percent)) / 100).quantize(Decimal(1), ROUND_HALF_UP))


# --- other items --------------------------------------------------------------------------------------------------


def create_item(store: Store, params: Body) -> Body:
    """Something else for the customer's next invoice."""
    store.find("customer", params["customer"], "customer")
    item = {
        "id": store.new_id("ii_1"),
        "object": "invoiceitem",
        "amount": params["amount"],
        "currency": params["currency"],
        "customer": params["customer"],
        "date": store.now(),
        "description": params.get("description"),
        "discountable": True,
        "discounts": [],
        "invoice": None,
        "livemode": store.live,
        "metadata": {},
        "parent": None,
        "period": {"start": store.now(), "end": store.now()},
        "pricing": None,
        "proration": False,
        "quantity": 1,
        "tax_rates": [],
        "test_clock": None,
    }
    return store.add("invoiceitem", item)


def other_lines(store: Store, customer: str, invoice: str) -> list[Body]:
    """Lines for whatever waits for the customer's next invoice."""
    waiting = [row for row in store.newest("invoiceitem") if row["customer"] == customer and row["invoice"] is None]
    return [_line(store, item, invoice) for item in reversed(waiting)]


def _line(store: Store, item: Body, invoice: str) -> Body:
    store.change(item, invoice=invoice)
    return {
        "id": store.new_id("il_1"),
        "object": "line_item",
        "amount": item["amount"],
        "currency": item["currency"],
        "description": item["description"],
        "discount_amounts": [],
        "discountable": True,
        "discounts": [],
        "invoice": invoice,
        "livemode": store.live,
        "metadata": {},
        "parent": {
            "invoice_item_details": {
                "invoice_item": item["id"],
                "proration": False,
                "proration_details": None,
                "subscription": None,
            },
            "subscription_item_details": None,
            "type": "invoice_item_details",
        },
        "period": dict(item["period"]),
        "pretax_credit_amounts": [],
        "pricing": None,
        "quantity": 1,
        "quantity_decimal": "1",
        "subscription": None,
        "subtotal": item["amount"],
        "taxes": [],
    }


# --- taxes --------------------------------------------------------------------------------------------------------


def create_tax_rate(store: Store, params: Body) -> Body:
    rate = {
        "id": store.new_id("txr_1"),
        "object": "tax_rate",
        "active": True,
        "country": None,
        "created": store.now(),
        "description": None,
        "display_name": params["display_name"],
        "effective_percentage": None,
        "flat_amount": None,
        "inclusive": params["inclusive"],
        "jurisdiction": None,
        "jurisdiction_level": None,
        "livemode": store.live,
        "metadata": {},
        "percentage": float(params["percentage"]),
        "rate_type": "percentage",
        "state": None,
        "tax_type": None,
    }
    return store.add("tax_rate", rate)


def _tax(store: Store, rates: list[str], lines: list[Body]) -> None:
    for line in lines:
        base = line["amount"] - sum(one["amount"] for one in line["discount_amounts"])
        for wanted in rates:
            rate = store.rows[wanted].body
            percent = Decimal(str(rate["percentage"]))
            exact = Decimal(base) * percent / (100 + percent if rate["inclusive"] else 100)
            line["taxes"].append(
                {
                    "amount": int(exact.quantize(Decimal(1), ROUND_HALF_UP)),
                    "tax_behavior": "inclusive" if rate["inclusive"] else "exclusive",
                    "tax_rate_details": {"tax_rate": wanted},
                    "taxability_reason": "standard_rated",
                    "taxable_amount": base,
                    "type": "tax_rate_details",
                }
            )


# --- the sum ------------------------------------------------------------------------------------------------------


def summed(store: Store, subscription: Body, lines: list[Body]) -> Body:
    """The fields of an invoice that say what these lines come to, after coupons and with taxes."""
    _take_off(store, subscription, [line for line in lines if line["parent"]["subscription_item_details"]])
    _tax(store, subscription["default_tax_rates"], lines)
    subtotal = sum(line["amount"] for line in lines)
    off: dict[str, int] = {}
    for one in (one for line in lines for one in line["discount_amounts"]):
        off[one["discount"]] = off.get(one["discount"], 0) + one["amount"]
    taxes: dict[str, Body] = {}
    for tax in (tax for line in lines for tax in line["taxes"]):
        wanted = tax["tax_rate_details"]["tax_rate"]
        before = taxes.get(wanted, {"amount": 0, "taxable_amount": 0})
        added = {name: before[name] + tax[name] for name in ("amount", "taxable_amount")}
        taxes[wanted] = tax | added
    on_top = sum(tax["amount"] for tax in taxes.values() if tax["tax_behavior"] == "exclusive")
    total = subtotal - sum(off.values()) + on_top
    return {
        "amount_due": total,
        "amount_remaining": total,
        "discounts": list(off),
        "subtotal": subtotal,
        "subtotal_excluding_tax": subtotal,
        "total": total,
        "total_discount_amounts": [{"amount": amount, "discount": wanted} for wanted, amount in off.items()],
        "total_excluding_tax": total - sum(tax["amount"] for tax in taxes.values()),
        "total_taxes": list(taxes.values()),
    }
