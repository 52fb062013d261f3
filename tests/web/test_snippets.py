"""The page of snippets: what is to be pasted, and the check of an article that is somebody's own server."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from html.parser import HTMLParser
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from actors import NEWSROOM, each, gift_fact
from flask import Flask, Response
from flask.testing import FlaskClient
from serving import serving
from web_admin import Editor
from werkzeug.test import Client

from tracker.giving.bar_style import HEIGHTS, NOTES_HEIGHT, SIZES, BarStyle, accent_in, frame_heights
from tracker.ledger import book, campaigns
from tracker.ledger.models import db
from tracker.ledger.store import writing
from tracker.web.admin import snippets
from tracker.web.admin.embed_check import Ours, check
from tracker.web.admin.page_fetcher import Fetched, fetch

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
PAGE = "/admin/c/newsroom/snippets"
GIVE = "http://127.0.0.1:5000"


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def editor(app: Flask) -> Editor:
    with writing() as connection:
        book.record(connection, gift_fact("cs_1", 34_000), NOW)
    return Editor(app)


def codes(page: str) -> dict[str, str]:
    """Every snippet on the page by its name, as it is copied."""
    found = re.findall(r'aria-label="Copy: ([^"]*)".*?<code>(.*?)</code>', page, re.DOTALL)
    return {unescape(name): unescape(code) for name, code in found}


class Elements(HTMLParser):
    """The elements of a snippet as a browser reads them."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, Any]]] = []
        self.feed(html)
        self.close()

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))


def elements(html: str) -> list[tuple[str, dict[str, Any]]]:
    return Elements(html).found


# --- What is to be pasted ---------------------------------------------------------------------------------------------


def test_there_is_a_snippet_for_each_carrier_in_this_order(editor: Editor) -> None:
    page = editor.opens(PAGE).text
    assert list(codes(page)) == [
        "Above the article", "Below the article", "Address", "Element and script", "Linked PNG", "Linked SVG",
        "Linked SVG on an AMP page", "Wall", "JSON", "One line of text", "QR code, SVG", "QR code, PNG",
    ]  # fmt: skip
    assert f'<a href="{PAGE}" aria-current="page">On your site</a>' in page


def test_the_frame_reserves_its_room_and_has_a_title_for_each_place(editor: Editor) -> None:
    found = codes(editor.opens(f"{PAGE}?src=ferry").text)
    (_, box), (_, top) = elements(found["Above the article"])
    bottom = elements(found["Below the article"])[1][1]
    assert top["src"] == f"{GIVE}/embed/newsroom?src=ferry&pos=top"
    assert bottom["src"] == f"{GIVE}/embed/newsroom?src=ferry&pos=bottom"
    assert top["title"] == "Support the newsroom: this month's goal (top of article)"
    assert bottom["title"] == "Support the newsroom: this month's goal (bottom of article)"
    assert (top["height"], top["loading"], top["referrerpolicy"]) == ("162", "lazy", "no-referrer")
    assert "width:100%;max-width:640px;height:clamp(108px,(420px - 100cqw)*999,162px)" in top["style"]
    assert "color-scheme:light" in top["style"]
    # The box has no width of its own, so that systems which keep an article's parts to a column do so with it.
    assert box["style"] == "container-type:inline-size"


