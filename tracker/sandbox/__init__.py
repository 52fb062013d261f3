"""A stand-in for Stripe, spoken to over HTTP by the unchanged SDK: for the demo, for rehearsals and for tests."""

from tracker.sandbox.account import Sandbox
from tracker.sandbox.app import create_sandbox
from tracker.sandbox.cards import CardDeclined

__all__ = ["CardDeclined", "Sandbox", "create_sandbox"]
