"""The element on somebody else's page, under whatever policy that page has, and without anything that it needs."""

import base64
import hashlib
import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from typing import Any
from urllib.parse import urlsplit

import pytest
from browser.walking import Demo, Visitor, called, wait_until
from playwright.sync_api import Browser, BrowserContext, Page, Route, expect
from serving import serving

Visitors = Callable[..., Visitor]
RESERVED = "display:block;min-height:clamp(108px,(452px - 100vw)*999,162px)"


class Host:
    """A newsroom's site with an origin of its own: each page as it is asked for."""

    def __init__(self, demo: Demo) -> None:
        self.app = demo.app
        self.pages: dict[str, tuple[str, str]] = {}
        self.url = ""

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        policy, html = self.pages.get(environ["PATH_INFO"], ("", ""))
        kind = "text/css" if environ["PATH_INFO"].endswith(".css") else "text/html; charset=utf-8"
        headers = [("Content-Type", kind)]
        if policy:
            headers.append(("Content-Security-Policy", policy))
        start_response("200 OK", headers)
        return [html.encode()]

    def page(self, *bars: str, policy: str = "", head: str = "", pinned: str = "") -> str:
        """The address of an article with these elements in it."""
        path = f"/{len(self.pages)}"
        html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>News</title><link rel="icon" href="data:,">
            <meta name="viewport" content="width=device-width">{head}
            <script src="{self.app}/embed/bar.js" {pinned} async></script></head>
            <body><p>Before.</p>{"<p>Between.</p>".join(bars)}<p id="after">After.</p></body></html>"""
        self.pages[path] = (policy, html)
        return self.url + path

    def bar(self, more: str = "", slug: str = "may-2021", attributes: str = f'style="{RESERVED}"') -> str:
        return f"""<pledge-bar src="{self.app}/embed/{slug}?{more}" {attributes}
            ><a href="{self.app}/go/{slug}">Support us, please</a></pledge-bar>"""


@pytest.fixture
def host(demo: Demo) -> Iterator[Host]:
    site = Host(demo)
    with serving(site) as site.url:
        yield site


@pytest.fixture
def reader(browser: Browser) -> Iterator[BrowserContext]:
    """A reader whose browser may complain: of a page's own policy, say."""
    context = browser.new_context(viewport={"width": 640, "height": 800})
    context.set_default_timeout(15_000)
    yield context
    context.close()


def drawn(page: Page) -> None:
    expect(page.locator("pledge-bar svg").first).to_be_visible()


def settled(page: Page, url: str) -> None:
    """Opens a page and waits until whatever it asks for was answered or refused."""
    page.goto(url)
    page.wait_for_load_state("networkidle")


def fitted(page: Page) -> None:
    """Waits until an element has fitted itself: it does so before the next picture is painted, and not before that."""
    page.evaluate("() => new Promise(done => requestAnimationFrame(() => requestAnimationFrame(done)))")


def only_the_link_shows(page: Page) -> None:
    expect(page.get_by_role("link", name="Support us, please")).to_be_visible()
    expect(page.locator("pledge-bar svg")).to_have_count(0)


# --- What it shows ----------------------------------------------------------------------------------------------------


def test_it_says_the_frames_words_and_leads_where_the_frame_leads(demo: Demo, host: Host, visitor: Visitors) -> None:
    one = visitor(640)
    one.page.goto(host.page(host.bar("src=harbour-ferry&pos=top")))
    drawn(one.page)
    frame = one.context.new_page()
    frame.goto(f"{demo.app}/embed/may-2021?src=harbour-ferry&pos=top")
    said, words = (page.locator(".bar").inner_text() for page in (one.page, frame))
    assert said == words
    assert "340 $ of 5,000 $" in said
    for page in (one.page, frame):
        link = page.locator(".support")
        assert link.get_attribute("href") == f"{demo.app}/go/may-2021?src=harbour-ferry&pos=top"
        assert link.get_attribute("target") == "_top"


