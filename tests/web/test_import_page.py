"""An editor brings past gifts in: looks first, sees why a row is refused, and records."""

import io
from html import unescape
from typing import Any

import pytest
from actors import NEWSROOM
from flask import Flask
from web_admin import Editor

from tracker.giving.months import parse_month
from tracker.ledger import imports, results
from tracker.ledger.store import reading
from tracker.web.admin import import_page

PAGE = "/admin/c/newsroom/import"
GIVEWP = (
    "Donation ID,Donation Total,Donation Status,Donation Date\n71,25.00,Complete,2021-05-14\n72,x,Complete,2021-05-15\n"
)


@pytest.fixture
def editor(app: Flask) -> Editor:
    return Editor(app)


def raised() -> int:
    with reading() as session:
        return results.result(session, NEWSROOM, parse_month("2021-05"), False).sums.raised


def test_looking_first_and_then_recording_what_can_be(editor: Editor) -> None:
    looked = editor.sends(PAGE, file=(io.BytesIO(GIVEWP.encode()), "gifts.csv"), whose="givewp", do="check")
    text = unescape(looked.text)
    assert "1 gift would be recorded" in text
    assert "“x” is not an amount in USD: write it as 10 or 12.50." in text
    assert raised() == 0
    # The file travels with the page.
    refused = editor.sends(PAGE, text=GIVEWP, whose="givewp", do="record")
    assert "1 gift would be recorded" in refused.text
    assert raised() == 0
    done = editor.sends(PAGE, text=GIVEWP, whose="givewp", do="record", skip="y")
    assert "1 gift is recorded" in done.text
    assert raised() == 2500
    again = editor.sends(PAGE, text=GIVEWP, whose="givewp", do="check")
    assert "1 is already in the ledger." in again.text


def test_a_file_of_another_make_and_its_choices_kept_under_a_name(editor: Editor) -> None:
    text = "Created;Sum\n14.05.2021;1.250,50\n"
    choices = {
        "columns": "system=shop,date=Created,amount=Sum",
        "date_format": "%d.%m.%Y",
        "numbers": "comma",
        "kind": "once",
    }
    looked = editor.sends(PAGE, text=text, do="check", save="Our shop", **choices)
    assert "1,250.50 $" in looked.text
    with reading() as session:
        assert list(imports.saved_maps(session, NEWSROOM)) == ["Our shop"]
    assert 'value="saved:Our shop"' in editor.opens(PAGE).text
    assert "1 gift is recorded" in editor.sends(PAGE, text=text, whose="saved:Our shop", do="record").text
    assert raised() == 125_050


@pytest.mark.parametrize(
    ("fields", "words"),
    [
        ({}, "Choose a file."),
        ({"file": b"\xff\xfe"}, "not in UTF-8"),
        ({"file": b"x" * 400_001}, "too large for this page"),
        ({"text": "a,b\n1,2\n", "whose": "givewp"}, "There must be one column “Donation"),
        ({"text": "date,amount\n"}, "There are no gifts in this file."),
        ({"text": "date,amount\n2021-05-14,5\n", "columns": "date"}, "Write columns as date=Created"),
    ],
)
def test_what_cannot_be_read_is_said_on_the_page(editor: Editor, fields: dict[str, Any], words: str) -> None:
    if "file" in fields:
        fields = fields | {"file": (io.BytesIO(fields["file"]), "a.csv")}
    answer = editor.sends(PAGE, do="check", **fields)
    assert answer.status_code == 422
    assert words in unescape(answer.text)


def test_every_ready_map_is_offered(editor: Editor) -> None:
    page = editor.opens(PAGE).text
    assert all(f'value="{name}"' in page for name in import_page.READY)
