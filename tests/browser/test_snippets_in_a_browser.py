"""The page of snippets as an editor uses it: choosing, copying, and looking whether the bar has arrived."""

from collections.abc import Callable
from urllib.parse import parse_qsl

import pytest
from browser.walking import Demo, Visitor, sign_in
from playwright.sync_api import Page, expect

from tracker.giving.bar_style import NARROW, SIZES, frame_heights, read_bar_style

Visitors = Callable[..., Visitor]


def open_snippets(page: Page, demo: Demo, query: str = "") -> None:
    sign_in(page, demo)
    page.goto(f"{demo.admin}c/newsroom/snippets{query}")


def above(page: Page) -> str:
    return page.get_by_role("group", name="Above the article").inner_text()


def test_a_press_copies_the_snippet(demo: Demo, visitor: Visitors) -> None:
    one = visitor(permissions=["clipboard-read", "clipboard-write"])
    open_snippets(one.page, demo, "?src=harbour-ferry")
    button = one.page.get_by_role("button", name="Copy: Above the article")
    button.click()
    expect(button).to_have_text("Copied")
    expect(one.page.get_by_role("status")).to_have_text("Copied")
    assert one.page.evaluate("navigator.clipboard.readText()") == above(one.page)
    assert f'src="{demo.app}/embed/newsroom?src=harbour-ferry&amp;pos=top"' in above(one.page)


def test_the_preview_and_the_snippets_follow_each_choice(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    open_snippets(page, demo)
    shown = page.frame_locator("#preview iframe >> nth=0")
    page.get_by_label("Dark", exact=True).check()
    expect(shown.locator("html")).to_have_css("color-scheme", "dark")
    page.get_by_label("Language").select_option("de")
    expect(shown.get_by_role("link")).to_have_text("Unterstützen")
    page.get_by_label("How many gifts").check()
    expect(shown.locator(".notes")).to_contain_text("Spenden")
    page.get_by_role("textbox", name="Colour").fill("#b3261e")
    expect(page.locator("#accent_said rect").nth(1)).to_have_attribute("fill", "#b3261e")
    page.get_by_role("textbox", name="Article", exact=True).fill("a-1")
    expect(page.get_by_role("group", name="Above the article")).to_contain_text("src=a-1")
    assert "theme=dark&amp;accent=b3261e&amp;lang=de&amp;count=1&amp;src=a-1&amp;pos=top" in above(page)
    # The address says it all, so that it can be kept or sent to somebody.
    assert "theme=dark" in page.url
    page.reload()
    assert "theme=dark&amp;accent=b3261e&amp;lang=de&amp;count=1&amp;src=a-1&amp;pos=top" in above(page)


def test_a_colour_that_cannot_be_seen_is_said_as_it_is_typed(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    open_snippets(page, demo)
    page.get_by_role("textbox", name="Colour").fill("#ffee00")
    expect(page.get_by_text("#ffee00 is too light")).to_be_visible()
    page.get_by_role("textbox", name="Colour").fill("")
    expect(page.get_by_text("#ffee00 is too light")).to_be_hidden()


def test_the_bar_is_shown_on_the_pages_own_background_as_it_is_chosen(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    open_snippets(page, demo)
    around = page.locator("#preview iframe").first
    shown = page.frame_locator("#preview iframe >> nth=0").locator("body")
    page.get_by_role("textbox", name="Your page's background").fill("#fff1e5")
    expect(page.get_by_label("Your page's colour:")).to_be_checked()
    expect(shown).to_have_css("background-color", "rgb(255, 241, 229)")
    expect(around).to_have_css("background-color", "rgb(255, 241, 229)")
    assert "background=fff1e5" in above(page)
    page.get_by_role("textbox", name="Your page's background").fill("salmon")
    expect(page.get_by_text("“salmon” is not a colour.")).to_be_visible()
    page.get_by_label("None: your page shows through").check()
    expect(shown).to_have_css("background-color", "rgba(0, 0, 0, 0)")
    expect(page.get_by_text("“salmon” is not a colour.")).to_be_hidden()
    assert "background=none" in above(page)
    page.get_by_label("Round", exact=True).check()
    expect(page.get_by_role("group", name="Above the article")).to_contain_text("corners=round")
    # All of it stands in the address.
    page.reload()
    assert "background=none&amp;corners=round" in above(page)


def test_without_a_script_the_page_does_the_same_at_a_press(demo: Demo, visitor: Visitors) -> None:
    first = visitor().page
    sign_in(first, demo)
    page = visitor(java_script_enabled=False).page
    open_snippets(page, demo)
    expect(page.locator(".copy:visible")).to_have_count(0)
    page.get_by_label("Dark", exact=True).check()
    page.get_by_role("button", name="Show").click()
    assert "theme=dark" in above(page)
    expect(page.frame_locator("#preview iframe >> nth=0").locator("html")).to_have_css("color-scheme", "dark")


def test_the_snippet_takes_the_height_that_its_width_needs(demo: Demo, visitor: Visitors) -> None:
    page = visitor(1200, 600).page
    open_snippets(page, demo)
    snippet = above(page)
    page.goto(demo.news)
    high = []
    for width in (300, 419, 420, 640):
        page.set_content(f'<div style="width:{width}px">{snippet}</div>')
        high.append(page.locator("iframe").evaluate("frame => frame.getBoundingClientRect().height"))
    assert high == [162, 162, 108, 108]


@pytest.mark.parametrize("size", SIZES)
def test_the_heights_hold_each_size_with_all_that_it_may_say(demo: Demo, visitor: Visitors, size: str) -> None:
    page = visitor().page
    too_high = []
    for said in ("", "&count=1&days=1", "&committed=1", "&committed=1&count=1&days=1"):
        wide, narrow = frame_heights(read_bar_style(dict(parse_qsl(f"size={size}{said}"))))
        page.goto(f"{demo.app}/embed/newsroom?size={size}{said}")
        for width in (320, 419, 420, 640):
            page.set_viewport_size({"width": width, "height": wide if width >= NARROW else narrow})
            if (over := page.evaluate("document.documentElement.scrollHeight - innerHeight")) > 0:
                too_high.append((said, width, over))
    assert too_high == []


@pytest.mark.parametrize("width", [360, 1280])
def test_the_check_finds_both_bars_of_the_article(demo: Demo, visitor: Visitors, width: int) -> None:
    page = visitor(width).page
    open_snippets(page, demo)
    page.get_by_label("Address of the article").fill(demo.article)
    page.get_by_role("button", name="Check", exact=True).click()
    found = page.get_by_role("region", name="What was found")
    expect(found).to_be_focused()
    expect(found).to_contain_text("The bar is there: 2 frames of article “harbour-ferry” (top, bottom).")
    expect(found).to_contain_text("Everything is in order.")
