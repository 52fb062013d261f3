"""Whether every state of the bar fits, in every language and with every font: into its frame, its element and its picture."""

import json
import os
from collections.abc import Callable, Iterable, Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import parse_qsl

import pytest
import time_machine
from bars_in_memory import a_bar, shows
from browser.fonts import FAMILIES, used
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser, Page

from tracker.giving.bar_style import NARROW, SIZES, frame_heights, read_bar_style
from tracker.giving.bar_words import languages
from tracker.giving.drives import Appeal, Appeals
from tracker.giving.goals import PeopleGoal
from tracker.web.embed.bar_views import ELEMENT

# Where the currency stands before the amount and where behind it, and with signs short and long.
CURRENCIES = {"sv": "SEK", "nb": "NOK", "da": "DKK", "pl": "PLN", "cs": "CZK", "en": "USD", "uk": "UAH", "ru": "RUB",
              "tr": "TRY", "he": "ILS", "ar": "AED", "pt": "BRL"}  # fmt: skip
ALL = "committed=1&count=1&days=1"
# With names as long as they may be, and long sums.
STARTS, ENDS = datetime(2021, 5, 13, tzinfo=UTC), datetime(2021, 5, 16, tzinfo=UTC)
DRIVE = Appeal("drive", "Sommerspendenwoche für den Lokaljournali", 100_000_000, STARTS, ENDS, 1, 142_000_050, 1240)
MATCH = Appeal("match", "Stiftung für Journalismus Friedrichshain", 100_000_000, STARTS, None, 2, 12_345_678, 1240)
MILLIONS = {"raised": 142_000_000, "goal": 100_000_000, "committed": 123_456_789}
# What is in the ledger, and what the snippet asks for.
STATES: dict[str, tuple[dict[str, Any], str]] = {
    "nothing yet": ({"raised": 0, "goal": 500_000}, ""),
    "half": ({"raised": 250_000, "goal": 500_000}, ""),
    "exactly reached": ({"raised": 10_000_000, "goal": 10_000_000}, ""),
    "142 %": ({"raised": 14_200_000, "goal": 10_000_000}, ""),
    "142 % to the cent": ({"raised": 1_420_050, "goal": 1_000_000}, ""),
    "142 % of millions": ({"raised": 142_000_000, "goal": 100_000_000}, ""),
    "half of millions, to the cent": ({"raised": 123_456_789, "goal": 250_000_000}, ""),
    "no goal": ({"raised": 14_200_050, "goal": None}, ""),
    "paused": ({"raised": 14_200_000, "goal": 10_000_000, "paused": True}, ""),
    "a month that is over": ({"raised": 14_200_000, "goal": 10_000_000, "days_left": 0}, ""),
    "of when it is": ({"raised": 14_200_000, "goal": 10_000_000, "stale": True}, ""),
    "with gifts and days": (MILLIONS, "count=1&days=1"),
    "with what is to come": (MILLIONS, "committed=1"),
    "with everything": (MILLIONS, ALL),
    "with everything, of when it is": (MILLIONS | {"stale": True}, ALL),
    "a drive": ({"appeals": Appeals(DRIVE)}, ""),
    "a drive with everything": (MILLIONS | {"appeals": Appeals(DRIVE)}, ALL),
    "a match": (MILLIONS | {"appeals": Appeals(None, MATCH)}, ""),
    "a drive and a match with everything": (MILLIONS | {"appeals": Appeals(DRIVE, MATCH)}, ALL),
    "people": ({"people": PeopleGoal(20_000, first=True), "gifts": 28_400}, ""),
    "people beside money": (MILLIONS | {"people": PeopleGoal(20_000), "gifts": 12_345}, ALL),
}
# All of it with `make test-long`. For `make test` the two tightest widths, and with fonts narrower than the widest a sample.
LONG = bool(os.environ.get("TEST_LONG"))
WIDTHS = (280, 320, 360, NARROW, 600) if LONG else (280, NARROW)
WIDEST, ONE_IN = "dejavu", 5

