"""What an editor takes away as a file, and the gift that one writes down by hand."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

import pytest
from actors import NEWSROOM, each
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from structlog.testing import capture_logs
from web_admin import Editor

from tracker.giving.facts import Gift
from tracker.giving.import_map import OWN
from tracker.giving.months import month_of, parse_month
from tracker.ledger import book, campaigns, export_files, imports, month_closing, offline_gifts, reversals, store
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


@each("address", ["entries.pdf", "entries.csv?month=2021-5", "entries.csv?month=2999-01", "entries.csv?month=1999-01"])
def test_another_file_is_not_there(editor: Editor, address: str) -> None:
    assert editor.opens(f"/admin/c/newsroom/{address}").status_code == 404


def test_a_file_that_cannot_be_written_is_said_to_the_editor_and_in_the_log(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    def full(*_: object) -> None:
        raise OSError("no space")

    monkeypatch.setattr(export_files, "write", full)
    with capture_logs() as lines:
        answer = editor.opens("/admin/c/newsroom/entries.csv?month=2021-05")
    assert answer.status_code == 503
    assert "Please try again in a few minutes" in answer.text
    assert answer.headers["Retry-After"] == "60"
    assert [(one["event"], one["campaign"], one["file"], one["why"]) for one in lines] == [
        ("export.failed", "newsroom", "newsroom-2021-05.csv", "OSError")
    ]


def test_while_a_file_is_sent_its_editor_holds_no_connection(editor: Editor) -> None:
    answer = editor.opens("/admin/c/newsroom/entries.csv")
    assert answer.status_code == 200
    assert store.db.engine.pool.checkedout() == 0  # type: ignore[attr-defined]


@each(
    ("query", "kinds"),
    [
        ("kind=once", ["once", "once", "once"]), ("kind=refund", []), ("frequency=once&month=2021-06", ["once"]),
        ("frequency=month", []), ("source=article-1&month=2021-05", ["once", "once"]), ("source=article-2", []),
        ("imported_from=-", ["once", "once", "once"]), ("imported_from=givewp", []), ("source=%00", ["once", "once", "once"]),
    ],
)  # fmt: skip
def test_filters_leave_what_was_asked_for(editor: Editor, query: str, kinds: list[str]) -> None:
    answer = editor.opens(f"/admin/c/newsroom/entries.csv?{query}")
    assert [row["kind"] for row in csv.DictReader(io.StringIO(answer.text, newline=""))] == kinds


def test_the_files_page_offers_all_and_its_form_leads_to_the_file(editor: Editor) -> None:
    page = editor.opens("/admin/c/newsroom/files").text
    assert "Journal for bookkeeping" in page
    assert '<option value="2021-05">May 2021</option>' in page
    chosen = editor.opens("/admin/c/newsroom/files/entries?form=xlsx&month=2021-05&kind=&source=article-1")
    assert chosen.headers["Location"] == "/admin/c/newsroom/entries.xlsx?month=2021-05&source=article-1"


def test_every_month_is_a_row_with_the_same_figures_as_its_page(editor: Editor) -> None:
    answer = editor.opens("/admin/c/newsroom/every-month.csv")
    rows = {row["month"]: row for row in csv.DictReader(io.StringIO(answer.text, newline=""))}
    assert (rows["2021-05"]["raised"], rows["2021-05"]["once"], rows["2021-05"]["gifts"]) == ("20.00", "20.00", "2")
    assert editor.opens("/admin/c/newsroom/every-month.pdf").status_code == 404
    assert editor.opens("/admin/c/newsroom/every-month.xlsx").data.startswith(b"PK")


def test_a_journal_is_taken_away_or_refused_in_words(editor: Editor) -> None:
    answer = editor.opens("/admin/c/newsroom/journal.csv?month=2021-05&for=quickbooks")
    assert answer.headers["Content-Disposition"] == "attachment; filename=newsroom-journal-quickbooks-2021-05.csv"
    assert answer.text.splitlines()[1].startswith("PB-20210514-USD,05/14/2021,Stripe balance,20.00,,One-time gifts")
    assert editor.opens("/admin/c/newsroom/journal.csv?month=2021-05&for=datev").status_code == 303
    assert "DATEV needs account numbers" in editor.opens("/admin/c/newsroom/files").text
    for wrong in ("", "month=2021-05&for=abacus"):
        assert editor.opens(f"/admin/c/newsroom/journal.csv?{wrong}").status_code == 404
    assert editor.opens("/admin/c/newsroom/journal.csv?payout=po_1").status_code == 303


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
    assert "1,250.50 $ is recorded in 2021-05" in editor.opens(FORM).text
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


def test_another_gift_typed_into_a_page_that_was_sent_is_not_dropped_in_silence(editor: Editor) -> None:
    for amount in ("5", "6"):
        editor.sends(FORM, amount=amount, date="2021-05-20", showing="the-same-form")
    assert "This page had already recorded 5 $, and nothing more." in editor.opens(FORM).text
    assert [amount for _, _, amount in offline_entries()] == [500]


def test_one_for_a_closed_month_is_booked_in_the_current_one(editor: Editor) -> None:
    with writing() as connection:
        campaign = campaigns.find(connection, "newsroom")
        assert campaign is not None
        month_closing.close(connection, campaign, parse_month("2021-05"), False, datetime.now(UTC))
    editor.sends(FORM, amount="5", date="2021-05-20")
    with reading() as connection:
        row = connection.execute(select(entry).where(entry.c.kind == "offline")).one()
    assert row.belongs_to == "2021-05"
    assert row.month == str(month_of(datetime.now(UTC), "Europe/Berlin"))


# --- Taking one back --------------------------------------------------------------------------------------------------


def close(month: str) -> None:
    with writing() as connection:
        campaign = campaigns.find(connection, "newsroom")
        assert campaign is not None
        month_closing.close(connection, campaign, parse_month(month), False, datetime.now(UTC))


def offline_entries() -> list[tuple[str, str, int]]:
    with reading() as connection:
        assert month_closing.differences(connection) == []
        assert month_closing.tampered(connection) == []
        rows = connection.execute(select(entry).where(entry.c.kind == "offline").order_by(entry.c.id))
        return [(row.month, row.belongs_to, row.amount) for row in rows]


def raised(editor: Editor, month: str) -> tuple[int, int]:
    months = editor.opens("/c/newsroom/months.json").get_json()["months"]
    return next((one["offline"], one["gifts"]) for one in months if one["month"] == month)


def take_back_link(editor: Editor, month: str = "2021-05") -> str:
    found = re.findall(r'href="([^"]+/offline/take-back[^"]+)"', editor.opens(f"/admin/c/newsroom/months/{month}").text)
    return unescape(found[0]) if found else ""


def test_an_offline_gift_is_taken_back_by_its_opposite_and_only_once(editor: Editor) -> None:
    editor.sends(FORM, amount="500", date="2021-05-20", note="Cheque 17")
    editor.sends(FORM, amount="50", date="2021-05-20", showing="another-form")
    assert raised(editor, "2021-05") == (55_000, 4)
    link = take_back_link(editor)
    page = editor.opens(link).text
    assert "comes off 2021-05" in page
    taken = 500 if "Reverse 500 $" in page else 50
    answer = editor.sends(link)
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/c/newsroom/months/2021-05")
    assert offline_entries()[-1] == ("2021-05", "2021-05", -taken * 100)
    assert raised(editor, "2021-05") == (55_000 - taken * 100, 3)
    text = editor.opens("/admin/c/newsroom/months/2021-05").text
    assert "Offline gift reversed" in text
    assert text.count(">reverse<") == 1
    again = editor.opens(link).text
    assert "It was reversed on" in again
    assert '<button class="button">' not in again
    assert len(offline_entries()) == 3


def test_pressed_twice_it_is_still_taken_back_once(editor: Editor) -> None:
    editor.sends(FORM, amount="50", date="2021-05-20")
    with writing() as connection:
        gift = connection.execute(select(entry).where(entry.c.kind == "offline")).one()
        outcomes = [reversals.take_back(connection, gift, datetime.now(UTC)) for _ in range(2)]
    assert outcomes == ["recorded", "known"]
    assert raised(editor, "2021-05") == (0, 2)


def test_one_of_a_closed_month_is_taken_back_today(editor: Editor) -> None:
    editor.sends(FORM, amount="50", date="2021-05-20")
    link = take_back_link(editor)
    close("2021-05")
    assert "2021-05 is closed and does not change, so the amount comes off the current month" in editor.opens(link).text
    file = editor.opens("/admin/c/newsroom/entries.csv?month=2021-05").data
    today = str(month_of(datetime.now(UTC), "Europe/Berlin"))
    assert editor.sends(link).headers["Location"] == f"/admin/c/newsroom/months/{today}"
    assert offline_entries() == [("2021-05", "2021-05", 5000), (today, "2021-05", -5000)]
    assert raised(editor, "2021-05") == (5000, 3)
    assert raised(editor, today) == (-5000, -1)
    assert editor.opens("/admin/c/newsroom/entries.csv?month=2021-05").data == file
    assert "for 2021-05, closed" in editor.opens(f"/admin/c/newsroom/months/{today}").text
    rows = list(csv.DictReader(io.StringIO(editor.opens("/admin/c/newsroom/entries.csv").text, newline="")))
    assert (rows[-1]["kind"], rows[-1]["amount"], rows[-1]["closed_month"]) == ("offline", "-50.00", "2021-05")


def test_what_was_taken_back_does_not_come_back_with_the_same_file(editor: Editor) -> None:
    campaign = NEWSROOM
    for _ in range(2):
        text = io.StringIO("date,amount\n2021-05-20,50\n")
        imports.run(text, OWN, campaign, False, datetime.now(UTC), write=True)
        with writing() as connection:
            key = connection.scalar(select(entry.c.key).where(entry.c.kind == "offline", entry.c.amount > 0))
            gift = offline_gifts.find(connection, campaign, key, live=False)
            reversals.take_back(connection, gift, datetime.now(UTC))
    assert offline_entries() == [("2021-05", "2021-05", 5000), ("2021-05", "2021-05", -5000)]


@each("gift", ["", "cs_0", "offline:newsroom:test:form:nobody", "\0", "offline:newsroom:live:id:1"])
def test_only_an_offline_gift_of_this_campaign_and_mode_can_be_taken_back(editor: Editor, gift: str) -> None:
    live = Gift("offline:newsroom:live:id:1", "offline", "newsroom", 1000, "USD", datetime.now(UTC), True)
    with writing() as connection:
        book.record(connection, live, datetime.now(UTC))
    address = f"{FORM}/take-back?{urlencode({'gift': gift})}"
    assert editor.opens(address).status_code == 404
    before = offline_entries()
    assert editor.sends(FORM + "/take-back", gift=gift).status_code == 400
    assert offline_entries() == before


def test_without_the_token_nothing_is_taken_back(editor: Editor) -> None:
    editor.sends(FORM, amount="50", date="2021-05-20")
    answer = editor.sends(take_back_link(editor), csrf_token="forged")
    assert answer.status_code == 400
    assert len(offline_entries()) == 1


# --- What is wrong ----------------------------------------------------------------------------------------------------

WRONG = [
    ({"amount": "12,5", "date": "2021-05-20"}, "Did you mean 12.50?"),
    ({"amount": "", "date": "2021-05-20"}, "How much was given?"),
    ({"amount": "5", "date": "20.5.2021"}, "“20.5.2021” is not a date"),
    ({"amount": "5", "date": "2021-02-30"}, "“2021-02-30” is not a date"),
    ({"amount": "5", "date": str(TODAY + timedelta(days=2))}, "is in the future"),
    ({"amount": "5", "date": "2021-05-20", "note": "x" * 301}, "Use 300 characters or fewer"),
    ({"amount": "5", "date": "2021-05-20", "showing": ""}, "Nothing is recorded yet"),
    ({"amount": "5", "date": "2021-05-20", "csrf_token": "forged"}, "Nothing is recorded yet"),
]


@each(("typed", "words"), WRONG)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(editor: Editor, typed: dict[str, str], words: str) -> None:
    answer = editor.sends(FORM, **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{typed["amount"]}"' in answer.text
    assert f'value="{typed["date"]}"' in answer.text
    with reading() as connection:
        assert connection.scalar(select(entry.c.id).where(entry.c.kind == "offline")) is None
