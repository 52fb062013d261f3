"""What a CMS is told about a pasted address."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from actors import NEWSROOM, PUBLIC_URL
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import select
from werkzeug.test import Client

from tracker.ledger import campaigns
from tracker.ledger.store import reading, writing
from tracker.ledger.visit_models import visit

PAGE = f"{PUBLIC_URL}/c/newsroom"
MOMENT = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def database_url() -> str:
    """SQLite alone: what is told comes from statements that tests/ledger tries on both."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(MOMENT, tick=False):
        yield


def told(client: FlaskClient, url: str = PAGE, more: str = "") -> dict[str, Any]:
    answer = client.get(f"/oembed?url={quote(url, safe='')}{more}")
    assert answer.status_code == 200
    assert answer.json is not None
    return answer.json


def test_the_page_says_where_to_ask(client: FlaskClient) -> None:
    page = client.get("/c/newsroom").text
    found = re.search(r'<link rel="alternate" type="application/json\+oembed" title="([^"]+)" href="([^"]+)">', page)
    assert found
    assert found.start() < 4096
    assert found[1] == "Support the newsroom"
    address = found[2].replace("&amp;", "&").removeprefix(PUBLIC_URL)
    assert client.get(address).json == told(client)


def test_what_the_pasted_address_asks_for_reaches_those_who_follow_the_page(client: FlaskClient) -> None:
    wanted = "month=2021-04&theme=dark&accent=b3261e&src=ferry&pos=top"
    page = client.get(f'/c/newsroom?{wanted}&evil="><script>&size=xxl').text
    found = re.search(r'oembed" title="[^"]+" href="([^"]+)">', page)
    assert found
    asked = client.get(found[1].replace("&amp;", "&").removeprefix(PUBLIC_URL)).json
    assert asked == told(client, f"{PAGE}?{wanted}")
    assert f"/embed/newsroom?{wanted.replace('&', '&amp;')}&amp;host=wordpress" in asked["html"]
    # A month that is none is no reason to have no bar.
    assert "month%3D" not in client.get("/c/newsroom?month=May&theme=dark").text


def test_a_pasted_address_becomes_the_frame(client: FlaskClient) -> None:
    answer = told(client)
    html = answer.pop("html")
    assert answer == {
        "version": "1.0",
        "type": "rich",
        "title": "Support the newsroom",
        "provider_name": "The Courier",
        "provider_url": PUBLIC_URL,
        "cache_age": 86400,
        "width": 640,
        "height": 108,
        "thumbnail_url": f"{PUBLIC_URL}/embed/newsroom.png",
        "thumbnail_width": 600,
        "thumbnail_height": 108,
    }
    frame = re.search(r"<iframe [^>]*>", html)
    assert frame
    for part in (
        f'src="{PUBLIC_URL}/embed/newsroom?host=wordpress"', 'title="Support the newsroom"', 'width="100%"',
        'height="108"', 'loading="lazy"', 'referrerpolicy="no-referrer"', "width:100%;max-width:640px",
    ):  # fmt: skip
        assert part in frame[0]
    assert (
        f'<blockquote class="wp-embedded-content" hidden><a href="{PUBLIC_URL}/go/newsroom" referrerpolicy="no-referrer">'
        in html
    )
    assert "<script" not in html


@pytest.mark.parametrize(
    ("more", "size"),
    [
        ("", (640, 108)),
        ("&maxwidth=600&maxheight=900", (600, 108)),
        ("&maxwidth=2000", (640, 108)),
        ("&maxwidth=420", (420, 108)),
        ("&maxwidth=419", (419, 162)),
        ("&maxwidth=300&maxheight=150", (300, 150)),
        ("&maxheight=90", (640, 90)),
        ("&maxwidth=0&maxheight=-3", (640, 108)),
        ("&maxwidth=abc&maxheight=%00", (640, 108)),
        ("&maxwidth=99999999999999999999", (640, 108)),
    ],
)
def test_the_frame_keeps_to_the_room_it_is_given(client: FlaskClient, more: str, size: tuple[int, int]) -> None:
    answer = told(client, more=more)
    assert (answer["width"], answer["height"]) == size
    assert f'width="100%" height="{size[1]}"' in answer["html"]
    assert f"max-width:{size[0]}px;" in answer["html"]


def test_the_link_for_those_without_a_frame_says_where_it_stood_too(client: FlaskClient) -> None:
    html = told(client, f"{PUBLIC_URL}/c/newsroom?src=ferry&pos=top%22&theme=dark")["html"]
    assert f'<a href="{PUBLIC_URL}/go/newsroom?src=ferry&amp;pos=top" ' in html


def test_the_thumbnail_is_of_the_month_that_the_frame_shows(client: FlaskClient) -> None:
    answer = told(client, f"{PUBLIC_URL}/c/newsroom?month=2021-04")
    assert "month=2021-04" in answer["html"]
    assert answer["thumbnail_url"] == f"{PUBLIC_URL}/embed/newsroom.png?month=2021-04"


@pytest.mark.parametrize("more", ["&maxwidth=599", "&maxheight=107"])
def test_a_thumbnail_that_is_too_large_is_not_named(client: FlaskClient, more: str) -> None:
    assert not [name for name in told(client, more=more) if name.startswith("thumbnail")]


@pytest.mark.parametrize(
    "path",
    [
        "/c/newsroom", "/c/newsroom/", "/embed/newsroom", "/go/newsroom", "/", "", "/c/newsroom#x", "//c//newsroom//",
        "/c/%6Eewsroom", "/c/Newsroom",
    ],
)  # fmt: skip
def test_our_own_addresses_are_known(client: FlaskClient, path: str) -> None:
    assert told(client, PUBLIC_URL + path)["title"] == "Support the newsroom"


