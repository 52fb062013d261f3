"""Browsers of the last ten years: every page and every carrier can be read and used in them, on light paper and on dark."""

from collections.abc import Callable, Iterator
from typing import Any, Literal
from urllib.request import urlopen

import pytest
from browser.old_browser import grow_old, read_as_old
from browser.painted import looked_at, not_seen
from browser.walking import Demo, sign_in
from playwright.sync_api import Browser, expect
from serving import serving

SCHEMES: tuple[Literal["light", "dark"], ...] = ("light", "dark")
ELEMENT = """<!doctype html><html lang="en"><meta charset="utf-8"><title>News</title><link rel="icon" href="data:,">
<meta name="viewport" content="width=device-width"><style>body{{margin:8px}}.night{{background:#16181b}}</style>
<script src="{app}/embed/bar.js" async></script>
<pledge-bar src="{app}/embed/newsroom"><a href="{app}/go/newsroom">Support us</a></pledge-bar>
<pledge-bar src="{app}/embed/newsroom?size=l&amp;accent=b3261e&amp;count=1&amp;days=1"></pledge-bar>
<p class="night"><pledge-bar src="{app}/embed/newsroom?size=s" theme="dark"></pledge-bar></p></html>"""

PUBLIC = {
    "the supporter's page": "{page}",
    "a campaign in a colour of its own": "{app}/c/painted",
    "a campaign that is paused": "{app}/c/resting",
    "thanks": "{page}/thanks?session_id=cs_test_unknown&look=12",
    "all months": "{page}/months",
    "one month": "{app}/c/may-2021/months/2021-05",
    "the list of campaigns": "{app}/",
    "nothing here": "{app}/nothing",
    "the sign-in": "{admin}",
    "the frame": "{app}/embed/newsroom",
    "the frame on dark paper": "{app}/embed/newsroom?theme=dark&count=1&days=1&committed=1",
    "the frame as the device": "{app}/embed/newsroom?theme=auto&size=l",
    "the frame in a colour of its own": "{app}/embed/newsroom?theme=auto&accent=b3261e&size=s",
    "the frame of a campaign that is paused": "{app}/embed/resting?theme=auto",
    "the frame of nothing": "{app}/embed/nothing?theme=auto",
    "the wall": "{app}/embed/newsroom/wall?theme=auto",
    "the ticker": "{app}/embed/newsroom/ticker",
    "the picture": "{site}/picture",
    "an article of the demo": "{article}",
    "the demo's front page": "{news}/",
    "the demo's page about the element": "{news}/bar/element",
    "the element on a page of its own": "{site}/",
}
EDITORS = {
    "the months": "{admin}c/newsroom/",
    "settings": "{admin}c/newsroom/settings",
    "supporters": "{admin}c/newsroom/supporters",
    "snippets": "{admin}c/newsroom/snippets",
}


