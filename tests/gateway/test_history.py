"""What Stripe's lists tell, page by page: the same facts as its events, with the times and ids that only objects have."""

import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import stripe as sdk
from account import DAY, SEPA, SEPA_FAILS, Account
from serving import serving

from tracker.gateway.events import CORRECTED_BY, TOLD_BY
from tracker.gateway.gift_facts import session_paid_at
from tracker.gateway.stripe_history import KINDS, LEEWAY, History, HistoryUnavailable, NotAllowed, patiently
from tracker.giving.facts import BalanceTransaction, Fact, Gift, InvoicePayment, Payout, Reversal, Subscription
from tracker.sandbox import Sandbox, create_sandbox

NOW = int(time.time())
SINCE = datetime.fromtimestamp(NOW - 40 * DAY, UTC)


@pytest.fixture
def account() -> Iterator[Account]:
    sandbox = Sandbox()
    with serving(create_sandbox(sandbox)) as url:
        sandbox.public_url = url
        yield Account(sandbox, url, NOW - 20 * DAY)
        sandbox.close()


@pytest.fixture
def history(account: Account) -> Iterator[History]:
    with History("sk_test_1", api_base=account.url, version="0", sleep=lambda seconds: None) as opened:
        yield opened


def facts(history: History, kind: str, since: datetime = SINCE) -> list[Fact]:
    return [fact for found in history.found(kind, since) for fact in found.facts]


def at(epoch: int) -> datetime:
    return datetime.fromtimestamp(epoch, UTC)


def test_a_gift_its_fee_and_its_payout(account: Account, history: History) -> None:
    paid = account.gives(1000, name="Ada")
    gift, settled = facts(history, "session")
    assert isinstance(gift, Gift)
    assert (gift.key, gift.amount, gift.currency, gift.name) == (paid["id"], 1000, "USD", "Ada")
    assert (gift.at, gift.known_as) == (at(account.clock), (paid["payment_intent"],))
    assert isinstance(settled, BalanceTransaction)
    assert facts(history, "charge") == [settled]
    assert (settled.kind, settled.amount, settled.fee, settled.net, settled.currency) == ("gift", 1000, 59, 941, "USD")
    assert paid["payment_intent"] in settled.of
    account.passes(3 * DAY)
    (payout,) = account.pays_out()
    assert facts(history, "payout") == [Payout(payout["id"], at(payout["arrival_date"]), (settled.key,), False)]


def test_a_payout_that_failed_holds_nothing(account: Account, history: History) -> None:
    account.gives(1000)
    account.passes(3 * DAY)
    (payout,) = account.pays_out()
    account.sandbox.store.rows[payout["id"]].body["status"] = "failed"
    assert facts(history, "payout") == []


def test_a_monthly_gift_its_payment_and_its_supporter(account: Account, history: History) -> None:
    paid = account.gives(500, monthly=True)
    invoice, link = facts(history, "invoice")
    assert isinstance(invoice, Gift)
    assert (invoice.kind, invoice.amount, invoice.at) == ("monthly", 500, at(account.clock))
    assert facts(history, "payment") == [link] == [InvoicePayment(invoice.key, (account.intent_of(paid),))]
    assert facts(history, "session") == [InvoicePayment(invoice.key, (paid["id"],))]
    (support,) = facts(history, "subscription")
    assert isinstance(support, Subscription)
    assert (support.key, support.amount, support.state) == (paid["subscription"], 500, "active")
    # Dated by Stripe's clock, and not by when the subscription began.
    assert abs(support.told_at - datetime.now(UTC)) < timedelta(seconds=30)


def test_a_debit_is_paid_when_its_money_came_and_not_when_it_was_asked_for(account: Account, history: History) -> None:
    asked = account.clock
    account.gives(1200, currency="eur", iban=SEPA)
    account.gives(1300, currency="eur", iban=SEPA_FAILS)
    assert facts(history, "session") == []
    account.passes(5 * DAY)
    gift, _ = facts(history, "session")
    assert isinstance(gift, Gift)
    assert (gift.amount, gift.at) == (1200, at(asked + 5 * DAY))


def test_a_session_without_its_payment_has_the_time_at_which_it_was_opened() -> None:
    assert session_paid_at({"created": 5, "payment_intent": "pi_1"}) == at(5)
    assert session_paid_at({"created": 5, "payment_intent": {"created": 7, "latest_charge": None}}) == at(7)
    card = {"created": 9, "balance_transaction": {"created": 11}, "payment_method_details": {"type": "card"}}
    assert session_paid_at({"created": 5, "payment_intent": {"created": 7, "latest_charge": card}}) == at(9)


