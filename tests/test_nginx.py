"""The nginx configuration that is shipped, in a real nginx: the bar from its cache, never old, and there without the app."""

import http.client
import itertools
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
from actors import Stripe, session
from faults.server import Server, open_newsroom, running
from flask import Flask
from ports import free_port
from serving import serving
from tls import self_signed

from tracker.sandbox import Sandbox, create_sandbox
from tracker.web.prepared import Prepared

BARS = ("/embed/newsroom", "/embed/newsroom.json", "/embed/newsroom?src=a-1&pos=top")
CONFIGURATION = Path(__file__).parent.parent / "docs" / "nginx.conf"


NAME = "give.example.org"


@dataclass(frozen=True)
class Front:
    """nginx with the shipped configuration: its ports, and the certificate that stands for it."""

    http: int
    https: int
    certificate: Path


@contextmanager
def nginx(folder: Path, *app_addresses: str) -> Iterator[Front]:
    """nginx with the shipped configuration, but for the addresses, the certificate and the folder of its cache."""
    folder.mkdir(exist_ok=True)
    http_port, https_port = free_port(), free_port()
    certificate, key = self_signed(folder, NAME, "127.0.0.1")
    nodes = "\n".join(f"server {address.removeprefix('http://')} max_fails=0;" for address in app_addresses)
    shipped = CONFIGURATION.read_text(encoding="utf-8")
    changes = {
        "server 127.0.0.1:5000 max_fails=0;": nodes,
        "/var/lib/nginx/pledgebar": str(folder / "cache"),
        "listen 80;\n    listen [::]:80;": f"listen 127.0.0.1:{http_port};",
        "listen 443 ssl http2;\n    listen [::]:443 ssl http2;": f"listen 127.0.0.1:{https_port} ssl http2;",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(certificate),
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(key),
    }
    for shown, ours in changes.items():
        assert shipped.count(shown) == 1, shown
        shipped = shipped.replace(shown, ours)
    (folder / "logs").mkdir(parents=True)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/logs/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{shipped}\n}}\n"
    )
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert program, "nginx is not installed: “make tools” installs it"
    running = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "logs" / "error.log")]
    )
    try:
        for _ in range(200):
            assert running.poll() is None, (folder / "logs" / "error.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", https_port)) == 0:
                    break
            time.sleep(0.05)
        yield Front(http_port, https_port, certificate)
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    # Of proxies nobody says anything.
    return environ | {"TRACKER_PUBLIC_URL": f"https://{NAME}"}


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def front(app: Flask) -> Iterator[Prepared]:
    app.extensions["bars"].look(datetime.now(UTC))
    yield Prepared(app)
    app.extensions["bars"].close()


def connect(to: Front | int, source: str = "127.0.0.1") -> http.client.HTTPConnection:
    """A connection by https to nginx, from an address of this machine, or straight to an app's port."""
    if isinstance(to, int):
        return http.client.HTTPConnection("127.0.0.1", to, timeout=20)
    trusted = ssl.create_default_context(cafile=str(to.certificate))
    return http.client.HTTPSConnection("127.0.0.1", to.https, timeout=20, context=trusted, source_address=(source, 0))


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


def test_the_bar_comes_from_the_cache_and_is_the_app_s_own(front: Prepared, tmp_path: Path) -> None:
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


