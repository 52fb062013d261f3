"""The texts of the editors' pages: every one can be translated, apart from those of supporters, and stays English until it is."""

import ast
import re
from collections.abc import Iterator
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from babel.messages.catalog import Catalog
from babel.messages.extract import extract_from_dir
from babel.messages.frontend import parse_keywords, parse_mapping_cfg
from babel.messages.mofile import write_mo
from babel.messages.pofile import read_po
from flask import Flask
from jinja2 import Environment, nodes
from web_admin import Editor, hidden_in

from tracker.giving.bar_words import TRANSLATIONS
from tracker.paths import TEMPLATES
from tracker.web import languages
from tracker.web.admin.embed_check import Ours, check
from tracker.web.admin.page_fetcher import Fetched

ROOT = Path(__file__).parent.parent
ADMIN = ROOT / "tracker" / "web" / "admin"
PAGES = [TEMPLATES / "_forms.html", *sorted((TEMPLATES / "admin").glob("*.html"))]
# One speaks with whoever runs the server, through commands; the other writes HTML for other sites.
FOR_OTHERS = {"accounts.py", "snippet_code.py"}
MODULES = [path for path in sorted(ADMIN.rglob("*.py")) if path.name not in FOR_OTHERS]
MARKED = {"_", "gettext", "ngettext", "lazy_gettext", "Refusal"}


def found_in_code() -> dict[Any, list[str]]:
    with (ROOT / "editors.cfg").open(encoding="utf-8") as file:
        methods, options = parse_mapping_cfg(file)
    keywords = parse_keywords(["_", "gettext", "ngettext:1,2", "lazy_gettext", "Refusal"])
    found: dict[Any, list[str]] = {}
    for name, _, words, *_ in extract_from_dir(ROOT, methods, options, keywords):
        found.setdefault(words, []).append(name)
    return found


def of(name: str) -> Catalog:
    with (TRANSLATIONS / name).open("rb") as file:
        return read_po(file)


def test_every_text_for_editors_stands_in_their_own_catalogue() -> None:
    """Else run `make translations`."""
    found, written = set(found_in_code()), {one.id for one in of("editors.pot") if one.id}
    assert found == written
    assert len(written) > 300


def test_supporters_catalogues_have_nothing_that_only_editors_read() -> None:
    for one in of("messages.pot"):
        assert not [place for place, _ in one.locations if "admin/" in place or "_forms" in place], one.id


# --- Nothing is forgotten ---------------------------------------------------------------------------------------------

# Names of things, which are the same in every language.
NAMES = {
    "Pledgebar",
    "CSV",
    "JSON",
    "Aa",
    "Ghost",
    "Wagtail",
    "Drupal",
    "JSON Lines",
    "Donorbox",
    "Givebutter",
    "GiveWP",
}
SHOWN = {"alt", "aria-label", "label", "placeholder", "title"}


class Words(HTMLParser):
    """What is written in a template between its tags and in attributes that people read or hear."""

    def __init__(self, source: str) -> None:
        super().__init__()
        self.found: list[str] = []
        self.inside: list[str] = []
        # Expressions stand for words that come from elsewhere, statements for none.
        self.feed(re.sub(r"\{[{%#].*?[}%#]\}", "", source, flags=re.DOTALL))

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found += [value or "" for name, value in attrs if name in SHOWN and re.search("[A-Za-z]", value or "")]
        self.inside.append(tag)

    def handle_endtag(self, tag: str) -> None:
        while self.inside and self.inside.pop() != tag:
            pass

    def handle_data(self, data: str) -> None:
        if not {"code", "script", "style"} & set(self.inside):
            self.found += re.findall(r"[^\W\d_][^<>\n]*", data)


def is_text(words: str) -> bool:
    """Words for people: several, or one that begins with a capital."""
    return (
        bool(re.search(r"[A-Za-z]{2,}[,.:]? [A-Za-z]|^[A-Z][a-z]+[.:!?]?$", words.strip()))
        and words.strip() not in NAMES
    )


def unmarked_in(source: str) -> Iterator[str]:
    yield from (words for words in Words(source).found if words.strip() not in NAMES)
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    tree = environment.parse(source)
    marked = {
        id(one)
        for call in tree.find_all(nodes.Call)
        if isinstance(call.node, nodes.Name) and call.node.name in MARKED
        for one in call.find_all(nodes.Const)
    }
    yield from (
        one.value
        for one in tree.find_all(nodes.Const)
        if isinstance(one.value, str) and id(one) not in marked and is_text(one.value)
    )


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_every_text_of_a_page_is_marked(page: Path) -> None:
    assert list(unmarked_in(page.read_text(encoding="utf-8"))) == []


@pytest.mark.parametrize(
    "source",
    [
        "<p>Nobody is here.</p>", "<p>{{ name }} was here</p>", '<img alt="A cat">', "<b>Save</b>", '{{ field(x, "Save it") }}',
        '{{ "Show" if x else _("Hide") }}', '{% if x %}Please check:{% endif %}', '{{ "In " ~ currency }} such as',
    ],
)  # fmt: skip
def test_a_text_that_is_not_marked_is_found(source: str) -> None:
    assert list(unmarked_in(source))


