"""Signing in as people do it: with passkeys, from other sites' links, by keyboard, and with a text that is not lost."""

from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any
from urllib.parse import parse_qs

import pytest
from browser.walking import Visitor, arrives
from flask import Flask
from playwright.sync_api import CDPSession, Page, expect
from serving import serving
from sqlalchemy import delete
from web_admin import EMAIL, PASSWORD, Phone

from tracker.ledger import campaigns
from tracker.ledger.models import db
from tracker.ledger.store import reading, writing
from tracker.ledger.user_models import SessionRow
from tracker.web.admin.signin import create_admin, fresh
from tracker.web.admin.signin.accounts import every

Visitors = Callable[..., Visitor]
STORY = "# Why\n\nFive reporters, <b>one</b> town & “no owner”\n  but its readers."


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def door() -> Iterator[tuple[list[Flask], str]]:
    """An address, which must be known before there is an app to answer at it."""
    behind: list[Flask] = []
    with serving(lambda environ, start: behind[0](environ, start)) as url:
        # Passkeys need a name, and this is the only one that needs no https.
        yield behind, url.replace("127.0.0.1", "localhost")


@pytest.fixture
def environ(environ: dict[str, str], door: tuple[list[Flask], str]) -> dict[str, str]:
    return environ | {"TRACKER_PUBLIC_URL": door[1], "TRACKER_SECOND_FACTOR": "optional"}


@pytest.fixture
def site(app: Flask, door: tuple[list[Flask], str]) -> str:
    create_admin(EMAIL, PASSWORD)
    door[0].append(app)
    return door[1]


def signs_in(page: Page, site: str, to: str = "/admin/") -> None:
    page.goto(f"{site}{to}")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()


def end_all_sessions(app: Flask) -> None:
    with app.app_context():
        db.session.execute(delete(SessionRow))
        db.session.commit()


class Authenticator:
    """What holds a passkey: Chromium's own stand-in for a phone or a security key."""

    def __init__(self, page: Page, *, knows_its_owner: bool) -> None:
        self.browser: CDPSession = page.context.new_cdp_session(page)
        self.browser.send("WebAuthn.enable")
        options = {
            "protocol": "ctap2", "transport": "internal" if knows_its_owner else "usb",
            "hasResidentKey": knows_its_owner,
            "hasUserVerification": knows_its_owner, "isUserVerified": knows_its_owner,
            "automaticPresenceSimulation": True,
        }  # fmt: skip
        made = self.browser.send("WebAuthn.addVirtualAuthenticator", {"options": options})
        self.id = made["authenticatorId"]

    def holds(self) -> list[dict[str, Any]]:
        found = self.browser.send("WebAuthn.getCredentials", {"authenticatorId": self.id})["credentials"]
        return list(found)

    def is_lost(self) -> None:
        self.browser.send("WebAuthn.removeVirtualAuthenticator", {"authenticatorId": self.id})


def adds_a_passkey(page: Page, site: str, name: str = "Laptop") -> None:
    page.goto(f"{site}/admin/account")
    page.get_by_role("link", name="Add a passkey").click()
    page.get_by_label("Name, such as the device it is on").fill(name)
    page.get_by_role("button", name="Add a passkey").click()
    expect(page.get_by_role("status")).to_have_text(f"The passkey “{name}” is added.")


def signs_out(page: Page) -> None:
    page.get_by_role("button", name="Sign out", exact=True).click()
    arrives(page, "/admin/login")


# --- Passkeys ---------------------------------------------------------------------------------------------------------


def test_a_passkey_that_knows_its_owner_signs_in_alone(site: str, visitor: Visitors) -> None:
    page = visitor().page
    key = Authenticator(page, knows_its_owner=True)
    signs_in(page, site)
    adds_a_passkey(page, site)
    expect(page.get_by_text("signs in alone")).to_be_visible()
    assert key.holds()[0]["rpId"] == "localhost"
    signs_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    arrives(page, "/admin/c/newsroom/")


def test_it_is_asked_for_after_the_password_too(app: Flask, site: str, visitor: Visitors) -> None:
    app.config["SECURITY_WAN_SIGNIN_TIMEOUT"] = 1000  # milliseconds that a browser waits for one
    page = visitor().page
    key = Authenticator(page, knows_its_owner=True)
    signs_in(page, site)
    adds_a_passkey(page, site)
    page.goto(f"{site}/admin/account/recovery-codes")
    page.get_by_role("button", name="Show me recovery codes").click()
    recovery_code = page.locator(".codes code").first.inner_text()
    signs_out(page)
    signs_in(page, site, "/admin/new")
    expect(page.get_by_role("heading", name="Now your passkey")).to_be_visible()
    page.get_by_role("button", name="Use a passkey").click()
    arrives(page, "/admin/new")
    signs_out(page)
    key.is_lost()
    signs_in(page, site)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_text("Nothing came from your browser")).to_be_visible(timeout=15_000)
    page.get_by_role("link", name="Use a recovery code instead").click()
    page.get_by_label("Recovery code").fill(recovery_code)
    page.get_by_role("button", name="Sign in", exact=True).click()
    arrives(page, "/admin/c/newsroom/")


