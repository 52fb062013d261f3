"""Which facts each event tells: every gift through one door, and nothing from what is not ours or moved no money."""

from dataclasses import replace
from datetime import UTC, datetime
from itertools import chain
from typing import Any

import pytest
from actors import OURS, epoch, invoice, session
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.gateway.events import TOLD_BY, Event, is_ours, to_facts
from tracker.giving.facts import Fact, Gift, InvoicePayment, Reversal, Subscription

TOLD = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
MOVED = epoch("2021-05-10T08:00")
MOVED_AT = datetime(2021, 5, 10, 8, 0, tzinfo=UTC)
FOREIGN = {"order": "42", "campaign": "newsroom"}


def told(kind: str, about: dict[str, Any], *, live: bool = False) -> list[Fact]:
    return to_facts(Event("evt_1", kind, TOLD, live, "2026-10-28.endive", about))


def refund(**changes: Any) -> dict[str, Any]:
    """A refund as Stripe tells of it: without metadata of ours, and without livemode."""
    return {
        "id": "re_1", "object": "refund", "amount": 400, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1",
        "created": MOVED, "status": "succeeded", "metadata": {}, "reason": None, "balance_transaction": "txn_9",
    } | changes  # fmt: skip


def balance(key: str = "txn_1", amount: Any = -4200, **changes: Any) -> dict[str, Any]:
    return {
        "id": key, "object": "balance_transaction", "amount": amount, "currency": "usd", "fee": 1500,
        "created": MOVED, "type": "adjustment", "reporting_category": "dispute", "source": "du_1",
    } | changes  # fmt: skip


def dispute(*moved: Any, **changes: Any) -> dict[str, Any]:
    return {
        "id": "du_1", "object": "dispute", "amount": 4200, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1",
        "status": "needs_response", "reason": "fraudulent", "balance_transactions": list(moved), "metadata": {},
    } | changes  # fmt: skip


# --- Gifts once -------------------------------------------------------------------------------------------------------


def test_a_paid_session_is_one_gift() -> None:
    metadata = OURS | {"name": "Ada", "message": "Go on!"}
    assert told("checkout.session.completed", session("cs_1", 1500, metadata=metadata), live=True) == [
        Gift(
            key="cs_1", kind="once", campaign="newsroom", amount=1500, currency="USD", at=TOLD, live=True,
            known_as=("pi_cs_1",), tier="1000", source="article-1", place="top", name="Ada", message="Go on!",
        )
    ]  # fmt: skip


def test_an_unpaid_session_counts_when_its_money_came_and_under_the_same_key() -> None:
    waiting = session(payment_status="unpaid")
    assert told("checkout.session.completed", waiting) == []
    assert told("checkout.session.async_payment_failed", waiting) == []
    assert told("checkout.session.expired", session()) == []
    (came,) = told("checkout.session.async_payment_succeeded", session())
    (at_once,) = told("checkout.session.completed", session())
    assert came == at_once


@pytest.mark.parametrize("status", ["unpaid", "no_payment_required", "something_new", None, "", 1, ["paid"]])
def test_only_paid_is_paid(status: Any) -> None:
    assert told("checkout.session.completed", session(payment_status=status)) == []
    assert told("checkout.session.async_payment_succeeded", session(payment_status=status)) == []


def test_a_session_that_opens_a_subscription_links_and_counts_nothing() -> None:
    opened = session("cs_2", mode="subscription", invoice="in_1", payment_intent=None, subscription="sub_1")
    assert told("checkout.session.completed", opened) == [InvoicePayment("in_1", ("cs_2",))]
    assert told("checkout.session.completed", opened | {"invoice": {"id": "in_1"}}) == [
        InvoicePayment("in_1", ("cs_2",))
    ]
    assert told("checkout.session.completed", opened | {"invoice": None}) == []


@pytest.mark.parametrize("mode", ["setup", "something_new", None, 7])
def test_other_modes_count_nothing(mode: Any) -> None:
    assert told("checkout.session.completed", session(mode=mode)) == []


