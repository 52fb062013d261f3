"""Whatever happens, however it is told, and whenever months are closed: the book says what a clerk adds up on paper.

Webhooks come late, twice, in any order or never; `sync` finds what they left out. `make test-long` does so at length.
"""

import heapq
import os
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

import pytest
from actors import NEWSROOM, totals
from flask import Flask
from happenings import DAY, HOUR, Account, Clerk, Gift, asking, next_change_of_clocks, next_month, plain_sum
from hypothesis import HealthCheck, given, seed, settings
from hypothesis import strategies as st
from sqlalchemy import delete

from tracker.gateway import events
from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns, models, month_closing, results
from tracker.ledger.store import reading, writing
from tracker.reconcile.sync import Progress, Reconciliation, Report

LONG = bool(os.environ.get("TEST_LONG"))
EXAMPLES = 2000 if LONG else 8
SEEDS = range(5) if LONG else range(1)
EVENTS = 10_000 if LONG else 200
SYNCS = 0.2 if LONG else 1.0
"""The share of the planned ones that is done. Each asks for all since the beginning: at length they would take most of the time."""

ZONES = ("America/New_York", "America/Los_Angeles", "Europe/Berlin", "Asia/Tokyo", "Pacific/Auckland")
# Shortly before clocks change: in the middle of a month, on the last of one, and in New York on the first.
STARTS = ("2021-02-20", "2021-10-20", "2024-03-20", "2020-10-20", "2021-09-15", "2022-12-25")
TABLES = (
    "closed_entry",
    "closed_month",
    "supporter",
    "settlement",
    "support",
    "alias",
    "waiting",
    "delivery",
    "month_total",
    "entry",
)


def at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


# --- A newsroom that is told of it ------------------------------------------------------------------------------------


@dataclass
class Newsroom:
    """The book, and the clerk beside it; each hears the same at the same moments."""

    account: Account
    clerk: Clerk
    dice: random.Random
    coming: list[tuple[int, int, dict[str, Any]]] = field(default_factory=list)
    """Deliveries under way, with the moments at which they come."""
    lost: float = 0.25
    figures: dict[tuple[bool, str], Any] = field(default_factory=dict)
    """What closed months said when they were closed."""
    said: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.campaign = replace(NEWSROOM, time_zone=self.clerk.zone)
        self._number = count()
        self.began = self.account.clock

    def are_sent(self, told: list[dict[str, Any]]) -> None:
        """Each event goes off never, once or up to three times, and comes at once, late, or very late."""
        for event in told:
            self.said.append(event)
            if self.dice.random() < self.lost:
                continue
            for _ in range(self.dice.choice((1, 1, 1, 2, 3))):
                late = self.dice.choice(
                    (0, 0, self.dice.randrange(HOUR), self.dice.randrange(3 * DAY), self.dice.randrange(40 * DAY))
                )
                heapq.heappush(self.coming, (self.account.clock + late, next(self._number), event))

    def arrive(self, until: int) -> None:
        """What was under way comes, as far as it is due."""
        while self.coming and self.coming[0][0] <= until:
            moment, _, event = heapq.heappop(self.coming)
            self.receives(event, moment)

    def receives(self, told: dict[str, Any], moment: int) -> None:
        event = events.as_event(told)
        came = book.Delivery(event.id, event.type, event.api_version, event.live, event.created, b"{}")
        with writing() as connection:
            book.receive(connection, came, events.to_facts(event), events.is_ours(event), at(moment))
        self.clerk.hears(told, moment)

    def syncs(self, live: bool) -> Report:
        now = self.account.clock
        with asking(self.account.sandbox, live) as history:
            run = Reconciliation(
                history, Progress(None, at(self.began) - timedelta(days=1)), at(now), live=live, dry_run=False
            )
            report = run.run()
        assert report.wrong == {}
        assert report.missing["gift"] == self.clerk.reads_all(live, now)
        self.agrees()
        return report

    def closes(self, live: bool) -> None:
        """Closes the oldest month that is over and open, if there is one."""
        month = parse_month(self.clerk.month(self.began))
        while str(month) < self.clerk.month(self.account.clock):
            if (live, str(month)) not in self.clerk.closed:
                with writing() as connection:
                    month_closing.close(connection, self.campaign, month, live, at(self.account.clock))
                self.clerk.closed.add((live, str(month)))
                self.figures[live, str(month)] = self._figures(live, str(month))
                self.agrees()
                return
            month = month.next

    def reopens(self, live: bool) -> None:
        shut = sorted(month for mode, month in self.clerk.closed if mode == live)
        if shut:
            month = self.dice.choice(shut)
            with writing() as connection:
                month_closing.reopen(connection, self.campaign, parse_month(month), live, at(self.account.clock))
            self.clerk.closed.remove((live, month))
            del self.figures[live, month]

    def _figures(self, live: bool, month: str) -> Any:
        with reading() as connection:
            found = results.result(connection, self.campaign, parse_month(month), live)
            rows = results.entries(connection, self.campaign, parse_month(month), live)
            return found, [(row.key, row.amount, row.currency) for row in rows]

    def agrees(self) -> None:
        """The book says what the clerk says, and no closed month another thing than when it was closed."""
        with reading() as connection:
            for live in (False, True):
                assert totals(connection, live=live) == self.clerk.totals(live)
            assert month_closing.differences(connection) == []
        for (live, month), figures in self.figures.items():
            assert self._figures(live, month) == figures

    def ends(self) -> None:
        """Whatever is still under way comes; `sync` finds the rest; and all of it once more changes nothing."""
        self.account.passes(DAY)
        self.are_sent(self.account.new_events())
        self.arrive(self.account.clock + 50 * DAY)
        self.agrees()
        self.account.passes(60 * DAY)
        modes = sorted({gift.live for gift in self.account.gifts})
        for live in modes:
            self.syncs(live)
        for event in self.dice.sample(self.said, len(self.said)):
            self.receives(event, self.account.clock)
        self.agrees()
        with reading() as connection:
            assert month_closing.tampered(connection) == []
        for live in modes:
            again = self.syncs(live)
            assert (dict(again.missing), again.undelivered["event"]) == ({}, 0)
            assert everything(self.clerk.totals(live)) == everything(plain_sum(self.account, live, self.clerk.month))


