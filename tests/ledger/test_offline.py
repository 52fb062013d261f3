"""Offline gifts from a file: each once however often the file comes, and none of them when one row is wrong."""

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path

import pytest
from actors import each
from click.testing import Result
from commands import run_command
from flask import Flask
from sqlalchemy import select

from tracker.ledger import month_closing
from tracker.ledger.models import entry, note
from tracker.ledger.store import reading

FILE = """date,amount,note,id
2021-05-14,50.00,"Cheque, no. 17",A1
2021-05-14,50.00,,
2021-05-14,50.00,,
2021-06-01,12.5,In the tin,
"""


@pytest.fixture
def bring(app: Flask, environ: dict[str, str], tmp_path: Path) -> Callable[..., Result]:
    """Imports a file with this text."""

    def imports(text: str, *more: str, encoding: str = "utf-8") -> Result:
        (tmp_path / "gifts.csv").write_bytes(text.encode(encoding))
        return run_command(environ, "import", tmp_path / "gifts.csv", "--campaign", "newsroom", *more)

    return imports


def in_the_book() -> list[tuple[str, int]]:
    with reading() as connection:
        assert month_closing.differences(connection) == []
        return [(row.month, row.amount) for row in connection.execute(select(entry).order_by(entry.c.id))]


def test_every_row_is_a_gift_and_the_same_file_again_changes_nothing(bring: Callable[..., Result]) -> None:
    first = bring(FILE)
    assert first.exit_code == 0, first.output
    assert first.output == (
        "Recorded 4 offline gifts of “newsroom”.\n2021-05: 150 $, 3 gifts\n2021-06: 12.50 $, 1 gift\n"
    )
    whole = [("2021-05", 5000)] * 3 + [("2021-06", 1250)]
    assert in_the_book() == whole
    again = bring(FILE)
    assert again.exit_code == 0
    assert again.output == (
        "Recorded 0 offline gifts of “newsroom”. Already in the ledger, and not counted again: 4.\n"
    )
    assert in_the_book() == whole


def test_a_file_that_has_grown_brings_what_is_new(bring: Callable[..., Result]) -> None:
    bring(FILE)
    # Also when the new row stands in the middle, or the lines are from Windows.
    grown = FILE.replace("A1\n", "A1\n2021-05-15,7,,\n").replace("\n", "\r\n")
    assert "Recorded 1 offline gift" in bring(grown, encoding="utf-8-sig").output
    assert in_the_book()[-1] == ("2021-05", 700)


@pytest.mark.parametrize("row", ["2021-05-14,60.00,,A1", "2021-05-16,50.00,,A1"])
def test_another_gift_under_an_id_that_is_in_the_book_is_refused_and_never_dropped(
    bring: Callable[..., Result], row: str
) -> None:
    bring(FILE)
    whole = in_the_book()
    done = bring(f"date,amount,note,id\n2021-06-02,5,,B1\n{row}\n")
    assert done.exit_code == 1
    assert "The id “A1” is already in the ledger: 50 $ of 2021-05-14." in done.stderr
    assert in_the_book() == whole


def test_a_gift_is_of_noon_on_the_campaigns_clock_and_keeps_its_note(bring: Callable[..., Result]) -> None:
    bring("amount,date,note\n5,2021-12-31,Zoë’s \x00 tin\n")
    with reading() as connection:
        row = connection.execute(select(entry)).one()
        assert (row.kind, row.at, row.live) == ("offline", datetime(2021, 12, 31, 11, tzinfo=UTC), False)
        assert connection.scalar(select(note.c.words)) == "Zoë’s tin"


def test_a_dry_run_says_the_same_and_writes_nothing(bring: Callable[..., Result]) -> None:
    done = bring(FILE, "--dry-run")
    assert done.exit_code == 0
    assert done.output.startswith("Would record 4 offline gifts of “newsroom”.\n2021-05: 150 $, 3 gifts\n")
    assert in_the_book() == []


def test_what_was_tried_in_test_mode_can_be_imported_for_good(
    bring: Callable[..., Result], environ: dict[str, str]
) -> None:
    bring(FILE)
    environ |= {
        "STRIPE_SECRET_KEY": "sk_live_1", "TRACKER_PUBLIC_URL": "https://give.example.org", "STRIPE_API_BASE": "",
    }  # fmt: skip
    assert "Recorded 4 offline gifts" in bring(FILE).output


WRONG = [
    ("2021-05-14,5\n2021-05-14,\n", "Line 3: “” is not an amount in USD"),
    ("2021-05-14,5\n14.5.2021,5\n", "Line 3: “14.5.2021” is not a date"),
    ("2021-05-14,5\n\n2021-02-30,5\n", "Line 4: “2021-02-30” is not a date"),
    ("2999-01-01,5\n", "Line 2: 2999-01-01 is in the future"),
    ('2021-05-14,"12,50"\n', "Line 2: “12,50” is not an amount in USD: write it as 10 or 12.50"),
    ("2021-05-14,1.234\n", "Line 2: “1.234” is not an amount in USD"),
    ("2021-05-14,1e3\n", "Line 2: “1e3” is not an amount"),
    ("2021-05-14,$5\n", "Line 2: “$5” is not an amount"),
    ("2021-05-14,-5\n", "Line 2: “-5” is not a gift"),
    ("2021-05-14,0\n", "Line 2: “0” is not a gift"),
    ("2021-05-14,5,6\n", "Line 2: there are 3 columns, and 2 in the first line"),
    ('2021-05-14,"5\n', "Line 2: this is not CSV"),
    ("", "There are no gifts in this file."),
]


@each(("rows", "words"), WRONG)
def test_a_wrong_row_stops_everything(bring: Callable[..., Result], rows: str, words: str) -> None:
    done = bring(f"date,amount\n{rows}")
    assert done.exit_code == 1
    assert words in done.stderr
    assert done.stdout == ""
    assert in_the_book() == []


@each(
    ("text", "words"),
    [
        ("", "must name the columns"),
        ("date;amount\n2021-05-14;5\n", "not with semicolons"),
        ("date,sum\n2021-05-14,5\n", "it says “date,sum”"),
        ("date,amount,amount\n", "must name the columns"),
        ("date,amount,id\n2021-05-14,5,A\n2021-05-14,6,A\n", "Line 3: the id “A” is already used in line 2"),
        (f"date,amount,id\n2021-05-14,5,{'A' * 101}\n", "at most 100 characters"),
        (f"date,amount,note\n2021-05-14,5,{'A' * 301}\n", "at most 300 characters"),
    ],
)
def test_a_file_of_another_make_is_refused(bring: Callable[..., Result], text: str, words: str) -> None:
    done = bring(text)
    assert done.exit_code == 1
    assert words in done.stderr
    assert in_the_book() == []


def test_a_file_in_another_encoding_is_refused(bring: Callable[..., Result]) -> None:
    done = bring("date,amount,note\n2021-05-14,5,Zoë\n", encoding="latin-1")
    assert done.exit_code == 1
    assert "not in UTF-8" in done.stderr


def test_a_campaign_that_is_not_there_is_named(app: Flask, environ: dict[str, str], tmp_path: Path) -> None:
    (tmp_path / "gifts.csv").write_text(FILE)
    done = run_command(environ, "import", tmp_path / "gifts.csv", "--campaign", "nobody")
    assert done.exit_code == 1
    assert "There is no campaign “nobody”" in done.stderr
