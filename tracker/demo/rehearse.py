"""A year of trouble, played against a scratch database: what happened, and what the bar says after it."""

import json
import random
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import structlog
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy.orm import Session

from tracker import create_app
from tracker.gateway.checkout import Order, session_params
from tracker.gateway.events import TOLD_BY
from tracker.giving.campaign import Campaign
from tracker.giving.goals import Progress
from tracker.giving.months import Month, parse_month
from tracker.giving.tiers import Choice
from tracker.ledger import campaigns, month_closing, results, store
from tracker.ledger.store import reading, writing
from tracker.sandbox import CardDeclined, Sandbox
from tracker.sandbox.events import signature as sign
from tracker.settings import HOOK, read_settings

SECRET = "whsec_rehearsal"  # noqa: S105 - signs play money
URL = f"http://127.0.0.1{HOOK}"
DEBIT = "AT611904300234573201"
WIDTH = 20

CAMPAIGN = Campaign(
    slug="rehearsal",
    title="Support the newsroom",
    currency="EUR",
    time_zone="Europe/Berlin",
    locale="en_US",
    amount_pattern="#,##0 ¤",
    once=(10_00, 25_00, 50_00, 100_00),
    monthly=(5_00, 10_00, 20_00),
    minimum=2_00,
)


@dataclass
class Stage:
    """The app, the stand-in for Stripe, and the post between them, which can be held back, shuffled and repeated."""

    app: Flask
    client: FlaskClient
    sandbox: Sandbox
    say: Callable[[str], Any]
    held: list[bytes] | None = None
    """Deliveries that have not been handed over yet, while the post is held back."""
    should_be: dict[str, int] = field(default_factory=dict)
    """What each month must come to: added up here, step by step, and not by the ledger."""
    problems: list[str] = field(default_factory=list)

    def deliver(self, body: bytes, _signature: str, _url: str) -> int:
        if self.held is None:
            return self.hand_over(body)
        self.held.append(body)
        return 200

    def hand_over(self, body: bytes, *, secret: str = SECRET, at: float | None = None) -> int:
        """Gives one delivery to the hook, signed as Stripe signs; returns the status of the answer."""
        signature = sign(body, secret, int(time.time() if at is None else at))
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        return self.client.post(HOOK, data=body, headers=headers).status_code

    def clock(self, text: str) -> None:
        """Sets Stripe's clock: `2025-03-31 23:59:59`, by the campaign's own zone."""
        local = datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(CAMPAIGN.time_zone))
        self.sandbox.set_clock(int(local.timestamp()))

    def opens(self, amount: int, frequency: str = "once") -> str:
        now = datetime.fromtimestamp(self.sandbox.store.now(), UTC)
        choice = Choice("month" if frequency == "month" else "once", amount, str(amount))
        order = Order(CAMPAIGN, choice, nonce="", shown_at=now)
        session = self.sandbox.create_checkout_session(session_params(order, "http://127.0.0.1", "", now))
        return str(session["id"])

    def gives(self, amount: int, frequency: str = "once", **means: str) -> dict[str, Any]:
        return self.sandbox.pay(self.opens(amount, frequency), email="donor@example.org", **means)

    def bar(self, month: str) -> Progress:
        with self.app.app_context(), reading() as session:
            return results.result(session, saved_campaign(session), parse_month(month), live=False).progress

    def after(self, words: str, **months: int) -> None:
        """Says what happened and what the bars say now, and notes where that is not what it must be.

        `m2025_03=2500` adds 25.00 to what March must come to.
        """
        for name, change in months.items():
            month = name[1:].replace("_", "-")
            self.should_be[month] = self.should_be.get(month, 0) + change
        month = max(self.should_be, default="2025-01")
        shown = self.bar(month)
        drawn = "".join("█" if mark < shown.fill * WIDTH else "─" for mark in range(WIDTH))
        self.say(f"{words:<84} {month} {drawn} {CAMPAIGN.write(shown.raised):>6}")
        for one, expected in self.should_be.items():
            found = self.bar(one).raised
            if found != expected:
                self.problems.append(f"{one} shows {CAMPAIGN.write(found)} and must show {CAMPAIGN.write(expected)}")
                self.say(f"    WRONG: {self.problems[-1]}")


def saved_campaign(session: Session) -> Campaign:
    """The campaign as the database has it, with its number."""
    found = campaigns.find(session, CAMPAIGN.slug)
    assert found
    return found


