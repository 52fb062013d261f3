"""Bars on pages that stay open, and on those that a reader comes back to: they show the number as it is by then."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from bars_in_memory import a_bar, shows
from browser.firefox import Firefox
from browser.news_site import Site, news_site
from browser.walking import wait_until
from flask import Flask
from playwright.sync_api import Browser, BrowserContext, Frame, Page, Route, expect

BEFORE, AFTER = "340 $", "1,240 $"


FRAME = '<iframe src="OURS/embed/newsroom?src=ferry" title="x" width="640" height="162"></iframe>'
SANDBOXED = FRAME.replace("<iframe", '<iframe sandbox="allow-scripts"')
ELEMENT = (
    '<script src="OURS/embed/bar.js" async></script>'
    '<pledge-bar src="OURS/embed/newsroom?src=ferry"><a href="OURS/go/newsroom">Support us</a></pledge-bar>'
)


@pytest.fixture
def database_url() -> str:
    """SQLite alone: the bars are put into memory."""
    return ""


@pytest.fixture
def site(app: Flask) -> Iterator[Site]:
    shows(app, a_bar())
    with news_site(app) as made:
        yield made


@pytest.fixture
def reader(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 700, "height": 500})
    context.set_default_timeout(15_000)
    yield context
    context.close()


def bar_of(page: Page) -> Frame:
    expect(page.frame_locator("iframe").locator(".sum strong")).to_be_visible()
    return page.frames[1]


def opened(reader: BrowserContext, address: str) -> tuple[Page, datetime]:
    """A page whose clock stands until a test moves it."""
    page, began = reader.new_page(), datetime.now(UTC)
    page.clock.install(time=began)
    page.goto(address)
    return page, began


# --- An open page -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("html", [FRAME, SANDBOXED], ids=["plain", "in a sandbox"])
def test_a_frame_follows_within_a_minute_while_it_is_looked_at(site: Site, reader: BrowserContext, html: str) -> None:
    page, began = opened(reader, site.prints(html + "<p style='height:3000px'></p>"))
    bar = bar_of(page)
    bar.locator(".support").focus()
    wait_until(lambda: len(site.asked) == 2)
    page.clock.pause_at(began + timedelta(seconds=54))
    page.wait_for_timeout(200)
    assert site.asked == ["/embed/newsroom?src=ferry", "/embed/frame.js?"]
    shows(site.app, a_bar(124_000, accent="b3261e"))
    page.clock.pause_at(began + timedelta(seconds=59))
    expect(bar.locator(".sum strong")).to_have_text(AFTER)
    assert bar.locator(".fill").get_attribute("width") == "24.8%"
    # With the style that it needs by now; and the reader who was on the button still is.
    expect(bar.locator(".support")).to_have_css("background-color", "rgb(179, 38, 30)")
    expect(bar.locator(".support")).to_be_focused()
    assert AFTER in bar.title()
    assert bar.evaluate("document.documentElement.scrollHeight - innerHeight") <= 0
    assert site.asks_again() == ["/embed/newsroom?src=ferry&uncounted=1"]
    # A reader who stays is no new one.
    assert site.counted() == {("frame", "ferry"): 1}

    # Out of sight it asks for nothing, and at once when it is seen again.
    page.evaluate("scrollTo(0, 2000)")
    page.wait_for_timeout(200)
    page.clock.fast_forward(600_000)
    page.wait_for_timeout(200)
    assert len(site.asks_again()) == 1
    page.evaluate("scrollTo(0, 0)")
    wait_until(lambda: len(site.asks_again()) == 2)


def test_a_frame_in_a_tab_that_is_not_looked_at_asks_for_nothing(site: Site, reader: BrowserContext) -> None:
    page, _ = opened(reader, site.prints(FRAME))
    bar = bar_of(page)
    wait_until(lambda: len(site.asked) == 2)
    hide = "Object.defineProperty(document, 'hidden', { value: true, configurable: true })"
    for what in (hide, "document.dispatchEvent(new Event('visibilitychange'))"):
        bar.evaluate(what)
    page.clock.fast_forward(600_000)
    page.wait_for_timeout(200)
    assert site.asks_again() == []
    bar.evaluate("delete document.hidden")
    bar.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    wait_until(lambda: len(site.asks_again()) == 1)


def test_a_frame_shows_a_pause_and_its_end_as_they_come(site: Site, reader: BrowserContext) -> None:
    page, _ = opened(reader, site.prints(FRAME))
    bar = bar_of(page)
    wait_until(lambda: len(site.asked) == 2)
    shows(site.app, a_bar(paused=True))
    page.clock.run_for(60_000)
    expect(bar.locator(".pause")).to_have_text("Giving is paused just now")
    expect(bar.locator(".support")).to_have_count(0)
    shows(site.app, a_bar())
    page.clock.run_for(60_000)
    expect(bar.locator(".support")).to_have_text("Support us")
    expect(bar.locator(".pause")).to_have_count(0)


def test_a_frame_keeps_the_last_number_when_no_answer_comes(site: Site, reader: BrowserContext) -> None:
    page, _ = opened(reader, site.prints(FRAME))
    bar = bar_of(page)
    wait_until(lambda: len(site.asked) == 2)
    answers = [None, (503, "<main>Nothing</main>"), (200, "<p>Somebody else's page</p>")]

    def answered(route: Route) -> None:
        answer = answers.pop(0)
        if answer:
            route.fulfill(status=answer[0], body=answer[1], headers={"Access-Control-Allow-Origin": "*"})
        else:
            route.abort()

    page.route("**/*uncounted=1", answered, times=3)
    for left in (2, 1, 0):
        page.clock.run_for(60_000)
        wait_until(lambda left=left: page.evaluate("0") == 0 and len(answers) == left)
        expect(bar.locator(".sum strong")).to_have_text(BEFORE)
    shows(site.app, a_bar(124_000))
    page.clock.run_for(60_000)
    expect(bar.locator(".sum strong")).to_have_text(AFTER)


def test_without_a_script_a_frame_is_the_same_bar(site: Site, browser: Browser) -> None:
    context = browser.new_context(java_script_enabled=False)
    page = context.new_page()
    page.goto(site.prints(FRAME))
    expect(page.frame_locator("iframe").locator(".sum strong")).to_have_text(BEFORE)
    assert site.asked == ["/embed/newsroom?src=ferry"]
    context.close()


def test_an_element_on_an_open_page_is_counted_once(site: Site, reader: BrowserContext) -> None:
    page, _ = opened(reader, site.prints(ELEMENT))
    expect(page.locator("pledge-bar strong")).to_have_text(BEFORE)
    shows(site.app, a_bar(124_000))
    page.clock.run_for(59_000)
    expect(page.locator("pledge-bar strong")).to_have_text(AFTER)
    assert len(site.asks_again()) == 1
    assert site.counted() == {("element", "ferry"): 1}


# --- The Back button --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("html", [FRAME, ELEMENT], ids=["frame", "element"])
def test_who_comes_back_in_chromium_sees_the_number_with_the_gift(
    site: Site, reader: BrowserContext, html: str
) -> None:
    page = reader.new_page()
    page.goto(site.prints(html))
    amount = (page.frame_locator("iframe") if html == FRAME else page.locator("pledge-bar")).locator("strong")
    expect(amount).to_have_text(BEFORE)
    page.goto(f"{site.news}/other")
    shows(site.app, a_bar(124_000))
    page.go_back()
    expect(amount).to_have_text(AFTER)


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    running = Firefox(tmp_path_factory.mktemp("firefox"))
    yield running
    running.closes()


@pytest.mark.parametrize("kept", [True, False], ids=["the page kept whole", "the page loaded anew"])
@pytest.mark.parametrize("html", [FRAME, ELEMENT], ids=["frame", "element"])
def test_who_comes_back_in_firefox_sees_the_number_with_the_gift(
    site: Site, firefox: Firefox, html: str, kept: bool
) -> None:
    # A page that listens to this is not kept by Firefox.
    more = "" if kept else "<script>addEventListener('unload', () => {})</script>"
    firefox.opens(site.prints(html + more))

    def amount_is(words: str) -> None:
        if html == FRAME:
            firefox.enters_the_frame("iframe")
            firefox.until(f"document.querySelector('.sum strong').textContent === '{words}'")
            firefox.leaves_the_frame()
        else:
            firefox.until(
                f"document.querySelector('pledge-bar').shadowRoot?.querySelector('strong').textContent === '{words}'"
            )

    amount_is(BEFORE)
    firefox.reads("window.marked = true")
    firefox.opens(f"{site.news}/other")
    shows(site.app, a_bar(124_000))
    firefox.does("WebDriver:Back")
    amount_is(AFTER)
    assert firefox.reads("window.marked === true") is kept
