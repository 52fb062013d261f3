"""How much anybody may send: enough for every form of ours, and a refusal that costs no more than a small form."""

import io
import time
from collections.abc import Callable
from typing import Any
from urllib.parse import urlencode

import pytest
from actors import each
from flask import Flask
from flask.testing import FlaskClient
from web_admin import Editor
from werkzeug.test import create_environ, run_wsgi_app

from tracker.ledger import campaigns
from tracker.ledger.store import reading
from tracker.web.body_limits import LONGEST_FORM, LONGEST_FORM_SIGNED_IN, LONGEST_LINE, MOST_FIELDS

FORM = "application/x-www-form-urlencoded"
SMALL = urlencode({"frequency": "once", "token": "x", "email": "x", "password": "x"}).encode()
LARGE = 250_000
PARTS = b'--b\r\nContent-Disposition: form-data; name="a"\r\n\r\n\r\n' * 4000 + b"--b--\r\n"
LARGE_ONES: dict[str, tuple[str, bytes]] = {
    "empty fields": (FORM, b"a=&" * (LARGE // 3)),
    "nothing but what is between fields": (FORM, b"&" * LARGE),
    "one field": (FORM, b"a=" + b"x" * LARGE),
    "one field, every letter escaped": (FORM, b"message=" + b"%41" * (LARGE // 3)),
    "parts": ("multipart/form-data; boundary=b", PARTS),
    "brackets": ("application/json", b"[" * LARGE),
    "as many fields as fit": (FORM, b"a=&" * (LONGEST_FORM // 3)),
    "as many parts as fit": ("multipart/form-data; boundary=b", PARTS[:LONGEST_FORM]),
}


@pytest.fixture
def database_url() -> str:
    """One database is enough: none is asked for this."""
    return ""


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TRACKER_SIGN_IN_LIMIT": "100000 per minute"}


def request(path: str, body: bytes = b"", kind: str = "", *, chunked: bool = False, **more: Any) -> dict[str, Any]:
    """A request as granian hands it on."""
    path, _, query = path.partition("?")
    environ = create_environ(path, query_string=query, method="POST" if body else "GET")
    environ |= {"wsgi.input": io.BytesIO(body), "wsgi.input_terminated": True, "CONTENT_LENGTH": str(len(body))} | more
    environ["CONTENT_TYPE"] = kind
    if chunked:
        del environ["CONTENT_LENGTH"]
        environ["HTTP_TRANSFER_ENCODING"] = "chunked"
    return environ


def answered(app: Flask, environ: dict[str, Any]) -> tuple[str, float]:
    """The status, and the processor time that it took in seconds."""
    begun = time.thread_time()
    _, status, _ = run_wsgi_app(app.wsgi_app, environ, buffered=True)
    return status[:3], time.thread_time() - begun


def cost(app: Flask, *requests: Callable[[], dict[str, Any]]) -> list[float]:
    """What each takes, in turns, as it is when nothing disturbs it."""
    rounds = [[answered(app, one())[1] for one in requests] for _ in range(7)]
    return [min(column) for column in zip(*rounds[1:], strict=True)]


# --- What fits --------------------------------------------------------------------------------------------------------


def test_a_donors_longest_words_fit_with_every_letter_escaped(client: FlaskClient) -> None:
    longest = {"name": "\N{GRINNING FACE}" * 80, "message": "\N{GRINNING FACE}" * 300, "other_amount": "9" * 200,
               "token": "x" * 200, "src": "%" * 64, "pos": "top", "frequency": "once", "tier_once": "other"}  # fmt: skip
    body = urlencode(longest)
    assert 2 * len(body) < LONGEST_FORM
    answer = client.post("/c/newsroom/give", data=body, content_type=FORM)
    assert answer.status_code == 422
    assert "\N{GRINNING FACE}" * 300 in answer.text


def test_a_campaigns_longest_text_fits_for_whom_may_change_it_and_is_not_read_from_anybody_else(app: Flask) -> None:
    editor, address = Editor(app), "/admin/c/newsroom/settings"
    story = "\N{GRINNING FACE}" * 20_000
    typed = {"title": "Support us", "lead": "", "story": story, "goal": "5000", "time_zone": "Europe/Berlin",
             "locale": "en_US", "once": "10", "monthly": "5", "minimum": "2", "maximum": "10000"}  # fmt: skip
    assert LONGEST_FORM < len(urlencode(typed)) < LONGEST_FORM_SIGNED_IN
    assert editor.sends(address, **typed).status_code == 303
    with reading() as connection:
        campaign = campaigns.find(connection, "newsroom")
    assert campaign
    assert campaign.story == story
    stranger = app.test_client()
    answer = stranger.post(address, data=typed)
    assert (answer.status_code, answer.headers["Location"].partition("?")[0]) == (302, "/admin/login")
    assert stranger.post("/admin/login", data=typed).status_code == 413


def test_what_fits_nobody_is_refused_in_words(client: FlaskClient) -> None:
    for body in (b"message=" + b"x" * LONGEST_FORM, b"&" * (MOST_FIELDS + 1)):
        answer = client.post("/c/newsroom/give", data=body, content_type=FORM)
        assert answer.status_code == 413
        assert "That was too much at once" in answer.text
    just_fits = b"&" * MOST_FIELDS + b"name=Ana"
    assert client.post("/c/newsroom/give", data=just_fits, content_type=FORM).status_code == 422


def test_a_form_that_is_cut_off_changes_nothing(app: Flask) -> None:
    """As where a connection breaks: what comes last in it would count as left empty."""
    for path in ("/c/newsroom/give", "/admin/login"):
        assert answered(app, request(path, SMALL, FORM, CONTENT_LENGTH=str(len(SMALL) + 1)))[0] == "400"
        assert answered(app, request(path, SMALL, FORM))[0] in ("422", "200")


# --- What it costs ----------------------------------------------------------------------------------------------------


@each("path", ["/c/newsroom/give", "/admin/login", "/admin/logout", "/admin/verify"])
def test_a_large_form_is_refused_for_no_more_than_a_small_one_costs(app: Flask, path: str) -> None:
    for chunked in (False, True):
        made = [
            lambda body=body, kind=kind: request(path, body, kind, chunked=chunked)  # type: ignore[misc] # noqa: B023
            for kind, body in LARGE_ONES.values()
        ]
        for name, one in zip(LARGE_ONES, made, strict=True):
            # The other two have nothing to do for who is not signed in, and read nothing; nor does who wants no JSON.
            taken = answered(app, one())[0]
            assert taken in ("413", "415") or path in ("/admin/logout", "/admin/verify"), name
        small, *large = cost(app, lambda: request(path, SMALL, FORM), *made)
        assert max(large) < 3 * small + 0.001, dict(zip(LARGE_ONES, large, strict=True)) | {"small": small}


@each(
    ("path", "status"),
    [("/nowhere", "404"), ("/c/newsroom", "405"), ("/embed/newsroom", "405"), ("/static/page.css", "405"),
     ("/admin/nowhere", "404"), ("/webhooks/nowhere", "404")],
)  # fmt: skip
def test_where_nothing_is_taken_a_large_body_costs_what_a_small_one_does(app: Flask, path: str, status: str) -> None:
    made = [lambda body=body, kind=kind: request(path, body, kind) for kind, body in LARGE_ONES.values()]  # type: ignore[misc]
    assert {answered(app, one())[0] for one in made} == {status}
    small, *large = cost(app, lambda: request(path, SMALL, FORM), *made)
    assert max(large) < 3 * small + 0.001, dict(zip(LARGE_ONES, large, strict=True)) | {"small": small}


@each(
    "path",
    ["/c/newsroom", "/embed/newsroom", "/embed/newsroom.json", "/oembed", "/go/newsroom", "/admin/login", "/nowhere",
     "/embed/nowhere", "/healthz", "/static/page.css"],
)  # fmt: skip
def test_a_long_address_costs_no_more_than_a_short_one(app: Flask, path: str) -> None:
    long = [f"{path}?{'a=&' * 20_000}", f"{path}?{'&' * 60_000}", f"{path}?{'src=' + '%41' * 20_000}"]
    assert {answered(app, request(one))[0] for one in long} == {"414"}
    fields = f"{path}?{'a=&' * (MOST_FIELDS + 1)}"
    assert answered(app, request(fields))[0] == "414"
    short, *longs = cost(app, lambda: request(path), *[lambda one=one: request(one) for one in long])  # type: ignore[misc]
    assert max(longs) < 3 * short + 0.001


def test_an_address_as_long_as_people_have_them_is_read(client: FlaskClient) -> None:
    article = "https://news.example/" + "x" * 2000
    assert client.get(f"/c/newsroom?src=a&back={article}&fbclid={'x' * 300}").status_code == 200
    assert client.get("/c/newsroom?" + "x" * LONGEST_LINE).status_code == 200
    answer = client.get("/c/newsroom?" + "x" * (LONGEST_LINE + 1))
    assert answer.status_code == 414
    assert "That address is too long" in answer.text


@each("name", ["Cookie", "Accept", "Accept-Language", "Accept-Encoding", "X-Forwarded-For"])
def test_a_long_header_costs_no_more_than_a_short_one(app: Flask, name: str) -> None:
    said = {"HTTP_" + name.upper().replace("-", "_"): "a/b;c=1," * 8000}
    for path in ("/admin/login", "/c/newsroom"):
        assert answered(app, request(path, **said))[0] == "431"
        short, long = cost(app, lambda: request(path), lambda: request(path, **said))  # noqa: B023 - called right here
        assert long < 3 * short + 0.001
