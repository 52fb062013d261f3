"""STRIPE: the only code of the app that imports stripe. Opens checkouts, and reads what Stripe tells us."""
