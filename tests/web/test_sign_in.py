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
from web_admin import says
from werkzeug.test import TestResponse

from tracker.ledger.book import record
from tracker.ledger.store import reading, writing
from tracker.web.admin.signin import create_admin, people

EMAIL, PASSWORD = "ana@example.org", "a long password"
NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


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
    ["größere Überraschung", "pa\u0308sswo\u0308rter lang", "ﬁne ligatures here", "天地玄黄宇宙洪荒日月盈昃"],
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
    with pytest.raises(ValueError, match="is not an e-mail address"):
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
        assert "You can get in at once with a passkey" in answer.text
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
    with time_machine.travel(NOW, tick=False) as clock:
        sign_in(client)
        clock.shift(timedelta(hours=1, minutes=59))
        assert is_in(client)
        clock.shift(timedelta(hours=2, minutes=1))
        assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_a_session_in_use_ends_after_half_a_day(client: FlaskClient) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        sign_in(client)
        for _ in range(12):
            assert is_in(client)
            clock.shift(timedelta(minutes=60))
        assert is_in(client)
        clock.shift(timedelta(minutes=1))
        assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_asking_to_be_remembered_gains_nothing(client: FlaskClient) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
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
        assert {"HttpOnly", "SameSite=Lax", "Path=/"} <= set(cookie.split("; "))
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
    thief = with_the_cookie_of(client)
    assert is_in(thief)
    client.post("/admin/logout")
    assert not is_in(thief)


def with_the_cookie_of(client: FlaskClient) -> FlaskClient:
    cookie = client.get_cookie("pledgebar")
    assert cookie is not None
    other = client.application.test_client()
    other.set_cookie("pledgebar", cookie.value)
    return other


@pytest.mark.usefixtures("account")
def test_signing_out_in_one_browser_leaves_the_others_alone(client: FlaskClient, app: Flask) -> None:
    desk = app.test_client()
    sign_in(client)
    sign_in(desk)
    client.post("/admin/logout")
    assert not is_in(client)
    assert is_in(desk)


@pytest.mark.usefixtures("account")
def test_signing_in_begins_a_new_session(client: FlaskClient) -> None:
    # What somebody planted in the browser before, with a token they know, is worth nothing after.
    form_token(client)
    planted = with_the_cookie_of(client)
    sign_in(client)
    assert not is_in(planted)
    older = with_the_cookie_of(client)
    client.post("/admin/logout")
    sign_in(client)
    assert is_in(client)
    assert not is_in(older)


# --- How often it may be tried ----------------------------------------------------------------------------------------


def from_address(app: Flask, number: int) -> FlaskClient:
    """A browser somewhere else in the world."""
    browser = app.test_client()
    browser.environ_base["REMOTE_ADDR"] = f"198.51.{number // 250}.{number % 250 + 1}"
    return browser


class TestFromManyAddresses:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_SIGN_IN_LIMIT": ""}

    @pytest.mark.usefixtures("account")
    @pytest.mark.parametrize("email", ["ANA@Example.org", "nobody@example.org"])
    def test_an_account_can_be_tried_twenty_times_a_day_and_nobody_sees_whether_it_exists(
        self, app: Flask, email: str
    ) -> None:
        answers = [sign_in(from_address(app, number), "wrong password", email) for number in range(40)]
        assert [answer.status_code for answer in answers] == [200] * 20 + [429] * 20
        assert {says(answer) for answer in answers[:20]} == {"The e-mail address or the password is wrong."}
        assert re.fullmatch(r"Too many attempts. Please try again in 1 day.", says(answers[-1]))
        # Not even the right password is looked at from there.
        stranger = from_address(app, 121)
        assert sign_in(stranger, PASSWORD, email).status_code == 429
        assert not is_in(stranger)

    @pytest.mark.usefixtures("account")
    def test_its_owner_gets_in_all_the_same_where_they_signed_in_before(self, app: Flask, client: FlaskClient) -> None:
        sign_in(client)
        client.post("/admin/logout")
        for number in range(30):
            sign_in(from_address(app, number), "wrong password")
        # From the same address as the last stranger, too.
        client.environ_base["REMOTE_ADDR"] = "198.51.0.30"
        assert sign_in(client, "a typing mistake").status_code == 200
        assert sign_in(client).status_code == 302
        assert is_in(client)

    @pytest.mark.usefixtures("account")
    def test_whoever_carries_a_known_browsers_cookie_away_has_twenty_tries_and_no_more(
        self, app: Flask, client: FlaskClient
    ) -> None:
        sign_in(client)
        client.post("/admin/logout")
        thief = with_the_cookie_of(client)
        tries = [sign_in(thief, "wrong password").status_code for _ in range(25)]
        assert tries.index(429) in (19, 20)
        assert set(tries[20:]) == {429}

    @pytest.mark.usefixtures("account")
    def test_a_new_password_from_the_server_lets_the_owner_in(self, app: Flask, client: FlaskClient) -> None:
        for number in range(30):
            sign_in(from_address(app, number), "wrong password")
        assert sign_in(client).status_code == 429
        create_admin(EMAIL, "another long password")
        assert sign_in(client, "another long password").status_code == 302

    @pytest.mark.usefixtures("account")
    def test_the_day_after_it_begins_again(self, app: Flask) -> None:
        with time_machine.travel(NOW, tick=False) as clock:
            for number in range(21):
                answer = sign_in(from_address(app, number), "wrong password")
            assert answer.status_code == 429
            clock.shift(timedelta(hours=24, minutes=1))
            assert sign_in(from_address(app, 30)).status_code == 302

    @pytest.mark.usefixtures("account")
    def test_an_office_of_editors_who_were_here_before_is_not_one_stranger(self, app: Flask) -> None:
        """They share an address; ten an hour are for whoever has not been here."""
        editors = [from_address(app, 1) for _ in range(12)]
        for number, editor in enumerate(editors):
            create_admin(f"editor{number}@example.org", PASSWORD)
            editor.environ_base["REMOTE_ADDR"] = f"203.0.113.{number + 1}"
            assert sign_in(editor, email=f"editor{number}@example.org").status_code == 302
            editor.post("/admin/logout")
            editor.environ_base["REMOTE_ADDR"] = "198.51.0.1"
        came = [sign_in(editor, email=f"editor{number}@example.org") for number, editor in enumerate(editors)]
        assert [answer.status_code for answer in came] == [302] * 12


