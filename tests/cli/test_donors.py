"""`tracker donors` and its page: who gave in a year, as Stripe knows it at that moment, and nothing of it in the database."""

import csv
import io
from datetime import UTC, datetime
from pathlib import Path

import pytest
from account import DAY, Account
from commands import run_command
from flask import Flask
from sqlalchemy import inspect, text
from web_admin import Editor

from tracker.gateway.stripe_history import History
from tracker.ledger import store
from tracker.ledger.store import reading


def gives(account: Account, amount: int, email: str, name: str) -> str:
    session = account.sandbox.create_checkout_session(account.asks(amount))
    account.sandbox.pay(session["id"], email=email, name=name)
    account.passes(DAY)
    return str(session["id"])


def year_of(account: Account) -> int:
    return datetime.fromtimestamp(account.clock, UTC).year


def listed(text: str) -> list[tuple[str, str, str, str]]:
    rows = csv.DictReader(io.StringIO(text, newline=""))
    return [(row["name"], row["email"], row["gifts"], row["total"]) for row in rows]


@pytest.fixture
def two(hooked: Account) -> Account:
    gives(hooked, 1000, "Ada@example.org", "Ada")
    gives(hooked, 2500, "ada@example.org", "Ada Lovelace")
    gives(hooked, 500, "bob@example.org", "=Bob")
    return hooked


TWO = [("'=Bob", "bob@example.org", "1", "5.00"), ("Ada Lovelace", "ada@example.org", "2", "35.00")]


def test_each_donor_is_a_row_with_what_is_left_of_their_gifts(two: Account, environ: dict[str, str]) -> None:
    year = year_of(two)
    done = run_command(environ, "donors", "--year", year, "--campaign", "newsroom")
    assert done.exit_code == 0, done.output
    assert listed(done.stdout) == TWO
    assert done.stderr == f"Wrote 2 donors of {year}. Offline and imported gifts are not included.\n"
    other = run_command(environ, "donors", "--year", year - 3, "--campaign", "newsroom")
    assert listed(other.stdout) == []


def test_the_file_is_for_its_owner_alone_and_nothing_is_kept(
    two: Account, environ: dict[str, str], tmp_path: Path
) -> None:
    file = tmp_path / "donors.csv"
    done = run_command(environ, "donors", "--year", year_of(two), "--campaign", "newsroom", "--output", file)
    assert done.exit_code == 0, done.output
    assert listed(file.read_text(encoding="utf-8")) == TWO
    assert file.stat().st_mode & 0o777 == 0o600
    with reading() as session:
        for table in inspect(session.connection()).get_table_names():
            if table != "delivery":
                assert "bob@example.org" not in str(session.execute(text(f'SELECT * FROM "{table}"')).all()), table


def test_an_editor_takes_them_away_while_no_transaction_is_open(
    two: Account, app: Flask, monkeypatch: pytest.MonkeyPatch
) -> None:
    held, lists = [], History._lists

    def watched(self: History, *arguments: object) -> object:
        held.append(store.db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return lists(self, *arguments)  # type: ignore[arg-type]

    monkeypatch.setattr(History, "_lists", watched)
    editor = Editor(app)
    answer = editor.opens(f"/admin/c/newsroom/donors.csv?year={year_of(two)}")
    assert listed(answer.text) == TWO
    assert answer.headers["Cache-Control"] == "no-store"
    assert held == [0]
    for wrong in ("", "26", "2026x"):
        assert editor.opens(f"/admin/c/newsroom/donors.csv?year={wrong}").status_code == 404


@pytest.mark.parametrize(
    "arguments", [["--year", "2026", "--campaign", "nobody"], ["--year", "x", "--campaign", "newsroom"]]
)
def test_what_cannot_be_is_said(hooked: Account, environ: dict[str, str], arguments: list[str]) -> None:
    assert run_command(environ, "donors", *arguments).exit_code != 0
