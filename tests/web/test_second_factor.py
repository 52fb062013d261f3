"""The second factor: an app's codes and recovery codes, each good once, and nobody goes on without one."""

import re
import threading
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from actors import count, each
from flask import Flask
from sqlalchemy import text
from web_admin import EMAIL, PASSWORD, Editor, Phone, hidden_in, says

from tracker import create_app
from tracker.ledger import store
from tracker.ledger.store import reading
from tracker.settings import Settings
from tracker.web.admin.signin import create_admin

NOW = datetime(2021, 5, 14, 9, 31, 5, tzinfo=UTC)


@pytest.fixture
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


def later(clock: Any, seconds: int = 30) -> None:
    clock.shift(timedelta(seconds=seconds))


def with_an_app(app: Flask, clock: Any) -> tuple[Editor, Phone]:
    """An editor with an app and recovery codes, who has signed out again; the app shows a new code."""
    editor = Editor(app)
    phone = editor.sets_up_an_app()
    assert len(editor.gets_recovery_codes()) == 10
    editor.posts("/admin/logout")
    later(clock)
    return editor, phone


def test_an_editor_with_an_app_is_asked_for_its_code_after_the_password(app: Flask, clock: Any) -> None:
    editor, phone = with_an_app(app, clock)
    answer = editor.signs_in(query="?next=/admin/new")
    assert answer.headers["Location"] == "/admin/login/code?next=/admin/new"
    assert not editor.is_in()
    answer = editor.sends("/admin/login/code?next=/admin/new", code=phone.shows())
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/new")
    assert editor.is_in()


@pytest.mark.parametrize("seconds", [-30, 0, 30])
def test_a_phone_whose_clock_is_a_little_wrong_will_do(app: Flask, clock: Any, seconds: int) -> None:
    editor, phone = with_an_app(app, clock)
    later(clock)
    editor.signs_in()
    editor.sends("/admin/login/code", code=phone.shows(datetime.now(UTC).timestamp() + seconds))
    assert editor.is_in()


@pytest.mark.parametrize("seconds", [-90, 90])
def test_a_code_of_another_time_will_not(app: Flask, clock: Any, seconds: int) -> None:
    editor, phone = with_an_app(app, clock)
    later(clock, 300)
    editor.signs_in()
    answer = editor.sends("/admin/login/code", code=phone.shows(datetime.now(UTC).timestamp() + seconds))
    assert "wrong or was used before" in says(answer)
    assert not editor.is_in()


def written(code: str, how: str) -> str:
    return {"in two": f"{code[:3]} {code[3:]}", "in Arabic": "".join(chr(0x660 + int(digit)) for digit in code)}[how]


@pytest.mark.parametrize("how", ["in two", "in Arabic"])
def test_a_code_may_be_written_as_the_phone_shows_it(app: Flask, clock: Any, how: str) -> None:
    editor, phone = with_an_app(app, clock)
    editor.signs_in()
    editor.sends("/admin/login/code", code=written(phone.shows(), how))
    assert editor.is_in()


def test_what_is_no_code_is_said_to_be_none(app: Flask, clock: Any) -> None:
    editor, _ = with_an_app(app, clock)
    editor.signs_in()
    for code in ["", "x", "12345", "1234567", "-12345", "²²²²²²", "\0" * 6, "9" * 5000, "１２３４５"]:
        answer = editor.sends("/admin/login/code", code=code)
        assert answer.status_code == 200, code
        assert says(answer), code
        assert not editor.is_in(), code


def test_a_code_is_good_once(app: Flask, clock: Any) -> None:
    editor, phone = with_an_app(app, clock)
    code = phone.shows()
    editor.signs_in()
    editor.sends("/admin/login/code", code=code)
    assert editor.is_in()
    # Whoever looked over the shoulder and knows the password is too late, even within the half minute.
    other = Editor(app, signs_in=False)
    other.signs_in()
    assert "was used before" in says(other.sends("/admin/login/code", code=code))
    assert not other.is_in()
    later(clock)
    other.sends("/admin/login/code", code=phone.shows())
    assert other.is_in()


