"""The page of people: invitations by a link that works once, roles, disabling, sessions; and the last owner stays."""

import re
from datetime import UTC, datetime, timedelta
from html import unescape

import pytest
import time_machine
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from web_admin import EMAIL, PASSWORD, Editor, hidden_in, says

from tracker.ledger import audit_log
from tracker.ledger.audit_log import Filter
from tracker.ledger.store import reading
from tracker.web.admin.signin import create_admin
from tracker.web.admin.signin.accounts import every, set_active

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
NEW, NEW_PASSWORD = "new@example.org", "wet lamp counts eleven"


def link_in(page: str) -> str:
    found = re.search(r"<code>http://127.0.0.1:5000(/admin/invitation/[^<]+)</code>", page)
    assert found, page
    return unescape(found[1])


def invites(owner: Editor, email: str = NEW, role: str = "editor") -> str:
    answer = owner.sends("/admin/people", to="/admin/people/invite", email=email, role=role)
    assert answer.status_code == 200, says(answer)
    return link_in(answer.text)


def accepts(browser: FlaskClient, link: str, password: str = NEW_PASSWORD, again: str = "") -> int:
    sent = hidden_in(browser.get(link).text) | {"password": password, "again": again or password}
    return browser.post(link, data=sent).status_code


def noted() -> list[tuple[str, str, str]]:
    with reading() as session:
        return [(line.email, line.action, line.about) for line in audit_log.lines(session, Filter())][::-1]


def test_whoever_is_invited_makes_their_own_account(app: Flask, client: FlaskClient) -> None:
    owner = Editor(app)
    link = invites(owner)
    page = client.get(link)
    assert (page.status_code, NEW in page.text, page.headers["Cache-Control"]) == (200, True, "no-store")
    assert accepts(client, link) == 303
    assert [(one.email, one.role) for one in every()] == [(EMAIL, "owner"), (NEW, "editor")]
    assert Editor(app, NEW, NEW_PASSWORD).is_in()
    assert noted()[-2:] == [(EMAIL, "account.invited", NEW), (NEW, "account.made", NEW)]


def test_a_link_works_once_and_is_shown_once(app: Flask, client: FlaskClient) -> None:
    owner = Editor(app)
    link = invites(owner)
    assert link not in owner.opens("/admin/people").text
    assert NEW in owner.opens("/admin/people").text
    with reading() as session:
        assert link.rpartition("/")[2] not in str(session.execute(text("SELECT * FROM invitation")).all())
    assert accepts(client, link) == 303
    assert client.get(link).status_code == 404
    assert accepts(client, link) == 404
    assert len(every()) == 2


def test_a_newer_link_makes_the_older_one_useless_and_so_does_withdrawing(app: Flask, client: FlaskClient) -> None:
    owner = Editor(app)
    first, second = invites(owner), invites(owner, role="reader")
    assert client.get(first).status_code == 404
    assert client.get(second).status_code == 200
    page = owner.opens("/admin/people").text
    (number,) = re.findall(r"/admin/people/invitations/(\d+)/withdraw", page)
    owner.sends("/admin/people", to=f"/admin/people/invitations/{number}/withdraw")
    assert client.get(second).status_code == 404
    assert "The invitation for new@example.org is withdrawn." in owner.opens("/admin/people").text


def test_a_link_is_good_for_three_days(app: Flask, client: FlaskClient) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        link = invites(Editor(app))
        clock.shift(timedelta(days=3) - timedelta(seconds=1))
        assert client.get(link).status_code == 200
        clock.shift(timedelta(seconds=1))
        assert client.get(link).status_code == 404


def test_what_will_not_do_is_said(app: Flask, client: FlaskClient) -> None:
    owner = Editor(app)
    for email, words in (
        ("", "Enter an e-mail address."),
        ("x", "not an e-mail address"),
        (EMAIL.upper(), "an account for this address"),
    ):
        answer = owner.sends("/admin/people", to="/admin/people/invite", email=email, role="reader")
        assert (answer.status_code, words in says(answer)) == (422, True), email
    assert owner.sends("/admin/people", to="/admin/people/invite", email=NEW, role="king").status_code == 422
    link = invites(owner)
    for password, again in (("short", "short"), (NEW_PASSWORD, "another"), (NEW, NEW), ("", "")):
        assert accepts(client, link, password, again) == 422
    assert client.get("/admin/invitation/x").status_code == 404
    assert len(every()) == 1


def test_a_role_is_changed_sessions_are_ended_and_an_account_is_disabled(app: Flask) -> None:
    owner = Editor(app)
    other = Editor(app, "ben@example.org")
    assert owner.sends("/admin/people/2", do="role", role="reader").status_code == 303
    assert other.opens("/admin/new").status_code == 403
    owner.sends("/admin/people/2", do="end-sessions")
    assert not other.is_in()
    other.signs_in()
    assert other.is_in()
    owner.sends("/admin/people/2", do="disable")
    assert not other.is_in()
    other.signs_in()
    assert not other.is_in()
    assert "disabled" in owner.opens("/admin/people").text
    owner.sends("/admin/people/2", do="enable")
    other.signs_in()
    assert other.is_in()
    done = ["account.role", "account.sessions_ended", "account.disabled", "account.enabled"]
    assert [action for _, action, about in noted() if about == "ben@example.org"][-4:] == done
    assert owner.sends("/admin/people/2", do="dance").status_code == 400
    assert owner.opens("/admin/people/3").status_code == 404


@pytest.mark.parametrize("what", [{"do": "role", "role": "editor"}, {"do": "disable"}])
def test_the_last_owner_stays(app: Flask, what: dict[str, str]) -> None:
    owner = Editor(app)
    create_admin("ben@example.org", PASSWORD, "editor")
    create_admin("cem@example.org", PASSWORD)
    set_active("cem@example.org", active=False)
    owner.sends("/admin/people/1", **what)
    assert "is the last owner" in owner.opens("/admin/people").text
    assert [one.role for one in every() if one.active] == ["owner", "editor"]
    set_active("cem@example.org", active=True)
    owner.sends("/admin/people/1", **what)
    assert [one.role for one in every() if one.active][-1] == "owner"


def test_changing_people_asks_again_who_it_is(app: Flask) -> None:
    with time_machine.travel(NOW, tick=False) as clock:
        owner = Editor(app)
        page = owner.opens("/admin/people").text
        clock.shift(timedelta(minutes=30))
        for address in ("/admin/people/1", "/admin/people/invite", "/admin/personal-data"):
            assert owner.opens(address).headers["Location"].startswith("/admin/verify"), address
        sent = hidden_in(page) | {"email": NEW, "role": "owner"}
        assert owner.posts("/admin/people/invite", **sent).headers["Location"].startswith("/admin/verify")
    assert len(every()) == 1
