"""The list of gifts and one gift's story, as an editor sees them."""

import io
import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
from actors import NEWSROOM, Stripe, each, gift_fact, refund_fact, refund_of, session
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import event, insert, select
from web_admin import Editor, says

from tracker.gateway.dashboard import dashboard_link
from tracker.giving.facts import BalanceTransaction, Payout
from tracker.giving.import_map import ImportMap
from tracker.giving.months import parse_month
from tracker.ledger import audit_log, book, gift_list, imports, month_closing, offline_gifts, store, sync_runs
from tracker.ledger.editor_models import gift_note
from tracker.ledger.models import entry, note
from tracker.ledger.store import reading, writing

MAY = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
NOW = datetime(2021, 6, 20, 12, tzinfo=UTC)
LIST = "/admin/c/newsroom/gifts"


@pytest.fixture
def editor(app: Flask) -> Editor:
    with writing() as connection:
        for fact in (
            gift_fact("cs_1", 5000, source="harbour", place="top", tier="5000", name="Ana <b>", message="Go on"),
            gift_fact("cs_2", 1250, at=MAY + timedelta(hours=1), tier="other"),
            gift_fact("in_1", 500, kind="monthly", at=MAY - timedelta(days=30)),
            gift_fact("cs_live", 700, live=True),
            refund_fact("cs_1", 1500, "re_1", at=NOW),
            BalanceTransaction("txn_1", "gift", ("pi_cs_1",), 5000, 175, 4825, "USD", "", MAY, MAY, False),
            Payout("po_1", MAY + timedelta(days=7), ("txn_1",), False),
        ):
            book.record(connection, fact, MAY)
    return Editor(app)


def rows(page: str) -> list[list[str]]:
    found = re.findall(r"<tr>(.*?)</tr>", page.split("<tbody>")[1].split("</tbody>")[0], re.DOTALL)
    cells = (re.findall(r"<t[hd][^>]*>(.*?)</t[hd]>", row, re.DOTALL) for row in found)
    return [[" ".join(unescape(re.sub(r"<[^>]+>", " ", cell)).split()) for cell in row] for row in cells]


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<[^>]+>", "", page)).split())


def test_an_imported_gift_waits_for_nothing_of_stripes(editor: Editor) -> None:
    how = ImportMap("shop", date="D", amount="A", id="I", kind="once")
    imports.run(io.StringIO("D,A,I\n2021-05-02,40,1\n"), how, NEWSROOM, False, NOW, write=True)
    (row,) = rows(editor.opens(f"{LIST}?amount=40").text)
    assert row[5] == "imported"
    assert "import:shop" not in editor.opens(f"{LIST}?state=unsettled").text
    page = words(editor.opens(f"{LIST}/import:shop:newsroom:test:id:1").text)
    assert "Imported from another system: it did not come through Stripe here." in page
    assert "Recorded here" in page
    assert "Stripe has not said" not in page
    money = words(editor.opens("/admin/c/newsroom/months/2021-05").text)
    assert "Imported gifts, not through Stripe" in money


# --- The list ---------------------------------------------------------------------------------------------------------


def test_the_list_says_of_each_gift_what_became_of_it(editor: Editor) -> None:
    page = editor.opens(LIST).text
    assert rows(page) == [
        ["2021-05-14 12:31", "12.50 $", "–", "–", "One-time gift", "fee not known yet", "–", "–"],
        ["2021-05-14 11:31", "50.00 $", "1.75 $", "48.25 $", "One-time gift", "refunded in part", "harbour top", "Ana <b>"],
        ["2021-04-14 11:31", "5.00 $", "–", "–", "Monthly gift", "fee not known yet", "–", "–"],
    ]  # fmt: skip
    assert 'href="/admin/c/newsroom/gifts/cs_1"' in page
    assert 'aria-current="page">Gifts' in page


def test_amounts_of_a_column_without_cents_have_none(editor: Editor) -> None:
    assert [row[1] for row in rows(editor.opens(f"{LIST}?kind=monthly").text)] == ["5 $"]