# --- Weak passwords ---------------------------------------------------------------------------------------------------


@each(
    ("password", "says"),
    [
        ("ana@example.org", "too easy to guess"),
        (" " * 12, "too easy to guess: repeats like"),
        ("123456789012", "too easy to guess: this is similar to a commonly used password"),
        ("passwordpassword", "too easy to guess"),
        ("the courier 2021", "too easy to guess"),
        ("pledgebarpledgebar", "too easy to guess"),
        ("qwertyuiopas", "too easy to guess"),
        ("x" * 100, "too easy to guess"),
        ("abc", "12 characters or more"),
        ("", "12 characters or more"),
        ("größere Überraschung " * 7, "128 characters at most"),
    ],
)
def test_a_password_that_is_among_the_first_to_be_tried_is_refused(app: Flask, password: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        create_admin(EMAIL, password)
    with reading() as connection:
        assert count(connection, "user_account") == 0


@each("password", ["correct horse battery", "wet lamp counts eleven", "größere Überraschung " * 5, "Xk29fmq8Rw4t"])
def test_a_good_password_is_taken(app: Flask, password: str) -> None:
    create_admin(EMAIL, password)
    browser = app.test_client()
    sign_in(browser, password)
    assert is_in(browser)


# --- What is not there ------------------------------------------------------------------------------------------------

# Every address of Flask-Security's that there is.
ADDRESSES = {
    "/admin/login", "/admin/login/code", "/admin/login/recovery", "/admin/login/choose", "/admin/login/passkey",
    "/admin/login/passkey/<token>", "/admin/logout", "/admin/verify", "/admin/verify/passkey",
    "/admin/verify/passkey/<token>", "/admin/account/password", "/admin/account/recovery-codes",
    "/admin/account/passkeys", "/admin/account/passkeys/<token>", "/admin/account/passkeys/remove",
    "/admin/invitation/<key>",
}  # fmt: skip


def test_only_these_pages_of_the_sign_in_are_there(app: Flask) -> None:
    rules = {rule.rule for rule in app.url_map.iter_rules() if rule.endpoint.startswith("security.")}
    assert rules == ADDRESSES
    assert not {"users", "roles"} & set(app.cli.commands)


@pytest.mark.usefixtures("account")
def test_json_is_refused_wherever_one_signs_in(client: FlaskClient) -> None:
    bodies = ('"x"', "{}", "[]", "not json", f'{{"email": "{EMAIL}", "password": "{PASSWORD}"}}')
    for address in (one.replace("<token>", "x") for one in sorted(ADDRESSES)):
        for body in bodies:
            for kind in ("application/json", "application/problem+json"):
                sent = {"data": body, "content_type": kind}
                assert client.post(address, **sent).status_code == 415, f"{address} {body}"
                assert client.get(address, **sent).status_code in (405, 415), f"{address} {body}"
    assert not is_in(client)


@pytest.mark.usefixtures("account")
def test_whoever_would_rather_have_json_gets_the_page_and_no_token(client: FlaskClient) -> None:
    wishes = {"Accept": "application/json"}
    page = client.get("/admin/login", headers=wishes)
    assert page.mimetype == "text/html"
    sent = {"email": EMAIL, "password": PASSWORD, "csrf_token": form_token(client)}
    answer = client.post("/admin/login?include_auth_token", data=sent, headers=wishes)
    assert (answer.status_code, answer.mimetype) == (302, "text/html")
    assert "token" not in answer.text
    assert is_in(client)
    for address in ("/admin/verify", "/admin/account/password", "/admin/account/recovery-codes"):
        assert client.get(address, headers=wishes).mimetype == "text/html", address


@pytest.mark.usefixtures("account")
def test_a_token_opens_nothing(app: Flask, client: FlaskClient) -> None:
    with app.test_request_context():
        token = people.find_user(email=EMAIL).get_auth_token()
    for asked in ({"headers": {"Authentication-Token": token}}, {"query_string": {"auth_token": token}}):
        for address in ("/admin/", "/admin/account", "/admin/verify", "/admin/account/password"):
            assert client.get(address, **asked).status_code == 302, address
