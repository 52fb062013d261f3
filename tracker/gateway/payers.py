"""Who paid a charge, as Stripe has it. It is only shown to an editor who asks, and never kept."""

from dataclasses import dataclass

from tracker.gateway.fields import Object, ids, part, text


@dataclass(frozen=True)
class Payer:
    """Who paid, by the ids of the payment. What they did not give is empty."""

    known_as: tuple[str, ...]
    name: str
    email: str
    address: tuple[str, ...]
    """Two lines, postal code, city, state and country."""


ADDRESS = ("line1", "line2", "postal_code", "city", "state", "country")


def payer_of(charge: Object) -> Payer:
    billing = part(charge, "billing_details")
    address = part(billing, "address")
    return Payer(
        (charge["id"], *ids(charge, "payment_intent")),
        text(billing.get("name")),
        text(billing.get("email")) or text(charge.get("receipt_email")),
        tuple(text(address.get(name)) for name in ADDRESS),
    )
