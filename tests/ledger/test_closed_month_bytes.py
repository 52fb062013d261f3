"""A closed month's page, JSON and files are the same for ever, to the byte, whatever comes later."""

import csv
import io
import os
import random
from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
from actors import NEWSROOM
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import Connection, select

from tracker.giving.campaign import Campaign
from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal
from tracker.giving.money import step, to_main
from tracker.giving.months import Month, month_name, parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import book, campaigns, export_files, export_rows, month_closing, offline_gifts, results
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing

ZONES = ("Europe/Berlin", "America/New_York", "Pacific/Auckland", "Asia/Kolkata", "Pacific/Honolulu")
MAY, JUNE = Month(2021, 5), Month(2021, 6)
CLOSING = datetime(2021, 6, 3, 9, tzinfo=UTC)
LATER = datetime(2021, 6, 10, 12, tzinfo=UTC)


@dataclass
class Scenario:
    """A campaign with a closed May, and what happens to it afterwards."""

    campaign: Campaign
    gifts: list[Gift]
    random: random.Random
    late: int = 0
    """What must be booked in June for May, in smallest units."""

    def record(self, *facts: Fact) -> None:
        with writing() as connection:
            for fact in facts:
                assert book.record(connection, fact, LATER) == "recorded"

    def change(self, **values: str) -> None:
        with writing() as connection:
            self.campaign = replace(self.campaign, **values)
            campaigns.save(connection, self.campaign)

    @property
    def gift(self) -> Gift:
        """The gift that the late things are about; nothing was taken of it before closing."""
        return self.gifts[0]

    def taken(self, key: str, kind: str, amount: int, hours: int = 0) -> Reversal:
        at = LATER - timedelta(hours=hours)
        return Reversal(f"{key}_{self.gift.key}", kind, amount, self.gift.currency, at, False, (f"pi_{self.gift.key}",))


def late_refund(this: Scenario) -> None:
    part = this.random.choice([this.gift.amount, step(this.gift.currency)])
    this.record(this.taken("re", "refund", -part))
    this.late -= part


def refund_that_fails(this: Scenario) -> None:
    this.record(this.taken("re", "refund", -this.gift.amount), this.taken("ref", "refund", this.gift.amount))


def dispute(this: Scenario) -> None:
    this.record(this.taken("txn", "dispute", -this.gift.amount))
    this.late -= this.gift.amount


def dispute_that_is_won(this: Scenario) -> None:
    this.record(this.taken("txn", "dispute", -this.gift.amount, 5), this.taken("txn2", "dispute", this.gift.amount))


def late_gift(this: Scenario) -> None:
    gift = replace(this.gift, key=f"late_{this.gift.key}", known_as=(), at=datetime(2021, 5, 15, tzinfo=UTC))
    this.record(gift)
    this.late += gift.amount


def late_cheque(this: Scenario) -> None:
    with writing() as connection:
        offline_gifts.write_down(
            connection, [offline_gift(this.campaign, False, date(2021, 5, 12), 700, "a cheque", "c1")], LATER
        )
    this.late += 700


def another_time_zone(this: Scenario) -> None:
    this.change(time_zone=this.random.choice([zone for zone in ZONES if zone != this.campaign.time_zone]))


def another_goal(this: Scenario) -> None:
    with writing() as connection:
        campaigns.set_goal(connection, this.campaign.slug, parse_month("2021-01"), 12_300, stands=True)
        with pytest.raises(ValueError, match="closed"):
            campaigns.set_goal(connection, this.campaign.slug, MAY, 99_900, stands=False)


def another_look(this: Scenario) -> None:
    this.change(title="Another title", locale="de_DE", amount_pattern="", accent="b3261e")


def fee_and_payout(this: Scenario) -> None:
    gift = this.gift
    settled = BalanceTransaction(
        f"txn_{gift.key}", "gift", (f"pi_{gift.key}",), gift.amount, 10, gift.amount - 10, gift.currency, "", LATER,
        LATER, False,
    )  # fmt: skip
    this.record(settled, Payout(f"po_{gift.key}", LATER, (settled.key,), False))


def payment_of_a_gift(this: Scenario) -> None:
    this.record(InvoicePayment(this.gifts[-1].key, (f"pi_{this.gifts[-1].key}",)))


LATE = (
    late_refund, refund_that_fails, dispute, dispute_that_is_won, late_gift, late_cheque, another_time_zone,
    another_goal, another_look, fee_and_payout, payment_of_a_gift,
)  # fmt: skip
TAKING = (late_refund, refund_that_fails, dispute, dispute_that_is_won)


def _scenarios(zone: str) -> range:
    """With `make test-long` fifty for each zone; otherwise the first twenty, shared out among the zones."""
    return range(50) if os.environ.get("TEST_LONG") else range(ZONES.index(zone), 20, len(ZONES))


@pytest.mark.parametrize("zone", ZONES)
def test_a_closed_month_is_the_same_to_the_byte(app: Flask, client: FlaskClient, zone: str) -> None:
    for number in _scenarios(zone):
        this = _closed_may(number, zone)
        before = _everything(client, this.campaign)
        late = _what_comes(number, this.random)
        for happens in late:
            happens(this)
        told = [one.__name__ for one in late]
        assert _everything(client, this.campaign) == before, (number, told)
        _check_june(client, this, told)
    with reading() as connection:
        assert month_closing.tampered(connection) == []
        assert month_closing.differences(connection) == []


def _what_comes(number: int, chance: random.Random) -> list[Callable[[Scenario], None]]:
    """One thing alone in the first scenarios, and several in any order in the others."""
    first = LATE[number % len(LATE)]
    if number < len(LATE):
        return [first]
    others = chance.sample([one for one in LATE if one is not first], 4)
    # Each of those takes the same gift, so two of them would be cut to it.
    taking = [one for one in [first, *others] if one in TAKING][1:]
    return [first, *(one for one in others if one not in taking)]


