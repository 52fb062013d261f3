"""Notices as people meet them: chosen on the account page, confirmed by a link, sent once, and ended from the mail itself."""

import json
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import time_machine
from actors import MAY, NEWSROOM, PUBLIC_URL, Stripe, count, dispute_of, gift_fact, moment, session
from flask import Flask
from mail_server import MailServer, mail_server
from web.test_notice_webhook import SECRET, receiver
from web_admin import EMAIL, PASSWORD, Editor

from tracker.giving.card_testing import Counts
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import offline_gift
from tracker.ledger import audit_log, book, checkout_counts, month_closing, offline_gifts, outbox, sync_runs
from tracker.ledger.audit_log import Filter
from tracker.ledger.store import db, reading, writing
from tracker.web.admin import notice_sender
from tracker.web.admin.notice_sender import Outcome
from tracker.web.admin.signin import create_admin
from tracker.web.notices import smtp_mail

# What differs between the two databases is tried in tests/ledger/test_outbox.py.
pytestmark = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)

NOW = moment("2021-05-14T09:31")
DAY = timedelta(days=1)


@pytest.fixture(scope="module")
def running() -> Iterator[MailServer]:
    with mail_server() as made:
        yield made


@pytest.fixture
def post(running: MailServer) -> MailServer:
    """The mail server, with nothing in it."""
    running.taken.clear()
    running.refuses_to = running.refuses_data = ""
    return running


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


