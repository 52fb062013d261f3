"""The columns of files, and words that no spreadsheet calculates."""

import pytest

from tracker.giving.export_columns import COLUMNS, MONTH_COLUMNS, harmless


def test_the_columns_are_a_contract() -> None:
    assert ",".join(COLUMNS) == (
        "date,month,kind,amount,fee,net,currency,campaign,frequency,tier,source,closed_month,stripe_id,payment_intent,payout"
    )
    assert ",".join(MONTH_COLUMNS) == (
        "month,goal,raised,once,monthly,yearly,offline,refunds,disputes,gifts,currency,campaign,closed"
    )


@pytest.mark.parametrize("first", ["=", "+", "-", "@", "\t", "\r", "\n", "\0"])
def test_a_word_that_begins_like_a_formula_is_put_behind_a_mark(first: str) -> None:
    assert harmless(f"{first}SUM(A1)") == f"'{first}SUM(A1)"
    assert harmless(f"a{first}") == f"a{first}"
    assert harmless("") == ""
