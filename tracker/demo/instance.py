"""The demo's own instance: two campaigns, and two years of giving played through the webhook."""

import json
import secrets
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from flask import Flask
from sqlalchemy import event

from tracker import create_app
from tracker.demo import bookkeeping, sample_history
from tracker.demo.founding_month import founding_plan
from tracker.demo.local_server import LOCAL, serving
from tracker.demo.news import PAPER
from tracker.demo.play_history import play
from tracker.demo.sample_readers import days_of_readers
from tracker.gateway.checkout import Order, session_params
from tracker.gateway.events import ASKED_FOR
from tracker.gateway.stripe_history import History
from tracker.giving.campaign import Campaign
from tracker.giving.drives import Appeal, parse_moment
from tracker.giving.months import parse_month
from tracker.giving.tiers import Choice
from tracker.ledger import appeals, campaigns, store, supporters, visits
from tracker.ledger.store import writing
from tracker.sandbox import Sandbox, create_sandbox
from tracker.settings import HOOK, Settings, make_secret_key, read_settings
from tracker.web.admin.signin import create_admin
from tracker.web.site import VERSION, mark

Say = Callable[[str], Any]

ZONE = "Europe/Berlin"
KEY = "sk_test_demo"
EVENTS_KEPT = timedelta(days=31)
EMAIL = "editor@saltmere.example"

STORY = """\
## What your money does

The Saltmere Courier has five reporters for a town of forty thousand. Nobody else sits in the council's committees
until eleven at night, and nobody else asks what became of the school roof. About a third of what that costs comes
from readers.

- **10 $** pays for one hour in the archive.
- **25 $** sends a reporter to a committee meeting.
- **100 $** covers a day of research into the harbour's accounts.

Supporters have no say in what we write. Each month we show here what came in.
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


def environment(places: Places) -> dict[str, str]:
    secret = places.folder / "webhook_secret"
    if not secret.exists():
        places.folder.mkdir(parents=True, exist_ok=True, mode=0o700)
        secret.write_text("whsec_" + secrets.token_hex(16), encoding="ascii")
    return {
        "TRACKER_INSTANCE": str(places.folder.resolve()),
        "TRACKER_PUBLIC_URL": places.app_url,
        "TRACKER_NEWSROOM": PAPER,
        "TRACKER_CONTACT": "members@saltmere.example",
        # The news site is on this machine, and may have its articles checked all the same.
        "TRACKER_CHECK_ALSO": places.news_url,
        # People who try things out click more often than donors.
        "TRACKER_GIVE_LIMIT": "200 per hour",
        "TRACKER_GIVE_LIMIT_ALL": "6000",
        "TRACKER_GIVE_SECONDS": "0",
        # A look at the editors' pages must not need a phone; setting one up can be tried under “Account”.
        "TRACKER_SECOND_FACTOR": "optional",
        "STRIPE_SECRET_KEY": KEY,
        "STRIPE_WEBHOOK_SECRET": secret.read_text(encoding="ascii"),
        "STRIPE_API_BASE": places.sandbox_url,
    }


def make(places: Places, environ: dict[str, str], say: Say) -> dict[str, str]:
    """The instance with its history: the one from the last start, or a new one when that is of another month or program."""
    note = places.folder / "demo.json"
    now = datetime.now(UTC)
    wanted = {"month": f"{now:%Y-%m}", "version": sample_history.VERSION, "schema": store.newest_revision()}
    with suppress(OSError, ValueError):
        found: dict[str, str] = json.loads(note.read_text(encoding="utf-8"))
        if wanted.items() <= found.items():
            return found
    for old in (*places.folder.glob("pledgebar.sqlite3*"), *places.folder.glob("sandbox.sqlite3*")):
        old.unlink()
    say("Playing two years of gifts, refunds and renewals through the webhook (a few seconds) ...")
    made = wanted | {"password": secrets.token_urlsafe(9)}
    make_secret_key(places.folder)
    settings = read_settings(environ)
    app = create_app(settings, background=False)
    with app.app_context():
        event.listen(store.db.engine, "connect", _write_without_waiting)
        store.upgrade()
        _set_campaigns(now)
        _plan_last_months_drive(now)
        _count_readers(now)
        bookkeeping.record_cheques(LIVE, sample_history.months_until(now, ZONE), now)
        create_admin(EMAIL, made["password"])
    _play(app, settings, places, now)
    with app.app_context():
        _let_words_stand(settings)
        store.db.engine.dispose()
    note.write_text(json.dumps(made), encoding="utf-8")
    note.chmod(0o600)
    return made


def _write_without_waiting(connection: Any, _record: Any) -> None:
    """Saves the disk thousands of confirmed writes: until its note exists, an unfinished demo is made again anyway."""
    connection.execute("PRAGMA synchronous=OFF")


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
    """A drive of last month and its match, which the editors' page of drives shows with what came in."""
    first = sample_history.months_until(now, ZONE)[sample_history.DRIVE]
    starts, ends = (parse_moment(f"{first:%Y-%m}-{when}", ZONE) for when in ("12 18:00", "15 06:00"))
    with writing() as session:
        campaign = campaigns.find(session, LIVE.slug)
        assert campaign is not None
        appeals.save(session, campaign, Appeal("drive", "Sixty hours for the harbour", 1_000_00, starts, ends), starts)
        appeals.save(session, campaign, Appeal("match", "Saltmere Harbour Ltd", 500_00, starts, ends), starts)