@each(
    ("query", "found"),
    [
        ("kind=once", ["12.50 $", "50.00 $"]),
        ("month=2021-04", ["5 $"]),
        ("kind=once&month=2021-04", []),
        ("q=re_1", ["50 $"]),
        ("q=+pi_cs_2+", ["12.50 $"]),
        ("q=ana", ["50 $"]),
        ("amount=12.50", ["12.50 $"]),
        ("amount=5&amount_to=20", ["12.50 $", "5.00 $"]),
        ("amount_to=5", ["5 $"]),
        ("source=harbour", ["50 $"]),
        ("tier=other", ["12.50 $"]),
        ("state=refunded", ["50 $"]),
        ("largest=y", ["50.00 $", "12.50 $", "5.00 $"]),
        ("q=%00", ["12.50 $", "50.00 $", "5.00 $"]),
        ("q=%FF%FE", []),
        ("tier=%00&source=%00", ["12.50 $", "50.00 $", "5.00 $"]),
        ("nonsense=1&before=", ["12.50 $", "50.00 $", "5.00 $"]),
    ],
)
def test_filters_stand_in_the_address(editor: Editor, query: str, found: list[str]) -> None:
    page = editor.opens(f"{LIST}?{query}")
    assert page.status_code == 200
    assert [row[1] for row in rows(page.text)] if found else "No gift matches." in page.text
    if found:
        assert [row[1] for row in rows(page.text)] == found


def test_each_filter_in_use_is_named_and_can_be_removed(editor: Editor) -> None:
    page = editor.opens(f"{LIST}?month=2021-05&kind=once&amount=5&tier=other&source=&q=&largest=y&before=99").text
    chosen = page.partition('class="chosen"')[2].partition("</ul>")[0]
    assert re.findall(r"Remove: </span>(.+?) <span", chosen) == [
        "Month: May 2021", "Kind: One-time", "Amount: 5 $", "Amount chosen: Other amount", "Largest first",
    ]  # fmt: skip
    first = unescape(re.findall(r'href="([^"]+)"', chosen)[0])
    assert first == f"{LIST}?kind=once&amount=5&tier=other&largest=y"
    for without in (LIST, f"{LIST}?month=May"):
        assert 'class="chosen"' not in editor.opens(without).text


@each(
    ("query", "file"),
    [
        ("", "entries.csv"),
        ("month=2021-05&largest=y", "entries.csv?month=2021-05"),
        ("kind=once&source=harbour", "entries.csv?source=harbour&frequency=once"),
        ("amount=50", ""),
        ("kind=once&state=refunded", ""),
    ],
)
def test_a_list_that_is_a_file_leads_to_it(editor: Editor, query: str, file: str) -> None:
    found = re.findall(r'href="/admin/c/newsroom/(entries.csv[^"]*)"', editor.opens(f"{LIST}?{query}").text)
    assert [unescape(one) for one in found] == [file] * bool(file)
    if "harbour" in file:
        assert "re_1" in editor.opens(f"/admin/c/newsroom/{file}").text


@each(
    ("query", "said"),
    [
        ("month=May", "“May” is not a month"),
        ("amount=12,5", "Did you mean 12.50?"),
        ("kind=refund", "Not a valid choice"),
        ("state=odd", "Not a valid choice"),
        (f"q={'x' * 256}", "255 characters or fewer"),
    ],
)
def test_what_cannot_be_looked_up_is_said_and_stays_in_the_form(editor: Editor, query: str, said: str) -> None:
    page = editor.opens(f"{LIST}?{query}")
    assert page.status_code == 422
    assert said in says(page)
    assert "<tbody>" not in page.text


def test_a_calendar_gives_way_to_words_that_it_could_not_show(editor: Editor) -> None:
    def month(query: str) -> tuple[str, ...]:
        (field,) = re.findall(r'<input[^>]*id="month"[^>]*>', editor.opens(f"{LIST}?{query}").text)
        return tuple(re.findall(r'(?:type|value)="([^"]*)"', field))

    assert month("") == ("month", "")
    assert month("month=2021-05") == ("month", "2021-05")
    assert month("month=2021-5") == ("text", "2021-5")
    assert month("month=May") == ("text", "May")


