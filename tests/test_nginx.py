"""The nginx configuration that is shipped, in a real nginx: the bar from its cache, never old, and there without the app."""

import gzip
import http.client
import re
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from actors import Stripe, session
from flask import Flask
from front import NAME, Front, connect, nginx
from serving import serving

BARS = ("/embed/newsroom", "/embed/newsroom.json", "/embed/newsroom?src=a-1&pos=top")


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    # Of proxies nobody says anything.
    return environ | {"TRACKER_PUBLIC_URL": f"https://{NAME}"}


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def front(app: Flask) -> Iterator[Flask]:
    app.extensions["bars"].look(datetime.now(UTC))
    yield app
    app.extensions["bars"].close()


class Answer:
    def __init__(
        self, to: Front | int, address: str, method: str = "GET", body: bytes | None = None,
        connection: http.client.HTTPConnection | None = None, **headers: str,
    ) -> None:  # fmt: skip
        own = connection or connect(to)
        named = {"Host": NAME} | {name.replace("_", "-"): value for name, value in headers.items()}
        own.request(method, address, body, named)
        answer = own.getresponse()
        self.status, self.body, self.headers = answer.status, answer.read(), answer.headers
        if connection is None:
            own.close()


def gift(app: Flask, key: str) -> None:
    stripe = Stripe(app.test_client())
    event: dict[str, Any] = stripe.event("checkout.session.completed", session(key, 34_000)) | {"id": f"evt_{key}"}
    assert stripe.sends(event) == 204
    with app.app_context():
        app.extensions["bars"].look(datetime.now(UTC))