def test_an_expanded_payment_is_known_by_its_id_and_a_missing_one_by_nothing() -> None:
    for payment, known_as in (({"id": "pi_1", "object": "payment_intent"}, ("pi_1",)), (None, ()), ("", ()), ({}, ())):
        (gift,) = told("checkout.session.completed", session(payment_intent=payment))
        assert isinstance(gift, Gift)
        assert gift.known_as == known_as


@pytest.mark.parametrize("amount", [0, -500, None, "1000", 10.5, True, 10**15])
def test_a_session_without_a_sensible_amount_is_no_gift(amount: Any) -> None:
    assert told("checkout.session.completed", session(amount_total=amount)) == []


@pytest.mark.parametrize("currency", [None, "", "us", "usdt", "€", 840, ["u", "s", "d"], "ßßß"])
def test_money_without_a_currency_is_counted_in_none(currency: Any) -> None:
    assert told("checkout.session.completed", session(currency=currency)) == []
    assert told("refund.created", refund(currency=currency)) == []
    assert told("charge.dispute.funds_withdrawn", dispute(balance(), currency=currency)) == []


@pytest.mark.parametrize("metadata", [None, {}, FOREIGN, {"pledgebar": "1"}, {"pledgebar": "", "campaign": "x"}, [], "text", 7,
                                      {"pledgebar": "1", "campaign": None},
                                      {"pledgebar": "1", "campaign": ["newsroom"]}])  # fmt: skip
def test_what_does_not_carry_our_metadata_is_somebody_elses(metadata: Any) -> None:
    theirs = session(metadata=metadata)
    assert told("checkout.session.completed", theirs) == []
    assert not is_ours(Event("evt_1", "checkout.session.completed", TOLD, False, "", theirs))
    assert told("invoice.paid", invoice(parent=None, metadata=metadata, subscription="sub_1")) == []


def test_what_a_donor_typed_arrives_without_what_no_database_keeps() -> None:
    metadata = OURS | {"name": "A\x00da\x1b", "message": "Line\r\nline \ud800\N{FAMILY}\u200d"}
    (gift,) = told("checkout.session.completed", session(metadata=metadata))
    assert isinstance(gift, Gift)
    assert gift.name == "Ada"
    assert gift.message == "Line\nline \N{FAMILY}\u200d"
    (gift,) = told("checkout.session.completed", session(metadata=OURS | {"name": "n" * 500, "message": "m" * 500}))
    assert isinstance(gift, Gift)
    assert (len(gift.name), len(gift.message)) == (80, 300)


def test_numbers_in_metadata_are_text() -> None:
    (gift,) = told("checkout.session.completed", session(metadata=OURS | {"tier": 1000, "src": None, "pos": []}))
    assert isinstance(gift, Gift)
    assert (gift.tier, gift.source, gift.place) == ("1000", "", "")


# --- Gifts every month ------------------------------------------------------------------------------------------------


def test_the_first_month_and_every_renewal_are_gifts_on_the_day_they_were_paid() -> None:
    for reason in ("subscription_create", "subscription_cycle", "subscription_update", "something_new"):
        (gift,) = told("invoice.paid", invoice(paid_at=MOVED, billing_reason=reason))
        assert isinstance(gift, Gift)
        assert (gift.key, gift.kind, gift.amount, gift.at) == ("in_1", "monthly", 500, MOVED_AT)


def test_what_we_noted_says_whether_a_gift_is_monthly_or_yearly() -> None:
    for frequency, kind in (("month", "monthly"), ("year", "yearly"), ("week", "monthly"), (None, "monthly")):
        details = {"subscription": "sub_1", "metadata": OURS | {"frequency": frequency}}
        shape = {"type": "subscription_details", "subscription_details": details}
        (gift,) = told("invoice.paid", invoice(parent=shape, billing_reason="subscription_cycle"))
        assert isinstance(gift, Gift)
        assert gift.kind == kind


