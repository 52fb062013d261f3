"""The bar as a picture: SVG, PNG, card and QR code, as they are drawn and with all that strangers may ask of them."""

import base64
import hashlib
import os
import random
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from html.parser import HTMLParser
from itertools import pairwise
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
import segno
import time_machine
from actors import each
from bars_in_memory import a_bar, shows
from flask import Flask
from flask.testing import FlaskClient
from png import Picture, read_png

from tracker.giving.bar_style import BarStyle
from tracker.giving.bar_words import languages
from tracker.web.embed import pictures, png_drawing

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
SVG = "{http://www.w3.org/2000/svg}"
ADDRESSES = 10_000 if os.environ.get("TEST_LONG") else 500  # all of them with `make test-long`


@pytest.fixture
def database_url() -> str:
    """One database is enough: what is tested here begins behind it."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def parsed(client: FlaskClient, address: str) -> ElementTree.Element:
    answer = client.get(address)
    assert answer.status_code == 200
    return ElementTree.fromstring(answer.data)


def drawn(client: FlaskClient, address: str) -> Picture:
    answer = client.get(address)
    assert (answer.status_code, answer.mimetype) == (200, "image/png")
    return read_png(answer.data)


def of_class(root: ElementTree.Element, name: str) -> list[ElementTree.Element]:
    return [element for element in root.iter() if name in element.get("class", "").split()]


# --- SVG --------------------------------------------------------------------------------------------------------------


def test_the_svg_says_the_sentence_and_can_load_nothing(client: FlaskClient) -> None:
    answer = client.get("/embed/newsroom.svg")
    root = ElementTree.fromstring(answer.data)
    assert (root.get("role"), root.get("lang"), root.findtext(f"{SVG}title")) == (
        "img",
        "en-US",
        "May 2021: 0 $ of 5,000 $",
    )
    assert answer.mimetype == "image/svg+xml"
    policy = answer.headers["Content-Security-Policy"].split("; ")
    assert {"default-src 'none'", "base-uri 'none'", "frame-ancestors 'none'", "sandbox"} < set(policy)
    style = base64.b64encode(hashlib.sha256(root.findtext(f"{SVG}style", "").encode()).digest()).decode()
    assert f"style-src 'sha256-{style}'" in policy
    assert answer.headers["X-Content-Type-Options"] == "nosniff"
    assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
    assert len(answer.data) < 3000


@each(("size", "wide"), [("s", "320"), ("m", "600"), ("l", "900"), ("x", "600")])
def test_a_size_is_a_width(client: FlaskClient, size: str, wide: str) -> None:
    root = parsed(client, f"/embed/newsroom.svg?size={size}")
    assert root.get("width") == wide
    assert float(root.get("height", 0)) > 60
    button = of_class(root, "button")[0]
    assert (button.get("width") == "316") == (size == "s")


def test_dark_is_dark_and_auto_follows_the_reader(client: FlaskClient) -> None:
    for theme, paper in (("light", "fff"), ("dark", "16181b")):
        style = parsed(client, f"/embed/newsroom.svg?theme={theme}").findtext(f"{SVG}style", "")
        assert style.startswith(f".paper{{fill:#{paper}")
        assert "@media" not in style
    style = parsed(client, "/embed/newsroom.svg?theme=auto&accent=b3261e").findtext(f"{SVG}style", "")
    assert "@media(prefers-color-scheme:dark){.paper{fill:#16181b}" in style
    assert ".accent{fill:#b3261e}" in style


def test_from_right_to_left_the_bar_fills_from_the_right(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(250_000))
    there, back = parsed(client, "/embed/newsroom.svg"), parsed(client, "/embed/newsroom.svg?lang=ar")
    assert (of_class(there, "fill")[0].get("x"), of_class(back, "fill")[0].get("x")) == ("2", "300")
    assert of_class(back, "button")[0].get("x") == "2"
    assert [mark.get("x") for mark in of_class(back, "mark")] == ["2", "598", "300"]


def test_beyond_the_goal_its_mark_moves_and_below_zero_nothing_is_filled(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(1_000_000))
    root = parsed(client, "/embed/newsroom.svg")
    assert of_class(root, "goal")[0].get("d", "").startswith("M300 ")
    assert "(200 %)" in root.findtext(f"{SVG}title", "")
    shows(app, a_bar(-1234))
    root = parsed(client, "/embed/newsroom.svg")
    assert of_class(root, "fill") == []
    assert "−12.34 $" in root.findtext(f"{SVG}title", "")


def test_without_a_goal_there_is_no_drawing_and_while_paused_no_button(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(34_000, None))
    root = parsed(client, "/embed/newsroom.svg")
    assert (of_class(root, "track"), of_class(root, "mark")) == ([], [])
    shows(app, a_bar(paused=True))
    root = parsed(client, "/embed/newsroom.svg")
    assert of_class(root, "button") == []
    assert root.findtext(f"{SVG}desc") == "Giving is paused just now"


def test_what_is_still_to_come_is_hatched_if_asked_for(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(100_000, committed=150_000))
    assert of_class(parsed(client, "/embed/newsroom.svg"), "still") == []
    root = parsed(client, "/embed/newsroom.svg?committed=1&count=1&days=1")
    assert float(of_class(root, "still")[0].get("width", 0)) == pytest.approx(596 * 0.3, abs=0.01)
    assert root.findtext(f"{SVG}desc") == "1,500 $ still to come from regular supporters · 12 gifts · 17 days left"


@each("size", ["s", "m"])
def test_no_words_run_off_the_sheet_or_into_each_other(app: Flask, client: FlaskClient, size: str) -> None:
    for raised in (0, 10**9 + 1, 5 * 10**12 + 1):
        shows(app, a_bar(raised, 10**12 + 50, locale="de_DE", currency="EUR", amount_pattern=""))
        root = parsed(client, f"/embed/newsroom.svg?size={size}&count=1&days=1")
        sheet = float(root.get("viewBox", "").split()[2])
        button = of_class(root, "button")[0]
        for text in root.iter(f"{SVG}text"):
            scale = [float(part.get("font-size", 0)) for part in (text, *text)]
            inner = "".join(part.text or "" for part in text)
            room = png_drawing.width(text.text or "", scale[0]) + sum(
                png_drawing.width(part.text or "", size) + png_drawing.width(part.tail or "", scale[0])
                for part, size in zip(text, scale[1:], strict=True)
            )
            if text.get("text-anchor") is None and "mark" not in text.get("class", ""):
                beside = size == "m" and "ink" in text.get("class", "")
                assert float(text.get("x", 0)) + room <= (float(button.get("x", 0)) if beside else sheet), inner
        spans = sorted(_span(mark) for mark in of_class(root, "mark"))
        assert all(one[1] < other[0] for one, other in pairwise(spans))
        assert spans[0][0] >= 0
        assert spans[-1][1] <= sheet


def _span(mark: ElementTree.Element) -> tuple[float, float]:
    x, room = float(mark.get("x", 0)), png_drawing.width(mark.text or "", 12)
    left = x - {None: 0, "middle": room / 2, "end": room}[mark.get("text-anchor")]
    return left, left + room


# --- PNG --------------------------------------------------------------------------------------------------------------


def test_the_png_has_the_size_that_was_asked_for_and_words_on_it(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(250_000))
    for query, wide, zoom in (
        ("", 600, 1),
        ("?scale=2", 1200, 2),
        ("?scale=9", 600, 1),
        ("?size=s", 320, 1),
        ("?size=l", 900, 1.5),
    ):
        picture = drawn(client, f"/embed/newsroom.png{query}")
        assert picture.width == wide
        assert {pixel[3] for pixel in picture.colours(0, 0, wide, picture.height)} == {255}
        # The month, the amount, the first label of the scale.
        for x, y, width, height in ((2, 8, 60, 12), (2, 30, 70, 22), (2, 85, 20, 14)):
            found = picture.colours(x * zoom, y * zoom, width * zoom, height * zoom)
            assert len(found) > 5, (query, y)
        if "size=s" not in query:
            assert picture.at(int(100 * zoom), int(72 * zoom))[:3] == bytes.fromhex("1c4f82")
            assert picture.at(int(400 * zoom), int(72 * zoom))[:3] == b"\xff\xff\xff"


def test_a_dark_png_is_dark_and_auto_is_light(client: FlaskClient) -> None:
    corners = {
        theme: drawn(client, f"/embed/newsroom.png?theme={theme}").at(0, 0).hex() for theme in ("dark", "auto", "light")
    }
    assert corners == {"dark": "16181bff", "auto": "ffffffff", "light": "ffffffff"}


def test_in_a_mail_the_picture_says_of_when_it_is_and_is_asked_for_again(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar())
    plain, mail = client.get("/embed/newsroom.png"), client.get("/embed/newsroom.png?mail=1&theme=dark")
    assert mail.headers["Cache-Control"] == "no-cache, max-age=0"
    assert "no-cache" not in plain.headers["Cache-Control"]
    one, other = read_png(plain.data), read_png(mail.data)
    assert other.at(0, 0).hex() == "ffffffff"
    assert other.height > one.height + 20
    assert len(other.colours(16, other.height - 32, 180, 18)) > 5


@each("lang", list(dict(languages())))
def test_our_fonts_can_draw_every_language_that_we_have_words_in(app: Flask, lang: str) -> None:
    looks = BarStyle(committed=True, count=True, days=True)
    for currency in ("USD", "EUR", "GBP", "JPY", "INR", "UAH", "TRY", "PLN", "ILS", "SEK", "CZK", "KWD", "XOF"):
        for raised in (34_000, 500_000, 710_001, -1):
            bar = a_bar(raised, currency=currency, amount_pattern="", committed=5, stale=True, paused=True).speaking(
                lang
            )
            assert pictures.in_our_fonts(bar, looks) is bar, bar.sentence


def test_in_other_scripts_the_picture_speaks_english_and_the_svg_does_not(app: Flask, client: FlaskClient) -> None:
    bar = a_bar(34_000, locale="ja_JP", currency="JPY", amount_pattern="").speaking("")
    shows(app, bar)
    assert pictures.in_our_fonts(bar, BarStyle()).sentence == "May 2021: ¥34,000 of ¥500,000"
    assert "2021年5月" in client.get("/embed/newsroom.svg").text
    assert drawn(client, "/embed/newsroom.png").width == 600


@each(
    ("direction", "family", "weight"),
    [("ltr", "serif", 600), ("ltr", "sans-serif", 400), ("ltr", "sans-serif", 600), ("rtl", "serif", 500)],
)
def test_every_character_that_our_fonts_are_said_to_have_leaves_ink(direction: str, family: str, weight: int) -> None:
    """A character that is missing would be an empty box, and with a font that is missing there would be nothing at all."""
    cell, across = 20, 40
    letters = [
        chr(code)
        for code in range(0x21, 0xFFFF)
        if png_drawing.can_draw(chr(code), direction) and chr(code).isprintable()
    ]
    # Marks above and below letters need one; a box is what a missing one looks like.
    letters = ["\u4e00", *(letter for letter in letters if re.match(r"[^\W_]|[€$£₹¥₴₽₺₪₫₩₦₱−·%(),.:!–—]", letter))]
    assert len(letters) > 400
    texts = "".join(
        f'<text x="{at % across * cell + 4}" y="{at // across * cell + 14}">{letter}</text>'
        for at, letter in enumerate(png_drawing.for_xml(letter).replace("<", "&lt;") for letter in letters)
    )
    high = -(-len(letters) // across) * cell
    picture = read_png(
        png_drawing.png(
            f'<svg xmlns="http://www.w3.org/2000/svg" width="{across * cell}" height="{high}" font-size="10"'
            f' font-family="{family}" font-weight="{weight}"><rect width="100%" height="100%" fill="#fff"/>{texts}</svg>',
            1,
            direction,
        )
    )
    cells = [picture.part(at % across * cell, at // across * cell, cell, cell) for at in range(len(letters))]
    empty = b"\xff" * cell * cell * 4
    assert [letter for letter, drawn in zip(letters, cells, strict=True) if drawn == empty] == []
    assert [letter for letter, drawn in zip(letters[1:], cells[1:], strict=True) if drawn == cells[0]] == []


def test_the_fonts_are_small_and_their_licence_lies_beside_them() -> None:
    files = list(png_drawing.FONTS.glob("*.ttf"))
    assert {file.name for file in files} == {name for names in png_drawing.FILES.values() for name in names}
    assert all(file.stat().st_size < 160_000 for file in files)
    assert "SIL OPEN FONT LICENSE" in (png_drawing.FONTS / "OFL.txt").read_text(encoding="utf-8")


# --- The work that pictures are -----------------------------------------------------------------------------------------


def test_the_same_picture_is_drawn_once_for_all_articles(client: FlaskClient) -> None:
    png_drawing._drawn.clear()
    for article in ("a-1", "a-2", "a-3"):
        assert client.get(f"/embed/newsroom.png?src={article}").status_code == 200
    assert len(png_drawing._drawn) == 1


def test_who_waits_too_long_for_a_picture_is_asked_to_come_again(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    png_drawing._drawn.clear()
    monkeypatch.setattr(png_drawing, "WAITING_SECONDS", 0.05)
    with png_drawing._turn:
        answer = client.get("/embed/newsroom.png")
        assert (answer.status_code, "Retry-After" in answer.headers) == (503, True)
        assert client.get("/embed/newsroom").status_code == 200
    assert client.get("/embed/newsroom.png").status_code == 200


def test_when_many_wait_the_next_is_told_so_at_once(client: FlaskClient) -> None:
    png_drawing._drawn.clear()
    for _ in range(png_drawing.MOST_WAITING):
        png_drawing._queue.acquire()
    try:
        assert client.get("/embed/newsroom.png").status_code == 503
    finally:
        png_drawing._queue.release(png_drawing.MOST_WAITING)
    assert client.get("/embed/newsroom.png").status_code == 200


def test_a_renderer_that_breaks_costs_the_picture_and_nothing_else(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    png_drawing._drawn.clear()
    monkeypatch.setattr(png_drawing, "RENDERER", tmp_path / "gone.py")
    answer = client.get("/embed/newsroom.png")
    assert (answer.status_code, answer.headers["Retry-After"]) == (503, "60")
    assert client.get("/embed/newsroom.svg").status_code == 200


# --- The card ---------------------------------------------------------------------------------------------------------


def test_the_page_names_a_card_that_is_there(client: FlaskClient) -> None:
    page = client.get("/c/newsroom").text
    named = dict(re.findall(r'<meta (?:property|name)="((?:og|twitter):[a-z:_]+)" content="([^"]*)">', page))
    assert named == {
        "og:type": "website",
        "og:title": "Support the newsroom",
        "og:description": "May 2021: 0 $ of 5,000 $",
        "og:url": "http://127.0.0.1:5000/c/newsroom",
        "og:image": "http://127.0.0.1:5000/embed/newsroom/card.png?month=2021-05",
        "og:image:type": "image/png",
        "og:image:width": "1200",
        "og:image:height": "630",
        "og:image:alt": "Support the newsroom: May 2021: 0 $ of 5,000 $",
        "og:site_name": "The Courier",
        "twitter:card": "summary_large_image",
    }
    picture = drawn(client, named["og:image"].removeprefix("http://127.0.0.1:5000"))
    assert (picture.width, picture.height) == (1200, 630)
    # The newsroom, the title, the amount.
    for x, y, width, height in ((80, 80, 150, 30), (80, 140, 500, 60), (80, 430, 80, 50)):
        assert len(picture.colours(x, y, width, height)) > 5


def test_a_long_title_ends_in_three_lines_and_behind_a_word() -> None:
    title = "Investigative Reporting für unabhängigen Lokaljournalismus in Mecklenburg-Vorpommern und in Brandenburg"
    made = png_drawing.lines(title, 62, 1040, 3)
    assert len(made) == 3
    assert made[2].endswith(" …")
    assert set(" ".join(made).removesuffix(" …").split()) <= set(title.split())
    assert all(png_drawing.width(line, 62) <= 1040 for line in made)
    assert png_drawing.width(png_drawing.lines("W" * 120, 62, 1040, 3)[0], 62) <= 1040


def test_what_our_fonts_cannot_draw_is_left_out_of_a_title() -> None:
    assert png_drawing.drawable("Give 🎉 now\u200f 文 é", "ltr") == "Give now é"


# --- Print ------------------------------------------------------------------------------------------------------------


@each(("query", "address"), [
    ("", "http://127.0.0.1:5000/go/newsroom?src=print"),
    ("?src=poster&pos=door", "http://127.0.0.1:5000/go/newsroom?src=poster&pos=door"),
    ("?pos=door", "http://127.0.0.1:5000/go/newsroom?pos=door&src=print"),
])  # fmt: skip
def test_the_code_leads_to_the_campaign_and_says_where_from(client: FlaskClient, query: str, address: str) -> None:
    code = segno.make_qr(address, error="m", boost_error=False)
    picture = drawn(client, f"/embed/newsroom/qr.png{query}")
    modules = code.symbol_size()[0]
    points = picture.width // modules
    assert picture.width >= 1000
    middle = points // 2
    seen = [[picture.at(x * points + middle, y * points + middle) for x in range(modules)] for y in range(modules)]
    # Dark is 1 in the code; a quiet zone of four modules is all around it.
    assert seen == [[b"\xff" if not dark else b"\x00" for dark in row] for row in code.matrix_iter(border=4)]


def test_the_code_as_svg_is_of_the_same_size_and_names_the_campaign(app: Flask, client: FlaskClient) -> None:
    shows(app, a_bar(title='Ours & "yours" <now> 🎉'))
    root = parsed(client, "/embed/newsroom/qr.svg")
    assert root.findtext(f"{SVG}title") == 'Ours & "yours" <now> 🎉'
    assert float(root.get("width", 0)) > 200


# --- What is refused --------------------------------------------------------------------------------------------------


@each("address", ["/embed/nobody.svg", "/embed/nobody.png", "/embed/nobody/card.png", "/embed/nobody/qr.svg",
                  "/embed/newsroom.svg?month=2021-06", "/embed/newsroom.png?month=x", "/embed/newsroom.gif"])  # fmt: skip
def test_a_picture_of_nothing_is_not_there(client: FlaskClient, address: str) -> None:
    assert client.get(address).status_code == 404


class Strict(HTMLParser):
    """Reads a frame and fails on whatever does not belong there."""

    TAGS = frozenset(
        [
            "html",
            "meta",
            "title",
            "style",
            "main",
            "p",
            "strong",
            "span",
            "wbr",
            "a",
            "svg",
            "pattern",
            "path",
            "rect",
            "line",
            "text",
            "link",
            "script",
        ]
    )

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.TAGS, tag
        if tag == "script":
            # The one of ours, which has nothing of the address in it.
            assert attrs == [("src", "/embed/frame.js"), ("async", None)]
            attrs = []
        check_attributes({name: value or "" for name, value in attrs})
        if tag == "a":
            self.links += [value or "" for name, value in attrs if name == "href"]
        if tag not in ("meta", "link", "wbr"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in self.TAGS, tag
        check_attributes({name: value or "" for name, value in attrs})

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def check_attributes(attributes: dict[str, str]) -> None:
    for name, value in attributes.items():
        assert not name.lower().startswith("on"), name
        assert name.lower() not in ("src", "srcdoc", "action", "background", "style"), name
        if name.lower().endswith("href"):
            assert value.startswith("http://127.0.0.1:5000/"), value
        assert "url(" not in value or value == "url(#hatch)", value


def check_frame(page: str) -> None:
    reader = Strict()
    reader.feed(page)
    reader.close()
    assert reader.open == []
    assert len(reader.links) <= 1
    check_style(page.partition("<style>")[2].partition("</style>")[0])


def check_svg(data: bytes) -> None:
    root = ElementTree.fromstring(data)
    for element in root.iter():
        assert element.tag.removeprefix(SVG) in (
            "svg",
            "title",
            "desc",
            "style",
            "rect",
            "path",
            "pattern",
            "text",
            "tspan",
        ), element.tag
        check_attributes(dict(element.attrib))
        assert "href" not in " ".join(element.attrib)
    check_style(root.findtext(f"{SVG}style", ""))


def check_style(style: str) -> None:
    assert not re.search(r"url\(|@import|expression|<|javascript", style.replace("url(#still)", ""))


WORDS_OF_STRANGERS = [
    "", "1", "2", "dark", "auto", "light", "none", "fff1e5", "square", "round",
    "s", "m", "l", "xl", "1c4f82", "#B3261E", "ffffff", "000000", "12345",
    "de", "de-AT", "ar", "he", "en-GB", "xx", "zh", "no", "tr_TR", '"><script>alert(1)</script>', "javascript:alert(1)",
    "' onload='x", "url(//evil.example)",
    "%00", "\x00",
    "\u202e", "🎉", "a" * 300, "../../etc/passwd", "</style><svg onload=x>", "{{7*7}}", "top", "article-1", "-1", "１", "\ud7ff",
]  # fmt: skip
TITLES = [
    "Support the newsroom", "\"Quoted\" & 'single' <b>bold</b>", "</title><script>alert(1)</script>", "🎉 Feier 🎉",
    "\u202eevil\u202c \u200f",
    "]]><!--", "Unsere Redaktionsförderungskampagne", "ادعم غرفة الأخبار", "control \x01\x0b\ufffe characters", "日本語",
]  # fmt: skip
NAMES = [
    "theme",
    "background",
    "accent",
    "corners",
    "lang",
    "size",
    "src",
    "pos",
    "committed",
    "count",
    "days",
    "scale",
    "mail",
    "onload",
    "theme",
]


def test_whatever_an_address_says_the_answer_is_a_bar_without_script_or_stranger(
    app: Flask, client: FlaskClient
) -> None:
    chance = random.Random(20210514)

    def one_of(*values: Any) -> Any:
        return chance.choice(values)

    for number in range(ADDRESSES):
        if number % 10 == 0:
            shows(app, a_bar(
                one_of(0, 1, -5, 499_999, 34_000, 5_000_000, 10**11), one_of(None, 1, 500_000, 10**9), title=chance.choice(TITLES),
                locale=one_of("en_US", "de_DE", "ar", "he_IL", "ja_JP"), paused=one_of(False, True), committed=one_of(0, 77),
                stale=one_of(False, True), accent=one_of("", "b3261e"),
            ))  # fmt: skip
        asked = {chance.choice(NAMES): chance.choice(WORDS_OF_STRANGERS) for _ in range(chance.randrange(7))}
        for address, check in (
            ("/embed/newsroom", lambda it: check_frame(it.text)),
            ("/embed/newsroom.svg", lambda it: check_svg(it.data)),
        ):
            answer = client.get(address, query_string=asked)
            assert answer.status_code == 200, asked
            check(answer)


def test_drawn_as_points_no_address_is_an_error_either(app: Flask, client: FlaskClient) -> None:
    chance = random.Random(5)
    for title in TITLES:
        shows(app, a_bar(title=title))
        asked = {name: chance.choice(WORDS_OF_STRANGERS) for name in NAMES}
        for address in ("/embed/newsroom.png", "/embed/newsroom/card.png", "/embed/newsroom/qr.png"):
            assert client.get(address, query_string=asked).status_code == 200, (title, asked)