def test_a_gift_shows_behind_nginx_within_its_second(app: Flask, front: Prepared, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as port:
        assert b"340 $" not in Answer(port, "/embed/newsroom").body
        gift(app, "cs_1")
        # What is a second old is asked for again before it is shown, also after a long quiet.
        time.sleep(1)
        assert b"340 $" in Answer(port, "/embed/newsroom").body


def test_without_the_app_the_last_number_goes_on_and_giving_says_so(
    app: Flask, front: Prepared, tmp_path: Path
) -> None:
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
        assert Answer(port, "/c/newsroom").status == 502


def test_what_people_and_stripe_send_passes_untouched(app: Flask, front: Prepared, tmp_path: Path) -> None:
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


def test_http_leads_to_https_and_certificates_can_be_renewed(front: Prepared, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        for host in (NAME, "evil.example"):
            answer = Answer(here.http, "/c/newsroom?amount=1000", Host=host)
            assert (answer.status, answer.headers["Location"]) == (301, f"https://{NAME}/c/newsroom?amount=1000")
        assert Answer(here.http, "/.well-known/acme-challenge/token").status == 404
        page = Answer(here, "/c/newsroom")
        assert (page.status, page.headers["Strict-Transport-Security"]) == (200, "max-age=31536000")
        assert Answer(here, "/c/newsroom", Host="evil.example").status == 400


def test_each_reader_is_known_by_their_address_and_each_request_by_its_id(
    app: Flask, front: Prepared, tmp_path: Path
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
    app: Flask, front: Prepared, tmp_path: Path
) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        assert {Answer(here, what).status for what in BARS} == {200}
        gift(app, "cs_1")
        assert Answer(here, "/c/newsroom").status == 200
    # The page alone: the gift was told of on this machine, past nginx, and the bar asks nobody but the app.
    assert app.extensions["node"]._proxies == {"as told": 1}


# --- Limits -----------------------------------------------------------------------------------------------------------


def test_a_flood_of_pages_is_stopped_and_neither_the_bar_nor_stripe_is(front: Prepared, tmp_path: Path) -> None:
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


def test_a_flood_of_forms_is_stopped_sooner(front: Prepared, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path / "nginx", address) as here:
        connection = connect(here)
        found = [Answer(here, "/c/nobody/give", "POST", b"x=1", connection).status for _ in range(60)]
        assert set(found[:30]) <= {403, 404}
        assert 429 in found
        assert Answer(here, "/c/newsroom", connection=connection).status == 200
        connection.close()


# --- Several nodes ----------------------------------------------------------------------------------------------------


class Crowd:
    """Readers and donors who come one after the other, from an address each, until they are let go."""

    def __init__(self, here: Front) -> None:
        self.here = here
        self.over = threading.Event()
        self.readers: list[int] = []
        self.donors: list[list[int]] = []
        self.failed: list[BaseException] = []
        self._people = itertools.count()
        self.threads = [
            threading.Thread(target=self._safely, args=(do,))
            for do in [self._reads, self._reads, self._gives, self._gives]
        ]

    def __enter__(self) -> "Crowd":
        for thread in self.threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.over.set()
        for thread in self.threads:
            thread.join(60)
        assert self.failed == []

    def _safely(self, do: Callable[[], None]) -> None:
        try:
            while not self.over.wait(0.1):
                do()
        except BaseException as error:
            self.failed.append(error)

    def _somebody(self) -> http.client.HTTPConnection:
        # The whole of 127.0.0.0/8 is this machine.
        number = next(self._people)
        return connect(self.here, f"127.1.{number // 250 % 250}.{number % 250 + 1}")

    def _reads(self) -> None:
        somebody = self._somebody()
        for path in ("/c/newsroom", "/embed/newsroom.json"):
            self.readers.append(Answer(self.here, path, connection=somebody).status)
        somebody.close()

    def _gives(self) -> None:
        somebody = self._somebody()
        page = Answer(self.here, "/c/newsroom", connection=somebody)
        self.readers.append(page.status)
        token = re.search(r'name="token"[^>]*value="([^"]+)"', page.body.decode())
        assert token
        form = urlencode({"token": unescape(token[1]), "frequency": "once", "tier_once": "1000"}).encode()
        typed = {"Content_Type": "application/x-www-form-urlencoded"}
        tries = []
        while not tries or (tries[-1] != 303 and len(tries) < 3):
            tries.append(Answer(self.here, "/c/newsroom/give", "POST", form, somebody, **typed).status)
        somebody.close()
        self.donors.append(tries)


def test_nodes_are_restarted_one_after_the_other_and_no_reader_notices(environ: dict[str, str], tmp_path: Path) -> None:
    sandbox = Sandbox()
    with serving(create_sandbox(sandbox)) as stripe:
        sandbox.public_url = stripe
        environ |= {"STRIPE_API_BASE": stripe, "TRACKER_GIVE_LIMIT": "3 per minute"}
        open_newsroom(environ)
        nodes = [Server(environ, tmp_path / f"log-{number}") for number in range(2)]
        addresses = [f"127.0.0.1:{node.port}" for node in nodes]
        with running(*nodes), nginx(tmp_path / "nginx", *addresses) as here, Crowd(here) as crowd:
            for node in nodes:
                assert node.process is not None
                node.process.send_signal(signal.SIGTERM)
                node.process.wait(30)
                # A while with one node alone, and the other one in its place as soon as it is ready.
                seen = len(crowd.readers)
                wait_until(lambda seen=seen: len(crowd.readers) > seen + 20)  # type: ignore[misc]
                node.start()
            seen = len(crowd.readers)
            wait_until(lambda: len(crowd.readers) > seen + 20)
        sandbox.close()
    assert set(crowd.readers) == {200}
    assert all(tries[-1] == 303 and len(tries) <= 2 for tries in crowd.donors), crowd.donors
    assert len(crowd.donors) > 10


def wait_until(it_is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not it_is_so():
        assert time.monotonic() < until
        time.sleep(0.02)
