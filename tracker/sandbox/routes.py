"""Every address under /v1: which parameters it takes, and what it does."""

import re
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import stripe.params as core
import stripe.params.billing_portal as portal_params
import stripe.params.checkout as checkout_params
import stripe.params.test_helpers as clock_params

from tracker.sandbox import balance as balances
from tracker.sandbox import (
    billing,
    checkout,
    clocks,
    customers,
    disputes,
    endpoints,
    invoice_sums,
    partial,
    portal,
    refunds,
)  # fmt: skip
from tracker.sandbox.account import Sandbox
from tracker.sandbox.checkout_rules import plausible_email
from tracker.sandbox.currencies import check_currency
from tracker.sandbox.events import KEPT_SECONDS
from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body
from tracker.sandbox.wire import StripeError, page, within

Handler = Callable[..., Body]


@dataclass(frozen=True)
class Route:
    method: str
    pattern: re.Pattern[str]
    shape: Any
    handler: Handler


ROUTES: list[Route] = []


def route(rule: str, shape: Any) -> Callable[[Handler], Handler]:
    """`GET /v1/charges/{id}`: the handler is called with the sandbox, the parameters, and each id in braces."""
    method, _, path = rule.partition(" ")
    pattern = re.compile(re.sub(r"\{\w+\}", r"([^/]+)", path))

    def remember(handler: Handler) -> Handler:
        ROUTES.append(Route(method, pattern, shape, handler))
        return handler

    return remember


def find(method: str, path: str) -> tuple[Route, tuple[str, ...]] | None:
    for known in ROUTES:
        if known.method == method and (match := known.pattern.fullmatch(path)):
            return known, match.groups()
    return None


# --- reading ------------------------------------------------------------------------------------------------------


def listing(
    sandbox: Sandbox, kind: str, url: str, params: Body, *filters: str, chosen: Iterable[Body] | None = None
) -> Body:
    """The objects of one kind whose fields equal the named filters; `created` takes a range."""
    store = sandbox.store
    rows = [
        row
        for row in (store.newest(kind) if chosen is None else chosen)
        if all(row.get(name) == params[name] for name in filters if name in params)
        and ("created" not in params or within(row["created"], params["created"]))
    ]
    return page(url, rows, params, lambda wanted: store.read(wanted) is not None)


def readable(kind: str, url: str, retrieve: Any, lister: Any, *filters: str) -> None:
    """The two addresses that most kinds of objects share."""

    @route(f"GET {url}", lister)
    def rows(sandbox: Sandbox, params: Body) -> Body:
        return listing(sandbox, kind, url, params, *filters)

    @route(f"GET {url}/{{id}}", retrieve)
    def one(sandbox: Sandbox, params: Body, wanted: str) -> Body:
        return sandbox.store.find(kind, wanted)


# --- checkout -----------------------------------------------------------------------------------------------------


@route("POST /v1/checkout/sessions", checkout_params.SessionCreateParams)
def create_session(sandbox: Sandbox, params: Body) -> Body:
    return checkout.create_session(sandbox.store, params, sandbox.public_url)


@route("GET /v1/checkout/sessions", checkout_params.SessionListParams)
def list_sessions(sandbox: Sandbox, params: Body) -> Body:
    email = params.get("customer_details", {}).get("email")
    chosen = (
        row
        for row in sandbox.store.newest("checkout.session")
        if email is None or (row["customer_details"] or {}).get("email") == email
    )
    filters = ("status", "subscription", "payment_intent", "customer")
    return listing(sandbox, "checkout.session", "/v1/checkout/sessions", params, *filters, chosen=chosen)


