"""The demo's pages about the bar: each shows it as a real site would, and stands when the bar's server is away."""

import json
import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from demo.test_news import Elements
from flask.testing import FlaskClient
from serving import serving

from tracker.demo import news
from tracker.demo.carrier_pages import CARRIERS
from tracker.demo.wordpress import embedded

AWAY = "http://127.0.0.1:9"
NAMES = [carrier.name for carrier in CARRIERS]
PATHS = ["/bar/", "/bar/newsletter/letter", *(f"/bar/{name}" for name in NAMES)]

HTML = (
    '<blockquote class="wp-embedded-content" hidden><a href="http://a.example/go/x" rel="me">Support &lt;us&gt;</a>'
    '</blockquote><iframe src="http://a.example/embed/x?host=wordpress" title="Support" width="600" height="108" loading="lazy"'
    ' referrerpolicy="origin" style="border:0"></iframe>'
)


def a_bar(environ: dict[str, Any], start_response: Callable[..., Any]) -> list[bytes]:
    """The bar's server, as far as another server asks it for words."""
    path = environ["PATH_INFO"]
    labels = {"raised": "340 $", "goal": "5,000 $", "support": "Support us"}
    told = {
        "/embed/newsroom.json": json.dumps({"goal": 500000, "gifts": 12, "labels": labels, "give_url": "/go/newsroom"}),
        "/embed/newsroom.txt": "May 2021: 340 $ of 5,000 $\n",
        "/oembed": json.dumps({"type": "rich", "html": HTML, "asked": environ["QUERY_STRING"]}),
    }
    start_response("200 OK", [("Content-Type", "text/plain")])
    return [told[path].encode()]


@pytest.fixture
def app_url() -> Iterator[str]:
    with serving(a_bar) as url:
        yield url


def reader_of(app_url: str) -> FlaskClient:
    return news.create_news(app_url, "newsroom", "may-2021").test_client()


@pytest.mark.parametrize("path", PATHS)
def test_every_page_stands_when_the_bars_server_is_away(path: str) -> None:
    answer = reader_of(AWAY).get(path)
    assert answer.status_code == 200
    assert len(Elements(answer.text).all("h1")) == 1


@pytest.mark.parametrize("path", PATHS)
def test_nothing_comes_from_anywhere_but_the_bar(app_url: str, path: str) -> None:
    page = Elements(reader_of(app_url).get(path).text)
    for tag, attributes in page.found:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "srcset"):
            address = attributes.get(name) or ""
            ours = address.startswith(("/", "#", app_url)) or address == ""
            assert ours or address.startswith("http://a.example/"), (tag, address)


def test_the_index_leads_to_every_carrier_and_every_page_to_the_index() -> None:
    reader = reader_of(AWAY)
    links = [link["href"] for link in Elements(reader.get("/bar/").text).all("a")]
    assert [f"/bar/{name}" for name in NAMES] == [link for link in links if re.fullmatch(r"/bar/\w+", link or "")]
    for path in ("/", f"/news/{news.FERRY}", *PATHS[2:]):
        assert "/bar/" in [link["href"] for link in Elements(reader.get(path).text).all("a")]
    assert reader.get("/bar/nothing").status_code == 404


def test_only_pages_that_need_them_let_scripts_in() -> None:
    reader = reader_of(AWAY)
    for path in PATHS:
        policy = reader.get(path).headers["Content-Security-Policy"]
        allowed = re.search(r"script-src ([^;]+)", policy)
        expected = {"/bar/element": AWAY, "/bar/strict": AWAY, "/bar/wordpress": "'self'"}.get(path)
        assert (allowed[1] if allowed else None) == expected
    strict = reader.get("/bar/strict").headers["Content-Security-Policy"]
    assert "unsafe" not in strict
    assert "require-trusted-types-for 'script'" in strict


def test_the_snippets_carry_the_links_that_stay_without_script() -> None:
    reader = reader_of(AWAY)
    for name, count in (("element", 3), ("strict", 1)):
        page = Elements(reader.get(f"/bar/{name}").text)
        bars = page.all("pledge-bar")
        assert len(bars) == count
        for bar in bars:
            assert (bar["src"] or "").startswith(f"{AWAY}/embed/newsroom?src=")
        links = [link["href"] or "" for link in page.all("a")]
        assert len([link for link in links if link.startswith(f"{AWAY}/go/newsroom?src=")]) == count
        assert "style" not in {key for _, attributes in page.found for key in attributes}


def test_the_pictures_are_links_with_a_text_and_a_size() -> None:
    reader = reader_of(AWAY)
    for path in ("/bar/picture", "/bar/newsletter/letter", "/bar/print"):
        for picture in Elements(reader.get(path).text).all("img"):
            assert picture["alt"]
            assert picture["width"]
            # A letter's picture is as high as its words; some mail programs would stretch it.
            assert ("height" in picture) == ("mail=1" not in (picture["src"] or ""))


def test_the_letter_says_the_numbers_to_readers_without_pictures(app_url: str) -> None:
    page = Elements(reader_of(app_url).get("/bar/newsletter/letter").text)
    (picture,) = page.all("img")
    assert picture["alt"] == "May 2021: 340 $ of 5,000 $. Support us"
    assert picture["src"] == f"{app_url}/embed/newsroom.png?mail=1&scale=2"


def test_the_numbers_are_fetched_by_this_sites_own_server(app_url: str) -> None:
    page = reader_of(app_url).get("/bar/data")
    assert "May 2021: 340 $ of 5,000 $" in page.text
    assert "Readers have given <b>340 $</b> of 5,000 $ so far, in 12 gifts." in page.text


def test_the_pasted_address_is_asked_for_and_shown_as_it_comes(app_url: str) -> None:
    reader = reader_of(app_url)
    assert HTML in reader.get("/bar/pasted").text
    pasted = Elements(reader.get("/bar/wordpress").text)
    (frame,) = pasted.all("iframe")
    assert frame["sandbox"] == "allow-scripts"


# --- What WordPress makes of it ---------------------------------------------------------------------------------------


def test_wordpress_keeps_a_quotation_and_a_frame_in_a_sandbox() -> None:
    page = Elements(embedded(HTML))
    quote, link, frame = (attributes for _, attributes in page.found)
    secret = quote["data-secret"]
    assert re.fullmatch(r"[a-zA-Z0-9]{10}", secret or "")
    assert quote == {"class": "wp-embedded-content", "data-secret": secret}
    assert link == {"href": "http://a.example/go/x"}
    assert page.text == "Support <us>"
    assert frame == {
        "src": f"http://a.example/embed/x?host=wordpress#?secret={secret}",
        "title": "Support",
        "width": "600",
        "height": "108",
        "data-secret": secret,
        "class": "wp-embedded-content",
        "sandbox": "allow-scripts",
        "style": "position: absolute; visibility: hidden;",
    }


def test_without_a_frame_wordpress_makes_nothing_of_it() -> None:
    assert embedded("<p>Hello</p>") == ""
    assert embedded("") == ""


def test_without_a_quotation_the_frame_is_seen_from_the_start() -> None:
    (found,) = Elements(embedded('<script>1</script><iframe src="http://a.example/"></iframe>')).found
    assert "style" not in found[1]
