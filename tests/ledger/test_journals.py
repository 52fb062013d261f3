"""Journals of months and payouts: whatever happened, they balance, and come to the month's own figures."""

import csv
import io
import random
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest
from actors import NEWSROOM
from click.testing import Result
from commands import run_command
from flask import Flask

from tracker.giving.facts import BalanceTransaction, Gift, Payout, Reversal
from tracker.giving.import_map import ImportMap
from tracker.giving.journal import balances
from tracker.giving.months import parse_month
from tracker.ledger import book, export_rows, imports, journals, month_closing, results, reversals
from tracker.ledger.reversals import find_online
from tracker.ledger.store import reading, writing

NOW = datetime(2021, 8, 1, tzinfo=UTC)
MAY = parse_month("2021-05")
AT = datetime(2021, 5, 14, 9, tzinfo=UTC)
GIFT = Gift("cs_1", "once", "newsroom", 1000, "USD", AT, False, ("ch_1", "pi_1"))


def fee(key: str, of: str, amount: int, cost: int, kind: Any = "gift", currency: str = "USD") -> BalanceTransaction:
    return BalanceTransaction(key, kind, (of,), amount, cost, amount - cost, currency, "", AT, AT, False)


def accounts(month: str = "2021-05") -> dict[tuple[str, str], int]:
    with reading() as session:
        found = journals.of_month(session, NEWSROOM, parse_month(month), False)
    assert sum(balances(found).values()) == 0
    return {name: amount for name, amount in balances(found).items() if amount}


def test_a_month_of_everything(app: Flask) -> None:
    with writing() as session:
        for fact in (
            GIFT, fee("txn_1", "ch_1", 1000, 59),
            Reversal("re_1", "refund", -250, "USD", AT, False, ("pi_1",)), fee("txn_2", "re_1", -250, 0, "refund"),
            Payout("po_1", AT + timedelta(days=2), ("txn_1", "txn_2"), False),
            Gift("offline:newsroom:test:id:1", "offline", "newsroom", 700, "USD", AT, False),
        ):  # fmt: skip
            book.record(session, fact, NOW)
    imports.run(
        io.StringIO("date,amount\n2021-05-02,40\n"), ImportMap("givewp", date="date", amount="amount", kind="monthly"),
        NEWSROOM, False, NOW, write=True,
    )  # fmt: skip
    assert accounts() == {
        ("once", "USD"): -1000, ("refund", "USD"): 250, ("offline", "USD"): -700, ("cash", "USD"): 700,
        ("monthly", "USD"): -4000, ("earlier", "USD"): 4000, ("fees", "USD"): 59, ("bank", "USD"): 691,
    }  # fmt: skip
    with reading() as session:
        raised = results.result(session, NEWSROOM, MAY, False).sums.raised
    assert raised == 1000 - 250 + 700 + 4000


def test_a_gift_settled_in_another_currency_balances_in_each(app: Flask) -> None:
    with writing() as session:
        for fact in (GIFT, fee("txn_1", "ch_1", 900, 50, currency="EUR"), Payout("po_1", AT, ("txn_1",), False)):
            book.record(session, fact, NOW)
    assert accounts() == {
        ("once", "USD"): -1000, ("exchange", "USD"): 1000, ("exchange", "EUR"): -900, ("fees", "EUR"): 50,
        ("bank", "EUR"): 850,
    }  # fmt: skip


def test_an_entry_that_was_settled_twice_is_booked_once(app: Flask) -> None:
    with writing() as session:
        for fact in (GIFT, fee("txn_1", "ch_1", 600, 30), fee("txn_2", "ch_1", 400, 29)):
            book.record(session, fact, NOW)
    assert accounts() == {("once", "USD"): -1000, ("clearing", "USD"): 941, ("fees", "USD"): 59}


def test_what_stands_beside_the_gifts_and_what_came_back_by_hand_has_its_account(app: Flask) -> None:
    with writing() as session:
        # 12 were paid, of which 10 are the gift.
        book.record(session, replace(GIFT, key="in_1", kind="monthly", paid=1200), NOW)
        gift = find_online(session, "in_1", False)
        reversals.give_back(session, gift, 300, AT, "", "x", NOW)
    assert accounts() == {
        ("clearing", "USD"): 1200, ("monthly", "USD"): -1000, ("other", "USD"): -200, ("refund", "USD"): 300,
        ("cash", "USD"): -300,
    }  # fmt: skip


def test_a_correction_stands_on_a_day_of_the_month_it_is_booked_in(app: Flask) -> None:
    with writing() as session:
        book.record(session, GIFT, NOW)
        month_closing.close(session, NEWSROOM, MAY, False, datetime(2021, 6, 2, tzinfo=UTC))
        book.record(
            session, Reversal("re_1", "refund", -250, "USD", AT, False, ("pi_1",)), datetime(2021, 6, 3, tzinfo=UTC)
        )
    with reading() as session:
        (one,) = journals.of_month(session, NEWSROOM, parse_month("2021-06"), False)
    assert (one.day.isoformat(), one.debit, one.credit, one.amount) == ("2021-06-01", "refund", "clearing", 250)


