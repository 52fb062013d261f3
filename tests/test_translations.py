"""The catalogues: no text of a page without an entry, no entry that loses what it must say, nothing compiled that is old."""

import ast
import gettext
import io
import re
from pathlib import Path

import pytest
from babel.messages.catalog import Catalog, Message
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po

from tracker.giving.bar_words import TRANSLATIONS
from tracker.web import languages
from tracker.web.languages import is_complete

ROOT = Path(__file__).parent.parent
LANGUAGES = sorted(path.parent.parent.name for path in TRANSLATIONS.glob("*/LC_MESSAGES/messages.po"))
# The same as in the Makefile.
OUR_KEYWORDS = ["lazy_gettext", "say:2", "say_count:2,3"]


def catalogue(path: Path) -> Catalog:
    with path.open("rb") as file:
        return read_po(file)


def of(language: str) -> Catalog:
    return catalogue(TRANSLATIONS / language / "LC_MESSAGES" / "messages.po")


def messages(found: Catalog) -> list[Message]:
    return [message for message in found if message.id]


def ids(found: Catalog) -> set[object]:
    return {message.id for message in messages(found)}


def forms(message: Message) -> tuple[str, ...]:
    return message.string if isinstance(message.string, tuple) else (message.string,)


def placeholders(text: str) -> set[str]:
    return set(re.findall(r"%\(\w+\)s", text))


TEMPLATE = catalogue(TRANSLATIONS / "messages.pot")


def test_every_text_stands_in_the_catalogues() -> None:
    """Else run `make translations`, and translate what is new."""
    with (ROOT / "babel.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    keywords = parse_keywords(["_", "gettext", "ngettext:1,2", *OUR_KEYWORDS])
    found = {one[2] for one in extract_from_dir(ROOT, methods, options, keywords)}
    assert found == ids(TEMPLATE)
    for language in LANGUAGES:
        assert ids(of(language)) == ids(TEMPLATE), language


def test_every_text_that_is_asked_for_in_code_is_found_by_those_who_collect_them() -> None:
    """They cannot see into f-strings, nor names that stand for a text."""
    asked = {"_": 0, "gettext": 0, "ngettext": 0, "lazy_gettext": 0, "say": 1, "say_count": 1}
    known = {one if isinstance(one, str) else one[0] for one in ids(TEMPLATE)}
    for path in (*(ROOT / "tracker" / "giving").rglob("*.py"), *(ROOT / "tracker" / "web").rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # Those of editors are in tests/test_editors_texts.py.
            if not isinstance(node, ast.Call) or path.name == "bar_words.py" or "admin" in path.parts:
                continue
            name = getattr(node.func, "id", getattr(node.func, "attr", ""))
            if name in asked and isinstance(node.args[0], ast.Constant | ast.Attribute | ast.Name):
                words = node.args[asked[name]]
                assert isinstance(words, ast.Constant), f"{path}:{node.lineno}"
                assert words.value in known, f"{path}:{node.lineno}"


@pytest.mark.parametrize("language", LANGUAGES)
def test_a_language_of_pages_is_complete(language: str) -> None:
    """Who changes a sentence changes it in every language: with one missing, all pages in that language would be in English."""
    for message in messages(of(language)):
        assert all(forms(message)), message.id
        assert not message.fuzzy, message.id
    assert is_complete(language)


@pytest.mark.parametrize(("said", "complete"), [('"Spende"', True), ('""', False)])
def test_a_language_with_a_gap_is_not_complete(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, said: str, complete: bool
) -> None:
    folder = tmp_path / "xx" / "LC_MESSAGES"
    folder.mkdir(parents=True)
    entry = f'msgid "gift"\nmsgid_plural "gifts"\nmsgstr[0] "Spende"\nmsgstr[1] {said}\n'
    (folder / "messages.po").write_text(entry, encoding="utf-8")
    monkeypatch.setattr(languages, "TRANSLATIONS", tmp_path)
    assert is_complete.__wrapped__("xx") is complete


@pytest.mark.parametrize("language", LANGUAGES)
class TestEachLanguage:
    def test_says_everything_that_the_bar_does(self, language: str) -> None:
        of_the_bar = [one for one in messages(TEMPLATE) if "tracker/giving/bar.py" in dict(one.locations)]
        assert len(of_the_bar) == 9
        for message in of_the_bar:
            assert all(forms(of(language)[message.id])), message.id

    def test_keeps_what_is_filled_in(self, language: str) -> None:
        for message in messages(of(language)):
            wanted = placeholders(message.id if isinstance(message.id, str) else message.id[1])
            for text in forms(message):
                assert not text or placeholders(text) == wanted, message.id
                assert text.count("%") == len(re.findall(r"%\(\w+\)s", text)), message.id

    def test_is_compiled_as_it_is_written(self, language: str) -> None:
        """Else run `make translations`."""
        written, path = io.BytesIO(), TRANSLATIONS / language / "LC_MESSAGES" / "messages.mo"
        write_mo(written, of(language))
        assert path.read_bytes() == written.getvalue()
        written.seek(0)
        assert gettext.GNUTranslations(written).gettext("Support us") == of(language)["Support us"].string