def everything(months: dict[str, dict[str, int]]) -> dict[tuple[str, str], int]:
    """The same over all months together, by currency and column."""
    sums: dict[tuple[str, str], int] = {}
    for month, line in months.items():
        for name, amount in line.items():
            sums[month[-3:], name] = sums.get((month[-3:], name), 0) + amount
    return {key: amount for key, amount in sums.items() if amount}


# --- A plan of what happens -------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Step:
    """One thing that happens, after a while; the numbers choose among what there is by then."""

    what: str
    after: str
    one: int
    """Which gift, or how much."""
    other: int


# As often as they stand here.
HAPPENS = (
    "gives", "gives in euros", "gives in yen", "gives live", "gives by debit", "debit fails", "slow refunds",
    "subscribes", "subscribes live", "subscribes weary", "renews", "renews", "refunds", "refunds", "refunds", "refunds all",
    "refund fails", "disputed", "disputed", "disputed whole", "refunded and disputed", "inquired", "inquiry grows", "won", "lost",
    "stranger", "stranger renews", "sync", "sync live", "close", "close", "close live", "reopen",
)  # fmt: skip
AFTER = ("seconds", "hours", "days", "weeks", "last second", "first second", "clocks change", "after clocks change")

steps = st.builds(Step, st.sampled_from(HAPPENS), st.sampled_from(AFTER), st.integers(0, 2**16), st.integers(0, 2**16))


def seconds_until(after: str, clock: int, zone: str, some: int) -> int:
    edge = next_month(clock, zone) - clock
    changed = next_change_of_clocks(clock, zone) - clock if "clocks" in after else 0
    return {
        "seconds": 1 + some % 90,
        "hours": HOUR + some,
        "days": DAY + some % (3 * DAY),
        "weeks": 7 * DAY + some % (20 * DAY),
        "last second": edge - 1 or 1,
        "first second": edge,
        "clocks change": changed - 1 - some % HOUR,
        "after clocks change": changed + some % HOUR,
    }[after]