def test_a_name_is_told_once_and_not_with_every_renewal() -> None:
    details = {"subscription": "sub_1", "metadata": OURS | {"name": "Ada", "message": "Go on!"}}
    shape = {"type": "subscription_details", "quote_details": None, "subscription_details": details}
    names = []
    for reason in ("subscription_create", "subscription_cycle"):
        (gift,) = told("invoice.paid", invoice(parent=shape, billing_reason=reason))
        assert isinstance(gift, Gift)
        names.append((gift.name, gift.message))
    assert names == [("Ada", "Go on!"), ("", "")]


def test_an_invoice_of_an_older_api_is_read_too() -> None:
    older: dict[str, Any] = {
        "parent": None,
        "subscription": "sub_1",
        "payment_intent": "pi_1",
        "charge": "ch_1",
        "paid": True,
    }
    by_details = invoice(**older, subscription_details={"metadata": OURS})
    by_itself = invoice(**older, metadata=OURS)
    for shape in (by_details, by_itself, by_itself | {"subscription": {"id": "sub_1"}}):
        (gift,) = told("invoice.paid", shape)
        assert isinstance(gift, Gift)
        assert (gift.kind, gift.known_as) == ("monthly", ("pi_1", "ch_1"))


@pytest.mark.parametrize(
    "where", [{"subscription": "sub_1"}, {"parent": {"subscription_item_details": {"subscription": "sub_1"}}}]
)
def test_an_invoice_that_says_whose_it_is_on_its_lines_alone_is_read_too(where: dict[str, Any]) -> None:
    line = where | {"id": "il_1", "object": "line_item", "amount": 500, "metadata": OURS}
    (gift,) = told("invoice.paid", invoice(parent=None, subscription="sub_1", lines={"object": "list", "data": [line]}))
    assert isinstance(gift, Gift)
    assert (gift.kind, gift.campaign, gift.amount) == ("monthly", "newsroom", 500)


@pytest.mark.parametrize("metadata", [FOREIGN, {}, OURS])
def test_the_lines_of_what_no_subscription_pays_make_no_invoice_ours(metadata: dict[str, str]) -> None:
    line = {"id": "il_1", "object": "line_item", "amount": 500, "metadata": metadata, "subscription": None}
    lines = {"object": "list", "data": [line, "il_2", {"metadata": FOREIGN, "subscription": "sub_2"}]}
    assert told("invoice.paid", invoice(parent=None, subscription="sub_1", lines=lines)) == []