def rehearse(say: Callable[[str], Any]) -> list[str]:
    """Plays everything and returns what was wrong: nothing, unless something is broken."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with tempfile.TemporaryDirectory(prefix="pledgebar-rehearsal-") as folder:
        app = create_app(
            read_settings(
                {
                    "TRACKER_INSTANCE": folder,
                    "TRACKER_SECRET_KEY": "a rehearsal needs no secret, but one of this length",
                    "STRIPE_WEBHOOK_SECRET": SECRET,
                }
            ),
            background=False,
        )
        with app.app_context():
            store.upgrade()
            with writing() as connection:
                campaigns.save(connection, CAMPAIGN)
                campaigns.set_goal(connection, CAMPAIGN.slug, Month(2025, 1), 500_00, stands=True)
        sandbox = Sandbox(Path(folder) / "sandbox.sqlite3")
        sandbox.add_webhook(URL, SECRET, enabled_events=TOLD_BY)
        stage = Stage(app, app.test_client(), sandbox, say)
        with sandbox.playing(stage.deliver):
            for scene in SCENES:
                say("")
                say((scene.__doc__ or "").splitlines()[0])
                scene(stage)
        sandbox.close()
        _proof(stage)
        with app.app_context():
            store.db.engine.dispose()
    return stage.problems


def _january(stage: Stage) -> None:
    """January: everything that can arrive twice"""
    stage.clock("2025-01-03 10:00")
    stage.gives(25_00)
    stage.after("A supporter gives 25 €.", m2025_01=25_00)
    stage.held = []
    stage.gives(10_00)
    stage.after("Another gives 10 €, but Stripe's post is held back.")
    post, stage.held = stage.held, None
    for body in post:
        stage.hand_over(body)
    stage.after("The post comes.", m2025_01=10_00)
    for body in post * 3:
        stage.hand_over(body)
    stage.after("The same post comes three times more.")
    retold = [json.loads(body) | {"id": f"evt_again_{number}"} for number, body in enumerate(post)]
    for event in retold:
        stage.hand_over(json.dumps(event).encode())
    stage.after("Stripe makes second events about the same things.")
    with suppress(CardDeclined):
        stage.gives(50_00, card="4000000000000002")
    stage.after("A card is declined.")
    stage.gives(50_00)
    stage.after("The supporter takes another card.", m2025_01=50_00)


def _february(stage: Stage) -> None:
    """February: everything in the wrong order"""
    stage.clock("2025-02-05 09:00")
    stage.held = []
    first = stage.gives(20_00, "month")
    gift = stage.gives(100_00)
    stage.sandbox.refund(payment_intent=gift["payment_intent"], amount=40_00)
    post, stage.held = stage.held, None
    for body in reversed(post):
        stage.hand_over(body)
    stage.after("A monthly gift of 20 €, one of 100 €, and 40 € refunded: told backwards.", m2025_02=80_00)
    random.Random(7).shuffle(post)  # noqa: S311
    for body in post:
        stage.hand_over(body)
    stage.after("And once more, shuffled.")
    stage.gives(50_00, iban=DEBIT)
    stage.after("50 € by direct debit, promised and then paid.", m2025_02=50_00)
    stage.clock("2025-03-05 09:00")
    stage.sandbox.renew(first["subscription"])
    stage.after("March comes, and with it the month's second 20 €: the bar has begun again.", m2025_03=20_00)


def _march(stage: Stage) -> None:
    """March: money that goes back"""
    stage.clock("2025-03-10 12:00")
    one = stage.gives(50_00, card="4000000000005126")
    stage.after("A gift of 50 €.", m2025_03=50_00)
    stage.held = []
    stage.sandbox.refund(payment_intent=one["payment_intent"])
    post, stage.held = stage.held, None
    refunded = [body for body in post if json.loads(body)["type"] in ("refund.created", "refund.updated")]
    for body in refunded[:1]:
        stage.hand_over(body)
    stage.after("It is refunded.", m2025_03=-50_00)
    for body in post:
        stage.hand_over(body)
    stage.after("The refund fails at the bank, so the money is back.", m2025_03=50_00)
    two = stage.gives(100_00)
    stage.after("A gift of 100 €.", m2025_03=100_00)
    dispute = stage.sandbox.open_dispute(two["payment_intent"])
    stage.after("Its donor's bank disputes it and takes it.", m2025_03=-100_00)
    stage.sandbox.close_dispute(dispute["id"], won=True)
    stage.after("The dispute is won: it comes back.", m2025_03=100_00)
    three = stage.gives(25_00)
    stage.sandbox.refund(payment_intent=three["payment_intent"], amount=10_00)
    stage.after("A gift of 25 €, of which 10 € are refunded.", m2025_03=15_00)
    stage.sandbox.open_dispute(three["payment_intent"])
    stage.after("And then disputed as a whole: never more is taken than was given.", m2025_03=-15_00)
    four = stage.gives(25_00)
    stage.sandbox.open_dispute(four["payment_intent"], inquiry=True)
    stage.after("A gift of 25 €, and a bank that only asks about it: nothing moves.", m2025_03=25_00)


def _april(stage: Stage) -> None:
    """April: what is not ours, and what is not true"""
    stage.clock("2025-04-02 12:00")
    stage.gives(10_00)
    stage.after("A gift of 10 €.", m2025_04=10_00)
    price = {"currency": "eur", "unit_amount": 99_00, "product_data": {"name": "A mug"}}
    shop = {
        "mode": "payment",
        "line_items": [{"quantity": 1, "price_data": price}],
        "success_url": "http://127.0.0.1/shop",
    }
    bought = stage.sandbox.pay(stage.sandbox.create_checkout_session(shop)["id"], email="buyer@example.org")
    stage.after("The newsroom's shop sells a mug on the same Stripe account: not a gift.")
    stage.sandbox.refund(payment_intent=bought["payment_intent"])
    stage.after("And takes it back.")
    event = {"id": "evt_forged", "object": "event", "type": "checkout.session.completed", "created": int(time.time())}
    forged = json.dumps(event | {"livemode": False, "data": {"object": {}}}).encode()
    answer = stage.hand_over(forged, secret="whsec_guess")  # noqa: S106 - and a wrong one
    stage.after(f"Somebody sends a forged gift: the hook answers {answer}.")
    old = stage.hand_over(forged, at=time.time() - 3600)
    stage.after(f"Somebody plays back a delivery of an hour ago: {old}.")
    stage.after(f"Somebody sends what is no event at all, well signed: {stage.hand_over(b'[1, 2, 3]')}.")


def _the_edge(stage: Stage) -> None:
    """The edge of a month, and a month that is closed"""
    stage.clock("2025-04-30 23:59:59")
    late = stage.gives(25_00)
    stage.after("25 € one second before midnight: April.", m2025_04=25_00)
    stage.clock("2025-05-01 00:00:00")
    stage.gives(50_00)
    stage.after("50 € at midnight: May.", m2025_05=50_00)
    with stage.app.app_context(), writing() as session:
        closed = month_closing.close(
            session, saved_campaign(session), Month(2025, 4), live=False, now=datetime(2025, 5, 2, tzinfo=UTC)
        )
    stage.after(f"April is closed with {CAMPAIGN.write(closed.sums.raised)}.")
    stage.clock("2025-05-09 15:00")
    stage.sandbox.refund(payment_intent=late["payment_intent"])
    stage.after("April's last 25 € are refunded: April keeps its result, May carries the correction.", m2025_05=-25_00)


def _the_rest(stage: Stage) -> None:
    """The rest of the year: a supporter who stays, and leaves"""
    stage.clock("2025-05-10 08:00")
    started = stage.gives(10_00, "month")
    stage.after("A new monthly supporter: 10 €.", m2025_05=10_00)
    for month in range(6, 11):
        stage.clock(f"2025-{month:02d}-10 08:00")
        stage.sandbox.renew(started["subscription"])
        stage.after("10 € again.", **{f"m2025_{month:02d}": 10_00})
    stage.sandbox.cancel_subscription(started["subscription"])
    stage.after("The supporter stops, by one click. What was given stays.")
    stage.clock("2025-11-20 12:00")
    stage.held = []
    for _ in range(3):
        stage.gives(50_00)
    stage.after("The newsroom's server is down for a day while three people give 50 € each.", m2025_11=0)
    post, stage.held = stage.held, None
    for body in post:
        stage.hand_over(body)
    stage.after("It is up again, and Stripe tells everything that it missed.", m2025_11=150_00)
    stage.clock("2025-12-24 18:00")
    for _ in range(6):
        stage.gives(100_00)
    stage.after("A good December: more than the goal of 500 €.", m2025_12=600_00)


SCENES = (_january, _february, _march, _april, _the_edge, _the_rest)


def _proof(stage: Stage) -> None:
    stage.say("")
    with stage.app.app_context(), reading() as connection:
        different = month_closing.differences(connection)
        tampered = month_closing.tampered(connection)
    for one in different:
        stage.problems.append(f"{one.month}: the totals are not the sum of the entries")
    stage.problems += tampered
    if stage.problems:
        stage.say(f"{len(stage.problems)} things are not as they must be.")
    else:
        stage.say("Every bar is what it must be, every total the sum of its entries, every entry as it was written.")
