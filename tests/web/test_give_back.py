"""Money of an online gift that went back by bank transfer: recorded by hand, once, and left alone by what Stripe tells."""

import csv
import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape
from zoneinfo import ZoneInfo

import pytest
from actors import NEWSROOM, each
from flask import Flask
from sqlalchemy import select
from web_admin import Editor

from tracker.giving.facts import Gift, Reversal
from tracker.giving.months import month_of, parse_month
from tracker.ledger import book, month_closing
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing
from tracker.reconcile import tie_out

MAY = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
FORM = "/admin/c/newsroom/give-back"
TODAY = datetime.now(UTC).astimezone(ZoneInfo("Europe/Berlin")).date()


@pytest.fixture
def editor(app: Flask) -> Editor:
    with writing() as connection:
        gift = Gift("cs_1", "once", "newsroom", 5000, "USD", MAY, False, ("pi_1",))
        book.record(connection, gift, MAY)
        theirs = Gift("cs_live", "once", "newsroom", 5000, "USD", MAY, True, ("pi_live",))
        book.record(connection, theirs, MAY)
    return Editor(app)


def entries() -> list[tuple[str, str, str, int, int]]:
    """What was taken off: kind, month, month it belongs to, amount, what was told."""
    with reading() as connection:
        assert month_closing.differences(connection) == []
        assert month_closing.tampered(connection) == []
        rows = connection.execute(select(entry).where(entry.c.key != entry.c.gift_key).order_by(entry.c.id))
        return [(row.kind, row.month, row.belongs_to, row.amount, row.told) for row in rows]


def month_page(editor: Editor, month: str = "2021-05") -> str:
    return editor.opens(f"/admin/c/newsroom/months/{month}").text


def link_to(page: str, form: str) -> str:
    found = re.findall(rf'href="([^"]+/{form}\?[^"]+)"', page)
    return unescape(found[0]) if found else ""


def refund(amount: int, key: str = "re_1") -> None:
    with writing() as connection:
        taken = Reversal(key, "refund", -amount, "USD", MAY + timedelta(days=2), False, ("pi_1",))
        book.record(connection, taken, MAY + timedelta(days=3))


def test_the_month_leads_to_the_form_and_what_is_left_stands_in_it(editor: Editor) -> None:
    refund(1500)
    page = editor.opens(link_to(month_page(editor), "give-back")).text
    assert "35 $ at most" in page
    assert re.search(r'name="amount"[^>]* value="35"', page)


def test_money_given_back_comes_off_the_month_of_the_gift(editor: Editor) -> None:
    answer = editor.sends(f"{FORM}?gift=cs_1", amount="12.50", date="2021-05-20", note="Transfer 17")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/c/newsroom/months/2021-05")
    assert entries() == [("refund", "2021-05", "2021-05", -1250, -1250)]
    page = month_page(editor)
    assert "12.50 $ is recorded as given back, in 2021-05" in page
    assert "Given back outside Stripe" in page
    assert page.count("Transfer 17") == 1
    file = editor.opens("/admin/c/newsroom/entries.csv?month=2021-05").text
    rows = list(csv.DictReader(io.StringIO(file, newline="")))
    assert (rows[-1]["kind"], rows[-1]["amount"]) == ("refund", "-12.50")
    months = editor.opens("/c/newsroom/months.json").get_json()["months"]
    assert next(one["raised"] for one in months if one["month"] == "2021-05") == 3750


def test_any_of_stripes_ids_finds_the_gift(editor: Editor) -> None:
    assert "cs_1" in editor.opens(f"{FORM}?gift=pi_1").text


def test_pressed_twice_it_is_the_same_money(editor: Editor) -> None:
    for _ in range(2):
        sent = editor.sends(f"{FORM}?gift=cs_1", amount="12.50", date="2021-05-20", showing="the-same-form")
        assert sent.status_code == 303
    assert entries() == [("refund", "2021-05", "2021-05", -1250, -1250)]


def test_all_of_it_can_be_given_back_and_then_nothing_is_left(editor: Editor) -> None:
    editor.sends(f"{FORM}?gift=cs_1", amount="50", date="2021-05-20")
    page = editor.opens(f"{FORM}?gift=cs_1").text
    assert "Nothing is left of it" in page
    assert "<form" not in page.split("<h1>")[1]


