"""The audit log: every change leaves a line with who, what, before and after; none can be changed, and no donor is in it."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from actors import gift_fact
from flask import Flask
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError
from web_admin import EMAIL, Editor

from tracker.ledger import audit_log, book
from tracker.ledger.audit_log import Filter, Who
from tracker.ledger.store import reading, writing

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


def lines(**wanted: Any) -> list[audit_log.Line]:
    with reading() as session:
        return audit_log.lines(session, Filter(**wanted), limit=500)


def note(action: str = "goal.set", **what: Any) -> None:
    with writing() as session:
        audit_log.note(session, Who(command="tracker goal set", login="root"), NOW, action, **what)


def test_what_an_editor_changes_leaves_a_line(app: Flask) -> None:
    editor = Editor(app)
    editor.sends("/admin/c/newsroom/", to="/admin/c/newsroom/goal", month="2021-05", amount="6000", stands="no")
    editor.sends("/admin/c/newsroom/offline", amount="50", date="2021-05-14", note="From Ada Lovelace, by cheque")
    editor.sends("/admin/c/newsroom/protection", switch="on")
    (goal,) = lines(action="goal.set")
    assert (goal.email, goal.campaign, goal.about, goal.at) == (EMAIL, "newsroom", "2021-05", NOW)
    assert goal.changes == [("goal", "5,000 $", "6,000 $"), ("applies to", None, "this month only")]
    (offline,) = lines(action="gift.offline")
    assert offline.after == {"amount": "50 $", "date": "2021-05-14"}
    assert lines(action="protection.set")[0].changes == [("protection", "automatic", "on")]
    page = editor.opens("/admin/audit").text
    for words in ("Goal set", "5,000 $", "6,000 $", EMAIL, "Offline gift recorded", "2021-05-14 09:31:00"):
        assert words in page, words
    assert "Lovelace" not in page


def test_names_are_shown_and_hidden_without_saying_whose(app: Flask) -> None:
    with writing() as session:
        book.record(session, gift_fact("cs_1", name="Ada", message="For the court reports"), NOW)
    editor = Editor(app)
    for show in ("yes", "yes", "no"):
        editor.sends("/admin/c/newsroom/supporters", gift="cs_1", show=show)
    found = [one for one in lines() if one.action.startswith("supporter.")]
    assert [(one.action, one.about) for one in found] == [("supporter.hidden", "cs_1"), ("supporter.shown", "cs_1")]
    assert "Ada" not in editor.opens("/admin/audit").text


def test_settings_are_told_by_what_has_changed_alone(app: Flask) -> None:
    editor = Editor(app)
    page = "/admin/c/newsroom/settings"
    sent = {
        "title": "New words", "goal": "6000", "once": "10, 25, 50, 100", "monthly": "5, 10, 20", "minimum": "2",
        "maximum": "10000", "time_zone": "Europe/Berlin", "locale": "en_US", "amount_pattern": "#,##0 ¤",
    }  # fmt: skip
    assert editor.sends(page, **sent).status_code == 303
    assert lines(action="campaign.changed")[0].changes == [("title", "Support the newsroom", "New words")]
    assert lines(action="goal.set")[0].changes[0] == ("goal", "5,000 $", "6,000 $")
    assert editor.sends(page, **sent).status_code == 303
    assert len(lines(action="campaign.changed")) == 1


@pytest.mark.parametrize("words", ["UPDATE audit_line SET action = 'x'", "DELETE FROM audit_line"])
def test_the_database_refuses_to_change_or_delete_a_line(app: Flask, words: str) -> None:
    note(about="2021-05")
    with pytest.raises(SQLAlchemyError, match="only added to"), writing() as session:
        session.execute(text(words))
    assert [one.action for one in lines()] == ["goal.set"]


def test_a_line_and_its_change_are_one_transaction(app: Flask) -> None:
    def changes_and_fails() -> None:
        with writing() as session:
            audit_log.note(session, Who(command="x"), NOW, "goal.set")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        changes_and_fails()
    assert lines() == []


def test_the_page_filters_and_goes_on_where_the_last_one_ended(app: Flask, clock: Any) -> None:
    editor = Editor(app)
    with writing() as session:
        for number in range(120):
            at = NOW + timedelta(days=number)
            audit_log.note(session, Who(command="tracker goal set", login="root"), at, "goal.set", about=f"n{number}.")
    first = editor.opens("/admin/audit?who=commands").text
    assert ("n119." in first, "n70." in first, "n69." in first) == (True, True, False)
    assert "tracker goal set, run by root" in first
    older = first.partition(">Older</a>")[0].rpartition('href="')[2].partition('"')[0].replace("&amp;", "&")
    second = editor.opens(older).text
    assert ("n69." in second, "n20." in second, "n70." in second, "n19." in second) == (True, True, False, False)
    of_day = editor.opens("/admin/audit?from=2021-05-15&to=2021-05-15").text
    assert ("n1." in of_day, "n0." in of_day, "n2." in of_day) == (True, False, False)
    assert "Nothing to show." in editor.opens("/admin/audit?campaign=newsroom&action=month.closed").text
    assert "n1." not in editor.opens("/admin/audit?who=1").text
    for odd in ("who=x&from=yesterday&to=9999-12-31&before=x", "campaign=%00&action=%00", "before=" + "9" * 30):
        assert editor.opens(f"/admin/audit?{odd}").status_code == 200


def test_values_are_kept_short_and_plain(app: Flask) -> None:
    note(about="\0x" * 300, after={"story": "y" * 1000, "hosts": ("a", "b"), "day": NOW, "none": None, "on": True})
    (line,) = lines()
    assert len(line.about) == 255
    assert line.after["story"] == "y" * 300 + "…"
    assert line.after | {"story": ""} == {
        "story": "", "hosts": ["a", "b"], "day": "2021-05-14T09:31:00+00:00", "none": None, "on": True,
    }  # fmt: skip