@pytest.fixture
def environ(environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
    if "post" not in request.fixturenames:
        return environ
    port = request.getfixturevalue("post").port
    return environ | {"TRACKER_SMTP_URL": f"smtp://127.0.0.1:{port}", "TRACKER_MAIL_FROM": "notices@example.org"}


@pytest.fixture
def editor(app: Flask, clock: Any) -> Editor:
    return Editor(app)


def gives(amount: int = 500_000, key: str = "cs_1", **more: Any) -> None:
    with writing() as writer:
        book.record(writer, gift_fact(key, amount, **more), NOW)


def links(mail: Any) -> list[str]:
    """The addresses of a mail's text, without our host."""
    return re.findall(rf"{re.escape(PUBLIC_URL)}(\S+)", text(mail))


def text(mail: Any) -> str:
    return str(mail.get_body(("plain",)).get_content())


def wants(editor: Editor, post: MailServer, *kinds: str) -> None:
    """Chooses notices, and confirms the address with the link that comes."""
    editor.sends("/admin/account", to="/admin/account/notices", **dict.fromkeys(kinds, "1"))
    if post.taken:
        (link,) = [one for one in links(post.taken.pop()) if "/confirm/" in one]
        assert editor.browser.post(link).status_code == 200


def lines(action: str) -> list[audit_log.Line]:
    with reading() as reader:
        return audit_log.lines(reader, Filter(action=action), limit=50)


# --- Off until set up, and until chosen -------------------------------------------------------------------------------


def test_without_a_mail_server_nothing_is_offered_and_nothing_is_done(app: Flask, editor: Editor) -> None:
    assert "Notices</h2>" not in editor.opens("/admin/account").text
    assert editor.sends("/admin/account", to="/admin/account/notices", weekly="1").status_code == 404
    page = editor.opens("/admin/notices").text
    assert "neither a mail server nor a webhook is set up" in page
    assert "<form" not in page.partition("<main")[2]
    for way in ("mail", "webhook"):
        assert editor.sends("/admin/account", to="/admin/notices/test", way=way).status_code == 400
    gives()
    assert notice_sender.keep_up(NOW) == Outcome()
    with reading() as reader:
        assert count(reader, "notice") == 0


def test_nobody_gets_anything_before_choosing_it(app: Flask, editor: Editor, post: MailServer) -> None:
    gives()
    assert notice_sender.keep_up(NOW) == Outcome()
    assert post.taken == []


def test_nothing_is_sent_to_an_address_before_its_reader_has_confirmed_it(
    app: Flask, editor: Editor, post: MailServer
) -> None:
    gives()
    answer = editor.sends("/admin/account", to="/admin/account/notices", goal_reached="1")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/account#notices")
    page = editor.opens("/admin/account").text
    assert "Nothing is sent yet: your address is not confirmed." in page
    assert "An e-mail with a link was sent on 2021-05-14 09:31 UTC." in page
    notice_sender.keep_up(NOW)
    (mail,) = post.taken
    assert (mail["To"], mail["Subject"], mail["List-Unsubscribe"]) == (EMAIL, "Confirm your address for notices", None)
    # A program that looks for viruses opens the link; somebody else, in another browser, without signing in.
    (link,) = links(mail)
    stranger = app.test_client()
    assert "Confirm this address" in stranger.get(link).text
    assert notice_sender.keep_up(NOW + timedelta(minutes=5)) == Outcome()
    answer = stranger.post(link)
    assert (answer.status_code, "from now on" in answer.text, answer.headers["Cache-Control"]) == (
        200,
        True,
        "no-store",
    )
    assert notice_sender.keep_up(NOW + timedelta(minutes=10)) == Outcome(sent=1)
    assert "not confirmed" not in editor.opens("/admin/account").text
    assert [line.about for line in lines("notices.confirmed")] == [EMAIL]
    assert lines("notices.chosen")[0].changes == [("notices", [], ["goal_reached"])]


def test_a_link_that_confirms_is_good_for_three_days_and_for_this_address_alone(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    editor.sends("/admin/account", to="/admin/account/notices", weekly="1")
    (link,) = links(post.taken[0])
    with writing() as writer:
        writer.connection().exec_driver_sql("UPDATE user_account SET email = 'new@example.org'")
    assert app.test_client().post(link).status_code == 404
    with writing() as writer:
        writer.connection().exec_driver_sql(f"UPDATE user_account SET email = '{EMAIL}'")
    assert app.test_client().get(f"{link}x").status_code == 404
    assert app.test_client().get("/notices/confirm/nonsense").status_code == 404
    clock.move_to(NOW + 3 * DAY + timedelta(seconds=2))
    assert app.test_client().post(link).status_code == 404


def test_a_mailbox_cannot_be_filled_with_links(app: Flask, editor: Editor, post: MailServer, clock: Any) -> None:
    answers = []
    for number in range(7):
        clock.move_to(NOW + timedelta(seconds=number))
        answers.append(editor.sends("/admin/account", to="/admin/account/notices", weekly="1").status_code)
    assert answers == [303] * 5 + [429] * 2
    assert len(post.taken) == 5


def test_a_link_that_could_not_be_sent_is_said_and_sent_later(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    post.refuses_data = "452 Full"
    editor.sends("/admin/account", to="/admin/account/notices", weekly="1")
    page = editor.opens("/admin/account").text
    assert "The link could not be sent yet." in page
    assert "The e-mail with the link could not be sent: The mail server refuses the e-mail." in page
    post.refuses_data = ""
    assert notice_sender.keep_up(NOW + timedelta(minutes=5)) == Outcome(sent=1)
    assert post.taken[0]["Subject"] == "Confirm your address for notices"


# --- Each kind --------------------------------------------------------------------------------------------------------


def test_a_goal_that_is_reached_is_told_of_once_with_the_pages_figures(
    app: Flask, editor: Editor, post: MailServer
) -> None:
    wants(editor, post, "goal_reached")
    gives(499_999)
    assert notice_sender.keep_up(NOW) == Outcome()
    gives(26, "cs_2", name="Ada Lovelace", message="For the courts")
    at = NOW + timedelta(minutes=5)
    assert notice_sender.keep_up(at) == Outcome(sent=1)
    assert notice_sender.keep_up(at + DAY) == Outcome()
    (mail,) = post.taken
    assert mail["Subject"] == "Support the newsroom: goal reached"
    assert "May 2021 has reached its goal of 5,000 $." in text(mail)
    assert "Raised so far: 5,000.25 $, in 2 gifts." in text(mail)
    page = editor.opens(next(one for one in links(mail) if "/months/" in one)).text
    assert "5,000.25 $" in page
    assert "Ada" not in mail.as_string()
    assert "courts" not in mail.as_string()


def test_each_person_gets_their_own(app: Flask, editor: Editor, post: MailServer) -> None:
    create_admin("ben@example.org", PASSWORD, "reader")
    ben = Editor(app, "ben@example.org")
    wants(editor, post, "goal_reached", "weekly")
    wants(ben, post, "goal_reached")
    gives()
    assert notice_sender.keep_up(NOW) == Outcome(sent=2)
    assert sorted(str(mail["To"]) for mail in post.taken) == [EMAIL, "ben@example.org"]
    assert len({str(mail["Message-ID"]) for mail in post.taken}) == 2


def test_a_dispute_is_told_of_when_it_comes_and_before_it_is_too_late(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    wants(editor, post, "dispute_due")
    stripe = Stripe(app.test_client())
    stripe.sends(stripe.event("checkout.session.completed", session(created=int(NOW.timestamp()))))
    due = NOW + 10 * DAY
    details = {"due_by": int(due.timestamp())}
    stripe.sends(stripe.event("charge.dispute.created", dispute_of("pi_cs_test_1", -1000, evidence_details=details)))
    for at, sent in ((NOW, 1), (NOW + DAY, 0), (due - 2 * DAY, 1), (due - DAY, 0), (due + DAY, 0)):
        clock.move_to(at)
        assert notice_sender.keep_up(at) == Outcome(sent=sent), at
    assert {str(mail["Subject"]) for mail in post.taken} == {
        "Support the newsroom: answer a dispute by 2021-05-24 11:31"
    }
    assert "A bank disputes a gift: 10 $." in text(post.taken[0])
    assert "or the money is lost." in text(post.taken[0])
    assert "du_1" in text(post.taken[0])


def test_silence_is_told_of_when_a_checkout_was_opened_and_nothing_came(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    wants(editor, post, "webhook_silent")
    stripe = Stripe(app.test_client())
    stripe.sends(stripe.event("checkout.session.completed", session(created=int(NOW.timestamp()))))
    with writing() as writer:
        checkout_counts.add(writer, "newsroom", False, Counts(opened=1), NOW + timedelta(hours=1))
    for hours, sent in ((2, 0), (3, 0), (4, 1), (6, 0)):
        assert notice_sender.keep_up(NOW + timedelta(hours=hours)) == Outcome(sent=sent), hours
    (mail,) = post.taken
    assert mail["Subject"] == "Nothing is arriving from Stripe"
    assert "Something should have arrived since 2021-05-14 10:31 UTC" in text(mail)
    assert "The last webhook came on 2021-05-14 09:31 UTC." in text(mail)
    # It speaks again, and is silent again.
    clock.move_to(NOW + timedelta(hours=7))
    stripe.sends(stripe.event("checkout.session.completed", session("cs_test_2", created=int(NOW.timestamp()))))
    assert notice_sender.keep_up(NOW + timedelta(hours=12)) == Outcome()


def test_a_run_of_sync_with_something_wrong_is_told_of(app: Flask, editor: Editor, post: MailServer) -> None:
    wants(editor, post, "sync_failed")
    with writing() as writer:
        sync_runs.keep(writer, sync_runs.SyncRun(False, MAY, NOW, NOW, 3, 0, 0))
    assert notice_sender.keep_up(NOW) == Outcome()
    later = NOW + timedelta(hours=1)
    with writing() as writer:
        sync_runs.keep(writer, sync_runs.SyncRun(False, MAY, later, later, 0, 2, 1))
    assert notice_sender.keep_up(later) == Outcome(sent=1)
    assert "Differences from Stripe: 2. Months and lines that do not tie out: 1." in text(post.taken[0])


def test_a_month_is_ready_once_its_checklist_is_done(app: Flask, editor: Editor, post: MailServer) -> None:
    wants(editor, post, "month_ready")
    with writing() as writer:
        # A cheque has no fee and no payout.
        cheque = offline_gift(NEWSROOM, False, NOW.date(), 1250, "A cheque", "1")
        offline_gifts.write_down(writer, [cheque], NOW)
    june = moment("2021-06-02T10:00")
    assert notice_sender.keep_up(june) == Outcome()
    with writing() as writer:
        sync_runs.keep(writer, sync_runs.SyncRun(False, moment("2021-04-30T00:00"), june, june, 0, 0, 0))
    at = june + timedelta(hours=2)
    assert notice_sender.keep_up(at) == Outcome(sent=1)
    (mail,) = post.taken
    assert mail["Subject"] == "Support the newsroom: May 2021 is ready to close"
    with time_machine.travel(at, tick=False):
        page = Editor(app).opens(next(one for one in links(mail) if one.endswith("/close")))
    assert (page.status_code, "Some points are still open" in page.text) == (200, False)
    with writing() as writer:
        month_closing.close(writer, NEWSROOM, parse_month("2021-05"), False, at)
    assert notice_sender.keep_up(at + DAY) == Outcome()


def test_the_week_comes_on_monday_with_the_bar_inside_the_mail(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    wants(editor, post, "weekly")
    # The week begins at midnight on the campaign's clock, on the 10th, which is two hours before.
    gives(1000, "cs_before", at=moment("2021-05-09T21:59"))
    gives(2000, "cs_first", at=moment("2021-05-09T22:00"))
    gives(3000, "cs_last", at=moment("2021-05-16T21:59"))
    gives(4000, "cs_after", at=moment("2021-05-16T22:00"))
    monday = moment("2021-05-17T06:00")
    for at, sent in ((monday - timedelta(minutes=3), 0), (monday, 1), (monday + DAY, 0)):
        clock.move_to(at)
        assert notice_sender.keep_up(at) == Outcome(sent=sent), at
    (mail,) = post.taken
    assert mail["Subject"] == "The week to 2021-05-16"
    assert "Last week: 50 $, in 2 gifts. The week before: 10 $." in text(mail)
    assert "May 2021 so far: 100 $ of 5,000 $ (2 %)." in text(mail)
    html = mail.get_body(("html",)).get_content()
    assert re.findall(r'<img src="([^"]+)" alt="([^"]+)"', html) == [("cid:bar-1", "May 2021: 100 $ of 5,000 $")]
    # Nothing in it is loaded from anywhere, so nobody learns that it was opened.
    assert re.findall(r'(?:src|background)="(?!cid:)|url\(|<link|@import', html) == []
    (picture,) = [part for part in mail.walk() if part.get_content_type() == "image/png"]
    assert picture["Content-ID"] == "<bar-1>"
    assert picture.get_content().startswith(b"\x89PNG")


def test_whoever_chooses_the_week_on_tuesday_gets_the_next_one(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    tuesday = moment("2021-05-18T08:00")
    clock.move_to(tuesday)
    wants(Editor(app), post, "weekly")
    assert notice_sender.keep_up(tuesday) == Outcome()
    assert notice_sender.keep_up(moment("2021-05-24T06:00")) == Outcome(sent=1)


# --- Ended by its reader ----------------------------------------------------------------------------------------------


def a_mail(app: Flask, editor: Editor, post: MailServer) -> tuple[Any, str]:
    """One about a goal, and where its reader ends such mails."""
    wants(editor, post, "goal_reached", "weekly")
    gives()
    notice_sender.keep_up(NOW)
    mail = post.taken[-1]
    stop = str(mail["List-Unsubscribe"]).strip("<>").removeprefix(PUBLIC_URL)
    assert stop.startswith("/notices/stop/")
    assert stop in links(mail)
    assert stop in mail.get_body(("html",)).get_content()
    return mail, stop


def chosen(number: int = 1) -> list[str]:
    with reading() as reader:
        return outbox.chosen_by(reader, outbox.mail_to(number))


def test_one_press_in_the_mail_program_ends_that_kind(app: Flask, editor: Editor, post: MailServer) -> None:
    mail, stop = a_mail(app, editor, post)
    assert mail["List-Unsubscribe-Post"] == "List-Unsubscribe=One-Click"
    # The mail provider's own server: no cookie, no referrer, and it follows no redirect.
    answer = app.test_client().post(stop, data={"List-Unsubscribe": "One-Click"})
    assert answer.status_code == 200
    assert chosen() == ["weekly"]
    assert 'name="goal_reached" value="1">' in editor.opens("/admin/account").text
    assert lines("notices.chosen")[0].changes == [("notices", ["goal_reached", "weekly"], ["weekly"])]
    # Pressed twice, or an old mail's: the same, and no second line.
    assert app.test_client().post(stop).status_code == 200
    assert len(lines("notices.chosen")) == 2


def test_opening_the_link_ends_nothing_and_shows_a_button(app: Flask, editor: Editor, post: MailServer) -> None:
    _, stop = a_mail(app, editor, post)
    answer = app.test_client().get(stop)
    assert "You get e-mails about this: “A goal is reached”." in answer.text
    assert "Stop these notices</button>" in answer.text
    assert (answer.headers["Cache-Control"], answer.headers["Referrer-Policy"]) == ("no-store", "no-referrer")
    assert chosen() == ["goal_reached", "weekly"]
    assert "You will get no more e-mails about “A goal is reached”" in app.test_client().post(stop).text


def test_all_can_be_ended_at_once(app: Flask, editor: Editor, post: MailServer) -> None:
    _, stop = a_mail(app, editor, post)
    assert "You will get no more notices." in app.test_client().post(stop, data={"all": "1"}).text
    assert chosen() == []


@pytest.mark.parametrize("method", ["get", "post"])
def test_a_link_that_is_not_ours_ends_nothing(app: Flask, editor: Editor, post: MailServer, method: str) -> None:
    _, stop = a_mail(app, editor, post)
    token = stop.rpartition("/")[2]
    for wrong in (token[:-1], token + "x", "x", "WyJtYWlsOjEiLCJ3ZWVrbHkiXQ", f"{token}%00"):
        assert getattr(app.test_client(), method)(f"/notices/stop/{wrong}").status_code == 404
    assert len(chosen()) == 2


# --- The owner's page -------------------------------------------------------------------------------------------------


def test_an_owner_sends_a_test_and_reads_what_came_of_it(
    app: Flask, editor: Editor, post: MailServer, clock: Any
) -> None:
    page = editor.opens("/admin/notices").text
    assert "choose a notice and confirm your address first" in page
    assert editor.sends("/admin/notices", to="/admin/notices/test", way="mail").status_code == 400
    wants(editor, post, "weekly")
    assert editor.sends("/admin/notices", to="/admin/notices/test", way="mail").status_code == 303
    page = editor.opens("/admin/notices").text
    assert "The mail server accepted the test." in page
    assert "1 person gets notices by e-mail." in page
    assert [str(mail["Subject"]) for mail in post.taken] == ["A test notice"]
    clock.shift(1)
    post.refuses_to = "550 No such user"
    editor.sends("/admin/notices", to="/admin/notices/test", way="mail")
    page = editor.opens("/admin/notices").text
    assert "The test was not sent: The mail server refuses the recipient&#39;s address. (550 No such user)" in page
    assert "not sent</strong>" in page
    # What will never work is not tried again.
    assert notice_sender.keep_up(NOW + DAY) == Outcome()


def test_a_mail_server_that_is_away_is_asked_once_and_the_rest_waits(
    app: Flask, editor: Editor, post: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    create_admin("ben@example.org", PASSWORD)
    for person in (editor, Editor(app, "ben@example.org")):
        wants(person, post, "goal_reached")
    gives()
    asked = []

    def away(*_: object, **__: object) -> None:
        asked.append(1)
        raise ConnectionRefusedError(111, "Connection refused")

    with monkeypatch.context() as patch:
        patch.setattr(smtp_mail.smtplib, "SMTP", away)
        assert notice_sender.keep_up(NOW) == Outcome(failed=1)
    assert len(asked) == 1
    page = editor.opens("/admin/notices").text
    assert "not sent yet; next try on 2021-05-14 09:36" in page
    assert "The server does not answer. <code>Connection refused</code>" in page
    assert notice_sender.keep_up(NOW + timedelta(minutes=5)) == Outcome(sent=2)


def test_no_transaction_is_open_while_a_notice_is_sent(
    app: Flask, editor: Editor, post: MailServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    seen: list[bool] = []
    real = smtp_mail.send

    def send(*given: Any) -> None:
        seen.append(db.session().in_transaction())
        real(*given)

    monkeypatch.setattr(smtp_mail, "send", send)
    wants(editor, post, "goal_reached")
    gives()
    notice_sender.keep_up(NOW)
    editor.sends("/admin/notices", to="/admin/notices/test", way="mail")
    assert seen == [False] * 3


# --- The webhook ------------------------------------------------------------------------------------------------------


@contextmanager
def with_webhook(environ: dict[str, str], *statuses: str) -> Iterator[Any]:
    with receiver(*statuses) as (url, came):
        environ |= {"TRACKER_NOTICE_URL": f"{url}/hook", "TRACKER_NOTICE_SECRET": SECRET}
        yield came


@pytest.fixture
def hook(environ: dict[str, str]) -> Iterator[Any]:
    """A receiver, and what came to it; asked for before the app is made."""
    with with_webhook(environ) as came:
        yield came


def test_the_webhook_gets_the_kinds_that_an_owner_chose(hook: Any, app: Flask, editor: Editor) -> None:
    gives()
    assert notice_sender.keep_up(NOW) == Outcome()
    editor.sends("/admin/notices", to="/admin/notices/webhook", goal_reached="1")
    assert lines("notices.webhook_chosen")[0].changes == [("notices", [], ["goal_reached"])]
    assert notice_sender.keep_up(NOW) == Outcome(sent=1)
    ((headers, body),) = hook
    found = json.loads(body)
    assert (found["type"], found["timestamp"]) == ("notice.goal_reached", "2021-05-14T09:31:00Z")
    data = found["data"]
    assert {name: data[name] for name in ("campaign", "month", "goal", "raised", "gifts", "currency", "live")} == {
        "campaign": "newsroom", "month": "2021-05", "goal": 500_000, "raised": 500_000, "gifts": 1, "currency": "USD",
        "live": False,
    }  # fmt: skip
    assert data["url"] == f"{PUBLIC_URL}/admin/c/newsroom/months/2021-05"
    assert data["subject"] == "Support the newsroom: goal reached"
    assert re.fullmatch(r"notice_[0-9a-f]+_1", headers["HTTP_WEBHOOK_ID"])
    page = editor.opens("/admin/notices").text
    assert "By e-mail" in page
    assert "127.0.0.1" in page
    assert "/hook" not in page


def test_a_test_is_posted_to_the_webhook(hook: Any, app: Flask, editor: Editor) -> None:
    editor.sends("/admin/notices", to="/admin/notices/test", way="webhook")
    assert "The receiver accepted the test." in editor.opens("/admin/notices").text
    assert json.loads(hook[0][1])["type"] == "notice.test"


def test_a_receiver_that_says_gone_gets_no_more(environ: dict[str, str], request: pytest.FixtureRequest) -> None:
    with with_webhook(environ, "410 Gone") as came, time_machine.travel(NOW, tick=False):
        editor = Editor(request.getfixturevalue("app"))
        editor.sends("/admin/notices", to="/admin/notices/webhook", goal_reached="1", weekly="1")
        gives()
        assert notice_sender.keep_up(NOW) == Outcome(failed=1)
        assert notice_sender.keep_up(NOW + DAY) == Outcome()
        assert len(came) == 1
        assert "wants no more notices (410)" in editor.opens("/admin/notices").text
    assert lines("notices.webhook_chosen")[0].command == "webhook: 410 Gone"
    with reading() as reader:
        assert outbox.chosen_by(reader, outbox.WEBHOOK) == []


def test_a_notice_is_posted_again_under_the_same_id(environ: dict[str, str], request: pytest.FixtureRequest) -> None:
    with with_webhook(environ, "503 Away", "204 No Content") as came, time_machine.travel(NOW, tick=False):
        editor = Editor(request.getfixturevalue("app"))
        editor.sends("/admin/notices", to="/admin/notices/webhook", goal_reached="1")
        gives()
        assert notice_sender.keep_up(NOW) == Outcome(failed=1)
        assert "The receiver answered with an error. <code>503 " in editor.opens("/admin/notices").text
        assert notice_sender.keep_up(NOW + timedelta(minutes=4)) == Outcome()
        assert notice_sender.keep_up(NOW + timedelta(minutes=5)) == Outcome(sent=1)
    (first, body), (second, again) = came
    assert first["HTTP_WEBHOOK_ID"] == second["HTTP_WEBHOOK_ID"]
    assert int(second["HTTP_WEBHOOK_TIMESTAMP"]) - int(first["HTTP_WEBHOOK_TIMESTAMP"]) == 300
    assert json.loads(body)["timestamp"] == json.loads(again)["timestamp"]