def test_a_refund_that_failed_came_back_when_it_did(account: Account, history: History) -> None:
    refund = account.refunds(account.gives(1000), 300)
    refunded = account.clock
    account.clock += 3 * DAY
    account.sandbox.set_clock(account.clock)
    account.refund_fails(refund)
    found = facts(history, "refund")
    taken = [(fact.key, fact.amount, fact.at) for fact in found if isinstance(fact, Reversal)]
    assert taken == [(refund, -300, at(refunded)), (f"{refund}/failed", 300, at(account.clock))]
    settled = [(fact.kind, fact.amount) for fact in found if isinstance(fact, BalanceTransaction)]
    assert settled == [("refund", -300), ("refund_failed", 300)]


def test_a_dispute_brings_what_it_moved_and_its_fee(account: Account, history: History) -> None:
    dispute = account.disputes(account.gives(1000))
    account.decides(dispute, won=True)
    found = facts(history, "dispute")
    assert [fact.amount for fact in found if isinstance(fact, Reversal)] == [-1000, 1000]
    assert [(fact.fee, fact.net) for fact in found if isinstance(fact, BalanceTransaction)] == [
        (1500, -2500),
        (0, 1000),
    ]


def test_what_is_somebody_elses_tells_no_gift(account: Account, history: History) -> None:
    account.gives(1000, foreign=True)
    account.gives(500, foreign=True, monthly=True)
    for kind in ("session", "invoice", "subscription"):
        assert [(found.ours, found.facts) for found in history.found(kind, SINCE)] in ([(False, ())], [(False, ())] * 2)


def test_pages_go_on_behind_a_cursor(account: Account, history: History, monkeypatch: pytest.MonkeyPatch) -> None:
    keys = [account.gives(1000 + number)["id"] for number in range(7)]
    monkeypatch.setattr("tracker.gateway.stripe_history.PAGE", 3)
    pages = list(history.pages("session", SINCE))
    assert [len(page.found) for page in pages] == [3, 3, 1]
    assert sorted(found.id for page in pages for found in page.found) == sorted(keys)
    rest = list(history.pages("session", SINCE, after=pages[0].cursor))
    assert rest == pages[1:]


def test_only_what_began_since_the_day_is_listed_with_its_leeway(account: Account, history: History) -> None:
    account.gives(1000)
    just = at(account.clock) + LEEWAY["session"]
    assert len(facts(history, "session", just)) == 2
    assert facts(history, "session", just + timedelta(seconds=1)) == []
    assert set(LEEWAY) < set(KINDS)


def test_supporters_of_long_ago_are_listed_whenever_they_began(account: Account, history: History) -> None:
    account.gives(500, monthly=True)
    assert len(facts(history, "subscription", datetime.now(UTC))) == 1


def test_events_come_oldest_first_and_by_their_types(account: Account, history: History) -> None:
    paid = account.gives(500, monthly=True)
    account.clock += 60
    account.sandbox.set_clock(account.clock)
    account.refunds(paid, 100)
    account.cancels(paid)
    told = history.events(SINCE, [name for name in TOLD_BY if name not in CORRECTED_BY])
    states = [fact.state for found in told for fact in found.facts if isinstance(fact, Subscription)]
    assert states == ["active", "ended"]
    assert not [fact for found in told for fact in found.facts if isinstance(fact, Reversal)]
    corrected = history.events(SINCE, CORRECTED_BY)
    assert {fact.amount for found in corrected for fact in found.facts if isinstance(fact, Reversal)} == {-100}
    newest, *others = history.newest_events(SINCE, 100)
    assert newest[0] == at(account.clock)
    assert [moment for moment, _ in others] == sorted((moment for moment, _ in others), reverse=True)
    assert {found.id for _, found in (newest, *others)} >= {found.id for found in told}
    assert history.newest_events(SINCE, 2) == [newest, others[0]]
    assert history.newest_events(at(account.clock + 1), 2) == []


def test_events_of_one_second_keep_the_order_in_which_they_happened(account: Account, history: History) -> None:
    paid = account.gives(500, monthly=True)
    for _ in range(4):
        account.sandbox.renew(paid["subscription"])
    ends = [
        fact.next_charge
        for found in history.events(SINCE, ["customer.subscription.created", "customer.subscription.updated"])
        for fact in found.facts
        if isinstance(fact, Subscription)
    ]
    assert len(ends) == 5
    assert ends == sorted(ends, key=lambda end: end or at(1))


