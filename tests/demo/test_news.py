"""The demo's news site: it embeds the bar as an outside site would, and leans on nobody else."""

import ast
from html.parser import HTMLParser
from pathlib import Path

import pytest
from flask import Flask
from flask.testing import FlaskClient

from tracker.demo import carrier_pages, founding_month, news, sample_history, wordpress

APP_URL = "http://127.0.0.1:5000"
ARTICLE = f"/news/{news.FERRY}"
ARCHIVE = f"/archive/2021-05/{news.LIGHTHOUSE}"
PAGES = ["/", ARTICLE, ARCHIVE]


class Elements(HTMLParser):
    """Every element of a page with its attributes, and the text between them."""

    def __init__(self, page: str) -> None:
        super().__init__()
        self.found: list[tuple[str, dict[str, str | None]]] = []
        self.text = ""
        self.feed(page)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.found.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.text += data

    def all(self, name: str) -> list[dict[str, str | None]]:
        return [attributes for tag, attributes in self.found if tag == name]


@pytest.fixture(scope="module")
def site() -> Flask:
    return news.create_news(APP_URL + "/", "newsroom", "may-2021")


@pytest.fixture
def reader(site: Flask) -> FlaskClient:
    return site.test_client()


def open_page(reader: FlaskClient, path: str) -> Elements:
    response = reader.get(path)
    assert response.status_code == 200
    return Elements(response.text)


@pytest.mark.parametrize("path", PAGES)
def test_every_page_says_that_it_is_a_test(reader: FlaskClient, path: str) -> None:
    page = open_page(reader, path)
    assert "TEST" in page.text
    assert len(page.all("h1")) == 1


@pytest.mark.parametrize("path", PAGES)
def test_nothing_comes_from_anywhere_else_and_nothing_runs(reader: FlaskClient, path: str) -> None:
    page = open_page(reader, path)
    assert not page.all("script")
    for _, attributes in page.found:
        assert not [name for name in attributes if name.startswith("on")]
        for name in ("src", "href", "action", "data", "poster", "srcset"):
            address = attributes.get(name) or ""
            own = address.startswith(("/", "#")) and not address.startswith("//")
            assert own or address == "" or address == APP_URL or address.startswith(APP_URL + "/")


@pytest.mark.parametrize("path", PAGES)
def test_links_and_styles_of_its_own_lead_somewhere(reader: FlaskClient, path: str) -> None:
    page = open_page(reader, path)
    addresses = {attributes.get("href") or "" for _, attributes in page.found}
    for address in addresses:
        if address.startswith("/"):
            with reader.get(address.partition("#")[0]) as answer:
                assert answer.status_code == 200


def test_the_style_sheet_asks_nobody(reader: FlaskClient) -> None:
    with reader.get("/static/news.css") as answer:
        sheet = answer.get_data(as_text=True)
    assert "url(" not in sheet
    assert "@import" not in sheet


@pytest.mark.parametrize(
    ("path", "start"),
    [
        (ARTICLE, f"{APP_URL}/embed/newsroom?theme=auto&src={news.FERRY}"),
        (ARCHIVE, f"{APP_URL}/embed/may-2021?month=2021-05&theme=auto&src={news.LIGHTHOUSE}"),
    ],
)
def test_the_bar_stands_above_and_below_the_article(reader: FlaskClient, path: str, start: str) -> None:
    page = open_page(reader, path)
    top, bottom = page.all("iframe")
    back = f"&back=http%3A//localhost{path}"
    assert top["src"] == start + "&pos=top" + back
    assert bottom["src"] == start + "&pos=bottom" + back
    assert top["title"]
    assert bottom["title"]
    assert top["title"] != bottom["title"]
    assert (top["loading"], bottom["loading"]) == ("eager", "lazy")
    assert top["height"] == bottom["height"] == "108"
    assert top["referrerpolicy"] == bottom["referrerpolicy"] == "no-referrer"
    classes = [(tag, attributes.get("class")) for tag, attributes in page.found]
    frames = [place for place, (tag, _) in enumerate(classes) if tag == "iframe"]
    assert frames[0] < classes.index(("div", "body")) < frames[1]


def test_the_front_page_leads_to_both_articles(reader: FlaskClient) -> None:
    page = open_page(reader, "/")
    links = [link["href"] for link in page.all("a")]
    assert ARTICLE in links
    assert ARCHIVE in links
    assert not page.all("iframe")


def test_comments_are_closed(reader: FlaskClient) -> None:
    page = open_page(reader, ARTICLE)
    assert all("disabled" in fieldset for fieldset in page.all("fieldset"))
    assert [element.get("class") for element in page.all("article")].count("comment") == 10
    assert reader.post(ARTICLE).status_code == 405


def test_the_policy_frames_the_bar_alone(reader: FlaskClient) -> None:
    policy = reader.get(ARTICLE).headers["Content-Security-Policy"]
    assert "default-src 'none'" in policy
    assert f"frame-src {APP_URL};" in policy
    assert "script-src" not in policy


def test_the_history_knows_these_articles() -> None:
    assert sample_history.LEAD_ARTICLE == news.FERRY
    assert founding_month.FOUNDING_ARTICLE == news.LIGHTHOUSE


def test_the_site_is_an_outsider() -> None:
    imports = []
    for module in (news, carrier_pages, wordpress):
        for node in ast.walk(ast.parse(Path(module.__file__).read_text())):
            if isinstance(node, ast.ImportFrom):
                imports.append(node.module or "")
            elif isinstance(node, ast.Import):
                imports += [name.name for name in node.names]
    ours = {name for name in imports if name.startswith("tracker")}
    assert ours == {"tracker.demo", "tracker.demo.wordpress", "tracker.paths"}
