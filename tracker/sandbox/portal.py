"""The billing portal, where a supporter looks at the monthly gift and ends it."""

from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

CONFIGURATION = "billing_portal.configuration"
LINK_SECONDS = 3600  # a portal link is made for one click and does not last


def create_session(store: Store, params: Body, public_url: str) -> Body:
    if "customer" not in params:
        raise StripeError("Missing required param: customer.", code="parameter_missing", param="customer")
    customer = store.find("customer", params["customer"], "customer")
    configuration = params.get("configuration") or _default(store)["id"]
    store.find(CONFIGURATION, configuration, "configuration")
    flow = params.get("flow_data")
    if flow and flow["type"] == "subscription_cancel":
        if "subscription_cancel" not in flow:
            raise StripeError(
                "Missing required param: flow_data[subscription_cancel].",
                code="parameter_missing",
                param="flow_data[subscription_cancel]",
            )
        store.find("subscription", flow["subscription_cancel"]["subscription"], "subscription")
    wanted = store.new_id("bps_1")
    session = {
        "id": wanted,
        "object": "billing_portal.session",
        "configuration": configuration,
        "created": store.now(),
        "customer": customer["id"],
        "customer_account": None,
        "flow": flow,
        "livemode": store.live,
        "locale": params.get("locale"),
        "on_behalf_of": None,
        "return_url": params.get("return_url"),
        "url": f"{public_url.rstrip('/')}/portal/{store.new_id('', 40)}",
    }
    return store.add("billing_portal.session", session)


def _default(store: Store) -> Body:
    known = next((row for row in store.newest(CONFIGURATION) if row["is_default"]), None)
    return known or create_configuration(store, {"features": {}}, default=True)


def create_configuration(store: Store, params: Body, default: bool = False) -> Body:
    features = params.get("features", {})
    login = params.get("login_page", {}).get("enabled", False)
    wanted = store.new_id("bpc_1")
    configuration = {
        "id": wanted,
        "object": CONFIGURATION,
        "active": True,
        "application": None,
        "business_profile": {"headline": None, "privacy_policy_url": None, "terms_of_service_url": None}
        | (params.get("business_profile") or {}),
        "created": store.now(),
        "default_return_url": params.get("default_return_url") or None,
        "features": {
            "customer_update": {"allowed_updates": [], "enabled": False},
            "invoice_history": {"enabled": True},
            "payment_method_update": {"enabled": False, "payment_method_configuration": None},
            "subscription_cancel": {
                "cancellation_reason": {"enabled": False, "options": []},
                "enabled": True,
                "mode": "at_period_end",
                "proration_behavior": "none",
            },
            "subscription_update": {
                "billing_cycle_anchor": None,
                "default_allowed_updates": [],
                "enabled": False,
                "proration_behavior": "none",
                "schedule_at_period_end": {"conditions": []},
                "trial_update_behavior": "end_trial",
            },
        }
        | features,
        "is_default": default,
        "livemode": store.live,
        "login_page": {"enabled": login, "url": f"https://billing.stripe.com/p/login/{wanted}" if login else None},
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "name": params.get("name") or None,
        "updated": store.now(),
    }
    return store.add(CONFIGURATION, configuration)


def session_by_link(store: Store, secret: str) -> Body | None:
    """The session a portal address belongs to, in either mode, while the link lasts."""
    for live in (False, True):
        for session in store.newest("billing_portal.session", live):
            if session["url"].endswith(f"/portal/{secret}"):
                return session if store.now() - session["created"] < LINK_SECONDS else None
    return None
