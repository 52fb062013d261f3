"""WordPress with the plugin and without it, with a classic and a block theme, by its administrator, an editor and an author."""

import re
from collections.abc import Iterator
from html import unescape
from urllib.parse import quote
from urllib.request import urlopen

import pytest
from browser.firefox import Firefox
from browser.walking import Demo
from hosts.conftest import Database, Recipes
from hosts.looks import DESKTOP, PHONE, gives_from, looks_right, press_in_frame, presses_in_firefox, reading
from hosts.wordpress import STORY, WordPress, php_string, wordpress
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


def embed(address: str) -> str:
    """What an address on a line of its own is, once the editor has made a block of it."""
    return (
        f'<!-- wp:embed {{"url":"{address}"}} -->\n<figure class="wp-block-embed"><div class="wp-block-embed__wrapper">'
        f"\n{address}\n</div></figure>\n<!-- /wp:embed -->"
    )


def child_of(site: WordPress, theme: str, functions: str) -> str:
    """A theme that stands on another one, as somebody makes it who wants to keep their changes."""
    folder = site.folder / "wp-content" / "themes" / f"{theme}-child"
    folder.mkdir()
    (folder / "style.css").write_text(f"/*\nTheme Name: Child of {theme}\nTemplate: {theme}\n*/\n")
    (folder / "functions.php").write_text(f"<?php\n{functions}\n")
    return folder.name


# --- Without the plugin -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_a_pasted_address_becomes_the_bar(
    theme: str, site: WordPress, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.wears(theme)
    pasted = recipes.codes["Address"].replace("pos=top", "src=pasted&pos=top")
    address = site.writes(f"{STORY}\n\n{embed(pasted)}\n\n{STORY}")
    # WordPress puts the frames of strangers into a sandbox, and gives those that ask for room 200 pixels at least.
    assert 'sandbox="allow-scripts"' in read(address)
    # It is as wide as the column, and its place is not kept while it loads.
    looks_right(browser, firefox, address, bars=1, narrow=200, widest=650, most_shift=0.15)
    with reading(browser, address) as page:
        gives_from(page, demo, press=press_in_frame(0), src="pasted", pos="top", back=False)


def test_an_author_loses_a_frame_and_an_editor_keeps_it(site: WordPress, recipes: Recipes) -> None:
    frame = f"<!-- wp:html -->\n{recipes.codes['Above the article']}\n<!-- /wp:html -->"
    for user, kept in {"contributor": False, "author": False, "editor": True, "admin": True}.items():
        address = site.writes(STORY + frame, user=user, post_status="publish")
        assert ("<iframe" in site.stored(address)) == kept, user


