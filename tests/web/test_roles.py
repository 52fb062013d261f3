"""What each role may do: every address of the newsroom's, with every role, and a page without a role is nobody's."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime

import pytest
import time_machine
from actors import NEWSROOM, gift_fact, moment
from flask import Flask
from sqlalchemy import select
from web_admin import PASSWORD, Editor

from tracker.giving.offline_gift import offline_gift
from tracker.ledger import book, campaigns, gift_story, offline_gifts
from tracker.ledger.models import entry
from tracker.ledger.store import writing
from tracker.web.admin import VIEWS
from tracker.web.admin.signin import create_admin
from tracker.web.admin.signin.roles import OWNER, READER, ROLES
from tracker.web.site import now

VALUES = {
    "slug": "newsroom",
    "month": "2021-05",
    "form": "csv",
    "kind": "drive",
    "appeal_id": "1",
    "number": "99",
    "key": "cs_99",
}
NEEDED = {name: role for role, names in VIEWS.items() for name in names}
REFUSED = "Your role does not allow this"


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(datetime(2021, 5, 14, 9, 31, tzinfo=UTC), tick=False):
        yield


def with_role(app: Flask, role: str) -> Editor:
    create_admin(f"{role}@example.org", PASSWORD, role)
    return Editor(app, f"{role}@example.org")


def addresses(app: Flask) -> Iterator[tuple[str, str, str]]:
    """Every view behind the sign-in: its name, a method and an address of it."""
    for rule in app.url_map.iter_rules():
        if rule.endpoint.startswith("admin."):
            address = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: VALUES[found[1]], rule.rule)
            for method in sorted((rule.methods or set()) & {"GET", "POST"}):
                yield rule.endpoint.removeprefix("admin."), method, address


def test_every_page_says_which_role_it_needs(app: Flask) -> None:
    assert {name for name, _, _ in addresses(app)} == set(NEEDED)
    assert len(NEEDED) == sum(map(len, VIEWS.values()))


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize("role", ROLES)
def test_every_address_opens_for_those_who_may_and_for_nobody_else(app: Flask, role: str) -> None:
    person = with_role(app, role)
    seen = set()
    # Signing out comes last.
    for name, method, address in sorted(addresses(app), key=lambda one: one[0] == "sign_out_everywhere"):
        may = ROLES.index(role) >= ROLES.index(NEEDED[name])
        # Without a token: whoever may is told that it is missing, and nothing is done.
        answer = person.opens(address) if method == "GET" else person.posts(address)
        assert (answer.status_code == 403) is not may, f"{role} {method} {address}: {answer.status_code}"
        assert (REFUSED.encode() in answer.data) is not may, f"{role} {method} {address}"
        assert answer.status_code < 500
        seen.add(may)
    assert seen == ({True} if role == "owner" else {True, False})


def test_a_page_that_names_no_role_is_refused_to_everybody(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(VIEWS, "reader", tuple(name for name in VIEWS["reader"] if name != "month"))
    answer = Editor(app).opens("/admin/c/newsroom/months/2021-05")
    assert (answer.status_code, REFUSED in answer.text) == (403, True)


def test_whoever_has_no_role_sees_nothing(app: Flask) -> None:
    editor = Editor(app)
    with writing() as session:
        session.connection().exec_driver_sql("DELETE FROM user_role")
    answer = editor.opens("/admin/c/newsroom/")
    assert (answer.status_code, "You have no role yet." in answer.text) == (403, True)


def test_a_reader_sees_the_figures_and_no_forms(app: Flask) -> None:
    page = with_role(app, "reader").opens("/admin/c/newsroom/").text
    assert "5,000 $" in page
    assert "Set a goal" not in page
    for words in ("Settings", "Protection", "Supporters", "People", "Audit log"):
        assert f">{words}</a>" not in page, words
    assert ">On your site</a>" in page


def test_a_reader_sees_no_names_and_no_notes(app: Flask) -> None:
    """Names wait for an editor, or were hidden by one; notes are between editors."""
    with writing() as session:
        book.record(session, gift_fact("cs_1", name="Ada Lovelace", message="For the courts"), now())
        (cheque,) = session.execute(select(entry).where(entry.c.key == "cs_1"))
        gift_story.write_note(session, cheque, "Called by Ada", None, now())
        offline_gifts.write_down(
            session, [offline_gift(NEWSROOM, False, now().date(), 700, "Cheque of Ada", "1")], now()
        )
    pages = ("gifts", "gifts?q=Ada", "gifts/cs_1", "gifts/offline:newsroom:test:1", "months/2021-05")
    reader, editor = with_role(app, "reader"), with_role(app, "editor")
    for page in pages:
        shown = reader.opens(f"/admin/c/newsroom/{page}")
        assert shown.status_code == 200
        assert not re.search(r"Ada|courts", _told(shown.text)), page
        assert re.search(r"Ada|courts", _told(editor.opens(f"/admin/c/newsroom/{page}").text)), page
    # By its id a gift is found by everybody.
    assert "gifts/cs_1" in reader.opens("/admin/c/newsroom/gifts?q=pi_cs_1").text


def _told(page: str) -> str:
    """A page without what whoever asks had typed themselves."""
    return re.sub(r'<input[^>]*>|<ul class="chosen".*?</ul>', "", page, flags=re.DOTALL)


def test_another_role_holds_from_the_next_page_on(app: Flask) -> None:
    editor = with_role(app, "reader")
    assert editor.opens("/admin/c/newsroom/settings").status_code == 403
    create_admin("owner@example.org", PASSWORD)
    owner = Editor(app, "owner@example.org")
    answer = owner.sends("/admin/people/1", role="editor", do="role")
    assert answer.status_code == 303
    assert editor.opens("/admin/c/newsroom/settings").status_code == 200


def test_an_editor_cannot_make_anybody_an_owner(app: Flask) -> None:
    editor = with_role(app, "editor")
    create_admin("owner@example.org", PASSWORD)
    with writing() as session:
        campaigns.save(session, NEWSROOM)
    token = editor.opens("/admin/c/newsroom/settings").text
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', token)
    assert found
    for address, fields in (
        ("/admin/people/1", {"role": "owner", "do": "role"}),
        ("/admin/people/2", {"role": "reader", "do": "disable"}),
        ("/admin/people/invite", {"email": "new@example.org", "role": "owner"}),
    ):
        assert editor.posts(address, csrf_token=found[1], **fields).status_code == 403


def test_a_reader_is_not_offered_what_only_others_may_do(app: Flask) -> None:
    with writing() as session:
        for fact in (gift_fact("cs_1"), gift_fact("cs_april", at=moment("2021-04-10T10:00"))):
            book.record(session, fact, moment("2021-05-14T09:31"))
    places = ("files", "months/2021-05", "months/2021-04/close", "gifts/cs_1")
    offered = ("Download donors", "given back?", 'class="closing"', "Record money given back", "Save note")
    for role, seen in ((READER, 0), (OWNER, len(offered))):
        person = with_role(app, role)
        pages = "".join(person.opens(f"/admin/c/newsroom/{place}").text for place in places)
        assert [words for words in offered if words in pages] == list(offered[:seen]), role
