"""The newsroom's own pages: figures, goals, campaigns and supporters, for people who signed in and for nobody else."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from html.parser import HTMLParser
from itertools import product
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, count, each, gift_fact, moment, refund_fact
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tracker.giving.drives import Appeal
from tracker.giving.months import parse_month
from tracker.ledger import appeals, book, campaigns, month_closing, supporters
from tracker.ledger.store import reading, writing
from tracker.web.admin.signin import create_admin

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
PASSWORD = "a long pässword"


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def editor(app: Flask) -> FlaskClient:
    """The browser of somebody who has signed in."""
    create_admin("ana@example.org", PASSWORD)
    browser = app.test_client()
    sent = {"email": "ana@example.org", "password": PASSWORD, "csrf_token": token(browser, "/admin/login")}
    assert browser.post("/admin/login", data=sent).status_code == 302
    return browser


def token(browser: FlaskClient, address: str) -> str:
    found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', browser.get(address).text)
    assert found is not None
    return found[1]


def send(browser: FlaskClient, page: str, to: str = "", **fields: Any) -> TestResponse:
    """Fills the form of a page and presses its button."""
    return browser.post(to or page, data={"csrf_token": token(browser, page)} | fields)


def record(*facts: Any) -> None:
    with writing() as connection:
        for fact in facts:
            book.record(connection, fact, NOW)


def found(slug: str = "newsroom") -> Any:
    with reading() as connection:
        return campaigns.find(connection, slug)


def goal_of(month: str, slug: str = "newsroom") -> int | None:
    with reading() as connection:
        return campaigns.goals(connection, slug).of(parse_month(month))


# --- Months -----------------------------------------------------------------------------------------------------------


def test_the_start_is_the_first_campaigns_running_month(editor: FlaskClient) -> None:
    answer = editor.get("/admin/")
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin/c/newsroom/month")
    assert editor.get("/admin").status_code == 308


def test_months_stand_in_a_table_and_a_chart(editor: FlaskClient) -> None:
    record(gift_fact("cs_1", 30_000), gift_fact("in_1", 6_000, kind="monthly"), refund_fact("cs_1", 2_000))
    record(gift_fact("cs_april", 20_000, at=moment("2021-04-02T10:00")))
    answer = editor.get("/admin/c/newsroom/")
    for words in ("340 $", "5,000 $", "300 $", "60 $", "−20 $", "May 2021", "April 2021", "70 % ahead", "<svg"):
        assert words in answer.text, words
    assert answer.headers["Cache-Control"] == "no-store"


def test_a_month_shows_every_entry_and_where_it_belongs(editor: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact("cs_april", 700, at=moment("2021-04-10T10:00")), NOW)
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)
        book.record(connection, refund_fact("cs_april", 700), NOW)
        book.record(connection, gift_fact("cs_1", 1000, source="article-1", place="top"), NOW)
        book.record(connection, gift_fact("cs_eur", 900, currency="EUR"), NOW)
    page = editor.get("/admin/c/newsroom/months/2021-05").text
    for words in ("cs_1", "article-1", "for 2021-04, closed", "3 entries", "2021-05-14 11:31", "Apart from this"):
        assert words in page, words
    assert "Sums(" not in page
    assert editor.get("/admin/c/newsroom/months/2021-04").status_code == 200
    for month in ("2021-06", "2020-12", "2021-13", "x"):
        assert editor.get(f"/admin/c/newsroom/months/{month}").status_code == 404


@each("address", ["/admin/c/nobody/", "/admin/c/%00/", "/admin/c/nobody/settings", "/admin/nothing"])
def test_what_is_not_there_is_not_found(editor: FlaskClient, address: str) -> None:
    assert editor.get(address).status_code == 404


# --- Goals ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("stands", "june"), [("no", 500_000), ("yes", 750_050)])
def test_a_goal_is_set_for_one_month_or_from_then_on(editor: FlaskClient, stands: str, june: int) -> None:
    answer = send(
        editor, "/admin/c/newsroom/", "/admin/c/newsroom/goal", month="2021-05", amount="7,500.50", stands=stands
    )
    assert answer.status_code == 303
    assert [goal_of(month) for month in ("2021-04", "2021-05", "2021-06")] == [500_000, 750_050, june]
    assert "The goal of 2021-05 is 7,500.50 $" in editor.get("/admin/c/newsroom/").text


@pytest.fixture
def closed_april(app: Flask) -> None:
    with writing() as connection:
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)


def test_a_goal_is_refused_for_a_month_that_is_closed_in_the_other_mode(editor: FlaskClient) -> None:
    with writing() as session:
        month_closing.close(session, NEWSROOM, parse_month("2021-04"), True, NOW)
    sent = {"month": "2021-04", "amount": "1234", "stands": "no"}
    answer = send(editor, "/admin/c/newsroom/", "/admin/c/newsroom/goal", **sent)
    assert (answer.status_code, "2021-04 is closed" in answer.text) == (422, True)


@each(
    ("fields", "says"),
    [
        ({"amount": "lots"}, "We could not read “lots” as an amount"),
        ({"amount": "12,5"}, "Did you mean 12.50?"),
        ({"amount": "0"}, "."),
        ({"amount": "-1"}, "."),
        ({"amount": ""}, "How much is the goal?"),
        ({"amount": "9" * 30}, "."),
        ({"month": "2021-13"}, "is not a month"),
        ({"month": "may"}, "is not a month"),
        ({"month": ""}, "Which month?"),
        ({"month": "<script>"}, "is not a month"),
        ({"stands": "maybe"}, "."),
        ({"month": "2021-04"}, "2021-04 is closed"),
    ],
)
@pytest.mark.usefixtures("closed_april")
def test_a_goal_that_will_not_do_is_said_and_kept(editor: FlaskClient, fields: dict[str, str], says: str) -> None:
    before = everything()
    sent = {"month": "2021-07", "amount": "1234", "stands": "no"} | fields
    answer = send(editor, "/admin/c/newsroom/", "/admin/c/newsroom/goal", **sent)
    assert answer.status_code == 422
    assert re.search(says, answer.text)
    assert "<script>" not in answer.text
    for name, value in sent.items():
        if name in ("month", "amount") and value.isalnum():
            assert f'value="{value}"' in answer.text
    assert everything() == before


def everything() -> list[Any]:
    tables = ("goal", "campaign", "entry", "supporter", "closed_month", "user_account")
    with reading() as connection:
        return [[count(connection, table) for table in tables], campaigns.every(connection), goal_of("2021-07")]


# --- Campaigns --------------------------------------------------------------------------------------------------------

NEW = {
    "slug": "library",
    "title": "Books",
    "currency": "eur",
    "goal": "1200,50",
    "time_zone": "Europe/Vienna",
    "locale": "de-AT",
    "once": "50; 10;25",
    "monthly": "",
    "minimum": "5",
    "maximum": "1000",
}


def test_a_campaign_is_made_and_takes_in_what_came_before_it(editor: FlaskClient) -> None:
    record(gift_fact("cs_early", 700, campaign="library", currency="EUR"))
    assert send(editor, "/admin/new", **NEW).status_code == 303
    made = found("library")
    assert (made.title, made.currency, made.once, made.monthly, made.locale) == (
        "Books",
        "EUR",
        (1000, 2500, 5000),
        (),
        "de_AT",
    )
    assert goal_of("2021-05", "library") == 120_050
    assert editor.get("/embed/library.json").json["raised"] == 700  # type: ignore[index]


@each(
    ("fields", "says"),
    [
        ({"slug": "newsroom"}, "There is a campaign “newsroom” already"),
        ({"slug": "No Way"}, "cannot be used in a web address"),
        ({"slug": "a\0b"}, "cannot be used in a web address"),
        ({"slug": ""}, "."),
        ({"title": " "}, "."),
        ({"title": "a\0b"}, "."),
        ({"currency": "XXZ"}, "Choose one from the list"),
        ({"time_zone": "Mars/Olympus"}, "Choose a time zone from the list"),
        ({"locale": "xx_YY"}, "Choose a language from the list"),
        ({"currency": "IRR"}, "Choose one from the list"),
        ({"amount_pattern": "¤"}, "Choose one from the list"),
        ({"once": "ten"}, "We could not read “ten” as an amount"),
        ({"once": "10; 10"}, "ascending order"),
        ({"once": "", "monthly": ""}, "at least one amount"),
        ({"minimum": "0"}, "Enter an amount above zero"),
        ({"minimum": "0,10"}, "must be at least"),
        ({"maximum": "1"}, "must not be smaller"),
        ({"goal": "0"}, "Enter an amount above zero"),
        ({"goal": "12.50"}, "Did you mean 12,50?"),
        ({"held_month": "2021-13"}, "is not a month"),
        ({"accent": "blue"}, "“blue” is not a colour. Write it as #1c4f82"),
        ({"accent": "#ffee00"}, "#ffee00 is too light: on white paper its contrast is 1.2"),
        ({"story": "x" * 20_001}, "."),
    ],
)
def test_a_campaign_that_will_not_do_is_said_and_not_made(
    editor: FlaskClient, fields: dict[str, str], says: str
) -> None:
    before = everything()
    # The token is the same on every page; this one is made much quicker.
    answer = send(editor, "/admin/account", "/admin/new", **NEW | fields)
    assert answer.status_code == 422
    assert re.search(says, answer.text)
    assert 'selected value="Europe/Vienna"' in answer.text or "time_zone" in fields
    # The field is marked, its error stands beside it, and the summary leads to it.
    for name in fields:
        assert re.search(rf'aria-invalid="true"[^>]*id="{name}"', answer.text) or fields == {"once": "", "monthly": ""}
        assert f'href="#{name}"' in answer.text or name == "monthly"
    assert everything() == before


class Fields(HTMLParser):
    """A form's fields as a browser would send them back."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: dict[str, Any] = {}
        self.inside = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = dict(attrs)
        name = given.get("name") or ""
        if tag == "input" and name and (given.get("type") not in ("checkbox", "radio") or "checked" in given):
            self.found.setdefault(name, []).append(given.get("value") or "")
        elif tag in ("textarea", "select"):
            self.inside, self.found[name] = name, []
        elif tag == "option" and "selected" in given:
            self.found[self.inside] = [given.get("value") or ""]

    def handle_data(self, data: str) -> None:
        if self.inside and (self.get_starttag_text() or "").startswith("<textarea"):
            self.found[self.inside] = [data.removeprefix("\r\n").removeprefix("\n")]

    def handle_endtag(self, tag: str) -> None:
        self.inside = "" if tag == "textarea" else self.inside