@pytest.mark.parametrize("seed", range(3))
def test_whatever_happens_a_journal_balances_and_comes_to_the_months_figures(app: Flask, seed: int) -> None:
    chance = random.Random(seed)
    with writing() as session:
        for number in range(80):
            at = datetime(2021, 4, 20, tzinfo=UTC) + timedelta(minutes=chance.randrange(60 * 24 * 60))
            kind = chance.choice(["once", "monthly", "yearly"])
            amount = chance.randrange(100, 100_000)
            known = (f"pi_{number}", f"ch_{number}")
            book.record(session, Gift(f"g_{number}", kind, "newsroom", amount, "USD", at, False, known), NOW)
            if chance.random() < 0.8:
                currency = chance.choice(["USD", "USD", "EUR"])
                book.record(session, fee(f"txn_{number}", f"ch_{number}", amount, 30, currency=currency), NOW)
            for of, part in (("refund", chance.randrange(4)), ("dispute", chance.randrange(4))):
                if part:
                    taken = Reversal(f"{of}_{number}", of, -amount // part, "USD", at, False, (f"pi_{number}",))  # type: ignore[arg-type]
                    book.record(session, taken, NOW)
        settled = tuple(f"txn_{number}" for number in range(0, 80, 2))
        book.record(session, Payout("po_1", datetime(2021, 5, 20, tzinfo=UTC), settled, False), NOW)
    for month in (parse_month(f"2021-0{number}") for number in (4, 5, 6)):
        with reading() as session:
            found = journals.of_month(session, NEWSROOM, month, False)
            sums = results.result(session, NEWSROOM, month, False).sums
            rows = list(export_rows.rows(session, NEWSROOM, month, False))
        made = balances(found)
        for currency in ("USD", "EUR"):
            assert sum(amount for (_, name), amount in made.items() if name == currency) == 0
        kinds = ("once", "monthly", "yearly", "offline", "refund", "dispute")
        assert -sum(made.get((kind, "USD"), 0) for kind in kinds) == sums.raised
        assert -made.get(("once", "USD"), 0) == sums.once
        assert made.get(("refund", "USD"), 0) == sums.refunds
        fees = sum((Decimal(row[4]) for row in rows if row[4]), Decimal(0))
        assert made.get(("fees", "USD"), 0) == fees * 100
    with reading() as session:
        paid = balances(journals.of_payout(session, NEWSROOM, "po_1", False))
        rows = list(export_rows.rows(session, NEWSROOM, None, False))
    assert {name: amount for name, amount in paid.items() if name[0] == "clearing" and amount} == {}
    net = sum((Decimal(row[5]) for row in rows if row[14] == "po_1" and row[5]), Decimal(0))
    assert paid["bank", "USD"] == net * 100


# --- The command ------------------------------------------------------------------------------------------------------


@pytest.fixture
def run(app: Flask, environ: dict[str, str]) -> Callable[..., Result]:
    return lambda *arguments: run_command(environ, *arguments)


def test_the_command_writes_a_journal_with_the_accounts_it_is_told(run: Callable[..., Result], tmp_path: Path) -> None:
    with writing() as session:
        for fact in (GIFT, fee("txn_1", "ch_1", 1000, 59), Payout("po_1", AT, ("txn_1",), False)):
            book.record(session, fact, NOW)
    done = run("export", "newsroom", "--month", "2021-05", "--format", "journal", "--accounts", "fees=6855")
    assert done.exit_code == 0, done.output
    rows = list(csv.DictReader(io.StringIO(done.stdout, newline="")))
    assert {(row["account"], row["debit"], row["credit"]) for row in rows} >= {
        ("6855", "0.59", ""),
        ("Bank", "9.41", ""),
    }
    assert done.stderr == "Wrote 6 lines of “newsroom”.\n"
    payout = run("export", "newsroom", "--payout", "po_1", "--format", "journal", "--for", "xero")
    assert payout.stdout.startswith("*Narration,*Date,Description,*AccountCode,*TaxRate,*Amount")
    months = run("export", "newsroom", "--months")
    assert "2021-05," in months.stdout


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (["--format", "journal"], "A journal covers one month or one payout"),
        (["--format", "journal", "--payout", "po_9"], "Nothing of “newsroom” is in a payout “po_9”."),
        (["--format", "journal", "--month", "2021-05", "--for", "abacus"], "quickbooks, xero or datev"),
        (["--format", "journal", "--month", "2021-05", "--accounts", "x=1"], "is not an account"),
    ],
)
def test_the_command_says_what_a_journal_needs(run: Callable[..., Result], arguments: list[str], words: str) -> None:
    done = run("export", "newsroom", *arguments)
    assert done.exit_code == 1
    assert words in done.stderr