def happens(account: Account, newsroom: Newsroom, step: Step) -> None:
    amount = 1 + step.one % 3000
    gifts = account.gifts
    # Mostly one of the last few, so that things meet on one gift.
    gift: Gift | None = gifts[-1 - step.one % min(len(gifts), 3)] if gifts else None
    part = 1 + step.other % 3000
    of_anybody: dict[str, Callable[[], object]] = {
        "gives": lambda: account.gives(amount + 50),
        "gives in euros": lambda: account.gives(amount + 50, "eur"),
        "gives in yen": lambda: account.gives(amount + 50, "jpy"),
        "gives live": lambda: account.gives(amount + 50, live=True),
        "gives by debit": lambda: account.gives_by_debit(amount + 50),
        "debit fails": lambda: account.gives_by_debit(amount + 50, fails=True),
        "slow refunds": lambda: account.gives(amount + 50, card="4000000000007726"),
        "subscribes": lambda: account.subscribes(amount + 50),
        "subscribes live": lambda: account.subscribes(amount + 50, live=True),
        "subscribes weary": lambda: account.subscribes(amount + 50, weary=True),
        "stranger": lambda: account.a_stranger_gives(amount + 50, monthly=False),
        "stranger renews": lambda: account.a_stranger_gives(amount + 50, monthly=True),
        "sync": lambda: newsroom.syncs(False),
        "sync live": lambda: newsroom.syncs(True),
        "close": lambda: newsroom.closes(False),
        "close live": lambda: newsroom.closes(True),
        "reopen": lambda: newsroom.reopens(False),
    }
    if step.what in of_anybody:
        of_anybody[step.what]()
    elif step.what == "renews":
        if account.monthly:
            account.renews(step.one % len(account.monthly))
    elif gift is not None:
        {
            "refunds": lambda: account.refunds(gift, part),
            "refunds all": lambda: account.refunds(gift, gift.amount),
            "refund fails": lambda: account.a_refund_fails(gift),
            "disputed": lambda: account.disputes(gift, part),
            "disputed whole": lambda: account.disputes(gift, gift.amount),
            "refunded and disputed": lambda: refunded_and_disputed(account, gift, part),
            "inquired": lambda: account.disputes(gift, part, inquiry=True),
            "inquiry grows": lambda: account.an_inquiry_becomes_a_dispute(gift),
            "won": lambda: account.decides(gift, won=True),
            "lost": lambda: account.decides(gift, won=False),
        }[step.what]()


def refunded_and_disputed(account: Account, gift: Gift, part: int) -> None:
    """More is taken back than was given."""
    account.refunds(gift, part)
    account.passes(1)
    account.disputes(gift, gift.amount)


def opened(zone: str, start: str, dice: random.Random) -> Newsroom:
    """A newsroom with an empty book, beside an account where nothing has happened."""
    account = Account(int(datetime.fromisoformat(start).replace(tzinfo=UTC).timestamp()))
    newsroom = Newsroom(account, Clerk(account, zone), dice)
    with writing() as connection:
        for name in TABLES:
            connection.execute(delete(models.db.metadata.tables[name]))
        campaigns.save(connection, newsroom.campaign)
    return newsroom


def plays(newsroom: Newsroom, plan: Iterator[Step]) -> None:
    account = newsroom.account
    for step in plan:
        waits = max(1, seconds_until(step.after, account.clock, newsroom.clerk.zone, step.other))
        newsroom.arrive(account.clock + waits - 1)
        account.passes(waits)
        newsroom.arrive(account.clock)
        happens(account, newsroom, step)
        newsroom.are_sent(account.new_events())
    newsroom.ends()
    account.sandbox.close()


# --- The proof --------------------------------------------------------------------------------------------------------


@seed(1011)
@settings(
    max_examples=EXAMPLES, deadline=None, database=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow, HealthCheck.data_too_large],
)  # fmt: skip
@given(
    zone=st.sampled_from(ZONES),
    start=st.sampled_from(STARTS),
    plan=st.lists(steps, min_size=1, max_size=14),
    dice=st.integers(0, 2**32),
)
def test_any_history_told_in_any_way_comes_to_what_a_clerk_adds_up(
    app: Flask, zone: str, start: str, plan: list[Step], dice: int
) -> None:
    plays(opened(zone, start, random.Random(dice)), iter(plan))


@pytest.mark.parametrize("number", SEEDS)
def test_a_year_of_a_busy_account_is_right_to_the_cent(app: Flask, number: int) -> None:
    dice = random.Random(number)
    newsroom = opened(ZONES[number], STARTS[number], dice)

    def plan() -> Iterator[Step]:
        while len(newsroom.said) < EVENTS:
            what = dice.choice((*("gives",) * 5, *HAPPENS))
            if what.startswith("sync") and dice.random() >= SYNCS:
                continue
            after = dice.choice((*("hours",) * 4, *("seconds",) * 60, *AFTER))
            yield Step(what, after, dice.randrange(2**16), dice.randrange(2**16))

    plays(newsroom, plan())
    assert len(newsroom.said) >= EVENTS
