"""A newsroom's account at Stripe, as a sandbox that speaks HTTP, and what happens on it in the course of a month."""

import contextvars
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any

import pytest
import stripe
from actors import NEWSROOM, WEBHOOK_SECRET
from flask import Flask
from serving import serving
from sqlalchemy import func, select

from tracker.gateway.events import TOLD_BY
from tracker.gateway.stripe_history import History
from tracker.ledger import campaigns, month_closing
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing
from tracker.sandbox import Sandbox, create_sandbox, refunds
from tracker.sandbox.cards import CardDeclined
from tracker.server.background import do_once
from tracker.web.webhook import fee_fetcher

Raised = Callable[[], int]
DAY = 86400
# Well before anything that happens on a test's account.
SINCE = datetime.fromtimestamp((time.time() // DAY - 40) * DAY, UTC)
SEPA, SEPA_FAILS, SEPA_DISPUTED = "AT611904300234573201", "AT861904300235473202", "AT591904300235473203"
WEARY_CARD = "4000000000000341"
DECLINED_CARD = "4000000000000002"


def look_for_fees(app: Flask) -> None:
    """What a serving process does beside answering: once the hook has said that something may be due, it is asked for."""
    due = app.extensions["fees_due"]
    if due.is_set():
        due.clear()
        do_once(app, "fees", fee_fetcher.fetch_due)


@dataclass
class Account:
    """The sandbox with its clock held. Nothing is delivered and nothing falls due unless a test lets it."""

    sandbox: Sandbox
    url: str
    clock: int
    hook: Flask | None = None
    """Where events are delivered to at once; nowhere while it is None."""

    def __post_init__(self) -> None:
        # Only what a test asks for happens later.
        self.sandbox.delays = dict.fromkeys(self.sandbox.delays, 10.0**9)
        self.sandbox.set_clock(self.clock)

    def passes(self, seconds: int) -> None:
        """Time goes on: money settles and debits are answered."""
        self.clock += seconds
        self.sandbox.set_clock(self.clock)
        self.happens()

    def happens(self) -> None:
        """Whatever is still to come happens, and is told."""
        while next(iter(self.sandbox.store.newest("_job")), None):
            self.tells()
            self.sandbox.run_due(hurry=True)
        self.tells()

    def tells(self, first: str = "") -> None:
        """Delivers what waits: in the order in which it happened, or one type before all others."""
        for row in sorted(self.sandbox.sender.waiting(False), key=lambda row: bool(first) and row["type"] != first):
            assert self.sandbox.sender.attempt(row, self._deliver) in (204, 0)

    def _deliver(self, body: bytes, signature: str, url: str) -> int:
        assert self.hook is not None
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        status = self.hook.test_client().post("/webhooks/stripe", data=body, headers=headers).status_code
        # A serving process asks for the fee beside its requests; here it is asked for at once.
        contextvars.Context().run(look_for_fees, self.hook)
        return status

    # --- What people do ---

    def gives(
        self, amount: int = 1000, *, monthly: bool = False, currency: str = "usd", card: str = "", iban: str = "",
        foreign: bool = False, campaign: str = "newsroom", **words: str,
    ) -> dict[str, Any]:  # fmt: skip
        """A gift through Checkout; returns the session."""
        asked = self.asks(amount, monthly=monthly, currency=currency, foreign=foreign, campaign=campaign, **words)
        session = self.sandbox.create_checkout_session(asked)
        means = {"iban": iban} if iban else {"card": card} if card else {}
        paid = self.sandbox.pay(session["id"], **means)
        if not iban:
            self.happens()
        self.tells()
        return paid

    def asks(
        self, amount: int, *, monthly: bool = False, currency: str = "usd", foreign: bool = False,
        campaign: str = "newsroom", **words: str,
    ) -> dict[str, Any]:  # fmt: skip
        """What a checkout is opened with."""
        frequency = "month" if monthly else "once"
        ours = {"pledgebar": "1", "campaign": campaign, "frequency": frequency, "tier": str(amount), "src": "harbour"}
        metadata = {"order": "42"} if foreign else ours | words
        price: dict[str, Any] = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Support"}}
        if monthly:
            price["recurring"] = {"interval": "month"}
        return {
            "mode": "subscription" if monthly else "payment",
            "metadata": metadata,
            "line_items": [{"quantity": 1, "price_data": price}],
            "success_url": "https://news.example/thanks",
            "subscription_data" if monthly else "payment_intent_data": {"metadata": metadata},
        }

    def is_declined(self, **how: Any) -> None:
        try:
            self.gives(card=DECLINED_CARD, **how)
        except CardDeclined:
            self.tells()
            return
        raise AssertionError("the card was taken")

    def intent_of(self, paid: dict[str, Any]) -> str:
        """The payment intent of a one-time session, or of a subscription's newest invoice."""
        if paid["mode"] == "payment":
            return str(paid["payment_intent"])
        subscription = self.sandbox.store.rows[paid["subscription"]].body
        payments = self.sandbox.store.newest("invoice_payment")
        found = next(row for row in payments if row["invoice"] == subscription["latest_invoice"])
        return str(found["payment"]["payment_intent"])

    def renews(self, paid: dict[str, Any]) -> None:
        self.sandbox.renew(paid["subscription"])
        self.happens()

    def takes_another_card(self, paid: dict[str, Any]) -> None:
        """The supporter's card is replaced by one that works."""
        store = self.sandbox.store
        store.hidden(store.rows[paid["subscription"]].body["default_payment_method"])["number"] = "4242424242424242"

    def lives_on(self, days: int) -> None:
        """Time goes on, with every renewal, retry and end that falls due on the way."""
        self.clock += days * DAY
        self.sandbox.live_until(self.clock)
        self.happens()

    def cancels(self, paid: dict[str, Any], **how: Any) -> None:
        self.sandbox.cancel_subscription(paid["subscription"], **how)
        self.tells()

    def refunds(self, paid: dict[str, Any], amount: int | None = None) -> str:
        made = self.sandbox.refund(payment_intent=self.intent_of(paid), amount=amount)
        self.happens()
        return str(made["id"])

    def refund_fails(self, refund: str) -> None:
        with self.sandbox.store.acting(False):
            refunds.fail_refund(self.sandbox.store, self.sandbox.store.rows[refund].body, "lost_or_stolen_card")
        self.tells()

    def disputes(self, paid: dict[str, Any], amount: int | None = None, **how: Any) -> str:
        made = self.sandbox.open_dispute(self.intent_of(paid), amount, **how)
        self.tells()
        return str(made["id"])

    def decides(self, dispute: str, *, won: bool) -> None:
        self.sandbox.close_dispute(dispute, won=won)
        self.tells()

    def pays_out(self) -> list[dict[str, Any]]:
        made = self.sandbox.pay_out()
        self.tells()
        return made


def a_rich_month(account: Account) -> None:
    """Everything that can happen to money, in twenty-four days."""
    some_hours = 5 * 3600
    account.gives(1000, name="Ada", message="Go on.")
    account.passes(some_hours)
    twice = account.gives(5000)
    whole = account.gives(2500)
    came_back = account.gives(3000)
    lost, won, in_part, both = (account.gives(amount) for amount in (4000, 4500, 6000, 7000))
    monthly, leaving, ending, weary = (
        account.gives(amount, monthly=True, card=card, name="Grace")
        for amount, card in ((500, ""), (1000, ""), (2000, ""), (1500, WEARY_CARD))
    )
    account.gives(9900, foreign=True)
    theirs, their_monthly = account.gives(8800, foreign=True), account.gives(7700, foreign=True, monthly=True)
    account.is_declined()
    account.passes(some_hours)
    account.gives(1200, currency="eur", iban=SEPA, campaign="zeitung")
    account.gives(1300, currency="eur", iban=SEPA_FAILS, campaign="zeitung")
    account.gives(1400, currency="eur", iban=SEPA_DISPUTED, campaign="zeitung")
    account.gives(700, currency="eur", iban=SEPA, campaign="zeitung", monthly=True)
    account.passes(4 * DAY)
    account.refunds(twice, 1500)
    account.refunds(whole)
    failing = account.refunds(came_back)
    account.refunds(theirs, 100)
    lost_one, won_one = account.disputes(lost), account.disputes(won)
    account.disputes(in_part, 2000)
    account.disputes(account.gives(1100), inquiry=True)
    account.refunds(both, 3000)
    account.pays_out()
    account.passes(some_hours)
    account.disputes(both, 7000)
    account.refunds(twice, 500)
    account.passes(2 * DAY)
    account.refund_fails(failing)
    account.decides(lost_one, won=False)
    account.decides(won_one, won=True)
    account.passes(some_hours)
    account.refunds(came_back)
    account.refunds(won, 700)
    account.passes(5 * DAY)
    for one in (monthly, leaving, ending, weary, their_monthly):
        account.renews(one)
    account.refunds(leaving)
    account.disputes(ending)
    account.cancels(leaving)
    account.cancels(ending, at_period_end=True)
    account.passes(5 * DAY)
    account.renews(monthly)
    account.disputes(account.gives(2200, foreign=True))
    account.pays_out()
    account.gives(100_00)
    account.passes(some_hours)


# --- As fixtures ------------------------------------------------------------------------------------------------------


@pytest.fixture
def account(environ: dict[str, str]) -> Iterator[Account]:
    """An account whose clock stands twenty-five days ago. Ask for it before `app`, which is told its address."""
    sandbox = Sandbox()
    with serving(create_sandbox(sandbox)) as url:
        environ["STRIPE_API_BASE"] = sandbox.public_url = url
        yield Account(sandbox, url, int(time.time()) - 25 * DAY)
        sandbox.close()


@pytest.fixture
def newsroom(account: Account, app: Flask) -> Flask:
    """The app beside that account, with a second campaign in euros."""
    with writing() as connection:
        zeitung = replace(NEWSROOM, slug="zeitung", currency="EUR", locale="de_DE", amount_pattern="")
        campaigns.save(connection, zeitung)
    return app


@pytest.fixture
def hooked(account: Account, newsroom: Flask) -> Account:
    """The account with its webhooks on."""
    account.sandbox.add_webhook("http://127.0.0.1:5000/webhooks/stripe", WEBHOOK_SECRET, TOLD_BY)
    account.hook = newsroom
    return account


@pytest.fixture
def history(account: Account) -> Iterator[History]:
    """Stripe's history, asked without ever waiting."""
    with History("sk_test_123", api_base=account.url, version="0", sleep=lambda seconds: None) as opened:
        yield opened


@pytest.fixture
def sdk(account: Account) -> Iterator[stripe.StripeClient]:
    """The real SDK, which asks the account by itself."""
    transport = stripe.RequestsClient(timeout=10)
    yield stripe.StripeClient("sk_test_123", base_addresses={"api": account.url}, http_client=transport)
    transport.close()


@pytest.fixture
def raised(app: Flask) -> Raised:
    """What all entries come to, with every total the sum of its own."""

    def comes_to() -> int:
        with reading() as connection:
            assert month_closing.differences(connection) == []
            return int(connection.scalar(select(func.sum(entry.c.amount))) or 0)

    return comes_to
