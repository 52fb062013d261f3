"""Under another WSGI server, with no line of ours that starts it: a gift and its refund show on every worker, its fee is asked
for, and loads are saved."""

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
import requests
from actors import WEBHOOK_SECRET, Stripe, session
from faults.server import open_newsroom
from ports import free_port
from serving import serving_sandbox
from sqlalchemy import func, select
from stripe import WebhookSignature
from town import Town, wait_until

from tracker import create_app
from tracker.ledger import store
from tracker.ledger.models import BalanceTransactionRow
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
def gunicorn(environ: dict[str, str], log: Path, *more: str, port: int = 0) -> Iterator[int]:
    port = port or free_port()
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


def test_a_gift_walks_from_the_form_to_its_fee_and_its_refund_comes_off(
    environ: dict[str, str], tmp_path: Path
) -> None:
    port = free_port()
    address = f"http://127.0.0.1:{port}"
    with serving_sandbox() as sandbox, requests.Session() as browser:
        browser.trust_env = False
        environ |= {"STRIPE_API_BASE": sandbox.public_url, "TRACKER_PUBLIC_URL": address}
        open_newsroom(environ)
        app = create_app(read_settings(environ), background=False)
        town = Town(app, address, sandbox, browser)
        sandbox.add_webhook(f"{address}{HOOK}", WEBHOOK_SECRET)

        def fees() -> list[int]:
            with app.app_context(), reading() as session:
                return list(session.scalars(select(BalanceTransactionRow.fee)))

        with gunicorn(environ, tmp_path / "log", port=port):
            sandbox.start_sender()
            thanks = town.gives(frequency="once", tier_once="1000")
            town.waits_for(1000)
            town.waits_for_thanks(thanks)
            # By the thread beside the requests, in the worker that Stripe's event came to.
            wait_until(lambda: fees() == [59], "fee")
            (intent,) = sandbox.store.newest("payment_intent")
            sandbox.refund(payment_intent=intent["id"])
            town.waits_for(0)
        store.close(app)
    assert "Traceback" not in (tmp_path / "log").read_text()
