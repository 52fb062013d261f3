"""The ticker on a screen: it follows by itself, says when it cannot, and fits whatever the sum."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from actors import NEWSROOM, gift_fact
from flask import Flask
from playwright.sync_api import Browser, Page, expect
from serving import serving

from tracker.giving.drives import Appeal
from tracker.ledger import appeals, book, supporters
from tracker.ledger.store import writing

# What is wider than the window, or lies over something else.
TOO_WIDE = """() => [...document.querySelectorAll("main *")].filter(one => {
    const box = one.getBoundingClientRect();
    return box.left < -1 || box.right > innerWidth + 1;
}).map(one => one.outerHTML.slice(0, 80))"""


@pytest.fixture
def database_url() -> str:
    """One database is enough: what is tested here begins behind it."""
    return ""


@pytest.fixture
def url(app: Flask) -> Iterator[str]:
    with serving(app) as address:
        yield address


@pytest.fixture
def page(browser: Browser) -> Iterator[Page]:
    context = browser.new_context(viewport={"width": 1280, "height": 720})
    yield context.new_page()
    context.close()


def gives(key: str, amount: int, name: str = "") -> None:
    now = datetime.now(UTC)
    with writing() as session:
        book.record(session, gift_fact(key, amount, name=name, at=now), now)
        supporters.show(session, key, shown=True)


def test_it_follows_by_itself_and_says_when_it_cannot(url: str, page: Page) -> None:
    said: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.clock.install()
    page.goto(f"{url}/embed/newsroom/ticker")
    amount = page.locator(".so-far strong")
    expect(amount).to_have_text("0 $")
    page.evaluate("window.same = true")
    gives("cs_1", 25_000, "Ana")
    page.clock.run_for(3100)
    expect(amount).to_have_text("250 $")
    expect(page.locator(".names")).to_contain_text("Ana")
    # The page was not loaded again, which a room would see.
    assert page.evaluate("window.same") is True
    assert said == []
    lost = page.get_by_role("status")
    expect(lost).to_be_hidden()
    page.route("**/*", lambda route: route.abort())
    page.clock.run_for(24_000)
    expect(lost).to_have_text("No connection: this may be out of date.")
    expect(amount).to_have_text("250 $")
    page.unroute("**/*")
    gives("cs_2", 25_000)
    page.clock.run_for(3100)
    expect(amount).to_have_text("500 $")
    expect(lost).to_be_hidden()


def test_it_fits_every_screen_with_a_long_sum_and_long_names(url: str, page: Page) -> None:
    now = datetime.now(UTC)
    starts = now - timedelta(hours=1)
    with writing() as session:
        for kind, name in (("drive", "Sommerspendenwoche für den Lokaljournali"), ("match", "Stiftung " * 4 + "Nord")):
            appeal = Appeal(kind, name, 100_000_000, starts, now + timedelta(hours=2))  # type: ignore[arg-type]
            appeals.save(session, NEWSROOM, appeal, starts)
    for number, amount in enumerate((500, 99_500, 19_900_000, 122_345_678)):
        gives(f"cs_{number}", amount, f"Jürgen Ó Briain & daughters {number} " + "Lokalberichterstattung" * 2)
        for width, height in ((360, 640), (1024, 768), (1280, 720), (1920, 1080)):
            page.set_viewport_size({"width": width, "height": height})
            page.goto(f"{url}/embed/newsroom/ticker?lang=de")
            assert page.evaluate(TOO_WIDE) == [], (amount, width)
            assert page.evaluate("document.documentElement.scrollWidth") <= width
