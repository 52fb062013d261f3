"""The rules of giving: money, months, tiers, goals, facts and sums. No web, no database, no Stripe, no clock."""
