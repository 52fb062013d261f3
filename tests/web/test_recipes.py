"""The recipes on the page of snippets: this newsroom's own address in each. `make test-hosts` follows them on real systems."""

import re
import subprocess
from html import unescape
from pathlib import Path

import pytest
from actors import each
from flask import Flask
from web.test_snippets import codes
from web_admin import Editor

GIVE = "http://127.0.0.1:5000"
PAGE = "/admin/c/newsroom/snippets"
DOCS = Path(__file__).parents[2] / "docs"


@pytest.fixture
def editor(app: Flask) -> Editor:
    return Editor(app)


def recipes(page: str) -> dict[str, str]:
    """Every recipe's code by its name, as it is copied."""
    found = re.findall(r'aria-label="Copy the code: ([^"]*)".*?<code>(.*?)</code>', page, re.DOTALL)
    return {unescape(name): unescape(code) for name, code in found}


# Each system's name for the article's id, and for its address as part of another one.
PLACEHOLDERS = {
    "post.hbs": ("{{slug}}", '{{encode (url absolute="true")}}'),
    "Template": ("{{ page.pk }}", '{{ page.full_url|urlencode:"" }}'),
    "single.html": ("{{ .File.ContentBaseName }}", "{{ .Permalink }}"),
    "node--article.html.twig": ("{{ node.id }}", ""),
    "Template with frames": ("ARTICLE", ""),
}


def test_each_recipe_has_two_frames_with_the_systems_own_name_for_the_article(editor: Editor) -> None:
    page = editor.opens(PAGE).text
    snippets, found = codes(page), recipes(page)
    for name, (article, back) in PLACEHOLDERS.items():
        for pos, snippet in {"top": "Above the article", "bottom": "Below the article"}.items():
            source = f"src={article}" + (f"&amp;back={back}" if back else "")
            frame = snippets[snippet].replace("?pos=", f"?{source}&amp;pos=")
            assert frame in found[name], name
            assert pos in frame
    assert snippets["Above the article"] in found["Above “Post Content”"]
    assert snippets["Below the article"] in found["Below “Post Content”"]
    assert f'"endpoint": "{GIVE}/oembed"' in found["Settings"]
    assert r"127\.0\.0\.1:5000/(?:c|embed|go)/" in found["Settings"]
    assert f'iframe[src^="{GIVE}/embed/"]' in found["Style sheet"]
    assert f"{GIVE}/go/newsroom?src=newsletter" in found["HTML card for the newsletter"]
    for name in ("functions.php", "Site footer"):
        assert found[name].count("src=ARTICLE") >= 2
        assert found[name].count(f"{GIVE}/embed/newsroom?") == 2


def test_the_chosen_style_is_in_every_recipe(editor: Editor) -> None:
    found = recipes(editor.opens(f"{PAGE}?theme=dark&size=l&src=ferry").text)
    for name, code in found.items():
        if name in ("Settings", "Style sheet"):
            continue
        # The article is the system's to say, and not the one that somebody looks at just now.
        assert "ferry" not in code, name
        assert "theme=dark" in code, name
        assert "size=l" in code, name
    # One of them is a program, and goes at the end of a file that is one already.
    php = subprocess.run(
        ["php", "-l"], input="<?php\n" + found["functions.php"], capture_output=True, text=True, check=False
    )
    assert php.returncode == 0, php.stdout


@each("text", ["</code><script>", '"><b>', "{{ 7 * 7 }}"])
def test_whatever_is_asked_for_is_text_in_a_recipe(editor: Editor, text: str) -> None:
    usual = recipes(editor.opens(PAGE).text)
    assert (
        recipes(editor.opens(PAGE, query_string={"theme": text, "accent": text, "src": text, "lang": text}).text)
        == usual
    )


def test_the_paper_names_every_system_and_says_what_was_not_tried(editor: Editor) -> None:
    paper = (DOCS / "recipes.md").read_text(encoding="utf-8")
    systems = [unescape(name) for name in re.findall(r"<summary>([^<]+)</summary>", editor.opens(PAGE).text)]
    assert len(systems) == 7
    for name in systems:
        assert f"\n## {name}\n" in paper
    assert "not tried" in paper.split("\n## Drupal\n")[1].split("\n## ")[0]