@each("place", ["before=x", "after=-1", "before=0", f"after={10**30}", "before=%00"])
def test_a_place_in_the_list_is_a_number(editor: Editor, place: str) -> None:
    assert editor.opens(f"{LIST}?{place}").status_code == 404


def test_pages_lead_on_and_back_with_the_same_filters(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gift_list, "PAGE", 1)

    def link(page: str, words: str) -> str:
        return unescape(re.findall(rf'href="([^"]+)"[^>]*>{words}<', page)[0])

    first = editor.opens(f"{LIST}?kind=once&q=").text
    assert [row[1] for row in rows(first)] == ["12.50 $"]
    assert "Newer gifts" not in first
    older = link(first, "Older gifts")
    assert "kind=once" in older
    second = editor.opens(older).text
    assert [row[1] for row in rows(second)] == ["50 $"]
    assert "Older gifts" not in second
    assert link(second, "First page") == f"{LIST}?kind=once"
    assert [row[1] for row in rows(editor.opens(link(second, "Newer gifts")).text)] == ["12.50 $"]


def test_how_far_it_has_looked_is_said_and_it_looks_further(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(gift_list, "LOOK", 1)
    page = editor.opens(f"{LIST}?tier=5000").text
    assert "None of the gifts checked so far, up to 2021-05-14, matches." in page
    further = unescape(re.findall(r'href="([^"]+)"[^>]*>Look further<', page)[0])
    assert [row[1] for row in rows(editor.opens(further).text)] == ["50 $"]


def test_an_empty_list_says_how_it_fills(app: Flask) -> None:
    assert "There are no gifts yet." in Editor(app).opens(LIST).text


def test_the_list_asks_the_database_few_things_however_many_gifts_there_are(editor: Editor) -> None:
    def asked() -> int:
        statements = []
        event.listen(store.db.engine, "before_cursor_execute", lambda *them: statements.append(them[2]))
        editor.opens(LIST)
        return len(statements)

    few = asked()
    with writing() as connection:
        for number in range(20):
            book.record(connection, gift_fact(f"cs_more_{number}", 100), MAY)
    assert asked() <= few


@each("address", [LIST, f"{LIST}/cs_1"])
def test_strangers_are_led_to_the_sign_in(client: FlaskClient, address: str) -> None:
    answer = client.get(address)
    assert (answer.status_code, "/admin/login" in answer.headers["Location"]) == (302, True)


# --- One gift ---------------------------------------------------------------------------------------------------------


def test_a_gift_tells_its_whole_story(editor: Editor) -> None:
    page = editor.opens(f"{LIST}/cs_1").text
    said = words(page)
    for one in (
        "One-time gift: 50 $", "35 $ of it is left.", "2021-05-14 11:31, Berlin time", "May 2021", "harbour, top",
        "Ana <b> Go on", "pi_cs_1", "Refund", "re_1", "−15 $", "1.75 $ fee, 48.25 $ net", "2021-05-21, at the bank",
        "po_1", "txn_1",
    ):  # fmt: skip
        assert one in said, one
    assert "dashboard.stripe.com" not in page


def test_why_it_is_booked_in_another_month_is_said(editor: Editor) -> None:
    with writing() as connection:
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)
        book.record(connection, gift_fact("cs_late", 900, at=MAY - timedelta(days=30)), NOW)
    said = words(editor.opens(f"{LIST}/cs_late").text)
    assert "June 2021. It was paid in April 2021, but that month was already closed" in said
    assert "April 2021 (closed). That is the month in which it was paid." in words(editor.opens(f"{LIST}/in_1").text)


@each("other", ["pi_cs_1", "re_1", "txn_1"])
def test_any_of_its_ids_leads_to_it(editor: Editor, other: str) -> None:
    answer = editor.opens(f"{LIST}/{other}")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{LIST}/cs_1")


