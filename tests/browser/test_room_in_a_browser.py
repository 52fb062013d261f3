"""Whether every state of the bar, in every language, fits into the height that its snippet gives to the frame."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

import pytest
import time_machine
from bars_in_memory import a_bar, shows
from flask import Flask
from flask.testing import FlaskClient
from playwright.sync_api import Browser

from tracker.giving.looks import HEIGHTS, NARROW, SIZES
from tracker.giving.words import languages

# Where the currency stands before the amount and where behind it, and with signs short and long.
CURRENCIES = {"sv": "SEK", "nb": "NOK", "da": "DKK", "pl": "PLN", "cs": "CZK", "en": "USD", "uk": "UAH", "ru": "RUB",
              "tr": "TRY", "he": "ILS", "ar": "AED", "pt": "BRL"}  # fmt: skip
STATES: dict[str, dict[str, Any]] = {
    "nothing yet": {"raised": 0, "goal": 500_000},
    "half": {"raised": 250_000, "goal": 500_000},
    "exactly reached": {"raised": 10_000_000, "goal": 10_000_000},
    "142 %": {"raised": 14_200_000, "goal": 10_000_000},
    "142 % to the cent": {"raised": 1_420_050, "goal": 1_000_000},
    "142 % of millions": {"raised": 142_000_000, "goal": 100_000_000},
    "half of millions, to the cent": {"raised": 123_456_789, "goal": 250_000_000},
    "no goal": {"raised": 14_200_050, "goal": None},
    "paused": {"raised": 14_200_000, "goal": 10_000_000, "paused": True},
    "a month that is over": {"raised": 14_200_000, "goal": 10_000_000, "days_left": 0},
    "of when it is": {"raised": 14_200_000, "goal": 10_000_000, "stale": True},
}
MEASURE = """pages => pages.map(page => {
    const read = new DOMParser().parseFromString(page, "text/html"), shown = document.documentElement, faults = [];
    for (const name of ["lang", "dir", "className"]) shown[name] = read.documentElement[name];
    const [style, wanted] = [document, read].map(one => one.querySelector("style"));
    // A style is costly to read, and most have the same.
    if (style.textContent !== wanted.textContent) style.textContent = wanted.textContent;
    document.querySelector("main").replaceWith(read.querySelector("main"));
    if (shown.scrollWidth > innerWidth) faults.push(`${shown.scrollWidth - innerWidth} px too wide`);
    if (shown.scrollHeight > innerHeight) faults.push(`${shown.scrollHeight - innerHeight} px too high`);
    const room = shown.querySelector(".sum").getBoundingClientRect();
    for (const one of shown.querySelectorAll(".sum :is(strong, span)")) {
        const box = one.getBoundingClientRect();
        const seen = box.left >= room.left - .5 && box.right <= room.right + .5 && box.top < room.bottom - 8;
        // That the goal is reached or passed may go, but not by halves.
        const gone = one.matches("span + wbr + span") && box.top >= room.bottom - 1;
        if (!seen && !gone) faults.push(`“${one.textContent}” is cut`);
    }
    return faults.join(", ");
})"""


@pytest.fixture
def database_url() -> str:
    """One database is enough: what is tested here begins behind it."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(datetime(2021, 5, 14, 9, 31, tzinfo=UTC), tick=False):
        yield


def in_every_state_and_language(app: Flask, client: FlaskClient, size: str) -> dict[tuple[str, str], str]:
    pages = {}
    for language, _ in languages():
        for state, about in STATES.items():
            shows(app, a_bar(**about, locale=language, currency=CURRENCIES.get(language, "EUR"), amount_pattern=""))
            pages[language, state] = client.get(f"/embed/newsroom?size={size}").text
    return pages


@pytest.mark.parametrize("size", SIZES)
def test_the_snippets_heights_hold_every_state_of_the_bar_in_every_language(
    size: str, app: Flask, client: FlaskClient, browser: Browser
) -> None:
    pages = in_every_state_and_language(app, client, size)
    page = browser.new_page()
    page.set_content(pages["en", "half"])
    wide, narrow = HEIGHTS[size]
    wrong = {}
    for width in (280, 320, 360, NARROW, 600):
        page.set_viewport_size({"width": width, "height": wide if width >= NARROW else narrow})
        found: list[str] = page.evaluate(MEASURE, list(pages.values()))
        wrong |= {(width, *name): fault for name, fault in zip(pages, found, strict=True) if fault}
    page.close()
    assert wrong == {}