def test_the_other_snippets_say_where_they_lead(editor: Editor) -> None:
    found = codes(editor.opens(f"{PAGE}?src=ferry&pos=bottom").text)
    assert found["Address"] == f"{GIVE}/c/newsroom?src=ferry&pos=bottom"
    go = f"{GIVE}/go/newsroom?src=ferry&pos=bottom"
    assert elements(found["Element and script"]) == [
        (
            "pledge-bar",
            {
                "src": f"{GIVE}/embed/newsroom?src=ferry&pos=bottom",
                "style": "display:block;min-height:clamp(108px,(452px - 100vw)*999,162px)",
            },
        ),
        ("a", {"href": go, "referrerpolicy": "no-referrer"}),
        ("script", {"src": f"{GIVE}/embed/bar.js", "referrerpolicy": "no-referrer", "async": None}),
    ]
    (paragraph, _), (_, link), (around, _), (_, wide), (_, png) = elements(found["Linked PNG"])
    assert (paragraph, around) == ("p", "picture")
    assert link == {"href": f"{GIVE}/go/newsroom?src=ferry", "referrerpolicy": "no-referrer"}
    letter = f"{GIVE}/embed/newsroom.png?"
    assert (png["src"], png["width"]) == (f"{letter}size=s&mail=1&scale=2&src=ferry", "320")
    assert (wide["srcset"], wide["width"]) == (f"{letter}mail=1&scale=2&src=ferry", "600")
    assert wide["media"] == "(min-width: 600px)"
    assert png["alt"] == "Support us. May 2021: 340 $ of 5,000 $"
    (_, _), (_, link), (_, _), (_, wide), (_, svg) = elements(found["Linked SVG"])
    assert link["href"] == go
    assert wide["srcset"] == f"{GIVE}/embed/newsroom.svg?src=ferry&pos=bottom"
    assert svg["src"] == f"{GIVE}/embed/newsroom.svg?size=s&src=ferry&pos=bottom"
    # It is no wider than the page, and has its room before it is there.
    assert (wide["width"], wide["height"]) == ("600", "108")
    assert (svg["width"], svg["height"], svg["style"]) == ("320", "160", "max-width:100%;height:auto")
    # A gift that comes by a letter can be told from one that comes by an article.
    assert f'"{GIVE}/go/newsroom?src=newsletter"' in codes(editor.opens(PAGE).text)["Linked PNG"]
    assert found["JSON"] == f"{GIVE}/embed/newsroom.json"
    assert found["One line of text"] == f"{GIVE}/embed/newsroom.txt"
    assert (found["QR code, SVG"], found["QR code, PNG"]) == (
        f"{GIVE}/embed/newsroom/qr.svg",
        f"{GIVE}/embed/newsroom/qr.png",
    )


# The attributes that the HTML standard has for these, as far as we use them, and what each may be.
NUMBER, ADDRESS, ANYTHING, NO_REFERRER = r"[0-9]+", r"http://[^ ]+", r"(?s).+", "no-referrer"
VALID = {
    "div": {"style": ANYTHING},
    "iframe": {
        "src": ADDRESS, "title": ANYTHING, "height": NUMBER, "loading": "lazy", "referrerpolicy": NO_REFERRER,
        "style": ANYTHING,
    },
    "pledge-bar": {"src": ADDRESS, "style": ANYTHING},
    "a": {"href": ADDRESS, "referrerpolicy": NO_REFERRER},
    "p": {},
    "picture": {},
    "source": {"media": r"\(min-width: [0-9]+px\)", "srcset": ADDRESS, "width": NUMBER, "height": NUMBER},
    "script": {"src": ADDRESS, "async": "", "referrerpolicy": NO_REFERRER},
    "img": {
        "src": ADDRESS, "alt": ANYTHING, "width": NUMBER, "height": NUMBER, "loading": "lazy", "style": ANYTHING,
        "referrerpolicy": NO_REFERRER,
    },
}  # fmt: skip


def test_every_snippet_is_valid_html_and_measures_nothing_by_the_pages_type(editor: Editor) -> None:
    found = codes(editor.opens(f"{PAGE}?src=ferry&theme=auto&count=1&committed=1").text)
    for name in ("Above the article", "Below the article", "Element and script", "Linked PNG", "Linked SVG"):
        assert elements(found[name])
        for tag, attributes in elements(found[name]):
            for attribute, value in attributes.items():
                assert re.fullmatch(VALID[tag][attribute], value or ""), f"{name}: {tag} {attribute}={value}"
        assert found[name].count("<") == found[name].count(">")
        assert not re.search(r"\d(rem|em|ex|ch)\b", found[name]), name
        # Every & begins a reference, as one that is followed by a name must.
        assert not re.search(r"&(?!amp;|quot;|lt;|gt;)", found[name]), name


