"""What can be measured of the looks: fits, contrast, names, focus, and nothing that moves by itself."""

import gzip
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from browser.auditors import axe_finds
from browser.walking import (
    DECLINED_CARD,
    Demo,
    Visitor,
    arrives,
    bars,
    choose,
    pay,
    press_give,
    session_of,
    sign_in,
)
from playwright.sync_api import Browser, Page, Route, expect

from tracker.giving.bar_style import HEIGHTS, SIZES
from tracker.giving.bar_words import TRANSLATIONS

Visitors = Callable[..., Visitor]
MONTH = f"{datetime.now(UTC):%Y-%m}"
LAST_MONTH = f"{datetime.now(UTC).replace(day=1) - timedelta(days=1):%Y-%m}"

LONG_TITLE = "Unterstützen Sie die Lokalberichterstattungsgemeinschaft Donaudampfschifffahrtsgesellschaft"


@pytest.fixture(scope="module")
def states(demo: Demo) -> None:
    """Campaigns that strain the pages: long words, millions, far more than the goal, and one that is paused."""
    common = ("--minimum", "2", "--maximum", "999999.99")
    demo.tracker(
        "campaign", "set", "million", "--title", LONG_TITLE, "--lead", LONG_TITLE.replace(" ", ""), "--locale", "de_DE",
        "--currency", "EUR", "--goal", "2500000", "--once", "25,100,1000,25000,100000", "--monthly", "5,10,20", *common,
    )  # fmt: skip
    demo.tracker(
        "campaign", "set", "beyond", "--title", "Summer drive", "--goal", "1000", "--once", "10,20,30,40,50,60", *common
    )
    demo.tracker("campaign", "set", "resting", "--title", "Resting", "--goal", "1000", "--once", "10", "--paused")
    for slug, typed in (("million", "999.999,99"), ("beyond", "1420")):
        if not demo.raised(slug):
            demo.given(slug, typed)


def overflow(page: Page) -> int:
    return int(page.evaluate("document.documentElement.scrollWidth - innerWidth"))


# --- Accessibility ----------------------------------------------------------------------------------------------------


def with_errors(page: Page, demo: Demo) -> None:
    page.goto(demo.page_url)
    page.get_by_label("Other amount").fill("12,5")
    press_give(page)
    expect(page.get_by_role("alert")).to_be_focused()


def with_words_open(page: Page, demo: Demo) -> None:
    page.goto(demo.page_url)
    page.get_by_text("Add your name or a message").click()


def at_the_payment(page: Page, demo: Demo) -> None:
    page.goto(demo.page_url)
    press_give(page)
    arrives(page, "/pay/")


def confirming(page: Page, demo: Demo) -> None:
    def standing_still(route: Route) -> None:
        answer = route.fetch()
        route.fulfill(
            response=answer, headers={name: text for name, text in answer.headers.items() if name != "refresh"}
        )

    page.route("**/thanks?**", standing_still)
    page.goto(f"{demo.page_url}/thanks?session_id=cs_test_unknown")
    expect(page.get_by_role("heading", level=1)).to_have_text("Confirming your gift …")


def not_paid(page: Page, demo: Demo) -> None:
    at_the_payment(page, demo)
    page.goto(f"{demo.page_url}/thanks?session_id={session_of(page)}&look=12")
    expect(page.get_by_role("link", name="Try again")).to_be_visible()


def declined(page: Page, demo: Demo) -> None:
    at_the_payment(page, demo)
    pay(page, DECLINED_CARD)
    expect(page.get_by_role("alert")).to_be_visible()


def new_campaign_with_errors(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.admin}new")
    page.get_by_role("button", name="Save").click()
    expect(page.get_by_role("alert")).to_be_visible()


def goal_with_errors(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.admin}c/newsroom/")
    page.get_by_label("Goal", exact=True).fill("lots")
    page.get_by_role("button", name="Set goal").click()
    expect(page.get_by_role("alert")).to_be_focused()


def checked_article(page: Page, demo: Demo) -> None:
    page.goto(f"{demo.admin}c/newsroom/snippets?accent=%23ffee00")
    page.get_by_label("Address of the article").fill(f"{demo.news}/")
    page.get_by_role("button", name="Check", exact=True).click()
    expect(page.get_by_role("region", name="What was found")).to_be_focused()


