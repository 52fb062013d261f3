"""The demo's pages about the bar in a browser, and the conversation between our frame and WordPress."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from browser.walking import Demo, Visitor, arrives, called, wait_until
from playwright.sync_api import Page, expect
from serving import serving

from tracker.demo.carrier_pages import CARRIERS
from tracker.demo.wordpress import embedded
from tracker.paths import STATIC

Visitors = Callable[..., Visitor]
WIDTHS = (280, 320, 360, 420, 640, 768, 1200)
SHIFTED = """() => new Promise(done => {
    let sum = 0;
    new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; })
        .observe({type: "layout-shift", buffered: true});
    setTimeout(() => done(sum), 300);
})"""


def pages_of(demo: Demo) -> list[str]:
    return [f"{demo.news}/bar/", *(f"{demo.news}/bar/{carrier.name}" for carrier in CARRIERS)]


def test_no_page_scrolls_sideways_or_breaks_its_policy(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    too_wide = []
    for address in (*pages_of(demo), f"{demo.news}/bar/newsletter/letter"):
        page.goto(address)
        for width in WIDTHS:
            page.set_viewport_size({"width": width, "height": 700})
            if page.evaluate("document.documentElement.scrollWidth - innerWidth") > 0:
                too_wide.append((address, width))
    assert too_wide == []


@pytest.mark.parametrize("width", [360, 1280])
@pytest.mark.parametrize("name", ["", "frame", "element", "strict", "data"])
def test_nothing_moves_while_a_page_loads(demo: Demo, visitor: Visitors, name: str, width: int) -> None:
    page = visitor(width, 740).page
    page.goto(f"{demo.news}/bar/{name}")
    page.wait_for_load_state("networkidle")
    assert page.evaluate(SHIFTED) == 0


def test_the_index_is_a_walk_through_every_carrier(demo: Demo, visitor: Visitors) -> None:
    page = visitor(1280).page
    page.goto(demo.article)
    page.get_by_role("link", name="in every carrier").click()
    for carrier in CARRIERS:
        page.get_by_role("link", name=carrier.title, exact=True).click()
        expect(page.get_by_role("heading", level=1)).to_have_text(carrier.title)
        page.locator(".kicker a").click()
    expect(page.get_by_role("heading", level=1)).to_have_text("The bar in every carrier")


def test_every_live_carrier_says_the_same_number(demo: Demo, visitor: Visitors) -> None:
    page = visitor(1280).page
    raised = called(f"{demo.app}/embed/newsroom.json")["labels"]["raised"]
    page.goto(f"{demo.news}/bar/element")
    expect(page.locator("pledge-bar strong").first).to_have_text(raised)
    for name in ("frame", "wordpress", "pasted"):
        page.goto(f"{demo.news}/bar/{name}")
        expect(page.frame_locator("iframe").first.locator("strong")).to_have_text(raised)
    page.goto(f"{demo.news}/bar/strict")
    expect(page.locator("pledge-bar strong")).to_have_text(raised)
    expect(page.frame_locator("iframe").locator("strong")).to_have_text(raised)
    page.goto(f"{demo.news}/bar/data")
    expect(page.locator(".body")).to_contain_text(raised)
    page.goto(f"{demo.news}/bar/newsletter/letter")
    assert raised in str(page.locator("img").get_attribute("alt"))


def test_the_pasted_frame_has_room_for_its_button(demo: Demo, visitor: Visitors) -> None:
    page = visitor(1200, 740).page
    page.goto(f"{demo.news}/bar/pasted")
    for width in (1200, 640, 419, 320):
        page.set_viewport_size({"width": width, "height": 740})
        fits(page)


def fits(page: Page) -> None:
    expect(page.frame_locator("iframe").get_by_role("link")).to_be_visible()
    frame = page.frames[1]
    assert frame.evaluate(
        "(at => [at.scrollWidth - innerWidth, at.scrollHeight - innerHeight])(document.documentElement)"
    ) == [0, 0]


# --- WordPress --------------------------------------------------------------------------------------------------------


class WordPress:
    """A WordPress with an article in which the supporter's page's address stands on a line of its own."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.url = ""
        self.listens = True
        self.late = False
        self.width = 600

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        limits = {"url": self.demo.page_url, "maxwidth": self.width, "maxheight": 900, "format": "json"}
        html = embedded(called(f"{self.demo.app}/oembed?{urlencode(limits)}")["html"])
        script = (STATIC / "demo" / "wordpress.js").read_text(encoding="utf-8")
        inside = f"<script>{script}</script>" if self.listens else ""
        page = f"""<!doctype html><html lang="en"><title>WordPress</title><link rel="icon" href="data:,">
            <meta name="viewport" content="width=device-width"><p>Before</p>{html}<p>After</p>{inside}</html>"""
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        return [page.encode()]