def test_the_bar_comes_from_the_cache_and_is_the_app_s_own(front: Flask, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as port:
        app_port = int(address.rpartition(":")[2])
        for what in ("/embed/newsroom", "/embed/newsroom.json?month=2021-05", "/embed/newsroom?src=a-1&pos=top"):
            for packed in ("br, gzip", "gzip", "identity", "br;q=0, gzip"):
                own = Answer(app_port, what, Accept_Encoding=packed)
                first, second = (Answer(port, what, Accept_Encoding=packed) for _ in range(2))
                for one in (first, second):
                    assert (one.status, one.body) == (200, own.body)
                    for name in ("ETag", "Content-Encoding", "Content-Security-Policy", "Cache-Control", "Vary"):
                        assert one.headers[name] == own.headers[name]
                assert second.headers["X-Cache"] in ("HIT", "REVALIDATED", "EXPIRED")
        tag = Answer(port, "/embed/newsroom", Accept_Encoding="br").headers["ETag"]
        again = Answer(port, "/embed/newsroom", Accept_Encoding="br", If_None_Match=tag)
        assert (again.status, again.body) == (304, b"")


def test_public_pages_and_what_they_are_made_of_come_packed_and_editors_pages_do_not(
    front: Flask, tmp_path: Path
) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as port:
        for name in ("page.css", "give.js", "bar.css"):
            packed = Answer(port, f"/static/{name}", Accept_Encoding="br, gzip")
            assert packed.headers["Content-Encoding"] == "gzip"
            assert gzip.decompress(packed.body) == Answer(port, f"/static/{name}", Accept_Encoding="identity").body
            tag = packed.headers["ETag"]
            again = Answer(port, f"/static/{name}", Accept_Encoding="br, gzip", If_None_Match=tag)
            assert (again.status, again.body) == (304, b"")
        for page in ("/c/newsroom", "/c/newsroom/months", "/c/newsroom/months.json"):
            assert Answer(port, page, Accept_Encoding="br, gzip").headers["Content-Encoding"] == "gzip"
            assert Answer(port, page).headers["Content-Encoding"] is None
        assert Answer(port, "/admin/login", Accept_Encoding="br, gzip").headers["Content-Encoding"] is None


def test_a_gift_shows_behind_nginx_within_its_second(app: Flask, front: Flask, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as port:
        assert b"340 $" not in Answer(port, "/embed/newsroom").body
        gift(app, "cs_1")
        # What is a second old is asked for again before it is shown, also after a long quiet.
        time.sleep(1)
        assert b"340 $" in Answer(port, "/embed/newsroom").body


def test_without_the_app_the_last_number_goes_on_and_giving_says_so(app: Flask, front: Flask, tmp_path: Path) -> None:
    gift(app, "cs_1")
    with ExitStack() as later:
        with serving(front) as address:
            port = later.enter_context(nginx(tmp_path / "nginx", address))
            shown = {what: Answer(port, what, Accept_Encoding="br").body for what in BARS}
        # Only nginx is left.
        time.sleep(1)
        for what in BARS:
            answer = Answer(port, what, Accept_Encoding="br")
            assert "X-Accel-Expires" not in answer.headers
            assert (answer.status, answer.headers["X-Cache"], answer.body) == (200, "STALE", shown[what])
        page = Answer(port, "/c/newsroom")
        assert (page.status, page.headers["Retry-After"]) == (502, "10")
        assert b"nothing is charged twice" in page.body


def test_of_an_app_that_hangs_the_last_number_is_shown_within_seconds(front: Flask, tmp_path: Path) -> None:
    goes_on = threading.Event()
    goes_on.set()

    def hanging(environ: dict[str, Any], start_response: Any) -> Any:
        goes_on.wait(20)
        return front(environ, start_response)

    with serving(hanging) as address, nginx(tmp_path / "nginx", address) as here:
        shown = Answer(here, "/embed/newsroom").body
        time.sleep(1)
        goes_on.clear()
        began = time.monotonic()
        answer = Answer(here, "/embed/newsroom")
        assert (answer.status, answer.headers["X-Cache"], answer.body) == (200, "STALE", shown)
        assert time.monotonic() - began < 10
        goes_on.set()


def test_what_people_and_stripe_send_passes_untouched(app: Flask, front: Flask, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as port:

        class Through:
            def post(self, path: str, data: bytes, headers: dict[str, str]) -> Any:
                answer = Answer(port, path, "POST", data, **headers)
                answer.status_code = answer.status  # type: ignore[attr-defined]
                return answer

        stripe = Stripe(Through())  # type: ignore[arg-type]
        assert stripe.sends(stripe.event("checkout.session.completed", session())) == 204
        assert stripe.delivers(b"{}", signature="t=1,v1=forged") == 400
        page = Answer(port, "/c/newsroom")
        assert page.status == 200
        assert "X-Cache" not in page.headers
        assert re.search(r'name="token"', page.body.decode())


# --- TLS, and who asks ------------------------------------------------------------------------------------------------


def test_http_leads_to_https_and_certificates_can_be_renewed(front: Flask, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        for host in (NAME, "evil.example"):
            answer = Answer(here.http, "/c/newsroom?amount=1000", Host=host)
            assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/c/newsroom?amount=1000")
        assert Answer(here.http, "/.well-known/acme-challenge/token").status == 404
        page = Answer(here, "/c/newsroom")
        assert (page.status, page.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
        assert Answer(here, "/c/newsroom", Host="evil.example").status == 400


def test_each_reader_is_known_by_their_address_and_each_request_by_its_id(
    app: Flask, front: Flask, tmp_path: Path
) -> None:
    seen: list[tuple[str, str, str]] = []

    def looking(environ: dict[str, Any], start_response: Any) -> Any:
        answer = front(environ, start_response)
        seen.append((environ["REMOTE_ADDR"], environ["wsgi.url_scheme"], environ.get("HTTP_X_FORWARDED_FOR", "")))
        return answer

    with serving(looking) as address, nginx(tmp_path / "nginx", address) as here:
        page = Answer(here, "/c/newsroom", X_Forwarded_For="203.0.113.5", X_Request_ID="chosen-by-a-stranger")
    # What a stranger writes is not passed on; with nothing set the proxy on this machine is believed.
    assert seen == [("127.0.0.1", "https", "127.0.0.1")]
    assert re.fullmatch("[0-9a-f]{32}", page.headers["X-Request-ID"])
    assert app.extensions["node"]._proxies == {"as told": 1}


def test_what_the_app_asks_of_itself_for_the_bar_says_nothing_about_proxies(
    app: Flask, front: Flask, tmp_path: Path
) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        assert {Answer(here, what).status for what in BARS} == {200}
        gift(app, "cs_1")
        assert Answer(here, "/c/newsroom").status == 200
        # For those near the app, and not for those near nginx.
        assert Answer(here, "/metrics").status == 404
    # The page alone: the gift was told of on this machine, past nginx, and the bar asks nobody but the app.
    assert app.extensions["node"]._proxies == {"as told": 1}


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_a_flood_of_pages_is_stopped_and_neither_the_bar_nor_stripe_is(front: Flask, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        connection = connect(here)

        def ask(path: str, times: int, method: str = "GET") -> list[Answer]:
            body = b"{}" if method == "POST" else None
            return [Answer(here, path, method, body, connection) for _ in range(times)]

        pages = ask("/healthz", 400)
        # Two hundred at once, and ten more for each second that it took.
        assert {one.status for one in pages[:200]} == {200}
        refused = [one for one in pages if one.status == 429]
        assert refused
        assert refused[0].headers["Retry-After"] == "10"
        assert b"Please try again in 10 seconds." in refused[0].body
        assert {one.status for one in ask("/embed/newsroom.json", 100)} == {200}
        assert {one.status for one in ask("/static/page.css", 20)} == {200}
        assert {one.status for one in ask("/webhooks/stripe", 60, "POST")} == {400}
        connection.close()


def test_a_flood_of_forms_is_stopped_sooner(front: Flask, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        connection = connect(here)
        found = [Answer(here, "/c/nobody/give", "POST", b"x=1", connection).status for _ in range(60)]
        assert set(found[:30]) <= {403, 404}
        assert 429 in found
        assert Answer(here, "/c/newsroom", connection=connection).status == 200
        connection.close()
