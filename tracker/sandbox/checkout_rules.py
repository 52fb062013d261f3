"""What may be asked of a Checkout Session: the rules that go across parameters."""

from typing import Any
from urllib.parse import urlsplit

from tracker.sandbox.currencies import check_currency, check_steps, check_total
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

HALF_HOUR, DAY = 1800, 24 * 3600
LONGEST_TEXT = 1200
BUILT = ("payment", "subscription")


def check(store: Store, params: Body) -> None:
    """The rules of Checkout that go across parameters."""
    _check_mode(params)
    mode = params["mode"]
    if "success_url" not in params:
        _needed("success_url")
    for name in ("success_url", "cancel_url"):
        if name in params:
            _check_url(params[name], name)
    if "{CHECKOUT_SESSION_ID}" in params.get("cancel_url", ""):
        raise StripeError("The {CHECKOUT_SESSION_ID} template is only filled in `success_url`.", param="cancel_url")
    _check_people(store, params)
    if "expires_at" in params:
        ahead = params["expires_at"] - store.now()
        if not HALF_HOUR - 5 <= ahead <= DAY + 5:  # a few seconds pass between the caller's clock and this line
            edge = "at least 30 minutes" if ahead < DAY else "less than 24 hours"
            raise StripeError(
                f"The `expires_at` timestamp must be {edge} from Checkout Session creation.", param="expires_at"
            )
    _check_custom_fields(params.get("custom_fields", []))
    for name, text in (params.get("custom_text") or {}).items():
        if text and len(text["message"]) > LONGEST_TEXT:
            param = f"custom_text[{name}][message]"
            raise StripeError(f"`{param}` can be at most {LONGEST_TEXT} characters.", param=param)
    _check_items(store, params, mode)
    _check_unbuilt(params)


# What this stand-in would have to ignore, it refuses: a rehearsal must not pass by accident.
UNBUILT = (
    "automatic_tax",
    "discounts",
    "invoice_creation",
    "managed_payments",
    "optional_items",
    "permissions",
    "shipping_address_collection",
    "shipping_options",
    "tax_id_collection",
)
BUILT_DATA = {
    "payment_intent_data": {
        "capture_method",
        "description",
        "metadata",
        "receipt_email",
        "setup_future_usage",
        "statement_descriptor_suffix",
    },
    "subscription_data": {"billing_mode", "description", "metadata"},
}


def _check_unbuilt(params: Body) -> None:
    for name in UNBUILT:
        if name in params and params[name] != {"enabled": False}:
            raise StripeError(f"This stand-in does not act on {name}.", param=name)
    for name, built in BUILT_DATA.items():
        for part in params.get(name) or {}:
            if part not in built:
                raise StripeError(f"This stand-in does not act on {name}[{part}].", param=f"{name}[{part}]")
    if params.get("payment_intent_data", {}).get("capture_method") == "manual":
        raise StripeError("This stand-in does not capture by hand.", param="payment_intent_data[capture_method]")


def _check_mode(params: Body) -> None:
    if "mode" not in params:
        _needed("mode")
    mode = params["mode"]
    if mode not in BUILT:
        raise StripeError(f"This stand-in does not offer mode `{mode}`.", param="mode")
    if params.get("ui_mode", "hosted_page") != "hosted_page":
        raise StripeError(f"This stand-in only has the hosted page, not `{params['ui_mode']}`.", param="ui_mode")
    if "return_url" in params or "redirect_on_completion" in params:
        name = "return_url" if "return_url" in params else "redirect_on_completion"
        raise StripeError(f"`{name}` is not allowed if `ui_mode` is `hosted_page`.", param=name)
    payment_only = ("payment_intent_data", "invoice_creation")
    subscription_only = ("subscription_data", "payment_method_collection")
    if "setup_intent_data" in params:
        raise StripeError("You can not pass `setup_intent_data` outside `setup` mode.", param="setup_intent_data")
    for name in payment_only if mode == "subscription" else subscription_only:
        if name in params:
            raise StripeError(f"You can not pass `{name}` in `{mode}` mode.", param=name)
    if "customer_creation" in params and mode == "subscription":
        raise StripeError("`customer_creation` can only be used in `payment` mode.", param="customer_creation")
    if params.get("submit_type") == "subscribe" and mode != "subscription":
        raise StripeError("`submit_type` `subscribe` can only be used in `subscription` mode.", param="submit_type")


def _check_people(store: Store, params: Body) -> None:
    if "customer" in params and "customer_email" in params:
        raise StripeError(
            "You may only specify one of these parameters: customer, customer_email.",
            code="parameters_exclusive",
            param="customer_email",
        )
    if "customer" in params:
        store.find("customer", params["customer"], "customer")
        if "customer_creation" in params:
            raise StripeError(
                "You may only specify one of these parameters: customer, customer_creation.",
                code="parameters_exclusive",
                param="customer_creation",
            )
    elif "customer_update" in params:
        raise StripeError("`customer_update` can only be used with `customer`.", param="customer_update")
    email = params.get("customer_email")
    if email is not None and not plausible_email(email):
        raise StripeError(f"Invalid email address: {email}", code="email_invalid", param="customer_email")


def plausible_email(email: str) -> bool:
    name, _, domain = email.rpartition("@")
    return bool(name) and "." in domain.strip(".") and not any(letter.isspace() for letter in email)


def _needed(name: str) -> None:
    raise StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)


