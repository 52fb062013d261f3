"""Whatever order facts come in, and however often: the totals are those of a plain sum over what happened."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from actors import NEWSROOM, count, dispute_fact, each, gift_fact, moment, refund_fact, totals
from examples import examples
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Connection, text

from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal
from tracker.giving.months import parse_month
from tracker.ledger import campaigns, month_closing, results
from tracker.ledger.book import record, retry_pending_for_campaign

NOW = moment("2021-08-20T12:00")
LIBRARY = replace(NEWSROOM, slug="library", title="Books for the library", id=2)
# On the edges of months in Berlin, where both campaigns count.
PAID = {
    "2021-04-30T21:59:59": "2021-04",
    "2021-04-30T22:00:00": "2021-05",
    "2021-05-31T21:59:59.999999": "2021-05",
    "2021-05-31T22:00:00": "2021-06",
    "2021-07-10T10:00:00": "2021-07",
}
AMOUNTS = st.integers(1, 3000)

quick = settings(
    max_examples=examples(40),
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)


@dataclass(frozen=True)
class Story:
    """All that happened to one gift: what Stripe would tell, and what it comes to."""

    campaign: str
    live: bool
    currency: str
    monthly: bool
    paid: str
    amount: int
    refunds: tuple[tuple[int, bool], ...]
    """Each with its amount and whether it failed later."""
    dispute: int
    """What a dispute took; 0 when there was none."""
    won: bool
    paid_out: bool
    """Whether a payout to the bank holds all that it came to."""

    def facts(self, key: str) -> list[Fact]:
        facts = self.moves(key)
        moved = [fact for fact in facts if isinstance(fact, Gift | Reversal)]
        settled = [came_to(fact, f"pi_{key}") for fact in moved]
        lines = (*(fact.key for fact in settled), f"txn_of_somebody_else_{key}")
        payout = [Payout(f"po_{key}", moment("2021-08-02T00:00"), lines, self.live)] if self.paid_out else []
        return [*facts, *settled, *payout]

    def moves(self, key: str) -> list[Fact]:
        about: dict[str, Any] = {"live": self.live, "currency": self.currency, "at": moment(self.paid)}
        later = about | {"at": moment("2021-08-01T12:00")}
        intent, charge = f"pi_{key}", f"ch_{key}"
        facts: list[Fact] = [
            gift_fact(
                key,
                self.amount,
                campaign=self.campaign,
                kind="monthly" if self.monthly else "once",
                known_as=() if self.monthly else (intent,),
                **about,
            )
        ]
        if self.monthly:
            facts += [
                InvoicePayment(key, (intent,)),
                InvoicePayment(key, (intent, charge)),
                InvoicePayment(key, (f"session_{key}",)),
            ]
        for number, (amount, failed) in enumerate(self.refunds):
            one = f"re_{key}_{number}"
            facts.append(refund_fact(key, amount, one, **later))
            if failed:
                facts.append(refund_fact(key, -amount, f"{one}/failed", **later))
        if self.dispute:
            both = {"gift_known_as": (intent, charge)}
            facts.append(dispute_fact(key, self.dispute, f"txn_{key}_0", **later, **both))
            if self.won:
                facts.append(dispute_fact(key, -self.dispute, f"txn_{key}_1", **later, **both))
        return facts


def came_to(fact: Gift | Reversal, intent: str) -> BalanceTransaction:
    """What a movement came to at Stripe: a cent of every dollar is the fee."""
    if isinstance(fact, Gift):
        kind, of, key = "gift", (f"ch_{fact.key}", intent), f"txn_of_{fact.key}"
    elif fact.kind == "dispute":
        kind, of, key = "dispute", (fact.key,), fact.key
    else:
        kind = "refund_failed" if fact.key.endswith("/failed") else "refund"
        of, key = (fact.key.removesuffix("/failed"),), f"txn_of_{fact.key}"
    fee = abs(fact.amount) // 100
    return BalanceTransaction(
        key, kind, of, fact.amount, fee, fact.amount - fee, fact.currency, "", fact.at, fact.at, fact.live  # type: ignore[arg-type]
    )  # fmt: skip


stories = st.builds(
    Story,
    campaign=st.sampled_from(["newsroom", "newsroom", "library"]),
    live=st.booleans(),
    currency=st.sampled_from(["USD", "USD", "EUR"]),
    monthly=st.booleans(),
    paid=st.sampled_from(sorted(PAID)),
    amount=AMOUNTS,
    refunds=st.lists(st.tuples(AMOUNTS, st.booleans()), max_size=3).map(tuple),
    dispute=st.one_of(st.just(0), AMOUNTS),
    won=st.booleans(),
    paid_out=st.booleans(),
)


def oracle(told: Sequence[Story]) -> dict[tuple[str, bool], dict[str, dict[str, int]]]:
    """What it all comes to, as somebody with pencil and paper would add it up."""
    sheet: dict[tuple[str, bool], dict[str, dict[str, int]]] = {}
    for one in told:
        month = sheet.setdefault((one.campaign, one.live), {}).setdefault(f"{PAID[one.paid]} {one.currency}", {})
        refunded = 0
        for amount, failed in one.refunds:
            if not failed:
                refunded += amount
        if refunded > one.amount:
            refunded = one.amount
        disputed = 0 if one.won else one.dispute
        if disputed > one.amount - refunded:
            disputed = one.amount - refunded
        kind = "monthly" if one.monthly else "once"
        for name, amount in ((kind, one.amount), ("refunds", refunded), ("disputes", disputed), ("gifts", 1)):
            if amount:
                month[name] = month.get(name, 0) + amount
    return sheet


def settled_oracle(told: Sequence[Story]) -> list[tuple[int, int, str]]:
    """Amount, fee and payout of everything that Stripe settled."""
    sheet = []
    for number, one in enumerate(told):
        amounts = [one.amount]
        for amount, failed in one.refunds:
            amounts += [-amount, amount] if failed else [-amount]
        if one.dispute:
            amounts += [-one.dispute, one.dispute] if one.won else [-one.dispute]
        sheet += [(amount, abs(amount) // 100, f"po_g{number}" if one.paid_out else "") for amount in amounts]
    return sorted(sheet)


def settled_shown(connection: Connection) -> list[tuple[int, int, str]]:
    """The same from the book; each with an entry that was told as that amount."""
    rows = connection.execute(
        text(
            "SELECT settlement.amount, fee, payout FROM settlement"
            " JOIN entry ON entry.key = entry_key AND entry.told = settlement.amount"
        )
    )
    return sorted((int(amount), int(fee), str(payout)) for amount, fee, payout in rows)


def shown(connection: Connection) -> dict[tuple[str, bool], dict[str, dict[str, int]]]:
    """What the book says, for every campaign in both modes."""
    found = {
        (slug, live): totals(connection, live=live, campaign=slug)
        for slug in ("newsroom", "library")
        for live in (False, True)
    }
    return {key: months for key, months in found.items() if months}


@st.composite
def deliveries(draw: st.DrawFn) -> tuple[list[Story], list[Fact | None]]:
    """Some stories, and all their facts shuffled and repeated; None is the moment when the library is set up."""
    told = draw(st.lists(stories, min_size=1, max_size=4))
    facts = [fact for number, one in enumerate(told) for fact in one.facts(f"g{number}")]
    again = draw(st.lists(st.sampled_from(facts), max_size=8))
    return told, draw(st.permutations([*facts, *again, None]))


def deliver(connection: Connection, facts: Sequence[Fact | None]) -> None:
    for fact in facts:
        if fact is None:
            campaigns.save(connection, LIBRARY)
            retry_pending_for_campaign(connection, "library", NOW)
        else:
            record(connection, fact, NOW)


@quick
@given(deliveries())
def test_the_totals_are_a_plain_sum_in_any_order_and_any_repetition(
    book: Connection, case: tuple[list[Story], list[Fact | None]]
) -> None:
    told, facts = case
    with book.begin_nested() as this_example:
        deliver(book, facts)
        assert shown(book) == oracle(told)
        assert month_closing.differences(book) == []
        assert count(book, "waiting") == 0
        assert settled_shown(book) == settled_oracle(told)
        assert count(book, "payout_line") == sum(one.paid_out for one in told)
        before = count(book, "entry")
        # All of it once more, as a replay would: nothing moves.
        deliver(book, [fact for fact in facts if fact is not None])
        assert shown(book) == oracle(told)
        assert count(book, "entry") == before
        this_example.rollback()


@settings(quick, max_examples=examples(20))
@given(deliveries(), st.data())
def test_closing_months_in_between_never_changes_them_and_loses_nothing(
    book: Connection, case: tuple[list[Story], list[Fact | None]], data: st.DataObject
) -> None:
    told, facts = case
    names = ["2021-04", "2021-05", "2021-06", "2021-07"]
    closing = {
        name: data.draw(st.integers(0, len(facts)), label=f"closed before fact number ({name})") for name in names
    }
    closed: dict[tuple[str, str, bool], Any] = {}
    with book.begin_nested() as this_example:
        for number, fact in enumerate(facts):
            for name in (name for name in names if closing[name] == number):
                for slug in ("newsroom", "library"):
                    for live in (False, True):
                        found = campaigns.find(book, slug)
                        if found is not None:
                            month_closing.close(book, found, parse_month(name), live, NOW)
                            closed[slug, name, live] = figures(book, slug, name, live)
            deliver(book, [fact])
        for slug, name, live in closed:
            assert figures(book, slug, name, live) == closed[slug, name, live]
        assert month_closing.differences(book) == []
        assert everything(shown(book)) == everything(oracle(told))
        assert settled_shown(book) == settled_oracle(told)
        this_example.rollback()


def figures(connection: Connection, slug: str, month: str, live: bool) -> Any:
    campaign = campaigns.find(connection, slug)
    assert campaign is not None
    found = results.result(connection, campaign, parse_month(month), live)
    apart = results.other_currencies(connection, campaign, parse_month(month), live)
    keys = [row.key for row in results.entries(connection, campaign, parse_month(month), live)]
    return found.sums, {currency: sums for currency, sums in apart.items() if sums.raised}, keys


def everything(sheet: dict[tuple[str, bool], dict[str, dict[str, int]]]) -> dict[tuple[str, bool, str, str], int]:
    """The same over all months together, which closing must not change."""
    sums: dict[tuple[str, bool, str, str], int] = {}
    for (slug, live), months in sheet.items():
        for month, columns in months.items():
            for name, amount in columns.items():
                key = (slug, live, month.split()[1], name)
                sums[key] = sums.get(key, 0) + amount
    return {key: amount for key, amount in sums.items() if amount}


@each(
    ("zone", "last", "first"),
    [
        # The last moment of the month and the first of the next, in UTC.
        ("Pacific/Auckland", "2021-04-30T11:59:59.999999", "2021-04-30T12:00:00"),
        ("Asia/Kolkata", "2021-04-30T18:29:59.999999", "2021-04-30T18:30:00"),
        ("Europe/Berlin", "2021-04-30T21:59:59.999999", "2021-04-30T22:00:00"),
        ("America/New_York", "2021-05-01T03:59:59.999999", "2021-05-01T04:00:00"),
        ("Pacific/Honolulu", "2021-05-01T09:59:59.999999", "2021-05-01T10:00:00"),
        ("UTC", "2021-04-30T23:59:59.999999", "2021-05-01T00:00:00"),
    ],
)
def test_a_month_begins_at_midnight_of_the_campaigns_own_clock(
    book: Connection, zone: str, last: str, first: str
) -> None:
    assert recorded_in(book, zone, moment(last)) == "2021-04"
    assert recorded_in(book, zone, moment(first)) == "2021-05"


@each(
    ("zone", "at", "month"),
    [
        # New Year's Eve, when most is given.
        ("America/Los_Angeles", "2022-01-01T07:59:59", "2021-12"),
        ("America/Los_Angeles", "2022-01-01T08:00:00", "2022-01"),
        ("Pacific/Auckland", "2021-12-31T10:59:59", "2021-12"),
        ("Pacific/Auckland", "2021-12-31T11:00:00", "2022-01"),
        # The clock goes back on the night to the first: the hour from one to two comes twice, all of it in November.
        ("America/New_York", "2020-11-01T03:59:59", "2020-10"),
        ("America/New_York", "2020-11-01T04:00:00", "2020-11"),
        ("America/New_York", "2020-11-01T05:30:00", "2020-11"),
        ("America/New_York", "2020-11-01T06:30:00", "2020-11"),
        # The clock goes forward on the last day of a month: that day has 23 hours, and the month ends at its end.
        ("Europe/Berlin", "2024-03-31T21:59:59", "2024-03"),
        ("Europe/Berlin", "2024-03-31T22:00:00", "2024-04"),
        ("Europe/Berlin", "2024-03-31T23:00:00", "2024-04"),
        # And back on the last day of October.
        ("Europe/Berlin", "2021-10-31T22:59:59", "2021-10"),
        ("Europe/Berlin", "2021-10-31T23:00:00", "2021-11"),
        # Leap years.
        ("UTC", "2024-02-29T23:59:59", "2024-02"),
        ("UTC", "2023-02-28T23:59:59", "2023-02"),
        ("UTC", "2023-03-01T00:00:00", "2023-03"),
    ],
)
def test_a_gift_in_a_night_when_clocks_change_is_in_the_month_on_the_wall(
    book: Connection, zone: str, at: str, month: str
) -> None:
    assert recorded_in(book, zone, moment(at)) == month


def recorded_in(connection: Connection, zone: str, at: datetime) -> str:
    campaigns.save(connection, replace(NEWSROOM, time_zone=zone))
    record(connection, gift_fact(f"cs_{at.timestamp()}", at=at), NOW)
    return str(connection.scalar(text("SELECT month FROM entry ORDER BY id DESC LIMIT 1")))