# What AMP has for a picture and a link: tags of its own with a size and a layout that they say, and no style that is
# important (amp.dev/documentation/components/amp-img).
AMP = {
    "p": {},
    "a": {"href": ADDRESS, "rel": "noreferrer"},
    "amp-img": {
        "src": ADDRESS, "alt": ANYTHING, "width": NUMBER, "height": NUMBER, "layout": "intrinsic",
        "media": r"\((min|max)-width: [0-9]+px\)( and \(max-width: [0-9]+px\))?",
    },
}  # fmt: skip


@pytest.mark.parametrize(
    ("size", "windows"), [("s", [""]), ("m", ["600-", "-599"]), ("l", ["900-", "600-899", "-599"])]
)
def test_on_an_amp_page_one_picture_is_for_each_window(editor: Editor, size: str, windows: list[str]) -> None:
    code = codes(editor.opens(f"{PAGE}?src=ferry&size={size}").text)["Linked SVG on an AMP page"]
    for tag, attributes in elements(code):
        for attribute, value in attributes.items():
            assert re.fullmatch(AMP[tag][attribute], value or ""), f"{tag} {attribute}={value}"
    pictures = [attributes for tag, attributes in elements(code) if tag == "amp-img"]
    found = [one.get("media", "") for one in pictures]
    least, most = ([re.findall(rf"{end}-width: (\d+)", one) for one in found] for end in ("min", "max"))
    said = ["".join(low) + "-" * bool(low or high) + "".join(high) for low, high in zip(least, most, strict=True)]
    assert said == windows
    assert [one["width"] for one in pictures][-1] == "320"


def test_an_article_in_any_writing_is_named_in_every_snippet(editor: Editor, public: FlaskClient) -> None:
    news = quote("новости-дня")
    found = codes(editor.opens(f"{PAGE}?src={news}").text)
    for name in ("Above the article", "Address", "Element and script", "Linked PNG", "Linked SVG"):
        assert f"src={news}" in found[name]
        assert found[name].isascii() or name != "Address"
    assert f"/go/newsroom?src={news}&amp;pos=top" in public.get(f"/embed/newsroom?src={news}&pos=top").text
    led = public.get(f"/go/newsroom?src={news}&pos=top")
    assert led.headers["Location"] == f"/c/newsroom?src={news}&pos=top"


def test_the_background_is_chosen_as_ours_as_none_or_as_a_colour(editor: Editor, public: FlaskClient) -> None:
    for query, background, checked in (
        ("", "", "ours"),
        ("background=fff1e5", "fff1e5", "own"),
        ("background=none", "none", "none"),
        ("paper=own&background=%23FFF1E5", "fff1e5", "own"),
        ("paper=none&background=fff1e5", "none", "none"),
        ("paper=ours&background=fff1e5", "", "ours"),
        ("paper=own&background=", "", "own"),
    ):
        page = editor.opens(f"{PAGE}?{query}").text
        frame = elements(codes(page)["Above the article"])[1][1]["src"]
        assert (f"background={background}" in frame) if background else ("background" not in frame), query
        assert re.findall(r'<input checked[^>]*name="paper"[^>]*value="(\w+)"', page) == [checked], query
        assert ('data-paper="#fff1e5"' in page) is (background == "fff1e5")
    page = editor.opens(f"{PAGE}?paper=own&background=salmon").text
    assert "“salmon” is not a colour. Write it as #fff1e5." in unescape(page)
    assert "background" not in codes(page)["Above the article"]
    # A letter is read on any ground, so it always has a paper.
    assert "background" not in codes(editor.opens(f"{PAGE}?background=none").text)["Linked PNG"]
    assert "--paper:transparent" in public.get("/embed/newsroom?background=none").text
    assert "border-radius:99px" in public.get("/embed/newsroom?corners=round").text