def fields_of(page: str) -> dict[str, Any]:
    return Fields(page).found


def edit(editor: FlaskClient, **changes: str) -> TestResponse:
    sent = fields_of(editor.get("/admin/c/newsroom/settings").text) | changes
    return editor.post("/admin/c/newsroom/settings", data=sent)


def test_saving_the_settings_as_they_are_changes_nothing(editor: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, lead="For & by", story="# Why\n\n<b> & more", minimum=250))
    before = everything()
    assert edit(editor).status_code == 303
    assert everything() == before


def test_settings_are_changed(editor: FlaskClient) -> None:
    changes = {"paused": "y", "minimum": "3", "time_zone": "UTC", "zone_is_meant": "y", "goal": "6000"}
    answer = edit(editor, title="New words", once="3,30", **changes)
    assert answer.status_code == 303
    now = found()
    assert (now.title, now.once, now.paused, now.minimum, now.time_zone) == ("New words", (300, 3000), True, 300, "UTC")
    assert [goal_of(month) for month in ("2021-04", "2021-05", "2021-09")] == [500_000, 600_000, 600_000]
    assert edit(editor, paused="").status_code == 303


def test_yearly_gifts_are_offered_and_a_frequency_is_preselected(editor: FlaskClient) -> None:
    answer = edit(editor, default_frequency="year")
    assert (answer.status_code, found().default_frequency) == (422, "")
    assert "Choose a frequency that has amounts to choose from" in answer.text
    assert edit(editor, yearly="100, 50", default_frequency="year").status_code == 303
    assert (found().yearly, found().default_frequency) == ((5000, 10_000), "year")
    assert 'value="50, 100"' in editor.get("/admin/c/newsroom/settings").text


