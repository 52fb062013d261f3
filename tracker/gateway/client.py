"""Stripe's own client, set up the way that suits us."""

import logging

import stripe


def make_client(
    key: str, *, api_base: str, version: str, tries: int, transport: stripe.HTTPClient
) -> stripe.StripeClient:
    """A client for one process, over a transport that whoever brings it closes. `tries` includes the first."""
    # Module-wide switches: nothing about donors' requests is measured, and below warnings the SDK would write down whole
    # requests and Stripe's messages, with what donors typed in them.
    stripe.enable_telemetry = False
    logging.getLogger("stripe").setLevel(logging.WARNING)
    stripe.set_app_info("pledgebar", version=version)
    return stripe.StripeClient(
        key,
        # A client has no repetitions of its own unless told.
        max_network_retries=tries - 1,
        http_client=transport,
        base_addresses={"api": api_base or stripe.DEFAULT_API_BASE},
    )
