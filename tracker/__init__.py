"""Pledgebar: a monthly goal tracker for news sites."""