def test_a_fee_is_offered_to_be_added(editor: FlaskClient) -> None:
    assert edit(editor, cover_percent="2.9 %", cover_fixed="0.30").status_code == 303
    assert (found().cover_percent, found().cover_fixed) == (290, 30)
    page = editor.get("/admin/c/newsroom/settings").text
    assert re.search(r'id="cover_percent"[^>]*value="2.90"', page)
    assert edit(editor, title="As before").status_code == 303
    assert found().cover_percent == 290
    assert "20 % of a gift at most" in edit(editor, cover_percent="25").text
    assert edit(editor, cover_percent="", cover_fixed="").status_code == 303
    assert found().fee_terms == ""


def test_words_are_seen_before_they_are_saved(editor: FlaskClient) -> None:
    before = everything()
    answer = edit(
        editor, preview="yes", title="<b>New", lead="We ask", story="## Why\n\n*Because* <script>", once="ten"
    )
    assert answer.status_code == 200
    (shown,) = re.findall(r'<section class="draft".*?</section>', answer.text, re.DOTALL)
    assert "&lt;b&gt;New" in shown
    assert "We ask" in shown
    assert "<h2>Why</h2>" in shown
    assert "<em>Because</em> &lt;script&gt;" in shown
    assert fields_of(answer.text)["once"] == ["ten"]
    assert everything() == before
    assert (
        editor.post("/admin/new", data=fields_of(editor.get("/admin/new").text) | {"preview": "yes"}).status_code == 200
    )


