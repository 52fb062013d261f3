"""The demo: a news site, two years of history, and everything started at once."""
