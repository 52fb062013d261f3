"""The editors' page of drives, matches and goals in people."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, gift_fact, moment
from flask import Flask
from web_admin import Editor, hidden_in

from tracker.ledger import appeals, book, campaigns
from tracker.ledger.store import reading, writing

NOW = datetime(2021, 5, 14, 16, 30, tzinfo=UTC)
PAGE, NEW_DRIVE, NEW_MATCH = (f"/admin/c/newsroom/drives{end}" for end in ("", "/new/drive", "/new/match"))
DRIVE = {"name": "Summer drive", "amount": "20000", "starts_at": "2021-05-14T18:00", "ends_at": "2021-05-16T22:00"}


@pytest.fixture
def database_url() -> str:
    """SQLite alone: what is written is tried on both in tests/ledger/test_drives.py."""
    return ""


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


@pytest.fixture
def editor(app: Flask) -> Editor:
    return Editor(app)


def words(page: str) -> str:
    return " ".join(re.sub(r"<[^>]+>", " ", page).split())


def test_a_drive_is_made_changed_and_ended(app: Flask, editor: Editor) -> None:
    with writing() as session:
        book.record(session, gift_fact("cs_1", 124_000, at=moment("2021-05-14T16:10")), NOW)
    assert editor.sends(NEW_DRIVE, **DRIVE).status_code == 303
    page = words(editor.opens(PAGE).text)
    assert "“Summer drive” is saved: from 2021-05-14 18:00 to 2021-05-16 22:00." in page
    assert "Summer drive running 2021-05-14 18:00 2021-05-16 22:00 20,000 $ 1,240 $ 1" in page
    assert "Summer drive" in app.test_client().get("/embed/newsroom").text
    change = f"{PAGE}/1"
    assert 'value="2021-05-16T22:00"' in editor.opens(change).text
    assert editor.sends(change, **DRIVE | {"name": "Longer", "ends_at": "2021-05-17 08:00"}).status_code == 303
    assert "Longer running 2021-05-14 18:00 2021-05-17 08:00" in words(editor.opens(PAGE).text)
    assert editor.sends(PAGE, to=f"{PAGE}/end", appeal="1").status_code == 303
    page = words(editor.opens(PAGE).text)
    assert "It has ended." in page
    assert "Longer ended 2021-05-14 18:00 2021-05-14 18:30" in page
    assert "Longer" not in app.test_client().get("/embed/newsroom").text
    # What was shown stays as it was.
    assert editor.opens(change).status_code == 303
    assert "has ended: it stays as it was shown" in words(editor.opens(PAGE).text)


def test_a_match_is_made_and_one_that_has_not_begun_is_deleted(app: Flask, editor: Editor) -> None:
    typed = {"name": "Harbour Foundation", "amount": "5,000", "starts_at": "2021-05-15T08:00", "ends_at": ""}
    assert editor.sends(NEW_MATCH, **typed).status_code == 303
    page = words(editor.opens(PAGE).text)
    assert "Harbour Foundation planned 2021-05-15 08:00 – 5,000 $ 0 $" in page
    assert "Delete" in page
    editor.sends(PAGE, to=f"{PAGE}/end", appeal="1")
    assert "It is deleted: it had not begun." in words(editor.opens(PAGE).text)
    with reading() as session:
        assert appeals.every(session, NEWSROOM, False) == []


@pytest.mark.parametrize(
    ("changes", "field", "said"),
    [
        ({"name": " "}, "name", "Which name?"),
        ({"name": "a\u200b"}, "name", "A drive needs a name of 1 to 40 characters."),
        ({"name": "x" * 41}, "name", "Use 40 characters or fewer."),
        ({"amount": "lots"}, "amount", "We could not read “lots” as an amount."),
        ({"amount": ""}, "amount", "How much is it?"),
        ({"starts_at": "soon"}, "starts_at", "“soon” is not a day and time. Write it as 2021-05-14 18:00."),
        ({"starts_at": ""}, "starts_at", "When does it start?"),
        ({"ends_at": ""}, "ends_at", "When does the drive end?"),
        ({"ends_at": "2021-05-14T18:15"}, "ends_at", "The end must be in the future."),
        ({"starts_at": "2021-05-12T08:00"}, "starts_at", "only one drive can run at a time."),
    ],
)
def test_what_is_wrong_is_said_beside_its_field_and_nothing_is_saved(
    editor: Editor, changes: dict[str, str], field: str, said: str
) -> None:
    editor.sends(NEW_DRIVE, **DRIVE | {"name": "Another", "ends_at": "2021-05-14T19:00"})
    typed = DRIVE | changes
    answer = editor.sends(NEW_DRIVE, **typed)
    assert answer.status_code == 422
    wrong = re.search(rf'id="{field}-wrong">([^<]+)<', answer.text)
    assert wrong
    assert said in wrong[1]
    assert f'href="#{field}"' in answer.text
    assert all(f'value="{text}"' in answer.text for text in typed.values() if text)
    with reading() as session:
        assert [one.name for one in appeals.every(session, NEWSROOM, False)] == ["Another"]


def test_strangers_addresses_and_sums_of_others_are_not_found(app: Flask, editor: Editor) -> None:
    editor.sends(NEW_DRIVE, **DRIVE)
    with writing() as session:
        campaigns.save(session, replace(NEWSROOM, slug="sister", id=0))
    assert editor.opens("/admin/c/newsroom/drives/new/lottery").status_code == 404
    assert editor.opens("/admin/c/newsroom/drives/99").status_code == 404
    assert editor.opens("/admin/c/sister/drives/1").status_code == 404
    assert editor.posts("/admin/c/newsroom/drives/end", appeal="1").status_code == 400
    for number in ("", "x", "9" * 30, "²", "1"):
        editor.sends("/admin/c/newsroom/drives", to="/admin/c/sister/drives/end", appeal=number)
        assert "It is not there any more." in words(editor.opens("/admin/c/sister/drives").text)
    assert app.test_client().get(PAGE).status_code == 302


def test_a_goal_in_people_is_set_and_taken_away(app: Flask, editor: Editor) -> None:
    people = f"{PAGE}/people"
    goal = {"month": "2021-05", "number": "200", "stands": "yes", "first": "y"}
    assert editor.sends(PAGE, to=people, **goal).status_code == 303
    page = editor.opens(PAGE).text
    assert "The goal in people of 2021-05 is 200, from that month on." in page
    assert "May 2021: 200 supporters, and the bar counts them instead of money." in words(page)
    assert app.test_client().get("/embed/newsroom.txt").text == "May 2021: 0 of 200 supporters\n"
    typed = hidden_in(editor.opens(PAGE).text) | {"month": "2021-05", "number": "0", "stands": "yes"}
    assert editor.posts(people, **typed).status_code == 303
    assert "There is none in May 2021." in words(editor.opens(PAGE).text)
    for changes, said in (
        ({"number": "many"}, "Not a valid integer value."),
        ({"number": "-1"}, "Enter a number of supporters, or 0 for no goal."),
        ({"month": "May"}, "“May” is not a month."),
        ({"month": "2021-04"}, "2021-04 is over: a goal in people can apply from the current month on."),
    ):
        answer = editor.sends(PAGE, to=people, **goal | changes)
        assert (answer.status_code, said in answer.text) == (422, True), changes