def test_payments_that_are_listed_make_an_invoice_known_by_them() -> None:
    payments = {"object": "list", "data": [
        {"id": "inpay_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}},
        {"id": "inpay_2", "payment": {"type": "payment_intent", "payment_intent": {"id": "pi_2"}}},
        {"id": "inpay_3", "payment": {"type": "charge", "charge": "ch_3"}},
        {"id": "inpay_4", "payment": None},
        None,
    ]}  # fmt: skip
    (gift,) = told("invoice.paid", invoice(payments=payments))
    assert isinstance(gift, Gift)
    assert gift.known_as == ("pi_1", "pi_2", "ch_3")


def test_an_invoice_over_nothing_is_no_gift() -> None:
    assert told("invoice.paid", invoice(amount=0)) == []


@pytest.mark.parametrize("details", [None, {}, {"metadata": None}])
def test_the_invoice_that_checkout_writes_for_a_one_time_gift_does_not_count_it_again(details: Any) -> None:
    assert told("invoice.paid", invoice(parent=None, metadata=OURS, subscription_details=details)) == []


@pytest.mark.parametrize("paid_at", [None, 0, "yesterday", -1, 10**18, True])
def test_an_invoice_that_does_not_say_when_was_paid_when_we_were_told(paid_at: Any) -> None:
    shapes: list[Any] = [{"paid_at": paid_at}, None, [], {}]
    for transitions in shapes:
        (gift,) = told("invoice.paid", invoice(status_transitions=transitions))
        assert isinstance(gift, Gift)
        assert gift.at == TOLD


@pytest.mark.parametrize(
    "kind", ["invoice.payment_succeeded", "payment_intent.succeeded", "charge.succeeded", "charge.refunded", "invoice.created",
             "customer.subscription.updated", "something.new", "checkout.session", "invoice.paid.v2", "charge.updated"],
)  # fmt: skip
def test_events_that_tell_of_the_same_money_again_count_nothing(kind: str) -> None:
    for about in (session(), invoice(), refund(), dispute(balance())):
        assert told(kind, about) == []


def test_the_payment_of_an_invoice_links_and_counts_nothing() -> None:
    payment = {"id": "inpay_1", "object": "invoice_payment", "invoice": "in_1", "amount_paid": 500, "status": "paid"}
    by = {"type": "payment_intent", "payment_intent": "pi_1"}
    assert told("invoice_payment.paid", payment | {"payment": by}) == [InvoicePayment("in_1", ("pi_1",))]
    assert told("invoice_payment.paid", payment | {"invoice": {"id": "in_1"}, "payment": by}) == [
        InvoicePayment("in_1", ("pi_1",))
    ]
    assert told("invoice_payment.paid", payment | {"payment": {"type": "payment_record"}}) == []
    assert told("invoice_payment.paid", payment | {"invoice": None, "payment": by}) == []


# --- Refunds ----------------------------------------------------------------------------------------------------------

TAKEN = Reversal("re_1", "refund", -400, "USD", MOVED_AT, False, ("pi_1", "ch_1"))
CAME_BACK = Reversal("re_1/failed", "refund", 400, "USD", TOLD, False, ("pi_1", "ch_1"))


@pytest.mark.parametrize("kind", ["refund.created", "refund.updated", "refund.failed", "charge.refund.updated"])
@pytest.mark.parametrize(
    ("status", "facts"),
    [
        ("succeeded", [TAKEN]), ("pending", [TAKEN]), ("requires_action", [TAKEN]), ("failed", [TAKEN, CAME_BACK]),
        ("canceled", [TAKEN, CAME_BACK]), ("something_new", []), (None, []), (["failed"], []), ({}, []),
    ],
)  # fmt: skip
def test_a_refund_counts_by_its_status_and_not_by_the_event_that_told(
    kind: str, status: Any, facts: list[Fact]
) -> None:
    assert told(kind, refund(status=status)) == facts


def test_a_refund_is_found_by_its_payment_and_its_charge() -> None:
    def known(**changes: Any) -> list[tuple[str, ...]]:
        return [fact.gift_known_as for fact in told("refund.created", refund(**changes)) if isinstance(fact, Reversal)]

    assert known(payment_intent={"id": "pi_1"}, charge={"id": "ch_1"}) == [("pi_1", "ch_1")]
    assert known(payment_intent=None) == [("ch_1",)]
    assert known(charge=None) == [("pi_1",)]
    assert known(payment_intent=None, charge="py_1") == [("py_1",)]


@pytest.mark.parametrize("nothing", [None, "", {}, {"id": ""}, {"id": None}, 7, [], " "])
def test_a_refund_of_nothing_known_would_match_every_gift_and_so_tells_nothing(nothing: Any) -> None:
    assert told("refund.created", refund(payment_intent=nothing, charge=nothing)) == []


@pytest.mark.parametrize("amount", [0, -400, None, "400", True, 4.5])
def test_a_refund_without_a_sensible_amount_tells_nothing(amount: Any) -> None:
    assert told("refund.created", refund(amount=amount)) == []


def test_a_refund_knows_its_mode_from_the_event() -> None:
    (taken,) = told("refund.created", refund(), live=True)
    assert isinstance(taken, Reversal)
    assert taken.live


def test_the_longest_id_of_a_refund_still_has_room_for_its_failure() -> None:
    keys = [
        fact.key for fact in told("refund.failed", refund(id="r" * 248, status="failed")) if isinstance(fact, Reversal)
    ]
    assert [len(key) for key in keys] == [248, 255]


# --- Disputes ---------------------------------------------------------------------------------------------------------

WITHDRAWN = Reversal("txn_1", "dispute", -4200, "USD", MOVED_AT, False, ("pi_1", "ch_1"))
REINSTATED = Reversal("txn_2", "dispute", 4200, "USD", MOVED_AT, False, ("pi_1", "ch_1"))


@pytest.mark.parametrize(
    "status", ["warning_needs_response", "warning_under_review", "warning_closed", "prevented", "lost", None]
)
def test_an_inquiry_moves_nothing(status: str | None) -> None:
    for kind in ("created", "updated", "closed", "funds_withdrawn"):
        assert told(f"charge.dispute.{kind}", dispute(status=status)) == []


@pytest.mark.parametrize("kind", ["created", "updated", "funds_withdrawn", "closed", "something_new"])
@pytest.mark.parametrize("status", ["needs_response", "under_review", "lost", "appeal_under_review", "something_new"])
def test_money_that_was_withdrawn_is_gone_whatever_the_event_is_called(kind: str, status: str) -> None:
    assert told(f"charge.dispute.{kind}", dispute(balance(), status=status)) == [WITHDRAWN]


def test_a_won_dispute_comes_to_nothing_and_its_fee_never_counts() -> None:
    won = dispute(balance(), balance("txn_2", 4200, fee=0), status="won")
    assert told("charge.dispute.funds_reinstated", won) == [WITHDRAWN, REINSTATED]


def test_an_account_that_settles_in_another_currency_loses_the_gifts_own_amount_and_gets_back_its_share() -> None:
    withdrawn = balance(amount=-3871, currency="eur")
    reinstated = balance("txn_2", 3850, currency="eur")
    share = replace(REINSTATED, amount=4177)
    assert told("charge.dispute.closed", dispute(withdrawn, reinstated)) == [WITHDRAWN, share]
    assert told("charge.dispute.closed", dispute(withdrawn, amount=None)) == []


@pytest.mark.parametrize("amount", [0, None, "-4200", True, False, -4.2, -(10**20)])
def test_a_movement_without_a_sensible_amount_moves_nothing(amount: Any) -> None:
    assert told("charge.dispute.updated", dispute(balance(amount=amount))) == []


@pytest.mark.parametrize("moved", [None, "txn_1", ["txn_1"], [None], {}, 7, [[]], {"data": [balance()]}])
def test_movements_that_cannot_be_read_move_nothing(moved: Any) -> None:
    assert told("charge.dispute.updated", dispute(balance_transactions=moved)) == []


def test_a_dispute_of_nothing_known_moves_nothing() -> None:
    assert told("charge.dispute.updated", dispute(balance(), charge=None, payment_intent="")) == []


# --- Anything at all --------------------------------------------------------------------------------------------------

SHAPES: list[dict[str, Any]] = [
    session(metadata=OURS | {"name": "Ada"}),
    session(mode="subscription", invoice="in_1"),
    invoice(payments={"data": [{"payment": {"payment_intent": "pi_1"}}]}),
    invoice(parent=None, subscription="sub_1", subscription_details={"metadata": OURS}),
    {"id": "inpay_1", "invoice": "in_1", "payment": {"type": "payment_intent", "payment_intent": "pi_1"}},
    refund(status="failed"),
    dispute(balance(), balance("txn_2", 4200)),
    {
        "id": "sub_1",
        "object": "subscription",
        "status": "active",
        "currency": "usd",
        "metadata": OURS,
        "cancel_at": 1_700_000_000,
        "discounts": [{"source": {"coupon": {"percent_off": 50}}, "end": 1_800_000_000}],
        "latest_invoice": "in_1",
        "items": {
            "data": [
                {
                    "price": {"unit_amount": 500, "recurring": {"interval": "week", "interval_count": 1}},
                    "quantity": 2,
                    "current_period_start": 1_690_000_000,
                    "current_period_end": 1_700_000_000,
                    "discounts": ["di_1"],
                }
            ]
        },
    },
]

junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=6) | st.sampled_from(["", "usd", "paid", 10**30]),
    lambda inner: st.lists(inner, max_size=3)
    | st.dictionaries(st.sampled_from(["id", "data", "metadata", "payment", "paid_at", "x"]), inner, max_size=3),
    max_leaves=6,
)  # fmt: skip


