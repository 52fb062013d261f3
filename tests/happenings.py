"""What happens on an account at Stripe in the course of months, and a clerk who adds it up with pencil and paper.

The sandbox answers the real SDK in this process, so that a history is told by webhooks, by `sync`, or by both. The clerk
knows what was done and which events came, and nothing of the project's own sums, months or ledger.
"""

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import Any
from zoneinfo import ZoneInfo

import requests
from account import SEPA, SEPA_FAILS, WEARY_CARD

from tracker.gateway.stripe_history import History
from tracker.sandbox import Sandbox, create_sandbox, disputes, refunds

HOUR, DAY = 3600, 86400
SLOW_REFUND_CARD = "4000000000007726"
KEYS = {False: "sk_test_123", True: "sk_live_123"}


class InThisProcess(requests.adapters.BaseAdapter):
    """Carries the SDK's requests to the sandbox without a socket; the answers are dated by the sandbox's clock."""

    def __init__(self, sandbox: Sandbox) -> None:
        super().__init__()
        self.sandbox = sandbox
        self.client = create_sandbox(sandbox).test_client()

    def send(self, request: requests.PreparedRequest, *_: Any, **__: Any) -> requests.Response:
        came = self.client.open(
            request.path_url, method=request.method or "GET", headers=dict(request.headers), data=request.body or b""
        )
        answer = requests.Response()
        answer.status_code, answer._content, answer.url = came.status_code, came.data, request.url or ""
        at = datetime.fromtimestamp(self.sandbox.store.now(), UTC)
        answer.headers.update({**dict(came.headers), "Date": format_datetime(at, usegmt=True)})
        return answer

    def close(self) -> None:
        pass


def asking(sandbox: Sandbox, live: bool = False) -> History:
    """Stripe's history of the sandbox's account, through the SDK, without waiting."""
    history = History(KEYS[live], api_base="https://stripe.example", version="0", sleep=lambda seconds: None)
    session = requests.Session()
    session.mount("https://", InThisProcess(sandbox))
    history._transport._session = session
    return history


# --- What happens -----------------------------------------------------------------------------------------------------


@dataclass
class Gift:
    """One gift as it was made, with what is needed to take it back."""

    key: str
    kind: str
    live: bool
    amount: int
    currency: str
    at: int
    intent: str
    refunds: list[str] = field(default_factory=list)
    disputes: list[str] = field(default_factory=list)


@dataclass(frozen=True)
class Reversal:
    """What was taken off a gift, or came back to it: positive takes."""

    key: str
    gift: str
    kind: str
    amount: int
    at: int


