"""Under another WSGI server, with no line of ours that starts it: gifts show on every worker, and loads are written down."""

import http.client
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest
from actors import WEBHOOK_SECRET, Stripe, session
from faults.server import open_newsroom
from ports import free_port
from sqlalchemy import func, select
from stripe import WebhookSignature

from tracker import create_app
from tracker.ledger import store
from tracker.ledger.nodes import every
from tracker.ledger.store import reading
from tracker.ledger.visit_models import visit
from tracker.settings import HOOK, read_settings
from tracker.web.site import now

WORKERS = 2


@pytest.fixture
def database_url() -> str:
    return ""


@contextmanager
def gunicorn(environ: dict[str, str], log: Path, *more: str) -> Iterator[int]:
    port = free_port()
    command = [sys.executable, "-m", "gunicorn", "--workers", str(WORKERS), "--threads", "8",
               "--bind", f"127.0.0.1:{port}", *more, "tracker:create_app()"]  # fmt: skip
    with log.open("ab") as told:
        process = subprocess.Popen(command, env=os.environ | environ, stdout=told, stderr=told)
    try:
        deadline = time.monotonic() + 60
        while asks(port, "GET", "/readyz")[0] != 200:
            assert process.poll() is None, log.read_text()
            assert time.monotonic() < deadline, log.read_text()
            time.sleep(0.05)
        yield port
    finally:
        process.terminate()
        process.wait(30)


def asks(port: int, method: str, path: str, body: bytes | None = None, **headers: str) -> tuple[int, bytes]:
    """Over a connection of its own, which any of the workers may take; 0 while nobody does."""
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=20)) as connection:
        try:
            connection.request(method, path, body, {name.replace("_", "-"): said for name, said in headers.items()})
            answer = connection.getresponse()
            return answer.status, answer.read()
        except OSError:
            return 0, b""


def gives(port: int, key: str, amount: int) -> None:
    told = Stripe(None).event("checkout.session.completed", session(key, amount))  # type: ignore[arg-type]
    body = json.dumps(told | {"id": f"evt_{key}"}).encode()
    signature = WebhookSignature.generate_signature_header(body.decode(), WEBHOOK_SECRET, int(time.time()))
    assert asks(port, "POST", HOOK, body, Stripe_Signature=signature)[0] == 204


@pytest.mark.parametrize("more", [[], ["--preload"]], ids=["", "preload"])
def test_the_whole_app_is_served(environ: dict[str, str], tmp_path: Path, more: list[str]) -> None:
    open_newsroom(environ)
    loads = 0
    with gunicorn(environ, tmp_path / "log", *more) as port:

        def raised(times: int = 40) -> set[int]:
            """What so many loads show, of which each worker answers some."""
            nonlocal loads
            loads += times
            return {json.loads(asks(port, "GET", "/embed/newsroom.json")[1])["raised"] for _ in range(times)}

        assert raised() == {0}
        for number in range(3):
            gives(port, f"cs_{number}", 1000)
            time.sleep(1)
            assert raised() == {1000 * (number + 1)}
        assert asks(port, "GET", "/c/newsroom")[0] == 200
    app = create_app(read_settings(environ), background=False)
    with app.app_context(), reading() as connection:
        assert connection.scalar(select(func.sum(visit.c.times))) == loads
        # Each worker is a process of its own, and said so at its end.
        assert [node.ended for node in every(connection, now() - timedelta(hours=1))] == [True] * WORKERS
    store.close(app)
    assert "Traceback" not in (tmp_path / "log").read_text()