def _closed_may(number: int, zone: str) -> Scenario:
    chance = random.Random(number)
    currency = chance.choice(["USD", "USD", "JPY", "KWD"])
    campaign = replace(
        NEWSROOM,
        slug=f"c{number}",
        currency=currency,
        time_zone=zone,
        minimum=1000,
        maximum=10_000_000,
        monthly=(1000,),
    )
    first, end = MAY.first_moment(zone), JUNE.first_moment(zone)
    moments = [first + (end - first) * chance.random() for _ in range(3)] + [first, end - timedelta(microseconds=1)]
    gifts = [_gift(campaign, index, at, chance) for index, at in enumerate(moments)]
    with writing() as connection:
        campaigns.save(connection, campaign)
        campaign = campaigns.find(connection, campaign.slug) or campaign
        campaigns.set_goal(connection, campaign.slug, MAY, 500_000, stands=True)
        for gift in gifts:
            book.record(connection, gift, gift.at)
        refund = Reversal(
            f"re_early_{campaign.slug}", "refund", -500, currency, first + timedelta(days=20), False, ("x",)
        )
        book.record(connection, replace(refund, gift_known_as=(f"pi_{gifts[1].key}",)), CLOSING)
        month_closing.close(connection, campaign, MAY, False, CLOSING)
    return Scenario(campaign, gifts, chance)


def _gift(campaign: Campaign, index: int, at: datetime, chance: random.Random) -> Gift:
    key = f"cs_{campaign.slug}_{index}"
    return Gift(
        key, chance.choice(["once", "monthly", "yearly"]), campaign.slug, chance.randrange(1, 50) * 1000, campaign.currency, at,
        False, (f"pi_{key}",) if index < 4 else (), tier="1000", source=chance.choice(["", "article-1", "=1+1"]),
    )  # fmt: skip


def _everything(client: FlaskClient, campaign: Campaign) -> dict[str, object]:
    """All that shows the closed May, as it goes out."""
    slug = campaign.slug
    listed = client.get(f"/c/{slug}/months.json").get_json()["months"]
    return {
        # Below it stands what may change: whether it was corrected, and which months are beside it.
        "page": client.get(f"/c/{slug}/months/{MAY}").data.partition(b"</main>")[0],
        "public": client.get(f"/c/{slug}/months/{MAY}.csv").data,
        "check": client.get(f"/c/{slug}/months/{MAY}/check").data.partition(b"<footer")[0],
        "json": client.get(f"/embed/{slug}.json?month={MAY}").data,
        "frame": client.get(f"/embed/{slug}?month={MAY}").data,
        "listed": next(one for one in listed if one["month"] == str(MAY)),
        "csv": _file(campaign, MAY, "csv"),
        "jsonl": _file(campaign, MAY, "jsonl"),
        "xlsx": _file(campaign, MAY, "xlsx"),
    }


def _file(campaign: Campaign, month: Month | None, form: str) -> bytes:
    made = io.BytesIO()
    with reading() as connection:
        export_files.write(export_rows.rows(connection, campaign, month, False, form=form), form, made)
    return made.getvalue()


def _check_june(client: FlaskClient, this: Scenario, told: list[str]) -> None:
    """What came late stands in June, with the month that it belongs to: in the book, the file and on the page."""
    rows = list(csv.DictReader(io.StringIO(_file(this.campaign, JUNE, "csv").decode(), newline="")))
    assert {row["closed_month"] for row in rows} <= {"2021-05"}
    with reading() as connection:
        june = results.result(connection, this.campaign, JUNE, False).sums
        corrections = results.corrections(connection, this.campaign, JUNE, False)
        booked = _booked_for_may(connection, this.campaign)
    assert june.raised == this.late == booked, told
    assert sum(Decimal(row["amount"]) for row in rows) == to_main(this.late, this.campaign.currency)
    assert corrections == ({MAY: this.late} if rows else {})
    page = client.get(f"/c/{this.campaign.slug}/months/{JUNE}?lang=en").get_data(as_text=True)
    assert (f"for {month_name(MAY, 'en')}, which was already closed" in page) is bool(rows)


def _booked_for_may(connection: Connection, campaign: Campaign) -> int:
    late = select(entry.c.amount).where(
        entry.c.campaign_id == campaign.id,
        entry.c.belongs_to == str(MAY),
        entry.c.month == str(JUNE),
    )
    return sum(connection.scalars(late))


def test_all_entries_together_also_show_what_came_after_closing(app: Flask) -> None:
    this = _closed_may(1, "Europe/Berlin")
    fee_and_payout(this)
    of_may, of_all = (
        {row["stripe_id"]: row for row in csv.DictReader(io.StringIO(_file(this.campaign, month, "csv").decode()))}
        for month in (MAY, None)
    )
    assert (of_may[this.gift.key]["payout"], of_may[this.gift.key]["fee"]) == ("", "")
    assert of_all[this.gift.key]["payout"] == f"po_{this.gift.key}"
    assert of_all[this.gift.key]["fee"]


def test_a_month_that_is_opened_and_closed_again_knows_what_came_between(app: Flask) -> None:
    this = _closed_may(1, "Europe/Berlin")
    fee_and_payout(this)
    with writing() as connection:
        month_closing.reopen(connection, this.campaign, MAY, False, LATER)
        month_closing.close(connection, this.campaign, MAY, False, LATER)
    rows = csv.DictReader(io.StringIO(_file(this.campaign, MAY, "csv").decode()))
    assert f"po_{this.gift.key}" in {row["payout"] for row in rows}
