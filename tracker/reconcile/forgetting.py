"""One person's data: found at Stripe and in the book, shown, and erased. Their gifts stay in every sum.

E-mail addresses are looked up at Stripe first, while no transaction is open.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from typing import Any

from sqlalchemy.orm import Session

from tracker.gateway.personal_data import AtStripe, PersonLookup, without_person
from tracker.giving.money import to_main
from tracker.giving.rollup import ONLINE
from tracker.ledger import audit_log, donor_data
from tracker.ledger.audit_log import Who
from tracker.ledger.donor_data import Kept
from tracker.ledger.store import end_reading, reading, writing


@dataclass(frozen=True)
class Person:
    """What is known about a person, at Stripe and here."""

    at_stripe: AtStripe
    kept: Kept

    @property
    def words(self) -> list[str]:
        """What a text about them would contain: their address, their name and what they wrote."""
        said = [word for both in self.kept.names.values() for word in both]
        # A short name occurs in many texts that are not about them.
        return [one for one in (self.at_stripe.email, *said) if len(one) > 3]


def find(stripe: PersonLookup, wanted: str) -> Person:
    """The person behind an e-mail address, or behind a gift: all gifts made with the same address.

    Raises ValueError if there is no such gift, and HistoryUnavailable if Stripe could not be asked.
    """
    wanted = wanted.strip()
    if "@" in wanted:
        end_reading()
        at_stripe = stripe.by_email(wanted)
    else:
        at_stripe = _behind_gift(stripe, wanted)
    with reading() as session:
        return Person(at_stripe, _kept(session, at_stripe))


def _behind_gift(stripe: PersonLookup, wanted: str) -> AtStripe:
    with reading() as session:
        gift = donor_data.gift_behind(session, wanted)
    if gift is None:
        raise ValueError(f"There is no gift “{wanted[:80]}” here.")
    end_reading()
    email = stripe.email_behind(gift.key) if gift.kind in ONLINE else ""
    found = stripe.by_email(email) if email else AtStripe()
    found.gifts.add(gift.key)
    found.ids.add(gift.key)
    return found


def _kept(session: Session, at_stripe: AtStripe) -> Kept:
    words = [at_stripe.email] if at_stripe.email else []
    # What was imported of them is known by the same payments.
    gifts = at_stripe.gifts | donor_data.known_as(session, at_stripe.ids)
    return donor_data.find(session, gifts, at_stripe.ids, words)


def as_json(person: Person) -> dict[str, Any]:
    """What is kept here about a person, to be handed to them: every gift with its name, message and notes."""
    kept = person.kept
    gifts = []
    for row in kept.gifts:
        name, message = kept.names.get(row.key, ("", ""))
        gifts.append(
            {
                "id": row.key, "of": row.gift_key, "kind": row.kind, "campaign": row.slug,
                "amount": str(to_main(row.amount, row.currency)), "currency": row.currency,
                "at": row.at.astimezone(UTC).isoformat(timespec="seconds"), "month": row.month,
                "article": row.source, "place": row.place, "name": name, "message": message,
                "note": kept.notes.get(row.key, ""),
            }
        )  # fmt: skip
    return {"email": person.at_stripe.email, "entries": gifts, "deliveries": kept.deliveries}


def counts(kept: Kept) -> dict[str, int]:
    """What was found, in numbers: all that goes into the audit log."""
    return {
        "entries": len(kept.gifts), "names": len(kept.names) + len(kept.waiting), "notes": len(kept.notes),
        "deliveries": len(kept.deliveries),
    }  # fmt: skip


def erase(person: Person, who: Who, now: datetime) -> dict[str, int]:
    """Takes out names, messages and notes, and reduces the bodies of deliveries. Returns how many of each there were.

    Anything that arrived about the person since they were looked up is found inside the transaction.
    """
    with writing() as session:
        kept = _kept(session, person.at_stripe)
        reduce = partial(without_person, words=Person(person.at_stripe, kept).words)
        donor_data.forget(session, kept, person.at_stripe.ids | person.at_stripe.gifts, reduce)
        found = counts(kept)
        audit_log.note(session, who, now, "person.erased", after=found)
    return found


def note_export(person: Person, who: Who, now: datetime) -> None:
    """The line in the audit log for an export: how much, but not about whom."""
    with writing() as session:
        audit_log.note(session, who, now, "person.exported", after=counts(person.kept))
