"""Which gifts Stripe's sessions and invoices tell of, and by which payments they were paid."""

from collections.abc import Iterator
from datetime import datetime
from typing import Literal

from tracker.gateway.fields import (
    Object,
    amount,
    currency,
    id_of,
    ids,
    is_amount,
    is_time,
    listed,
    moment,
    objects,
    part,
    text,
)  # fmt: skip
from tracker.giving.facts import Fact, Gift, InvoicePayment

# --- Whose it is ------------------------------------------------------------------------------------------------------


def our_metadata(about: Object, mark: str) -> Object | None:
    """The metadata by which we know a session, a subscription, or the one behind an invoice; None on anybody else's.

    `mark` is this installation's: what another one on the same account began is somebody else's. What was begun before there
    were marks has none, and is ours as it always was.
    """
    lines = listed(about, "lines") if about.get("object") == "invoice" else []
    # The oldest invoices carry what stands on their subscription on their lines alone.
    of_lines = [part(line, "metadata") for line in lines if _is_of_subscription_item(line)]
    for metadata in (part(_subscription(about), "metadata"), part(about, "metadata"), *of_lines):
        if metadata.get("pledgebar") and text(metadata.get("campaign")):
            return metadata if metadata.get("instance") in (None, "", mark) else None
    return None


# --- One-time gifts ---------------------------------------------------------------------------------------------------


def session_facts(session: Object, paid_at: datetime, live: bool, mark: str) -> Iterator[Fact]:
    """A one-time gift is a session in payment mode that is paid. `unpaid` is a delayed method: its money comes later.

    A session in subscription mode counts nothing: its first month is an invoice like all others, which is linked to
    it so that the page of thanks can tell when it has come.
    """
    metadata = our_metadata(session, mark)
    if metadata is None:
        return
    if session.get("mode") == "subscription" and ids(session, "id") and ids(session, "invoice"):
        yield InvoicePayment(id_of(session["invoice"]), ids(session, "id"), live)
    if session.get("mode") != "payment" or session.get("payment_status") != "paid":
        return
    paid = session.get("amount_total")
    if is_amount(paid):
        yield from _gift(session, "once", paid, metadata, paid_at, live, ids(session, "payment_intent"))


def session_paid_at(session: Object) -> datetime:
    """When a session was paid, for one that no event tells of any more: it only has the time at which it was opened.

    Its payment intent has to be expanded down to the balance transaction. The charge of a card is made when it is
    paid; that of a debit when it is asked for, days before its money comes, so there the balance transaction tells.
    """
    intent = part(session, "payment_intent")
    charge = part(intent, "latest_charge")
    times = [charge.get("created"), intent.get("created"), session.get("created")]
    made = next((time for time in times if is_time(time)), 0)
    settled = part(charge, "balance_transaction").get("created")
    if part(charge, "payment_method_details").get("type") != "card" and is_time(settled):
        return moment(max(made, settled))
    return moment(made)


# --- Monthly and yearly gifts -----------------------------------------------------------------------------------------


def invoice_facts(invoice: Object, told_at: datetime, live: bool, mark: str) -> Iterator[Fact]:
    """A monthly or yearly gift is an invoice of our subscription, the first included, as far as it was paid through Stripe.

    Which of the two, our metadata says: how often Stripe charges may have been changed there since.
    """
    metadata = our_metadata(invoice, mark)
    if metadata is None or not _is_of_subscription(invoice):
        return
    # Until 2025 an invoice named its payment; since then the list of payments does, and is mostly left out.
    payments = [each for each in listed(invoice, "payments") if each.get("status") in (None, "paid")]
    known_as = ids(invoice, "payment_intent", "charge")
    known_as += tuple(one for each in payments for one in ids(part(each, "payment"), "payment_intent", "charge"))
    paid = paid_through_stripe(invoice)
    of_gift = gift_on(invoice, paid)
    if paid > 0 and of_gift > 0:
        at = _invoice_paid_at(invoice) or told_at
        kind: Literal["monthly", "yearly"] = "yearly" if metadata.get("frequency") == "year" else "monthly"
        yield from _gift(invoice, kind, of_gift, metadata, at, live, known_as, paid=paid if paid != of_gift else 0)


def invoice_payment_facts(payment: Object, live: bool) -> Iterator[Fact]:
    """Tells which payment intent paid an invoice: a refund of such a gift names only that."""
    invoice = id_of(payment.get("invoice"))
    known_as = ids(part(payment, "payment"), "payment_intent", "charge")
    if invoice and known_as and payment.get("status") in (None, "paid"):
        yield InvoicePayment(invoice, known_as, live)


