"""Addresses that people type, or copy with what stood beside them, lead to what they mean and nowhere else."""

import contextvars
import re
from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from actors import each
from examples import examples
from flask import Flask
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy.exc import OperationalError
from werkzeug.test import create_environ, run_wsgi_app
from werkzeug.wrappers import Response

from tracker.ledger import campaigns
from tracker.web import addresses
from tracker.web.site import now

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def database_url() -> str:
    """SQLite alone: an address is mended before any database is asked."""
    return ""


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


def asks(app: Any, path: str, query: str = "", method: str = "GET") -> Response:
    """A request for exactly this path, decoded: a client would tidy it first."""
    environ = create_environ("/", "http://127.0.0.1:5000", query_string=query, method=method)
    environ["PATH_INFO"] = path.encode("utf-8", "replace").decode("latin-1")
    return Response(*contextvars.Context().run(run_wsgi_app, app, environ, buffered=True))


MISTYPED = [
    ("/c/Newsroom", "/c/newsroom"),
    ("/C/NEWSROOM", "/c/newsroom"),
    ("/c/newsroom.", "/c/newsroom"),
    ("/c/newsroom,", "/c/newsroom"),
    ("/c/newsroom)", "/c/newsroom"),
    ("/c/newsroom).", "/c/newsroom"),
    ("/c/newsroom ", "/c/newsroom"),
    ("/c/newsroom\N{NO-BREAK SPACE}", "/c/newsroom"),
    ("/c/newsroom”", "/c/newsroom"),
    ("/c/newsroom…", "/c/newsroom"),
    ("/c/<newsroom>", "/c/newsroom"),
    ("/c/newsroom/", "/c/newsroom"),
    ("/c//newsroom", "/c/newsroom"),
    ("/c/newsroom//", "/c/newsroom"),
    ("/c/Newsroom/give", "/c/newsroom/give"),
    ("/c/newsroom/thanks/", "/c/newsroom/thanks"),
    ("/c/newsroom/months/", "/c/newsroom/months"),
    ("/c/newsroom/Months", "/c/newsroom/months"),
    ("/c/newsroom/months.JSON", "/c/newsroom/months.json"),
    ("/c/newsroom/months.json/", "/c/newsroom/months.json"),
    ("/c/newsroom/months/2021-5", "/c/newsroom/months/2021-05"),
    ("/c/newsroom/months/2021-05/", "/c/newsroom/months/2021-05"),
    ("/c/NewsRoom/months/2021-5.", "/c/newsroom/months/2021-05"),
    ("/go/Newsroom", "/go/newsroom"),
    ("/go/newsroom/", "/go/newsroom"),
    ("/embed/Newsroom", "/embed/newsroom"),
    ("/embed/newsroom/", "/embed/newsroom"),
    ("/embed/newsroom.", "/embed/newsroom"),
    ("/embed/newsroom.JSON", "/embed/newsroom.json"),
    ("/embed/Newsroom.png", "/embed/newsroom.png"),
    ("/embed/newsroom/QR.svg", "/embed/newsroom/qr.svg"),
    ("/admin", "/admin/"),
    ("/ADMIN", "/admin/"),
    ("/admin/c/newsroom", "/admin/c/newsroom/"),
    ("/admin/c/Newsroom/months/2021-5/", "/admin/c/newsroom/months/2021-05"),
    ("/Healthz/", "/healthz"),
    ("/c/newsroom/..", "/c/newsroom"),
]


@each(("typed", "meant"), MISTYPED)
def test_a_mistyped_address_leads_to_the_one_that_was_meant(app: Flask, typed: str, meant: str) -> None:
    for query in ("", "src=fer%2Fry&pos=top&lang=de"):
        moved = asks(app, typed, query)
        assert (moved.status_code, moved.headers["Location"]) == (308, meant + (f"?{query}" if query else ""))


def test_the_bars_answers_from_memory_lead_on_as_well(app: Flask) -> None:
    app.extensions["bars"].look(now())
    for method in ("GET", "HEAD"):
        for address in ("/embed/Newsroom", "/embed/newsroom/", "/c/newsroom."):
            moved = asks(app, address, "lang=de", method)
            assert (moved.status_code, moved.headers["Location"]) == (308, f"{address.lower().rstrip('./')}?lang=de")


@each(("typed", "meant"), MISTYPED)
def test_where_it_leads_is_there(client: FlaskClient, typed: str, meant: str) -> None:
    if not meant.startswith("/embed/newsroom.png"):
        assert client.get(meant).status_code in (200, 302, 303)


