"""How a bar stands on a page, seen by a reader in each browser, and the way of a gift that begins there."""

import os
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from browser.firefox import Firefox
from browser.walking import Demo, arrives, choose, pay, press_give, sees_it_arrive, session_of, wait_until
from playwright.sync_api import Browser, Page

PHONE, DESKTOP = 360, 1280
# A folder for a picture of each page at each width, to be looked at.
PICTURES = os.environ.get("PICTURES")
WIDE = 108

# Each frame or element of ours with the room it has: itself, the column around it, and what lies over it.
SEEN = """(() => {
    const all = [...document.querySelectorAll('iframe[src*="/embed/"], pledge-bar')];
    return {
        beyond: document.documentElement.scrollWidth - innerWidth,
        bars: all.map((one) => {
            const box = one.getBoundingClientRect();
            return {src: one.getAttribute('src'), left: box.left, right: box.right, top: box.top + scrollY,
                width: box.width, height: box.height,
                visible: getComputedStyle(one).visibility};
        }),
        text: [...document.querySelectorAll('p')].filter((one) => one.textContent.includes('ferry')).map((one) => {
            const box = one.getBoundingClientRect();
            return {left: box.left, right: box.right, top: box.top + scrollY, bottom: box.bottom + scrollY};
        }),
    };
})()"""
# How many pixels of a frame's page are beyond the frame, across and down.
BEYOND = """(() => {
    const {scrollWidth, scrollHeight} = document.documentElement;
    return [Math.max(0, scrollWidth - innerWidth), Math.max(0, scrollHeight - innerHeight)];
})()"""
# How far the text moved while the page was loading, as Chromium measures it.
SHIFT = """() => new Promise((done) => new PerformanceObserver((list, observer) => {
    observer.disconnect();
    done(list.getEntries().reduce((sum, one) => sum + one.value, 0));
}).observe({type: "layout-shift", buffered: true}) || setTimeout(() => done(0), 500))"""


@dataclass
class Seen:
    """What is there at one width: how many pixels the page is too wide, the bars, and the paragraphs of the story."""

    beyond: float
    bars: list[dict[str, Any]]
    text: list[dict[str, float]]
    shift: float = 0
    scrolls: list[tuple[float, float]] = field(default_factory=list)

    def is_right(self, *, bars: int = 2, narrow: int = 162, widest: int = 640, most_shift: float = 0.02) -> None:
        """Every bar at its height, in the column of the text and clear of it, whole, and nothing moved for it."""
        assert len(self.bars) == bars, self.bars
        assert self.beyond <= 0, f"{self.beyond} px too wide"
        for bar in self.bars:
            assert bar["visible"] == "visible"
            assert bar["height"] == (WIDE if bar["width"] >= 420 else narrow), bar
            assert bar["width"] >= 250, bar
            assert bar["width"] <= widest + 0.5, bar
            assert self.text
            # A paragraph is as wide as the column.
            assert bar["left"] >= min(one["left"] for one in self.text) - 1, (bar, self.text)
            assert bar["right"] <= max(one["right"] for one in self.text) + 1, (bar, self.text)
            for one in self.text:
                apart = one["bottom"] <= bar["top"] + 0.5 or one["top"] >= bar["top"] + bar["height"] - 0.5
                assert apart, f"the bar lies over the text: {bar} {one}"
        assert self.scrolls == [(0, 0)] * len(self.scrolls), f"a part of the bar cannot be seen: {self.scrolls}"
        assert self.shift <= most_shift, f"the page moved by {self.shift}"


def frames(page: Page) -> list[Any]:
    page.evaluate("0")
    return [frame for frame in page.frames if "/embed/" in frame.url]


def in_chromium(browser: Browser, address: str, width: int, *, frames_there: int = 2) -> Seen:
    """A reader who opens the page and goes down to its end."""
    context = browser.new_context(viewport={"width": width, "height": 900})
    page = context.new_page()
    page.goto(address)
    page.wait_for_load_state()
    ours = page.locator('iframe[src*="/embed/"], pledge-bar')
    for one in ours.all():
        one.scroll_into_view_if_needed()
        page.wait_for_timeout(150)
    wait_until(lambda: len(frames(page)) >= frames_there)
    for frame in frames(page):
        frame.wait_for_selector(".bar")
    page.wait_for_timeout(300)
    seen = Seen(**page.evaluate(SEEN), shift=page.evaluate(SHIFT))
    seen.scrolls = [tuple(frame.evaluate(BEYOND)) for frame in frames(page)]
    if PICTURES:
        test = re.sub(r"\W+", "-", os.environ["PYTEST_CURRENT_TEST"].partition("on_")[2].partition(" (")[0])
        page.screenshot(path=Path(PICTURES) / f"{test}-{width}.png", full_page=True)
    context.close()
    return seen