PUBLIC: dict[str, str | Callable[[Page, Demo], None]] = {
    "the article": "{article}",
    "the supporter's page": "{page}",
    "the supporter's page with errors": with_errors,
    "the supporter's page with the words open": with_words_open,
    "a campaign beyond its goal": "{app}/c/beyond",
    "a campaign with long words": "{app}/c/million",
    "a campaign that is over": "{app}/c/may-2021",
    "the supporter's page after a cancelled payment": "{page}?frequency=month&amount=12.50&cancelled=1",
    "thanks to nobody": "{page}/thanks",
    "thanks for what nobody gave": "{page}/thanks?session_id=cs_test_unknown&look=12",
    "thanks for what was not paid": not_paid,
    "thanks while confirming": confirming,
    "all months": "{page}/months",
    "one month": "{page}/months/" + MONTH,
    "the list of campaigns": "{app}/",
    "nothing here": "{app}/nothing",
    "the frame": "{app}/embed/newsroom?theme=auto",
    "the frame beyond the goal": "{app}/embed/beyond?theme=auto",
    "the frame with millions": "{app}/embed/million?theme=auto",
    "the frame of nothing": "{app}/embed/nothing",
    "the payment": at_the_payment,
    "the payment declined": declined,
}
EDITORS: dict[str, str | Callable[[Page, Demo], None]] = {
    "the months": "{admin}c/newsroom/",
    "the months of a new campaign": "{admin}c/million/",
    "a month": "{admin}c/newsroom/months/" + MONTH,
    "settings": "{admin}c/newsroom/settings",
    "supporters": "{admin}c/newsroom/supporters",
    "snippets": "{admin}c/newsroom/snippets",
    "snippets with an article checked": checked_article,
    "a new campaign": "{admin}new",
    "a new campaign with errors": new_campaign_with_errors,
    "a goal with errors": goal_with_errors,
}


def open_at(page: Page, demo: Demo, where: str | Callable[[Page, Demo], None]) -> None:
    if callable(where):
        where(page, demo)
    else:
        page.goto(where.format(article=demo.article, page=demo.page_url, app=demo.app, admin=demo.admin))


def scrolls_sideways(page: Page, *widths: int) -> list[int]:
    """At which of these widths a page does; it is as wide as a desk's screen afterwards."""
    found = []
    for width in widths:
        page.set_viewport_size({"width": width, "height": 700})
        if overflow(page) > 0:
            found.append(width)
    page.set_viewport_size({"width": 1280, "height": 800})
    return found


# All other public pages, and the editors', are looked at by the auditors (test_auditors.py, test_editors_auditors.py), which
# need no demo.
FOR_AXE = ("the article", "the supporter's page with the words open", "the payment", "the payment declined")


@pytest.mark.parametrize("name", PUBLIC)
def test_nothing_scrolls_sideways_and_axe_finds_nothing_on(
    name: str, demo: Demo, states: None, visitor: Visitors
) -> None:
    page = visitor().page
    open_at(page, demo, PUBLIC[name])
    assert scrolls_sideways(page, 280, 320, 360, 768, 1280) == []
    if name in FOR_AXE:
        assert axe_finds(page) == []


@pytest.mark.parametrize("name", EDITORS)
def test_nothing_scrolls_sideways_for_editors_on(name: str, demo: Demo, states: None, visitor: Visitors) -> None:
    page = visitor().page
    sign_in(page, demo)
    open_at(page, demo, EDITORS[name])
    assert scrolls_sideways(page, 320, 360, 768, 1280) == []


