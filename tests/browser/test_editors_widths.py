"""The editors' pages on a phone, at 200 % and in forced colours: nothing is cut off, and the focus is seen."""

from collections.abc import Iterator

import pytest
from browser.auditors import MISSING, Shown, focus_faults
from browser.editors_pages import OPENED, editors_pages
from playwright.sync_api import Browser

# The tab of the page that is open, if it has been left outside the window.
UNSEEN_TAB = """[...document.querySelectorAll(".tabs [aria-current]")]
    .filter(tab => tab.getBoundingClientRect().left < 0 || tab.getBoundingClientRect().right > innerWidth)
    .map(tab => tab.textContent)"""

SCROLLED = """[...document.querySelectorAll(".scroll")].filter(one => one.scrollWidth > one.clientWidth)
    .map(one => one.ariaLabel)"""


@pytest.fixture(scope="module")
def shown(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shown]:
    made = Shown(browser, editors_pages(tmp_path_factory.mktemp("instance")))
    yield made
    made.context.close()


def test_on_a_phone_and_at_200_percent_nothing_is_cut_off_or_too_small_to_press(shown: Shown) -> None:
    found = []
    for name, page in shown.each():
        page.evaluate(OPENED)
        # At 200 %, a window of 1280 px is 640 px wide.
        for wide in (360, 640):
            page.set_viewport_size({"width": wide, "height": 800})
            needs = page.evaluate("document.documentElement.scrollWidth")
            found += [f"{name}: {needs} px wide instead of {wide}"] * (needs > wide)
            found += [f"{name}, {wide} px: {fault}" for fault in page.evaluate(MISSING)]
            found += [f"{name}, {wide} px: “{tab}” is not in view" for tab in page.evaluate(UNSEEN_TAB)]
    assert found == []


def test_on_a_desk_no_table_has_to_be_scrolled(shown: Shown) -> None:
    found = []
    for name, page in shown.each():
        page.set_viewport_size({"width": 1280, "height": 800})
        found += [f"{name}: {table}" for table in page.evaluate(SCROLLED)]
    assert found == []


def test_in_forced_colours_the_focus_is_seen(shown: Shown) -> None:
    shown.page.emulate_media(forced_colors="active")
    found = [
        f"{name}: {fault}"
        for name, page in shown.each("month, running", "gifts, filtered", "closing, open", "import, looked at")
        for fault in focus_faults(page)
    ]
    shown.page.emulate_media(forced_colors="none")
    assert found == []