def _check_url(url: str, param: str) -> None:
    parts = urlsplit(url)
    if parts.scheme not in ("http", "https") or not parts.netloc or any(letter.isspace() for letter in url):
        raise StripeError(
            "Invalid URL: An explicit scheme (such as https) must be provided."
            if not parts.scheme
            else "Not a valid URL",
            code="url_invalid",
            param=param,
        )


def _check_custom_fields(fields: list[Body]) -> None:
    if len(fields) > 3:
        raise StripeError("Array custom_fields exceeded maximum 3 allowed elements.", param="custom_fields")
    keys = [field["key"] for field in fields]
    for position, field in enumerate(fields):
        place = f"custom_fields[{position}]"
        if not field["key"].isalnum() or len(field["key"]) > 200:
            raise StripeError("Custom field keys must be alphanumeric, up to 200 characters.", param=f"{place}[key]")
        if keys.count(field["key"]) > 1:
            raise StripeError("Custom field keys must be unique.", param=f"{place}[key]")
        options = field.get("dropdown", {}).get("options", [])
        if (field["type"] == "dropdown") != bool(options) or len(options) > 200:
            raise StripeError("A dropdown, and only a dropdown, has 1 to 200 options.", param=f"{place}[dropdown]")


def _check_items(store: Store, params: Body, mode: str) -> None:
    items = params.get("line_items") or []
    if not items:
        raise StripeError(
            f"You must provide `line_items` in `{mode}` mode.", code="parameter_missing", param="line_items"
        )
    if len(items) > (100 if mode == "payment" else 40):
        raise StripeError("There are too many line items.", param="line_items")
    currencies, recurring, total = set(), 0, 0
    for position, item in enumerate(items):
        place = f"line_items[{position}]"
        amount, currency, every = _check_item(store, item, place)
        recurring += bool(every)
        if every and mode == "payment":
            raise StripeError(
                "You specified `payment` mode but passed a recurring price. Either switch to `subscription` mode or "
                "use only one-time prices.",
                param=place,
            )
        currencies.add(currency)
        total += amount
    if mode == "subscription" and not recurring:
        raise StripeError(
            "You must provide at least one recurring price in `subscription` mode when using prices.",
            param="line_items",
        )
    if len(currencies) > 1:
        raise StripeError("All line items must have the same currency.", param="line_items")
    check_total(total, currencies.pop(), "line_items")


def _check_item(store: Store, item: Body, place: str) -> tuple[int, str, Any]:
    """What one line costs, in which currency, and how often."""
    for name in ("adjustable_quantity", "tax_rates"):
        if name in item:
            raise StripeError(f"This stand-in does not act on {name}.", param=f"{place}[{name}]")
    if "quantity" not in item:
        raise StripeError(
            "Quantity is required. Add `quantity` to each line item.",
            code="parameter_missing",
            param=f"{place}[quantity]",
        )
    quantity = item["quantity"]
    if not 1 <= quantity <= 999_999:
        raise StripeError(
            "This value must be greater than or equal to 1.",
            code="parameter_invalid_integer",
            param=f"{place}[quantity]",
        )
    if ("price" in item) == ("price_data" in item):
        raise StripeError(
            "You must specify either `price` or `price_data` when using prices.",
            code="parameter_missing" if "price" not in item else "parameters_exclusive",
            param=f"{place}[price]",
        )
    if "price" in item:
        price = store.find("price", item["price"], f"{place}[price]")
        if not price["active"]:
            raise StripeError(
                "The price specified is inactive. This field only accepts active prices.", param=f"{place}[price]"
            )
        return price["unit_amount"] * quantity, price["currency"], price["recurring"]
    data = item["price_data"]
    amount = _check_price_data(store, data, f"{place}[price_data]")
    return amount * quantity, data["currency"], data.get("recurring")


def _check_price_data(store: Store, data: Body, place: str) -> int:
    data["currency"] = check_currency(data["currency"], f"{place}[currency]")
    if ("product" in data) == ("product_data" in data):
        raise StripeError(
            "You must specify either `product` or `product_data` when creating a price.",
            code="parameter_missing" if "product" not in data else "parameters_exclusive",
            param=f"{place}[product_data]",
        )
    if "product" in data:
        store.find("product", data["product"], f"{place}[product]")
    if ("unit_amount" in data) == ("unit_amount_decimal" in data):
        raise StripeError(
            "You must specify either `unit_amount` or `unit_amount_decimal`.",
            code="parameter_missing" if "unit_amount" not in data else "parameters_exclusive",
            param=f"{place}[unit_amount]",
        )
    if "unit_amount_decimal" in data:
        exact = data.pop("unit_amount_decimal")
        if exact != int(exact):
            raise StripeError("This stand-in counts whole units only.", param=f"{place}[unit_amount_decimal]")
        data["unit_amount"] = int(exact)
    amount: int = data["unit_amount"]
    if amount < 0:
        raise StripeError(
            "This value must be greater than or equal to 0.",
            code="parameter_invalid_integer",
            param=f"{place}[unit_amount]",
        )
    check_steps(amount, data["currency"], f"{place}[unit_amount]")
    every = data.get("recurring")
    longest = {"day": 1095, "week": 156, "month": 36, "year": 3}  # three years
    if every and not 1 <= every.get("interval_count", 1) <= longest[every["interval"]]:
        raise StripeError(
            "Recurring intervals can be at most three years.", param=f"{place}[recurring][interval_count]"
        )
    return amount