def test_a_key_that_does_not_know_its_owner_comes_after_the_password_and_never_alone(
    site: str, visitor: Visitors
) -> None:
    page = visitor().page
    Authenticator(page, knows_its_owner=False)
    signs_in(page, site)
    adds_a_passkey(page, site, "Key on my ring")
    expect(page.get_by_text("after the password")).to_be_visible()
    signs_out(page)
    signs_in(page, site)
    page.get_by_role("button", name="Use a passkey").click()
    arrives(page, "/admin/c/newsroom/")


def test_a_passkey_of_another_account_is_no_second_factor(app: Flask, site: str, visitor: Visitors) -> None:
    create_admin("ben@example.org", PASSWORD)
    page = visitor().page
    Authenticator(page, knows_its_owner=True)
    signs_in(page, site)
    adds_a_passkey(page, site, "Of Ana")
    # Ben has one as well, on another device; Ana's is in front of the screen.
    with writing() as connection:
        connection.connection().exec_driver_sql(
            "INSERT INTO passkey (user_id, name, credential_id, public_key, sign_count, device_type, backup_state,"
            " lastuse_datetime, usage) SELECT 2, 'Of Ben', X'78', public_key, 0, device_type, 0, lastuse_datetime, usage"
            " FROM passkey"
        )
    signs_out(page)
    page.get_by_label("E-mail address").fill("ben@example.org")
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    page.get_by_role("button", name="Use a passkey").wait_for()
    # A browser keeps to the passkeys that it is asked for; this one sends what it has.
    page.add_init_script(ANY_WILL_DO)
    page.get_by_role("button", name="Use a passkey").click()
    expect(page.get_by_role("alert").first).to_have_text("This passkey belongs to another account.")
    page.goto(f"{site}/admin/c/newsroom/")
    expect(page.get_by_label("Password")).to_be_visible()


ANY_WILL_DO = """
const asked = navigator.credentials.get.bind(navigator.credentials);
navigator.credentials.get = (how) => {
    how.publicKey.allowCredentials = [];
    return asked(how);
};
"""


def test_a_passkeys_answer_is_good_once(site: str, visitor: Visitors) -> None:
    page = visitor().page
    Authenticator(page, knows_its_owner=True)
    signs_in(page, site)
    adds_a_passkey(page, site)
    signs_out(page)
    answers = []
    page.on("request", lambda one: answers.append(one) if "/login/passkey/" in one.url else None)
    page.get_by_role("button", name="Sign in with a passkey").click()
    arrives(page, "/admin/c/newsroom/")
    (answer,) = answers
    # Whoever saw it go by, in a browser of their own that has a token of its own.
    thief = visitor().page
    thief.goto(f"{site}/admin/login")
    token = thief.locator('input[name="csrf_token"]').first.input_value()
    (credential,) = parse_qs(answer.post_data or "")["credential"]
    sent = thief.request.post(answer.url, form={"csrf_token": token, "credential": credential}, max_redirects=0)
    assert sent.status == 302
    thief.goto(f"{site}/admin/login/passkey")
    expect(thief.get_by_role("alert").first).to_have_text("This passkey's answer was already used. Please try again.")


def test_what_is_dangerous_can_be_confirmed_with_a_passkey(
    app: Flask, site: str, visitor: Visitors, monkeypatch: pytest.MonkeyPatch
) -> None:
    page = visitor().page
    Authenticator(page, knows_its_owner=True)
    signs_in(page, site)
    adds_a_passkey(page, site)
    page.context.clear_cookies()
    signs_in(page, site, "/admin/account")
    page.get_by_role("button", name="Use a passkey").click()
    page.get_by_role("heading", name="Your account").wait_for()
    for name in ("SECURITY_FRESHNESS", "SECURITY_FRESHNESS_GRACE_PERIOD"):
        monkeypatch.setitem(app.config, name, timedelta(microseconds=1))
    page.get_by_role("link", name="Get recovery codes").click()
    page.get_by_role("heading", name="Confirm that it is you").wait_for()
    monkeypatch.setitem(app.config, "SECURITY_FRESHNESS", fresh.FRESH)
    page.get_by_role("button", name="Confirm with a passkey").click()
    page.get_by_role("heading", name="Recovery codes").wait_for()
    expect(page.get_by_role("status")).to_have_text("Thank you. Please go on.")