@pytest.fixture
def wordpress(demo: Demo) -> Iterator[WordPress]:
    site = WordPress(demo)
    with serving(site) as site.url:
        yield site


def test_wordpress_shows_the_frame_once_it_has_spoken(wordpress: WordPress, visitor: Visitors) -> None:
    page = visitor(800).page
    page.goto(wordpress.url)
    expect(page.locator("blockquote")).to_be_hidden()
    expect(page.locator("iframe")).to_be_visible()
    assert page.locator("iframe").get_attribute("style") is None
    # It fits as it is, so it does not ask for the two hundred pixels that WordPress gives at least.
    assert page.locator("iframe").get_attribute("height") == "108"
    fits(page)


def test_wordpress_gives_the_frame_the_width_of_the_column(wordpress: WordPress, visitor: Visitors) -> None:
    page = visitor(1280).page
    for width in (1280, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        page.goto(wordpress.url)
        expect(page.locator("iframe")).to_be_visible()
        wide, column = page.evaluate(
            "['iframe', 'p'].map(one => document.querySelector(one).getBoundingClientRect().width)"
        )
        assert wide == column
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


def test_where_the_frame_is_too_low_it_asks_for_more(wordpress: WordPress, visitor: Visitors) -> None:
    page = visitor(800).page
    wordpress.width = 500
    page.goto(wordpress.url)
    expect(page.locator("iframe")).to_be_visible()
    page.locator("iframe").evaluate("one => { one.width = 300; }")
    expect(page.locator("iframe")).to_have_attribute("height", "200")
    fits(page)


def test_the_button_leads_to_the_supporters_page(wordpress: WordPress, demo: Demo, visitor: Visitors) -> None:
    page = visitor(800).page
    page.goto(wordpress.url)
    expect(page.locator("iframe")).to_be_visible()
    page.frame_locator("iframe").get_by_role("link").click()
    arrives(page, demo.page_url)


def test_the_button_works_from_the_keyboard(wordpress: WordPress, demo: Demo, visitor: Visitors) -> None:
    page = visitor(800).page
    page.goto(wordpress.url)
    expect(page.locator("iframe")).to_be_visible()
    page.frame_locator("iframe").get_by_role("link").focus()
    page.keyboard.press("Enter")
    arrives(page, demo.page_url)


def test_a_wordpress_that_does_not_listen_shows_a_link(wordpress: WordPress, demo: Demo, visitor: Visitors) -> None:
    wordpress.listens = False
    page = visitor(800).page
    page.goto(wordpress.url)
    page.wait_for_load_state("networkidle")
    expect(page.locator("iframe")).to_be_hidden()
    page.locator("blockquote a").click()
    arrives(page, demo.page_url)


def test_a_script_that_comes_after_the_frame_says_that_it_is_ready(wordpress: WordPress, visitor: Visitors) -> None:
    wordpress.listens = False
    page = visitor(800).page
    page.goto(wordpress.url)
    page.wait_for_load_state("networkidle")
    page.add_script_tag(path=STATIC / "demo" / "wordpress.js")
    page.evaluate("document.dispatchEvent(new Event('DOMContentLoaded'))")
    expect(page.locator("iframe")).to_be_visible()
    expect(page.locator("blockquote")).to_be_hidden()


def test_the_frame_tells_its_secret_to_nobody_who_has_not_given_it(demo: Demo, visitor: Visitors) -> None:
    page = visitor(800).page
    page.goto(f"{demo.news}/bar/pasted")
    expect(page.frame_locator("iframe").get_by_role("link")).to_be_visible()
    page.evaluate("heard = []; addEventListener('message', ({data}) => heard.push(data))")
    frame = page.frames[1]
    frame.evaluate("got = []; addEventListener('message', ({data}) => got.push(data))")
    page.evaluate("frames[0].postMessage({message: 'ready', secret: 'abc'}, '*'); frames[0].postMessage(null, '*')")
    wait_until(lambda: frame.evaluate("got.length") == 2)
    # An answer would have been sent by then, before this one.
    frame.evaluate("parent.postMessage('the last', '*')")
    wait_until(lambda: page.evaluate("heard").count("the last") == 1)
    assert page.evaluate("heard") == ["the last"]
    # And without one its button is an ordinary link.
    page.frame_locator("iframe").get_by_role("link").click()
    arrives(page, demo.page_url)