def test_what_the_page_shows_of_the_bar_is_no_load(editor: Editor, app: Flask) -> None:
    app.extensions["bars"].look(NOW)
    reader = Client(app)
    page = editor.opens(f"{PAGE}?theme=dark&src=ferry").text
    shown = {unescape(one) for one in re.findall(r'src="(?:http://127.0.0.1:5000)?(/embed/newsroom[^"]*)"', page)}
    for address in shown:
        assert reader.get(address).status_code == 200
    assert {re.sub(r"\?.*", "", one) for one in shown} == {
        f"/embed/newsroom{one}" for one in ("", ".png", ".svg", "/qr.svg")
    }
    assert reader.get("/embed/newsroom.json?theme=dark&uncounted=1&draw=1").status_code == 200
    assert app.extensions["visits"]._counts == {}
    # It is the same answer, and kept once.
    assert not [key for key in app.extensions["responses"]._answers if "uncounted" in key[1]]
    reader.get("/embed/newsroom?theme=dark")
    assert sum(app.extensions["visits"]._counts.values()) == 1
    app.extensions["bars"].close()


def test_the_page_says_what_each_carrier_needs_of_a_sites_policy(editor: Editor) -> None:
    page = editor.opens(PAGE).text
    for words in (f"frame-src {GIVE}", f"script-src {GIVE}; connect-src {GIVE}", f"img-src {GIVE}"):
        assert f"it needs: <code>{words}</code>" in page


@pytest.fixture
def public(editor: Editor) -> FlaskClient:
    return editor.browser.application.test_client()


def test_a_link_that_chooses_an_amount_is_shown_and_does_so(editor: Editor, public: FlaskClient) -> None:
    shown = re.findall(r"that chooses an amount: <code>([^<]+)</code>", editor.opens(PAGE).text)
    assert [unescape(one) for one in shown] == [f"{GIVE}/go/newsroom?frequency=month&amount=10"]
    led = public.get("/go/newsroom?frequency=month&amount=10", follow_redirects=True).text
    assert re.findall(r'name="tier_month"[^>]*value="(\d+)" checked', led) == ["1000"]


def test_every_choice_reaches_the_address_and_the_preview(editor: Editor, public: FlaskClient) -> None:
    query = "theme=dark&accent=b3261e&size=l&lang=de&committed=1&count=1&days=1"
    page = editor.opens(f"{PAGE}?{query.replace('b3261e', '%23B3261E')}").text
    found = codes(page)
    frame = elements(found["Above the article"])[1][1]
    assert frame["src"] == f"{GIVE}/embed/newsroom?{query}&pos=top"
    assert frame["title"] == "Support the newsroom (1)"
    assert elements(found["Below the article"])[1][1]["title"] == "Support the newsroom (2)"
    assert "color-scheme:dark" in frame["style"]
    assert found["Address"] == f"{GIVE}/c/newsroom?{query}&pos=top"
    assert "Unterstützen" in found["Element and script"]
    assert f'src="/embed/newsroom?{query}&uncounted=1"'.replace("&", "&amp;") in page
    assert found["One line of text"] == f"{GIVE}/embed/newsroom.txt?lang=de&committed=1&count=1&days=1"
    shown = public.get(f"/embed/newsroom?{query}").text
    for words in (
        'class="l"',
        "color-scheme:dark",
        f"#{accent_in('dark', 'b3261e')}",
        "Unterstützen",
        "1 Spende",
        "noch 17 Tage",
    ):
        assert words in shown, words
    # And the form shows them as chosen.
    assert len(re.findall(r"<input checked\b", page)) == 8
    assert '<option lang="de" selected value="de">Deutsch</option>' in page
    assert 'value="#B3261E"' in page


@each(
    "query",
    [
        "theme=x&size=x&lang=xx&pos=x&src=%22%3E%3Cscript%3E&count=2",
        "accent=%22%3E%3Cscript%3E",
        "src=" + "x" * 999,
        "lang=%00",
        "",
    ],
)
def test_what_is_out_of_range_is_the_default_and_never_markup(editor: Editor, query: str) -> None:
    answer = editor.opens(f"{PAGE}?{query}")
    assert answer.status_code == 200
    assert "<script>" not in answer.text
    for code in codes(answer.text).values():
        assert "<script>" not in code
        assert "theme=" not in code
        assert len(code) < 800


