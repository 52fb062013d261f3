"""In Firefox, as it is in Debian: the walk, every page's looks, and the carriers on other sites' pages."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from bars_in_memory import a_bar
from browser.firefox import Firefox
from browser.painted import HIGH, SEEN, not_seen, painted
from browser.walking import GOOD_CARD, Demo
from playwright.sync_api import Browser
from serving import serving

from tracker.giving.bar_style import BarStyle
from tracker.web.admin.snippet_code import Choices, Snippets


@pytest.fixture(scope="module")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    running = Firefox(tmp_path_factory.mktemp("firefox"))
    yield running
    running.closes()


def test_ten_dollars_from_the_article_move_the_bar(demo: Demo, firefox: Firefox) -> None:
    before = demo.raised()
    firefox.opens(demo.article)
    firefox.enters_the_frame(".support iframe")
    assert firefox.reads("document.querySelector('.sum strong').innerText") == demo.bar()["labels"]["raised"]
    firefox.presses("a.support")
    firefox.arrives(f"{demo.page_url}?src=harbour-ferry&pos=top")
    firefox.presses("label[for=f-month]")
    firefox.presses("label[for=month-1]")
    assert firefox.reads("document.querySelector('#give button').innerText.trim()") == "Give 10 $ every month"
    firefox.presses("#give button")
    firefox.arrives("/pay/")
    for field, words in {
        "email": "donor@example.org",
        "card_number": GOOD_CARD,
        "expiry": "12 / 40",
        "cvc": "123",
    }.items():
        firefox.types(f"#{field}", words)
    firefox.presses("form button")
    firefox.arrives("/thanks?")
    firefox.until("document.body.innerText.includes('Your gift has arrived')")
    demo.comes_to(before + 1000)
    assert firefox.reads("[document.cookie, localStorage.length, sessionStorage.length]") == ["", 0, 0]


PAGES = {
    "the article": "{article}",
    "the supporter's page": "{page}",
    "all months": "{page}/months",
    "the list of campaigns": "{app}/",
    "nothing here": "{app}/nothing",
    "the sign-in": "{admin}",
    "the frame": "{app}/embed/newsroom?theme=auto&accent=b3261e&count=1&days=1",
    "the frame, large": "{app}/embed/newsroom?theme=dark&size=l&committed=1",
    "the frame of nothing": "{app}/embed/nothing?theme=auto",
    "the element": "{news}/bar/element",
    "under a strict policy": "{news}/bar/strict",
}


@pytest.mark.parametrize("name", PAGES)
def test_everything_can_be_read_and_seen_on(name: str, demo: Demo, firefox: Firefox, browser: Browser) -> None:
    blank = browser.new_page()
    faults = []
    for scheme in ("light", "dark"):
        firefox.is_in_the(scheme)
        firefox.opens(
            PAGES[name].format(article=demo.article, page=demo.page_url, app=demo.app, admin=demo.admin, news=demo.news)
        )
        # Elements load when they are nearly seen.
        for at in range(firefox.reads("document.querySelectorAll('pledge-bar').length")):
            firefox.reads(f"document.querySelectorAll('pledge-bar')[{at}].scrollIntoView()")
            firefox.until(f"document.querySelectorAll('pledge-bar')[{at}].shadowRoot")
        firefox.reads("scrollTo(0, 0)")
        found = firefox.reads(f"({SEEN})(arguments[0])", HIGH)
        assert found
        faults += [f"{scheme}: {fault}" for fault in not_seen(painted(blank, firefox.picture(), found))]
        assert firefox.reads("document.documentElement.scrollWidth - innerWidth") <= 0
    blank.close()
    firefox.is_in_the("light")
    assert faults == []


# --- On other sites' pages --------------------------------------------------------------------------------------------


class Front:
    """Stands before the demo at an address of its own and writes down who said what of the page that they come from."""

    def __init__(self, demo: Demo) -> None:
        self.demo = demo
        self.referrers: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path = environ["PATH_INFO"]
        self.referrers[path] = environ.get("HTTP_REFERER", "")
        address = f"{self.demo.app}{path}?{environ['QUERY_STRING']}"
        known = {"If-None-Match": environ["HTTP_IF_NONE_MATCH"]} if "HTTP_IF_NONE_MATCH" in environ else {}
        try:
            answer = urlopen(Request(address, headers=known))
        except HTTPError as error:
            answer = error
        with answer:
            kept = [(name, value) for name, value in answer.headers.items() if name.lower() not in HOP]
            start_response(f"{answer.status} {answer.reason}", kept)
            return [answer.read()]


HOP = ("connection", "transfer-encoding", "content-length", "date", "server", "keep-alive")


@pytest.fixture
def article(demo: Demo) -> Iterator[Callable[..., tuple[str, Front]]]:
    """Makes articles of other sites with every snippet in them, each behind the same front of the demo."""
    front = Front(demo)
    page: dict[str, Any] = {}

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), *page["headers"].items()])
        return [page["html"].encode()]

    with serving(front) as app, serving(site) as news:
        ours = Snippets(a_bar(), Choices(BarStyle(), "ferry"), app)
        carriers = [ours.frame("top"), ours.element(), ours.picture("svg"), ours.picture("png")]
        lost = f'<iframe src="{app}/embed/nobody" title="x" id="lost"></iframe>'

        def make(headers: dict[str, str]) -> tuple[str, Front]:
            parts = "".join(f"<div>{one}</div>" for one in [*carriers, lost])
            page["headers"] = headers
            page["html"] = f"<!doctype html><html lang='en'><title>News</title><body>{parts}</body></html>"
            return f"{news}/private/story?reader=ana", front

        yield make


def shows_every_carrier(firefox: Firefox) -> None:
    firefox.until("document.querySelector('pledge-bar').shadowRoot")
    firefox.reads("document.images[document.images.length - 1].scrollIntoView()")
    firefox.until("[...document.images].every(one => one.complete && one.naturalWidth > 0)")
    for frame, words in (("iframe", "Support us"), ("#lost", "The bar is not available right now.")):
        firefox.enters_the_frame(frame)
        firefox.until(f"document.body.innerText.includes('{words}')")
        firefox.leaves_the_frame()


def test_no_carrier_tells_us_which_page_it_is_on(article: Callable[..., tuple[str, Front]], firefox: Firefox) -> None:
    address, front = article({"Referrer-Policy": "unsafe-url"})
    firefox.opens(address)
    shows_every_carrier(firefox)
    told = {path: front.referrers[path] for path in front.referrers if path != "/embed/nobody"}
    # The frame's own script is told by the frame in which frame it is.
    assert "/embed/newsroom?src=ferry" in told.pop("/embed/frame.js")
    assert set(told) == {
        f"/embed/{name}" for name in ("newsroom", "bar.js", "newsroom.json", "newsroom.svg", "newsroom.png")
    }
    assert set(told.values()) == {""}


@pytest.mark.parametrize("apart", ["require-corp", "credentialless"])
def test_a_page_that_is_kept_apart_from_other_sites_shows_every_carrier(
    apart: str, article: Callable[..., tuple[str, Front]], firefox: Firefox
) -> None:
    address, _ = article({"Cross-Origin-Embedder-Policy": apart, "Cross-Origin-Opener-Policy": "same-origin"})
    firefox.opens(address)
    shows_every_carrier(firefox)
    assert firefox.reads("crossOriginIsolated")
    # The second time it has all of it, and asks whether that is still true.
    firefox.does("WebDriver:Refresh")
    shows_every_carrier(firefox)
