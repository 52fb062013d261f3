"""The nginx configuration that is shipped, in a real nginx: the bar from its cache, never old, and there without the app."""

import http.client
import os
import re
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest
from actors import Stripe, session
from flask import Flask
from ports import free_port
from serving import serving

from tracker.web.prepared import Prepared

BARS = ("/embed/newsroom", "/embed/newsroom.json", "/embed/newsroom?src=a-1&pos=top")
CONFIGURATION = Path(__file__).parent.parent / "docs" / "nginx.conf"


@contextmanager
def nginx(folder: Path, app_address: str) -> Iterator[int]:
    """nginx with the shipped configuration, but for the addresses and the folder of its cache; gives its port."""
    port = free_port()
    shipped = CONFIGURATION.read_text(encoding="utf-8")
    changes = {
        "server 127.0.0.1:5000;": f"server {app_address.removeprefix('http://')};",
        "/var/cache/nginx/pledgebar": str(folder / "cache"),
        "listen 80;": f"listen 127.0.0.1:{port};",
    }
    for shown, ours in changes.items():
        assert shipped.count(shown) == 1
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
                if probe.connect_ex(("127.0.0.1", port)) == 0:
                    break
            time.sleep(0.05)
        yield port
    finally:
        running.terminate()
        running.wait(10)


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def front(app: Flask) -> Iterator[Prepared]:
    app.extensions["bars"].look(datetime.now(UTC))
    yield Prepared(app)
    app.extensions["bars"].close()


class Answer:
    def __init__(self, port: int, address: str, method: str = "GET", body: bytes | None = None, **headers: str) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=20)
        connection.request(method, address, body, {name.replace("_", "-"): value for name, value in headers.items()})
        answer = connection.getresponse()
        self.status, self.body, self.headers = answer.status, answer.read(), answer.headers
        connection.close()


def gift(app: Flask, key: str) -> None:
    stripe = Stripe(app.test_client())
    event: dict[str, Any] = stripe.event("checkout.session.completed", session(key, 34_000)) | {"id": f"evt_{key}"}
    assert stripe.sends(event) == 204
    with app.app_context():
        app.extensions["bars"].look(datetime.now(UTC))


def test_the_bar_comes_from_the_cache_and_is_the_app_s_own(front: Prepared, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path, address) as port:
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
    with serving(front) as address, nginx(tmp_path, address) as port:
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
            port = later.enter_context(nginx(tmp_path, address))
            shown = {what: Answer(port, what, Accept_Encoding="br").body for what in BARS}
        # Only nginx is left.
        time.sleep(1)
        for what in BARS:
            answer = Answer(port, what, Accept_Encoding="br")
            assert "X-Accel-Expires" not in answer.headers
            assert (answer.status, answer.headers["X-Cache"], answer.body) == (200, "STALE", shown[what])
        assert Answer(port, "/c/newsroom").status == 502


def test_what_people_and_stripe_send_passes_untouched(app: Flask, front: Prepared, tmp_path: Path) -> None:
    with serving(front) as address, nginx(tmp_path, address) as port:

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