def test_a_passkey_is_removed(app: Flask, site: str, visitor: Visitors) -> None:
    page = visitor().page
    Authenticator(page, knows_its_owner=True)
    signs_in(page, site)
    adds_a_passkey(page, site)
    page.get_by_role("button", name="Remove Laptop").click()
    expect(page.get_by_role("status")).to_have_text("The passkey “Laptop” is removed.")
    signs_out(page)
    page.get_by_role("button", name="Sign in with a passkey").click()
    expect(page.get_by_role("alert").first).to_have_text("This passkey belongs to no account here.")


class TestAtAnAddressOfNumbers:
    @pytest.fixture
    def door(self) -> Iterator[tuple[list[Flask], str]]:
        behind: list[Flask] = []
        with serving(lambda environ, start: behind[0](environ, start)) as url:
            yield behind, url

    def test_no_passkeys_are_offered_where_browsers_have_none(self, site: str, visitor: Visitors) -> None:
        page = visitor().page
        page.goto(f"{site}/admin/")
        expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
        expect(page.get_by_role("button", name="passkey")).to_have_count(0)
        signs_in(page, site, "/admin/account")
        page.get_by_role("heading", name="Your account").wait_for()
        expect(page.get_by_text("Add a passkey")).to_have_count(0)


# --- Led to set one up ------------------------------------------------------------------------------------------------


class TestRequired:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_SECOND_FACTOR": "required"}

    def test_the_first_sign_in_by_keyboard_alone_on_a_phone_without_a_script(
        self, app: Flask, site: str, visitor: Visitors
    ) -> None:
        page = visitor(width=360, height=640, java_script_enabled=False).page
        page.goto(f"{site}/admin/c/newsroom/settings")
        expect(page.get_by_label("E-mail address")).to_be_focused()
        page.keyboard.type(EMAIL)
        page.keyboard.press("Tab")
        page.keyboard.type(PASSWORD)
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Set up a second factor first").wait_for()
        reaches(page, "link", "Set up an app")
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="Set up an app").wait_for()
        phone = Phone.reads(page.content())
        page.keyboard.type(phone.shows())
        page.keyboard.press("Enter")
        page.get_by_role("heading", name="One more step: recovery codes").wait_for()
        reaches(page, "link", "Get recovery codes")
        page.keyboard.press("Enter")
        reaches(page, "button", "Show me recovery codes")
        page.keyboard.press("Enter")
        expect(page.locator(".codes li")).to_have_count(10)
        reaches(page, "button", "I have kept them")
        page.keyboard.press("Enter")
        arrives(page, "/admin/c/newsroom/settings")
        with app.app_context():
            assert [(account.app, account.recovery_codes) for account in every()] == [(True, 10)]


def reaches(page: Page, role: Any, name: str) -> None:
    """Goes on from one thing to the next until this one has the focus."""
    wanted = page.get_by_role(role, name=name)
    page.keyboard.press("Tab")
    for _ in range(40):
        if page.locator(":focus").and_(wanted).count():
            return
        page.keyboard.press("Tab")
    raise AssertionError(f"{name} cannot be reached by keyboard")


# --- Other sites ------------------------------------------------------------------------------------------------------


@pytest.fixture
def elsewhere(site: str) -> Iterator[str]:
    """Another site, by another name: with a link to the newsroom's pages, and forms that would do harm."""
    other = Flask("elsewhere")

    @other.get("/")
    def page() -> str:
        return (
            "<!doctype html><html lang=en><title>Elsewhere</title><link rel=icon href=data:,>"
            f'<a href="{site}/admin/c/newsroom/">To the newsroom</a>'
            f'<form method=post action="{site}/admin/logout"><button>Out</button></form>'
            f'<form method=post action="{site}/admin/login"><input name=email value=x><button>In</button></form>'
            f'<form method=post action="{site}/admin/c/newsroom/settings"><input name=title value=Mine>'
            "<button>Change</button></form>"
        )

    with serving(other) as url:
        yield url


def test_nothing_that_another_site_does_signs_an_editor_out_or_loses_their_text(
    app: Flask, site: str, elsewhere: str, visitor: Visitors
) -> None:
    writing_ = visitor().page
    signs_in(writing_, site, "/admin/c/newsroom/settings")
    writing_.get_by_label("What the money does").fill(STORY)
    other = writing_.context.new_page()
    other.goto(elsewhere)
    other.get_by_role("link", name="To the newsroom").click()
    # Signed in there, too.
    expect(other.get_by_role("link", name="Settings")).to_be_visible()
    for button in ("Out", "In", "Change"):
        other.goto(elsewhere)
        other.get_by_role("button", name=button).click()
        expect(other.get_by_role("heading")).to_have_text("That did not come from our page")
    writing_.get_by_role("button", name="Save").click()
    expect(writing_.get_by_role("status")).to_contain_text("is saved")
    assert story_of(app) == STORY


