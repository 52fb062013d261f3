"""The billing portal, where a supporter looks at the monthly gift and ends it."""

import hmac

from tracker.sandbox.parameters import merged_metadata
from tracker.sandbox.state import Body, Store
from tracker.sandbox.wire import StripeError

CONFIGURATION = "billing_portal.configuration"
LINK_SECONDS = 3600  # a portal link is made for one click and does not last
CODE_SECONDS, CODE_TRIES = 600, 5


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
    return known or create_configuration(store, {"features": {}}, "", default=True)


def create_configuration(store: Store, params: Body, public_url: str, default: bool = False) -> Body:
    features = _features(params)
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
        "login_page": _login_page(store, login, public_url),
        "metadata": merged_metadata({}, params.get("metadata") or {}),
        "name": params.get("name") or None,
        "updated": store.now(),
    }
    return store.add(CONFIGURATION, configuration)


def update_configuration(store: Store, configuration: Body, params: Body, public_url: str) -> Body:
    changed: Body = {name: params[name] or None for name in ("default_return_url", "name") if name in params}
    if "active" in params:
        changed["active"] = params["active"]
    if "business_profile" in params:
        changed["business_profile"] = configuration["business_profile"] | (params["business_profile"] or {})
    if "features" in params:
        changed["features"] = configuration["features"] | _features(params)
    if "login_page" in params:
        before = configuration["login_page"]["url"]
        changed["login_page"] = _login_page(store, params["login_page"]["enabled"], public_url, before)
    if "metadata" in params:
        changed["metadata"] = merged_metadata(configuration["metadata"], params["metadata"])
    store.change(configuration, updated=store.now(), **changed)
    return configuration


def _features(params: Body) -> Body:
    """What is asked of each feature, with the rest of it as it is unless somebody says otherwise."""
    features: Body = params.get("features", {})
    update = features.get("customer_update", {})
    if update.get("enabled") and not update.get("allowed_updates"):
        name = "features[customer_update][allowed_updates]"
        raise StripeError(f"Missing required param: {name}.", code="parameter_missing", param=name)
    usual: Body = {
        "subscription_cancel": {
            "cancellation_reason": {"enabled": False, "options": []}, "mode": "at_period_end", "proration_behavior": "none",
        },
        "payment_method_update": {"payment_method_configuration": None},
        "customer_update": {"allowed_updates": []},
    }  # fmt: skip
    return {name: usual.get(name, {}) | feature for name, feature in features.items()}


def _login_page(store: Store, enabled: bool, public_url: str, before: str | None = None) -> Body:
    """An address that anybody may know: what is behind it is opened by a code that goes to the customer's e-mail.

    It stays as it is until it is switched off; only this stand-in may have moved to another port.
    """
    if not enabled:
        return {"enabled": False, "url": None}
    name = before.rpartition("/")[2] if before else ("" if store.live else "test_") + store.new_id("", 20)
    return {"enabled": True, "url": f"{public_url.rstrip('/')}/p/login/{name}"}


# --- The login page ---------------------------------------------------------------------------------------------------


def by_login(store: Store, secret: str) -> tuple[Body, bool] | None:
    """The configuration that a login page belongs to, and its mode."""
    for live in (False, True):
        for row in store.newest(CONFIGURATION, live):
            page = row["login_page"]
            if row["active"] and page["enabled"] and page["url"].endswith(f"/p/login/{secret}"):
                return row, live
    return None


def send_code(store: Store, configuration: Body, email: str) -> str:
    """A new code for the customer with that address, which Stripe would send by e-mail; nothing where there is none."""
    customer = _customer(store, email)
    if customer is None:
        return ""
    codes = store.hidden(configuration["id"]).setdefault("codes", {})
    code = f"{int.from_bytes(store.new_id('', 4).encode()) % 1_000_000:06}"
    codes[email.lower()] = {"code": code, "until": store.now() + CODE_SECONDS, "tries": 0}
    store.touch(configuration["id"])
    return code


def log_in(store: Store, configuration: Body, email: str, code: str, public_url: str) -> Body | None:
    """A portal session for whoever has the code that was sent to that address."""
    sent = store.hidden(configuration["id"]).get("codes", {}).get(email.lower())
    customer = _customer(store, email)
    if sent is None or customer is None or store.now() > sent["until"] or sent["tries"] >= CODE_TRIES:
        return None
    sent["tries"] += 1
    good = hmac.compare_digest(sent["code"].encode(), code.strip().encode())
    if good:
        del store.hidden(configuration["id"])["codes"][email.lower()]
    store.touch(configuration["id"])
    if not good:
        return None
    params = {"customer": customer["id"], "configuration": configuration["id"]}
    return create_session(store, params | {"return_url": configuration["default_return_url"]}, public_url)


def _customer(store: Store, email: str) -> Body | None:
    """Of several with the same address Stripe takes the newest that has a subscription, else the newest."""
    same = [row for row in store.newest("customer") if (row["email"] or "").lower() == email.lower()]
    subscribed = {row["customer"] for row in store.newest("subscription") if row["status"] != "canceled"}
    return next((row for row in same if row["id"] in subscribed), same[0] if same else None)


def session_by_link(store: Store, secret: str) -> Body | None:
    """The session a portal address belongs to, in either mode, while the link lasts."""
    for live in (False, True):
        for session in store.newest("billing_portal.session", live):
            if session["url"].endswith(f"/portal/{secret}"):
                return session if store.now() - session["created"] < LINK_SECONDS else None
    return None
