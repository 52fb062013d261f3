"""THE DATABASE: campaigns, deliveries, entries and their sums. Knows nothing of the web or of Stripe."""