@st.composite
def damaged(draw: st.DrawFn) -> dict[str, Any]:
    """One of Stripe's objects with something else in one to three of its places, at any depth."""

    def spoil(value: Any) -> Any:
        if isinstance(value, dict) and value and draw(st.integers(0, 3)):
            name = draw(st.sampled_from(sorted(value)))
            return value | {name: spoil(value[name])}
        if isinstance(value, list) and value and draw(st.booleans()):
            return [spoil(value[0]), *value[1:]]
        return draw(junk)

    made: Any = draw(st.sampled_from(SHAPES))
    for _ in range(draw(st.integers(1, 3))):
        name = draw(st.sampled_from(sorted(made)))
        made = made | {name: spoil(made[name])}
    return dict(made)


def sound(fact: Fact) -> bool:
    """Whether the ledger could keep it."""
    if isinstance(fact, InvoicePayment):
        return bool(fact.gift_key and fact.known_as) and all(fact.known_as)
    texts = [fact.key, fact.currency]
    if isinstance(fact, Subscription):
        amounts = [fact.amount, fact.billed, *(one.amount for one in fact.charges)]
        whole = all(0 <= amount < 10**15 for amount in amounts) and bool(fact.campaign)
        texts, known_as = [*texts, fact.campaign, fact.invoice], (fact.key,)
    elif isinstance(fact, Gift):
        texts += [fact.campaign, fact.tier, fact.source, fact.place, fact.name, fact.message]
        whole = 0 < fact.amount < 10**15 and bool(fact.campaign)
        known_as = fact.known_as
    else:
        whole = 0 < abs(fact.amount) < 10**15 and bool(fact.gift_known_as)
        known_as = fact.gift_known_as
    texts += known_as
    storable = all("\x00" not in text and len(text) <= 300 and text.encode("utf-8") is not None for text in texts)
    return whole and storable and len(fact.currency) == 3 and bool(fact.key) and len(fact.key) <= 255 and all(known_as)


