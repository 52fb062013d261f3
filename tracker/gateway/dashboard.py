"""Where Stripe's own dashboard shows the thing behind an id."""

DASHBOARD = "https://dashboard.stripe.com"
PAGES = {
    "pi": "payments", "ch": "payments", "py": "payments", "in": "invoices", "sub": "subscriptions", "po": "payouts",
    "evt": "events",
}  # fmt: skip
"""By the prefix of the id; the others have no page of their own that we know of."""


def dashboard_link(stripe_id: str, live: bool, api_base: str = "") -> str:
    """The address of that page, in the right mode; empty if there is none, or if another API than Stripe's is in use."""
    kind, _, rest = stripe_id.partition("_")
    if api_base or kind not in PAGES or not rest.replace("_", "").isalnum():
        return ""
    return f"{DASHBOARD}{'' if live else '/test'}/{PAGES[kind]}/{stripe_id}"
