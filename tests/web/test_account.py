"""One's own account: the password, where one is signed in, and saying once more who one is before what is dangerous."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, count, each
from flask import Flask
from web_admin import EMAIL, PASSWORD, Editor, hidden_in, says

from tracker import create_app
from tracker.ledger import campaigns, store
from tracker.ledger.store import reading
from tracker.settings import Settings
from tracker.web.admin.signin.accounts import create_admin, every, reset, set_active

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
NEW_PASSWORD = "wet lamp counts eleven"


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


# --- The password -----------------------------------------------------------------------------------------------------


def changes_password(editor: Editor, old: str = PASSWORD, new: str = NEW_PASSWORD, again: str = "") -> Any:
    return editor.sends("/admin/account/password", password=old, new_password=new, new_password_confirm=again or new)


def test_a_new_password_signs_out_everywhere_else(app: Flask) -> None:
    editor, phone = Editor(app), Editor(app)
    answer = changes_password(phone)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/account")
    assert phone.is_in()
    assert not editor.is_in()
    editor.signs_in(PASSWORD)
    assert not editor.is_in()
    editor.signs_in(NEW_PASSWORD)
    assert editor.is_in()


@each(
    ("typed", "words"),
    [
        ({"old": "not the old one"}, "That password is wrong."),
        ({"old": ""}, "Enter a password."),
        ({"new": "123456789012"}, "too easy to guess"),
        ({"new": EMAIL}, "too easy to guess"),
        ({"new": "short"}, "12 characters or more"),
        ({"new": PASSWORD}, "That is your password already."),
        ({"again": "wet lamp counts twelve"}, "The two new passwords differ."),
        ({"new": "wet lamp counts eleven " * 20}, "128 characters at most"),
    ],
)
def test_a_new_password_that_will_not_do_is_said_and_changes_nothing(
    app: Flask, typed: dict[str, str], words: str
) -> None:
    editor = Editor(app)
    answer = changes_password(editor, **typed)
    assert words in says(answer)
    editor.posts("/admin/logout")
    editor.signs_in()
    assert editor.is_in()


@each(
    ("typed", "field"),
    [
        ({"old": ""}, "password"),
        ({"old": "not the old one"}, "password"),
        ({"new": "123456789012"}, "new_password"),
        ({"again": "wet lamp counts twelve"}, "new_password_confirm"),
    ],
)
def test_the_field_that_is_wrong_is_marked_and_the_list_of_errors_leads_to_it(
    app: Flask, typed: dict[str, str], field: str
) -> None:
    page = changes_password(Editor(app), **typed).text
    assert re.findall(r'aria-invalid="true"[^>]* id="(\w+)"', page) == [field]
    assert re.search(rf'aria-describedby="[^"]*\b{field}-wrong"', page)
    assert f'class="wrong" id="{field}-wrong"' in page
    assert f'<a href="#{field}">' in page
    assert len(re.findall("autofocus", page)) == 1


@each(
    ("address", "typed", "field"),
    [
        ("/admin/account/app", {"code": "000000"}, "code"),
        ("/admin/account/app", {"code": ""}, "code"),
        ("/admin/account/passkeys", {"name": ""}, "name"),
        ("/admin/c/newsroom/snippets", {"article": ""}, "article"),
        ("/admin/c/newsroom/offline", {"amount": "lots", "date": "2021-05-14"}, "amount"),
    ],
)
def test_every_form_marks_its_fields_in_the_same_way(
    app: Flask, address: str, typed: dict[str, str], field: str
) -> None:
    page = Editor(app).sends(address, **typed).text
    assert re.findall(r'aria-invalid="true"[^>]* id="(\w+)"', page) == [field]
    assert f'class="wrong" id="{field}-wrong"' in page
    assert re.search(rf'<div class="faults" role="alert"[^>]*>.*<a href="#{field}">', page, re.DOTALL)


def test_the_old_password_cannot_be_guessed_by_whoever_finds_the_screen_unlocked(app: Flask) -> None:
    editor = Editor(app)
    tries = [says(changes_password(editor, old=f"guess number {number}")) for number in range(21)]
    assert "Too many attempts" in tries[-1]
    assert "Too many attempts" in says(changes_password(editor))
    assert "Too many attempts" in says(editor.sends("/admin/verify", password=PASSWORD))


# --- Sessions ---------------------------------------------------------------------------------------------------------


def test_signing_out_everywhere_ends_every_session(app: Flask) -> None:
    browsers = [Editor(app) for _ in range(3)]
    assert "Here and in 2 other browsers." in browsers[0].opens("/admin/account").text
    answer = browsers[0].sends("/admin/account", to="/admin/account/sign-out-everywhere")
    assert (answer.status_code, answer.headers["Location"]) == (303, "/admin/login")
    assert not any(browser.is_in() for browser in browsers)
    assert "You are signed out everywhere." in browsers[0].opens("/admin/login").text


@pytest.mark.parametrize("what", ["disable", "reset", "new password"])
def test_whoever_is_disabled_or_reset_is_out_at_once_in_every_process(
    app: Flask, settings: Settings, what: str
) -> None:
    other_process = create_app(settings, background=False)
    editor = Editor(app)
    cookie = editor.browser.get_cookie("pledgebar")
    assert cookie is not None
    elsewhere = Editor(app, signs_in=False)
    elsewhere.browser = other_process.test_client()
    elsewhere.browser.set_cookie("pledgebar", cookie.value)
    assert editor.is_in()
    assert elsewhere.is_in()
    if what == "disable":
        assert set_active(EMAIL, active=False) == 1
    elif what == "reset":
        assert reset(EMAIL, NEW_PASSWORD).sessions == 1
    else:
        create_admin(EMAIL, NEW_PASSWORD)
    assert not editor.is_in()
    assert not elsewhere.is_in()
    store.close(other_process)


def test_whoever_is_disabled_halfway_through_a_sign_in_does_not_get_in(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    phone = editor.sets_up_an_app()
    editor.posts("/admin/logout")
    clock.shift(timedelta(seconds=30))
    editor.signs_in()
    set_active(EMAIL, active=False)
    editor.sends("/admin/login/code", code=phone.shows())
    assert not editor.is_in()
    set_active(EMAIL, active=True)
    assert not editor.is_in()


def test_a_disabled_account_sounds_like_a_wrong_password(app: Flask) -> None:
    editor = Editor(app)
    editor.posts("/admin/logout")
    set_active(EMAIL, active=False)
    assert says(editor.signs_in()) == "The e-mail address or the password is wrong."
    set_active(EMAIL, active=True)
    editor.signs_in()
    assert editor.is_in()


def test_a_reset_takes_the_second_factor_and_the_recovery_codes_away(app: Flask) -> None:
    editor = Editor(app)
    editor.sets_up_an_app()
    editor.gets_recovery_codes()
    had = reset(EMAIL, NEW_PASSWORD)
    assert (had.app, had.passkeys, had.recovery_codes, had.sessions) == (True, 0, 10, 1)
    assert editor.signs_in(NEW_PASSWORD).headers["Location"] == "/admin/"
    assert editor.is_in()
    (account,) = every()
    assert (account.app, account.recovery_codes, account.sessions) == (False, 0, 1)


@each("email", ["nobody@example.org", "x", ""])
def test_an_account_that_is_not_there_cannot_be_changed(app: Flask, email: str) -> None:
    with pytest.raises(ValueError, match=r"There is no account|is not an e-mail address"):
        set_active(email, active=False)
    with pytest.raises(ValueError, match=r"There is no account|is not an e-mail address"):
        reset(email, NEW_PASSWORD)


def test_sessions_that_are_over_leave_no_rows_behind(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    for _ in range(3):
        clock.shift(timedelta(hours=13))
        editor.signs_in()
    with reading() as connection:
        assert count(connection, "user_session") == 1


# --- Saying once more who one is --------------------------------------------------------------------------------------

DANGEROUS = [
    "/admin/account/app", "/admin/account/recovery-codes", "/admin/account/passkeys",
    "/admin/c/newsroom/offline/take-back?gift=x", "/admin/c/newsroom/give-back?gift=x",
    "/admin/c/newsroom/give-back/undo?entry=x",
]  # fmt: skip


@pytest.mark.parametrize("address", DANGEROUS)
def test_what_is_dangerous_asks_again_a_quarter_of_an_hour_after_signing_in(
    app: Flask, clock: Any, address: str
) -> None:
    editor = Editor(app)
    assert editor.opens(address).status_code in (200, 404)
    clock.shift(timedelta(minutes=21))
    assert editor.is_in()
    answer = editor.opens(address)
    assert answer.headers["Location"].startswith("/admin/verify?next=")
    confirm = answer.headers["Location"]
    assert "wrong" in says(editor.sends(confirm, password="not the password"))
    answer = editor.sends(confirm, password=PASSWORD)
    assert answer.headers["Location"] == address
    assert editor.opens(address).status_code in (200, 404)


def test_a_file_of_entries_leads_back_to_the_page_it_is_on(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    file, page = "/admin/c/newsroom/entries.csv", "/admin/c/newsroom/months/2021-05"
    assert editor.opens(file).status_code == 200
    clock.shift(timedelta(minutes=21))
    answer = editor.opens(file, headers={"Referer": f"http://localhost{page}"})
    assert answer.headers["Location"] == f"/admin/verify?next={page}"
    assert editor.sends(answer.headers["Location"], password=PASSWORD).headers["Location"] == page
    assert "Thank you. Please go on." in editor.opens(page).text
    assert editor.opens(file).status_code == 200


@each("file", ["every-month.csv", "journal.csv?month=2021-05&for=", "donors.csv?year=2021"])
def test_so_does_every_other_file(app: Flask, file: str) -> None:
    page = "/admin/c/newsroom/files"
    with time_machine.travel(NOW, tick=False) as clock:
        editor = Editor(app)
        clock.shift(timedelta(minutes=21))
        answer = editor.opens(f"/admin/c/newsroom/{file}", headers={"Referer": f"http://localhost{page}"})
        assert answer.headers["Location"] == f"/admin/verify?next={page}"


@each("referrer", ["", "https://evil.example/admin/x", "http://localhost/elsewhere", "http://[", "//x"])
def test_a_file_asked_for_from_nowhere_leads_to_the_start(app: Flask, referrer: str) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        editor = Editor(app)
        clock.shift(timedelta(minutes=21))
        answer = editor.opens("/admin/c/newsroom/entries.csv", headers={"Referer": referrer})
        assert answer.headers["Location"] == "/admin/verify?next=/admin/"


@pytest.mark.parametrize("typed", [{"paused": "y"}, {"held_month": "2021-04"}])
def test_settings_that_stop_giving_ask_again_and_keep_what_was_typed(
    app: Flask, clock: Any, typed: dict[str, str]
) -> None:
    editor = Editor(app)
    clock.shift(timedelta(minutes=21))
    sent = {
        "title": "New words", "time_zone": "Europe/Berlin", "locale": "en_US", "amount_pattern": "#,##0 ¤",
        "once": "10", "monthly": "5", "minimum": "2", "maximum": "100", "story": "Line one\r\nline two <b>",
    }  # fmt: skip
    answer = editor.sends("/admin/c/newsroom/settings", **sent | typed)
    assert answer.headers["Location"] == "/admin/verify?next=/admin/unsent"
    with reading() as connection:
        assert campaigns.find(connection, "newsroom") == NEWSROOM
    assert editor.sends("/admin/verify?next=/admin/unsent", password=PASSWORD).headers["Location"] == "/admin/unsent"
    page = editor.opens("/admin/unsent").text
    assert "New words" in page
    assert "line two &lt;b&gt;" in page
    answer = editor.posts("/admin/c/newsroom/settings", **hidden_in(page) | sent | typed)
    assert answer.status_code == 303
    with reading() as connection:
        after = campaigns.find(connection, "newsroom")
    assert after is not None
    assert (after.title, after.paused or after.held_month) == ("New words", typed.get("held_month", True))


def test_other_settings_do_not_ask(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    clock.shift(timedelta(minutes=21))
    goal = {"month": "2021-05", "amount": "10", "stands": "no"}
    assert editor.sends("/admin/c/newsroom/", to="/admin/c/newsroom/goal", **goal).status_code == 303
