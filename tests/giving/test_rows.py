"""A row of a file: the amount's own digits in their columns, and nothing that a spreadsheet would calculate."""

from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tracker.giving.export_columns import COLUMNS, Row, cells, harmless

ROW = Row(
    date=datetime(2021, 5, 14, 11, 31, 7, 5, tzinfo=ZoneInfo("Europe/Berlin")),
    month="2021-05",
    kind="once",
    amount=1000,
    fee=59,
    net=941,
    currency="USD",
    campaign="newsroom",
    frequency="once",
    tier="1000",
    source="article-1",
    closed_month="",
    stripe_id="cs_1",
    payment_intent="pi_1",
    payout="po_1",
)


def test_the_cells_stand_in_the_order_of_the_columns() -> None:
    assert dict(zip(COLUMNS, cells(ROW), strict=True)) == {
        "date": "2021-05-14T11:31:07+02:00",
        "month": "2021-05",
        "kind": "once",
        "amount": Decimal("10.00"),
        "fee": Decimal("0.59"),
        "net": Decimal("9.41"),
        "currency": "USD",
        "campaign": "newsroom",
        "frequency": "once",
        "tier": Decimal("10.00"),
        "source": "article-1",
        "closed_month": "",
        "stripe_id": "cs_1",
        "payment_intent": "pi_1",
        "payout": "po_1",
    }


def test_a_fee_of_nothing_is_a_number_and_an_unknown_one_is_none() -> None:
    told = dict(zip(COLUMNS, cells(replace(ROW, fee=0, net=None, amount=-1000)), strict=True))
    assert (str(told["fee"]), told["net"], str(told["amount"])) == ("0.00", None, "-10.00")


@pytest.mark.parametrize("tier", ["other", "", "²", "٣"])
def test_a_tier_that_is_no_amount_stays_a_word(tier: str) -> None:
    assert dict(zip(COLUMNS, cells(replace(ROW, tier=tier)), strict=True))["tier"] == tier


def test_amounts_have_the_decimals_of_their_currency() -> None:
    told = dict(zip(COLUMNS, cells(replace(ROW, currency="JPY")), strict=True))
    assert [str(told[name]) for name in ("amount", "fee", "net", "tier")] == ["1000", "59", "941", "1000"]


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_a_word_that_begins_like_a_formula_is_put_behind_a_mark(first: str) -> None:
    assert harmless(f"{first}SUM(A1)") == f"'{first}SUM(A1)"
    assert harmless(f"a{first}") == f"a{first}"


def test_numbers_may_begin_with_a_minus_and_nothing_is_an_empty_cell() -> None:
    assert harmless(Decimal("-10.00")) == "-10.00"
    assert harmless(None) == harmless("") == ""
