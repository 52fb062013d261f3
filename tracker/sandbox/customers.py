"""Who gives, and what for: customers, products and prices."""

from tracker.sandbox.events import emit
from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store

# --- customers ----------------------------------------------------------------------------------------------------


def create_customer(store: Store, params: Body) -> Body:
    clock = params.get("test_clock")
    moment = store.find("test_helpers.test_clock", clock, "test_clock")["frozen_time"] if clock else None
    with store.at(moment):
        customer = {
            "id": store.new_id("cus_", 14),
            "object": "customer",
            "address": params.get("address") or None,
            "balance": 0,
            "created": store.now(),
            "currency": None,
            "customer_account": None,
            "default_source": None,
            "delinquent": False,
            "description": params.get("description") or None,
            "discount": None,
            "email": params.get("email") or None,
            "invoice_prefix": store.new_id("", 8).upper(),
            "invoice_settings": {
                "custom_fields": None,
                "default_payment_method": None,
                "footer": None,
                "rendering_options": None,
            },
            "livemode": store.live,
            "metadata": merged_metadata({}, params.get("metadata") or {}),
            "name": params.get("name") or None,
            "next_invoice_sequence": 1,
            "phone": params.get("phone") or None,
            "preferred_locales": params.get("preferred_locales") or [],
            "shipping": None,
            "tax_exempt": "none",
            "test_clock": clock,
        }
        store.add("customer", customer)
        emit(store, "customer.created", customer)
    return customer


def update_customer(store: Store, customer: Body, params: Body) -> Body:
    plain: Body = {
        name: params[name] or None
        for name in ("email", "name", "phone", "description", "address", "preferred_locales")
        if name in params
    }
    if "metadata" in params:
        plain["metadata"] = merged_metadata(customer["metadata"], params["metadata"])
    before = store.change(customer, **plain)
    if before:
        emit(store, "customer.updated", customer, before)
    return customer


def clock_moment(store: Store, customer: str | None) -> int | None:
    """The time on the test clock of a customer who lives by one."""
    row = store.rows.get(customer or "")
    clock = store.read(row.body["test_clock"]) if row else None
    return clock["frozen_time"] if clock else None


# --- products and prices ------------------------------------------------------------------------------------------


def make_price(store: Store, data: Body) -> Body:
    """The price, and if need be the product, that `price_data` describes."""
    product = data.get("product") or _make_product(store, data["product_data"])["id"]
    recurring = data.get("recurring")
    price = {
        "id": store.new_id("price_1"),
        "object": "price",
        "active": False,  # made in passing, not meant to be used again
        "billing_scheme": "per_unit",
        "created": store.now(),
        "currency": data["currency"],
        "custom_unit_amount": None,
        "livemode": store.live,
        "lookup_key": None,
        "metadata": {},
        "nickname": None,
        "product": product,
        "recurring": {
            "interval": recurring["interval"],
            "interval_count": recurring.get("interval_count", 1),
            "meter": None,
            "trial_period_days": None,
            "usage_type": "licensed",
        }
        if recurring
        else None,
        "tax_behavior": data.get("tax_behavior", "unspecified"),
        "tiers_mode": None,
        "transform_quantity": None,
        "type": "recurring" if recurring else "one_time",
        "unit_amount": data["unit_amount"],
        "unit_amount_decimal": str(data["unit_amount"]),
    }
    return store.add("price", price)


def _make_product(store: Store, data: Body) -> Body:
    product = {
        "id": store.new_id("prod_", 14),
        "object": "product",
        "active": False,
        "created": store.now(),
        "default_price": None,
        "description": data.get("description"),
        "images": data.get("images", []),
        "livemode": store.live,
        "marketing_features": [],
        "metadata": merged_metadata({}, data.get("metadata") or {}),
        "name": data["name"],
        "package_dimensions": None,
        "shippable": None,
        "statement_descriptor": None,
        "tax_code": data.get("tax_code"),
        "type": "service",
        "unit_label": data.get("unit_label"),
        "updated": store.now(),
        "url": None,
    }
    return store.add("product", product)


def make_plan(price: Body) -> Body:
    """The price in the words of its predecessor, which subscription items still carry."""
    every = price["recurring"]
    return {
        "id": price["id"],
        "object": "plan",
        "active": price["active"],
        "amount": price["unit_amount"],
        "amount_decimal": price["unit_amount_decimal"],
        "billing_scheme": "per_unit",
        "created": price["created"],
        "currency": price["currency"],
        "interval": every["interval"],
        "interval_count": every["interval_count"],
        "livemode": price["livemode"],
        "metadata": {},
        "meter": None,
        "nickname": None,
        "product": price["product"],
        "tiers_mode": None,
        "transform_usage": None,
        "trial_period_days": None,
        "usage_type": "licensed",
    }