@each("key", ["cs_live", "cs_nobody", "cs%00_1", "ünknown", "x" * 500, "cs_1/x"])
def test_another_one_is_not_there(editor: Editor, key: str) -> None:
    assert editor.opens(f"{LIST}/{key}").status_code == 404


def test_it_says_what_told_of_it(app: Flask, stripe_calls: Stripe) -> None:
    editor = Editor(app)
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", session("cs_9"))) == 204
    assert stripe_calls.sends(stripe_calls.event("refund.created", refund_of("pi_cs_9", amount=300))) == 204
    # Told again, it brings nothing.
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", session("cs_9"))) == 204
    table = rows(editor.opens(f"{LIST}/cs_9").text)
    assert "checkout.session.completed evt_1" in table[0][4]
    assert "refund.created evt_2" in table[1][4]


def test_what_sync_found_says_so_and_what_was_recorded_by_hand(editor: Editor) -> None:
    with writing() as connection:
        run = sync_runs.SyncRun(False, MAY, NOW, NOW + timedelta(minutes=1), 1, 0, 0)
        sync_runs.keep(connection, run)
        book.record(connection, gift_fact("cs_3", 100), NOW)
    assert "Found by tracker sync, 2021-06-20 14:00" in words(editor.opens(f"{LIST}/cs_3").text)
    editor.sends("/admin/c/newsroom/offline", amount="7", date="2021-05-20", note="Cheque 9")
    with reading() as connection:
        key = connection.scalar(select(entry.c.key).where(entry.c.kind == "offline"))
    page = editor.opens(f"{LIST}/{key}").text
    assert "Recorded here" in words(page)
    assert "Cheque 9" in page
    assert "Fee and payout" not in page


def test_money_given_back_outside_stripe_is_recorded_and_reversed_from_there(editor: Editor) -> None:
    def follow(words: str) -> str:
        page = editor.opens(f"{LIST}/cs_2").text
        return unescape(re.findall(rf'href="([^"]+)"[^>]*>{words}<', page)[0])

    answer = editor.sends(
        follow("Record money given back outside Stripe"), amount="2.50", date="2021-05-20", note="Transfer 17"
    )
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}/cs_2")
    page = editor.opens(f"{LIST}/cs_2").text
    assert "Transfer 17" in page
    assert "10 $ of it is left." in words(page)
    answer = editor.sends(follow("reverse"))
    assert answer.headers["Location"] == f"{LIST}/cs_2"
    page = editor.opens(f"{LIST}/cs_2").text
    assert ">reverse<" not in page
    assert "12.50 $ counts again" not in words(page.split("<h1>")[1])


def test_an_offline_gift_is_reversed_from_there(editor: Editor) -> None:
    editor.sends("/admin/c/newsroom/offline", amount="7", date="2021-05-20")
    with reading() as connection:
        key = connection.scalar(select(entry.c.key).where(entry.c.kind == "offline"))
        assert key is not None
        assert offline_gifts.taken_back(connection, key) is None
    page = editor.opens(f"{LIST}/{key}").text
    answer = editor.sends(unescape(re.findall(r'href="([^"]+)"[^>]*>reverse<', page)[0]))
    assert answer.headers["Location"] == f"{LIST}/{key}"
    page = words(editor.opens(f"{LIST}/{key}").text)
    assert "It was recorded by mistake and reversed." in page
    assert "Offline gift reversed" in page


# --- Notes ------------------------------------------------------------------------------------------------------------


