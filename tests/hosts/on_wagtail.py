"""Wagtail with the frames in its template, and with addresses that editors paste into texts and blocks."""

from collections.abc import Iterator

import pytest
from browser.firefox import Firefox
from browser.walking import Demo
from hosts.conftest import Recipes
from hosts.looks import DESKTOP, PHONE, gives_from, looks_right, press_in_frame, presses_in_firefox, reading
from hosts.wagtail import RESPONSIVE, Wagtail, wagtail
from playwright.sync_api import Browser

STORY = (
    "<p>The ferry across the harbour will run again from Monday, the port authority said on Thursday, after eleven weeks in"
    " dock. Commuters had to take the long way round.</p>"
)
PLAIN = "{{ page.body|richtext }}"


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, recipes: Recipes) -> Iterator[Wagtail]:
    with wagtail(tmp_path_factory.mktemp("wagtail"), recipes.codes["Settings"]) as made:
        yield made


def test_the_template_has_it_around_every_article(
    site: Wagtail, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.shows(recipes.codes["Template"])
    address, _, number = site.writes("The ferry", STORY).partition("#")
    looks_right(browser, firefox, address)
    for at, pos in enumerate(("top", "bottom")):
        with reading(browser, address, (PHONE, DESKTOP)[at]) as page:
            gives_from(page, demo, press=press_in_frame(at), src=number, pos=pos, back=True)
    presses_in_firefox(firefox, address, demo, src=number, pos="top")


@pytest.mark.parametrize("responsive", [False, True], ids=["as it is", "in proportion"])
def test_a_pasted_address_becomes_the_bar_in_a_text_and_in_a_block(
    responsive: bool, site: Wagtail, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.shows(PLAIN, RESPONSIVE + recipes.codes["Style sheet"] if responsive else "")
    pasted = recipes.codes["Address"].replace("pos=top", "src=pasted&pos=top")
    in_text = f'{STORY}<embed embedtype="media" url="{pasted.replace("&", "&amp;")}"/>{STORY}'
    address = site.writes(f"Text {responsive}", in_text).partition("#")[0]
    looks_right(browser, firefox, address, bars=1)
    with reading(browser, address) as page:
        gives_from(page, demo, press=press_in_frame(0), src="pasted", pos="top", back=False)
    parts = [{"type": "text", "value": STORY}, {"type": "embed", "value": pasted}, {"type": "text", "value": STORY}]
    looks_right(browser, firefox, site.writes(f"Block {responsive}", "", repr(parts)).partition("#")[0], bars=1)