def _count_readers(now: datetime) -> None:
    with writing() as session:
        for noon, counted in days_of_readers(LIVE.slug, now, ZONE):
            visits.add(session, counted, noon)


def _play(app: Flask, settings: Settings, places: Places, now: datetime) -> None:
    """Plays the history through the sandbox, whose events arrive in the same way as Stripe's."""
    hook = f"{places.app_url}{HOOK}"
    client = app.test_client()

    def deliver(body: bytes, signature: str, _url: str) -> int:
        headers = {"Stripe-Signature": signature, "Content-Type": "application/json"}
        status = client.post(HOOK, data=body, headers=headers).status_code
        if status >= 300:
            raise ValueError(f"The app answered {status} to an event of its own demo.")
        return status

    sandbox = Sandbox(places.folder / "sandbox.sqlite3", places.sandbox_url)

    def listens(*events: str) -> None:
        sandbox.add_webhook(hook, settings.stripe_webhook_secrets[0], enabled_events=events)

    # Only recent events report that a fee is known, as far back as Stripe keeps them: the fees themselves are fetched in bulk.
    listens(*(one for one in ASKED_FOR if one != "charge.updated"))
    acts, ids = sample_history.plan(now, ZONE), dict[str, dict[str, str]]()
    remembered = int((now - EVENTS_KEPT).timestamp())
    with serving(create_sandbox(sandbox), 0) as server, app.app_context():
        address = f"http://{LOCAL}:{server.server_port}"
        with History(KEY, api_base=address, version=VERSION, mark=mark()) as history, sandbox.playing(deliver):
            desk = bookkeeping.Desk(history, LIVE)
            play(founding_plan(), sandbox, _params(FOUNDING, settings))
            play([act for act in acts if act.at < remembered], sandbox, _params(LIVE, settings), ids, desk.close)
            listens(*ASKED_FOR)
            play([act for act in acts if act.at >= remembered], sandbox, _params(LIVE, settings), ids, desk.close)
            desk.settle(now)
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
    """An editor has read what donors wrote, except the newest messages, which visitors can try it on."""
    with writing() as session:
        campaign = campaigns.find(session, LIVE.slug)
        assert campaign is not None
        for row in supporters.page(session, campaign, settings.live, limit=100).rows[2:]:
            supporters.show(session, row.gift_key, shown=True)
