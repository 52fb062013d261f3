"""Closing a month in the browser: what is open, what is frozen, the line to keep, and reopening with a reason."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, each, gift_fact, refund_fact
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from web_admin import Editor, says

from tracker.giving.facts import BalanceTransaction, Payout
from tracker.giving.months import parse_month
from tracker.ledger import (
    book,
    closing_checks,
    month_closing,
    offline_gifts,
    pending_fetches,
    results,
    reversals,
    sync_runs,
)
from tracker.ledger.editor_models import reopening
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing

MAY, JUNE = parse_month("2021-05"), parse_month("2021-06")
PAID = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
NOW = datetime(2021, 6, 20, 12, tzinfo=UTC)
PAGE = "/admin/c/newsroom/months/2021-05/close"
REOPEN = "/admin/c/newsroom/months/2021-05/reopen"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def editor(app: Flask, clock: Any) -> Editor:
    record(gift_fact("cs_1", 5000))
    return Editor(app)


def record(*facts: Any) -> None:
    with writing() as session:
        for fact in facts:
            book.record(session, fact, NOW)


def settle(key: str = "cs_1", payout: str = "po_1", arrives: datetime = PAID + timedelta(days=7)) -> None:
    record(BalanceTransaction(f"txn_{key}", "gift", (f"pi_{key}",), 5000, 175, 4825, "USD", "", PAID, PAID, False))
    if payout:
        record(Payout(payout, arrives, (f"txn_{key}",), False))
    with writing() as session:
        for fetch in pending_fetches.take_due(session, False, NOW):
            pending_fetches.done(session, fetch)


def sync(since: str = "2021-05-01", began: str = "2021-06-20", **came: int) -> None:
    since_day, began_day = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in (since, began))
    found = {"mended": 0, "wrong": 0, "untied": 0} | came
    with writing() as session:
        sync_runs.keep(session, sync_runs.SyncRun(False, since_day, began_day, began_day, **found))


def all_done() -> None:
    settle()
    sync("2021-04-30")


def checklist(editor: Editor) -> dict[str, str]:
    """What is done and what is open, by its heading."""
    found = re.findall(r'<li class="(?:good|open)"><strong>(\w+)</strong><div><h3>(.*?)</h3>', editor.opens(PAGE).text)
    return {title: state for state, title in found}


def closed() -> results.MonthResult:
    with reading() as session:
        return results.result(session, NEWSROOM, MAY, False)


FEES, PAYOUTS = "Every fee is known", "All payouts are in"
WAITING, COMPARED = "Nothing is waiting", "Everything was compared with Stripe"


# --- Before -----------------------------------------------------------------------------------------------------------


def test_a_month_of_which_everything_is_known_is_closed_with_one_press(editor: Editor) -> None:
    all_done()
    assert checklist(editor) == dict.fromkeys((FEES, PAYOUTS, WAITING, COMPARED), "Done")
    page = editor.opens(PAGE).text
    assert "even though some points are open" not in page
    assert "The goal of 5,000 $." in page
    answer = editor.sends(PAGE)
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    found = closed()
    assert found.closed
    page = unescape(editor.opens(PAGE).text)
    line = re.findall(r"<code>(newsroom 2021-05 .*?)</code>", page)[0]
    assert line == (
        f"newsroom 2021-05 50.00 USD 2021-06-20T12:00:00Z head {found.head} file {found.public_hash}"
    )  # fmt: skip
    assert "May 2021 is closed" in page
    assert "Nothing so far." in page


def test_it_is_the_same_closing_as_the_commands(app: Flask, editor: Editor) -> None:
    all_done()
    editor.sends(PAGE)
    on_the_page = closed()
    with writing() as session:
        month_closing.reopen(session, NEWSROOM, MAY, False, NOW)
        by_command = month_closing.close(session, NEWSROOM, MAY, False, NOW)
    assert on_the_page == by_command


def test_what_is_open_is_named_and_has_to_be_confirmed(editor: Editor) -> None:
    assert checklist(editor) == {FEES: "Open", PAYOUTS: "Open", WAITING: "Done", COMPARED: "Open"}
    page = editor.opens(PAGE).text
    assert 'href="/admin/c/newsroom/gifts/cs_1">2021-05-14, 50 $' in page
    assert "tracker sync --since 2021-04-30" in page
    answer = editor.sends(PAGE)
    assert answer.status_code == 422
    assert "Some points are still open" in says(answer)
    assert not closed().closed
    assert editor.sends(PAGE, seen="y").status_code == 303
    assert closed().closed


def test_a_fee_that_is_not_known(editor: Editor) -> None:
    all_done()
    record(gift_fact("cs_2", 100), refund_fact("cs_1", 100, "re_1"))
    assert checklist(editor)[FEES] == "Open"
    assert "The fees of 2 entries are not known." in editor.opens(PAGE).text


def test_money_that_never_has_a_fee_keeps_nothing_open(editor: Editor) -> None:
    all_done()
    record(
        gift_fact("offline:1", 700, kind="offline", known_as=()),
        gift_fact("cs_2", 100, known_as=("pi_cs_1",)),
        gift_fact("in_cheque", 300, kind="monthly"),
    )
    with writing() as session:
        gift = session.execute(select(entry).where(entry.c.key == "in_cheque")).one()
        reversals.give_back(session, gift, 300, PAID + timedelta(days=1), "", "form:12345678", NOW)
        other = session.execute(select(entry).where(entry.c.key == "cs_1")).one()
        reversals.give_back(session, other, 100, PAID + timedelta(days=1), "", "form:23456789", NOW)
        assert offline_gifts.find(session, NEWSROOM, "offline:1", False)
    assert checklist(editor)[FEES] == "Done"


def test_however_much_never_has_a_fee_what_has_none_yet_is_found(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    all_done()
    monkeypatch.setattr(closing_checks, "MOST", 1)
    cheques = [f"in_cheque_{number}" for number in range(3)]
    record(*(gift_fact(key, 300, kind="monthly") for key in cheques))
    with writing() as session:
        for number, gift in enumerate(session.execute(select(entry).where(entry.c.key.in_(cheques))).all()):
            reversals.give_back(session, gift, 300, PAID + timedelta(days=1), "", f"form:1234567{number}", NOW)
    assert checklist(editor)[FEES] == "Done"
    record(gift_fact("cs_late"))
    assert checklist(editor)[FEES] == "Open"


def test_money_that_is_in_no_payout_yet(editor: Editor) -> None:
    settle(payout="")
    page = editor.opens(PAGE).text
    assert checklist(editor)[PAYOUTS] == "Open"
    assert "1 balance transaction is in no payout yet: 48.25 $." in page


def test_a_payout_that_is_on_its_way(editor: Editor) -> None:
    settle(arrives=NOW + timedelta(days=2))
    assert checklist(editor)[PAYOUTS] == "Open"
    assert "<code>po_1</code> (2021-06-22)" in editor.opens(PAGE).text


@each(
    ("of", "at", "state"),
    [
        ("pi_theirs", PAID, "Open"),
        # Of another month, it does not matter to this one.
        ("pi_theirs", PAID - timedelta(days=30), "Done"),
        ("pi_theirs", datetime(2021, 5, 31, 22, tzinfo=UTC), "Done"),
        ("pi_theirs", datetime(2021, 5, 31, 21, 59, tzinfo=UTC), "Open"),
    ],
)
def test_a_refund_without_its_gift_waits(app: Flask, clock: Any, of: str, at: datetime, state: str) -> None:
    from tracker.ledger.closing_checks import check

    with writing() as session:
        book.record(session, refund_fact("theirs", 100, f"re_{at:%d%H%M%m}", at=at, gift_known_as=(of,)), NOW)
        found = check(session, NEWSROOM, MAY, False, NOW)
        assert ("Open" if found.waiting else "Done") == state
        session.rollback()


def test_what_stripe_is_about_to_be_asked_for(editor: Editor) -> None:
    all_done()
    with writing() as session:
        pending_fetches.schedule(session, "payout", "po_2", False, NOW)
        pending_fetches.schedule(session, "payout", "po_live", True, NOW)
        pending_fetches.schedule(session, "payout", "po_later", False, NOW + timedelta(minutes=1))
    assert checklist(editor)[WAITING] == "Open"
    assert "Stripe is about to be asked for 1 fee or payout." in editor.opens(PAGE).text


RUNS: list[tuple[list[dict[str, Any]], str, str]] = [
    ([], "Open", "There has been no comparison yet."),
    ([{"since": "2021-04-30"}], "Done", "The last comparison was on 2021-06-20 02:00 and went back to 2021-04-30."),
    ([{"since": "2021-04-30", "mended": 2}], "Done", "It recorded 2 items that had been missing."),
    ([{"since": "2021-04-30", "wrong": 1}], "Open", "1 entry is not as Stripe has it."),
    ([{"since": "2021-04-30", "untied": 1}], "Open", "do not agree"),
    # The campaign's month begins at 22:00 of the day before, in UTC.
    ([{"since": "2021-05-01"}], "Open", "The comparisons do not cover the whole month yet"),
    ([{"since": "2021-04-30", "began": "2021-05-31"}], "Open", "The comparisons do not cover the whole month yet"),
    # Every night, a week back each time.
    ([{"since": f"2021-{m}", "began": f"2021-{n}"} for m, n in (("04-29", "05-06"), ("05-05", "05-19"), ("05-18", "06-02"))],
     "Done", "agrees with its balance to the cent"),
    ([{"since": "2021-04-29", "began": "2021-05-06"}, {"since": "2021-05-07", "began": "2021-06-02"}],
     "Open", "The comparisons do not cover"),
    # What was wrong then is right now.
    ([{"since": "2021-04-29", "began": "2021-06-01", "wrong": 3}, {"since": "2021-04-29", "began": "2021-06-02"}], "Done", ""),
    ([{"since": "2021-04-29", "began": "2021-06-01"}, {"since": "2021-05-29", "began": "2021-06-02", "wrong": 1}], "Open", ""),
]  # fmt: skip


@pytest.mark.parametrize(("runs", "state", "words"), RUNS)
def test_when_everything_was_compared(
    editor: Editor, runs: list[dict[str, Any]], state: str, words: str, database_url: str
) -> None:
    for run in runs:
        sync(**run)
    assert checklist(editor)[COMPARED] == state
    assert words in unescape(editor.opens(PAGE).text)


def test_a_month_that_is_not_over_cannot_be_closed(editor: Editor) -> None:
    page = "/admin/c/newsroom/months/2021-06/close"
    said = editor.opens(page).text
    assert "It can be closed from 2021-07-01 00:00, Berlin time." in said
    assert "<button" not in said.split("<h1>")[1]
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', editor.opens(PAGE).text)[0]
    assert editor.posts(page, csrf_token=token, seen="y", figures="0/0/500000").status_code == 422
    with reading() as session:
        assert not results.result(session, NEWSROOM, JUNE, False).closed


def test_what_comes_between_is_shown_before_it_is_frozen(editor: Editor) -> None:
    all_done()
    record(gift_fact("cs_late", 100))
    answer = editor.sends(PAGE, figures="5000/1/500000", seen="y")
    assert answer.status_code == 422
    assert "Something was recorded for this month in the meantime" in says(answer)
    assert "51 $" in answer.text
    assert not closed().closed


def test_without_the_token_nothing_is_closed(editor: Editor) -> None:
    all_done()
    assert editor.sends(PAGE, csrf_token="forged").status_code == 422
    assert not closed().closed


def test_a_while_after_signing_in_closing_asks_again_who_it_is(editor: Editor, clock: Any) -> None:
    all_done()
    clock.shift(timedelta(minutes=40))
    assert editor.opens(PAGE).status_code == 200
    answer = editor.sends(PAGE)
    assert (answer.status_code, "/admin/verify" in answer.headers["Location"]) == (303, True)
    assert not closed().closed


@each("address", [PAGE, REOPEN])
def test_strangers_are_led_to_the_sign_in(client: FlaskClient, address: str) -> None:
    assert "/admin/login" in client.post(address).headers["Location"]


# --- Afterwards -------------------------------------------------------------------------------------------------------


@pytest.fixture
def shut(editor: Editor) -> Editor:
    all_done()
    editor.sends(PAGE)
    return editor


def test_what_came_later_stands_with_the_closed_month(shut: Editor) -> None:
    record(refund_fact("cs_1", 1500, "re_late", at=NOW))
    page = unescape(shut.opens(PAGE).text)
    assert re.search(r'gifts/cs_1"><time[^>]*>2021-06-20 14:00</time></a></th><td>−15 \$</td>', page)
    assert 'href="/admin/c/newsroom/months/2021-06">2021-06<' in page


def test_a_month_is_reopened_with_a_reason_that_stays(shut: Editor) -> None:
    before = closed()
    answer = shut.sends(PAGE, to=REOPEN, reason=" A cheque was forgotten. ")
    assert (answer.status_code, answer.headers["Location"]) == (303, PAGE)
    assert not closed().closed
    with reading() as session:
        kept = session.execute(select(reopening)).one()
    assert (kept.reason, kept.raised, kept.head, kept.closed_at) == ("A cheque was forgotten.", 5000, before.head, NOW)
    page = unescape(shut.opens(PAGE).text)
    for said in (
        "May 2021 is open again.",
        "by ana@example.org",
        "A cheque was forgotten.",
        before.head,
        before.public_hash,
    ):
        assert said in page
    shut.sends(PAGE)
    assert closed().closed
    assert "A cheque was forgotten." in shut.opens(PAGE).text


def test_without_a_reason_it_stays_closed(shut: Editor) -> None:
    for reason in ("", "  ", "x" * 501):
        answer = shut.sends(PAGE, to=REOPEN, reason=reason)
        assert answer.status_code == 422
        assert says(answer)
    assert shut.sends(PAGE, to=REOPEN, reason="x", csrf_token="forged").status_code == 422
    assert closed().closed


def test_pressed_twice_it_is_reopened_once(shut: Editor) -> None:
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', shut.opens(PAGE).text)[0]
    for _ in range(2):
        assert shut.posts(REOPEN, csrf_token=token, reason="Again").status_code == 303
    with reading() as session:
        assert len(session.execute(select(reopening)).all()) == 1


def test_pressed_twice_it_is_closed_once(editor: Editor) -> None:
    all_done()
    page = editor.opens(PAGE).text
    token = re.findall(r'name="csrf_token"[^>]*value="([^"]+)"', page)[0]
    figures = re.findall(r'name="figures"[^>]*value="([^"]+)"', page)[0]
    assert editor.posts(PAGE, csrf_token=token, figures=figures).status_code == 303
    # The second time the page says that it is closed.
    answer = editor.posts(PAGE, csrf_token=token, figures=figures)
    assert "May 2021 is closed" in answer.text


# --- On the pages of months -------------------------------------------------------------------------------------------


def test_the_last_months_that_could_be_closed_are_offered(editor: Editor) -> None:
    record(*(gift_fact(f"cs_{month}", 100, at=PAID.replace(month=month)) for month in (1, 2, 3, 4)))
    page = editor.opens("/admin/c/newsroom/").text
    offered = re.findall(r'href="/admin/c/newsroom/months/([\d-]+)/close"', page)
    assert offered == ["2021-05", "2021-04", "2021-03"]
    with writing() as session:
        month_closing.close(session, NEWSROOM, MAY, False, NOW)
    page = editor.opens("/admin/c/newsroom/").text
    assert re.findall(r'href="/admin/c/newsroom/months/([\d-]+)/close"', page)[0] == "2021-04"


def test_a_months_page_leads_to_closing_it_and_to_what_it_was_closed_with(editor: Editor) -> None:
    month = "/admin/c/newsroom/months/2021-05"
    assert f'href="{PAGE}">Close this month<' in editor.opens(month).text
    assert "/close" not in editor.opens("/admin/c/newsroom/months/2021-06").text
    all_done()
    editor.sends(PAGE)
    assert f'href="{PAGE}">How it was closed' in editor.opens(month).text