def test_of_a_closed_month_it_comes_off_the_current_one(editor: Editor) -> None:
    with writing() as connection:
        month_closing.close(connection, NEWSROOM, parse_month("2021-05"), False, datetime.now(UTC))
    editor.sends(f"{FORM}?gift=cs_1", amount="50", date=str(TODAY))
    this_month = str(month_of(datetime.now(UTC), "Europe/Berlin"))
    assert entries() == [("refund", this_month, "2021-05", -5000, -5000)]
    assert "for 2021-05, closed" in month_page(editor, this_month)


def test_recorded_by_mistake_it_is_reversed_once(editor: Editor) -> None:
    editor.sends(f"{FORM}?gift=cs_1", amount="50", date="2021-05-20")
    link = link_to(month_page(editor), "give-back/undo")
    assert "Reverse 50 $" in editor.opens(link).text
    assert editor.sends(link).headers["Location"] == "/admin/c/newsroom/months/2021-05"
    assert [row[3:] for row in entries()] == [(-5000, -5000), (5000, 5000)]
    page = month_page(editor)
    assert "50 $ counts again" in page
    assert link_to(page, "give-back/undo") == ""
    again = editor.opens(link).text
    assert "It was reversed on" in again
    assert "<button" not in again.split("<h1>")[1]
    # The gift can be given back again: as other money, of another showing of the form.
    editor.sends(f"{FORM}?gift=cs_1", amount="20", date="2021-05-21")
    assert [row[3] for row in entries()] == [-5000, 5000, -2000]


def test_a_refund_by_stripe_of_the_same_money_takes_no_more_than_there_is(editor: Editor) -> None:
    editor.sends(f"{FORM}?gift=cs_1", amount="40", date="2021-05-20")
    refund(5000)
    assert sum(row[3] for row in entries()) == -5000
    link = link_to(month_page(editor), "give-back/undo")
    editor.sends(link)
    assert sum(row[3] for row in entries()) == -5000


def test_the_tie_out_knows_that_stripe_has_not_moved_it(editor: Editor) -> None:
    editor.sends(f"{FORM}?gift=cs_1", amount="12.50", date="2021-05-20")
    with reading() as connection:
        (may,) = tie_out.tie_out(connection, "2021-05", live=False)
    assert (may.raised, may.pending, may.outside, may.difference) == (3750, 5000, -1250, 0)


WRONG = [
    ({"amount": "12,5", "date": "2021-05-20"}, "Did you mean 12.50?"),
    ({"amount": "", "date": "2021-05-20"}, "How much was given back?"),
    ({"amount": "50.01", "date": "2021-05-20"}, "That is more than is left of the gift."),
    ({"amount": "5", "date": "2021-05-13"}, "The gift was made on 2021-05-14"),
    ({"amount": "5", "date": "20.5.2021"}, "“20.5.2021” is not a date"),
    ({"amount": "5", "date": str(TODAY + timedelta(days=2))}, "is in the future"),
    ({"amount": "5", "date": "2021-05-20", "note": "x" * 301}, "300 characters or fewer"),
    ({"amount": "5", "date": "2021-05-20", "csrf_token": "forged"}, "Nothing is recorded yet"),
]


@each(("typed", "words"), WRONG)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(editor: Editor, typed: dict[str, str], words: str) -> None:
    answer = editor.sends(f"{FORM}?gift=cs_1", **typed)
    assert answer.status_code == 422
    assert words in answer.text
    assert f'value="{typed["amount"]}"' in answer.text
    assert entries() == []


@each("gift", ["", "cs_2", "cs_live", "pi_live", "\0", "ünknown", "x" * 500])
def test_only_a_gift_of_this_campaign_and_mode_can_be_given_back(editor: Editor, gift: str) -> None:
    assert editor.browser.get(FORM, query_string={"gift": gift}).status_code == 404


@each("key", ["", "cs_1", "re_1", "outside:test:form:nobody", "\0"])
def test_only_what_was_recorded_by_hand_can_be_reversed(editor: Editor, key: str) -> None:
    refund(100)
    assert editor.browser.get(f"{FORM}/undo", query_string={"entry": key}).status_code == 404


def test_without_the_token_nothing_is_reversed(editor: Editor) -> None:
    editor.sends(f"{FORM}?gift=cs_1", amount="50", date="2021-05-20")
    link = link_to(month_page(editor), "give-back/undo")
    assert editor.sends(link, csrf_token="forged").status_code == 400
    assert len(entries()) == 1


def test_strangers_are_led_to_the_sign_in(app: Flask) -> None:
    for address in (FORM, f"{FORM}/undo"):
        assert app.test_client().get(f"{address}?gift=cs_1").status_code == 302
