"""Starts the whole demo: the sandbox, a news site, and the app with two years of history, each at an address of its own."""

import json
import os
import secrets
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.error import URLError
from urllib.request import urlopen

import structlog
from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

from tracker import create_app
from tracker.demo import sample_history
from tracker.demo.news import FERRY, LIGHTHOUSE, PAPER, create_news
from tracker.demo.play_history import play
from tracker.gateway.checkout import Order, session_params
from tracker.gateway.customer_portal import CustomerPortal
from tracker.gateway.events import ASKED_FOR
from tracker.giving.campaign import Campaign
from tracker.giving.drives import Appeal, parse_moment
from tracker.giving.months import parse_month
from tracker.giving.tiers import Choice
from tracker.ledger import appeals, campaigns, store, supporters
from tracker.ledger.store import reading, writing
from tracker.paths import default_instance
from tracker.sandbox import Sandbox, create_sandbox
from tracker.server.serve import check_port
from tracker.settings import HOOK, Settings, make_secret_key, read_settings
from tracker.web.admin.signin import create_admin
from tracker.web.site import VERSION

Say = Callable[[str], Any]

LOCAL = "127.0.0.1"
ZONE = "Europe/Berlin"
KEY = "sk_test_demo"
EMAIL = "editor@saltmere.example"

STORY = """\
## What your money does

The Saltmere Courier has five reporters for a town of forty thousand. Nobody else sits in the council's committees
until eleven at night, and nobody else asks what became of the school roof. About a third of what that costs comes
from readers.

- **10 $** pays for one hour in the archive.
- **25 $** sends a reporter to a committee meeting.
- **100 $** covers a day of research into the harbour's accounts.

Whoever gives has no say in what we write. Every month we show here what came in.
"""

LIVE = Campaign(
    slug="newsroom",
    title="Support the newsroom",
    lead="Five reporters, one town, and no owner but its readers.",
    story=STORY,
    currency="USD",
    time_zone=ZONE,
    locale="en_US",
    amount_pattern="#,##0 ¤",
    once=sample_history.ONCE_TIERS,
    monthly=sample_history.MONTHLY_TIERS,
    yearly=sample_history.YEARLY_TIERS,
    minimum=2_00,
    maximum=10_000_00,
    allowed_hosts=(LOCAL,),
    thanks_words="The whole newsroom thanks you. On the first Friday of each month you can ask us anything, at our open desk.",
    checkout_words="Your gift pays for reporting in Saltmere, and for nothing else.",
)

# The picture that the product started from, kept as it was: May 2021, 340 $ of 5,000 $.
FOUNDING = Campaign(
    slug="may-2021",
    title="Support us in May 2021",
    lead="The month in which this began.",
    currency="USD",
    time_zone=ZONE,
    locale="en_US",
    amount_pattern="#,##0 ¤",
    once=(10_00, 25_00, 50_00, 100_00),
    monthly=(5_00, 10_00, 20_00),
    minimum=2_00,
    maximum=10_000_00,
    held_month="2021-05",
)


@dataclass(frozen=True)
class Places:
    """Where the parts of the demo are."""

    folder: Path
    app: int
    sandbox: int
    news: int

    @property
    def app_url(self) -> str:
        return f"http://{LOCAL}:{self.app}"

    @property
    def sandbox_url(self) -> str:
        return f"http://{LOCAL}:{self.sandbox}"

    @property
    def news_url(self) -> str:
        return f"http://{LOCAL}:{self.news}"


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
    environ = _environment(places)
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    made = _made(places, environ, say)
    sandbox = Sandbox(folder / "sandbox.sqlite3", places.sandbox_url)
    sandbox.merchant = PAPER
    sandbox.remove_webhooks()
    sandbox.add_webhook(f"{places.app_url}{HOOK}", environ["STRIPE_WEBHOOK_SECRET"])
    with ExitStack() as running:
        running.callback(sandbox.close)
        running.enter_context(_serving(create_sandbox(sandbox), places.sandbox))
        running.enter_context(_serving(create_news(places.app_url, LIVE.slug, FOUNDING.slug), places.news))
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
        running.enter_context(_serving(create_sandbox(sandbox), port))
        say(f"The stand-in for Stripe is at {address}: set STRIPE_API_BASE={address} and any sk_test_… key.")
        if webhook:
            say(f"It delivers to {webhook}: set STRIPE_WEBHOOK_SECRET={secret}.")
        _until_stopped(None)


# --- The instance -----------------------------------------------------------------------------------------------------


def _environment(places: Places) -> dict[str, str]:
    secret = places.folder / "webhook_secret"
    if not secret.exists():
        places.folder.mkdir(parents=True, exist_ok=True)
        secret.write_text("whsec_" + secrets.token_hex(16), encoding="ascii")
    return {
        "TRACKER_INSTANCE": str(places.folder.resolve()),
        "TRACKER_PUBLIC_URL": places.app_url,
        "TRACKER_NEWSROOM": PAPER,
        "TRACKER_CONTACT": "members@saltmere.example",
        # The news site is on this machine, and may have its articles checked all the same.
        "TRACKER_CHECK_ALSO": places.news_url,
        # Whoever tries things out clicks more often than a donor.
        "TRACKER_GIVE_LIMIT": "200 per hour",
        "TRACKER_GIVE_LIMIT_ALL": "6000",
        "TRACKER_GIVE_SECONDS": "0",
        # One look at the editor's pages must not ask for a phone; setting one up can be tried under “Account”.
        "TRACKER_SECOND_FACTOR": "optional",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": secret.read_text(encoding="ascii"),
        "STRIPE_API_BASE": places.sandbox_url,
    }


