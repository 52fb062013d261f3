"""What editors do with the names and words of supporters: allow, hide for good, and find them among thousands."""

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html import unescape
from typing import Any

import pytest
import time_machine
from actors import gift_fact, moment
from flask import Flask
from web_admin import Editor

from tracker.ledger import book
from tracker.ledger.store import writing
from tracker.web.admin import supporter_names

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def editor(app: Flask) -> Editor:
    return Editor(app)


def record(*facts: Any) -> None:
    with writing() as session:
        for fact in facts:
            book.record(session, fact, NOW)


def test_what_is_hidden_stays_hidden_whatever_is_told_again(app: Flask, editor: Editor) -> None:
    first = gift_fact("in_1", kind="monthly", name="Ana", message="For the court reports")
    record(first)
    page = "/admin/c/newsroom/supporters"
    assert "Waiting for you (1)" in editor.opens(page).text
    editor.sends(page, gift="in_1", show="no")
    public = app.test_client()
    # The same delivery again, and the next month of the same subscription, which tells no name.
    record(first, gift_fact("in_2", kind="monthly"))
    for address in ("/c/newsroom", "/embed/newsroom/wall"):
        assert "court reports" not in public.get(address).text
    assert "Waiting for you (0)" in editor.opens(page).text
    assert editor.opens(f"{page}?state=hidden").text.count("court reports") == 1
    # Nor when whoever it was gives again: that waits for an editor, as everything does.
    record(gift_fact("cs_2", name="Ana", message="For the court reports"))
    assert "court reports" not in public.get("/c/newsroom").text
    assert "Waiting for you (1)" in editor.opens(page).text


def test_names_are_narrowed_down_and_the_one_decided_on_keeps_its_place(editor: Editor) -> None:
    for number in (1, 2, 3):
        record(gift_fact(f"cs_{number}", name=f"Ana {number}"))
    page = "/admin/c/newsroom/supporters?state=waiting"
    answer = editor.sends(page, gift="cs_2", show="no")
    html = editor.opens(answer.location).text
    assert "state=waiting" in answer.location
    # Still between the others, so that it can be undone; gone when the page is next opened.
    assert re.findall(r"<bdi>(Ana \d)</bdi>", html) == ["Ana 1", "Ana 2", "Ana 3"]
    assert 'role="status">Now hidden<' in html
    assert re.findall(r"<bdi>(Ana \d)</bdi>", editor.opens(page).text) == ["Ana 1", "Ana 3"]
    assert re.findall(r"<bdi>(Ana \d)</bdi>", editor.opens(page.replace("waiting", "hidden")).text) == ["Ana 2"]
    assert "None here" in editor.opens(page.replace("waiting", "shown")).text
    assert editor.opens(page.replace("waiting", "whatever")).text.count("<bdi>") == 3


def test_thousands_of_names_are_leafed_through(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(supporter_names, "ON_A_PAGE", 3)
    # Two of them in the same second.
    for number in range(8):
        record(gift_fact(f"cs_{number}", name=f"Ana {number}", at=moment(f"2021-05-1{number // 2}T10:00")))
    seen: list[list[str]] = []
    address = "/admin/c/newsroom/supporters"
    while address:
        html = editor.opens(address).text
        seen.append(re.findall(r"<bdi>(Ana \d)</bdi>", html))
        older = re.search(r'href="([^"]+)">Older<', html)
        address = unescape(older[1]) if older else ""
    assert seen == [["Ana 6", "Ana 7", "Ana 4"], ["Ana 5", "Ana 2", "Ana 3"], ["Ana 0", "Ana 1"]]
    newer = re.search(r'href="([^"]+)">Newer<', html)
    assert newer
    html = editor.opens(unescape(newer[1])).text
    assert re.findall(r"<bdi>(Ana \d)</bdi>", html) == seen[1]
    # A press leads back to the same page of the list.
    before = unescape(newer[1])
    location = editor.sends(before, gift="cs_2", show="yes").location
    assert re.findall(r"<bdi>(Ana \d)</bdi>", editor.opens(location).text) == seen[1]
    assert editor.opens("/admin/c/newsroom/supporters?after=cs_gone").text.count("<bdi>") == 3
    assert editor.opens("/admin/c/newsroom/supporters?after=%00").status_code == 200
