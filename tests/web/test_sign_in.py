"""Signing in: only those whom the newsroom let in, with no word about who that is, and never for longer than wished."""

import re
import threading
from datetime import UTC, datetime, timedelta
from urllib.parse import urljoin, urlsplit

import pytest
import time_machine
from actors import count, each, gift_fact, moment
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from werkzeug.test import TestResponse

from tracker.ledger.book import record
from tracker.ledger.store import reading, writing
from tracker.web.signin import create_admin

EMAIL, PASSWORD = "ana@example.org", "a long password"


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TRACKER_SIGN_IN_LIMIT": "1000 per hour"}


@pytest.fixture
def account(app: Flask) -> None:
    assert create_admin(EMAIL, PASSWORD) is True


def form_token(browser: FlaskClient) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get("/admin/login").text)
    assert found is not None
    return found[1]


def sign_in(browser: FlaskClient, password: str = PASSWORD, email: str = EMAIL, query: str = "") -> TestResponse:
    sent = {"email": email, "password": password, "csrf_token": form_token(browser)}
    return browser.post(f"/admin/login{query}", data=sent)


def is_in(browser: FlaskClient) -> bool:
    return browser.get("/admin/c/newsroom/").status_code == 200


def says(answer: TestResponse) -> str:
    found = re.search(r'role="alert">(.*?)</p>', answer.text)
    return found[1] if found else ""


def test_nobody_has_an_account_before_somebody_makes_one(app: Flask, client: FlaskClient) -> None:
    with reading() as connection:
        assert count(connection, "user_account") == 0
    assert sign_in(client, "admin", "admin@example.org").status_code == 200
    assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_an_editor_signs_in_and_out(client: FlaskClient) -> None:
    assert not is_in(client)
    answer = sign_in(client)
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/")
    assert is_in(client)
    assert client.get("/admin/logout").status_code == 405
    assert is_in(client)
    assert client.post("/admin/logout").status_code == 302
    assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_the_password_is_kept_as_argon2id_and_nothing_else(app: Flask) -> None:
    with reading() as connection:
        row = connection.execute(text("SELECT * FROM user_account")).one()
    assert row.password.startswith("$argon2id$")
    assert PASSWORD not in repr(row)


@pytest.mark.usefixtures("account")
def test_a_wrong_password_and_an_unknown_address_sound_the_same(client: FlaskClient) -> None:
    wrong = says(sign_in(client, "not the password"))
    assert wrong
    assert says(sign_in(client, PASSWORD, "nobody@example.org")) == wrong
    assert EMAIL not in wrong
    assert not is_in(client)


@pytest.mark.usefixtures("account")
@each("email", ["", "x", "a\0b@example.org", "' OR 1=1 --", "x" * 5000, EMAIL + "\n", "é@é"])
def test_a_strange_address_is_answered_like_any_other(client: FlaskClient, email: str) -> None:
    assert sign_in(client, "wrong password", email).status_code == 200
    assert not is_in(client)


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize("email", [EMAIL, "ANA@example.org", "Ana@EXAMPLE.org"])
def test_an_address_may_be_written_in_small_or_capital_letters(client: FlaskClient, email: str) -> None:
    sign_in(client, email=email)
    assert is_in(client)


@pytest.mark.parametrize(
    "password",
    ["größere Überraschung", "pa\u0308sswo\u0308rter lang", "ﬁne ligatures here", "密码密码密码密码密码密码"],
)
def test_a_password_may_have_any_letters(app: Flask, client: FlaskClient, password: str) -> None:
    create_admin(EMAIL, password)
    sign_in(client, password)
    assert is_in(client)


@pytest.mark.parametrize(
    "email", ["Ana.Maria+desk@Example.org", "ana@news.example.org", "ana@xn--bcher-kva.example.org"]
)
def test_whoever_got_an_account_can_sign_in_with_the_address_it_was_made_for(
    app: Flask, client: FlaskClient, email: str
) -> None:
    create_admin(email, PASSWORD)
    sign_in(client, email=email)
    assert is_in(client)
    assert create_admin(email, PASSWORD) is False


@each("email", ["", "ana", "@", "ana@", "@example.org", "a@b", "a b@example.org", "a@@example.org", "a@exa\0mple.org"])
def test_an_address_with_which_nobody_could_sign_in_gets_no_account(app: Flask, email: str) -> None:
    with pytest.raises(ValueError, match="is no e-mail address"):
        create_admin(email, PASSWORD)
    with reading() as connection:
        assert count(connection, "user_account") == 0


@pytest.mark.usefixtures("account")
def test_a_new_password_signs_out_everywhere(client: FlaskClient, app: Flask) -> None:
    sign_in(client)
    assert is_in(client)
    assert create_admin(EMAIL, "another long password") is False
    assert not is_in(client)
    sign_in(client)
    assert not is_in(client)
    sign_in(client, "another long password")
    assert is_in(client)
    with reading() as connection:
        assert count(connection, "user_account") == 1


def test_an_account_is_made_while_gifts_come_in(app: Flask) -> None:
    done = threading.Event()

    def give() -> None:
        with app.app_context():
            number = 0
            while not done.is_set():
                number += 1
                with writing() as connection:
                    record(connection, gift_fact(f"cs_{number}"), moment("2021-05-20T12:00"))

    donors = threading.Thread(target=give)
    donors.start()
    try:
        for number in range(5):
            assert create_admin(f"ana{number}@example.org", PASSWORD) is True
    finally:
        done.set()
        donors.join()