@each(
    "path",
    [
        "/c/nobody", "/c/Nobody.", "/go/Nobody", "/embed/Nobody", "/embed/nobody/", "/c/news room", "/c/newsroom2", "/c/",
        "/c/newsroom/nothing", "/c/newsroom/months/2021-13", "/c/newsroom/months/2021-", "/c/newsroom/months/may",
        "/c/newsroom/months/20215", "/c/newsroom/months/2021-06", "/c/newsroom/months/1999-01", "/nothing", "/Nothing.",
        "//evil.example", "//evil.example/c/newsroom", "/\\evil.example", "\\\\evil.example", "/https://evil.example",
        "/c/https://evil.example", "/c/newsroom\r\nX-Evil: 1", "/c/\r\nLocation: //evil.example", "/c/é", "/static//give.js",
        "/STATIC/give.js", "/../c/newsroom/x",
    ],
)  # fmt: skip
def test_what_means_nothing_that_is_there_is_not_found(app: Flask, path: str) -> None:
    answer = asks(app, path, "next=//evil.example")
    assert answer.status_code == 404
    assert "Location" not in answer.headers
    assert "X-Evil" not in answer.headers


def test_a_host_that_somebody_writes_into_the_request_leads_nobody_there(client: FlaskClient) -> None:
    for address in ("/admin", "/c/newsroom/", "/embed/Newsroom", "/c//newsroom"):
        refused = client.get(address, headers={"Host": "evil.example"})
        assert refused.status_code == 400
        assert "Location" not in refused.headers
        assert "evil" not in refused.text
        moved = client.get(address)
        assert moved.status_code == 308
        assert re.match(r"/\w", moved.headers["Location"])


@settings(max_examples=examples(60), deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.lists(
        st.sampled_from(
            ["c", "C", "go", "embed", "newsroom", "Newsroom.", "months", "2021-5", "give", "admin", "//", "\\", ".."]
        )
        | st.text(max_size=6),
        max_size=5,
    )
)
def test_whatever_is_asked_for_leads_to_a_page_of_ours_in_one_step_or_to_none(
    client: FlaskClient, parts: list[str]
) -> None:
    app = client.application
    path = "/" + "/".join(parts)
    answer = asks(app, path)
    assert answer.status_code < 500
    if answer.status_code == 308:
        target = answer.headers["Location"]
        assert target.startswith("/")
        assert not target.startswith(("//", "/\\"))
        assert target == quote(target, safe="/")
        assert asks(app, target).status_code != 308


def test_a_frame_that_moved_can_be_followed_from_other_sites(client: FlaskClient) -> None:
    for address in ("/embed/Newsroom", "/embed/newsroom/", "/embed/Newsroom.json", "/embed/Newsroom.svg"):
        moved = client.get(address)
        assert moved.headers["Access-Control-Allow-Origin"] == "*"
        assert moved.headers["Cross-Origin-Resource-Policy"] == "cross-origin"
        assert "frame-ancestors *" in moved.headers["Content-Security-Policy"]
    moved = client.get("/c/Newsroom")
    assert "Access-Control-Allow-Origin" not in moved.headers
    assert "frame-ancestors 'none'" in moved.headers["Content-Security-Policy"]


def test_only_who_reads_is_led_on(client: FlaskClient) -> None:
    for address in ("/c/Newsroom/give", "/c/newsroom/give/", "/admin/c/newsroom"):
        assert client.post(address, data={}).status_code == 404


def test_the_forms_address_leads_to_its_page_and_keeps_what_it_says(client: FlaskClient) -> None:
    asked = "frequency=month&amount=12.50&src=fer%2Fry&pos=top"
    for method in (client.get, client.head):
        for query in ("", f"?{asked}"):
            moved = method(f"/c/newsroom/give{query}")
            assert (moved.status_code, moved.headers["Location"]) == (303, f"/c/newsroom{query}")
    assert client.get("/c/nobody/give").status_code == 404


def test_a_page_that_is_not_there_says_where_the_campaigns_are(client: FlaskClient) -> None:
    page = client.get("/c/nobody").text
    assert "It may have been mistyped. All our campaigns are on the front page." in page
    assert '<a href="/">See all campaigns</a>' in page


def test_a_database_that_is_away_leaves_it_at_not_found(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: object) -> None:
        raise OperationalError("SELECT", {}, Exception("away"))

    monkeypatch.setattr(addresses.campaigns, "find", away)
    assert asks(app, "/c//newsroom").status_code == 404
    assert campaigns.find is away
