"""Every public page in every state without a finding of four auditors, and to be used however somebody sees it."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from browser.auditors import (
    MISSING,
    OTHER_WAYS,
    WRONG,
    Shown,
    axe_finds,
    faults,
    html_codesniffer_finds,
    html_validate_finds,
    next_focus,
    saved,
    vnu_finds,
)
from browser.painted import looked_at, not_seen
from browser.public_pages import public_pages, with_all_parts
from playwright.sync_api import Browser

from tracker.paths import STATIC


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return public_pages(tmp_path_factory.mktemp("instance"))


@pytest.fixture(scope="module")
def shown(browser: Browser, pages: dict[str, str]) -> Iterator[Shown]:
    made = Shown(browser, with_all_parts(pages) | {"wrong": WRONG})
    yield made
    made.context.close()


@pytest.fixture(scope="module")
def files(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return saved(pages | {"wrong": WRONG}, tmp_path_factory.mktemp("pages"))


# --- Those that read HTML ---------------------------------------------------------------------------------------------

# WordPress drops every style from what it pastes, so the frame's width and edge are attributes there; and the Nu checker
# knows neither containers nor the unit that a snippet's height is reckoned in, which browsers without them pass over, nor a
# property of SVG that keeps lines thin in a wide drawing, nor the one that brings the open page's tab into view on a phone.
KNOWN_TO_VNU = (
    "oembed.html: Bad value “100%” for attribute “width” on element “iframe”",
    "oembed.html: The “frameborder” attribute on the “iframe” element is obsolete",
    "snippet-frames.html: CSS: “container-type”: Property “container-type” doesn't exist",
    "snippet-frames.html: CSS: “height”: Parse Error",
    "admin.css: CSS: “vector-effect”: Property “vector-effect” doesn't exist",
    "admin.css: CSS: “scroll-initial-target”: Property “scroll-initial-target” doesn't exist",
)


def test_vnu_finds_nothing(files: list[Path]) -> None:
    found = vnu_finds([*files, *STATIC.glob("*.css")])
    assert faults(found, *KNOWN_TO_VNU) == []
    assert [one for one in found if one.startswith("wrong.html: CSS")]


KNOWN_TO_HTML_VALIDATE = (
    'oembed.html: attribute-allowed-values: Attribute "width" has invalid value "100%"',
    'oembed.html: no-deprecated-attr: Attribute "frameborder"',
    # What is pasted into others' pages brings its style with it: they have none of our style sheets.
    "oembed.html: no-inline-style",
    "snippet-frames.html: no-inline-style",
    "snippet-element.html: no-inline-style",
    "snippet-picture.html: no-inline-style",
    "snippet-letter.html: no-inline-style",
)


def test_html_validate_finds_nothing(files: list[Path]) -> None:
    assert faults(html_validate_finds(files, OTHER_WAYS), *KNOWN_TO_HTML_VALIDATE) == []


# --- Those that look --------------------------------------------------------------------------------------------------


def test_html_codesniffer_finds_nothing(shown: Shown) -> None:
    assert faults([f"{name}: {fault}" for name, page in shown.each() for fault in html_codesniffer_finds(page)]) == []


def test_axe_finds_nothing(shown: Shown) -> None:
    found = []
    for name, page in shown.each():
        # A frame is a part of somebody's page, whose headings are that page's own.
        but = ("page-has-heading-one",) if name.startswith("frame") else ()
        found += [f"{name}: {fault}" for fault in axe_finds(page, *but)]
    assert faults(found) == []


# --- Other ways of seeing ---------------------------------------------------------------------------------------------

# As WCAG 1.4.12 asks for; paragraphs are apart by twice the size of their letters.
SPACING = """* { line-height: 1.5 !important; letter-spacing: .12em !important; word-spacing: .16em !important }
    p { margin-bottom: 2em !important }"""


# What a press changes; on paper it would be in the way.
PRESSED = ("#give", ".press", ".take", ".test-mode")


def ours(shown: Shown) -> list[str]:
    """The pages that are not somebody else's with a part of ours."""
    return [name for name in shown.pages if not name.startswith(("snippet", "oembed", "wrong"))]


def test_letters_may_be_spaced_out_on_the_narrowest_window(shown: Shown) -> None:
    # As wide as a window of 1280 px at 400 %.
    shown.page.set_viewport_size({"width": 320, "height": 640})
    found = []
    for name, page in shown.each(*ours(shown)):
        page.add_style_tag(content=SPACING)
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{name}: {wide} px wide"] * (wide > 320) + [f"{name}: {fault}" for fault in page.evaluate(MISSING)]
    assert found == []


@pytest.mark.parametrize("forced_colors", ["none", "active"])
def test_whatever_has_the_focus_is_seen_to_have_it(forced_colors: str, shown: Shown) -> None:
    shown.page.set_viewport_size({"width": 320, "height": 640})
    shown.page.emulate_media(forced_colors=forced_colors)
    found = []
    names = [name for name in shown.pages if name.startswith(("page, unclear", "month", "frame, in"))]
    for name, page in shown.each(*names):
        focused = 0
        while (fault := next_focus(page)) is not None and focused < 100:
            found += [f"{name}: {fault}"] * bool(fault)
            focused += 1
        assert focused > 0
    shown.page.emulate_media(forced_colors="none")
    assert found == []


def test_in_forced_colours_all_words_can_be_read_and_all_controls_be_seen(shown: Shown) -> None:
    shown.page.set_viewport_size({"width": 640, "height": 800})
    shown.page.emulate_media(forced_colors="active")
    blank = shown.context.new_page()
    found = [
        f"{name}: {fault}" for name, page in shown.each(*ours(shown)) for fault in not_seen(looked_at(page, blank))
    ]
    shown.page.emulate_media(forced_colors="none")
    assert found == []


def test_a_print_cuts_nothing_off_and_has_the_bar_and_nothing_to_press(shown: Shown) -> None:
    # A sheet of A4 with margins of 1 cm.
    shown.page.set_viewport_size({"width": 718, "height": 1047})
    shown.page.emulate_media(media="print")
    found = []
    for name, page in shown.each(*ours(shown)):
        wide = page.evaluate("document.documentElement.scrollWidth")
        found += [f"{name}: {wide} px wide"] * (wide > 718)
        found += [f"{name}: {one}" for one in page.evaluate(MISSING) if one.startswith("cut")]
        found += [f"{name}: {one} is printed" for one in PRESSED if page.locator(f"{one}:visible").count()]
        has_bar = page.locator(".bar svg").first.is_visible()
        found += [f"{name}: there is no bar"] * (name.startswith(("page", "thanks")) and not has_bar)
    shown.page.emulate_media(media="screen")
    assert found == []