def test_it_reads_as_one_group_with_a_link(demo: Demo, host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    page.goto(host.page(host.bar()))
    drawn(page)
    assert page.locator("pledge-bar").aria_snapshot().replace('"', "") == "\n".join(
        (
            "- group Support us in May 2021:",
            "  - paragraph: MAY 2021",
            "  - paragraph:",
            "    - strong: 340 $",
            "    - text: of 5,000 $",
            "  - link Support us:",
            f"    - /url: {demo.app}/go/may-2021",
        )
    )
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "support"
    assert page.locator("[aria-live], [role=status], [role=alert]").count() == 0


PARTS = """bar => {
    const at = bar.getBoundingClientRect();
    return [...bar.querySelectorAll(".month, .sum, strong, .support, .drawing, rect, line, text, .notes")].map(one => {
        const box = one.getBoundingClientRect(), style = getComputedStyle(one);
        return [one.tagName, ...[box.x - at.x, box.y - at.y, box.width, box.height].map(Math.round),
            style.color, style.backgroundColor, style.fill, style.stroke, style.fontSize, style.fontFamily];
    });
}"""


@pytest.mark.parametrize(
    "looks",
    [
        "", "accent=b3261e", "lang=ar", "size=s", "size=l", "lang=de&theme=dark&accent=0b6b3a&size=l",
        "committed=1&count=1", "lang=he&committed=1&days=1&count=1", "background=fff1e5&corners=round",
        "background=1b1512&accent=b3261e", "background=none&theme=dark&corners=square",
    ],
    ids=str,
)  # fmt: skip
def test_it_looks_like_the_frame(demo: Demo, host: Host, visitor: Visitors, looks: str) -> None:
    one = visitor(640)
    one.page.goto(
        host.page(
            host.bar(looks, "newsroom"), head="<style>body{margin:0;text-align:center;font:italic 30px serif}</style>"
        )
    )
    drawn(one.page)
    frame = one.context.new_page()
    frame.goto(f"{demo.app}/embed/newsroom?{looks}")
    bar = one.page.locator("pledge-bar .bar")
    for width in (640, 360, 280):
        bar.evaluate("bar => { bar.style.padding = bar.style.margin = ''; }")
        for page in (one.page, frame):
            page.set_viewport_size({"width": width, "height": 800})
            fitted(page)
        element = bar.evaluate(
            "bar => { bar.style.padding = '0'; bar.style.margin = '8px 1px'; return (" + PARTS + ")(bar); }"
        )
        assert element == frame.locator(".bar").evaluate(PARTS), width
    paper = [
        page.evaluate(f"getComputedStyle({of}).backgroundColor")
        for page, of in (
            (one.page, "document.querySelector('pledge-bar').shadowRoot.querySelector('.bar')"),
            (frame, "document.body"),
        )
    ]
    assert paper[0] == paper[1]


@pytest.fixture(scope="module")
def resting(demo: Demo) -> None:
    """A campaign that is paused."""
    demo.tracker("campaign", "set", "resting", "--title", "Resting", "--goal", "1000", "--once", "10", "--paused")


@pytest.mark.parametrize("width", [280, 640])
@pytest.mark.usefixtures("resting")
def test_a_pause_is_said_where_the_frame_says_it_and_nothing_moves(
    demo: Demo, host: Host, visitor: Visitors, width: int
) -> None:
    one = visitor(width)
    one.page.goto(host.page(host.bar("", "resting"), head="<style>body{margin:0}body>p{display:none}</style>"))
    drawn(one.page)
    frame = one.context.new_page()
    frame.goto(f"{demo.app}/embed/resting")
    said = [page.locator(".pause") for page in (one.page, frame)]
    assert [place.inner_text() for place in said] == ["Giving is paused just now"] * 2
    # Both begin at the page's edge.
    assert said[0].bounding_box() == said[1].bounding_box()
    assert one.page.locator("pledge-bar").evaluate("bar => bar.offsetHeight") == (108 if width > 419 else 162)
    expect(one.page.get_by_role("link")).to_have_count(0)


def test_looks_can_be_attributes_too_and_change_at_once(host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    page.goto(host.page(host.bar(attributes='theme="dark" lang="ar"')))
    drawn(page)
    bar = page.locator("pledge-bar .bar")
    expect(bar).to_have_attribute("dir", "rtl")
    expect(bar).to_have_css("background-color", "rgb(22, 24, 27)")
    page.locator("pledge-bar").evaluate("one => { one.lang = 'de'; one.setAttribute('theme', 'light'); }")
    expect(bar).to_have_attribute("lang", "de")
    expect(bar).to_have_css("background-color", "rgb(255, 255, 255)")
    expect(page.get_by_role("link")).to_have_text("Unterstützen")


def test_it_fills_from_the_right_where_words_do(host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    page.goto(host.page(host.bar("lang=he")))
    drawn(page)
    fill, whole, button = (
        page.locator(f"pledge-bar {name}").bounding_box() for name in (".fill", ".drawing", ".support")
    )
    assert fill
    assert whole
    assert button
    assert abs(fill["x"] + fill["width"] - whole["x"] - whole["width"]) <= 1
    assert button["x"] < whole["x"] + whole["width"] / 2


@pytest.mark.parametrize(
    ("scheme", "system", "paper"),
    [
        ("dark", "light", "rgb(22, 24, 27)"),
        ("light", "dark", "rgb(255, 255, 255)"),
        ("light dark", "dark", "rgb(22, 24, 27)"),
        ("normal", "dark", "rgb(255, 255, 255)"),
    ],
)
def test_auto_follows_the_page_around_it(host: Host, visitor: Visitors, scheme: str, system: str, paper: str) -> None:
    page = visitor(640, color_scheme=system).page
    page.goto(host.page(host.bar("theme=auto"), head=f"<style>:root{{color-scheme:{scheme}}}</style>"))
    drawn(page)
    expect(page.locator("pledge-bar .bar")).to_have_css("background-color", paper)


def test_in_forced_colours_the_system_decides(host: Host, visitor: Visitors) -> None:
    page = visitor(640, forced_colors="active").page
    page.goto(host.page(host.bar("accent=b3261e")))
    drawn(page)
    fill = page.locator("pledge-bar .fill").evaluate("one => getComputedStyle(one).fill")
    highlight = page.evaluate(
        "(one => { one.style.color = 'Highlight'; return getComputedStyle(one).color; })(document.getElementById('after'))"
    )
    assert fill == highlight


def test_nothing_in_it_moves(host: Host, visitor: Visitors) -> None:
    page = visitor(640, reduced_motion="no-preference").page
    page.goto(host.page(host.bar()))
    drawn(page)
    assert page.evaluate("document.getAnimations().length") == 0


def test_two_of_them_stand_on_one_page_beside_a_page_that_styles_everything(host: Host, visitor: Visitors) -> None:
    one = visitor(640)
    wild = "<style>*{float:right;letter-spacing:9px;text-transform:uppercase}p,a,svg{display:none!important}</style>"
    one.page.goto(host.page(host.bar("pos=top"), host.bar("pos=bottom"), head=wild))
    links = one.page.locator("pledge-bar .support")
    expect(links).to_have_count(2)
    assert [str(link.get_attribute("href"))[-3:] for link in links.all()] == ["top", "tom"]
    for bar in one.page.locator("pledge-bar .bar").all():
        assert " ".join(bar.inner_text().split()) == "MAY 2021 340 $ of 5,000 $ Support us 0 $ 2,500 $ 5,000 $"
        expect(bar).to_have_css("letter-spacing", "normal")
    shadow = one.page.evaluate("[...document.querySelectorAll('[id]')].map(one => one.id)")
    assert shadow == ["after"]


def test_it_fits_at_any_width_and_state(demo: Demo, host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    page.goto(host.page(host.bar("count=1&days=1&committed=1", "newsroom"), host.bar("size=l"), host.bar("size=s")))
    expect(page.locator("pledge-bar svg")).to_have_count(3)
    for width in (280, 320, 419, 420, 640, 1200):
        page.set_viewport_size({"width": width, "height": 800})
        page.wait_for_function("document.documentElement.scrollWidth <= innerWidth")
        fitted(page)
        assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0, width


def test_what_is_committed_is_hatched(host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    told = {"fill": 0.2, "committed_to": 0.6}
    page.route("**/embed/may-2021.json**", lambda route: redrawn(route, told))
    page.goto(host.page(host.bar("committed=1")))
    drawn(page)
    still, fill = (page.locator(f"pledge-bar rect{name}").bounding_box() for name in ("[fill^=url]", ".fill"))
    assert still
    assert fill
    assert round(still["x"] - fill["x"] - fill["width"]) == 0
    assert round(still["width"] / fill["width"], 1) == 2


def redrawn(route: Route, told: dict[str, Any]) -> None:
    """The real answer with some other figures."""
    answer = route.fetch()
    body = answer.json()
    body["draw"] |= told
    route.fulfill(response=answer, body=json.dumps(body))


# --- Where it stands --------------------------------------------------------------------------------------------------


STRICT = "default-src 'none'; img-src data:; style-src 'self'; script-src {app}; connect-src {app}; form-action 'none'"


@pytest.mark.parametrize(
    "policy",
    ["", STRICT, STRICT + "; require-trusted-types-for 'script'; trusted-types 'none'"],
    ids=["no policy", "strict", "trusted types"],
)
def test_it_is_drawn_where_a_policy_lets_its_script_and_its_numbers_in(
    host: Host, visitor: Visitors, policy: str
) -> None:
    page = visitor(640).page
    reserved = "" if policy else f'style="{RESERVED}"'
    page.goto(host.page(host.bar(attributes=reserved), policy=policy.format(app=host.app)))
    drawn(page)
    expect(page.locator("pledge-bar .bar")).to_have_css("display", "grid")
    expect(page.locator("pledge-bar .support")).to_have_css("background-color", "rgb(28, 79, 130)")
    fill, whole = (page.locator(f"pledge-bar {name}").bounding_box() for name in (".fill", ".drawing"))
    assert fill
    assert whole
    assert round(fill["width"] / whole["width"], 3) == 0.068


@pytest.mark.parametrize(
    "policy",
    [
        "default-src 'self' data:",
        "default-src 'none'; img-src data:; style-src 'self'; script-src {app}",
        "default-src 'none'; img-src data:; connect-src {app}",
    ],
    ids=["only itself", "no numbers", "no script"],
)
def test_where_a_policy_keeps_it_out_the_link_stays(host: Host, reader: BrowserContext, policy: str) -> None:
    page = reader.new_page()
    settled(page, host.page(host.bar(attributes=""), policy=policy.format(app=host.app)))
    only_the_link_shows(page)


@pytest.mark.parametrize("what", ["**/embed/bar.js", "**/embed/may-2021.json**"])
def test_where_an_answer_is_missing_the_link_stays(host: Host, reader: BrowserContext, what: str) -> None:
    statuses = [404, 500, 503]
    page = reader.new_page()
    page.route(
        what,
        lambda route: route.fulfill(
            status=statuses.pop(), json={"error": "x"}, headers={"Access-Control-Allow-Origin": "*"}
        ),
    )
    for left in (2, 1, 0):
        settled(page, host.page(host.bar()))
        only_the_link_shows(page)
        assert len(statuses) == left


@pytest.mark.parametrize("what", ["**/embed/bar.js", "**/embed/may-2021.json**"])
def test_where_nobody_answers_the_link_stays(host: Host, reader: BrowserContext, what: str) -> None:
    page = reader.new_page()
    page.route(what, lambda route: route.abort())
    settled(page, host.page(host.bar()))
    only_the_link_shows(page)


@pytest.mark.parametrize("src", ["", "newsroom", "http://["])
def test_an_address_that_is_none_leaves_the_link(host: Host, visitor: Visitors, src: str) -> None:
    page = visitor(640).page
    settled(page, host.page(f'<pledge-bar src="{src}"><a href="{host.app}/">Support us, please</a></pledge-bar>'))
    only_the_link_shows(page)


def test_a_bar_that_is_not_there_leaves_the_link(host: Host, reader: BrowserContext) -> None:
    page = reader.new_page()
    settled(page, host.page(host.bar(slug="nobody")))
    only_the_link_shows(page)


def test_an_address_that_would_run_is_no_link(host: Host, visitor: Visitors) -> None:
    page = visitor(640).page

    def evil(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(response=answer, body=json.dumps(answer.json() | {"give_url": "javascript:alert(1)"}))

    page.route("**/embed/may-2021.json**", evil)
    page.goto(host.page(host.bar()))
    drawn(page)
    expect(page.locator("pledge-bar .support")).to_be_hidden()


def test_a_page_may_hold_the_script_to_its_checksum(host: Host, reader: BrowserContext) -> None:
    page = reader.new_page()
    script = reader.request.get(f"{host.app}/embed/bar.js").body()
    for held_to, fits in ((script, True), (script + b" ", False)):
        digest = base64.b64encode(hashlib.sha384(held_to).digest()).decode()
        settled(page, host.page(host.bar(), pinned=f'integrity="sha384-{digest}" crossorigin="anonymous"'))
        expect(page.locator("pledge-bar svg")).to_have_count(1 if fits else 0)


def test_loading_the_script_twice_is_no_harm(host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    page.goto(host.page(host.bar(), head=f'<script src="{host.app}/embed/bar.js?v=2" async></script>'))
    drawn(page)


# --- What it costs ----------------------------------------------------------------------------------------------------


def test_it_asks_for_two_things_at_one_address_and_brings_no_cookie(host: Host, visitor: Visitors) -> None:
    one = visitor(640)
    one.context.add_cookies([{"name": "known", "value": "1", "url": host.app}])
    asked = []
    one.context.on("request", lambda request: asked.append(request))
    settled(one.page, host.page(host.bar("src=a")))
    drawn(one.page)
    beyond = [request for request in asked if not request.url.startswith(host.url)]
    assert [urlsplit(request.url).path for request in beyond] == ["/embed/bar.js", "/embed/may-2021.json"]
    assert all(request.url.startswith(host.app) for request in beyond)
    assert "cookie" not in beyond[1].all_headers()
    assert [cookie["name"] for cookie in one.context.cookies()] == ["known"]
    assert one.page.evaluate("[localStorage.length, sessionStorage.length]") == [0, 0]


@pytest.mark.parametrize("width", [320, 360, 640, 1200])
def test_nothing_on_the_page_moves_when_it_arrives(host: Host, visitor: Visitors, width: int) -> None:
    one = visitor(width)
    held: list[Route] = []
    one.page.route("**/embed/may-2021.json**", lambda route: held.append(route))
    one.page.goto(host.page(host.bar(), host.bar("pos=bottom")))
    # Asking the page anything lets what happened in the meantime arrive.
    wait_until(lambda: one.page.evaluate("0") == 0 and len(held) == 2)
    before = one.page.locator("#after").bounding_box()
    for route in held:
        route.continue_()
    expect(one.page.locator("pledge-bar svg")).to_have_count(2)
    assert one.page.locator("#after").bounding_box() == before
    shifted = one.page.evaluate("""() => new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; })
            .observe({type: "layout-shift", buffered: true});
        setTimeout(() => done(sum), 300);
    })""")
    assert shifted == 0


def test_it_asks_again_within_a_minute_and_only_while_it_can_be_seen(demo: Demo, host: Host, visitor: Visitors) -> None:
    one = visitor(640)
    page = one.page
    asked: list[str] = []

    def noted(route: Route) -> None:
        asked.append(route.request.url)
        route.continue_()

    # And past the browser's cache, for which no minute goes by.
    page.route("**/newsroom.json**", noted)
    began = datetime.now(UTC)
    page.clock.install(time=began)
    page.goto(host.page(host.bar(slug="newsroom")))
    drawn(page)
    assert len(asked) == 1
    page.locator("pledge-bar .support").focus()
    # From here on the page's clock stands, however long the gift takes.
    page.clock.pause_at(began + timedelta(seconds=54))
    assert len(asked) == 1

    before = called(asked[0])["labels"]["raised"]
    demo.given("newsroom", "12")
    # Each address is made anew in its turn.
    wait_until(lambda: called(asked[0])["labels"]["raised"] != before)
    page.clock.fast_forward(58_000)
    expect(page.locator("pledge-bar strong")).not_to_have_text(before)
    assert len(asked) == 2
    # The reader who was on the button still is.
    assert page.evaluate("document.activeElement.shadowRoot.activeElement.className") == "support"

    page.evaluate("Object.defineProperty(document, 'hidden', { value: true, configurable: true })")
    page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    page.clock.fast_forward(600_000)
    page.wait_for_load_state("networkidle")
    assert len(asked) == 2
    page.evaluate("delete document.hidden")
    with page.expect_response("**/newsroom.json**"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    assert len(asked) == 3

    page.locator("pledge-bar").evaluate("one => one.remove()")
    page.clock.fast_forward(600_000)
    page.wait_for_load_state("networkidle")
    assert len(asked) == 3


def test_far_down_the_page_it_waits_until_it_is_nearly_seen(host: Host, visitor: Visitors) -> None:
    page = visitor(640).page
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url) if ".json" in request.url else None)
    settled(page, host.page('<div style="height:9000px"></div>' + host.bar()))
    assert asked == []
    page.locator("#after").scroll_into_view_if_needed()
    drawn(page)
    assert len(asked) == 1


def test_when_the_numbers_stop_coming_the_last_ones_stay(host: Host, reader: BrowserContext) -> None:
    page = reader.new_page()
    page.clock.install()
    page.goto(host.page(host.bar()))
    drawn(page)
    page.route("**/embed/may-2021.json**", lambda route: route.fulfill(status=503, body="x"))
    with page.expect_response("**/may-2021.json**"):
        page.clock.fast_forward(61_000)
    expect(page.locator("pledge-bar strong")).to_have_text("340 $")
