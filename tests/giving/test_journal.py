"""Bookings: they balance whatever they are, in every program's form."""

import csv
import io
from collections import Counter
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as some

from tracker.giving.journal import ACCOUNTS, Booking, balances, booking, read_accounts, write_journal

NOW = datetime(2021, 6, 1, 12, tzinfo=UTC)
NUMBERED = read_accounts(",".join(f"{name}={number}" for number, name in enumerate(ACCOUNTS, 1000)))
BOOKINGS = some.lists(
    some.builds(
        Booking, day=some.dates(date(2021, 1, 1), date(2021, 12, 31)), debit=some.sampled_from(list(ACCOUNTS)),
        credit=some.sampled_from(list(ACCOUNTS)), amount=some.integers(1, 10**9),
        currency=some.sampled_from(["USD", "EUR", "JPY", "KWD"]), memo=some.sampled_from(["Gifts", "=1+1", "A; \"b\""]),
    ),
    max_size=20,
)  # fmt: skip


@given(BOOKINGS)
def test_every_form_of_a_journal_balances(bookings: list[Booking]) -> None:
    assert Counter(balances(bookings)).total() == 0
    plain = _read(write_journal(bookings, ACCOUNTS, "", NOW))
    assert len(plain) == 2 * len(bookings)
    for number in {row["reference"] for row in plain}:
        rows = [row for row in plain if row["reference"] == number]
        assert sum(Decimal(row["debit"] or 0) - Decimal(row["credit"] or 0) for row in rows) == 0
    quickbooks = _read(write_journal(bookings, ACCOUNTS, "quickbooks", NOW))
    assert sum(Decimal(row["Debits"] or 0) - Decimal(row["Credits"] or 0) for row in quickbooks) == 0
    xero = _read(write_journal(bookings, ACCOUNTS | {"tax": "x"}, "xero", NOW))
    assert sum(Decimal(row["*Amount"]) for row in xero) == 0
    datev = write_journal(bookings, NUMBERED, "datev", NOW).decode("cp1252").splitlines()
    assert len(datev) == 2 + len(bookings)
    assert len(datev[0].split(";")) == 31


def _read(file: bytes) -> list[dict[str, str]]:
    return list(csv.DictReader(io.StringIO(file.decode(), newline="")))


def test_an_amount_below_zero_goes_the_other_way_and_nothing_is_no_booking() -> None:
    day = date(2021, 5, 14)
    assert booking(day, "clearing", "once", -5, "USD", "x") == Booking(day, "once", "clearing", 5, "USD", "x")
    assert booking(day, "clearing", "once", 0, "USD", "x") is None


def test_no_cell_is_a_formula() -> None:
    one = Booking(date(2021, 5, 14), "bank", "once", 500, "USD", "=1+1")
    accounts = ACCOUNTS | {"bank": "@bank", "tax": "x"}
    for program in ("", "quickbooks", "xero"):
        rows = csv.reader(io.StringIO(write_journal([one], accounts, program, NOW).decode()))
        cells = [cell for row in list(rows)[1:] for cell in row if cell]
        assert not [cell for cell in cells if cell.startswith(("=", "+", "@"))]
        assert {"'=1+1", "'@bank"} <= set(cells)


def test_datev_has_its_head_its_letters_and_its_commas() -> None:
    one = Booking(date(2021, 5, 14), "clearing", "once", 123_450, "EUR", "Für “alle”")
    head, columns, line = write_journal([one], NUMBERED, "datev", NOW).decode("cp1252").splitlines()
    assert head.startswith(
        '"EXTF";700;21;"Buchungsstapel";13;20210601120000000;;"PB";"";"";1001;1;20210101;4;20210514;20210514;'
    )
    assert columns.startswith("Umsatz (ohne Soll/Haben-Kz);Soll/Haben-Kennzeichen;WKZ Umsatz;")
    assert line == '1234,50;"S";"EUR";;;"";1000;1004;"";1405;"PB-20210514-EUR";"";;"Für “alle”"'


def test_datev_wants_numbers_and_one_year() -> None:
    one = Booking(date(2021, 5, 14), "clearing", "once", 500, "EUR", "x")
    with pytest.raises(
        ValueError, match="DATEV needs account numbers, such as clearing=6855: give them for clearing, once"
    ):
        write_journal([one], ACCOUNTS, "datev", NOW)
    with pytest.raises(ValueError, match="one year at a time"):
        write_journal([one, Booking(date(2022, 1, 1), "clearing", "once", 5, "EUR", "x")], NUMBERED, "datev", NOW)


def test_accounts_are_named_over_the_usual_ones() -> None:
    assert read_accounts("fees = 6855, bank=Main account") == read_accounts("") | {
        "fees": "6855",
        "bank": "Main account",
    }
    for wrong in ("fees", "colour=1", "fees="):
        with pytest.raises(ValueError, match="is not an account"):
            read_accounts(wrong)
