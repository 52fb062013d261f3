"""What an editor takes away as a file, and the gift that one writes down by hand."""

import csv
import io
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from web_admin import Editor

from tracker.giving.facts import Gift
from tracker.giving.months import month_of, parse_month
from tracker.ledger import book, campaigns, proof
from tracker.ledger.models import entry, note
from tracker.ledger.store import reading, writing

TODAY = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")).date()
FORM = "/admin/c/newsroom/offline"


@pytest.fixture
def editor(app: Flask) -> Editor:
    with writing() as connection:
        for number, month in enumerate(("2021-05", "2021-05", "2021-06")):
            at = datetime.fromisoformat(f"{month}-14T09:31:00+00:00")
            gift = Gift(f"cs_{number}", "once", "newsroom", 1000, "USD", at, False, source="article-1")
            book.record(connection, gift, at)
    return Editor(app)


@pytest.mark.parametrize(("address", "count"), [("entries.csv?month=2021-05", 2), ("entries.csv", 3)])
def test_an_editor_takes_the_entries_away(editor: Editor, address: str, count: int) -> None:
    answer = editor.opens(f"/admin/c/newsroom/{address}")
    assert answer.status_code == 200
    assert answer.mimetype == "text/csv"
    assert len(list(csv.DictReader(io.StringIO(answer.text, newline="")))) == count
    assert answer.headers["Cache-Control"] == "no-store"
    named = "2021-05" if "month" in address else "all"
    assert answer.headers["Content-Disposition"] == f"attachment; filename=newsroom-{named}.csv"


def test_a_spreadsheet_is_one(editor: Editor) -> None:
    answer = editor.opens("/admin/c/newsroom/entries.xlsx?month=2021-05")
    assert answer.data.startswith(b"PK")
    assert answer.mimetype.endswith("spreadsheetml.sheet")


@pytest.mark.parametrize("address", ["entries.pdf", "entries.csv?month=2021-5", "entries.csv?month=2999-01"])
def test_another_file_is_not_there(editor: Editor, address: str) -> None:
    assert editor.opens(f"/admin/c/newsroom/{address}").status_code == 404


def test_the_pages_of_months_lead_to_the_files(editor: Editor) -> None:
    for page, month in (("", ""), ("months/2021-05", "?month=2021-05")):
        text = editor.opens(f"/admin/c/newsroom/{page}").text
        for form in ("csv", "xlsx"):
            assert f'href="/admin/c/newsroom/entries.{form}{month}"' in text


@pytest.mark.parametrize("address", [FORM, "/admin/c/newsroom/entries.csv"])
def test_strangers_are_led_to_the_sign_in(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert answer.status_code == 302
    assert "/admin/login" in answer.headers["Location"]


def test_an_offline_gift_counts_in_the_month_of_its_date(editor: Editor) -> None:
    answer = editor.sends(FORM, amount="1,250.50", date="2021-05-20", note="Cheque 17")
    assert answer.status_code == 303
    assert "1,250.50 $ is written down in 2021-05" in editor.opens(FORM).text
    with reading() as connection:
        row = connection.execute(select(entry).where(entry.c.kind == "offline")).one()
        assert (row.amount, row.month, row.at) == (125_050, "2021-05", datetime(2021, 5, 20, 10, tzinfo=UTC))
        assert connection.scalar(select(note.c.words)) == "Cheque 17"
    assert "Cheque 17" in editor.opens("/admin/c/newsroom/months/2021-05").text


def test_pressed_twice_it_is_still_one_gift(editor: Editor) -> None:
    for _ in range(2):
        assert editor.sends(FORM, amount="5", date="2021-05-20", showing="the-same-form").status_code == 303
    with reading() as connection:
        assert len(connection.execute(select(entry).where(entry.c.kind == "offline")).all()) == 1


def test_one_for_a_closed_month_is_booked_in_the_current_one(editor: Editor) -> None:
    with writing() as connection:
        campaign = campaigns.find(connection, "newsroom")
        assert campaign is not None
        proof.close(connection, campaign, parse_month("2021-05"), False, datetime.now(UTC))
    editor.sends(FORM, amount="5", date="2021-05-20")
    with reading() as connection:
        row = connection.execute(select(entry).where(entry.c.kind == "offline")).one()
    assert row.belongs_to == "2021-05"
    assert row.month == str(month_of(datetime.now(UTC), "Europe/Berlin"))


WRONG = [
    ({"amount": "12,5", "date": "2021-05-20"}, "Did you mean 12.50?"),
    ({"amount": "", "date": "2021-05-20"}, "How much was given?"),
    ({"amount": "5", "date": "20.5.2021"}, "“20.5.2021” is no date"),
    ({"amount": "5", "date": "2021-02-30"}, "“2021-02-30” is no date"),
    ({"amount": "5", "date": str(TODAY + timedelta(days=2))}, "is still to come"),
    ({"amount": "5", "date": "2021-05-20", "note": "x" * 301}, "300 characters are the most"),
    ({"amount": "5", "date": "2021-05-20", "showing": ""}, "Nothing is written down yet"),
    ({"amount": "5", "date": "2021-05-20", "csrf_token": "forged"}, "Nothing is written down yet"),
]


@pytest.mark.parametrize(("typed", "words"), WRONG)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(editor: Editor, typed: dict[str, str], words: str) -> None:
    answer = editor.sends(FORM, **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{typed["amount"]}"' in answer.text
    assert f'value="{typed["date"]}"' in answer.text
    with reading() as connection:
        assert connection.scalar(select(entry.c.id).where(entry.c.kind == "offline")) is None
