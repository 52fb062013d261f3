"""In Firefox, as it is in Debian: the walk, an editor's walk, every page's looks, and the carriers on other sites' pages."""

from collections.abc import Callable, Iterator
from mimetypes import guess_type
from typing import Any
from urllib.error import HTTPError
from urllib.request import Request, urlopen

import pytest
from bars_in_memory import a_bar
from browser.auditors import MISSING
from browser.editors_pages import OPENED, editors_pages, some_of
from browser.firefox import Firefox
from browser.painted import HIGH, SEEN, not_seen, painted
from browser.walking import GOOD_CARD, Demo
from playwright.sync_api import Browser
from serving import serving

from tracker.giving.bar_style import BarStyle
from tracker.paths import STATIC
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


# --- The newsroom -----------------------------------------------------------------------------------------------------

# Firefox makes no window as narrow as a phone, but a frame may be: it is as wide as it says to all that is in it.
FRAME = "<!doctype html><title>Frame</title><iframe height='2000' width='{wide}' src='{page}'></iframe>"


@pytest.fixture(scope="module")
def editors_site(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, list[str]]]:
    """The editors' pages with every kind of element, by number, at an address without a server behind it."""
    pages = list(some_of(editors_pages(tmp_path_factory.mktemp("instance"))).items())

    def site(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        path, query = environ["PATH_INFO"], environ["QUERY_STRING"]
        if path.startswith("/static/"):
            kind = guess_type(path)[0] or "application/octet-stream"
            body = (STATIC / path.removeprefix("/static/")).read_bytes()
        else:
            kind = "text/html; charset=utf-8"
            number = path.removeprefix("/page/")
            html = FRAME.format(wide=query, page=path) if query else pages[int(number)][1] if number.isdigit() else ""
            body = html.encode()
        start_response("200 OK", [("Content-Type", kind)])
        return [body]

    with serving(site) as address:
        yield address, [name for name, _ in pages]


@pytest.mark.parametrize("wide", [360, 640])
def test_no_editors_page_is_cut_off_or_too_small_to_press(
    wide: int, editors_site: tuple[str, list[str]], firefox: Firefox
) -> None:
    address, names = editors_site
    found = []
    for number, name in enumerate(names):
        firefox.opens(f"{address}/page/{number}?{wide}")
        firefox.enters_the_frame("iframe")
        firefox.reads(OPENED)
        needs = firefox.reads("document.documentElement.scrollWidth")
        found += [f"{name}: {needs} px wide"] * (needs > wide)
        found += [f"{name}: {fault}" for fault in firefox.reads(f"({MISSING})()")]
    assert found == []


def test_an_editor_reads_the_month_writes_a_note_and_closes_a_month(demo: Demo, firefox: Firefox) -> None:
    firefox.opens(demo.admin)
    firefox.types("#email", demo.email)
    firefox.types("#password", demo.password)
    firefox.presses(".press")
    firefox.arrives("/admin/c/")
    firefox.opens(f"{demo.admin}c/newsroom/month")
    raised = demo.bar()["labels"]["raised"]
    assert raised in firefox.reads("document.querySelector('h1').innerText")
    firefox.presses(".tile summary")
    firefox.until("document.querySelector('.tile details').open")
    firefox.presses(".tabs a[href$='/gifts']")
    firefox.arrives("/gifts")
    firefox.presses(".gifts th a")
    firefox.arrives("/gifts/")
    firefox.types("#words", "Called, and thanked.")
    firefox.presses(".settings .button")
    firefox.until("document.querySelector('.gift-notes .said').innerText == 'Called, and thanked.'")
    firefox.presses(".gift-notes .quiet")
    firefox.until("document.querySelector('#notes') && !document.querySelector('.gift-notes')")
    firefox.opens(f"{demo.admin}c/newsroom/")
    firefox.presses(".to-close a")
    firefox.arrives("/close")
    if firefox.reads("document.querySelector('#seen') !== null"):
        firefox.presses("#seen")
    firefox.presses(".closing .button")
    firefox.until("document.querySelector('h1').innerText.endsWith('is closed')")
    assert " head " in firefox.reads("document.querySelector('.snippet code').innerText")
    firefox.types("#reason", "It was only tried.")
    firefox.presses(".settings .button")
    firefox.until("document.querySelector('.reopenings .said').innerText == 'It was only tried.'")
