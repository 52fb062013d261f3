"""Starts the whole demo: the sandbox, a news site, and the app with two years of history, each at an address of its own."""

import os
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from urllib.error import URLError
from urllib.request import urlopen

import structlog

from tracker.demo.instance import EMAIL, FOUNDING, KEY, LIVE, Places, Say, environment, make
from tracker.demo.local_server import LOCAL, serving
from tracker.demo.news import FERRY, LIGHTHOUSE, PAPER, create_news
from tracker.gateway.customer_portal import CustomerPortal
from tracker.gateway.events import ASKED_FOR
from tracker.gateway.webhook_endpoints import API_VERSION
from tracker.paths import default_instance
from tracker.sandbox import Sandbox, create_sandbox
from tracker.server.serve import check_port
from tracker.settings import HOOK
from tracker.web.site import VERSION


def run(port: int, say: Say) -> None:
    """Runs the demo until Ctrl-C. Raises PortTaken when the app's port is in use."""
    began = time.monotonic()
    check_port(LOCAL, port)
    # Everything is on this machine, where a proxy that the shell names could not reach it.
    os.environ.update(no_proxy=LOCAL, NO_PROXY=LOCAL)
    # Beside the owner's files, never among them.
    folder = Path(os.environ.get("TRACKER_INSTANCE") or default_instance()) / "demo"
    places = Places(folder, port, *_free_ports(port))
    # The owner's settings stay outside: a live key in this shell must not reach a demo.
    environ = environment(places)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    made = make(places, environ, say)
    sandbox = Sandbox(folder / "sandbox.sqlite3", places.sandbox_url)
    sandbox.merchant = PAPER
    sandbox.remove_webhooks()
    sandbox.add_webhook(f"{places.app_url}{HOOK}", environ["STRIPE_WEBHOOK_SECRET"], ASKED_FOR, API_VERSION)
    with ExitStack() as running:
        running.callback(sandbox.close)
        running.enter_context(serving(create_sandbox(sandbox), places.sandbox))
        running.enter_context(serving(create_news(places.app_url, LIVE.slug, FOUNDING.slug), places.news))
        environ["TRACKER_PORTAL_LOGIN_URL"] = _portal(places)
        app = running.enter_context(_app(places, environ))
        sandbox.start_sender()
        _wait_until_ready(app, places.app_url)
        _say_where(places, made["password"], time.monotonic() - began, say)
        _until_stopped(app)
    say("Stopped.")


def run_sandbox(port: int, webhook: str | None, secret: str, file: Path | None, say: Say) -> None:
    """Runs the sandbox alone until Ctrl-C."""
    check_port(LOCAL, port)
    address = f"http://{LOCAL}:{port}"
    sandbox = Sandbox(file, address)
    if webhook:
        sandbox.add_webhook(webhook, secret)
    sandbox.start_sender()
    with ExitStack() as running:
        running.callback(sandbox.close)
        running.enter_context(serving(create_sandbox(sandbox), port))
        say(f"The stand-in for Stripe is at {address}: set STRIPE_API_BASE={address} and any sk_test_… key.")
        if webhook:
            say(f"It delivers to {webhook}: set STRIPE_WEBHOOK_SECRET={secret}.")
        _until_stopped(None)


# --- Running ----------------------------------------------------------------------------------------------------------


def _portal(places: Places) -> str:
    """Where supporters of the demo end a monthly gift."""
    with CustomerPortal(KEY, api_base=places.sandbox_url, version=VERSION) as stripe:
        return stripe.set_up(places.app_url, PAPER, "demo").url


def _free_ports(port: int) -> tuple[int, int]:
    """Two ports for the sandbox and the news site: the next ones, or any where those are taken."""
    found: list[int] = []
    for wanted in (port + 1, port + 2):
        for candidate in (wanted, 0):
            with suppress(OSError, OverflowError), socket.create_server((LOCAL, candidate)) as free:
                got = free.getsockname()[1]
                if got not in (*found, port):
                    found.append(got)
                    break
    return found[0], found[1]


@contextmanager
def _app(places: Places, environ: dict[str, str]) -> Iterator[subprocess.Popen[bytes]]:
    """The app itself, as `tracker serve` runs it, in a process of its own."""
    outside = {name: value for name, value in os.environ.items() if not name.startswith(("TRACKER_", "STRIPE_"))}
    log = (places.folder / "app.log").open("ab")
    command = [sys.executable, "-m", "tracker", "serve", "--host", LOCAL, "--port", str(places.app)]
    # In a session of its own: Ctrl-C reaches this process alone, which then ends the app in order.
    with (
        log,
        subprocess.Popen(  # noqa: S603
            command, env=outside | environ, stdout=log, stderr=log, stdin=subprocess.DEVNULL, start_new_session=True
        ) as process,
    ):
        try:
            yield process
        finally:
            process.terminate()
            with suppress(subprocess.TimeoutExpired):
                process.wait(10)
            if process.poll() is None:
                process.kill()


def _wait_until_ready(process: subprocess.Popen[bytes], app_url: str) -> None:
    for _ in range(300):
        if process.poll() is not None:
            raise ValueError("The app did not start: the reason is in app.log in the demo's folder.")
        with suppress(URLError, OSError), urlopen(f"{app_url}/readyz", timeout=2):  # noqa: S310
            return
        time.sleep(0.1)
    raise ValueError("The app did not answer within thirty seconds: app.log in the demo's folder says more.")


def _say_where(places: Places, password: str, seconds: float, say: Say) -> None:
    say(f"A news article with the bar above and below it   {places.news_url}/news/{FERRY}")
    say(f"The supporter's page                             {places.app_url}/c/{LIVE.slug}")
    say(f"The editor's pages                               {places.app_url}/admin/")
    say(f"    sign in as {EMAIL} with the password {password}")
    say("")
    say("Give ten dollars with the test card 4242 4242 4242 4242, any date to come and any three digits.")
    say(f"The stand-in for Stripe                           {places.sandbox_url}/")
    say(f"The picture that this began with                  {places.news_url}/archive/2021-05/{LIGHTHOUSE}")
    say(f"Ready after {seconds:.1f} seconds. Ctrl-C stops everything.")


def _until_stopped(process: subprocess.Popen[bytes] | None) -> None:
    """Waits for Ctrl-C or a request to stop, or for the app to end by itself."""
    stopped = threading.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda *_: stopped.set())
    while not stopped.wait(0.5):
        if process is not None and process.poll() is not None:
            raise ValueError("The app has ended: the reason is in app.log in the demo's folder.")