def test_what_is_said_when_giving_stops(editor: FlaskClient) -> None:
    assert edit(editor, newsletter=" Every Friday ").status_code == 303
    assert found().newsletter == "Every Friday"
    changes = {"pause_reason": " Easter ", "reached_words": "Thanks!", "stops_at_goal": "y", "archived": "y"}
    assert edit(editor, paused="y", **changes).status_code == 303
    now = found()
    assert (now.pause_reason, now.reached_words, now.stops_at_goal, now.archived) == ("Easter", "Thanks!", True, True)
    assert edit(editor, title="The same").status_code == 303
    assert found() == replace(now, title="The same")


def test_a_colour_is_set_shown_and_taken_back(editor: FlaskClient) -> None:
    assert edit(editor, accent=" #B3261E ").status_code == 303
    assert found().accent == "b3261e"
    page = editor.get("/admin/c/newsroom/settings").text
    assert 'value="#b3261e"' in page
    assert 'fill="#b3261e"' in page
    assert edit(editor, title="Still red").status_code == 303
    assert found().accent == "b3261e"
    assert edit(editor, accent="").status_code == 303
    assert found().accent == ""


def test_a_wrong_colour_is_told_by_its_field(editor: FlaskClient) -> None:
    page = edit(editor, accent="#ffffff").text
    assert re.search(r'id="accent-wrong">#ffffff is too light', page)
    assert re.search(r'aria-invalid="true"[^>]*id="accent"[^>]*value="#ffffff"', page)


def test_amounts_are_typed_and_shown_as_the_campaign_writes_them(editor: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, locale="de_DE", once=(1250, 250_000), minimum=250))
    page = editor.get("/admin/c/newsroom/settings").text
    assert 'value="12,50; 2500"' in page
    assert 'value="2,50"' in page
    assert edit(editor, once="10; 12,50; 2.500", goal="6.000").status_code == 303
    assert found().once == (1000, 1250, 250_000)
    assert goal_of("2021-05") == 600_000
    answer = edit(editor, goal="6.50", minimum="2.50")
    assert "Did you mean 6,50?" in answer.text
    assert "Did you mean 2,50?" in answer.text
    # Each in the summary and beside its field.
    assert answer.text.count("Did you mean") == 4


