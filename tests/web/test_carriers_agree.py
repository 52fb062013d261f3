"""Every carrier of the bar says the same: frame, SVG, the PNG's source, card, JSON, a line of text, and the page."""

import html
import json
import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from xml.etree import ElementTree

import pytest
import time_machine
from actors import NEWSROOM, gift_fact, moment, refund_fact
from bars_in_memory import a_bar, shows
from examples import examples
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tracker.giving.bar import Bar
from tracker.giving.bar_style import BarStyle
from tracker.giving.drives import Appeal, Appeals
from tracker.giving.goals import SLIVER, PeopleGoal
from tracker.giving.months import parse_month
from tracker.ledger import appeals, book, campaigns, month_closing
from tracker.ledger.store import writing
from tracker.web.embed import pictures
from tracker.web.embed.svg_layout import sheet_for

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"
GOALS = st.one_of(st.none(), st.integers(1, 10**11))
LOCALES = [
    "en_US",
    "de_DE",
    "fr_FR",
    "ar",
    "ar_EG",
    "he_IL",
    "fa_IR",
    "ja_JP",
    "hi_IN",
    "uk_UA",
    "el_GR",
    "tr_TR",
    "pt_BR",
    "pl_PL",
]
CURRENCIES = ["USD", "EUR", "JPY", "KWD", "UAH", "INR", "TRY", "ISK", "PLN", "ILS"]


@pytest.fixture
def database_url() -> str:
    """One database is enough: what is tested here begins behind it."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def unsteered(words: str) -> str:
    """Without the marks that steer the direction of writing, and with one kind of space."""
    return " ".join(re.sub("[\u202b\u202c]", "", words).split())


def words_of_svg(root: ElementTree.Element) -> str:
    return unsteered(" ".join("".join(text.itertext()) for text in root.iter(f"{SVG}text")))


def words_of_html(page: str) -> str:
    return unsteered(
        html.unescape(re.sub(r"<[^>]+>", " ", re.sub(r"<(style|title)>.*?</\1>", "", page, flags=re.DOTALL)))
    )


def filled(root: ElementTree.Element) -> float:
    """How much of the bar a picture's fill takes, 0 to 1."""
    widths = dict.fromkeys(("fill", "track"), 0.0)
    for rect in root.iter(f"{SVG}rect"):
        for kind in widths:
            if kind in rect.get("class", "").split():
                widths[kind] = float(rect.get("width", 0))
    return widths["fill"] / (widths["track"] + 1)


def filled_frame(page: str) -> float:
    found = re.search(r'<rect class="fill"[^>]* width="([0-9.]+)%"', page)
    return float(found[1]) / 100 if found else 0.0


def expected_fill(raised: int, goal: int | None) -> float:
    if not goal or raised <= 0:
        return 0.0
    return min(1.0, max(SLIVER, raised / goal))


def all_carriers_agree(client: FlaskClient, month: str = "", slug: str = "newsroom") -> None:
    query = f"?month={month}" if month else ""
    told = json.loads(client.get(f"/embed/{slug}.json{query}").text)
    frame = client.get(f"/embed/{slug}{query}").text
    picture = ElementTree.fromstring(client.get(f"/embed/{slug}.svg{query}").data)
    line = client.get(f"/embed/{slug}.txt{query}").text
    labels, fill = told["labels"], expected_fill(told["raised"], told["goal"])

    said = unsteered(line)
    assert unsteered(picture.findtext(f"{SVG}title", "")) in said
    for words in (words_of_html(frame), words_of_svg(picture), said):
        assert unsteered(labels["raised"]) in words
        assert unsteered(labels["goal"]) in words
    for words in (words_of_html(frame), words_of_svg(picture)):
        assert unsteered(labels["month"]) in words
    assert filled(picture) == pytest.approx(fill, abs=1e-4)
    assert filled_frame(frame) == pytest.approx(fill, abs=1e-4)


