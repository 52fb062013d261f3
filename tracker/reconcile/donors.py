"""Who gave how much in a year, for tax letters: fetched from Stripe each time, and not kept."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime
from zoneinfo import ZoneInfo

from tracker.gateway.payers import ADDRESS, Payer
from tracker.gateway.stripe_history import History
from tracker.giving.campaign import Campaign
from tracker.giving.export_columns import harmless
from tracker.giving.money import to_main
from tracker.ledger import given
from tracker.ledger.store import end_reading, reading

COLUMNS = ("name", "email", *ADDRESS, "gifts", "total", "currency", "first", "last")


@dataclass
class Donor:
    """Somebody's gifts of a year, under the name and address of the newest one."""

    payer: Payer
    currency: str
    gifts: int
    total: int
    """In the smallest unit, after everything that was given back."""
    first: date
    last: date


def of_year(history: History, campaign: Campaign, live: bool, year: int) -> list[Donor]:
    """The donors of a campaign's online gifts, by name. Gifts that were given back in full are left out.

    Gifts with the same e-mail address are one donor's; without an address, the name decides. No transaction is open
    while Stripe is asked.
    """
    zone = ZoneInfo(campaign.time_zone)
    since, until = (datetime(one, 1, 1, tzinfo=zone) for one in (year, year + 1))
    donors: dict[tuple[str, str], Donor] = {}
    counted: set[str] = set()
    for payers in history.payers(since, until):
        by_id = {one: payer for payer in payers for one in payer.known_as}
        with reading() as session:
            found = given.of_payments(session, campaign, live, by_id, since, until)
        # Otherwise the request's transaction would stay open until its end.
        end_reading()
        for gift in sorted(found, key=lambda one: one.at, reverse=True):
            # It is known by its charge and by its payment intent.
            if gift.key in counted or gift.amount <= 0:
                continue
            counted.add(gift.key)
            payer, day = by_id[gift.stripe_id], gift.at.astimezone(zone).date()
            who = (payer.email.casefold() or payer.name.casefold(), gift.currency)
            donor = donors.setdefault(who, Donor(payer, gift.currency, 0, 0, day, day))
            donor.gifts += 1
            donor.total += gift.amount
            donor.first, donor.last = min(donor.first, day), max(donor.last, day)
    return sorted(donors.values(), key=lambda one: (one.payer.name.casefold(), one.payer.email.casefold()))


def rows(donors: list[Donor]) -> Iterator[tuple[str, ...]]:
    """As rows of a file, the column names first."""
    yield COLUMNS
    for one in donors:
        words = (one.payer.name, one.payer.email, *one.payer.address)
        yield (
            *map(harmless, words), str(one.gifts), str(to_main(one.total, one.currency)), one.currency,
            one.first.isoformat(), one.last.isoformat(),
        )  # fmt: skip
