"""What somebody wrote is there again after signing in, for them alone, however their session came to its end."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, count
from flask import Flask
from sqlalchemy import text
from web_admin import Editor, hidden_in, says
from werkzeug.test import TestResponse

from tracker.ledger import campaigns
from tracker.ledger.store import reading
from tracker.web.admin.signin.accounts import set_active

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
PAGE = "/admin/c/newsroom/settings"
STORY = "# Why\r\n\r\nFive reporters, <b>one</b> town & “no owner”\r\n  but its readers.\r\n"
WRITTEN = {
    "title": "A long text", "lead": "Who asks", "story": STORY, "time_zone": "Europe/Berlin", "locale": "en_US",
    "amount_pattern": "#,##0 ¤", "once": "10, 25", "monthly": "5", "minimum": "2", "maximum": "100", "accent": "",
}  # fmt: skip


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TRACKER_SIGN_IN_LIMIT": "1000 per hour"}


class Writer(Editor):
    """Opens the settings, and writes for a long time before sending them."""

    def begins(self) -> None:
        self.token = hidden_in(self.opens(PAGE).text)["csrf_token"]

    def sends_it(self, **more: str) -> TestResponse:
        return self.posts(PAGE, csrf_token=self.token, **WRITTEN | more)

    def sends_again(self) -> TestResponse:
        """Presses the button of the page that has kept it."""
        page = self.opens("/admin/unsent").text
        form = re.search(rf'<form method="post" action="{PAGE}">.*?</form>', page, re.DOTALL)
        assert form, page
        fields = dict(re.findall(r'<textarea name="([^"]+)"[^>]* hidden>\n(.*?)</textarea>', form[0], re.DOTALL))
        return self.posts(PAGE, **hidden_in(form[0]) | {name: unescape(value) for name, value in fields.items()})


def saved() -> Any:
    with reading() as connection:
        return campaigns.find(connection, "newsroom")


def kept() -> int:
    with reading() as connection:
        return count(connection, "unsent_form")


def test_what_was_written_for_three_hours_is_sent_after_signing_in_again(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    answer = writer.sends_it()
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login?next=/admin/unsent")
    assert saved() == NEWSROOM
    assert "What you wrote is kept" in writer.opens("/admin/login?next=/admin/unsent").text
    answer = writer.signs_in(query="?next=/admin/unsent")
    assert answer.headers["Location"] == "/admin/unsent"
    assert "Five reporters, &lt;b&gt;one&lt;/b&gt; town" in writer.opens("/admin/unsent").text
    assert writer.sends_again().status_code == 303
    assert (saved().title, saved().story) == ("A long text", STORY)
    # Sent once, it is gone.
    assert kept() == 0
    assert writer.opens("/admin/unsent").headers["Location"] == "/admin/"
    assert "You have a form that has not been sent." not in writer.opens("/admin/c/newsroom/").text


def test_it_is_there_after_the_second_factor_too_and_every_page_says_so(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    phone = writer.sets_up_an_app()
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it()
    answer = writer.signs_in(query="?next=/admin/unsent")
    assert answer.headers["Location"] == "/admin/login/code?next=/admin/unsent"
    answer = writer.sends("/admin/login/code?next=/admin/unsent", code=phone.shows())
    assert answer.headers["Location"] == "/admin/unsent"
    assert "You have a form that has not been sent." in writer.opens("/admin/c/newsroom/").text
    assert writer.sends_again().status_code == 303
    assert saved().title == "A long text"


@pytest.mark.parametrize("how", ["signed out in another tab", "signed out everywhere", "a new password"])
def test_it_is_there_however_the_session_ended(app: Flask, how: str) -> None:
    writer = Writer(app)
    writer.begins()
    if how == "signed out in another tab":
        writer.posts("/admin/logout")
        writer.opens("/admin/login")
    elif how == "signed out everywhere":
        Editor(app).sends("/admin/account", to="/admin/account/sign-out-everywhere")
    else:
        new = "wet lamp counts eleven"
        other = Editor(app)
        other.sends("/admin/account/password", password=other.password, new_password=new, new_password_confirm=new)
        writer.password = new
    writer.sends_it()
    writer.signs_in(query="?next=/admin/unsent")
    assert writer.sends_again().status_code == 303
    assert saved().title == "A long text"


def test_a_form_from_before_works_once_its_writer_has_signed_in_again_in_another_tab(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.signs_in()
    assert writer.sends_it().status_code == 303
    assert saved().title == "A long text"


def test_after_signing_out_and_in_an_older_form_is_shown_again_and_says_why(app: Flask) -> None:
    writer = Writer(app)
    writer.begins()
    writer.posts("/admin/logout")
    writer.signs_in()
    answer = writer.sends_it()
    assert answer.status_code == 422
    assert "Nothing was saved: you signed in again" in says(answer)
    assert 'value="A long text"' in answer.text
    assert saved() == NEWSROOM


def test_what_still_has_a_mistake_in_it_comes_back_in_its_own_form(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it(minimum="lots")
    writer.signs_in()
    answer = writer.sends_again()
    assert answer.status_code == 422
    assert 'value="A long text"' in answer.text
    assert kept() == 0


def test_it_can_be_discarded(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it()
    writer.signs_in()
    page = writer.opens("/admin/unsent").text
    answer = writer.posts("/admin/unsent/discard", **hidden_in(page))
    assert answer.status_code == 303
    assert kept() == 0


def test_two_tabs_lose_nothing(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it(title="The first")
    writer.sends_it(title="The second")
    writer.signs_in()
    page = writer.opens("/admin/unsent").text
    assert "The first" in page
    assert "The second" in page


# --- Nobody else ------------------------------------------------------------------------------------------------------


def test_nobody_else_sees_it_in_the_same_browser(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it()
    Editor(app, "ben@example.org", signs_in=False)
    writer.signs_in(email="ben@example.org")
    assert writer.is_in()
    assert writer.opens("/admin/unsent").headers["Location"] == "/admin/"
    assert "You have a form that has not been sent." not in writer.opens("/admin/c/newsroom/").text
    writer.posts("/admin/logout")
    writer.signs_in()
    assert "A long text" in writer.opens("/admin/unsent").text


def test_the_same_person_does_not_see_it_in_another_browser(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it()
    assert "A long text" not in Writer(app).opens("/admin/unsent").text


def test_it_cannot_be_read_in_the_database(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    writer.sends_it()
    with reading() as connection:
        row = connection.execute(text("SELECT * FROM unsent_form")).one()
    assert b"long text" not in bytes(row.body)


def test_strangers_fill_nothing(app: Flask) -> None:
    stranger = app.test_client()
    for _ in range(3):
        assert stranger.post(PAGE, data=WRITTEN).headers["Location"] == "/admin/login?next=/admin/"
    assert kept() == 0


def test_one_person_keeps_five_at_most_and_for_half_a_day(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    writer.begins()
    clock.shift(timedelta(hours=3))
    for number in range(8):
        clock.shift(timedelta(minutes=1))
        writer.sends_it(title=f"Number {number}")
    assert kept() == 5
    clock.shift(timedelta(hours=13))
    writer.signs_in()
    assert writer.opens("/admin/unsent").headers["Location"] == "/admin/"
    assert "You have a form that has not been sent." not in writer.opens("/admin/c/newsroom/").text
    clock.shift(timedelta(hours=3))
    writer.sends_it()
    assert kept() == 1


def test_nothing_is_kept_for_somebody_who_was_disabled(app: Flask) -> None:
    writer = Writer(app)
    writer.begins()
    set_active(writer.email, active=False)
    writer.sends_it()
    assert kept() == 0


def test_passwords_are_never_kept(app: Flask, clock: Any) -> None:
    writer = Writer(app)
    token = hidden_in(writer.opens("/admin/account/password").text)["csrf_token"]
    clock.shift(timedelta(hours=3))
    writer.posts("/admin/account/password", csrf_token=token, password=writer.password, new_password="x" * 20)
    assert kept() == 0


def test_a_kept_form_from_another_site_is_still_from_another_site(app: Flask) -> None:
    writer = Writer(app)
    writer.begins()
    answer = writer._asks("POST", PAGE, data=WRITTEN, headers={"Sec-Fetch-Site": "cross-site"})
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers
    assert kept() == 0
