"""Twenty campaigns are easy to live with: a list with search, archiving in the browser, goals, and a change of time zone."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, gift_fact, moment
from flask import Flask
from web_admin import Editor, says

from tracker.giving.campaign import Campaign
from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns, results
from tracker.ledger.store import reading, writing
from tracker.web.admin.signin import create_admin
from tracker.web.admin.zone_change import change_of_zone

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def clock() -> Iterator[Any]:
    with time_machine.travel(NOW, tick=False) as travelling:
        yield travelling


@pytest.fixture
def twenty(app: Flask) -> Editor:
    with writing() as session:
        for number in range(1, 20):
            one = replace(NEWSROOM, slug=f"c{number}", title=f"Campaign {number:02}", paused=number == 3)
            over = {"held_month": "2021-04", "archived": number == 5} if number in (4, 5) else {}
            campaigns.save(session, replace(one, **over))
        campaigns.set_goal(session, "c7", parse_month("2021-01"), 70_000, stands=True)
        book.record(session, gift_fact("cs_1", 12_300, campaign="c7"), NOW)
    return Editor(app)


def listed(page: str) -> list[str]:
    return re.findall(r'<th scope="row" class="text wraps"><a href="/admin/c/([^/]+)/month">', page)


def found(slug: str = "newsroom") -> Campaign:
    with reading() as session:
        one = campaigns.find(session, slug)
    assert one
    return one


def test_the_start_is_the_list_where_there_are_several(twenty: Editor) -> None:
    assert twenty.opens("/admin/").headers["Location"] == "/admin/campaigns"
    page = twenty.opens("/admin/campaigns").text
    assert len(listed(page)) == 19
    assert "1 archived campaign is not shown." in page
    row = page.partition("Campaign 07")[2].partition("</tr>")[0]
    for words in ("123 $", "700 $", "17 %", "running", "May 2021"):
        assert words in row, words


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("query", "slugs"),
    [
        ("q=campaign+1", ["c10", "c11", "c12", "c13", "c14", "c15", "c16", "c17", "c18", "c19"]),
        ("q=C7", ["c7"]),
        ("q=campaign+05", ["c5"]),
        ("state=paused", ["c3"]),
        ("state=ended", ["c4"]),
        ("state=archived", ["c5"]),
        ("q=nothing", []),
        ("q=%00&state=x", []),
    ],
)
def test_campaigns_are_found_by_words_and_by_state(twenty: Editor, query: str, slugs: list[str]) -> None:
    assert listed(twenty.opens(f"/admin/campaigns?{query}").text) == slugs
    assert len(listed(twenty.opens("/admin/campaigns?state=all").text)) == 20


def test_the_head_names_the_campaign_that_is_open_and_no_other(twenty: Editor) -> None:
    page = twenty.opens("/admin/c/c7/").text
    head = page.partition("</header>")[0]
    assert re.findall(r'href="/admin/c/([^/"]+)', head) == ["c7"]
    assert '<a class="skip" href="#content">' in head
    assert '<main class="sheet" id="content" tabindex="-1">' in page
    # Few stops before the page itself begins.
    assert len(re.findall(r"<a |<button", head)) <= 8


def test_a_campaign_is_archived_and_takes_gifts_again(app: Flask) -> None:
    editor = Editor(app)
    assert "Archive this campaign" in editor.opens("/admin/c/newsroom/settings").text
    for month, words in (("2021-06", "Choose a month that has begun."), ("", "Which month?"), ("x", "not a month")):
        answer = editor.sends("/admin/c/newsroom/archive", month=month)
        assert (answer.status_code, words in says(answer)) == (422, True), month
    assert editor.sends("/admin/c/newsroom/archive", month="2021-05").status_code == 303
    assert (found().archived, found().held_month) == (True, "2021-05")
    settings = editor.opens("/admin/c/newsroom/settings")
    assert "This campaign is archived." in settings.text
    assert editor.sends("/admin/c/newsroom/settings", to="/admin/c/newsroom/resume").status_code == 303
    assert (found().archived, found().held_month, found().takes_gifts) == (False, "", True)
    log = editor.opens("/admin/audit").text
    assert log.index("<strong>Campaign takes gifts again") < log.index("<strong>Campaign archived")


def test_goals_are_listed_with_whoever_set_them(app: Flask) -> None:
    editor = Editor(app)
    for month, amount, stands in (("2021-05", "6000", "no"), ("2021-07", "7000", "yes")):
        answer = editor.sends(
            "/admin/c/newsroom/goals", to="/admin/c/newsroom/goal", month=month, amount=amount, stands=stands
        )
        assert answer.status_code == 303
    page = editor.opens("/admin/c/newsroom/goals").text
    assert "The goal of May 2021 is 6,000 $." in page
    rows = re.findall(r'<th scope="row" class="text">([^<]+)</th><td>([^<]+)</td><td class="text">([^<]+)', page)
    assert rows == [
        ("July 2021", "7,000 $", "This month and later"),
        ("May 2021", "6,000 $", "This month only"),
        ("January 2021", "5,000 $", "This month and later"),
    ]
    assert page.count("ana@example.org") == 2
    create_admin("reader@example.org", editor.password, "reader")
    assert "Set a goal" not in Editor(app, "reader@example.org").opens("/admin/c/newsroom/goals").text


# --- Another time zone ------------------------------------------------------------------------------------------------


def changes_zone(editor: Editor, zone: str, **more: str) -> Any:
    sent = {
        "title": "Support the newsroom", "once": "10, 25, 50, 100", "monthly": "5, 10, 20", "minimum": "2",
        "maximum": "10000", "time_zone": zone, "locale": "en_US", "amount_pattern": "#,##0 ¤",
    }  # fmt: skip
    return editor.sends("/admin/c/newsroom/settings", **sent | more)


def test_another_time_zone_is_confirmed_and_moves_no_gift(app: Flask) -> None:
    with writing() as session:
        # In May in Berlin, still in April in New York.
        book.record(session, gift_fact("cs_1", 1000, at=moment("2021-04-30T23:30")), NOW)
        book.record(session, gift_fact("cs_2", 1000, at=moment("2021-05-10T12:00")), NOW)
    editor = Editor(app)
    answer = changes_zone(editor, "America/New_York")
    assert answer.status_code == 422
    for words in (
        "May 2021 ends at 2021-06-01 04:00 UTC instead of 2021-05-31 22:00 UTC.",
        "In the new time zone, 1 gift of this month or last month would fall in another month.",
    ):
        assert words in answer.text, words
    assert found().time_zone == "Europe/Berlin"
    assert changes_zone(editor, "America/New_York", zone_is_meant="y").status_code == 303
    assert found().time_zone == "America/New_York"
    with reading() as session:
        assert results.result(session, found(), parse_month("2021-05"), False).sums.raised == 2000


def test_it_says_so_where_it_is_another_month_there(app: Flask, clock: Any) -> None:
    clock.move_to(datetime(2021, 5, 31, 22, 30, tzinfo=UTC))
    answer = changes_zone(Editor(app), "America/New_York")
    assert "Right now it is May 2021 in the new time zone and June 2021 in the old one" in answer.text


def test_a_zone_with_the_same_clock_needs_no_confirmation(app: Flask) -> None:
    assert changes_zone(Editor(app), "Europe/Paris").status_code == 303
    assert change_of_zone(found(), replace(found(), time_zone="Europe/Berlin"), False, NOW) is None
