from collections.abc import Iterator
import json
import pytest
from browser.walking import Demo
from hosts.conftest import Database, Recipes
from hosts.ghost import Ghost, ghost, html_card, paragraph
from hosts.looks import DESKTOP, PHONE, in_chromium
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def site(tmp_path_factory, database):
    with ghost(tmp_path_factory.mktemp("ghost"), database) as made:
        yield made

W = "The ferry across the harbour will run again from Monday, the port authority said on Thursday, after eleven weeks in dock. Commuters had to take the long way round."

def test_all(site, recipes, browser, demo):
    print(json.dumps(site.asks("GET", "themes/"))[:600])
    for f in (site.content/"themes").iterdir():
        print(f, (f/"post.hbs").read_text()[:3000])
    for theme in ("source", "casper"):
        site.turns_on(theme)
        post = site.post("HTML card "+theme, paragraph(W), html_card(recipes.codes["Above the article"]), paragraph(W))
        print(post["url"], post["slug"])
        for width in (PHONE, DESKTOP):
            print(in_chromium(browser, post["url"], width, frames_there=1, shot=f"/tmp/hosts-ghost-{theme}-card-{width}.png"))
        site.injects(recipes.codes["Site footer"])
        address = site.writes("Injected "+theme, paragraph(W), paragraph(W))
        for width in (PHONE, DESKTOP):
            print(in_chromium(browser, address, width, frames_there=2, shot=f"/tmp/hosts-ghost-{theme}-inject-{width}.png"))
        site.injects("")
        print(site.asks("GET", f"email_previews/posts/{post['id']}/").__repr__()[:200])
        site.uploads(theme, {r"\{\{content\}\}": recipes.codes["post.hbs"]})
        address = site.writes("Themed "+theme, paragraph(W), paragraph(W))
        for width in (PHONE, DESKTOP):
            print(in_chromium(browser, address, width, frames_there=2, shot=f"/tmp/hosts-ghost-{theme}-themed-{width}.png"))