@each(("accent", "says"), [("blue", "is not a colour. Write it as #1c4f82"), ("ffee00", "#ffee00 is too light")])
def test_a_colour_that_will_not_do_is_said_and_left_out(editor: Editor, accent: str, says: str) -> None:
    page = editor.opens(f"{PAGE}?accent={accent}").text
    assert says in page
    assert re.search(rf'aria-describedby="accent-hint accent-wrong" aria-invalid="true" [^>]*value="{accent}"', page)
    assert "accent" not in codes(page)["Above the article"]


def test_titles_are_text_in_every_snippet(editor: Editor) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, title='"Us" & <b>them</b>'))
    page = editor.opens(PAGE).text
    frame = elements(codes(page)["Above the article"])[1][1]
    assert frame["title"] == '"Us" & <b>them</b>: this month\'s goal (top of article)'
    assert "<b>them" not in page


def test_addresses_come_from_the_setting_and_never_from_the_request(editor: Editor) -> None:
    page = editor._asks("GET", PAGE, headers={"Host": "evil.example", "X-Forwarded-Host": "evil.example"}).text
    assert "evil.example" not in page


@pytest.mark.parametrize("size", SIZES)
def test_one_function_says_how_high_a_frame_is(size: str) -> None:
    wide, narrow = frame_heights(BarStyle(size=size))
    assert (wide, narrow) == HEIGHTS[size]
    assert wide < narrow
    one_line = {"committed": True}, {"count": True}, {"days": True}, {"count": True, "days": True}
    two_lines = {"committed": True, "days": True}, {"committed": True, "count": True, "days": True}
    for lines, looks in [(1, one) for one in one_line] + [(2, two) for two in two_lines]:
        more = lines * NOTES_HEIGHT[size]
        assert frame_heights(replace(BarStyle(size=size), **looks)) == (wide + more, narrow + more)


def test_the_paper_on_the_bar_has_the_same_heights() -> None:
    paper = (Path(__file__).parents[2] / "docs" / "embed.md").read_text(encoding="utf-8")
    for size, (wide, narrow) in HEIGHTS.items():
        assert f"| `{size}` | {wide} px | {narrow} px |" in paper


def test_only_this_page_may_show_frames_and_only_our_own(editor: Editor) -> None:
    policy = editor.opens(PAGE).headers["Content-Security-Policy"]
    assert "frame-src 'self'" in policy
    assert "connect-src 'self'" in policy
    assert "unsafe" not in policy
    for other in ("/admin/c/newsroom/", "/admin/c/newsroom/settings"):
        assert "frame-src" not in editor.opens(other).headers["Content-Security-Policy"]


class TestWhereOnlySomeSitesMayShowIt:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_EMBED_ON": "https://news.example"}

    def test_our_own_page_may_all_the_same(self, client: FlaskClient) -> None:
        policy = client.get("/embed/newsroom").headers["Content-Security-Policy"]
        assert "frame-ancestors https://news.example 'self'" in policy


# --- The check --------------------------------------------------------------------------------------------------------


def text_of(page: str) -> str:
    found = re.search(r'<section class="findings".*?</section>', page, re.DOTALL)
    return re.sub(r"\s+", " ", unescape(re.sub(r"<[^>]+>", " ", found[0]))) if found else ""


def paper(article: str, policy: str) -> Flask:
    """Somebody's own site with one article."""
    site = Flask("paper")

    @site.get("/article")
    def show() -> Response:
        return Response(article, headers={"Content-Security-Policy": policy})

    return site


def test_an_article_is_fetched_and_told_about(editor: Editor, app: Flask) -> None:
    found = codes(editor.opens(f"{PAGE}?src=ferry").text)
    with serving(paper(found["Above the article"] + found["Below the article"], f"frame-src {GIVE}")) as news:
        app.extensions["settings"] = replace(app.extensions["settings"], check_also=(news,))
        page = editor.sends(PAGE, article=f" {news}/article ").text
        told = text_of(page)
        assert "Good The bar is there: 2 frames of article “ferry” (top, bottom)." in told
        assert f"Looked at {news}/article" in told
        assert "Everything is in order." in told
        assert "Wrong" not in told
        assert f'value=" {news}/article "' in page or f'value="{news}/article"' in page
    with serving(paper(found["Above the article"], "default-src 'self'")) as news:
        app.extensions["settings"] = replace(app.extensions["settings"], check_also=(news,))
        told = text_of(editor.sends(PAGE, article=f"{news}/article").text)
        assert "Wrong The article's own Content-Security-Policy forbids the frame" in told
        assert "Check There is no bar below the article." in told
        assert "Everything is in order." not in told


