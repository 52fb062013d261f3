"""Every answer's headers: what it may load, who may frame it, and that no reader is ever given a cookie."""

import re
from collections.abc import Iterator
from dataclasses import replace

import pytest
from actors import Stripe, session
from flask import Flask
from flask.testing import FlaskClient
from sqlalchemy import text
from structlog.testing import capture_logs
from werkzeug.test import TestResponse

from tracker.ledger.store import writing
from tracker.settings import HOOK, STRIPE_CHECKOUT
from tracker.web import health
from tracker.web.admin.signin import create_admin

ARGUMENTS = {"slug": "newsroom", "month": "2021-05", "filename": "page.css", "path": "x"}


@pytest.fixture
def database_url() -> str:
    """SQLite alone: headers come from no database."""
    return ""


def addresses(app: Flask) -> Iterator[tuple[str, str]]:
    """Every address that the app answers, with every method, as it is and not found."""
    with app.test_request_context():
        for rule in app.url_map.iter_rules():
            for name, found in (("newsroom", True), ("nobody", False)):
                if not found and "slug" not in rule.arguments:
                    continue
                values = {argument: ARGUMENTS.get(argument, "1") for argument in rule.arguments}
                address = str(app.url_map.bind("").build(rule.endpoint, values | {"slug": name}, method=None))
                for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
                    yield method, address.partition("?")[0]
    yield from ((method, HOOK) for method in ("GET", "POST"))
    yield from (("GET", "/nothing/here"), ("GET", "/embed/nobody?month=x"), ("GET", "/c/newsroom/months/2999-01"))


Walk = list[tuple[str, str, TestResponse]]


@pytest.fixture(scope="module")
def walked() -> Walk:
    """What the walk has met, once it was taken: it asks for more than a thousand answers."""
    return []


@pytest.fixture
def every_answer(walked: Walk, app: Flask, client: FlaskClient) -> Walk:
    """Every address with every method and its answer, where no other address of Stripe's API is set."""
    if not walked:
        app.extensions["settings"] = replace(app.extensions["settings"], checkout_origins=STRIPE_CHECKOUT)
        asked = list(addresses(app))
        walked += [(method, address, client.open(address, method=method, buffered=True)) for method, address in asked]
    return walked


def directives(answer: TestResponse) -> dict[str, str]:
    parts = (part.strip().partition(" ") for part in answer.headers["Content-Security-Policy"].split(";"))
    return {name: value for name, _, value in parts}


def test_the_walk_meets_every_kind_of_answer(every_answer: Walk) -> None:
    statuses = {answer.status_code for _, _, answer in every_answer}
    assert {200, 302, 303, 400, 404, 405, 422} <= statuses
    assert 500 not in statuses


def test_every_answer_says_what_it_may_load_and_who_may_frame_it(every_answer: Walk) -> None:
    for method, address, answer in every_answer:
        where = f"{method} {address}: {answer.status_code}"
        policy = directives(answer)
        assert len(answer.headers.getlist("Content-Security-Policy")) == 1, where
        assert policy["default-src"] == "'none'", where
        assert policy["base-uri"] == "'none'", where
        assert "unsafe" not in str(policy), where
        assert "*" not in policy.get("script-src", ""), where
        assert answer.headers["X-Content-Type-Options"] == "nosniff", where
        assert answer.headers["Referrer-Policy"] in (
            "strict-origin-when-cross-origin",
            "same-origin",
            "no-referrer",
        ), where
        assert answer.headers["Cross-Origin-Opener-Policy"] == "same-origin", where
        assert "camera=()" in answer.headers["Permissions-Policy"], where
        framable = (
            address.startswith("/embed/")
            and not re.search(r"\.(json|txt|svg|png|js)$", address)
            and method in ("GET", "HEAD")
        )
        if framable:
            assert policy["frame-ancestors"] == "*", where
            # A bar in its frame follows the number, with our own script, and the ticker with one inside it; an error and
            # the wall have none.
            scripts = {"/embed/newsroom": "'self'", "/embed/newsroom/ticker": "'sha256-"}
            script = scripts.get(address, "'none'") if answer.status_code == 200 else "'none'"
            assert policy["script-src"].startswith(script), where
            assert policy.get("connect-src", "'none'") == ("'none'" if script == "'none'" else "'self'"), where
            assert policy["form-action"] == "'none'", where
        elif not address.startswith("/embed/"):
            assert policy["frame-ancestors"] == "'none'", where


def test_what_other_sites_show_says_so_and_nothing_else_does(every_answer: Walk) -> None:
    for method, address, answer in every_answer:
        where = f"{method} {address}: {answer.status_code}"
        carrier = address.startswith("/embed/") or address == "/oembed"
        shown = carrier and method in ("GET", "HEAD")
        if shown:
            assert answer.headers["Cross-Origin-Resource-Policy"] == "cross-origin", where
        elif not carrier and not address.endswith(("months.json", "months.atom", ".csv", ".txt")):
            assert answer.headers["Cross-Origin-Resource-Policy"] == "same-origin", where
        # A document in a frame must say it of what it holds, too.
        framed = directives(answer)["frame-ancestors"] == "*"
        assert answer.headers.get("Cross-Origin-Embedder-Policy") == ("require-corp" if framed else None), where


def test_only_the_supporters_page_may_send_its_form_to_stripe(every_answer: Walk) -> None:
    stripe = "'self' https://checkout.stripe.com https://donate.stripe.com"
    for method, address, answer in every_answer:
        page = address in ("/", "/c/newsroom", "/c/newsroom/give") and answer.mimetype == "text/html"
        shows_form = page and answer.status_code in (200, 422) and method in ("GET", "HEAD", "POST")
        allowed = directives(answer)["form-action"]
        assert allowed == stripe if shows_form else allowed in ("'self'", "'none'"), f"{method} {address}"