def test_a_comma_that_could_mean_two_things_is_asked_about(editor: FlaskClient) -> None:
    assert "is “5,100” one amount or more?" in edit(editor, once="5,100").text
    assert edit(editor, once="5, 100; 1,000").status_code == 303
    assert found().once == (500, 10_000, 100_000)


def test_what_a_campaign_has_that_the_lists_do_not_stays(editor: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, locale="en", time_zone="US/Eastern"))
    assert edit(editor, title="Only the title").status_code == 303
    assert (found().locale, found().time_zone) == ("en", "US/Eastern")


def test_how_amounts_are_written_is_chosen_by_example(editor: FlaskClient) -> None:
    page = editor.get("/admin/c/newsroom/settings").text
    chooser = page[page.index('id="amount_pattern"') :].partition("</select>")[0]
    assert re.findall(r'<option (?:(selected) )?value="([^"]*)">([^<]*)<', chooser) == [
        ("", "", "Automatic: $2,500"),
        ("", "¤ #,##0", "$ 2,500"),
        ("selected", "#,##0 ¤", "2,500 $"),
        ("", "#,##0¤", "2,500$"),
        ("", "¤¤ #,##0", "USD 2,500"),
        ("", "#,##0 ¤¤", "2,500 USD"),
    ]
    assert edit(editor, amount_pattern="¤¤ #,##0").status_code == 303
    assert found().write(250_000) == "USD 2,500"
    assert edit(editor, amount_pattern="").status_code == 303
    assert found().write(250_000) == "$2,500"


def test_a_pattern_that_is_set_already_may_stay(editor: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, amount_pattern="#,##0 ¤ in all"))
    assert "As it is now: 2,500 $ in all" in editor.get("/admin/c/newsroom/settings").text
    assert edit(editor, title="Only the title").status_code == 303
    assert found().amount_pattern == "#,##0 ¤ in all"


def test_the_currency_and_the_address_of_a_campaign_cannot_be_changed(editor: FlaskClient) -> None:
    edit(editor, currency="EUR", slug="another", title="Still here")
    assert found("another") is None
    assert (found().currency, found().title) == ("USD", "Still here")


def test_a_goal_of_one_month_alone_does_not_become_the_standing_one(editor: FlaskClient) -> None:
    with writing() as connection:
        campaigns.set_goal(connection, "newsroom", parse_month("2021-05"), 900_000, stands=False)
    assert edit(editor, title="Only the title").status_code == 303
    assert [goal_of(month) for month in ("2021-05", "2021-06")] == [900_000, 500_000]


def test_settings_that_will_not_do_change_nothing(editor: FlaskClient) -> None:
    before = everything()
    answer = edit(editor, title="Kept words", minimum="lots")
    assert answer.status_code == 422
    assert 'value="Kept words"' in answer.text
    assert everything() == before


# --- Supporters -------------------------------------------------------------------------------------------------------


def test_words_of_supporters_are_shown_and_taken_off_again(editor: FlaskClient) -> None:
    record(gift_fact("cs_1", name="Ana <b>", message="For the court reports"))
    page = "/admin/c/newsroom/supporters"
    assert "Ana &lt;b&gt;" in editor.get(page).text
    public = editor.application.test_client()
    assert "court reports" not in public.get("/c/newsroom").text
    assert send(editor, page, gift="cs_1", show="yes").status_code == 303
    assert "court reports" in public.get("/c/newsroom").text
    assert send(editor, page, gift="cs_1", show="no").status_code == 303
    assert "court reports" not in public.get("/c/newsroom").text