def paid_through_stripe(invoice: Object) -> int:
    """How much of an invoice was paid through Stripe, so far. A cheque that somebody noted on it was not.

    Whether `amount_paid` holds what was paid outside Stripe is not written anywhere; what is still due tells.
    """
    if invoice.get("paid_out_of_band") is True:
        return 0
    paid = amount(invoice, "amount_paid")
    records = [
        each
        for each in listed(invoice, "payments")
        if part(each, "payment").get("type") == "payment_record" and each.get("status") in (None, "paid")
    ]
    outside = max(
        amount(invoice, "amount_paid_off_stripe"),
        sum(amount(each, "amount_paid") or amount(each, "amount_requested") for each in records),
    )
    holds_both = paid + amount(invoice, "amount_remaining") >= amount(invoice, "amount_due")
    return max(0, paid - outside) if holds_both else paid


def gift_on(invoice: Object, paid: int) -> int:
    """How much of what was paid is the gift: the subscription's own lines after their discounts, without tax.

    Other things on the same invoice are no gift. What is paid in part goes to the gift first, and what is paid beyond an
    invoice of gifts alone is a gift as well: Stripe credits it to the next one, which then brings so much less.
    """
    lines = listed(invoice, "lines")
    if not lines or part(invoice, "lines").get("has_more") is True:
        return paid
    own = beside = 0
    for line in lines:
        within = sum(amount(tax, "amount") for tax in _taxes(line) if not _is_on_top(tax))
        after = amount(line, "amount") - sum(amount(one, "amount") for one in objects(line.get("discount_amounts")))
        if _is_of_subscription_item(line):
            own, beside = own + after - within, beside + within
        else:
            beside += after
    on_top = [
        tax
        for tax in objects(invoice.get("total_taxes")) or objects(invoice.get("total_tax_amounts"))
        if _is_on_top(tax)
    ]
    beside += sum(amount(tax, "amount") for tax in on_top)
    return paid if beside == 0 else min(paid, max(own, 0))


def _taxes(line: Object) -> list[Object]:
    return objects(line.get("taxes")) or objects(line.get("tax_amounts"))


def _is_on_top(tax: Object) -> bool:
    """Whether a tax is added to the price, and not contained in it; older versions say so in another field."""
    return tax.get("inclusive") is False if "inclusive" in tax else tax.get("tax_behavior") != "inclusive"


def _invoice_paid_at(invoice: Object) -> datetime | None:
    """When it was paid; while it is paid in part, when the newest part was."""
    whole = part(invoice, "status_transitions").get("paid_at")
    if is_time(whole):
        return moment(whole)
    parts = [part(each, "status_transitions").get("paid_at") for each in listed(invoice, "payments")]
    return max((moment(time) for time in parts if is_time(time)), default=None)


def _subscription(invoice: Object) -> Object:
    """What an invoice says of its subscription, at its old place or its new one."""
    return part(part(invoice, "parent"), "subscription_details") or part(invoice, "subscription_details")


def _is_of_subscription(invoice: Object) -> bool:
    """Checkout can also write an invoice for a one-time gift, which its session has already told of."""
    said = _subscription(invoice)
    return bool(id_of(said.get("subscription")) or part(said, "metadata") or id_of(invoice.get("subscription")))


def _is_of_subscription_item(line: Object) -> bool:
    """Whether a line is the subscription's own: what it charges, or a part of that when it changed in between.

    Another item on the same invoice may name the subscription, too, so the kind of the line comes first.
    """
    parent = part(line, "parent")
    if part(parent, "subscription_item_details"):
        return True
    details = part(parent, "invoice_item_details")
    if details or line.get("type") == "invoiceitem":
        return details.get("proration") is True or line.get("proration") is True
    return bool(id_of(line.get("subscription")))


# --- A gift -----------------------------------------------------------------------------------------------------------


def _gift(
    about: Object, kind: Literal["once", "monthly", "yearly"], of_gift: int, metadata: Object, at: datetime, live: bool,
    known_as: tuple[str, ...], paid: int = 0,
) -> Iterator[Fact]:  # fmt: skip
    key, in_currency = id_of(about), currency(about)
    if not key or not in_currency:
        return
    said = {name: text(metadata.get(name)) for name in ("campaign", "tier", "src", "pos", "name", "message")}
    # Told with the first payment of a subscription and again with every renewal; once is enough.
    first = about.get("billing_reason") in (None, "subscription_create")
    yield Gift(
        key=key,
        kind=kind,
        campaign=said["campaign"][:60],
        amount=of_gift,
        currency=in_currency,
        at=at,
        live=live,
        known_as=known_as,
        tier=said["tier"][:20],
        source=said["src"][:64],
        place=said["pos"][:20],
        name=said["name"][:80] if first else "",
        message=said["message"][:300] if first else "",
        paid=paid,
    )