def test_the_code_that_set_the_app_up_signs_nobody_in(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    phone = editor.sets_up_an_app()
    editor.posts("/admin/logout")
    editor.signs_in()
    editor.sends("/admin/login/code", code=phone.shows())
    assert not editor.is_in()


@pytest.mark.parametrize("what", ["code", "recovery"])
def test_of_two_with_the_same_code_at_the_same_moment_one_gets_in(app: Flask, clock: Any, what: str) -> None:
    editor = Editor(app)
    phone = editor.sets_up_an_app()
    (recovery, *_) = editor.gets_recovery_codes()
    editor.posts("/admin/logout")
    later(clock)
    code = phone.shows() if what == "code" else recovery
    both = [Editor(app, signs_in=False) for _ in range(2)]
    pages = []
    for one in both:
        one.signs_in()
        pages.append(hidden_in(one.opens(f"/admin/login/{what}").text))
    start = threading.Barrier(2)

    def sends(one: Editor, page: dict[str, str]) -> None:
        start.wait()
        one.posts(f"/admin/login/{what}", **page, code=code)

    threads = [threading.Thread(target=sends, args=pair) for pair in zip(both, pages, strict=True)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [one.is_in() for one in both].count(True) == 1


def test_codes_cannot_be_guessed_for_long_and_a_known_browser_still_gets_in(app: Flask, clock: Any) -> None:
    editor, phone = with_an_app(app, clock)
    thief = Editor(app, signs_in=False)
    thief.signs_in()
    tries = [thief.sends("/admin/login/code", code=f"{number:06}") for number in range(21)]
    assert "Too many attempts" in says(tries[-1])
    assert not any("Too many" in says(one) for one in tries[:20])
    # The right one is not looked at any more, and neither is a recovery code.
    assert "Too many attempts" in says(thief.sends("/admin/login/code", code=phone.shows()))
    assert "Too many attempts" in says(thief.sends("/admin/login/recovery", code="x"))
    editor.signs_in()
    editor.sends("/admin/login/code", code=phone.shows())
    assert editor.is_in()


def test_the_second_step_must_come_within_ten_minutes(app: Flask, clock: Any) -> None:
    editor, phone = with_an_app(app, clock)
    editor.signs_in()
    later(clock, 11 * 60)
    answer = editor.opens("/admin/login/code")
    assert answer.headers["Location"] == "/admin/login"
    editor.signs_in()
    later(clock, 9 * 60)
    editor.signs_in()
    later(clock, 9 * 60)
    assert editor.opens("/admin/login/code").status_code == 200
    assert editor.posts("/admin/login/code", code=phone.shows()).status_code == 200  # without our token
    assert not editor.is_in()


@each("address", ["code", "recovery", "choose"])
def test_the_second_step_is_nothing_without_the_first(app: Flask, address: str) -> None:
    stranger = Editor(app, signs_in=False)
    for answer in (stranger.opens(f"/admin/login/{address}"), stranger.posts(f"/admin/login/{address}", code="1")):
        assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/login")


def test_a_mistyped_code_does_not_begin_the_set_up_again(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    page = editor.opens("/admin/account/app").text
    phone = Phone.reads(page)
    answer = editor.posts("/admin/account/app", **hidden_in(page), code="000000")
    assert answer.status_code == 422
    assert "That code is wrong" in says(answer)
    assert Phone.reads(answer.text).key == phone.key
    assert editor.posts("/admin/account/app", **hidden_in(answer.text), code=phone.shows()).status_code == 303


def test_the_picture_for_the_camera_is_our_own_and_says_whose_account_it_is(app: Flask) -> None:
    page = Editor(app).opens("/admin/account/app").text
    assert re.search(r'<svg[^>]*class="qr"', page)
    assert not re.search(r'(src|href)="(https?:)?//', page)
    assert "style=" not in page


def test_a_secret_of_the_app_lies_encrypted_and_cannot_be_chosen_by_the_browser(app: Flask, clock: Any) -> None:
    editor, phone = with_an_app(app, clock)
    with reading() as connection:
        kept = connection.execute(text("SELECT * FROM user_account")).one()
    assert kept.tf_totp_secret
    for form in (phone.key.hex(), phone.key.decode("latin-1")):
        assert form not in repr(kept)
    editor.signs_in()
    editor.sends("/admin/login/code", code=phone.shows())
    page = hidden_in(editor.opens("/admin/account/app").text)
    for forged in ("", "x", page["secret"][:-1] + "x", '"a secret of mine"'):
        answer = editor.posts("/admin/account/app", **page | {"secret": forged}, code="123456")
        assert answer.status_code in (303, 422)
    other = Editor(app, "ben@example.org")
    mine = hidden_in(other.opens("/admin/account/app").text)
    assert other.posts("/admin/account/app", **mine | {"secret": page["secret"]}, code="123456").status_code == 303
    with reading() as connection:
        secrets = connection.execute(text("SELECT tf_totp_secret FROM user_account ORDER BY id")).scalars().all()
    assert secrets == [kept.tf_totp_secret, None]


# --- Recovery codes ---------------------------------------------------------------------------------------------------


def test_a_recovery_code_signs_in_once_when_the_phone_is_lost(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    editor.sets_up_an_app()
    codes = editor.gets_recovery_codes()
    assert len(set(codes)) == 10
    for how in (str.upper, str.strip, lambda code: code.replace("-", " ")):
        editor.posts("/admin/logout")
        editor.signs_in()
        answer = editor.sends("/admin/login/recovery?next=/admin/account", code=how(codes.pop()))
        assert answer.headers["Location"] == "/admin/account"
        assert editor.is_in()
    assert f"You have {len(codes)} codes left" in editor.opens("/admin/account").text


def test_a_used_recovery_code_and_one_of_somebody_else_will_not_do(app: Flask, clock: Any) -> None:
    other = Editor(app, "ben@example.org")
    other.sets_up_an_app()
    foreign = other.gets_recovery_codes()[0]
    editor = Editor(app)
    editor.sets_up_an_app()
    used = editor.gets_recovery_codes()[0]
    editor.posts("/admin/logout")
    editor.signs_in()
    editor.sends("/admin/login/recovery", code=used)
    editor.posts("/admin/logout")
    editor.signs_in()
    for code in (used, foreign, "", "x", "x" * 5000):
        answer = editor.sends("/admin/login/recovery", code=code)
        assert says(answer)
        assert not editor.is_in()


def test_recovery_codes_are_shown_once_and_kept_as_hashes(app: Flask) -> None:
    editor = Editor(app)
    editor.sets_up_an_app()
    codes = editor.gets_recovery_codes()
    page = editor.opens("/admin/account/recovery-codes?show_codes=y").text
    assert "You have 10 left" in page
    with reading() as connection:
        kept = repr(connection.execute(text("SELECT * FROM recovery_code")).all())
    for code in codes:
        assert code not in page
        assert code not in kept
        assert code.replace("-", "") not in kept


def test_new_recovery_codes_take_the_place_of_the_old_ones(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    editor.sets_up_an_app()
    old, new = editor.gets_recovery_codes()[0], editor.gets_recovery_codes()[0]
    editor.posts("/admin/logout")
    editor.signs_in()
    assert says(editor.sends("/admin/login/recovery", code=old))
    editor.sends("/admin/login/recovery", code=new)
    assert editor.is_in()


# --- A new secret key -------------------------------------------------------------------------------------------------


def test_with_a_new_secret_key_the_app_is_said_to_be_useless_and_a_recovery_code_helps(
    app: Flask, settings: Settings, clock: Any
) -> None:
    editor = Editor(app)
    phone = editor.sets_up_an_app()
    code = editor.gets_recovery_codes()[0]
    later(clock)
    moved = create_app(
        replace(settings, secret_key="another secret for tests, long enough to keep one"), background=False
    )
    moved.extensions["security"].pwd_context.update(argon2__time_cost=1, argon2__memory_cost=32)
    editor.browser = moved.test_client()
    assert not editor.is_in()
    assert editor.signs_in().headers["Location"].startswith("/admin/login/code")
    answer = editor.sends("/admin/login/code", code=phone.shows())
    assert "secret key was changed" in says(answer)
    assert not editor.is_in()
    editor.sends("/admin/login/recovery", code=code)
    assert editor.is_in()
    assert "Please set it up again" in editor.opens("/admin/account").text
    phone = editor.sets_up_an_app()
    editor.posts("/admin/logout")
    later(clock)
    editor.signs_in()
    editor.sends("/admin/login/code", code=phone.shows())
    assert editor.is_in()
    store.close(moved)


# --- Asked for by default ---------------------------------------------------------------------------------------------


class TestRequired:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        del environ["TRACKER_SECOND_FACTOR"]
        return environ

    def test_an_editor_is_led_to_set_one_up_and_goes_on_where_they_wanted_to(self, app: Flask, clock: Any) -> None:
        editor = Editor(app)
        wanted = "/admin/c/newsroom/settings"
        for address in (wanted, "/admin/", "/admin/new", "/admin/c/newsroom/entries.csv", "/admin/nothing", wanted):
            answer = editor.opens(address)
            assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/account"), address
        assert editor.posts("/admin/c/newsroom/goal").headers["Location"] == "/admin/account"
        assert "Set up a second factor first" in editor.opens("/admin/account").text
        editor.sets_up_an_app()
        assert not editor.is_in()
        assert "One more step: recovery codes" in editor.opens("/admin/account").text
        editor.opens(wanted)
        assert editor.gets_recovery_codes()
        answer = editor.sends("/admin/account", to="/admin/account/go-on")
        assert (answer.status_code, answer.headers["Location"]) == (303, wanted)
        assert editor.is_in()

    def test_the_last_one_cannot_be_removed(self, app: Flask) -> None:
        editor = Editor(app)
        editor.sets_up_an_app()
        editor.gets_recovery_codes()
        editor.sends("/admin/account", to="/admin/account/app/remove")
        assert "Set up another second factor first" in says(editor.opens("/admin/account"))
        assert editor.is_in()

    def test_whoever_used_the_last_recovery_code_gets_new_ones_first(self, app: Flask, clock: Any) -> None:
        editor = Editor(app)
        phone = editor.sets_up_an_app()
        codes = editor.gets_recovery_codes()
        for code in codes:
            editor.posts("/admin/logout")
            editor.signs_in()
            editor.sends("/admin/login/recovery", code=code)
        assert not editor.is_in()
        assert "One more step: recovery codes" in editor.opens("/admin/account").text
        editor.gets_recovery_codes()
        assert editor.is_in()
        assert phone

    def test_signing_out_is_always_possible(self, app: Flask) -> None:
        editor = Editor(app)
        assert editor.posts("/admin/logout").headers["Location"] == "/admin/login"


def test_where_it_is_optional_it_can_be_removed_again(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    assert editor.is_in()
    editor.sets_up_an_app()
    editor.sends("/admin/account", to="/admin/account/app/remove")
    editor.posts("/admin/logout")
    assert editor.signs_in().headers["Location"] == "/admin/"
    assert editor.is_in()


def test_accounts_from_before_have_no_second_factor_yet(app: Flask) -> None:
    create_admin(EMAIL, PASSWORD)
    with reading() as connection:
        assert [count(connection, table) for table in ("passkey", "recovery_code", "unsent_form")] == [0, 0, 0]