@route("GET /v1/checkout/sessions/{id}", checkout_params.SessionRetrieveParams)
def retrieve_session(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("checkout.session", wanted, "session")


@route("POST /v1/checkout/sessions/{id}", checkout_params.SessionUpdateParams)
def update_session(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return checkout.update_session(sandbox.store, sandbox.store.find("checkout.session", wanted, "session"), params)


@route("POST /v1/checkout/sessions/{id}/expire", checkout_params.SessionExpireParams)
def expire_session(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return checkout.expire_session(sandbox.store, sandbox.store.find("checkout.session", wanted, "session"))


@route("GET /v1/checkout/sessions/{id}/line_items", checkout_params.SessionLineItemListParams)
def session_lines(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    sandbox.store.find("checkout.session", wanted, "session")
    return page(f"/v1/checkout/sessions/{wanted}/line_items", sandbox.store.hidden(wanted)["lines"], params)


# --- payments -----------------------------------------------------------------------------------------------------

readable(
    "payment_intent",
    "/v1/payment_intents",
    core.PaymentIntentRetrieveParams,
    core.PaymentIntentListParams,
    "customer",
)
readable("charge", "/v1/charges", core.ChargeRetrieveParams, core.ChargeListParams, "customer", "payment_intent")
readable("payment_method", "/v1/payment_methods", core.PaymentMethodRetrieveParams, core.PaymentMethodListParams)


@route("POST /v1/payment_intents/{id}", core.PaymentIntentUpdateParams)
def update_intent(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return _relabel(sandbox, sandbox.store.find("payment_intent", wanted, "intent"), params)


@route("POST /v1/charges/{id}", core.ChargeUpdateParams)
def update_charge(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return _relabel(sandbox, sandbox.store.find("charge", wanted, "charge"), params)


def _relabel(sandbox: Sandbox, body: Body, params: Body) -> Body:
    """Description and metadata are what may still be changed once money has moved."""
    for name in params:
        if name not in ("description", "metadata", "expand"):
            raise StripeError(f"This stand-in does not change {name} here.", param=name)
    if "description" in params:
        sandbox.store.change(body, description=params["description"] or None)
    if "metadata" in params:
        sandbox.store.change(body, metadata=merged_metadata(body["metadata"], params["metadata"]))
    return body


@route("GET /v1/balance", core.BalanceRetrieveParams)
def balance(sandbox: Sandbox, params: Body) -> Body:
    return balances.balance(sandbox.store)


@route("GET /v1/balance_transactions", core.BalanceTransactionListParams)
def list_entries(sandbox: Sandbox, params: Body) -> Body:
    store = sandbox.store
    balances.ripen(store)
    chosen = (
        row
        for row in store.newest("balance_transaction")
        if "payout" not in params or store.hidden(row["id"]).get("payout") == params["payout"]
    )
    filters = ("source", "type", "currency")
    return listing(sandbox, "balance_transaction", "/v1/balance_transactions", params, *filters, chosen=chosen)


@route("GET /v1/balance_transactions/{id}", core.BalanceTransactionRetrieveParams)
def retrieve_entry(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    balances.ripen(sandbox.store)
    return sandbox.store.find("balance_transaction", wanted)


readable("refund", "/v1/refunds", core.RefundRetrieveParams, core.RefundListParams, "charge", "payment_intent")


@route("POST /v1/refunds", core.RefundCreateParams)
def create_refund(sandbox: Sandbox, params: Body) -> Body:
    return refunds.create_refund(sandbox.store, params)


@route("POST /v1/refunds/{id}", core.RefundUpdateParams)
def update_refund(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    refund = sandbox.store.find("refund", wanted)
    if "metadata" in params:
        sandbox.store.change(refund, metadata=merged_metadata(refund["metadata"], params["metadata"]))
    return refund


@route("POST /v1/refunds/{id}/cancel", core.RefundCancelParams)
def cancel_refund(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return refunds.cancel_refund(sandbox.store, sandbox.store.find("refund", wanted))


readable("dispute", "/v1/disputes", core.DisputeRetrieveParams, core.DisputeListParams, "charge", "payment_intent")


@route("POST /v1/disputes/{id}", core.DisputeUpdateParams)
def update_dispute(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return disputes.update_dispute(sandbox.store, sandbox.store.find("dispute", wanted, "dispute"), params)


@route("POST /v1/disputes/{id}/close", core.DisputeCloseParams)
def close_dispute(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return disputes.close_dispute(sandbox.store, sandbox.store.find("dispute", wanted, "dispute"), won=False)


@route("GET /v1/payouts", core.PayoutListParams)
def list_payouts(sandbox: Sandbox, params: Body) -> Body:
    chosen = (
        row
        for row in sandbox.store.newest("payout")
        if "arrival_date" not in params or within(row["arrival_date"], params["arrival_date"])
    )
    return listing(sandbox, "payout", "/v1/payouts", params, "status", "destination", chosen=chosen)


@route("GET /v1/payouts/{id}", core.PayoutRetrieveParams)
def retrieve_payout(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("payout", wanted, "payout")


# --- customers, products, prices ----------------------------------------------------------------------------------


@route("GET /v1/customers", core.CustomerListParams)
def list_customers(sandbox: Sandbox, params: Body) -> Body:
    chosen = (
        row
        for row in sandbox.store.newest("customer")
        if params.get("test_clock") == row["test_clock"]  # customers on a clock are listed only when asked for
    )
    return listing(sandbox, "customer", "/v1/customers", params, "email", chosen=chosen)


@route("GET /v1/customers/{id}", core.CustomerRetrieveParams)
def retrieve_customer(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("customer", wanted)


@route("POST /v1/customers", core.CustomerCreateParams)
def create_customer(sandbox: Sandbox, params: Body) -> Body:
    _known_people_only(params)
    return customers.create_customer(sandbox.store, params)


@route("POST /v1/customers/{id}", core.CustomerUpdateParams)
def update_customer(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    _known_people_only(params)
    return customers.update_customer(sandbox.store, sandbox.store.find("customer", wanted), params)


def _known_people_only(params: Body) -> None:
    kept = {
        "address", "description", "email", "expand", "metadata", "name", "phone", "preferred_locales", "test_clock",
    }  # fmt: skip
    for name in params:
        if name not in kept:
            raise StripeError(f"This stand-in does not act on {name} of a customer.", param=name)
    email = params.get("email")
    if email and not plausible_email(email):
        raise StripeError(f"Invalid email address: {email}", code="email_invalid", param="email")


@route("DELETE /v1/customers/{id}", core.CustomerDeleteParams)
def delete_customer(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return billing.delete_customer(sandbox.store, sandbox.store.find("customer", wanted))


readable("product", "/v1/products", core.ProductRetrieveParams, core.ProductListParams, "active")


@route("GET /v1/prices", core.PriceListParams)
def list_prices(sandbox: Sandbox, params: Body) -> Body:
    return listing(sandbox, "price", "/v1/prices", params, "active", "currency", "product", "type")


@route("GET /v1/prices/{id}", core.PriceRetrieveParams)
def retrieve_price(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("price", wanted, "price")


@route("POST /v1/prices", core.PriceCreateParams)
def create_price(sandbox: Sandbox, params: Body) -> Body:
    """A price that may be used again and again, with `price` in a line item."""
    if "unit_amount" not in params:
        raise StripeError("Missing required param: unit_amount.", code="parameter_missing", param="unit_amount")
    if ("product" in params) == ("product_data" in params):
        raise StripeError("You must specify either `product` or `product_data`.", param="product")
    if "product" in params:
        sandbox.store.find("product", params["product"], "product")
    params["currency"] = check_currency(params["currency"], "currency")
    price = customers.make_price(sandbox.store, params)
    metadata = merged_metadata({}, params.get("metadata") or {})
    sandbox.store.change(price, active=True, metadata=metadata, nickname=params.get("nickname"))
    return price


# --- billing ------------------------------------------------------------------------------------------------------


@route("GET /v1/subscriptions", core.SubscriptionListParams)
def list_subscriptions(sandbox: Sandbox, params: Body) -> Body:
    asked = params.get("status")

    def wanted(row: Body) -> bool:
        ended = row["status"] in ("canceled", "incomplete_expired")
        if asked in (None, "ended"):
            return ended is (asked == "ended")
        return asked in ("all", row["status"])

    chosen = (
        row
        for row in sandbox.store.newest("subscription")
        if wanted(row)
        and ("price" not in params or any(i["price"]["id"] == params["price"] for i in row["items"]["data"]))
    )
    return listing(sandbox, "subscription", "/v1/subscriptions", params, "customer", "test_clock", chosen=chosen)


@route("GET /v1/subscriptions/{id}", core.SubscriptionRetrieveParams)
def retrieve_subscription(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("subscription", wanted)


@route("POST /v1/subscriptions/{id}", core.SubscriptionUpdateParams)
def update_subscription(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    subscription = sandbox.store.find("subscription", wanted)
    kept = {
        "cancel_at", "cancel_at_period_end", "cancellation_details", "default_payment_method", "description", "expand",
        "items", "metadata", "pause_collection", "payment_behavior", "proration_behavior", "discounts", "default_tax_rates",
    }  # fmt: skip
    for name in params:
        if name not in kept:
            raise StripeError(f"This stand-in does not change {name} of a subscription.", param=name)
    with sandbox.store.at(customers.clock_moment(sandbox.store, subscription["customer"])):
        return billing.update_subscription(sandbox.store, subscription, params)


@route("DELETE /v1/subscriptions/{id}", core.SubscriptionCancelParams)
def cancel_subscription(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    subscription = sandbox.store.find("subscription", wanted)
    with sandbox.store.at(customers.clock_moment(sandbox.store, subscription["customer"])):
        return billing.cancel_subscription(sandbox.store, subscription, params)


@route("POST /v1/subscriptions/{id}/pause", core.SubscriptionPauseParams)
def pause_subscription(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return billing.pause_subscription(sandbox.store, sandbox.store.find("subscription", wanted))


@route("POST /v1/subscriptions/{id}/resume", core.SubscriptionResumeParams)
def resume_subscription(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return billing.resume_subscription(sandbox.store, sandbox.store.find("subscription", wanted))


@route("GET /v1/subscription_items", core.SubscriptionItemListParams)
def list_items(sandbox: Sandbox, params: Body) -> Body:
    subscription = sandbox.store.find("subscription", params["subscription"], "subscription")
    return page("/v1/subscription_items", subscription["items"]["data"], params)


@route("GET /v1/invoices", core.InvoiceListParams)
def list_invoices(sandbox: Sandbox, params: Body) -> Body:
    chosen = (
        row
        for row in sandbox.store.newest("invoice")
        if "subscription" not in params
        or row["parent"]["subscription_details"]["subscription"] == params["subscription"]
    )
    filters = ("status", "customer", "collection_method")
    return listing(sandbox, "invoice", "/v1/invoices", params, *filters, chosen=chosen)


@route("GET /v1/invoices/{id}", core.InvoiceRetrieveParams)
def retrieve_invoice(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("invoice", wanted)


@route("GET /v1/invoices/{id}/lines", core.InvoiceLineItemListParams)
def invoice_lines(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    invoice = sandbox.store.find("invoice", wanted)
    return page(f"/v1/invoices/{wanted}/lines", invoice["lines"]["data"], params)


@route("POST /v1/invoices/{id}/pay", core.InvoicePayParams)
def pay_invoice(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    invoice = sandbox.store.find("invoice", wanted)
    with sandbox.store.at(customers.clock_moment(sandbox.store, invoice["customer"])):
        if params.get("paid_out_of_band"):
            return partial.pay_outside(sandbox.store, invoice)
        return billing.pay_invoice(sandbox.store, invoice)


readable("coupon", "/v1/coupons", core.CouponRetrieveParams, core.CouponListParams)
readable("invoiceitem", "/v1/invoiceitems", core.InvoiceItemRetrieveParams, core.InvoiceItemListParams, "customer")
readable("tax_rate", "/v1/tax_rates", core.TaxRateRetrieveParams, core.TaxRateListParams, "active")


@route("POST /v1/coupons", core.CouponCreateParams)
def create_coupon(sandbox: Sandbox, params: Body) -> Body:
    return invoice_sums.create_coupon(sandbox.store, params)


@route("POST /v1/invoiceitems", core.InvoiceItemCreateParams)
def create_invoice_item(sandbox: Sandbox, params: Body) -> Body:
    return invoice_sums.create_item(sandbox.store, params)


@route("POST /v1/tax_rates", core.TaxRateCreateParams)
def create_tax_rate(sandbox: Sandbox, params: Body) -> Body:
    return invoice_sums.create_tax_rate(sandbox.store, params)


@route("GET /v1/invoice_payments", core.InvoicePaymentListParams)
def list_invoice_payments(sandbox: Sandbox, params: Body) -> Body:
    payment = params.get("payment")
    if payment and payment["type"] not in payment:
        needed = f"payment[{payment['type']}]"
        raise StripeError(f"Missing required param: {needed}.", code="parameter_missing", param=needed)
    chosen = (
        row
        for row in sandbox.store.newest("invoice_payment")
        if payment is None or row["payment"].get(payment["type"]) == payment[payment["type"]]
    )
    return listing(sandbox, "invoice_payment", "/v1/invoice_payments", params, "invoice", "status", chosen=chosen)


@route("GET /v1/invoice_payments/{id}", core.InvoicePaymentRetrieveParams)
def retrieve_invoice_payment(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("invoice_payment", wanted)


# --- portal -------------------------------------------------------------------------------------------------------


@route("POST /v1/billing_portal/sessions", portal_params.SessionCreateParams)
def create_portal_session(sandbox: Sandbox, params: Body) -> Body:
    return portal.create_session(sandbox.store, params, sandbox.public_url)


readable(
    "billing_portal.configuration",
    "/v1/billing_portal/configurations",
    portal_params.ConfigurationRetrieveParams,
    portal_params.ConfigurationListParams,
    "active",
    "is_default",
)


@route("POST /v1/billing_portal/configurations", portal_params.ConfigurationCreateParams)
def create_configuration(sandbox: Sandbox, params: Body) -> Body:
    return portal.create_configuration(sandbox.store, params, sandbox.public_url)


@route("POST /v1/billing_portal/configurations/{id}", portal_params.ConfigurationUpdateParams)
def update_configuration(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    found = sandbox.store.find("billing_portal.configuration", wanted)
    return portal.update_configuration(sandbox.store, found, params, sandbox.public_url)


# --- events and webhook endpoints ---------------------------------------------------------------------------------


@route("GET /v1/events", core.EventListParams)
def list_events(sandbox: Sandbox, params: Body) -> Body:
    wanted = params.get("types") or []
    if len(wanted) > 20:
        raise StripeError("Array types exceeded maximum 20 allowed elements.", param="types")
    if wanted and "type" in params:
        raise StripeError(
            "You may only specify one of these parameters: type, types.", code="parameters_exclusive", param="types"
        )
    if "type" in params:
        wanted = [params["type"]]
    patterns = [re.compile(re.escape(name).replace(r"\*", ".*")) for name in wanted]
    oldest = sandbox.store.now() - KEPT_SECONDS
    success = params.get("delivery_success")
    chosen = (
        row
        for row in sandbox.store.newest("event")
        if row["created"] >= oldest
        and (not patterns or any(pattern.fullmatch(row["type"]) for pattern in patterns))
        and (success is None or (row["pending_webhooks"] == 0) is success)
    )
    return listing(sandbox, "event", "/v1/events", params, chosen=chosen)


@route("GET /v1/events/{id}", core.EventRetrieveParams)
def retrieve_event(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return sandbox.store.find("event", wanted)


readable(
    "webhook_endpoint",
    "/v1/webhook_endpoints",
    core.WebhookEndpointRetrieveParams,
    core.WebhookEndpointListParams,
)


@route("POST /v1/webhook_endpoints", core.WebhookEndpointCreateParams)
def create_endpoint(sandbox: Sandbox, params: Body) -> Body:
    endpoint = endpoints.create(sandbox.store, params)
    return endpoint | {"secret": sandbox.store.hidden(endpoint["id"])["secret"]}


@route("POST /v1/webhook_endpoints/{id}", core.WebhookEndpointUpdateParams)
def update_endpoint(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return endpoints.update(sandbox.store, sandbox.store.find("webhook_endpoint", wanted), params)


@route("DELETE /v1/webhook_endpoints/{id}", core.WebhookEndpointDeleteParams)
def delete_endpoint(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return endpoints.delete(sandbox.store, sandbox.store.find("webhook_endpoint", wanted))


# --- test clocks, account -----------------------------------------------------------------------------------------

CLOCKS = "test_helpers.test_clock"
readable(
    CLOCKS,
    "/v1/test_helpers/test_clocks",
    clock_params.TestClockRetrieveParams,
    clock_params.TestClockListParams,
)


@route("POST /v1/test_helpers/test_clocks", clock_params.TestClockCreateParams)
def create_clock(sandbox: Sandbox, params: Body) -> Body:
    if sandbox.store.live:
        raise StripeError("Test clocks exist in test mode only.", code="testmode_only")
    return clocks.create_clock(sandbox.store, params)


@route("POST /v1/test_helpers/test_clocks/{id}/advance", clock_params.TestClockAdvanceParams)
def advance_clock(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return clocks.advance_clock(sandbox.store, sandbox.store.find(CLOCKS, wanted), params["frozen_time"])


@route("DELETE /v1/test_helpers/test_clocks/{id}", clock_params.TestClockDeleteParams)
def delete_clock(sandbox: Sandbox, params: Body, wanted: str) -> Body:
    return clocks.delete_clock(sandbox.store, sandbox.store.find(CLOCKS, wanted))


@route("GET /v1/account", core.AccountRetrieveCurrentParams)
def account(sandbox: Sandbox, params: Body) -> Body:
    return {
        "id": "acct_1Sandbox",
        "object": "account",
        "business_profile": {"name": "Sandbox", "url": sandbox.public_url},
        "charges_enabled": True,
        "country": "US",
        "default_currency": "usd",
        "details_submitted": True,
        "email": "owner@sandbox.example",
        "payouts_enabled": True,
        "settings": {"dashboard": {"display_name": "Sandbox", "timezone": "Etc/UTC"}},
        "type": "standard",
    }