class TestAtAnAddressOfItsOwn:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_PUBLIC_URL": "https://spenden.xn--mller-kva.example"}

    @pytest.fixture
    def database_url(self) -> str:
        """One database is enough: what is tested here begins before it."""
        return ""

    @pytest.mark.parametrize(
        "address",
        [
            "https://spenden.müller.example", "http://spenden.müller.example", "https://spenden.müller.example:443",
            "http://spenden.müller.example:80", "HTTPS://SPENDEN.MÜLLER.EXAMPLE", "https://spenden.xn--mller-kva.example",
            "https://spenden.müller.example.", "//spenden.müller.example", "spenden.müller.example",
            " https://spenden.müller.example",
        ],
    )  # fmt: skip
    def test_it_is_known_however_it_is_spelt(self, client: FlaskClient, address: str) -> None:
        for path in ("/c/newsroom", "/c/newsroom/", ""):
            answer = told(client, address + path)
            assert "https://spenden.xn--mller-kva.example/embed/newsroom?host=wordpress" in answer["html"]

    @pytest.mark.parametrize(
        "address",
        [
            "https://spenden.müller.example:8443", "https://müller.example", "https://spenden.muller.example",
            "https://ana@spenden.müller.example", "ftp://spenden.müller.example", "https://spenden.müller.example:x",
            "https://spenden..müller.example", f"https://{'a' * 64}.example",
        ],
    )  # fmt: skip
    def test_another_address_is_another(self, client: FlaskClient, address: str) -> None:
        assert client.get("/oembed", query_string={"url": f"{address}/c/newsroom"}).status_code == 404


@pytest.mark.parametrize(
    "url",
    [
        "", "newsroom", "/c/newsroom", "https://evil.example/c/newsroom", f"{PUBLIC_URL}.evil.example/c/newsroom",
        f"{PUBLIC_URL}/c/nobody", f"{PUBLIC_URL}/c/newsroom/months", f"{PUBLIC_URL}/admin/", f"{PUBLIC_URL}/c/",
        f"{PUBLIC_URL}/c/newsroom?month=2021-06", f"{PUBLIC_URL}/c/newsroom?month=x", "http://[", f"{PAGE}?{'a=1&' * 50}",
        f"{PUBLIC_URL}/embed/bar.js",
    ],
)  # fmt: skip
def test_any_other_address_is_unknown(client: FlaskClient, url: str) -> None:
    answer = client.get("/oembed", query_string={"url": url})
    assert answer.status_code == 404
    assert answer.json == {"error": "There is nothing at this address."}


def test_the_front_page_of_several_campaigns_is_none_of_them(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="second"))
    assert client.get("/oembed", query_string={"url": PUBLIC_URL}).status_code == 404


@pytest.mark.parametrize("form", ["xml", "yaml", ""])
def test_only_json_is_spoken(client: FlaskClient, form: str) -> None:
    answer = client.get("/oembed", query_string={"url": PAGE, "format": form})
    assert answer.status_code == 501
    assert answer.json == {"error": "That format is not available."}


def test_the_pasted_addresss_wishes_reach_the_frame_and_nothing_else_does(client: FlaskClient) -> None:
    wishes = 'month=2021-04&theme=dark&lang=de&accent=b3261e&src=a-1&pos=top&theme=x&evil="><script>&size=xxl&count=1'
    html = told(client, f"{PAGE}?{quote(wishes, safe='=&')}")["html"]
    expected = "month=2021-04&amp;theme=dark&amp;accent=b3261e&amp;lang=de&amp;count=1&amp;src=a-1&amp;pos=top&amp;host=wordpress"
    assert f'src="{PUBLIC_URL}/embed/newsroom?{expected}"' in html
    assert "script" not in html


@pytest.mark.parametrize(
    ("wishes", "high"), [("size=s", 96), ("size=l", 128), ("count=1", 128), ("size=l&days=1&committed=1", 176)]
)
def test_the_frame_is_as_high_as_its_looks_need(client: FlaskClient, wishes: str, high: int) -> None:
    assert told(client, f"{PAGE}?{wishes}")["height"] == high


def test_a_title_with_marks_stays_text(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, title='Ours & "yours" <b>'))
    answer = told(client)
    assert answer["title"] == 'Ours & "yours" <b>'
    assert 'title="Ours &amp; &#34;yours&#34; &lt;b&gt;"' in answer["html"]


def test_its_answers_are_kept_and_not_counted_as_loads_of_the_bar(app: Flask) -> None:
    app.extensions["bars"].look(MOMENT)
    reader = Client(app)
    address = f"/oembed?url={PAGE}"
    first = reader.get(address)
    assert first.headers["Access-Control-Allow-Origin"] == "*"
    assert reader.get(address, headers={"If-None-Match": first.headers["ETag"]}).status_code == 304
    app.extensions["visits"].write(MOMENT)
    with reading() as connection:
        assert connection.execute(select(visit)).all() == []


def test_a_new_campaign_ends_what_the_front_page_stood_for_at_once(app: Flask) -> None:
    app.extensions["bars"].look(MOMENT)
    reader = Client(app)
    address = f"/oembed?url={PUBLIC_URL}/"
    assert reader.get(address).status_code == 200
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="second"))
    assert reader.get(address).status_code == 404


def test_the_frame_speaks_only_to_wordpress(client: FlaskClient) -> None:
    plain, spoken = client.get("/embed/newsroom?host=ghost"), client.get("/embed/newsroom?host=wordpress")
    assert "<script>" not in plain.text
    assert "script-src 'self';" in plain.headers["Content-Security-Policy"]
    assert spoken.text.count("<script>") == 1
    assert re.search(r"script-src 'self' 'sha256-[A-Za-z0-9+/=]{44}';", spoken.headers["Content-Security-Policy"])
