"""Every snippet on somebody else's page: what that page's address tells us, what its rules let in, and how wide it becomes."""

from collections.abc import Callable, Iterator
from typing import Any
from urllib.parse import urlencode

import pytest
from bars_in_memory import a_bar
from browser.walking import Demo, arrives, called
from playwright.sync_api import Browser, BrowserContext, Page, Request, expect
from serving import serving

from tracker.giving.bar_style import BarStyle
from tracker.web.admin.snippet_code import Choices, Snippets

ARTICLE = "/private/story?reader=ana"


def snippets(demo: Demo) -> dict[str, str]:
    """What is pasted, as the page of snippets says it, and what a CMS is told about the pasted address."""
    made = Snippets(a_bar(), Choices(BarStyle(), "ferry"), demo.app)
    pasted = called(f"{demo.app}/oembed?{urlencode({'url': demo.page_url})}")["html"]
    return {
        "frame": made.frame("top"), "element": made.element(), "svg": made.picture("svg"), "png": made.picture("png"),
        "pasted": pasted,
    }  # fmt: skip


class Paper:
    """A newsroom's site with an origin of its own, one article, and whatever headers and styles that has."""

    def __init__(self) -> None:
        self.url = ""
        self.html = ""
        self.headers: dict[str, str] = {}

    def __call__(self, environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
        start_response("200 OK", [("Content-Type", "text/html; charset=utf-8"), *self.headers.items()])
        return [self.html.encode()]

    def prints(self, *parts: str, style: str = "", headers: dict[str, str] | None = None) -> str:
        """The address of an article with these parts."""
        self.headers = headers or {}
        self.html = f"""<!doctype html><html lang="en"><head><meta charset="utf-8"><title>News</title>
            <meta name="viewport" content="width=device-width"><link rel="icon" href="data:,"><style>{style}</style></head>
            <body>{"".join(f"<div>{part}</div>" for part in parts)}</body></html>"""
        return self.url + ARTICLE


@pytest.fixture
def paper() -> Iterator[Paper]:
    site = Paper()
    with serving(site) as site.url:
        yield site


@pytest.fixture
def reader(browser: Browser) -> Iterator[BrowserContext]:
    context = browser.new_context(viewport={"width": 1280, "height": 1600})
    context.set_default_timeout(15_000)
    yield context
    context.close()


def shown(page: Page, kind: str) -> None:
    """Waits until a carrier is there."""
    if kind in ("frame", "pasted"):
        expect(page.frame_locator("iframe").locator(".bar")).to_be_visible()
    elif kind == "element":
        expect(page.locator("pledge-bar svg")).to_be_visible()
    else:
        page.wait_for_function("() => [...document.images].every(one => one.complete && one.naturalWidth > 0)")


@pytest.mark.parametrize("kind", ["frame", "element", "svg", "png", "pasted"])
def test_no_carrier_tells_us_which_page_it_is_on(kind: str, demo: Demo, paper: Paper, reader: BrowserContext) -> None:
    """Not even where a page tells everybody: that is said in its own header."""
    asked: list[Request] = []
    reader.on("request", lambda request: asked.append(request) if request.url.startswith(demo.app) else None)
    page = reader.new_page()
    page.goto(paper.prints(snippets(demo)[kind], headers={"Referrer-Policy": "unsafe-url"}))
    shown(page, kind)
    button = (
        page.frame_locator("iframe").locator(".support") if kind in ("frame", "pasted") else page.locator("a:visible")
    )
    button.first.click()
    arrives(page, demo.page_url)
    told = {request.url: request.all_headers().get("referer", "") for request in asked}
    assert len(told) >= 3
    # Our own page knows the article's path from the address that leads back to it, where the campaign names that site; what is
    # behind a question mark stays with the article.
    assert not [url for url, referrer in told.items() if "private" in referrer and not referrer.startswith(demo.app)]
    assert not [url for url, referrer in told.items() if "ana" in referrer or "ana" in url]


def test_the_frames_button_works_the_same_where_the_page_says_nothing_of_itself(
    demo: Demo, paper: Paper, reader: BrowserContext
) -> None:
    page = reader.new_page()
    page.goto(paper.prints(snippets(demo)["frame"], headers={"Referrer-Policy": "no-referrer"}))
    page.frame_locator("iframe").locator(".support").click()
    page.locator("label[for=f-once]").click()
    page.locator("#give button").click()
    expect(page.get_by_label("Card number")).to_be_visible(timeout=15_000)


@pytest.mark.parametrize("apart", ["require-corp", "credentialless"])
def test_a_page_that_is_kept_apart_from_other_sites_shows_every_carrier(
    apart: str, demo: Demo, paper: Paper, reader: BrowserContext
) -> None:
    ours = snippets(demo)
    others = [f'<iframe src="{demo.app}{path}" title="x"></iframe>' for path in ("/embed/nobody", "/embed/newsroom/")]
    address = paper.prints(
        ours["frame"], *others, ours["element"], ours["svg"], ours["png"],
        headers={"Cross-Origin-Embedder-Policy": apart, "Cross-Origin-Opener-Policy": "same-origin"},
    )  # fmt: skip
    page = reader.new_page()
    # The second time the browser has all of it, and asks whether that is still true.
    for visit in (page.goto, lambda _: page.reload()):
        visit(address)
        assert page.evaluate("crossOriginIsolated")
        for at in (0, 2):
            expect(page.frame_locator("iframe").nth(at).locator(".bar")).to_be_visible()
        expect(page.frame_locator("iframe").nth(1).get_by_role("link", name="Support us")).to_be_visible()
        shown(page, "element")
        shown(page, "svg")


@pytest.mark.parametrize("size", ["62.5%", "24px"])
def test_a_themes_size_of_type_does_not_change_the_width_of_the_bar(
    size: str, demo: Demo, paper: Paper, reader: BrowserContext
) -> None:
    page = reader.new_page()
    ours = snippets(demo)
    page.goto(
        paper.prints(ours["frame"], ours["pasted"], ours["element"], style=f"html{{font-size:{size}}} body{{margin:0}}")
    )
    shown(page, "element")
    widths = page.locator("iframe, pledge-bar").evaluate_all("all => all.map(one => one.getBoundingClientRect().width)")
    assert widths == [640, 640, 1280]
    assert page.locator("pledge-bar .sum").evaluate("one => getComputedStyle(one).fontSize") == "15px"


# How block themes of WordPress keep what is in an article to its column: whatever stands in it as a box.
COLUMN = """body { margin: 0; } article > :where(:not(.alignfull)) {
    max-width: 620px; margin-left: auto !important; margin-right: auto !important; }"""


@pytest.mark.parametrize("width", [312, 360, 1280])
def test_every_snippet_stays_in_the_articles_column(
    width: int, demo: Demo, paper: Paper, reader: BrowserContext
) -> None:
    page = reader.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    address = paper.prints(style=COLUMN)
    ours = snippets(demo)
    # What is made of a pasted address stands in a box of WordPress's own.
    figure = f"<figure style='margin:0'>{ours.pop('pasted')}</figure>"
    parts = [*ours.values(), figure]
    article = f"<article><p id='text'>Words.</p>{''.join(parts)}</article>"
    paper.html = paper.html.replace("<body>", f"<body>{article}")
    page.goto(address)
    shown(page, "element")
    shown(page, "svg")
    text = page.locator("#text").bounding_box()
    assert text
    for box in page.locator("iframe, pledge-bar, img").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect().toJSON())"
    ):
        assert text["x"] <= box["x"], box
        assert box["x"] + box["width"] <= text["x"] + text["width"] + 0.5, box
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0


