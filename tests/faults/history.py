"""What Stripe tells of a year with everything in it, and what it all comes to, added up without the project's own code."""

import json
import random
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from actors import OURS, dispute_of, epoch, invoice, invoice_payment, refund_of, session, totals
from sqlalchemy import create_engine, text

# On the edges of months in Berlin, where the newsroom counts.
PAID = {
    "2021-02-28T22:59:59": "2021-02",
    "2021-02-28T23:00:00": "2021-03",
    "2021-03-31T21:59:59": "2021-03",
    "2021-03-31T22:00:00": "2021-04",
    "2021-04-14T12:00:00": "2021-04",
    "2021-12-31T22:59:59": "2021-12",
    "2021-12-31T23:00:00": "2022-01",
}

Sheet = dict[bool, dict[str, dict[str, int]]]


@dataclass(frozen=True)
class Delivery:
    event_id: str
    body: bytes


@dataclass
class History:
    """A seeded history: what is delivered, in that order, and the sums by mode, month with currency, and column."""

    seed: int
    deliveries: list[Delivery] = field(default_factory=list)
    sheet: Sheet = field(default_factory=lambda: {False: {}, True: {}})
    count: int = 0

    def tells(self, kind: str, about: dict[str, Any], created: int, live: bool) -> None:
        self.count += 1
        event = {
            "id": f"evt_{self.seed}_{self.count}", "object": "event", "type": kind, "created": created, "livemode": live,
            "api_version": "2026-10-28.endive", "data": {"object": about},
        }  # fmt: skip
        self.deliveries.append(Delivery(str(event["id"]), json.dumps(event).encode()))

    def adds(self, live: bool, month: str, **amounts: int) -> None:
        line = self.sheet[live].setdefault(month, {})
        for name, amount in amounts.items():
            if amount:
                line[name] = line.get(name, 0) + amount


def plain_gifts(seed: int, gifts: int) -> History:
    """Gifts of one month, once each, and nothing else."""
    made = History(seed)
    for number in range(gifts):
        paid = session(f"cs_{seed}_{number}", 1000 + number)
        made.tells("checkout.session.completed", paid, epoch("2021-04-14T12:00:00"), False)
        made.adds(False, "2021-04 USD", once=1000 + number, gifts=1)
    return made


