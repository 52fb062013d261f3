"""Comparing with Stripe: every fact against the book, and the book against the balance and the bank."""