class TestWithTheUsualLimit:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_SIGN_IN_LIMIT": ""}

    @pytest.mark.usefixtures("account")
    def test_the_eleventh_try_is_refused_even_with_the_right_password(self, client: FlaskClient) -> None:
        assert [sign_in(client, "wrong password").status_code for _ in range(10)] == [200] * 10
        answer = sign_in(client)
        assert answer.status_code == 429
        assert "Please try again in 1 hour." in answer.text
        assert answer.headers["Retry-After"] == "3600"
        assert not is_in(client)
        # Only trying is limited: the page itself can be opened.
        assert client.get("/admin/login").status_code == 200


@pytest.mark.usefixtures("account")
@pytest.mark.parametrize(
    "sent",
    [
        {"email": EMAIL, "password": PASSWORD},
        {"email": EMAIL, "password": PASSWORD, "csrf_token": "nonsense"},
    ],
)
def test_nobody_can_be_signed_in_by_another_sites_form(client: FlaskClient, sent: dict[str, str]) -> None:
    client.post("/admin/login", data=sent)
    assert not is_in(client)
    client.post("/admin/login", json=sent)
    assert not is_in(client)


@pytest.mark.usefixtures("account")
@each(
    "elsewhere",
    [
        "//evil.example",
        "https://evil.example/",
        "/\\evil.example",
        "\\\\evil.example",
        "%2f%2fevil.example",
        "/%09/evil.example",
        "///evil.example",
        "javascript:alert(1)",
        "http:evil.example",
        "@evil.example",
        "https:///evil.example",
    ],
)
def test_signing_in_never_leads_to_another_site(app: Flask, elsewhere: str) -> None:
    answer = sign_in(app.test_client(), query=f"?next={elsewhere}")
    location = answer.headers.get("Location", "/")
    assert not re.search(r"[\\\t\r\n]", location)
    assert urlsplit(urljoin("http://127.0.0.1:5000/admin/login", location))[:2] == ("http", "127.0.0.1:5000")


@pytest.mark.usefixtures("account")
def test_signing_in_leads_back_to_where_one_was(client: FlaskClient) -> None:
    there = "/admin/c/newsroom/settings"
    assert client.get(there).headers["Location"] == f"/admin/login?next={there}"
    assert sign_in(client, query=f"?next={there}").headers["Location"] == there


@pytest.mark.usefixtures("account")
def test_a_session_ends_by_itself(client: FlaskClient) -> None:
    with time_machine.travel(datetime(2021, 5, 14, 9, 31, tzinfo=UTC), tick=False) as clock:
        sign_in(client)
        clock.shift(timedelta(hours=11))
        assert is_in(client)
        clock.shift(timedelta(hours=13))
        assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_asking_to_be_remembered_gains_nothing(client: FlaskClient) -> None:
    with time_machine.travel(datetime(2021, 5, 14, 9, 31, tzinfo=UTC), tick=False) as clock:
        sent = {"email": EMAIL, "password": PASSWORD, "csrf_token": form_token(client), "remember": "y"}
        cookies = client.post("/admin/login", data=sent).headers.getlist("Set-Cookie")
        assert [cookie.partition("=")[0] for cookie in cookies] == ["pledgebar"]
        assert is_in(client)
        clock.shift(timedelta(hours=13))
        assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_the_cookie_of_a_session_is_for_our_pages_alone(client: FlaskClient) -> None:
    answer = sign_in(client)
    for cookie in answer.headers.getlist("Set-Cookie"):
        assert {"HttpOnly", "SameSite=Strict", "Path=/"} <= set(cookie.split("; "))
    assert is_in(client)
    # Signed in or not, the public pages are the same and hand out nothing.
    for address in ("/embed/newsroom", "/c/newsroom/months"):
        public = client.get(address)
        assert "Set-Cookie" not in public.headers
        assert "Cookie" not in public.headers.get("Vary", "")


@pytest.mark.usefixtures("account")
def test_nothing_of_the_newsroom_is_kept_by_a_browser(client: FlaskClient) -> None:
    sign_in(client)
    for address in ("/admin/login", "/admin/", "/admin/c/newsroom/", "/admin/new"):
        assert client.get(address).headers["Cache-Control"] == "no-store", address


@pytest.mark.usefixtures("account")
def test_a_forged_session_is_no_session(client: FlaskClient) -> None:
    for forged in ("eyJfdXNlcl9pZCI6IjEifQ.aaaa.bbbb", "", "x" * 4000, "eyJfdXNlcl9pZCI6IjEifQ"):
        client.set_cookie("pledgebar", forged)
        assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_a_copied_cookie_ends_with_the_session_that_it_was_copied_from(client: FlaskClient, app: Flask) -> None:
    sign_in(client)
    cookie = client.get_cookie("pledgebar")
    assert cookie is not None
    thief = app.test_client()
    thief.set_cookie("pledgebar", cookie.value)
    assert is_in(thief)
    client.post("/admin/logout")
    assert not is_in(thief)