def troubled_year(seed: int, gifts: int) -> History:
    """Gifts once and monthly, refunds, failed refunds, disputes, unpaid ones, the other mode, what is not ours.

    30 % of it comes twice, and all of it in any order.
    """
    chance = random.Random(seed)
    made = History(seed)
    for number in range(gifts):
        _one_gift(made, chance, number)
    made.deliveries += chance.sample(made.deliveries, len(made.deliveries) * 3 // 10)
    chance.shuffle(made.deliveries)
    return made


def _one_gift(made: History, chance: random.Random, number: int) -> None:
    paid = chance.choice(sorted(PAID))
    created, live = epoch(paid), chance.random() < 0.05
    currency = chance.choice(["usd"] * 5 + ["eur"])
    month = f"{PAID[paid]} {currency.upper()}"
    amount = chance.randrange(200, 30_000)
    monthly = chance.random() < 0.35
    key = f"{'in' if monthly else 'cs'}_{made.seed}_{number}"
    ours = chance.random() < 0.97
    if monthly:
        _pays_monthly(made, key, amount, currency, created, live, ours)
    elif not _pays_once(made, chance, key, amount, currency, created, live, ours):
        return
    if not ours:
        return
    made.adds(live, month, gifts=1, **{"monthly" if monthly else "once": amount})
    refunded = sum(_refund(made, chance, key, amount, currency, created, live) for _ in range(_how_many(chance)))
    # Together they never take more than the gift.
    refunded = min(refunded, amount)
    disputed = _dispute(made, chance, key, amount, currency, created, live) if chance.random() < 0.05 else 0
    made.adds(live, month, refunds=refunded, disputes=min(disputed, amount - refunded))


def _how_many(chance: random.Random) -> int:
    return chance.choices([0, 1, 2], [85, 12, 3])[0]


def _pays_monthly(made: History, key: str, amount: int, currency: str, created: int, live: bool, ours: bool) -> None:
    paid = invoice(key, amount, paid_at=created, currency=currency)
    made.tells("invoice.paid", paid if ours else paid | {"parent": None}, created, live)
    made.tells("invoice_payment.paid", invoice_payment(key, f"pi_{key}"), created, live)


def _pays_once(
    made: History, chance: random.Random, key: str, amount: int, currency: str, created: int, live: bool, ours: bool
) -> bool:
    """Tells of one session, and says whether it was ever paid."""
    paid = session(key, amount, currency=currency, metadata=OURS if ours else {"order": "42"})
    luck = chance.random()
    if luck < 0.05:
        made.tells("checkout.session.completed", paid | {"payment_status": "unpaid"}, created - 86_400, live)
        came = chance.random() < 0.5
        if came:
            made.tells("checkout.session.async_payment_succeeded", paid, created, live)
        else:
            failed = paid | {"payment_status": "unpaid"}
            made.tells("checkout.session.async_payment_failed", failed, created, live)
        return came
    made.tells("checkout.session.completed", paid, created, live)
    if luck < 0.15:
        made.tells("checkout.session.async_payment_succeeded", paid, created, live)
    return True


def _refund(
    made: History, chance: random.Random, key: str, amount: int, currency: str, created: int, live: bool
) -> int:
    """Tells of a refund and returns what it took in the end."""
    part = chance.choice([amount, amount // 2, chance.randint(1, amount)])
    one = refund_of(f"pi_{key}", f"re_{made.count}_{key}", part, currency=currency, created=created + 3600)
    made.tells("refund.created", one | {"status": "pending"}, created + 3600, live)
    made.tells("refund.updated", one, created + 3700, live)
    if chance.random() < 0.2:
        made.tells("refund.failed", one | {"status": "failed"}, created + 9000, live)
        return 0
    return part


def _dispute(
    made: History, chance: random.Random, key: str, amount: int, currency: str, created: int, live: bool
) -> int:
    """Tells of a dispute and returns what it took in the end."""
    taken = dispute_of(f"pi_{key}", -amount, key=f"du_{key}", currency=currency)
    back = dispute_of(f"pi_{key}", -amount, amount, key=f"du_{key}", currency=currency)
    for one in (taken, back):
        for moved in one["balance_transactions"]:
            moved |= {"currency": currency, "created": created + 7200}
    made.tells("charge.dispute.created", taken, created + 7200, live)
    made.tells("charge.dispute.funds_withdrawn", taken, created + 7200, live)
    if chance.random() < 0.5:
        made.tells("charge.dispute.funds_reinstated", back, created + 9000, live)
        made.tells("charge.dispute.closed", back | {"status": "won"}, created + 9000, live)
        return 0
    return amount


def what_is_wrong(database_url: str, sheet: Mapping[bool, Any], acknowledged: set[str]) -> list[str]:
    """Each acknowledged delivery that is not kept, and each sum that is off, in words; read past the project's own code."""
    engine = create_engine(database_url.replace("postgresql:", "postgresql+psycopg:"))
    try:
        with engine.connect() as connection:
            kept = set(connection.scalars(text("SELECT event_id FROM delivery")))
            found = {live: totals(connection, live=live) for live in (False, True)}
    finally:
        engine.dispose()
    wrong = [f"{one} was acknowledged and is gone" for one in sorted(acknowledged - kept)]
    for live in (False, True):
        for month in sorted({*sheet[live], *found[live]}):
            expected, booked = Counter(sheet[live].get(month, {})), Counter(found[live].get(month, {}))
            wrong += [
                f"{month} {'live' if live else 'test'}: {name} off by {booked[name] - expected[name]}"
                for name in sorted({*expected, *booked})
                if booked[name] != expected[name]
            ]
    return wrong
