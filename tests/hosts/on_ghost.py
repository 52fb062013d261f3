"""Ghost with its own themes: a card, a changed theme, the site's footer, a pasted address and a newsletter."""

import re
from collections.abc import Iterator
from html import unescape

import pytest
from browser.firefox import Firefox
from browser.walking import Demo
from hosts.conftest import Database, Recipes
from hosts.ghost import Ghost, ghost, html_card, paragraph
from hosts.looks import DESKTOP, PHONE, gives_from, looks_right, press_in_frame, presses_in_firefox, reading
from playwright.sync_api import Browser

THEMES = ["source", "casper"]
STORY = paragraph(
    "The ferry across the harbour will run again from Monday, the port authority said on Thursday, after eleven weeks in dock."
    " Commuters had to take the long way round."
)


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, database: Database) -> Iterator[Ghost]:
    with ghost(tmp_path_factory.mktemp("ghost"), database) as made:
        yield made


@pytest.mark.parametrize("theme", THEMES)
def test_a_card_shows_the_frame(
    theme: str, site: Ghost, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.turns_on(theme)
    frame = recipes.codes["Above the article"].replace("?pos=", "?src=card&amp;pos=")
    address = site.writes(f"A card in {theme}", STORY, html_card(frame), STORY)
    looks_right(browser, firefox, address, bars=1)
    with reading(browser, address) as page:
        gives_from(page, demo, press=press_in_frame(0), src="card", pos="top", back=False)


@pytest.mark.parametrize("theme", THEMES)
def test_a_changed_theme_has_it_around_every_post(
    theme: str, site: Ghost, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.uploads(theme, {r"\{\{content\}\}": recipes.codes["post.hbs"]})
    post = site.post(f"Around every post of {theme}", STORY)
    looks_right(browser, firefox, post["url"])
    for at, pos in enumerate(("top", "bottom")):
        with reading(browser, post["url"], (PHONE, DESKTOP)[at]) as page:
            gives_from(page, demo, press=press_in_frame(at), src=post["slug"], pos=pos, back=True)
    presses_in_firefox(firefox, post["url"], demo, src=post["slug"], pos="top")


@pytest.mark.parametrize("theme", THEMES)
def test_the_sites_footer_puts_it_around_every_post(
    theme: str, site: Ghost, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.turns_on(theme)
    site.injects(recipes.codes["Site footer"])
    post = site.post(f"From the footer of {theme}", STORY)
    # A script puts it there, so the text moves down once.
    looks_right(browser, firefox, post["url"], most_shift=0.25)
    with reading(browser, post["url"], PHONE) as page:
        gives_from(page, demo, press=press_in_frame(1), src=post["slug"], pos="bottom", back=True)
    with reading(browser, site.url) as page:
        assert page.locator("iframe").count() == 0
    site.injects("")


def test_a_pasted_address_is_no_bar(site: Ghost, recipes: Recipes) -> None:
    answer = site.owner.get(
        f"{site.url}/ghost/api/admin/oembed/", params={"url": recipes.codes["Address"], "type": "embed"}, timeout=60
    )
    assert answer.json().get("type") != "rich", answer.text


def test_a_newsletter_keeps_the_linked_picture(site: Ghost, recipes: Recipes, demo: Demo) -> None:
    post = site.post("A letter", STORY, html_card(recipes.codes["HTML card for the newsletter"]))
    (preview,) = site.asks("GET", f"email_previews/posts/{post['id']}/")["email_previews"]
    links = [unescape(one) for one in re.findall(r'href="([^"]*)"', preview["html"])]
    pictures = [unescape(one) for one in re.findall(r'src(?:set)?="([^"]*)"', preview["html"])]
    assert [one for one in links if "/go/newsroom" in one] == [f"{demo.app}/go/newsroom?src=newsletter"]
    # The wide picture where there is room for it, and the one for phones.
    assert [one for one in pictures if "/embed/" in one] == [
        f"{demo.app}/embed/newsroom.png?{size}mail=1&scale=2&src=newsletter" for size in ("", "size=s&")
    ]