def test_a_text_that_is_marked_is_not_taken_for_one_that_is_not() -> None:
    page = '<p class="hint">{{ _("Nobody is here, %(name)s.", name=name) }} <code>tracker sync</code></p>{{ f(type="text") }}'
    assert list(unmarked_in(page)) == []


# What looks like words for people and is not: names of headers and such.
NOT_TEXT = {
    "Accept", "Host", "User-Agent", "Connection", "Location", "Referer", "Referrer-Policy",
    "Etc", "Lax", "gzip, identity", "recovery code",
}  # fmt: skip


def texts_of(tree: ast.AST) -> Iterator[ast.Constant]:
    """Strings of a module that are neither marked nor documentation."""
    if isinstance(tree, ast.Call) and getattr(tree.func, "id", getattr(tree.func, "attr", "")) in MARKED:
        return
    for child in ast.iter_child_nodes(tree):
        # A string alone is a docstring, or one of an attribute.
        if isinstance(child, ast.Expr) and isinstance(child.value, ast.Constant):
            continue
        if isinstance(child, ast.Constant) and isinstance(child.value, str):
            yield child
        yield from texts_of(child)


def unmarked_of(source: str) -> list[str]:
    return [one.value for one in texts_of(ast.parse(source)) if is_text(one.value) and one.value not in NOT_TEXT]


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.name)
def test_every_text_of_a_module_is_marked(module: Path) -> None:
    assert unmarked_of(module.read_text(encoding="utf-8")) == []


@pytest.mark.parametrize(
    "source",
    [
        'flash("It is saved.")',
        'flash(f"{title} is saved.")',
        'StringField("Title", [Length(max=3)])',
        "x = ['No', 'Yes']",
    ],
)
def test_a_text_of_a_module_that_is_not_marked_is_found(source: str) -> None:
    assert unmarked_of(source)


def test_every_text_that_is_asked_for_in_code_is_found_by_those_who_collect_them() -> None:
    """They cannot see into f-strings, nor names that stand for a text."""
    known = {one if isinstance(one, str) else one[0] for one in found_in_code()}
    paths = [*MODULES, *(ROOT / "tracker" / "giving").rglob("*.py"), *(ROOT / "tracker" / "ledger").rglob("*.py")]
    for path in paths:
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            # A refusal brings its text along from where it was marked.
            if isinstance(node, ast.Call) and getattr(node.func, "id", "") in MARKED and node.args:
                words = node.args[0]
                if not (isinstance(words, ast.Attribute) and words.attr == "words"):
                    assert isinstance(words, ast.Constant), f"{path}:{node.lineno}"
                    assert words.value in known, f"{path}:{node.lineno}"


# --- A newsroom could translate them ----------------------------------------------------------------------------------

IN_GERMAN = {
    "Sign in": "Anmelden",
    "E-mail address": "E-Mail-Adresse",
    "The e-mail address or the password is wrong.": "E-Mail-Adresse oder Passwort ist falsch.",
    "Your account": "Ihr Konto",
    "Record an offline gift": "Eine Spende von Hand eintragen",
    "Amount": "Betrag",
    "How much was given?": "Wie viel wurde gegeben?",
    "“%(text)s” is not a date. Write it as 2021-05-14.": "„%(text)s“ ist kein Datum. Schreiben Sie es so: 2021-05-14.",
    "It must end after it starts.": "Es muss nach dem Anfang enden.",
    "The fee can be %(most)s %% of a gift at most.": "Die Gebühr kann höchstens %(most)s %% einer Spende sein.",
    "%(month)s: %(raised)s of %(goal)s": "%(month)s: %(raised)s von %(goal)s",
    ("%(num)s frame", "%(num)s frames"): ("%(num)s Rahmen", "%(num)s Rahmen"),
}


SETTINGS = {
    "title": "Newsroom", "once": "10", "minimum": "1", "maximum": "100", "locale": "en_US", "time_zone": "Europe/Berlin",
}  # fmt: skip


@pytest.fixture
def german(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app: Flask) -> Iterator[None]:
    """A catalogue of a few texts in a folder of its own, beside those of supporters."""
    here = tmp_path / "de" / "LC_MESSAGES"
    here.mkdir(parents=True)
    catalogue = Catalog(locale="de")
    for words, said in IN_GERMAN.items():
        catalogue.add(words, said)
    with (here / "editors.mo").open("wb") as file:
        write_mo(file, catalogue)
    (here / "editors.po").write_text(
        "\n\n".join(f'msgid "{words}"\nmsgstr "x"' for words in ("a", "b")), encoding="utf-8"
    )
    monkeypatch.setattr(languages, "TRANSLATIONS", tmp_path)
    babel = app.extensions["babel"]
    monkeypatch.setattr(babel, "translation_directories", [str(TRANSLATIONS), str(tmp_path)])
    monkeypatch.setitem(app.config, "SECURITY_I18N_DIRNAME", ["builtin", str(tmp_path)])
    domain = app.extensions["security"].i18n_domain
    monkeypatch.setattr(domain, "_translation_directories", [domain.translation_directories[0], str(tmp_path)])
    forget = [languages._languages_of_editors.cache_clear, languages.is_complete.cache_clear]
    caches = [babel.instance.domain_instance.cache, domain.cache]
    for clear in (*forget, *(cache.clear for cache in caches)):
        clear()
    yield
    for clear in (*forget, *(cache.clear for cache in caches)):
        clear()


