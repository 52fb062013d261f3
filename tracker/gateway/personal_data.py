"""What Stripe knows about a person: their gifts, found by e-mail address, and what an event says about them."""

import json
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import Any

import stripe

from tracker.gateway.client import make_client
from tracker.gateway.fields import Object, id_of, ids, part, text
from tracker.gateway.gift_facts import our_metadata
from tracker.gateway.stripe_history import Missing, patiently

# The fields of Stripe's objects that are about a person, apart from all that have “email” in their names.
PERSONAL = {
    "address", "billing_details", "business_name", "card", "client_ip", "collected_information", "custom_fields",
    "customer_address", "customer_communication", "customer_details", "customer_name", "customer_phone",
    "customer_purchase_ip", "customer_shipping", "customer_signature", "customer_tax_ids", "evidence",
    "individual_name", "ip", "message", "name", "payment_method_details", "payment_method_preview", "phone", "sepa_debit",
    "shipping", "shipping_address", "shipping_details", "source", "us_bank_account",
}  # fmt: skip


@dataclass
class AtStripe:
    """A person's gifts to this installation, as Stripe knows them."""

    email: str = ""
    gifts: set[str] = field(default_factory=set)
    """The ids of sessions and invoices, which are the keys of entries."""
    ids: set[str] = field(default_factory=set)
    """Every id that names the person or their gifts: customers, subscriptions and payment intents as well."""


class PersonLookup:
    """Asks Stripe who gave what. Close it when done."""

    def __init__(self, key: str, *, api_base: str, version: str, mark: str) -> None:
        self._transport = stripe.RequestsClient(timeout=(5.0, 30.0))
        self._v1 = make_client(key, api_base=api_base, version=version, tries=4, transport=self._transport).v1
        self._mark = mark

    def __enter__(self) -> "PersonLookup":
        return self

    def __exit__(self, *_: object) -> None:
        self._transport.close()  # type: ignore[no-untyped-call]

    def by_email(self, email: str) -> AtStripe:
        """All gifts made with an e-mail address. Raises HistoryUnavailable when Stripe could not be asked.

        Stripe distinguishes upper and lower case, so addresses are looked for as typed and in lower case.
        """
        found = AtStripe(email)
        for spelled in {email, email.lower()}:
            for customer in self._listed(self._v1.customers.list, email=spelled):
                found.ids.add(customer["id"])
                self._take_sessions(found, customer=customer["id"])
                self._take_invoices(found, customer=customer["id"])
            self._take_sessions(found, customer_details={"email": spelled})
        return found

    def email_behind(self, gift: str) -> str:
        """The address that a gift was made with; empty if Stripe has none, or no longer knows the gift."""
        service = self._v1.invoices if gift.startswith("in_") else self._v1.checkout.sessions
        try:
            about = patiently(partial(service.retrieve, gift), only_reads=True).to_dict()
        except Missing:
            return ""
        return text(about.get("customer_email")) or text(part(about, "customer_details").get("email"))

    def _take_sessions(self, found: AtStripe, **wanted: Any) -> None:
        for session in self._listed(self._v1.checkout.sessions.list, **wanted):
            if our_metadata(session, self._mark) is None:
                continue
            found.gifts.add(session["id"])
            found.ids.update(ids(session, "id", "customer", "subscription", "payment_intent", "invoice"))
            if subscription := id_of(session.get("subscription")):
                self._take_invoices(found, subscription=subscription)

    def _take_invoices(self, found: AtStripe, **wanted: Any) -> None:
        for invoice in self._listed(self._v1.invoices.list, **wanted):
            if our_metadata(invoice, self._mark) is not None:
                found.gifts.add(invoice["id"])
                found.ids.update(ids(invoice, "id", "customer", "payment_intent", "charge"))
                of = part(part(invoice, "parent"), "subscription_details") or invoice
                found.ids.update(ids(of, "subscription"))

    def _listed(self, ask: Callable[[Any], Any], **wanted: Any) -> Iterator[Object]:
        asked: dict[str, Any] = {"limit": 100, **wanted}
        while True:
            page = patiently(partial(ask, asked), only_reads=True)
            rows = [row.to_dict() for row in page.data]
            yield from rows
            if not page.has_more or not rows:
                return
            asked["starting_after"] = rows[-1]["id"]


# --- What an event says of a person -----------------------------------------------------------------------------------


def ids_in(about: Object) -> tuple[str, ...]:
    """The ids by which an event's object names a person or their gift."""
    of_invoice = part(part(about, "parent"), "subscription_details")
    named = ids(about, "id", "customer", "subscription", "payment_intent", "charge", "invoice")
    return named + ids(of_invoice, "subscription")


def without_person(body: bytes, words: Sequence[str]) -> bytes | None:
    """A delivery's body without what is about a person: what is about money and its dates stays.

    `words` identify the person, such as their address: texts that contain one of them are removed, too. None if the
    body cannot be read, since then nothing in it is worth keeping.
    """
    try:
        return json.dumps(_without(json.loads(body), [word.casefold() for word in words if word])).encode()
    except (ValueError, RecursionError):
        return None


def _without(value: Any, words: Sequence[str]) -> Any:
    if isinstance(value, dict):
        return {name: None if _is_personal(name) else _without(one, words) for name, one in value.items()}
    if isinstance(value, list):
        return [_without(one, words) for one in value]
    if isinstance(value, str) and any(word in value.casefold() for word in words):
        return None
    return value


def _is_personal(name: str) -> bool:
    return name in PERSONAL or "email" in name
