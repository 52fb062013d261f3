"""The plugin for WordPress as the page of snippets hands it out. `make test-hosts` tries it in WordPress itself."""

import io
import re
import subprocess
import zipfile
from dataclasses import replace
from typing import Any

import pytest
from actors import NEWSROOM, each
from flask import Flask
from web.test_snippets import codes, elements
from web_admin import Editor

from tracker.ledger import campaigns
from tracker.ledger.store import writing

GIVE = "http://127.0.0.1:5000"
SNIPPETS = "/admin/c/newsroom/snippets"


def unpacked(editor: Editor, query: str = "") -> str:
    """The plugin's one file, once PHP has read it and found nothing wrong."""
    answer = editor.opens(f"/admin/c/newsroom/wordpress.zip{query}")
    assert answer.status_code == 200
    assert answer.headers["Content-Type"] == "application/zip"
    assert answer.headers["Content-Disposition"] == "attachment; filename=pledgebar.zip"
    with zipfile.ZipFile(io.BytesIO(answer.data)) as archive:
        assert archive.namelist() == ["pledgebar/pledgebar.php"]
        assert archive.infolist()[0].external_attr >> 16 == 0o644
        php = archive.read("pledgebar/pledgebar.php")
    read = subprocess.run(["php", "-l"], input=php, capture_output=True, check=False)
    assert read.returncode == 0, read.stdout.decode()
    return php.decode()


def constants(php: str) -> dict[str, Any]:
    """What is written at the top of the file, as PHP reads it."""
    found: dict[str, Any] = {}
    for name, text, number in re.findall(
        r"^const (\w+) += (?:'((?:[^'\\]|\\.)*)'|(\d+));$", php, re.MULTILINE | re.DOTALL
    ):
        found[name.removeprefix("PLEDGEBAR_")] = int(number) if number else re.sub(r"\\(['\\])", r"\1", text)
    return found


@pytest.fixture
def editor(app: Flask) -> Editor:
    return Editor(app)


def test_it_has_this_newsrooms_address_and_campaign_in_it(editor: Editor) -> None:
    php = unpacked(editor)
    assert php.startswith("<?php\n/**\n * Plugin Name:       Pledgebar\n")
    assert " * License:           MIT\n" in php
    made = constants(php)
    assert (made["ADDRESS"], made["CAMPAIGN"], made["BUTTON"]) == (GIVE, "newsroom", "Support us")
    assert (made["FRAME"], made["PICTURE"], made["PICTURE_WIDTH"]) == ("", "size=s&mail=1&scale=2", 320)


def test_its_frame_is_the_one_of_the_page_of_snippets_in_the_chosen_style(editor: Editor) -> None:
    query = "?theme=dark&accent=b3261e&size=l&lang=de&days=1"
    made = constants(unpacked(editor, query))
    (_, box), (_, frame) = elements(codes(editor.opens(SNIPPETS + query).text)["Above the article"])
    assert (made["BOX_STYLE"], made["FRAME_STYLE"], made["FRAME_HEIGHT"]) == (
        box["style"],
        frame["style"],
        int(frame["height"]),
    )
    assert made["FRAME"] == "theme=dark&accent=b3261e&size=l&lang=de&days=1"
    # Feeds are shown on white, as wide as a phone.
    assert made["PICTURE"] == "accent=b3261e&size=s&lang=de&days=1&mail=1&scale=2"
    assert made["BUTTON"] == "Unterstützen"


def test_the_page_of_snippets_offers_it_in_the_chosen_style(editor: Editor) -> None:
    page = editor.opens(f"{SNIPPETS}?theme=dark&size=l").text
    assert 'href="/admin/c/newsroom/wordpress.zip?theme=dark&amp;size=l"' in page


@each("query", ["?theme=x&size=%27&accent=%27%3B&lang=%5C", "?accent=zzzzzz&days=2", "?%27=%27"])
def test_what_is_out_of_range_is_the_default_and_never_code(editor: Editor, query: str) -> None:
    assert constants(unpacked(editor, query)) == constants(unpacked(editor))


@each("address", ["https://give.example.org/it's", "https://give.example.org/*/?><?php echo 1; \\"])
def test_an_address_is_a_string_whatever_is_in_it(editor: Editor, app: Flask, address: str) -> None:
    app.extensions["settings"] = replace(app.extensions["settings"], public_url=address)
    php = unpacked(editor)
    assert constants(php)["ADDRESS"] == address
    # And nowhere else, such as in a comment that it could end.
    assert php.count("give.example.org") == 1


def test_it_is_of_the_campaign_whose_page_it_is_on_and_for_editors_alone(editor: Editor, app: Flask) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="zeitung", locale="de_DE"))
    with zipfile.ZipFile(io.BytesIO(editor.opens("/admin/c/zeitung/wordpress.zip").data)) as archive:
        made = constants(archive.read("pledgebar/pledgebar.php").decode())
    assert (made["CAMPAIGN"], made["BUTTON"]) == ("zeitung", "Unterstützen")
    assert editor.opens("/admin/c/nobody/wordpress.zip").status_code == 404
    assert app.test_client().get("/admin/c/newsroom/wordpress.zip").status_code == 302
