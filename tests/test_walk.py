"""The walk of a gift: a supporter gives, and the bar moves."""

from actors import Stripe, session
from flask.testing import FlaskClient


def test_a_paid_session_moves_the_bar_and_counts_once(client: FlaskClient, stripe_calls: Stripe) -> None:
    event = stripe_calls.event("checkout.session.completed", session(amount=1000))
    assert stripe_calls.sends(event) == 204
    assert stripe_calls.sends(event) == 204
    bar = client.get("/embed/newsroom.json").json
    assert bar is not None
    assert bar["raised"] == 1000
    assert bar["gifts"] == 1
