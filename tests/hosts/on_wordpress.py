"""WordPress with the plugin and without it, with a classic and a block theme, by its administrator, an editor and an author."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.request import urlopen

import pytest
from browser.firefox import Firefox
from browser.walking import Demo
from hosts.conftest import Database, Recipes
from hosts.looks import DESKTOP, PHONE, gives_from, in_chromium, in_firefox, press_in_frame, presses_in_firefox, reading
from hosts.wordpress import STORY, WordPress, wordpress
from playwright.sync_api import Browser, expect

THEMES = ["twentytwentyone", "twentytwentythree"]


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, database: Database, demo: Demo) -> Iterator[WordPress]:
    with wordpress(tmp_path_factory.mktemp("wordpress"), database, demo.app) as made:
        yield made


def read(address: str) -> str:
    with urlopen(address, timeout=30) as answer:
        return str(answer.read().decode())


def sources(html: str) -> list[str]:
    """The addresses of our frames on a page."""
    return [unescape(one) for one in re.findall(r'<iframe[^>]* src="([^"]*/embed/[^"]*)"', html)]


@pytest.fixture(scope="module")
def plugged(site: WordPress, recipes: Recipes, browser: Browser) -> WordPress:
    """With the plugin, as an administrator installs it by hand from the file of the page of snippets."""
    page = site.signs_in(browser, "admin")
    page.goto(f"{site.url}/wp-admin/plugin-install.php?tab=upload")
    page.locator("input[type=file]").set_input_files(recipes.plugin)
    page.get_by_role("button", name="Install Now").click()
    page.get_by_role("link", name="Activate Plugin").click()
    expect(page.get_by_text("Plugin activated.")).to_be_visible()
    page.get_by_role("row", name="Pledgebar").get_by_role("link", name="Settings").click()
    box = page.get_by_label("Show the bar above and below every post")
    expect(box).not_to_be_checked()
    box.check()
    page.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_text("Settings saved.")).to_be_visible()
    expect(box).to_be_checked()
    page.context.close()
    return site


# --- Without the plugin -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_a_pasted_address_becomes_the_bar_without_the_plugin(
    theme: str, site: WordPress, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.wears(theme)
    pasted = recipes.codes["Address"].replace("pos=top", "src=pasted&pos=top")
    address = site.writes(f"{STORY}\n\n<!-- wp:embed {{\"url\":\"{pasted}\"}} --><figure class=\"wp-block-embed\">"
                          f"<div class=\"wp-block-embed__wrapper\">\n{pasted}\n</div></figure><!-- /wp:embed -->\n{STORY}")
    for width in (PHONE, DESKTOP):
        seen = in_chromium(browser, address, width, frames_there=1, shot=f"/tmp/hosts-wp-pasted-{theme}-{width}.png")
        print(theme, width, seen)
        print(in_firefox(firefox, address, width))