def test_the_frame_and_the_drawing_read_as_one_sentence(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(f"{demo.app}/embed/may-2021")
    assert page.locator("body").aria_snapshot().replace('"', "") == "\n".join(
        (
            "- main:",
            "  - paragraph: MAY 2021",
            "  - paragraph:",
            "    - strong: 340 $",
            "    - text: of 5,000 $",
            "  - link Support us:",
            f"    - /url: {demo.app}/go/may-2021",
        )
    )


# On how many lines each of these words stands, wherever in the element they are.
LINES = """(within, wanted) => wanted.map(words => {
    const texts = document.createTreeWalker(within, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const at = texts.currentNode.data.indexOf(words), range = document.createRange();
        if (at < 0) continue;
        range.setStart(texts.currentNode, at);
        range.setEnd(texts.currentNode, at + words.length);
        return new Set([...range.getClientRects()].map(box => box.top)).size;
    }
})"""


# --- Room -------------------------------------------------------------------------------------------------------------


def test_the_bar_fits_into_the_room_that_the_article_keeps_for_it(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.article)
    for width in (1200, 640, 360, 320):
        page.set_viewport_size({"width": width, "height": 800})
        for frame in bars(page):
            beyond = frame.evaluate(
                "(at => [at.scrollWidth - innerWidth, at.scrollHeight - innerHeight])(document.documentElement)"
            )
            assert beyond == [0, 0], width


@pytest.mark.parametrize("slug", ["million", "beyond", "newsroom"])
def test_the_snippets_heights_hold_every_state_of_the_bar(
    slug: str, demo: Demo, states: None, visitor: Visitors
) -> None:
    page = visitor().page
    page.goto(f"{demo.app}/embed/{slug}")
    for width in (280, 320, 419, 420, 640, 1200):
        page.set_viewport_size({"width": width, "height": 108 if width > 419 else 162})
        high = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert (overflow(page), high) == (0, 0), width


@pytest.mark.parametrize("size", SIZES)
def test_a_campaign_that_is_paused_says_so_within_the_height_of_its_snippet(
    size: str, demo: Demo, states: None, visitor: Visitors
) -> None:
    page = visitor().page
    page.goto(f"{demo.app}/embed/resting?size={size}")
    expect(page.locator(".pause")).to_have_text("Giving is paused just now")
    wide, narrow = HEIGHTS[size]
    for width in (280, 320, 419, 420, 640, 1200):
        page.set_viewport_size({"width": width, "height": wide if width > 419 else narrow})
        high = page.evaluate("document.documentElement.scrollHeight - innerHeight")
        assert (overflow(page), high) == (0, 0), width


def test_nothing_on_the_article_moves_while_it_loads(demo: Demo, visitor: Visitors) -> None:
    page = visitor(360, 640).page
    page.goto(demo.article)
    bars(page)
    shifted = page.evaluate("""() => new Promise(done => {
        let sum = 0;
        new PerformanceObserver(list => { for (const one of list.getEntries()) sum += one.value; })
            .observe({type: "layout-shift", buffered: true});
        setTimeout(() => done(sum), 300);
    })""")
    assert shifted == 0


def test_a_phone_shows_everything_up_to_the_button_at_once(demo: Demo, visitor: Visitors) -> None:
    page = visitor(360, 640).page
    page.goto(demo.page_url)
    for frequency in ("Once", "Every month"):
        choose(page, frequency)
        box = page.locator("#give button").bounding_box()
        assert box
        assert box["y"] + box["height"] <= 640


def test_everything_to_press_is_large_enough(demo: Demo, visitor: Visitors) -> None:
    page = visitor(360, 640).page
    page.goto(demo.page_url)
    for target in page.locator("#give label:visible:not(.words *):not(.unseen):not(.unseen *), #give button").all():
        box = target.bounding_box()
        assert box
        assert box["height"] >= 44
        assert box["width"] >= 44


def test_an_amount_never_breaks_over_two_lines(demo: Demo, states: None, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(f"{demo.app}/c/beyond")
    labels = demo.bar("beyond")["labels"]
    # Its own width, as if there were more digits.
    for width in range(130, 330, 5):
        page.locator(".bar").evaluate("(bar, width) => { bar.style.width = width + 'px'; }", width)
        lines = page.locator(".sum").evaluate(LINES, [labels["raised"], labels["goal"], "(142 %)"])
        assert lines == [1, 1, 1], width


SIGNS = """() => {
    const all = document.createTreeWalker(document.querySelector("main"), NodeFilter.SHOW_TEXT), seen = [];
    while (all.nextNode()) {
        const node = all.currentNode, found = /\\d[\\d,.]*\\s\\$/.exec(node.data), at = document.createRange();
        if (!found || !node.parentElement.checkVisibility() || node.parentElement.closest("[lang|=en]")) continue;
        const left = n => { at.setStart(node, n); at.setEnd(node, n + 1); return at.getBoundingClientRect().left; };
        seen.push([node.data.trim(), left(found.index + found[0].length - 1) < left(found.index)]);
    }
    return seen;
}"""


def test_in_a_language_that_runs_to_the_left_the_sign_stands_on_one_side_of_every_amount(
    demo: Demo, visitor: Visitors
) -> None:
    page = visitor().page
    for address in (demo.page_url, f"{demo.page_url}/months", f"{demo.page_url}/months/{LAST_MONTH}"):
        page.goto(f"{address}?lang=ar")
        seen = page.evaluate(SIGNS)
        assert len(seen) > 8, address
        assert [text for text, is_left in seen if not is_left] == [], address


# How far to the right each month's result ends, beyond the part of its table that can be seen.
HIDDEN = """[...document.querySelectorAll("tbody strong")].map((one) => {
    const [own, seen] = [one.getBoundingClientRect(), one.closest(".scroll").getBoundingClientRect()];
    return Math.max(own.right - seen.right, seen.left - own.left);
})"""


def test_a_phone_shows_what_each_month_raised_to_the_cent_in_every_language(demo: Demo, visitor: Visitors) -> None:
    page = visitor(360, 640).page
    beyond = {}
    for lang in sorted(one.name for one in TRANSLATIONS.iterdir() if one.is_dir()):
        page.goto(f"{demo.page_url}/months?lang={lang}")
        found = page.evaluate(HIDDEN)
        assert len(found) > 12
        beyond[lang] = max(found)
    assert len(beyond) >= 18
    assert {lang: pixels for lang, pixels in beyond.items() if pixels > 0} == {}


def test_the_frame_weighs_no_more_than_it_may(demo: Demo, browser: Browser) -> None:
    context = browser.new_context()
    answer = context.request.get(f"{demo.app}/embed/newsroom?theme=auto&src=harbour-ferry&pos=bottom")
    # In every state of the month; it has its colours twice, for light paper and for dark.
    assert len(gzip.compress(answer.body(), 9)) <= 1331
    # One script, which all frames share.
    assert answer.body().count(b"<script") == answer.body().count(b"embed/frame.js") == 1
    context.close()


# --- Other ways of seeing ---------------------------------------------------------------------------------------------


def colours(page: Page, blank: Page, *points: tuple[float, float]) -> list[tuple[int, ...]]:
    """The colours of a page at these points, as they are really painted."""
    picture = b64encode(page.screenshot()).decode()
    painted: list[list[int]] = blank.evaluate(
        """async ([picture, points]) => {
            const image = new Image();
            image.src = "data:image/png;base64," + picture;
            await image.decode();
            const canvas = document.createElement("canvas");
            [canvas.width, canvas.height] = [image.width, image.height];
            const paper = canvas.getContext("2d", {willReadFrequently: true});
            paper.drawImage(image, 0, 0);
            return points.map(([x, y]) => [...paper.getImageData(x, y, 1, 1).data]);
        }""",
        [picture, points],
    )
    return [tuple(one) for one in painted]


@pytest.mark.parametrize("look", [{"forced_colors": "active"}, {"color_scheme": "dark"}, {}], ids=str)
def test_the_fill_differs_from_the_rest_of_the_bar_and_from_the_page(
    look: dict[str, Any], demo: Demo, visitor: Visitors
) -> None:
    one = visitor(640, 200, **look)
    one.page.goto(f"{demo.app}/embed/may-2021?theme=auto")
    box = one.page.locator("svg").bounding_box()
    assert box
    middle = box["y"] + 7
    fill, rest, text = colours(
        one.page, one.context.new_page(), (box["x"] + 8, middle), (box["x"] + 500, middle), (box["x"] + 300, 4)
    )
    assert fill not in (rest, text)


def test_in_forced_colours_the_choice_and_the_buttons_can_be_told_apart(demo: Demo, visitor: Visitors) -> None:
    one = visitor(640, 800, forced_colors="active")
    one.page.goto(demo.page_url)
    points = []
    for place in ("label[for=f-once]", "label[for=f-month]", "label[for=once-1]", "label[for=once-0]", "#give button"):
        box = one.page.locator(place).bounding_box()
        assert box
        points.append((box["x"] + 6, box["y"] + 6))
    once, month, chosen, other, button = colours(one.page, one.context.new_page(), *points)
    assert once == chosen == button
    assert once not in (month, other)
    assert month == other


def test_nothing_moves_by_itself(demo: Demo, visitor: Visitors) -> None:
    page = visitor(reduced_motion="reduce").page
    for address in (demo.page_url, f"{demo.app}/embed/newsroom", demo.article):
        page.goto(address)
        assert page.evaluate("document.getAnimations().length") == 0
        assert page.evaluate("""[...document.querySelectorAll("*")].every(one => {
            const style = getComputedStyle(one);
            return style.animationName === "none" && parseFloat(style.transitionDuration) === 0;
        })""")


def test_a_print_has_the_bar_and_no_form(demo: Demo, visitor: Visitors) -> None:
    page = visitor().page
    page.goto(demo.page_url)
    page.emulate_media(media="print")
    expect(page.locator("#give")).to_be_hidden()
    expect(page.locator(".test-mode")).to_be_hidden()
    expect(page.locator(".bar")).to_be_visible()