def test_no_reader_is_given_a_cookie(every_answer: Walk) -> None:
    for method, address, answer in every_answer:
        if not address.startswith("/admin"):
            assert "Set-Cookie" not in answer.headers, f"{method} {address}"
            assert "Cookie" not in answer.headers.get("Vary", ""), f"{method} {address}"


def test_a_reader_who_brings_cookies_sees_the_same_page(client: FlaskClient) -> None:
    for address in ("/embed/newsroom", "/c/newsroom/months", "/c/newsroom/months.json", "/nothing"):
        plain = client.get(address)
        client.set_cookie("pledgebar", "eyJfdXNlcl9pZCI6IjEifQ.x.y")
        client.set_cookie("remember_token", "1|abc")
        brought = client.get(address)
        assert brought.data == plain.data
        assert "Set-Cookie" not in brought.headers
        client.delete_cookie("pledgebar")
        client.delete_cookie("remember_token")


def test_only_the_open_figures_may_be_read_by_other_sites_scripts(every_answer: Walk) -> None:
    open_to_all = {
        address
        for method, address, answer in every_answer
        if answer.headers.get("Access-Control-Allow-Origin") and answer.status_code == 200
    }
    assert open_to_all == {
        "/embed/newsroom",
        "/embed/newsroom.json",
        "/embed/newsroom.txt",
        "/embed/newsroom/ticker",
        "/embed/bar.js",
        "/embed/frame.js",
        "/c/newsroom/months.json",
        "/c/newsroom/months.atom",
        "/c/newsroom/months/2021-05.csv",
    }


def test_what_broke_is_a_page_with_the_same_headers(
    app: Flask, client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    def breaks(slug: str) -> str:
        raise RuntimeError(f"a secret about {slug}")

    monkeypatch.setitem(app.view_functions, "months.every", breaks)
    with capture_logs() as lines:
        answer = client.get("/c/newsroom/months")
    assert answer.status_code == 500
    assert "Something broke on our side" in answer.text
    assert "a secret" not in answer.text
    assert lines == [{"event": "page.stumbled", "path": "/c/newsroom/months", "log_level": "error", "exc_info": True}]
    assert directives(answer)["frame-ancestors"] == "'none'"
    assert answer.headers["X-Content-Type-Options"] == "nosniff"


@pytest.mark.parametrize("signed_in", [True, False])
def test_a_database_that_is_away_is_told_in_words_everywhere(
    client: FlaskClient, stripe_calls: Stripe, signed_in: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(health, "TRY_SECONDS", 0.0)
    monkeypatch.setattr(health, "TRY_AGAIN_SECONDS", 0.0)
    if signed_in:
        create_admin("ana@example.org", "a long password")
        found = re.search(r'name="csrf_token"[^>]*value="([^"]+)"', client.get("/admin/login").text)
        assert found is not None
        sent = {"email": "ana@example.org", "password": "a long password", "csrf_token": found[1]}
        assert client.post("/admin/login", data=sent).status_code == 302
    tables = ("campaign", "user_account", "alembic_version")
    pages = ("/", "/c/newsroom", "/embed/newsroom", "/readyz", "/admin/", "/admin/c/newsroom/", "/admin/login")
    rename(*((table, f"{table}_away") for table in tables))
    for address in pages:
        answer = client.get(address)
        assert answer.status_code == 503 or (not signed_in and address.startswith("/admin")), address
        assert directives(answer)["default-src"] == "'none'", address
    rename(*((f"{table}_away", table) for table in tables))
    for address in pages:
        assert client.get(address).status_code in (200, 302), address
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", session())) == 204


def rename(*tables: tuple[str, str]) -> None:
    with writing() as connection:
        for old, new in tables:
            connection.execute(text(f"ALTER TABLE {old} RENAME TO {new}"))


class TestOverHttps:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_PUBLIC_URL": "https://give.example.org"}

    def test_browsers_are_told_to_stay_with_it(self, client: FlaskClient) -> None:
        for address in ("/", "/embed/newsroom", "/nothing"):
            assert client.get(address).headers["Strict-Transport-Security"] == "max-age=31536000"

    def test_the_cookie_of_the_newsroom_is_bound_to_this_host(self, client: FlaskClient) -> None:
        cookie = client.get("/admin/login", base_url="https://give.example.org").headers["Set-Cookie"]
        assert cookie.startswith("__Host-pledgebar=")
        assert {"Secure", "HttpOnly", "Path=/", "SameSite=Lax"} <= set(cookie.split("; "))


class TestWithACheckoutOfOnesOwn:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"STRIPE_CHECKOUT_ORIGINS": "https://pay.example.org"}

    def test_the_form_may_go_there_and_nowhere_else(self, client: FlaskClient) -> None:
        assert directives(client.get("/c/newsroom"))["form-action"] == "'self' https://pay.example.org"


def test_browsers_keep_what_pages_are_made_of_for_a_year_under_the_address_of_what_is_in_it(
    app: Flask, client: FlaskClient
) -> None:
    [address] = re.findall(r"/static/page\.css\?v=[0-9a-f]+", client.get("/c/newsroom").text)
    kept = client.get(address, buffered=True)
    assert kept.headers["Cache-Control"] == "public, max-age=31536000, immutable"
    assert client.get(address, buffered=True, headers={"If-None-Match": kept.headers["ETag"]}).status_code == 304
    # Another node may hold another version under the same name: nobody keeps that.
    for other in ("/static/page.css", "/static/page.css?v=0123456789"):
        assert client.get(other, buffered=True).headers["Cache-Control"] == "public, max-age=300"
    assert "immutable" not in client.get("/static/nothing.css?v=0123456789").headers.get("Cache-Control", "")
