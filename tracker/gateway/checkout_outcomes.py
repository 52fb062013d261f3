"""Reads what became of a checkout of ours: paid, left, or a card declined. By these counts card testing is noticed."""

from tracker.gateway.events import Event
from tracker.gateway.fields import part, text
from tracker.gateway.gift_facts import our_metadata

BY_CARD = (None, "card", "link")


def outcome_of(event: Event, mark: str) -> tuple[str, str] | None:
    """The campaign's slug, and `completed`, `expired` or `declined`; None on everything else, and on anybody else's.

    In subscription mode Stripe puts our metadata on a payment only once it succeeds, so that a monthly gift's declined
    card is seen here only with accounts that still make the invoice first; its checkout expires all the same.
    """
    metadata = our_metadata(event.object, mark)
    kind = _kind(event)
    return (text(metadata["campaign"])[:60], kind) if metadata and kind else None


def _kind(event: Event) -> str:
    about = event.object
    match event.type:
        case "checkout.session.completed":
            return "completed"
        case "checkout.session.expired":
            return "expired"
        case "payment_intent.payment_failed":
            # A debit that a bank refuses days later was no attempt to try a card.
            method = part(part(about, "last_payment_error"), "payment_method").get("type")
            return "declined" if method in BY_CARD else ""
        case "invoice.payment_failed":
            # Renewals fail for other reasons.
            return "declined" if about.get("billing_reason") == "subscription_create" else ""
    return ""