# What is wrong with a bar that stands in `room`, `high` pixels of which it may take; and words that run into each other.
CHECK = """
const meet = (one, other) => one.right > other.left && other.right > one.left;
const overlaps = boxes => boxes.some((one, at) => boxes.slice(0, at).some(other => meet(one, other)));
const check = (root, room, high) => {
    const faults = [], sum = root.querySelector(".sum"), line = sum.getBoundingClientRect();
    for (const one of sum.querySelectorAll("strong, span")) {
        const box = one.getBoundingClientRect();
        const seen = box.left >= line.left - .5 && box.right <= line.right + .5 && box.top < line.bottom - 8;
        // That the goal is reached or passed may go, but not by halves.
        const gone = one.matches("span + wbr + span") && box.top >= line.bottom - 1;
        if (!seen && !gone) faults.push(`“${one.textContent}” is cut`);
    }
    for (const one of root.querySelectorAll(".support, .pause, .notes span")) {
        const box = one.getBoundingClientRect();
        const beyond = Math.max(one.scrollWidth - one.clientWidth, room.left - box.left, box.right - room.right);
        if (one.getClientRects().length && beyond > .5 && !one.hidden) faults.push(`“${one.textContent}” is ${beyond} px too wide`);
    }
    const marks = [...root.querySelectorAll("svg text")].map(one => one.getBoundingClientRect());
    if (overlaps(marks)) faults.push("the scale's words run into each other");
    if (high > 0) faults.push(`${high} px too high`);
    return faults.join(", ");
};
"""
FRAMES = (
    """pages => {"""
    + CHECK
    + """
    return pages.map(([page, high]) => {
        const read = new DOMParser().parseFromString(page, "text/html"), shown = document.documentElement;
        for (const name of ["lang", "dir", "className"]) shown[name] = read.documentElement[name];
        const [style, wanted] = [document, read].map(one => one.querySelector("style"));
        // A style is costly to read, and many have the same.
        if (style.textContent !== wanted.textContent) style.textContent = wanted.textContent;
        document.querySelector("main").replaceWith(read.querySelector("main"));
        const room = {left: 0, right: innerWidth}, wide = shown.scrollWidth - innerWidth;
        return check(document, room, document.body.offsetHeight - high) + (wide > 0 ? `, ${wide} px too wide` : "");
    });
}"""
)
ELEMENTS = (
    """([width, bars]) => {"""
    + CHECK
    + """
    const place = document.querySelector("div"), bar = document.querySelector("pledge-bar");
    place.style.width = width + "px";
    return bars.map(([told, high]) => {
        bar._show(told);
        return check(bar.shadowRoot, place.getBoundingClientRect(), bar.offsetHeight - high);
    });
}"""
)
PICTURES = (
    """pictures => {"""
    + CHECK
    + """
    return pictures.map(picture => {
    document.body.innerHTML = picture;
    const svg = document.querySelector("svg"), sheet = svg.getBoundingClientRect(), faults = [];
    const box = name => [...svg.querySelectorAll(name)].map(one => one.getBoundingClientRect());
    const [button] = box(".button"), texts = box("text");
    for (const [at, text] of texts.entries()) {
        const words = svg.querySelectorAll("text")[at], inside = words.matches(".on") ? button : sheet;
        if (text.left < inside.left - .5 || text.right > inside.right + .5) faults.push(`“${words.textContent}” runs off`);
        const hits = button && !words.matches(".on") && text.right > button.left && text.left < button.right
            && text.bottom > button.top + 2 && text.top < button.bottom - 2;
        if (hits) faults.push(`“${words.textContent}” runs into the button`);
    }
    if (overlaps(box(".mark"))) faults.push("the scale's words run into each other");
    return faults.join(", ");
});
}"""
)


@pytest.fixture
def database_url() -> str:
    """One database is enough: what is tested here begins behind it."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(datetime(2021, 5, 14, 9, 31, tzinfo=UTC), tick=False):
        yield


Case = tuple[str, str, str]


def every(app: Flask, client: FlaskClient, ending: str = "", more: str = "") -> dict[Case, str]:
    """What a carrier is in every size, language and state."""
    made = {}
    for language, _ in languages():
        for state, (about, looks) in STATES.items():
            currency = CURRENCIES.get(language, "EUR")
            shows(app, a_bar(**about, locale=language, currency=currency, amount_pattern=""))
            for size in SIZES:
                made[size, language, state] = client.get(f"/embed/newsroom{ending}?size={size}&{looks}{more}").text
    return made


def tried_with(font: str, made: dict[Case, Any]) -> dict[Case, Any]:
    """What is looked at with a font."""
    return made if LONG or font == WIDEST else dict(list(made.items())[::ONE_IN])


def high(case: Case, width: int) -> int:
    """How high the snippet says that a frame is, whatever is in it."""
    size, _, state = case
    wide, narrow = frame_heights(read_bar_style({"size": size} | dict(parse_qsl(STATES[state][1]))))
    return wide if width >= NARROW else narrow


def faults(font: str, width: int, cases: Iterable[Case], found: list[str]) -> dict[tuple[Any, ...], str]:
    return {(font, width, *case): fault for case, fault in zip(cases, found, strict=True) if fault}


def drawn_with(page: Page, font: str, *selectors: str) -> None:
    for selector, family in zip(selectors, FAMILIES[font], strict=True):
        assert used(page, selector) == {family}


def test_a_frame_holds_every_state_in_every_language_with_every_font(
    app: Flask, client: FlaskClient, with_fonts: Callable[[str], Browser]
) -> None:
    pages = every(app, client)
    wrong = {}
    for font in FAMILIES:
        page = with_fonts(font).new_page()
        page.set_content(pages["m", "en", "half"])
        drawn_with(page, font, ".sum span", ".sum strong")
        tried = tried_with(font, pages)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 300})
            found: list[str] = page.evaluate(FRAMES, [[html, high(case, width)] for case, html in tried.items()])
            wrong |= faults(font, width, tried, found)
        page.close()
    assert wrong == {}


def test_an_element_holds_them_too(app: Flask, client: FlaskClient, with_fonts: Callable[[str], Browser]) -> None:
    bars = {case: json.loads(told) for case, told in every(app, client, ".json", "&draw=1").items()}
    wrong = {}
    for font in FAMILIES:
        page = with_fonts(font).new_page()
        page.set_content("<!doctype html><style>body{margin:0}</style><div><pledge-bar></pledge-bar></div>")
        page.add_script_tag(content=ELEMENT.decode())
        tried = tried_with(font, bars)
        for width in WIDTHS:
            found = page.evaluate(ELEMENTS, [width, [[told, high(case, width)] for case, told in tried.items()]])
            wrong |= faults(font, width, tried, found)
        page.close()
    assert wrong == {}


def test_a_picture_holds_them_too(app: Flask, client: FlaskClient, with_fonts: Callable[[str], Browser]) -> None:
    # A large one is the middle one, enlarged.
    pictures = {case: picture for case, picture in every(app, client, ".svg").items() if case[0] != "l"}
    wrong = {}
    for font in FAMILIES:
        page = with_fonts(font).new_page()
        page.set_content("<!doctype html>" + pictures["m", "en", "half"])
        drawn_with(page, font, "text.quiet", "tspan.amount")
        tried = tried_with(font, pictures)
        wrong |= faults(font, 0, tried, page.evaluate(PICTURES, list(tried.values())))
        page.close()
    assert wrong == {}