def _made(places: Places, environ: dict[str, str], say: Say) -> dict[str, str]:
    """The instance with its history: the one from the last start, or a new one when that is of another month."""
    note = places.folder / "demo.json"
    now = datetime.now(UTC)
    month = f"{now:%Y-%m}"
    with suppress(OSError, ValueError):
        made: dict[str, str] = json.loads(note.read_text(encoding="utf-8"))
        if made["month"] == month and made["version"] == sample_history.VERSION:
            return made
    for old in (*places.folder.glob("pledgebar.sqlite3*"), *places.folder.glob("sandbox.sqlite3*")):
        old.unlink()
    say("Playing two years of gifts, refunds and renewals through the webhook (a few seconds) ...")
    made = {"month": month, "version": sample_history.VERSION, "password": secrets.token_urlsafe(9)}
    make_secret_key(places.folder)
    settings = read_settings(environ)
    app = create_app(settings, background=False)
    with app.app_context():
        store.upgrade()
        _set_campaigns(now)
        _plan_last_months_drive(now)
        create_admin(EMAIL, made["password"])
    _play(app, settings, places, now)
    with app.app_context():
        _let_words_stand(settings)
        store.db.engine.dispose()
    note.write_text(json.dumps(made), encoding="utf-8")
    note.chmod(0o600)
    return made


def _set_campaigns(now: datetime) -> None:
    with writing() as connection:
        for campaign in (LIVE, FOUNDING):
            campaigns.save(connection, campaign)
        campaigns.set_goal(connection, FOUNDING.slug, parse_month("2021-05"), 5_000_00, stands=True)
        first, *others = sample_history.goals(now, ZONE)
        campaigns.set_goal(connection, LIVE.slug, parse_month(first[0]), sample_history.GOAL, stands=True)
        for month, amount in (first, *others):
            if amount != sample_history.GOAL:
                campaigns.set_goal(connection, LIVE.slug, parse_month(month), amount, stands=False)


def _plan_last_months_drive(now: datetime) -> None:
    """A drive of last month, which the editors' page of drives shows with what came in."""
    first = sample_history.months_until(now, ZONE)[-2]
    starts, ends = (parse_moment(f"{first:%Y-%m}-{when}", ZONE) for when in ("12 18:00", "15 06:00"))
    drive = Appeal("drive", "Sixty hours for the harbour", 1_000_00, starts, ends)
    with writing() as session:
        campaign = campaigns.find(session, LIVE.slug)
        assert campaign is not None
        appeals.save(session, campaign, drive, starts)


def _play(app: Flask, settings: Settings, places: Places, now: datetime) -> None:
    """Plays the history through the sandbox, and what it tells of it through the same door as Stripe's."""
    hook = f"{places.app_url}{HOOK}"
    client = app.test_client()

    def deliver(body: bytes, signature: str, _url: str) -> int:
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        status = client.post(HOOK, data=body, headers=headers).status_code
        if status >= 300:
            raise ValueError(f"The app answered {status} to an event of its own demo.")
        return status

    sandbox = Sandbox(places.folder / "sandbox.sqlite3", places.sandbox_url)
    sandbox.add_webhook(
        hook, settings.stripe_webhook_secrets[0], enabled_events=[one for one in ASKED_FOR if one != "charge.updated"]
    )
    with sandbox.playing(deliver):
        play(sample_history.founding_plan(), sandbox, _params(FOUNDING, settings))
        play(sample_history.plan(now, ZONE), sandbox, _params(LIVE, settings))
    sandbox.close()


def _params(campaign: Campaign, settings: Settings) -> Callable[[sample_history.Act], dict[str, Any]]:
    """A checkout as the supporter's page would have opened it at that time."""

    def params(act: sample_history.Act) -> dict[str, Any]:
        at = datetime.fromtimestamp(act.at, UTC)
        order = Order(
            campaign,
            Choice(act.frequency, act.amount, act.tier),
            nonce="",
            shown_at=at,
            source=act.source,
            place=act.place,
            name=act.name,
            message=act.message,
        )
        return session_params(order, settings.public_url, settings.newsroom, at)

    return params


def _let_words_stand(settings: Settings) -> None:
    """An editor has read what donors wrote, but for the newest, which are left for the visitor to try."""
    with reading() as connection:
        rows = supporters.every(connection, LIVE, settings.live, limit=100)
    with writing() as connection:
        for row in rows[2:]:
            supporters.show(connection, row.gift_key, shown=True)


def _portal(places: Places) -> str:
    """Where supporters of the demo end a monthly gift."""
    with CustomerPortal(KEY, api_base=places.sandbox_url, version=VERSION) as stripe:
        return stripe.set_up(places.app_url, PAPER, "demo").url


# --- Running ----------------------------------------------------------------------------------------------------------


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


class _Quiet(WSGIRequestHandler):
    """Visitors of the demo read its three addresses, not a log."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        if type == "error":
            super().log(type, message, *args)


@contextmanager
def _serving(app: Flask, port: int) -> Iterator[BaseWSGIServer]:
    server = make_server(LOCAL, port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()


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