@dataclass
class Account:
    """An account where things happen one after the other, each at a moment of its own, in both modes."""

    clock: int
    sandbox: Sandbox = field(default_factory=Sandbox)
    gifts: list[Gift] = field(default_factory=list)
    taken: list[Reversal] = field(default_factory=list)
    monthly: list[tuple[dict[str, Any], bool, bool]] = field(default_factory=list)
    """Subscriptions: each session, whether it is live, and whether its renewals fail."""
    debits: list[tuple[dict[str, Any], bool]] = field(default_factory=list)
    """What has been asked of a bank and is not answered yet: each session, and whether it fails."""
    events: list[dict[str, Any]] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.sandbox.delays = dict.fromkeys(self.sandbox.delays, 10.0**9)
        self.sandbox.store.saving = False
        self._told: set[str] = set()
        self.sandbox.set_clock(self.clock)

    def passes(self, seconds: int) -> None:
        """Time goes on; what was under way is answered at its end."""
        self.clock += seconds
        self.sandbox.set_clock(self.clock)
        self._answers()
        for session, fails in self.debits:
            if not fails:
                self._noted(session, "once", False)
        self.debits.clear()

    def _answers(self) -> None:
        while next((job for live in (False, True) for job in self.sandbox.store.newest("_job", live)), None):
            self.sandbox.run_due(hurry=True)

    def new_events(self) -> list[dict[str, Any]]:
        """What has been told since this was asked last, oldest first, as it was then."""
        new = []
        for live in (False, True):
            for row in self.sandbox.store.newest("event", live):
                if row["id"] in self._told:
                    break
                new.append(row)
        self._told.update(row["id"] for row in new)
        new.reverse()
        return sorted(new, key=lambda row: int(row["created"]))

    # --- What people do ---

    def gives(self, amount: int, currency: str = "usd", live: bool = False, card: str = "") -> None:
        self._noted(self._pays(amount, currency, live, {"card": card} if card else {}), "once", live)

    def gives_by_debit(self, amount: int, fails: bool = False) -> None:
        """A debit in euros, whose money comes when some time has passed, or never."""
        self.debits.append((self._pays(amount, "eur", False, {"iban": SEPA_FAILS if fails else SEPA}), fails))

    def subscribes(self, amount: int, live: bool = False, weary: bool = False) -> None:
        session = self._pays(amount, "usd", live, {"card": WEARY_CARD} if weary else {}, monthly=True)
        self.monthly.append((session, live, weary))
        self._invoiced(session, live)

    def renews(self, number: int) -> None:
        session, live, weary = self.monthly[number]
        self.sandbox.renew(session["subscription"])
        if not weary:
            self._invoiced(session, live)

    def a_stranger_gives(self, amount: int, monthly: bool) -> None:
        """Somebody buys something else on the same account and gets part of it back."""
        session = self._pays(amount, "usd", False, {}, monthly=monthly, metadata={"order": "42"})
        if not monthly:
            self._answers()
            self.sandbox.refund(payment_intent=session["payment_intent"], amount=max(1, amount // 2))

    def refunds(self, gift: Gift, amount: int) -> None:
        """Part of what is left of a gift, or nothing where nothing is or the bank already has taken it."""
        left = gift.amount - sum(one.amount for one in self.taken if one.gift == gift.key and one.kind == "refund")
        lost = [one for one in gift.disputes if not self._status(one).startswith(("warning", "won"))]
        if left <= 0 or lost:
            return
        amount = min(amount, left)
        made = self.sandbox.refund(payment_intent=gift.intent, amount=amount)
        gift.refunds.append(made["id"])
        self.taken.append(Reversal(made["id"], gift.key, "refund", amount, self.clock))

    def a_refund_fails(self, gift: Gift) -> None:
        for refund in gift.refunds:
            about = self.sandbox.store.rows[refund].body
            if about["status"] != "failed":
                with self.sandbox.store.acting(gift.live):
                    refunds.fail_refund(self.sandbox.store, about, "expired_or_canceled_card")
                self.taken.append(Reversal(f"{refund}/failed", gift.key, "refund", -about["amount"], self.clock))
                return

    def disputes(self, gift: Gift, amount: int, inquiry: bool = False) -> None:
        """The bank takes an amount, more than is left of the gift if it likes; an inquiry takes nothing."""
        made = self.sandbox.open_dispute(gift.intent, min(amount, gift.amount), inquiry=inquiry)
        gift.disputes.append(made["id"])
        if not inquiry:
            self._moved(gift, made["id"], made["amount"])

    def an_inquiry_becomes_a_dispute(self, gift: Gift) -> None:
        for dispute in gift.disputes:
            about = self.sandbox.store.rows[dispute].body
            if about["status"] == "warning_needs_response":
                with self.sandbox.store.acting(gift.live):
                    disputes.escalate(self.sandbox.store, about)
                self._moved(gift, dispute, about["amount"])
                return

    def decides(self, gift: Gift, won: bool) -> None:
        for dispute in gift.disputes:
            status = self._status(dispute)
            if status in disputes.OPEN_DISPUTE:
                self.sandbox.close_dispute(dispute, won=won)
                if won and not status.startswith("warning"):
                    self._moved(gift, dispute, -self.sandbox.store.rows[dispute].body["amount"])
                return

    # --- How it is noted ---

    def _pays(
        self, amount: int, currency: str, live: bool, means: dict[str, str], *, monthly: bool = False,
        metadata: dict[str, str] | None = None,
    ) -> dict[str, Any]:  # fmt: skip
        about = metadata or {"pledgebar": "1", "campaign": "newsroom", "tier": "other"}
        price: dict[str, Any] = {"currency": currency, "unit_amount": amount, "product_data": {"name": "Support"}}
        if monthly:
            price["recurring"] = {"interval": "month"}
        session = self.sandbox.create_checkout_session(
            {
                "mode": "subscription" if monthly else "payment",
                "metadata": about,
                "line_items": [{"quantity": 1, "price_data": price}],
                "success_url": "https://news.example/thanks",
                "subscription_data" if monthly else "payment_intent_data": {"metadata": about},
            },
            api_key=KEYS[live],
        )
        return self.sandbox.pay(session["id"], **means)

    def _noted(self, session: dict[str, Any], kind: str, live: bool) -> None:
        amount, currency = session["amount_total"], session["currency"].upper()
        self.gifts.append(Gift(session["id"], kind, live, amount, currency, self.clock, session["payment_intent"]))

    def _invoiced(self, session: dict[str, Any], live: bool) -> None:
        newest = next(iter(self.sandbox.store.newest("invoice_payment", live)))
        about = self.sandbox.store.rows[newest["invoice"]].body
        self.gifts.append(
            Gift(
                about["id"],
                "monthly",
                live,
                session["amount_total"],
                "USD",
                self.clock,
                newest["payment"]["payment_intent"],
            )
        )

    def _moved(self, gift: Gift, dispute: str, amount: int) -> None:
        moved = self.sandbox.store.rows[dispute].body["balance_transactions"][-1]["id"]
        self.taken.append(Reversal(moved, gift.key, "dispute", amount, self.clock))

    def _status(self, dispute: str) -> str:
        return str(self.sandbox.store.rows[dispute].body["status"])


def told_by(event: dict[str, Any]) -> list[str]:
    """The keys of what an event tells, read as somebody with Stripe's documentation at hand would."""
    about, kind = event["data"]["object"], event["type"]
    if kind in ("checkout.session.completed", "checkout.session.async_payment_succeeded"):
        return [about["id"]] if about["mode"] == "payment" and about["payment_status"] == "paid" else []
    if kind == "invoice.paid":
        return [about["id"]]
    if kind == "invoice_payment.paid":
        return [f"link {about['invoice']}"]
    if kind.startswith(("refund.", "charge.refund.")):
        return [about["id"]] + ([f"{about['id']}/failed"] if about["status"] == "failed" else [])
    if kind.startswith("charge.dispute."):
        return [moved["id"] for moved in about["balance_transactions"]]
    return []


# --- The clerk --------------------------------------------------------------------------------------------------------


@dataclass
class Clerk:
    """Books what is told in plain dictionaries: in the gift's month while it is open, else where the rule says."""

    account: Account
    zone: str
    sheet: dict[tuple[bool, str], Counter[str]] = field(default_factory=dict)
    """By mode and `2021-05 USD`."""
    closed: set[tuple[bool, str]] = field(default_factory=set)
    heard: set[str] = field(default_factory=set)
    booked: dict[str, str] = field(default_factory=dict)
    """The month each gift was booked in."""

    def month(self, at: float) -> str:
        return datetime.fromtimestamp(at, ZoneInfo(self.zone)).strftime("%Y-%m")

    def hears(self, event: dict[str, Any], now: int) -> None:
        self._hears(told_by(event), now)

    def reads_all(self, live: bool, now: int) -> int:
        """Everything in one mode that has happened: gifts, then what was taken of them in order. How many gifts were new."""
        gifts = [one for one in self.account.gifts if one.live == live]
        new = [one.key for one in gifts if one.key not in self.heard]
        self._hears([one.key for one in gifts] + [f"link {one.key}" for one in gifts], now)
        mine = {one.key for one in gifts}
        ordered = sorted((one for one in self.account.taken if one.gift in mine), key=lambda one: one.at)
        self._hears([one.key for one in ordered], now)
        return len(new)

    def _hears(self, keys: Iterable[str], now: int) -> None:
        gifts = {one.key: one for one in self.account.gifts}
        taken = {one.key: one for one in self.account.taken}
        for key in keys:
            if key in self.heard:
                continue
            self.heard.add(key)
            if key in gifts:
                one = gifts[key]
                self.booked[key] = self._open(one.live, [self.month(one.at)], now)
                self._writes(one, self.booked[key], {one.kind: one.amount, "gifts": 1})
            found = gifts.get(key.removeprefix("link ")) or gifts.get(taken[key].gift if key in taken else "")
            if found is not None and self._can_be_found(found):
                self._takes_off(found, taken, now)

    def _can_be_found(self, gift: Gift) -> bool:
        """A gift is found by its payment, which the invoice of a monthly one does not name."""
        return gift.key in self.booked and (gift.kind == "once" or f"link {gift.key}" in self.heard)

    def _takes_off(self, gift: Gift, taken: dict[str, Reversal], now: int) -> None:
        """Books what has been heard of this gift and is not booked yet, oldest first."""
        for one in sorted((taken[key] for key in self.heard & taken.keys()), key=lambda one: one.at):
            if one.gift != gift.key or f"booked {one.key}" in self.heard:
                continue
            before = self._off(gift, taken)
            self.heard.add(f"booked {one.key}")
            after = self._off(gift, taken)
            month = self._open(gift.live, [self.booked[gift.key], self.month(one.at)], now)
            self._writes(gift, month, {name: after[name] - before[name] for name in after})

    def _off(self, gift: Gift, taken: dict[str, Reversal]) -> dict[str, int]:
        """What refunds and disputes come to, together never more than the gift."""
        booked = [one for key, one in taken.items() if f"booked {key}" in self.heard and one.gift == gift.key]
        return come_to(gift, booked)

    def _open(self, live: bool, wanted: list[str], now: int) -> str:
        return next(month for month in (*wanted, self.month(now)) if (live, month) not in self.closed)

    def _writes(self, gift: Gift, month: str, amounts: dict[str, int]) -> None:
        line = self.sheet.setdefault((gift.live, f"{month} {gift.currency}"), Counter())
        for name, amount in amounts.items():
            line[name] += amount

    def totals(self, live: bool) -> dict[str, dict[str, int]]:
        lines = {
            month: {name: n for name, n in line.items() if n}
            for (mode, month), line in self.sheet.items()
            if mode == live
        }
        return {month: line for month, line in lines.items() if line}


def come_to(gift: Gift, taken: Iterable[Reversal]) -> dict[str, int]:
    """What refunds and disputes take off a gift: refunds up to the gift, disputes up to what is left."""
    sums = {"refund": 0, "dispute": 0}
    for one in taken:
        sums[one.kind] += one.amount
    off = max(0, min(gift.amount, sums["refund"]))
    return {"refunds": off, "disputes": max(0, min(gift.amount - off, sums["dispute"]))}


def plain_sum(account: Account, live: bool, month: Callable[[int], str]) -> dict[str, dict[str, int]]:
    """The sum over all that has happened, each in the month of its gift: what a book must say when no month is closed."""
    lines: dict[str, Counter[str]] = {}
    for gift in account.gifts:
        if gift.live == live:
            line = lines.setdefault(f"{month(gift.at)} {gift.currency}", Counter())
            line[gift.kind] += gift.amount
            line["gifts"] += 1
            line.update(come_to(gift, [one for one in account.taken if one.gift == gift.key]))
    return {key: {name: n for name, n in line.items() if n} for key, line in lines.items()}


# --- Clocks -----------------------------------------------------------------------------------------------------------


def next_month(at: int, zone: str) -> int:
    """The first second of the next month on that zone's clocks."""
    here = datetime.fromtimestamp(at, ZoneInfo(zone))
    first = datetime(here.year + here.month // 12, here.month % 12 + 1, 1, tzinfo=ZoneInfo(zone))
    return int(first.timestamp())


def next_change_of_clocks(at: int, zone: str) -> int:
    """When that zone's clocks are next put forward or back; a month later where they never are."""

    def offset(moment: int) -> timedelta | None:
        return datetime.fromtimestamp(moment, ZoneInfo(zone)).utcoffset()

    day = next((day for day in range(300) if offset(at + day * DAY) != offset(at + day * DAY + DAY)), None)
    if day is None:
        return at + 31 * DAY
    low, high = at + day * DAY, at + day * DAY + DAY
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if offset(middle) == offset(low) else (low, middle)
    return high