def in_firefox(firefox: Firefox, address: str, width: int) -> Seen:
    narrow_to(firefox, width)
    firefox.opens(address)
    firefox.until("document.readyState === 'complete'")
    count = firefox.reads("document.querySelectorAll('iframe[src*=\"/embed/\"], pledge-bar').length")
    for at in range(count):
        firefox.reads(f"document.querySelectorAll('iframe[src*=\"/embed/\"], pledge-bar')[{at}].scrollIntoView()")
        firefox.until("true")
    wait_a_moment(firefox)
    return Seen(**firefox.reads(SEEN))


def narrow_to(firefox: Firefox, width: int) -> None:
    """A window is never narrower than 450 pixels; what a page gets of it can be, as in Firefox's own view of phones."""
    firefox.does("Marionette:SetContext", value="chrome")
    firefox.does("WebDriver:SetWindowRect", width=1320, height=1000)
    firefox.reads(
        "['width', 'min-width', 'max-width'].forEach((name) => "
        f"gBrowser.selectedBrowser.style.setProperty(name, '{width}px', 'important'))"
    )
    firefox.does("Marionette:SetContext", value="content")


def wait_a_moment(firefox: Firefox) -> None:
    firefox.does("WebDriver:ExecuteAsyncScript", script="setTimeout(arguments[0], 400)", args=[])


@contextmanager
def reading(browser: Browser, address: str, width: int = DESKTOP) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": width, "height": 900})
    context.set_default_timeout(20_000)
    page = context.new_page()
    page.goto(address)
    yield page
    context.close()


def gives_from(page: Page, demo: Demo, *, press: Callable[[Page], None], src: str, pos: str, back: bool) -> None:
    """Presses the button of a bar on somebody's site, gives ten dollars, and goes back to the article in each way."""
    article = page.url
    before = demo.raised()
    press(page)
    arrives(page, f"{demo.app}/c/newsroom")
    choose(page, "Once")
    choose(page, "10 $")
    press_give(page)
    pay(page)
    sees_it_arrive(page)
    told = demo.checkout(session_of(page))["metadata"]
    assert (told.get("src", ""), told.get("pos", "")) == (src, pos)
    demo.comes_to(before + 1000)
    link = page.get_by_role("link", name="Back to the article")
    assert link.count() == int(back)
    if back:
        link.click()
        arrives(page, urlsplit(article)._replace(query="", fragment="").geturl())


def press_in_frame(at: int) -> Callable[[Page], None]:
    """Presses the button in the frame with that number on the page."""

    def press(page: Page) -> None:
        page.locator('iframe[src*="/embed/"]').nth(at).scroll_into_view_if_needed()
        wait_until(lambda: len(frames(page)) > at)
        page.frame_locator('iframe[src*="/embed/"]').nth(at).locator("a.support").click()

    return press


def presses_in_firefox(firefox: Firefox, address: str, demo: Demo, *, src: str, pos: str) -> None:
    narrow_to(firefox, DESKTOP)
    firefox.opens(address)
    firefox.enters_the_frame('iframe[src*="/embed/"]')
    firefox.presses("a.support")
    firefox.arrives(f"{demo.page_url}")
    query = firefox.reads("location.search")
    assert f"src={src}" in query
    assert f"pos={pos}" in query
    firefox.does("WebDriver:Back")
    firefox.arrives(address)
    firefox.enters_the_frame('iframe[src*="/embed/"]')
    assert firefox.reads("document.querySelector('.sum strong').innerText") == demo.bar()["labels"]["raised"]
    firefox.leaves_the_frame()


def looks_right(browser: Browser, firefox: Firefox, address: str, **how: Any) -> None:
    """In both browsers, on a phone and at a desk."""
    frames_there = how.pop("frames_there", how.get("bars", 2))
    for width in (PHONE, DESKTOP):
        in_chromium(browser, address, width, frames_there=frames_there).is_right(**how)
        in_firefox(firefox, address, width).is_right(**how)


def shown_pictures(page: Page) -> None:
    for picture in page.locator("img").all():
        picture.scroll_into_view_if_needed()
    page.wait_for_function("() => [...document.images].every(one => one.complete && one.naturalWidth > 0)")