@pytest.mark.parametrize("script", [True, False])
def test_a_text_whose_session_has_ended_is_there_after_signing_in(
    app: Flask, site: str, visitor: Visitors, script: bool
) -> None:
    page = visitor(java_script_enabled=script).page
    signs_in(page, site, "/admin/c/newsroom/settings")
    page.get_by_label("What the money does").fill(STORY)
    end_all_sessions(app)
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("status")).to_contain_text("What you wrote is kept")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill(PASSWORD)
    page.get_by_role("button", name="Sign in", exact=True).click()
    expect(page.get_by_role("definition").filter(has_text="<b>one</b> town & “no owner”")).to_be_visible()
    page.get_by_role("button", name="Send it now").click()
    expect(page.get_by_role("status")).to_contain_text("is saved")
    assert story_of(app) == STORY


def story_of(app: Flask) -> str:
    with app.app_context(), reading() as connection:
        found = campaigns.find(connection, "newsroom")
    assert found is not None
    return found.story.replace("\r\n", "\n")


# --- Looks ------------------------------------------------------------------------------------------------------------


def test_no_page_of_the_sign_in_and_account_scrolls_sideways_at_any_width(
    app: Flask, site: str, visitor: Visitors
) -> None:
    page = visitor().page
    Authenticator(page, knows_its_owner=True)
    seen = []

    def look(words: str, role: Any = "heading") -> None:
        """At the page that says this."""
        expect(page.get_by_role(role).filter(has_text=words).first).to_be_visible()
        seen.extend(f"{words}: {fault}" for fault in faults(page))

    page.goto(f"{site}/admin/")
    look("Sign in")
    page.get_by_label("E-mail address").fill(EMAIL)
    page.get_by_label("Password").fill("wrong")
    page.get_by_role("button", name="Sign in", exact=True).click()
    look("The e-mail address or the password is wrong.", "alert")
    signs_in(page, site, "/admin/account")
    look("Your account")
    page.get_by_role("link", name="Set up an app").click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Set up the app").click()
    look("That code is wrong.", "alert")
    phone = Phone.reads(page.content())
    page.get_by_label("Code").fill(phone.shows())
    page.get_by_role("button", name="Set up the app").click()
    look("The app is set up.", "status")
    page.goto(f"{site}/admin/account/passkeys")
    look("Add a passkey")
    adds_a_passkey(page, site, "A rather long name for a laptop on the politics desk")
    look("is added", "status")
    page.goto(f"{site}/admin/account/recovery-codes")
    look("Recovery codes")
    page.get_by_role("button", name="Show me").click()
    page.locator(".codes").wait_for()
    look("Recovery codes")
    page.goto(f"{site}/admin/account/password")
    page.get_by_label("Your password now").fill(PASSWORD)
    for label in ("New password", "New password again"):
        page.get_by_label(label, exact=True).fill("123456789012")
    page.get_by_role("button", name="Change the password").click()
    look("too easy to guess", "alert")
    page.goto(f"{site}/admin/verify")
    look("Confirm that it is you")
    page.goto(f"{site}/admin/c/newsroom/settings")
    page.get_by_label("What the money does").fill(STORY * 20)
    end_all_sessions(app)
    page.get_by_role("button", name="Save").click()
    look("What you wrote is kept", "status")
    signs_in(page, site, "/admin/login?next=/admin/unsent")
    look("One more step")
    page.get_by_role("button", name="With a code").click()
    page.get_by_label("Code").fill("000000")
    page.get_by_role("button", name="Sign in").click()
    look("That code is wrong", "alert")
    page.get_by_role("link", name="Use a recovery code").click()
    page.get_by_label("Recovery code").fill("x")
    page.get_by_role("button", name="Sign in").click()
    look("That recovery code is wrong", "alert")
    page.get_by_role("link", name="Choose another way").click()
    page.get_by_role("button", name="With a passkey").click()
    look("Now your passkey")
    page.get_by_role("button", name="Use a passkey").click()
    look("Not sent yet")
    page.goto(f"{site}/admin/c/newsroom/")
    expect(page.get_by_text("You have a form that has not been sent.")).to_be_visible()
    seen.extend(faults(page))
    assert seen == []


def faults(page: Page) -> list[str]:
    """Every width that scrolls sideways; all else is looked at by the auditors (test_editors_auditors.py)."""
    found, before = [], page.viewport_size
    for width in (320, 360, 768, 1280):
        page.set_viewport_size({"width": width, "height": 700})
        if page.evaluate("document.documentElement.scrollWidth > innerWidth"):
            found.append(f"scrolls sideways at {width}")
    assert before is not None
    page.set_viewport_size(before)
    return found
