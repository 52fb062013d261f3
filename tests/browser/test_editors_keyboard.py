"""An editor on a phone's width with keys alone: reading the month, writing a note, closing a month, importing gifts.

Each walk begins at the skip link, and wherever it comes the focus must be seen.
"""

from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta

import pytest
from actors import NEWSROOM, gift_fact
from browser.auditors import next_focus
from browser.walking import Visitor, arrives, wait_until
from flask import Flask
from playwright.sync_api import Locator, Page, expect
from ports import free_port
from serving import serving
from web_admin import EMAIL, PASSWORD

from tracker.giving.months import Month, month_of
from tracker.ledger import book
from tracker.ledger.store import writing
from tracker.web.admin.signin import create_admin

Visitors = Callable[..., Visitor]
CHEQUES = b"date,amount,note,id\n2021-05-11,25.00,A cheque,cheque-1\n2021-05-12,40.00,Cash,cash-2\n"


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TRACKER_PUBLIC_URL": f"http://127.0.0.1:{free_port()}"}


@pytest.fixture
def last_month(app: Flask) -> Month:
    """The month before this one, by the real clock: a browser drops what is older than itself. Gifts are in both."""
    now = datetime.now(UTC)
    last = month_of(now, NEWSROOM.time_zone).previous
    with writing() as session:
        for number in range(12):
            day = datetime(last.year, last.number, number + 3, 12, tzinfo=UTC)
            book.record(session, gift_fact(f"cs_last_{number}", 1_000, at=day), now)
        book.record(session, gift_fact("cs_now", 2_500, at=now - timedelta(seconds=5), source="ferry"), now)
    return last


class Keys:
    """An editor who has signed in and has no mouse."""

    def __init__(self, page: Page, site: str) -> None:
        self.page, self.site = page, site
        page.goto(f"{site}/admin/account")
        page.get_by_label("E-mail address").fill(EMAIL)
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        arrives(page, "/admin/account")

    def opens(self, address: str) -> None:
        """Goes past the head of the page by its first link."""
        self.page.goto(f"{self.site}{address}")
        self.tab()
        assert self.focused().inner_text() == "Skip to content"
        self.presses("Enter")
        expect(self.focused()).to_have_attribute("id", "content")

    def focused(self) -> Locator:
        return self.page.locator(":focus")

    def tab(self) -> None:
        assert next_focus(self.page) == "", "The focus is not to be seen, or there is nothing more to come to."

    def comes_to(self, selector: str) -> None:
        wanted = self.page.locator(selector).first
        for _ in range(120):
            self.tab()
            if wanted.evaluate("one => one === document.activeElement"):
                return
        raise AssertionError(f"{selector} cannot be reached by keyboard")

    def presses(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def types(self, words: str) -> None:
        self.page.keyboard.type(words)


@pytest.fixture
def keys(app: Flask, environ: dict[str, str], visitor: Visitors) -> Iterator[Keys]:
    create_admin(EMAIL, PASSWORD)
    with serving(app, int(environ["TRACKER_PUBLIC_URL"].rpartition(":")[2])) as site:
        yield Keys(visitor(360, 740).page, site)


def test_the_month_says_how_its_numbers_add_up_and_its_tables_scroll(last_month: Month, keys: Keys) -> None:
    keys.opens("/admin/c/newsroom/month")
    keys.comes_to(".pace details:last-of-type summary")
    keys.presses("Enter")
    keys.comes_to(".pace section")
    keys.comes_to(".tile summary")
    keys.presses("Enter")
    expect(keys.page.locator(".tile details").first).to_have_attribute("open", "")
    keys.comes_to("section[aria-label='Compared with earlier months']")
    keys.presses("ArrowRight", "ArrowRight")
    wait_until(lambda: keys.page.evaluate("document.activeElement.scrollLeft > 0"))
    # Only the table has moved.
    assert keys.page.evaluate("[scrollX, document.documentElement.scrollWidth]") == [0, 360]
    keys.comes_to("th a[href*='source=ferry']")
    keys.presses("Enter")
    arrives(keys.page, "/admin/c/newsroom/gifts")
    expect(keys.page.locator(".chosen")).to_contain_text("Article: ferry")


def test_a_gift_is_found_and_noted(last_month: Month, keys: Keys) -> None:
    keys.opens("/admin/c/newsroom/gifts")
    keys.comes_to("#q")
    keys.types("pi_cs_now")
    keys.presses("Enter")
    arrives(keys.page, "/admin/c/newsroom/gifts?q=pi_cs_now")
    keys.comes_to(".gifts th a")
    keys.presses("Enter")
    arrives(keys.page, "/admin/c/newsroom/gifts/cs_now")
    keys.comes_to("#words")
    keys.types("Called, and thanked.")
    keys.comes_to(".settings .button")
    keys.presses("Enter")
    expect(keys.page.get_by_role("status")).to_have_text("The note is saved.")
    expect(keys.page.locator(".gift-notes .said")).to_have_text("Called, and thanked.")


def test_a_month_is_closed(last_month: Month, keys: Keys) -> None:
    keys.opens(f"/admin/c/newsroom/months/{last_month}/close")
    keys.comes_to("#seen")
    keys.presses("Space")
    keys.comes_to(".closing .button")
    keys.presses("Enter")
    expect(keys.page.get_by_role("heading", level=1)).to_contain_text("is closed")


def test_past_gifts_are_imported(keys: Keys) -> None:
    keys.opens("/admin/c/newsroom/import")
    # From here on the browser hands over its choosing of a file, which it must have heard by the time of the key.
    with keys.page.expect_file_chooser() as chooser:
        keys.comes_to("#file")
        keys.presses("Enter")
    chooser.value.set_files({"name": "cheques.csv", "mimeType": "text/csv", "buffer": CHEQUES})
    keys.comes_to("button[value=check]")
    keys.presses("Enter")
    expect(keys.page.get_by_role("heading", name="2 gifts would be recorded")).to_be_visible()
    keys.comes_to("button[value=record]")
    keys.presses("Enter")
    expect(keys.page.get_by_role("heading", name="2 gifts are recorded")).to_be_visible()
