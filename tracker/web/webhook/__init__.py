"""The one address that Stripe calls, and what is asked of Stripe afterwards."""
