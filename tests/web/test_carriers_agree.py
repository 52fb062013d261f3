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
from tracker.giving.goals import SLIVER
from tracker.giving.months import parse_month
from tracker.ledger import book, campaigns, month_closing
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
