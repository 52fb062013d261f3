"""The bar on other sites' papers: on a colour of theirs, or with their page showing through."""

from collections.abc import Iterator
from typing import Literal

import pytest
from actors import each
from bars_in_memory import a_bar, shows
from browser.news_site import Site, news_site
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from png import read_png

PINK, NIGHT = "fff1e5", "1b1512"
WHITE, BLACK = "ffffff", "16181b"
SCHEMES = {"light": "light", "dark": "dark", "auto": "light dark"}
Scheme = Literal["light", "dark"]


@pytest.fixture
def database_url() -> str:
    """SQLite alone: the bars are put into memory."""
    return ""


@pytest.fixture
def site(app: Flask) -> Iterator[Site]:
    shows(app, a_bar())
    with news_site(app) as made:
        yield made


def article(site: Site, looks: str, paper: str, theme: str) -> str:
    """An article on a paper of its own with the frame, the element and the picture; none of them is at its edge."""
    return site.prints(
        f"""<meta name="viewport" content="width=device-width"><style>body{{margin:20px;background:{paper}}}</style>
        <iframe src="OURS/embed/newsroom?{looks}" title="x" height="108"
            style="display:block;border:0;width:600px;color-scheme:{SCHEMES[theme]}"></iframe><br>
        <script src="OURS/embed/bar.js" async></script><pledge-bar src="OURS/embed/newsroom?{looks}"></pledge-bar><br>
        <img src="OURS/embed/newsroom.svg?{looks}" alt="x" width="600">"""
    )


def papers(page: Page) -> list[str]:
    """What is behind each carrier, as it is painted: a point of its edge, where nothing else is."""
    expect(page.frame_locator("iframe").locator(".support")).to_be_visible()
    expect(page.locator("pledge-bar svg")).to_be_visible()
    page.wait_for_function("document.images[0].complete")
    boxes = page.locator("iframe, pledge-bar, img").evaluate_all(
        "all => all.map(one => one.getBoundingClientRect()).map(at => [Math.round(at.x) + 4, Math.round(at.y) + 3])"
    )
    painted = read_png(page.screenshot())
    return [painted.at(x, y)[:3].hex() for x, y in boxes]


@each(
    ("looks", "device", "page_is", "seen"),
    [
        ("theme=light", "dark", PINK, WHITE),
        (f"background={PINK}", "light", PINK, PINK),
        (f"background={PINK}", "dark", PINK, PINK),
        (f"background={NIGHT}&theme=dark", "light", NIGHT, NIGHT),
        (f"background={PINK}&theme=auto", "light", WHITE, PINK),
        (f"background={PINK}&theme=auto", "dark", WHITE, BLACK),
        ("background=none&theme=light", "light", PINK, PINK),
        ("background=none&theme=light", "dark", PINK, PINK),
        ("background=none&theme=dark", "light", NIGHT, NIGHT),
        ("background=none&theme=dark", "dark", NIGHT, NIGHT),
        ("background=none&theme=auto", "light", PINK, PINK),
        ("background=none&theme=auto", "dark", NIGHT, NIGHT),
    ],
)
def test_what_is_behind_the_bar(
    site: Site, browser: Browser, looks: str, device: Scheme, page_is: str, seen: str
) -> None:
    theme = looks.partition("theme=")[2] or "light"
    context = browser.new_context(viewport={"width": 640, "height": 500}, color_scheme=device)
    page = context.new_page()
    page.goto(article(site, looks, f"#{page_is}", theme))
    if theme == "auto":
        # What the element follows is the page around it.
        page.add_style_tag(content="html{color-scheme:light dark}")
    assert papers(page) == [seen] * 3
    # And the words on it are those of a paper like that.
    dark_paper = seen in (NIGHT, BLACK)
    for ink in (page.frame_locator("iframe").locator("strong"), page.locator("pledge-bar strong")):
        expect(ink).to_have_css("color", "rgb(236, 234, 228)" if dark_paper else "rgb(23, 25, 28)")
    context.close()


@each("looks", [f"background={PINK}", "background=none", "background=777777&accent=777777"])
def test_colours_that_a_reader_forces_upon_pages_outweigh_the_sites(site: Site, browser: Browser, looks: str) -> None:
    context = browser.new_context(forced_colors="active")
    page = context.new_page()
    page.goto(article(site, looks, "#fff1e5", "light"))
    system = page.evaluate(
        """() => ["CanvasText", "Highlight"].map(name => {
            document.body.style.color = name;
            return getComputedStyle(document.body).color;
        })"""
    )
    for bar in (page.frame_locator("iframe"), page.locator("pledge-bar")):
        expect(bar.locator("strong")).to_have_css("color", system[0])
        expect(bar.locator(".fill")).to_have_css("fill", system[1])
    context.close()


@each(("corners", "radius"), [("", "3px"), ("corners=square", "0px"), ("corners=round", "99px")])
def test_the_buttons_corners_are_the_same_in_frame_and_element(
    site: Site, browser: Browser, corners: str, radius: str
) -> None:
    context = browser.new_context()
    page = context.new_page()
    page.goto(article(site, corners, "#fff", "light"))
    for bar in (page.frame_locator("iframe"), page.locator("pledge-bar")):
        expect(bar.locator(".support")).to_have_css("border-radius", radius)
    context.close()