def pictures_agree(app: Flask, bar: Bar) -> None:
    """The sources of what is drawn with our own fonts: in the bar's own language, or in English."""
    bar = bar.speaking("")
    with app.test_request_context():
        drawn = pictures.in_our_fonts(bar, BarStyle())
        for source in (
            pictures.bar_svg(drawn, BarStyle(), sheet_for(drawn, BarStyle())),
            pictures.card_svg(drawn, BarStyle()),
        ):
            root = ElementTree.fromstring(source)
            assert unsteered(drawn.sentence) in unsteered(root.findtext(f"{SVG}title", ""))
            assert unsteered(drawn.raised) in words_of_svg(root)
            assert unsteered(drawn.rest_of_sentence) in words_of_svg(root)
            assert filled(root) == pytest.approx(expected_fill(bar.progress.raised, bar.progress.goal), abs=1e-4)


@settings(max_examples=examples(150), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_every_carrier_says_the_same_numbers_and_fills_the_same(
    app: Flask, client: FlaskClient, data: st.DataObject
) -> None:
    goal = data.draw(GOALS)
    near = [0, -1, -5_000_000] if goal is None else [0, goal - 1, goal, goal + 1, goal * 10, -1, -goal]
    raised = data.draw(st.one_of(st.sampled_from(near), st.integers(-(10**9), 10**12)))
    bar = a_bar(
        raised,
        goal,
        locale=data.draw(st.sampled_from(LOCALES)),
        currency=data.draw(st.sampled_from(CURRENCIES)),
        amount_pattern=data.draw(st.sampled_from(["", "#,##0 ¤", "¤¤ #,##0.00"])),
        paused=data.draw(st.booleans()),
        committed=data.draw(st.integers(0, 10**9)),
    )
    shows(app, bar)
    all_carriers_agree(client)
    pictures_agree(app, bar)


def the_page_agrees(client: FlaskClient, slug: str = "newsroom") -> tuple[int, int | None]:
    """Returns what was raised and the goal, as the JSON has them."""
    told = json.loads(client.get(f"/embed/{slug}.json").text)
    page = client.get(f"/c/{slug}").text
    assert unsteered(told["labels"]["raised"]) in words_of_html(page)
    assert unsteered(told["labels"]["goal"]) in words_of_html(page)
    assert filled_frame(page) == pytest.approx(expected_fill(told["raised"], told["goal"]), abs=1e-4)
    line = client.get(f"/embed/{slug}.txt").text.strip()
    assert f'<meta property="og:description" content="{html.escape(line)}">' in page
    return told["raised"], told["goal"]


def test_the_page_and_every_carrier_say_what_is_in_the_ledger(client: FlaskClient) -> None:
    raised = 0
    for to in (0, 1, 499_999, 500_000, 710_000, 5_000_000):
        with writing() as connection:
            if to:
                book.record(connection, gift_fact(f"cs_{to}", to - raised), NOW)
        raised = to
        all_carriers_agree(client)
        assert the_page_agrees(client) == (raised, 500_000)


def test_they_agree_without_a_goal(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="plain"))
        book.record(connection, gift_fact("cs_1", 34_000, campaign="plain"), NOW)
    all_carriers_agree(client, slug="plain")
    assert the_page_agrees(client, "plain") == (34_000, None)


def test_they_agree_below_zero_and_on_a_closed_month(client: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact("cs_april", 70_000, at=moment("2021-04-10T10:00")), NOW)
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)
        book.record(connection, refund_fact("cs_april", 70_000), NOW)
    all_carriers_agree(client)
    all_carriers_agree(client, "2021-04")
    assert the_page_agrees(client) == (-70_000, 500_000)
    assert client.get("/embed/newsroom.txt").text == "May 2021: −700 $ of 5,000 $\n"
    assert client.get("/embed/newsroom.txt?month=2021-04").text == "April 2021: 700 $ of 5,000 $\n"