def test_every_snippet_of_this_page_passes_the_check_of_this_page(editor: Editor) -> None:
    found = codes(editor.opens(f"{PAGE}?src=ferry&size=l&theme=dark&lang=de&committed=1&days=1").text)
    lower = codes(editor.opens(f"{PAGE}?src=ferry&size=l&theme=dark&lang=de&pos=bottom").text)
    ours = Ours(GIVE, "newsroom", ["newsroom"], "*")
    for html in (
        found["Above the article"] + found["Below the article"],
        found["Element and script"] + lower["Element and script"],
        found["Linked PNG"],
        found["Linked SVG"],
        found["Linked SVG on an AMP page"],
    ):
        assert [one.level for one in check(Fetched("http://news.example/ferry", html), ours)] == ["good"], html


def test_a_private_article_is_refused_unless_it_is_named(editor: Editor) -> None:
    with serving(paper("", "")) as news:
        told = text_of(editor.sends(PAGE, article=f"{news}/article").text)
    assert "Only the ports 80, 443, 8080, 8443 are asked" in told or "is not a public address" in told


@each("address", ["", "x" * 2001])
def test_what_cannot_be_an_address_is_said_by_the_field(editor: Editor, address: str) -> None:
    answer = editor.sends(PAGE, article=address)
    assert answer.status_code == 422
    assert 'id="article-wrong"' in answer.text


@each("address", ["nonsense", "ftp://news.example", "http://ana:secret@news.example/", "http://[::1"])
def test_an_address_that_cannot_be_fetched_is_said_in_words(editor: Editor, address: str) -> None:
    answer = editor.sends(PAGE, article=address)
    assert answer.status_code == 200
    assert text_of(answer.text).strip().startswith("Wrong ")


def test_nothing_of_the_database_is_held_while_a_stranger_takes_their_time(
    editor: Editor, monkeypatch: pytest.MonkeyPatch
) -> None:
    held: list[int] = []

    def slow(*_: Any, **__: Any) -> Fetched:
        held.append(db.engine.pool.checkedout())  # type: ignore[attr-defined]
        return Fetched("https://news.example/", "")

    before = db.engine.pool.checkedout()  # type: ignore[attr-defined]
    monkeypatch.setattr(snippets, "fetch", slow)
    assert "The bar is not in this page" in editor.sends(PAGE, article="https://news.example/").text
    assert held == [before]


def test_one_article_is_looked_at_at_a_time(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    told: list[str] = []

    def another(*_: Any, **__: Any) -> Fetched:
        told.append(text_of(editor.sends(PAGE, article="https://other.example/").text))
        return Fetched("https://news.example/", "")

    monkeypatch.setattr(snippets, "fetch", another)
    editor.sends(PAGE, article="https://news.example/")
    assert "Another article is being checked." in told[0]
    # And the next one may, also after one that could not be fetched.
    monkeypatch.setattr(snippets, "fetch", fetch)
    for _ in range(2):
        assert "That is not the address" in text_of(editor.sends(PAGE, article="nonsense").text)


def test_nobody_has_articles_looked_at_without_end(editor: Editor) -> None:
    told = [text_of(editor.sends(PAGE, article="nonsense").text) for _ in range(21)]
    assert "That is not the address" in told[19]
    assert "Too many attempts. Please try again in 10 minutes." in told[20]


def test_the_server_says_who_asks(editor: Editor, monkeypatch: pytest.MonkeyPatch) -> None:
    given: dict[str, Any] = {}
    monkeypatch.setattr(snippets, "fetch", lambda *_, **how: given.update(how) or Fetched("https://news.example/", ""))
    editor.sends(PAGE, article="https://news.example/")
    assert re.fullmatch(rf"Pledgebar/\S+ \(\+{GIVE}\)", given["agent"])