@pytest.mark.usefixtures("german")
class TestWithACatalogue:
    def test_an_editor_whose_browser_wants_german_gets_it(self, app: Flask) -> None:
        editor = Editor(app)
        page = editor.opens("/admin/c/newsroom/offline", headers={"Accept-Language": "de-AT,de;q=0.9,en;q=0.5"}).text
        assert '<html lang="de">' in page
        assert "<h1>Eine Spende von Hand eintragen</h1>" in page
        assert '<label for="amount">Betrag</label>' in page
        # What is not translated stays English.
        assert "A cheque, cash, or a bank transfer." in page
        account = editor.opens("/admin/account", headers={"Accept-Language": "de"}).text
        assert "<h1>Ihr Konto</h1>" in account

    def test_so_are_errors_those_of_the_rules_and_those_of_the_sign_in(self, app: Flask) -> None:
        editor = Editor(app)
        german = {"Accept-Language": "de"}
        address = "/admin/c/newsroom/offline"
        page = editor.opens(address, headers=german).text
        sent = {
            "csrf_token": re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', page)[0],
            "date": "yesterday",
        }
        page = editor.browser.post(address, data=sent, headers=german).text
        assert "Betrag: Wie viel wurde gegeben?" in page
        assert "„yesterday“ ist kein Datum. Schreiben Sie es so: 2021-05-14." in page
        stranger = app.test_client()
        page = stranger.get("/admin/login", headers=german).text
        assert "<h1>Anmelden</h1>" in page
        assert '<label for="email">E-Mail-Adresse</label>' in page
        token = re.findall(r'name="csrf_token" type="hidden" value="([^"]+)"', page)[0]
        sent = {"csrf_token": token, "email": "x@example.org", "password": "wrong"}
        answer = stranger.post("/admin/login", data=sent, headers=german)
        assert "E-Mail-Adresse oder Passwort ist falsch." in answer.text

    def test_so_are_the_rules_of_campaigns_and_of_drives(self, app: Flask) -> None:
        editor = Editor(app)
        german = {"Accept-Language": "de"}
        wrong = [
            (
                "/admin/c/newsroom/drives/new/drive",
                {"name": "Summer", "amount": "1", "starts_at": "2098-05-14 18:00", "ends_at": "2098-05-14 17:00"},
                "Es muss nach dem Anfang enden.",
            ),
            (
                "/admin/c/newsroom/settings",
                SETTINGS | {"cover_percent": "21"},
                "Die Gebühr kann höchstens 20 % einer Spende sein.",
            ),
        ]
        for address, typed, said in wrong:
            page = editor.opens(address, headers=german).text
            answer = editor.browser.post(address, data=hidden_in(page) | typed, headers=german)
            assert answer.status_code == 422
            assert said in answer.text

    def test_what_is_emphasised_in_a_sentence_stays_so(self, app: Flask) -> None:
        page = Editor(app).opens("/admin/c/newsroom/months/2021-05", headers={"Accept-Language": "de"}).text
        assert re.findall("<h1>.*</h1>", page) == [
            '<h1>May 2021: <span class="figure">0 $</span> von <span class="figure">5,000 $</span></h1>'
        ]

    def test_counts_have_their_plural(self, app: Flask) -> None:
        frame = '<iframe src="http://give.example/embed/newsroom?src=x&amp;pos=top" title="T" height="200"></iframe>'
        ours = Ours("http://give.example", "newsroom", ["newsroom"], "*")
        with app.test_request_context("/admin/", headers={"Accept-Language": "de"}):
            told = [one.words for one in check(Fetched("http://news.example/", frame * 2), ours)]
        assert "2 Rahmen" in told[0]

    def test_everybody_else_gets_english(self, app: Flask) -> None:
        for wish in ("fr", "", "en-GB,de;q=0.5"):
            page = app.test_client().get("/admin/login", headers={"Accept-Language": wish} if wish else {}).text
            assert '<html lang="en">' in page
            assert "<h1>Sign in</h1>" in page


def test_a_browsers_wish_changes_nothing_while_there_is_no_catalogue(app: Flask) -> None:
    page = app.test_client().get("/admin/login", headers={"Accept-Language": "de"}).text
    assert '<html lang="en">' in page
    assert "<h1>Sign in</h1>" in page