def test_they_agree_while_a_campaign_is_paused(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(paused=True))
    all_carriers_agree(client)
    for address in ("/embed/newsroom", "/embed/newsroom.svg", "/embed/newsroom.txt"):
        assert "Giving is paused just now" in client.get(address).text
    for address in ("/embed/newsroom", "/embed/newsroom.svg"):
        assert "Support us" not in client.get(address).text


# --- Drives, matches and goals in people ------------------------------------------------------------------------------

START, END = moment("2021-05-14T08:00"), moment("2021-05-16T20:00")
DRIVE = Appeal("drive", "Summer drive", 2_000_000, START, END, 1, 124_000, 31)
MATCH = Appeal("match", "Harbour Foundation", 500_000, START, None, 2, 124_000, 31)


def everything_shown(app: Flask, client: FlaskClient) -> dict[str, str]:
    """What each carrier says to its reader, without what steers the direction of writing."""
    bar = app.extensions["bars"].bar("newsroom")
    with app.test_request_context():
        drawn = pictures.in_our_fonts(bar.speaking(""), BarStyle())
        sheet = sheet_for(drawn, BarStyle())
        sources = {"PNG": pictures.bar_svg(drawn, BarStyle(), sheet), "card": pictures.card_svg(drawn, BarStyle())}
    element = json.loads(client.get("/embed/newsroom.json?draw=1").text)["draw"]
    element |= element.get("now", {})
    return {
        "frame": words_of_html(client.get("/embed/newsroom").text),
        "SVG": words_of_svg(ElementTree.fromstring(client.get("/embed/newsroom.svg").data)),
        **{name: words_of_svg(ElementTree.fromstring(source)) for name, source in sources.items()},
        "line": unsteered(client.get("/embed/newsroom.txt").text),
        "element": unsteered(" ".join([element["heading"], element["raised"], element["towards"], *element["notes"]])),
    }


def test_every_carrier_shows_the_drive(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(appeals=Appeals(DRIVE)))
    for carrier, words in everything_shown(app, client).items():
        for said in ("Summer drive", "1,240 $", "of 20,000 $"):
            assert said in words, carrier
        assert "340 $" not in words, carrier
        assert "2021" not in words, carrier
    for picture in ("/embed/newsroom.svg", "/embed/newsroom.png"):
        assert client.get(picture).status_code == 200
    assert filled(ElementTree.fromstring(client.get("/embed/newsroom.svg").data)) == pytest.approx(0.062, abs=1e-4)
    assert filled_frame(client.get("/embed/newsroom").text) == pytest.approx(0.062, abs=1e-4)
    page = client.get("/embed/newsroom.json").get_json()
    assert (page["labels"]["month"], page["labels"]["raised"], page["drive"]["labels"]["raised"]) == (
        "MAY 2021", "340 $", "1,240 $",
    )  # fmt: skip


def test_an_element_from_before_there_were_drives_goes_on_with_the_month(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(appeals=Appeals(DRIVE)))
    told = json.loads(client.get("/embed/newsroom.json?draw=1").text)
    assert (told["labels"]["month"], told["draw"]["raised"], told["draw"]["fill"]) == ("MAY 2021", "340 $", 0.068)
    shows(app, a_bar())
    assert "now" not in json.loads(client.get("/embed/newsroom.json?draw=1").text)["draw"]


def test_every_carrier_says_who_doubles_the_gifts(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(appeals=Appeals(None, MATCH)))
    for carrier, words in everything_shown(app, client).items():
        assert "Gifts doubled by Harbour Foundation: 1,240 $ of 5,000 $" in words or carrier == "card", carrier
        assert "Gifts doubled" in words, carrier
        assert "340 $" in words, carrier
    frame = client.get("/embed/newsroom").text
    # In a frame as high as it was: the scale's words make room.
    assert "</text>" not in frame
    assert "Gifts doubled: 1,240 $ of 5,000 $</span>" in frame
    shows(app, a_bar(appeals=Appeals(None, replace(MATCH, raised=500_000))))
    for carrier, words in everything_shown(app, client).items():
        assert "doubled" not in words, carrier