@pytest.mark.parametrize("kind", ["svg", "png"])
def test_on_a_phone_a_picture_is_the_one_whose_words_can_be_read(
    kind: str, demo: Demo, paper: Paper, reader: BrowserContext
) -> None:
    page = reader.new_page()
    sizes = {}
    for width in (328, 1280):
        page.set_viewport_size({"width": width, "height": 900})
        # Eight pixels are the browser's own margin on each side.
        page.goto(paper.prints(snippets(demo)[kind]))
        shown(page, kind)
        image = page.locator("img")
        assert ("size=s" in image.evaluate("one => one.currentSrc")) is (width == 328)
        sizes[width] = image.evaluate("one => [one.width, Math.round(one.width / one.height * 100) / 100]")
        natural = image.evaluate("one => Math.round(one.naturalWidth / one.naturalHeight * 100) / 100")
        assert abs(sizes[width][1] - natural) < 0.05
    # Words of twelve units are as many pixels high, nearly.
    assert [wide for wide, _ in sizes.values()] == [312, 600]


@pytest.mark.parametrize("width", [320, 360, 1280])
def test_no_snippet_is_wider_than_a_phone(width: int, demo: Demo, paper: Paper, reader: BrowserContext) -> None:
    page = reader.new_page()
    page.set_viewport_size({"width": width, "height": 900})
    page.goto(paper.prints(*snippets(demo).values()))
    shown(page, "element")
    assert page.evaluate("document.documentElement.scrollWidth - innerWidth") <= 0
    high = page.locator("iframe").first.evaluate("one => one.getBoundingClientRect().height")
    assert high == (108 if width > 480 else 162)


def test_a_snippet_whose_style_is_forbidden_still_shows_all_of_the_bar(
    demo: Demo, paper: Paper, reader: BrowserContext
) -> None:
    page = reader.new_page()
    policy = f"default-src 'none'; img-src data:; frame-src {demo.app}"
    page.goto(paper.prints(snippets(demo)["frame"], headers={"Content-Security-Policy": policy}))
    shown(page, "frame")
    beyond = page.frames[1].evaluate(
        "(at => [at.scrollWidth - innerWidth, at.scrollHeight - innerHeight])(document.documentElement)"
    )
    assert beyond == [0, 0]