@pytest.fixture(scope="module")
def site(demo: Demo) -> Iterator[str]:
    """Somebody's own page with the element in it."""

    def page(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8")])
        if environ["PATH_INFO"] == "/picture":
            with urlopen(f"{demo.app}/embed/newsroom.svg?theme=auto&count=1") as picture:
                return [b"<!doctype html><title>The picture</title>", picture.read()]
        return [ELEMENT.format(app=demo.app).encode()]

    with serving(page) as url:
        yield url


@pytest.fixture(scope="module")
def places(demo: Demo, site: str) -> dict[str, str]:
    """What the addresses above begin with, and the campaigns that they name."""
    demo.tracker(
        "campaign", "set", "painted", "--title", "In red", "--goal", "1000", "--once", "10,20,30", "--monthly", "5,10",
        "--accent", "b3261e",
    )  # fmt: skip
    demo.tracker("campaign", "set", "resting", "--title", "Resting", "--goal", "1000", "--once", "10", "--paused")
    return {
        "app": demo.app,
        "page": demo.page_url,
        "admin": demo.admin,
        "news": demo.news,
        "article": demo.article,
        "site": site,
    }


class OldReader:
    """A reader whose browser is old, and takes note of every error on a page."""

    def __init__(self, browser: Browser, width: int) -> None:
        # What was rewritten on its way has no address of its own for Chromium, which then asks whether it may call others.
        may = ["local-network-access"]
        self.context = browser.new_context(viewport={"width": width, "height": 800}, bypass_csp=True, permissions=may)
        self.context.set_default_timeout(15_000)
        grow_old(self.context)
        self.errors: list[str] = []
        self.context.on("weberror", lambda error: self.errors.append(str(error.error)))
        self.page = self.context.new_page()

    def opens(self, address: str) -> None:
        self.page.goto(address)
        for bar in self.page.locator("pledge-bar").all():
            expect(bar.locator("svg")).to_be_visible()

    def faults(self) -> list[str]:
        """What cannot be seen of the page while the device is light, and while it is dark."""
        blank = self.context.new_page()
        found = []
        for scheme in SCHEMES:
            self.page.emulate_media(color_scheme=scheme)
            found += [f"{scheme}: {fault}" for fault in not_seen(looked_at(self.page, blank))]
        blank.close()
        return found


@pytest.fixture
def old_reader(browser: Browser) -> Iterator[Callable[..., OldReader]]:
    made: list[OldReader] = []

    def make(width: int = 360) -> OldReader:
        made.append(OldReader(browser, width))
        return made[-1]

    yield make
    for one in made:
        one.context.unroute_all(behavior="ignoreErrors")
        one.context.close()
        assert one.errors == []


Readers = Callable[..., OldReader]


def test_what_is_newer_is_taken_away_and_what_it_replaces_is_not() -> None:
    given = """a { color: red; color: light-dark(#fff, #000); --x: light-dark(#fff, #000); --y: 1px; b { color: red } }
        .a:has(b), .c { color: red } @supports (color: red) { a { color: red } } @container (width > 1px) { a { color: red } }
        @media (prefers-color-scheme: dark) { a { width: min(1px, 2px); gap: 1px; overflow: hidden; overflow: clip } }"""
    assert read_as_old(given).replace(" ", "") == (
        "a{color:red;--x:never(known);--y:1px}@media(prefers-color-scheme:dark){a{overflow:hidden}}"
    )


@pytest.mark.parametrize("name", PUBLIC)
def test_an_old_browser_shows_all_that_is_to_be_read_and_pressed_on(
    name: str, old_reader: Readers, places: dict[str, str]
) -> None:
    reader = old_reader()
    reader.opens(PUBLIC[name].format(**places))
    assert reader.faults() == []


def test_an_old_browser_shows_editors_all_that_is_to_be_read_and_pressed(
    demo: Demo, old_reader: Readers, places: dict[str, str]
) -> None:
    reader = old_reader(1280)
    sign_in(reader.page, demo)
    found = {}
    for name, where in EDITORS.items():
        reader.opens(where.format(**places))
        found[name] = reader.faults()
    assert found == {name: [] for name in EDITORS}


@pytest.mark.parametrize("scheme", SCHEMES)
def test_an_old_browser_names_both_rows_of_amounts_and_shows_what_is_chosen(
    scheme: Literal["light", "dark"], demo: Demo, old_reader: Readers
) -> None:
    page = old_reader().page
    page.emulate_media(color_scheme=scheme)
    page.goto(demo.page_url)
    for legend in ("Amount, once", "Amount, every month"):
        box = page.get_by_text(legend, exact=True).bounding_box()
        assert box
        assert box["height"] > 12
    page.locator("label[for=f-month]").click()
    page.locator("label[for=month-2]").click()
    blank = page.context.new_page()
    controls = [one for one in looked_at(page, blank) if one["kind"] == "control"]
    looked = {one["words"] + str(one["at"]["y"]): one["paper"] for one in controls}
    labels = page.evaluate("""() => [...document.querySelectorAll("#give .frequency label, #give .amounts label")].map(one =>
        [one.innerText.trim() + (one.getBoundingClientRect().y + scrollY), one.previousElementSibling.checked])""")
    chosen, others = ({str(looked[at]) for at, checked in labels if checked == wanted} for wanted in (True, False))
    assert len(chosen) == len(others) == 1
    assert chosen != others
    # It says no more than is true of both rows.
    assert page.locator("#give button").inner_text().strip() == "Give"


def test_an_old_browser_shows_where_the_keyboard_is(demo: Demo, old_reader: Readers) -> None:
    page = old_reader().page
    page.goto(demo.page_url)
    page.keyboard.press("Tab")
    style = "getComputedStyle(document.activeElement.nextElementSibling).outlineStyle"
    assert page.evaluate(style) == "solid"


def test_an_old_browser_gives(demo: Demo, old_reader: Readers) -> None:
    reader = old_reader()
    page = reader.page
    page.goto(f"{demo.app}/go/newsroom?src=old")
    page.locator("label[for=f-once]").click()
    page.locator("label[for=once-1]").click()
    page.locator("#give button").click()
    expect(page.get_by_label("Card number")).to_be_visible(timeout=15_000)
    assert reader.faults() == []


PLACES = """bars => bars.map(({shadowRoot}) => [...shadowRoot.querySelectorAll(".bar, p, strong, .support, svg")].map(one => {
    const at = one.getBoundingClientRect();
    return [one.className.toString(), ...[at.x, at.y, at.width, at.height].map(Math.round)];
}))"""


@pytest.mark.parametrize("width", [280, 360, 640])
def test_the_element_fits_in_an_old_browser_as_in_a_new_one(
    width: int, old_reader: Readers, browser: Browser, places: dict[str, str]
) -> None:
    new = browser.new_context(viewport={"width": width, "height": 800})
    pages = [old_reader(width).page, new.new_page()]
    found = []
    for page in pages:
        page.goto(places["site"])
        for bar in page.locator("pledge-bar").all():
            expect(bar.locator("svg")).to_be_visible()
        found.append(page.locator("pledge-bar").evaluate_all(PLACES))
    new.close()
    assert found[0] == found[1]


@pytest.mark.parametrize(
    "missing", ["customElements", "fetch", "HTMLElement.prototype.attachShadow", "URL.prototype.searchParams"]
)
def test_a_browser_that_cannot_run_the_element_keeps_the_link_and_says_no_word(
    missing: str, old_reader: Readers, places: dict[str, str]
) -> None:
    reader = old_reader()
    taken = f"const path = '{missing}'.split('.'), name = path.pop(); let of = window; for (const one of path) of = of[one];"
    reader.page.add_init_script(taken + "Object.defineProperty(of, name, {value: undefined});")
    reader.page.goto(places["site"])
    expect(reader.page.get_by_role("link", name="Support us")).to_be_visible()
    expect(reader.page.locator("pledge-bar svg")).to_have_count(0)