@pytest.mark.parametrize("theme", THEMES)
def test_a_child_theme_puts_it_around_every_post(
    theme: str, site: WordPress, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.wears(child_of(site, theme, recipes.codes["functions.php"]))
    address = site.writes(STORY, post_title=f"A ferry in {theme}")
    number = site.number(address)
    top, bottom = sources(read(address))
    assert f"src={number}&back=" in top
    assert (top.rpartition("&pos=")[2], bottom.rpartition("&pos=")[2]) == ("top", "bottom")
    looks_right(browser, firefox, address)
    assert not sources(read(site.url))
    with reading(browser, address) as page:
        gives_from(page, demo, press=press_in_frame(1), src=number, pos="bottom", back=True)
    site.wears(theme)


def test_a_block_theme_has_it_in_its_template(
    site: WordPress, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    site.wears("twentytwentythree")
    above, below = recipes.codes["Above “Post Content”"], recipes.codes["Below “Post Content”"]
    made = site.php(
        "$template = get_block_template( 'twentytwentythree//single' );"
        " preg_match( '#<!-- wp:post-content .*?/-->#', $template->content, $found );"
        f" $content = str_replace( $found[0], {php_string(above)} . $found[0] . {php_string(below)}, $template->content );"
        "$made = wp_insert_post( wp_slash( array( 'post_type' => 'wp_template', 'post_name' => 'single', 'post_title' => 'Single',"
        " 'post_status' => 'publish', 'post_content' => $content ) ), true );"
        "wp_set_post_terms( $made, 'twentytwentythree', 'wp_theme' ); return $made;"
    )
    try:
        address = site.writes(STORY, post_title="A ferry in a template")
        assert [one.partition("?")[2] for one in sources(read(address))] == ["pos=top", "pos=bottom"]
        looks_right(browser, firefox, address)
        with reading(browser, address) as page:
            gives_from(page, demo, press=press_in_frame(0), src="", pos="top", back=False)
    finally:
        site.php(f"return wp_delete_post( {made}, true ) ? 1 : 0;")


# --- With it ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("theme", THEMES)
def test_every_post_has_it_above_and_below(
    theme: str, plugged: WordPress, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    plugged.wears(theme)
    address = plugged.writes(STORY, post_title=f"Plugged in {theme}")
    number = plugged.number(address)
    back = f"back={quote(address, safe='')}&src={number}"
    asked = [f"background=none&pos={pos}&{back}" for pos in ("top", "bottom")]
    assert [one.partition("?")[2] for one in sources(read(address))] == asked
    looks_right(browser, firefox, address)
    for at, pos in enumerate(("top", "bottom")):
        with reading(browser, address, (PHONE, DESKTOP)[at]) as page:
            gives_from(page, demo, press=press_in_frame(at), src=number, pos=pos, back=True)
    presses_in_firefox(firefox, address, demo, src=number, pos="top")
    assert plugged.complaints() == []


@pytest.mark.parametrize("theme", THEMES)
def test_lists_excerpts_searches_and_other_programs_get_the_post_alone(theme: str, plugged: WordPress) -> None:
    plugged.wears(theme)
    address = plugged.writes(STORY, post_title=f"Excerpt in {theme}")
    number = plugged.number(address)
    for path in ("/", "/?s=ferry", f"/wp-json/wp/v2/posts/{number}", "/author/author/", "/2026/"):
        assert "/embed/" not in read(plugged.url + path).replace("\\/", "/"), path
    # Not even on its own page, where a theme or a plugin may ask for the excerpt.
    excerpt = plugged.php(
        f"wp( 'p={number}' ); the_post(); return array( get_the_excerpt(), apply_filters( 'the_content', get_the_content() ) );"
    )
    assert excerpt[0].startswith("The ferry across the harbour")
    assert "iframe" not in excerpt[0]
    assert sources(excerpt[1])
    hidden = plugged.writes(STORY, post_title=f"Hidden in {theme}", post_password="secret")
    assert "/embed/" not in read(hidden)
    page = plugged.writes(STORY, user="admin", post_title=f"About {theme}", post_type="page")
    assert "/embed/" not in read(page)


def test_a_feed_has_a_linked_picture_with_the_sum_below_each_post(plugged: WordPress, demo: Demo) -> None:
    address = plugged.writes(f"{STORY}\n\n<!-- wp:pledgebar/bar /-->", post_title="In the feed")
    number = plugged.number(address)
    feed = read(f"{plugged.url}/feed/")
    whole = re.findall(r"<content:encoded><!\[CDATA\[(.*?)\]\]></content:encoded>", feed, re.DOTALL)[0]
    assert "<iframe" not in feed
    links, pictures = (
        re.findall(pattern, whole) for pattern in (r'<a href="([^"]*/go/[^"]*)"', r'<img [^>]*src="([^"]*)"')
    )
    # One for the block, one for the feed.
    assert len(links) == len(pictures) == 2
    assert unescape(links[-1]) == f"{demo.app}/go/newsroom?pos=feed&src={number}"
    with urlopen(unescape(pictures[-1])) as picture:
        assert picture.headers["Content-Type"] == "image/png"
    with urlopen(unescape(links[-1])) as page:
        assert page.url.startswith(demo.page_url)
    excerpts = re.findall(r"<description><!\[CDATA\[(.*?)\]\]></description>", feed, re.DOTALL)
    assert not [one for one in excerpts if "/go/" in one or "Support" in one]
    plugged.php("update_option( 'rss_use_excerpt', 1 ); return 1;")
    assert "/go/" not in read(f"{plugged.url}/feed/")
    plugged.php("update_option( 'rss_use_excerpt', 0 ); return 1;")


@pytest.fixture
def by_hand(plugged: WordPress) -> Iterator[WordPress]:
    """With the plugin, but not in every post."""
    for everywhere in ("false", "true"):
        plugged.php(
            f"update_option( 'pledgebar', array( 'everywhere' => {everywhere}, 'campaign' => 'newsroom' ) ); return 1;"
        )
        if everywhere == "false":
            yield plugged


@pytest.mark.parametrize("theme", THEMES)
def test_an_author_puts_it_where_they_want_it(
    theme: str, by_hand: WordPress, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    by_hand.wears(theme)
    pasted = recipes.codes["Address"]
    ways = {
        "block": '<!-- wp:pledgebar/bar {"pos":"bottom"} /-->',
        "shortcode": '<!-- wp:shortcode -->\n[pledgebar pos="bottom"]\n<!-- /wp:shortcode -->',
        "classic": '[pledgebar pos="bottom"]',
        "address": embed(pasted),
    }
    for name, way in ways.items():
        address = by_hand.writes(f"{STORY}\n\n{way}\n\n{STORY}", post_title=f"{name} in {theme}")
        html = read(address)
        assert "sandbox=" not in html
        if name != "address":
            (source,) = sources(html)
            assert f"src={by_hand.number(address)}" in source
            assert "pos=bottom" in source
        looks_right(browser, firefox, address, bars=1)


def test_the_editor_shows_the_block_and_an_author_saves_it(by_hand: WordPress, browser: Browser, demo: Demo) -> None:
    page = by_hand.signs_in(browser, "author")
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto(f"{by_hand.url}/wp-admin/post-new.php")
    page.wait_for_function("window.wp && wp.data && wp.data.select('core/editor').getCurrentPostId()")
    page.evaluate("wp.data.dispatch('core/preferences').set('core/edit-post', 'welcomeGuide', false)")
    page.evaluate("wp.data.dispatch('core/editor').editPost({title: 'By an author'})")
    page.get_by_role("button", name="Toggle block inserter").click()
    page.get_by_placeholder("Search").first.fill("Pledgebar")
    page.get_by_role("option", name="Pledgebar").click()
    picture = page.locator(".wp-block img[src*='/embed/newsroom.svg']")
    expect(picture).to_be_visible()
    assert picture.evaluate("one => one.complete && one.naturalWidth > 0")
    page.keyboard.press("Escape")
    picture.click()
    page.evaluate("wp.data.dispatch('core/edit-post').openGeneralSidebar('edit-post/block')")
    page.get_by_label("Below the article").check()
    assert (
        page.evaluate("wp.data.select('core/editor').getEditedPostContent()")
        == '<!-- wp:pledgebar/bar {"pos":"bottom"} /-->'
    )
    page.evaluate("wp.data.dispatch('core/editor').editPost({status: 'publish'})")
    page.evaluate("wp.data.dispatch('core/editor').savePost()")
    page.wait_for_function("wp.data.select('core/editor').didPostSaveRequestSucceed()")
    (source,) = sources(read(page.evaluate("wp.data.select('core/editor').getPermalink()")))
    assert "pos=bottom" in source
    page.context.close()
    assert wrong == []


def test_only_an_administrator_has_the_settings_and_a_wrong_campaign_is_refused(
    plugged: WordPress, browser: Browser
) -> None:
    address = f"{plugged.url}/wp-admin/options-general.php?page=pledgebar"
    for user in ("author", "editor"):
        page = plugged.signs_in(browser, user)
        page.goto(address)
        expect(page.get_by_text("Sorry, you are not allowed to access this page.")).to_be_visible()
        page.context.close()
    page = plugged.signs_in(browser, "admin")
    page.goto(address)
    page.get_by_label("Campaign").fill('News"><script>')
    page.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_text("Nothing was changed.")).to_be_visible()
    expect(page.get_by_label("Campaign")).to_have_value("newsroom")
    expect(page.get_by_label("Show the bar above and below every post")).to_be_checked()
    page.get_by_label("Campaign").fill("harbour")
    page.get_by_role("button", name="Save Changes").click()
    expect(page.get_by_text("Settings saved.")).to_be_visible()
    top, _ = sources(read(plugged.writes(STORY, post_title="Another campaign")))
    assert "/embed/harbour?" in top
    page.get_by_label("Campaign").fill("newsroom")
    page.get_by_role("button", name="Save Changes").click()
    page.context.close()


def test_deleted_it_leaves_nothing_behind(plugged: WordPress, browser: Browser) -> None:
    """The last test of this file: the site is as it was."""
    page = plugged.signs_in(browser, "admin")
    page.goto(f"{plugged.url}/wp-admin/plugins.php")
    page.locator("#deactivate-pledgebar").click()
    page.on("dialog", lambda dialog: dialog.accept())
    page.locator("#delete-pledgebar").click()
    expect(page.get_by_text("Pledgebar was successfully deleted.")).to_be_visible()
    page.context.close()
    left = plugged.php(
        "global $wpdb; return $wpdb->get_col( \"SELECT option_name FROM $wpdb->options WHERE option_name LIKE '%pledgebar%'"
        " OR ( option_name = 'uninstall_plugins' AND option_value LIKE '%pledgebar%' )\" );"
    )
    assert left == []
    assert not (plugged.folder / "wp-content" / "plugins" / "pledgebar").exists()
    assert plugged.complaints() == []
