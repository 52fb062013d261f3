"""Amounts of one column line up: all with decimals, or none."""

from actors import NEWSROOM


def test_one_amount_with_cents_gives_decimals_to_its_column() -> None:
    assert [NEWSROOM.column([250_000, 100])(amount) for amount in (250_000, 100)] == ["2,500 $", "1 $"]
    assert [NEWSROOM.column([250_000, 150])(amount) for amount in (250_000, 150, -100)] == [
        "2,500.00 $",
        "1.50 $",
        "−1.00 $",
    ]
    assert NEWSROOM.column([None, 0])(0) == "0 $"


def test_a_column_in_another_currency_is_written_as_that_currency_is() -> None:
    assert NEWSROOM.column([1500, 1], "JPY")(1500) == "¥1,500"
    assert NEWSROOM.column([1500, 1000], "KWD")(1000) == "KWD\N{NO-BREAK SPACE}1.000"