def test_stripe_lists_twenty_types_at_most() -> None:
    assert len(TOLD_BY) <= 20


def test_one_object_by_its_id(account: Account, history: History) -> None:
    paid = account.gives(1000)
    dispute = account.disputes(account.gives(2000))
    found = history.one("session", paid["id"])
    assert found is not None
    assert found.facts == next(one.facts for one in history.found("session", SINCE) if one.id == paid["id"])
    moved = account.sandbox.store.rows[dispute].body["balance_transactions"][0]["id"]
    told = history.one("balance_transaction", moved)
    assert told is not None
    assert moved in {fact.key for fact in told.facts if isinstance(fact, Reversal)}
    assert history.one("session", "cs_test_never") is None
    charge = account.sandbox.store.rows[str(paid["payment_intent"])].body["latest_charge"]
    own = account.sandbox.store.rows[charge].body["balance_transaction"]
    assert history.one("balance_transaction", own) is None


def test_settlements_are_asked_for_one_by_one(account: Account, history: History) -> None:
    paid = account.gives(1000)
    refund = account.refunds(paid, 300)
    charge = account.sandbox.store.rows[str(paid["payment_intent"])].body["latest_charge"]
    assert [type(fact) for fact in history.fetch("charge", charge)] == [BalanceTransaction]
    assert [type(fact) for fact in history.fetch("refund", refund)] == [Reversal, BalanceTransaction]
    assert [type(fact) for fact in history.fetch("session", paid["id"])] == [Gift, BalanceTransaction]
    assert history.fetch("charge", "ch_never") == ()


def test_an_invoice_is_asked_for_with_its_payments_and_what_they_came_to(account: Account, history: History) -> None:
    paid = account.gives(500, monthly=True)
    told = history.fetch("invoice", str(paid["invoice"]))
    assert [type(fact) for fact in told] == [Gift, InvoicePayment, BalanceTransaction]
    theirs = account.gives(500, monthly=True, foreign=True)
    assert history.fetch("invoice", str(theirs["invoice"])) == ()


# --- Patience ---------------------------------------------------------------------------------------------------------


class Stripe:
    """Answers a call with these, one after the other."""

    def __init__(self, *answers: Any) -> None:
        self.answers = list(answers)
        self.waited: list[float] = []

    def __call__(self) -> Any:
        answer = self.answers.pop(0)
        if isinstance(answer, Exception):
            raise answer
        return answer


def test_limits_are_waited_out_for_longer_each_time() -> None:
    stripe = Stripe(*[sdk.RateLimitError("slow down", http_status=429)] * 7, "at last")
    assert patiently(stripe, stripe.waited.append) == "at last"
    for waited, base in zip(stripe.waited, (0.5, 1, 2, 4, 8, 16, 30), strict=True):
        assert base * 0.75 <= waited <= base * 1.25


def test_limits_without_end_are_an_answer() -> None:
    stripe = Stripe(*[sdk.RateLimitError("slow down", http_status=429)] * 8)
    with pytest.raises(HistoryUnavailable, match="limits how often"):
        patiently(stripe, stripe.waited.append)


def test_an_answer_that_broke_off_is_asked_for_again_only_when_nothing_was_changed() -> None:
    broken = sdk.APIConnectionError("broke off", should_retry=False)
    stripe = Stripe(broken, "whole")
    assert patiently(stripe, stripe.waited.append, only_reads=True) == "whole"
    with pytest.raises(HistoryUnavailable, match="did not answer"):
        patiently(Stripe(broken, "whole"), stripe.waited.append)
    # This one the SDK has repeated already.
    silent = sdk.APIConnectionError("nobody there", should_retry=True)
    with pytest.raises(HistoryUnavailable, match="did not answer"):
        patiently(Stripe(silent, "whole"), stripe.waited.append, only_reads=True)


def test_why_stripe_could_not_be_asked_is_one_line_without_a_key(account: Account) -> None:
    with (
        History("sk_test_***", api_base=account.url, version="0") as stranger,
        pytest.raises(HistoryUnavailable, match="does not know the key") as raised,
    ):
        facts(stranger, "session")
    assert "sk_test" not in str(raised.value)
    with pytest.raises(NotAllowed, match="may not do this: needs charge_read"):
        patiently(Stripe(sdk.PermissionError("needs\n charge_read", http_status=403)))
    with pytest.raises(HistoryUnavailable, match="APIError"):
        patiently(Stripe(sdk.APIError(None, http_status=500)))