def test_after_a_press_the_list_is_back_at_the_same_place_and_says_what_happened(editor: FlaskClient) -> None:
    for number in (1, 2, 3):
        record(gift_fact(f"cs_{number}", name=f"Ana {number}", message="For the court reports"))
    page = "/admin/c/newsroom/supporters"
    assert "autofocus" not in editor.get(page).text
    for show, words, next_words in (
        ("yes", "Now on the page", "Take off the page"),
        ("no", "Now hidden", "Show on the page"),
    ):
        answer = send(editor, page, gift="cs_2", show=show)
        # Where an address has a fragment, browsers leave `autofocus` alone.
        assert "#" not in answer.location
        html = editor.get(answer.location).text
        (row,) = [one for one in html.split("<li") if "autofocus" in one]
        assert "Ana 2" in row
        button = re.search(r"<button[^>]* autofocus aria-describedby=\"(\w+)\">([^<]*)<", row)
        assert button is not None
        assert button[2] == next_words
        assert f'id="{button[1]}" role="status">{words}<' in row
        assert html.count('role="status"') == 1
        names = re.findall(r'\bid="([^"]*)"', html)
        assert len(names) == len(set(names))


@each("address", ["supporters", "", "month", "months/2021-05", "offline", "snippets", "settings"])
def test_no_page_has_two_things_of_one_name(editor: FlaskClient, address: str) -> None:
    for number in (1, 2):
        record(gift_fact(f"cs_{number}", name="Ana", message="For the court reports"))
    names = re.findall(r'\bid="([^"]*)"', editor.get(f"/admin/c/newsroom/{address}").text)
    assert len(names) == len(set(names))


@each("gift", ["", "cs_nobody", "\0", "x" * 999])
def test_words_that_are_not_there_cannot_be_shown(editor: FlaskClient, gift: str) -> None:
    record(gift_fact("cs_1", message="For the court reports"))
    assert send(editor, "/admin/c/newsroom/supporters", gift=gift, show="yes").status_code in (303, 400, 404)
    assert "court reports" not in editor.get("/c/newsroom").text


# --- Nobody else ------------------------------------------------------------------------------------------------------

DRIVE = {"name": "Another", "amount": "1", "starts_at": "2098-05-14T18:00", "ends_at": "2098-05-15T18:00"}
POSTS: dict[str, dict[str, str]] = {
    "/admin/c/newsroom/goal": {"month": "2021-05", "amount": "1", "stands": "yes"},
    "/admin/new": NEW,
    "/admin/c/newsroom/settings": {"title": "Taken over"},
    "/admin/c/newsroom/supporters": {"gift": "cs_1", "show": "yes"},
    "/admin/c/newsroom/snippets": {"article": "http://127.0.0.1:9/"},
    "/admin/c/newsroom/offline": {"amount": "10", "date": "2021-05-14", "showing": "a-showing-of-it"},
    "/admin/c/newsroom/offline/take-back": {"gift": "offline:newsroom:test:form:a-showing-of-it"},
    "/admin/c/newsroom/give-back": {"gift": "cs_1", "amount": "1", "date": "2021-05-14", "showing": "a-showing-of-it"},
    "/admin/c/newsroom/give-back/undo": {"entry": "outside:cs_1:a-showing-of-it"},
    "/admin/c/newsroom/drives/new/drive": DRIVE,
    "/admin/c/newsroom/drives/1": DRIVE,
    "/admin/c/newsroom/drives/end": {"appeal": "1"},
    "/admin/c/newsroom/drives/people": {"month": "2021-05", "number": "200", "stands": "no"},
    "/admin/c/newsroom/protection": {"switch": "on"},
    "/admin/c/newsroom/import": {"whose": "", "text": "date,amount\n2021-05-02,50\n", "do": "record"},
    "/admin/c/newsroom/archive": {"month": "2021-05"},
    "/admin/c/newsroom/resume": {},
    "/admin/people/invite": {"email": "new@example.org", "role": "owner"},
    "/admin/people/invitations/1/withdraw": {},
    "/admin/people/1": {"role": "reader", "do": "disable"},
    "/admin/personal-data": {"wanted": "cs_1", "do": "erase"},
    "/admin/notices/test": {"way": "mail"},
    "/admin/notices/webhook": {"weekly": "1"},
    "/admin/c/newsroom/gifts/cs_1/notes": {"words": "She asks for a receipt."},
    "/admin/c/newsroom/gifts/cs_1/notes/1/delete": {},
    "/admin/c/newsroom/months/2021-05/close": {"seen": "y", "figures": "1000/1/500000"},
    "/admin/c/newsroom/months/2021-05/reopen": {"reason": "By mistake."},
}