@pytest.mark.parametrize("first", [True, False])
def test_every_carrier_counts_people_where_the_newsroom_does(app: Flask, client: FlaskClient, first: bool) -> None:
    shows(app, a_bar(people=PeopleGoal(200, first)))
    for carrier, words in everything_shown(app, client).items():
        assert ("12 of 200 supporters" in words) is first, carrier
        assert ("340 $" in words) is not first, carrier
    counted = client.get("/embed/newsroom.txt?count=1").text
    assert "12 of 200 supporters" in counted
    assert "340 $ of 5,000 $" in counted


def test_what_our_fonts_cannot_draw_of_a_name_is_left_out_of_pictures(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(appeals=Appeals(replace(DRIVE, name="夏 Summer 🎉"), replace(MATCH, name="港 Harbour"))))
    shown = everything_shown(app, client)
    assert "夏 Summer 🎉" in shown["SVG"]
    for carrier in ("PNG", "card"):
        assert "Summer" in shown[carrier]
        assert not set("夏🎉港") & set(shown[carrier])
    assert client.get("/embed/newsroom.png").status_code == 200


def test_the_page_shows_the_drive_the_match_and_the_month(client: FlaskClient) -> None:
    now = moment("2021-05-14T09:00")
    with writing() as session:
        book.record(session, gift_fact("cs_before", 34_000, at=moment("2021-05-13T09:00")), NOW)
        for one in (DRIVE, MATCH):
            appeals.save(session, NEWSROOM, replace(one, id=0), NOW)
        book.record(session, gift_fact("cs_1", 124_000, at=now), NOW)
    page = words_of_html(client.get("/c/newsroom").text)
    assert "Summer drive · 2 days left 1,240 $ of 20,000 $" in page
    assert "Gifts are doubled by Harbour Foundation until 5,000 $ is reached: 1,240 $ so far." in page
    assert "May 2021: 1,580 $ of 5,000 $" in page
    line = client.get("/embed/newsroom.txt").text.strip()
    assert f'<meta property="og:description" content="{html.escape(line)}">' in client.get("/c/newsroom").text
    assert client.get("/embed/newsroom.txt?month=2021-05").text == "May 2021: 1,580 $ of 5,000 $\n"
    assert "May 2021" in client.get("/c/newsroom/months/2021-05").text
    assert "Summer drive" not in client.get("/c/newsroom/months/2021-05").text
    # Thanks show the bar that the gift is part of.
    assert "Summer drive" in client.get("/c/newsroom/thanks?session_id=cs_1").text
    before = words_of_html(client.get("/c/newsroom/thanks?session_id=cs_before").text)
    assert "is part of the bar below" in before
    assert "MAY 2021 1,580 $" in before
    assert "Summer drive" not in before


def test_the_page_shows_the_goal_that_the_bar_does_not(client: FlaskClient) -> None:
    with writing() as session:
        book.record(session, gift_fact("cs_1", 34_000), NOW)
    for first, shown, beside in (
        (True, "1 of 200 supporters", "340 $ of 5,000 $"),
        (False, "340 $ of 5,000 $", "1 of 200 supporters"),
    ):
        with writing() as session:
            campaigns.set_people_goal(
                session, "newsroom", parse_month("2021-05"), PeopleGoal(200, first), NOW, stands=False
            )
        for address in ("/c/newsroom", "/c/newsroom/months/2021-05"):
            page = words_of_html(client.get(address).text.split('<section class="bar"')[1].split("</section>")[0])
            assert shown in page
            assert page.endswith(beside)
        assert client.get("/embed/newsroom.txt").text.startswith(f"May 2021: {shown}")