def test_a_note_is_kept_with_who_wrote_it_and_can_be_deleted(editor: Editor) -> None:
    answer = editor.sends(f"{LIST}/cs_1", to=f"{LIST}/cs_1/notes", words="Ask her\r\nfor a receipt\0 <i>")
    assert (answer.status_code, answer.headers["Location"]) == (303, f"{LIST}/cs_1#notes")
    page = editor.opens(f"{LIST}/cs_1").text
    assert "Ask her\nfor a receipt &lt;i&gt;" in page
    assert "ana@example.org" in page
    assert "with a note" in editor.opens(LIST).text
    # Pressed twice.
    editor.sends(f"{LIST}/cs_1", to=f"{LIST}/cs_1/notes", words="Ask her\r\nfor a receipt\0 <i>")
    with reading() as session:
        assert len(audit_log.lines(session, audit_log.Filter(action="gift.note_written"))) == 1
    delete = re.findall(r'action="([^"]+/delete)"', page)[0]
    assert editor.sends(f"{LIST}/cs_1", to=delete, csrf_token="forged").status_code == 400
    # Of another gift it is none.
    assert editor.sends(f"{LIST}/cs_1", to=delete.replace("cs_1", "cs_2")).status_code == 303
    assert "Ask her" in editor.opens(f"{LIST}/cs_1").text
    assert editor.sends(f"{LIST}/cs_1", to=delete).status_code == 303
    assert "The note is deleted." in editor.opens(f"{LIST}/cs_1").text
    with reading() as connection:
        assert connection.execute(select(gift_note)).all() == []


def test_pressed_twice_it_is_one_note(editor: Editor) -> None:
    for _ in range(2):
        editor.sends(f"{LIST}/cs_1", to=f"{LIST}/cs_1/notes", words="Called")
    with reading() as connection:
        assert len(connection.execute(select(gift_note)).all()) == 1


@each(
    ("typed", "said"),
    [("", "Write a note first."), ("  ", "Write a note first."), ("x" * 1001, "1000 characters or fewer")],
)
def test_no_note_and_too_long_a_note_are_refused(editor: Editor, typed: str, said: str) -> None:
    answer = editor.sends(f"{LIST}/cs_1", to=f"{LIST}/cs_1/notes", words=typed)
    assert (answer.status_code, said in says(answer)) == (422, True)
    assert typed in answer.text


def test_a_note_to_a_gift_that_is_not_there_is_not_found(editor: Editor) -> None:
    for key in ("cs_live", "pi_cs_1", "nobody"):
        assert editor.sends(f"{LIST}/cs_1", to=f"{LIST}/{key}/notes", words="x").status_code == 404


def test_a_note_made_by_nobody_any_more_still_stands(editor: Editor) -> None:
    with writing() as connection:
        connection.execute(insert(gift_note).values(gift_key="cs_1", user_id=None, at=NOW, words="Old"))
        connection.execute(insert(note).values(gift_key="re_1", words="By phone"))
    said = words(editor.opens(f"{LIST}/cs_1").text)
    assert "Old an account that is gone, 2021-06-20 14:00" in said
    assert "By phone" in said


# --- Stripe's dashboard -----------------------------------------------------------------------------------------------


@each(
    ("stripe_id", "live", "address"),
    [
        ("pi_1", True, "https://dashboard.stripe.com/payments/pi_1"),
        ("pi_1", False, "https://dashboard.stripe.com/test/payments/pi_1"),
        ("ch_1", False, "https://dashboard.stripe.com/test/payments/ch_1"),
        ("in_1", True, "https://dashboard.stripe.com/invoices/in_1"),
        ("po_1", True, "https://dashboard.stripe.com/payouts/po_1"),
        ("evt_1", True, "https://dashboard.stripe.com/events/evt_1"),
        ("cs_test_1", False, ""),
        ("re_1", True, ""),
        ("offline:x", True, ""),
        ("pi_1/../x", True, ""),
        ("", True, ""),
    ],
)
def test_what_has_a_page_in_stripes_dashboard_is_linked_in_the_right_mode(
    stripe_id: str, live: bool, address: str
) -> None:
    assert dashboard_link(stripe_id, live) == address
    assert dashboard_link(stripe_id, live, "http://127.0.0.1:9") == ""


class TestAtStripe:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return {name: text for name, text in environ.items() if name != "STRIPE_API_BASE"}

    def test_the_gift_leads_to_its_payment_and_its_payout(self, editor: Editor) -> None:
        page = editor.opens(f"{LIST}/cs_1").text
        for address in ("payments/pi_cs_1", "payouts/po_1"):
            assert f'href="https://dashboard.stripe.com/test/{address}"' in page