def filled_in(rule: str) -> str:
    """An address of the newsroom's, of its first drive and of May 2021."""
    for name, value in (
        ("slug", "newsroom"),
        ("month", "2021-05"),
        ("kind", "drive"),
        ("int:appeal_id", "1"),
        ("path:key", "cs_1"),
        ("int:number", "1"),
        ("token", "x"),
        ("key", "x"),
    ):
        rule = rule.replace(f"<{name}>", value)
    return rule


def test_every_post_of_the_newsroom_is_known_here(app: Flask) -> None:
    rules = {
        filled_in(str(rule))
        for rule in app.url_map.iter_rules()
        if rule.rule.startswith("/admin") and "POST" in (rule.methods or ())
    }
    own = {rule for rule in rules if re.match(r"/admin/(log(in|out)|verify|account|unsent|invitation)\b", rule)}
    assert rules - own == set(POSTS)


def test_a_post_without_our_token_changes_nothing(editor: FlaskClient, subtests: pytest.Subtests) -> None:
    record(gift_fact("cs_1", message="For the court reports"))
    with writing() as session:
        starts = datetime(2098, 6, 1, tzinfo=UTC)
        appeals.save(session, NEWSROOM, Appeal("drive", "Summer", 100, starts, starts + timedelta(1)), NOW)
    before = everything()
    for address, forged in product(POSTS, [{}, {"csrf_token": ""}, {"csrf_token": "nonsense"}]):
        with subtests.test(address=address, forged=forged):
            assert editor.post(address, data=POSTS[address] | forged).status_code in (400, 422)
            assert everything() == before
            with reading() as session:
                assert supporters.shown(session, NEWSROOM, False, 10) == []


@pytest.mark.parametrize("headers", [{"Sec-Fetch-Site": "same-site"}, {"Origin": "https://evil.example"}])
def test_a_post_from_another_site_changes_nothing(
    editor: FlaskClient, headers: dict[str, str], subtests: pytest.Subtests
) -> None:
    before, ours = everything(), {"csrf_token": token(editor, "/admin/account")}
    for address in (*POSTS, "/admin/logout", "/admin/login"):
        with subtests.test(address=address):
            assert editor.post(address, data=POSTS.get(address, {}) | ours, headers=headers).status_code == 403
            assert everything() == before
            # And nobody is signed out by it.
            assert editor.get("/admin/").headers["Location"] == "/admin/c/newsroom/month"


def test_a_stranger_is_led_to_the_sign_in_from_everywhere(app: Flask, client: FlaskClient) -> None:
    before = everything()
    rules = [rule for rule in app.url_map.iter_rules() if rule.rule.startswith("/admin")]
    # A new page hangs on the one blueprint, which asks for the sign-in, or is one of Flask-Security's own.
    assert {rule.endpoint.partition(".")[0] for rule in rules} == {"admin", "security"}
    seen = 0
    for rule in rules:
        address = filled_in(rule.rule)
        if rule.endpoint in ("security.login", "security.wan_signin", "security.invitation"):
            continue
        for method in (rule.methods or set()) - {"OPTIONS", "HEAD"}:
            answer = client.open(address, method=method, data=POSTS.get(address, {}))
            assert answer.status_code == 302, f"{method} {address}: {answer.status_code}"
            assert answer.headers["Location"].partition("?")[0].startswith("/admin/login"), f"{method} {address}"
            seen += 1
    assert seen > 10
    assert everything() == before