@settings(max_examples=examples(2500), deadline=None)
@given(damaged(), st.sampled_from([*TOLD_BY, "charge.refund.updated"]))
def test_no_object_however_damaged_stops_the_hook_or_yields_what_cannot_be_kept(
    about: dict[str, Any], kind: str
) -> None:
    assert all(sound(fact) for fact in told(kind, about))
    assert is_ours(Event("evt_1", kind, TOLD, False, "", about)) in (True, False)


@settings(max_examples=examples(600), deadline=None)
@given(st.dictionaries(st.text(max_size=10), junk, max_size=5), st.sampled_from(TOLD_BY))
def test_an_object_of_any_other_kind_tells_nothing(about: dict[str, Any], kind: str) -> None:
    assert told(kind, about) == []


@pytest.mark.parametrize("kind", TOLD_BY)
def test_telling_twice_tells_the_same(kind: str) -> None:
    for about in SHAPES:
        assert told(kind, about) == told(kind, about)


def test_each_kind_of_money_has_one_door() -> None:
    facts = list(chain.from_iterable(told(kind, about) for kind in TOLD_BY for about in (session(), invoice())))
    gifts = {(fact.key, fact.kind) for fact in facts if isinstance(fact, Gift)}
    assert gifts == {("cs_test_1", "once"), ("in_1", "monthly")}
