"""`tracker doctor`: each thing that is wrong is named, what is right is not, and no secret is ever shown."""

import json
import os
import shutil
import ssl
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import pytest
from account import Account
from actors import WEBHOOK_SECRET, Stripe, each
from commands import run_command
from flask import Flask
from ports import free_port
from serving import serving
from sqlalchemy import delete, select, text, update
from tls import self_signed

from tracker import create_app
from tracker.cli.doctor import Finding, check_database, check_machine, examine
from tracker.cli.doctor.check_machine import file_system
from tracker.gateway.events import ASKED_FOR, TOLD_BY
from tracker.gateway.webhook_endpoints import API_VERSION
from tracker.ledger import diagnostics, installation, models, nodes, store
from tracker.ledger.store import db, reading, writing
from tracker.settings import Settings, read_settings
from tracker.web import health
from tracker.web.admin.signin import create_admin
from tracker.web.site import VERSION

HOUR = timedelta(hours=1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TRACKER_PUBLIC_URL": f"http://127.0.0.1:{free_port()}", "TRACKER_CONTACT": "editors@example.org"}


@pytest.fixture
def healthy(
    account: Account, newsroom: Flask, settings: Settings, monkeypatch: pytest.MonkeyPatch
) -> Iterator[Settings]:
    """An instance that serves at its address, with its endpoint registered, an editor, and a gift that has come."""
    monkeypatch.setattr(health, "TRY_SECONDS", 0.0)
    account.clock = int(time.time()) - 3600
    account.sandbox.set_clock(account.clock)
    account.sandbox.add_webhook(settings.hook_url, WEBHOOK_SECRET, ASKED_FOR, API_VERSION)
    account.hook = newsroom
    account.gives(1000)
    create_admin("ana@example.org", "a long password")
    for path in (settings.instance, *settings.instance.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
    with serving(newsroom, int(settings.public_url.rpartition(":")[2])):
        yield settings


Found = dict[str, dict[str, str]]


def examined(settings: Settings, clock: Callable[[], datetime] = now, *, everything: bool = False) -> Found:
    """What was found, by level and name."""
    found: Found = {"ok": {}, "warning": {}, "error": {}}
    for one in examine(settings, clock, everything=everything):
        assert isinstance(one, Finding)
        # The tests' PostgreSQL does without, to be quick.
        if "fsync = off" not in one.text:
            found[one.level][one.name] = found[one.level].get(one.name, "") + one.text
    return found


def test_a_healthy_instance_is_well_in_every_way(healthy: Settings) -> None:
    found = examined(healthy, everything=True)
    assert (found["error"], found["warning"]) == ({}, {})
    said = "\n".join(found["ok"].values())
    for words in (
        "Stripe accepts the key", "The clock is within", "sends everything that is needed", f"version is {API_VERSION}",
        "The last signed webhook arrived less than a minute ago", "The schema is this program's",
        "Stripe's events from the last few days",
        "Every total is the sum of its entries", "Every entry is unchanged", "Nothing is waiting", "There is a secret key",
        "takes writes", "This installation answers at", "each person is counted separately", "1 person may sign in", "GB are left",
        "Campaigns: newsroom, zeitung", "This is a rehearsal",
    ):  # fmt: skip
        assert words in said, words


def test_no_line_shows_a_secret(healthy: Settings) -> None:
    said = repr(examined(healthy, everything=True))
    for secret in (healthy.stripe_secret_key, healthy.secret_key, *healthy.stripe_webhook_secrets):
        assert secret not in said


def test_looking_leaves_no_trace(healthy: Settings) -> None:
    def everything() -> dict[str, Any]:
        with reading() as connection:
            rows = {table.name: len(connection.execute(table.select()).all()) for table in db.metadata.sorted_tables}
        return rows | {"files": sorted(path.name for path in healthy.instance.iterdir())}

    before = everything()
    examined(healthy, everything=True)
    assert everything() == before


# --- Settings ---------------------------------------------------------------------------------------------------------


@each(
    ("changes", "name", "words"),
    [
        ({"stripe_secret_key": ""}, "stripe-key", "STRIPE_SECRET_KEY is not set"),
        ({"stripe_webhook_secrets": ()}, "webhook-secret", "STRIPE_WEBHOOK_SECRET is not set"),
        ({"secret_key": ""}, "secret-key", "There is no secret key"),
        ({"instance": Path("/nowhere/at/all")}, "instance-folder", "There is no instance folder"),
        ({"stripe_api_base": "http://127.0.0.1:9"}, "stripe", "Stripe did not answer"),
        ({"stripe_secret_key": "sk_live_1"}, "public-address", "Neither readers nor Stripe can reach"),
        ({"stripe_secret_key": "sk_live_1"}, "stripe-base", "is asked, not Stripe"),
        (
            {"public_url": "https://give.example.org"},
            "endpoint",
            "https://give.example.org/webhooks/stripe is not registered",
        ),
        ({"database_url": "sqlite:////nowhere/at/all.sqlite3"}, "database", "The database does not answer"),
        ({"database_url": "postgresql+psycopg://x@127.0.0.1:9/x"}, "database", "The database does not answer"),
    ],
)
def test_what_is_not_there_is_an_error(
    healthy: Settings, changes: dict[str, object], name: str, words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert words in examined(replace(healthy, **changes))["error"][name]  # type: ignore[arg-type]


def test_nobody_to_write_to_is_a_warning(healthy: Settings) -> None:
    assert "TRACKER_CONTACT" in examined(replace(healthy, contact=""))["warning"]["contact"]


@pytest.mark.parametrize(
    ("changes", "levels"),
    [
        ({}, ("ok", "ok")),
        ({"stripe_api_base": "https://stripe.example.org"}, ("ok", "warning")),
        ({"stripe_api_base": "", "public_url": "https://give.example.org"}, ("warning", "")),
        (
            {"stripe_api_base": "", "public_url": "https://give.example.org", "stripe_secret_key": "rk_live_1"},
            ("ok", ""),
        ),
    ],
)
def test_test_money_at_an_address_for_readers_is_a_warning_and_a_rehearsal_is_none(
    settings: Settings, changes: dict[str, str], levels: tuple[str, str]
) -> None:
    from tracker.cli.doctor.check_stripe import _mode

    found = {one.name: one.level for one in _mode(replace(settings, **changes))}  # type: ignore[arg-type]
    assert (found["stripe-mode"], found.get("stripe-base", "")) == levels


# --- The machine ------------------------------------------------------------------------------------------------------


def test_files_that_others_can_read(healthy: Settings) -> None:
    (healthy.instance / "tracker.env").write_text("")
    for name in ("tracker.env", ""):
        (healthy.instance / name).chmod(0o755)
    found = examined(healthy)
    assert "tracker.env is readable by other users" in found["error"]["secret-files"]
    assert f"run chmod 700 {healthy.instance}" in found["warning"]["instance-folder"]


def test_a_database_file_that_its_owner_may_not_write(tmp_path: Path) -> None:
    file = tmp_path / "pledgebar.sqlite3"
    file.touch(mode=0o600)
    assert {one.level for one in check_machine._database_file(file)} == {"ok"}
    file.chmod(0o400)
    found = {one.level: one for one in check_machine._database_file(file)}
    assert found["error"].name == "database-file"
    assert f"run chmod 600 {file}" in found["error"].text


def test_a_file_that_a_command_made_as_another_user(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    (healthy.instance / "secret_key").write_text("")
    if os.geteuid() == 0:
        os.chown(healthy.instance / "secret_key", 65_534, -1)
    else:
        # Only root can give files away: here the folder is taken for root's.
        real = Path.stat
        monkeypatch.setattr(Path, "stat", lambda path, **how: _of_root(real(path, **how), path == healthy.instance))
    (healthy.instance / "secret_key").chmod(0o600)
    assert "secret_key belongs to" in examined(healthy)["error"]["file-owner"]


def _of_root(found: os.stat_result, change: bool) -> os.stat_result:
    return os.stat_result((*found[:4], 0, *found[5:])) if change else found


@each(("free", "level"), [(100_000_000, "error"), (900_000_000, "warning"), (1_100_000_000, "ok")])
def test_a_disk_that_is_nearly_full(healthy: Settings, monkeypatch: pytest.MonkeyPatch, free: int, level: str) -> None:
    space = shutil.disk_usage("/")._replace(free=free)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: space)
    assert f"{free / 1e9:.1f} GB are left" in examined(healthy)[level]["disk-space"]


def test_a_folder_that_cannot_be_written(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    # Root may write everywhere else.
    found = {one.level: one for one in check_machine._folder(Path("/proc/self"))}
    assert "Nothing can be written into /proc/self" in found["error"].text


MOUNTS = """\
/dev/sda1 / ext4 rw 0 0
server:/share /srv/my\\040share nfs4 rw 0 0
tmpfs /srv/my\\040share/fast tmpfs rw 0 0
/dev/sdb1 /srv/other ext4 rw 0 0
host:/x /srv/other cifs rw 0 0
"""


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/var/lib/x.sqlite3", "ext4"), ("/srv/my share/x.sqlite3", "nfs4"), ("/srv/my share/fast/x", "tmpfs"),
        ("/srv/other/x", "cifs"), ("/srv/otherwise/x", "ext4"),
    ],
)  # fmt: skip
def test_the_file_system_of_a_path_is_that_of_its_nearest_mount(tmp_path: Path, path: str, kind: str) -> None:
    (tmp_path / "mounts").write_text(MOUNTS)
    assert file_system(Path(path), tmp_path / "mounts") == kind
    assert file_system(Path(path), tmp_path / "none") == ""


def test_sqlite_on_a_network_is_an_error(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    settings.instance.mkdir()
    monkeypatch.setattr(check_machine, "file_system", lambda file: "nfs4")
    local = replace(settings, database_url=f"sqlite:///{settings.instance / 'x.sqlite3'}")
    assert any(
        "network file system (nfs4)" in one.text for one in check_machine.findings(local) if one.level == "error"
    )


# --- The server -------------------------------------------------------------------------------------------------------


class _Stranger(BaseHTTPRequestHandler):
    """Another web server, which answers as it is told."""

    answer: tuple[int, bytes, dict[str, str]]

    def do_GET(self) -> None:
        status, body, headers = self.answer
        self.send_response(status)
        for name, text_ in headers.items():
            self.send_header(name, text_)
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        pass


@each(
    ("answer", "words"),
    [
        ((200, b"<h1>It works!</h1>", {}), "something else answers"),
        ((200, b"alive\n", {}), "a Pledgebar with another secret key answers"),
        ((404, b"", {}), "answers 404"),
        ((502, b"", {}), "answers 502: the proxy is there, and Pledgebar behind it is not"),
        ((301, b"", {"Location": "https://www.example.org/healthz?doctor=x"}), "leads elsewhere, to https://www.example.org/healthz:"),
        ((200, b"x" * 100_000, {}), "something else answers"),
    ],
)  # fmt: skip
def test_an_address_at_which_somebody_else_answers(healthy: Settings, answer: Any, words: str) -> None:
    handler = type("Handler", (_Stranger,), {"answer": answer})
    server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    elsewhere = f"http://127.0.0.1:{server.server_port}"
    said = examined(replace(healthy, public_url=elsewhere))["error"]["server"]
    server.shutdown()
    server.server_close()
    assert words in said
    assert elsewhere in said


@each(
    ("url", "words"),
    [(f"http://127.0.0.1:{9}", "nobody listens there"), ("https://nowhere.invalid", "does not answer")],
)
def test_an_address_that_does_not_answer(healthy: Settings, url: str, words: str) -> None:
    assert words in examined(replace(healthy, public_url=url))["error"]["server"]


def test_a_certificate_that_nobody_vouches_for_says_what_to_do(healthy: Settings, tmp_path: Path) -> None:
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    server = ThreadingHTTPServer(("127.0.0.1", 0), _Stranger)
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(certificate, key)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    Thread(target=server.serve_forever, args=(0.02,), daemon=True).start()
    said = examined(replace(healthy, public_url=f"https://127.0.0.1:{server.server_port}"))["error"]["server"]
    server.shutdown()
    server.server_close()
    assert "its certificate is not trusted (" in said
    assert said.endswith("Get a new one, and reload the proxy in front.")


def test_a_server_that_cannot_work_says_why(healthy: Settings, newsroom: Flask) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    found = examined(healthy)["error"]
    assert "cannot work: The database is from a newer Pledgebar" in found["server"]
    assert "from a newer Pledgebar" in found["database-schema"]


def test_a_server_with_older_settings_or_of_another_version(healthy: Settings, newsroom: Flask) -> None:
    changed = replace(healthy, newsroom="Another")
    assert "restart it, or send it a HUP" in examined(changed)["warning"]["server-settings"]
    with pytest.MonkeyPatch.context() as monkeypatch:
        monkeypatch.setattr("tracker.web.health.VERSION", "0.1.0")
        assert "still runs version 0.1.0" in examined(healthy)["warning"]["server-version"]


class TestProxies:
    """Requests to the public address come through what a test puts in front of the app."""

    @pytest.fixture
    def database_url(self) -> str:
        return ""

    @pytest.fixture
    def front(self, healthy: Settings) -> Iterator[Callable[..., Found]]:
        """Asks the doctor about an installation whose proxies do something to each request."""
        made: list[Flask] = []

        def asked(passes: Callable[[dict[str, Any]], None], **changes: Any) -> Found:
            port = free_port()
            settings = replace(healthy, public_url=f"http://127.0.0.1:{port}", **changes)
            app = create_app(settings, background=False)
            made.append(app)
            # As behind TLS, which these tests do without.
            proxies = app.extensions["responses"].wsgi.app
            proxies.settings = proxies.app.settings = replace(settings, public_url="https://give.example.org")

            def proxied(environ: dict[str, Any], start_response: Any) -> Any:
                environ["HTTP_HOST"] = settings.hosts[0]
                passes(environ)
                return app(environ, start_response)

            from tracker.cli.doctor import check_server

            with serving(proxied, port), pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setattr(Settings, "secure", property(lambda self: True))
                found: Found = {"ok": {}, "warning": {}, "error": {}}
                for one in check_server.ask(settings).findings:
                    found[one.level][one.name] = one.text
            return found

        yield asked
        for app in made:
            store.close(app)

    @each(
        ("told", "peer", "header", "words"),
        [
            (0, "127.0.0.1", "203.0.113.5", "Set TRACKER_PROXIES=1"),
            (1, "127.0.0.1", "203.0.113.5, 10.0.0.1", "Requests come through 2 proxies, and TRACKER_PROXIES says 1"),
            (2, "127.0.0.1", "203.0.113.5", "Requests come through 1 proxy, and TRACKER_PROXIES says 2"),
            (None, "127.0.0.1", "203.0.113.5, 10.0.0.1", "TRACKER_PROXIES says one on this machine"),
            (None, "10.0.0.7", "203.0.113.5", "Set TRACKER_PROXIES=1"),
            (1, "127.0.0.1", "", "does not say who is asking"),
            (None, "127.0.0.1", "", "does not say who is asking"),
            (0, "10.0.0.7", "", "does not say who is asking"),
            (1, "8.8.4.4", "203.0.113.5", "set TRACKER_PROXIES=1 8.8.4.4"),
            (1, "127.0.0.1", "unknown", "is not an address"),
        ],
    )
    def test_a_proxy_that_the_settings_do_not_know_of_is_an_error(
        self, front: Callable[..., Found], told: int | None, peer: str, header: str, words: str
    ) -> None:
        def passes(environ: dict[str, Any]) -> None:
            environ["REMOTE_ADDR"] = peer
            if header:
                environ["HTTP_X_FORWARDED_FOR"] = header

        assert words in front(passes, proxies=told)["error"]["proxies"]

    @each(
        ("told", "peer", "header"),
        [
            (1, "127.0.0.1", "203.0.113.5"), (None, "::1", "203.0.113.5"), (2, "10.0.0.7", "203.0.113.5, 10.0.0.1"),
            (0, "8.8.4.4", ""), (None, "8.8.4.4", ""), (1, "127.0.0.1", "203.0.113.5:4711"),
        ],
    )  # fmt: skip
    def test_proxies_that_are_as_told_are_well(
        self, front: Callable[..., Found], told: int | None, peer: str, header: str
    ) -> None:
        def passes(environ: dict[str, Any]) -> None:
            environ["REMOTE_ADDR"] = peer
            if header:
                environ["HTTP_X_FORWARDED_FOR"] = header

        found = front(passes, proxies=told)
        assert found["error"] == {}
        assert "counted separately" in found["ok"]["proxies"]

    def test_a_proxy_that_passes_another_host_on(self, front: Callable[..., Found]) -> None:
        def passes(environ: dict[str, Any]) -> None:
            environ["HTTP_HOST"] = "pledgebar_backend"

        assert "passes on a different Host header" in front(passes, proxies=1)["error"]["hosts"]

    def test_what_running_processes_noticed_is_an_error_where_the_address_cannot_be_asked(
        self, healthy: Settings, newsroom: Flask
    ) -> None:
        here = newsroom.extensions["node"]
        # What the fixture's own gift has come by.
        here._proxies.clear()
        for seen in ("1", "1", "1", "as told"):
            here.note_proxies(seen)
        here.write(now())
        told = "TRACKER_PROXIES says 0, and 3 of 4 requests came through 1 proxy: set TRACKER_PROXIES=1"
        assert told in examined(healthy)["warning"]["proxies-seen"]
        assert told in examined(replace(healthy, public_url="http://127.0.0.1:9"))["error"]["proxies-seen"]
        # Once most come as they should, somebody else's header is no finding.
        for _ in range(3):
            here.note_proxies("as told")
        here.write(now())
        assert "proxies-seen" not in repr(examined(healthy))
        # Nor is what another setting was about.
        here.note_proxies("1")
        here.note_proxies("1")
        here.write(now())
        assert "proxies-seen" not in repr(examined(replace(healthy, proxies=1)))


# --- Stripe -----------------------------------------------------------------------------------------------------------


@each(("skew", "how"), [(61, "ahead of"), (3600, "ahead of"), (-120, "behind")])
def test_a_clock_that_is_wrong_by_more_than_a_minute_is_an_error(healthy: Settings, skew: int, how: str) -> None:
    found = examined(healthy, lambda: now() + timedelta(seconds=skew + (1 if skew > 0 else -1)))
    assert f"s {how} Stripe's" in found["error"]["clock"]
    assert "clock" in examined(healthy, lambda: now() + timedelta(seconds=30))["ok"]


def test_a_key_that_stripe_does_not_know_is_an_error(healthy: Settings) -> None:
    found = examined(replace(healthy, stripe_secret_key="sk_test_***"))
    assert "Stripe does not know the key" in found["error"]["stripe"]


@each(
    ("change", "level", "name", "words"),
    [
        ({"status": "disabled"}, "error", "endpoint", "switched off at Stripe"),
        (
            {"enabled_events": ["invoice.paid"]},
            "error",
            "endpoint-events",
            "Stripe does not send charge.dispute.closed",
        ),
        (
            {"enabled_events": list(TOLD_BY)},
            "warning",
            "endpoint-events",
            "Stripe does not send checkout.session.expired, invoice.payment_failed, payment_intent.payment_failed",
        ),
        (
            {"enabled_events": [*ASKED_FOR, "invoice.created"]},
            "warning",
            "endpoint-events",
            "Stripe also sends invoice.created",
        ),
        ({"api_version": "2020-08-27"}, "warning", "endpoint-version", "The endpoint's version is 2020-08-27"),
        ({"api_version": None}, "warning", "endpoint-version", "The endpoint's version is the account's default"),
    ],
)
def test_an_endpoint_that_is_not_as_it_must_be(
    healthy: Settings, account: Account, change: dict[str, object], level: str, name: str, words: str
) -> None:
    (endpoint,) = account.sandbox.store.newest("webhook_endpoint")
    before = dict(endpoint)
    endpoint.update(change)
    found = examined(healthy)
    endpoint.update(before)
    assert words in found[level][name]


def test_two_endpoints_are_one_too_many(healthy: Settings, account: Account) -> None:
    (endpoint,) = account.sandbox.store.newest("webhook_endpoint")
    endpoint["url"] += "?old"
    account.sandbox.add_webhook(healthy.hook_url, "whsec_new", ASKED_FOR, API_VERSION)
    endpoint["url"] = healthy.hook_url
    assert "registered 2 times" in examined(healthy)["warning"]["endpoint"]


@each(
    ("whose", "named"),
    [({"description": "Pledgebar"}, True), ({"metadata": {"pledgebar_installation": "ours"}}, True),
     ({"description": "Shop"}, False),
     ({"description": "Pledgebar", "metadata": {"pledgebar_installation": "another"}}, False),
     ({"description": "Pledgebar", "status": "disabled"}, False)],
)  # fmt: skip
def test_an_endpoint_left_on_at_an_old_address_is_named(
    healthy: Settings, account: Account, whose: dict[str, Any], named: bool
) -> None:
    if whose.get("metadata", {}).get("pledgebar_installation") == "ours":
        with reading() as connection:
            whose = {"metadata": {"pledgebar_installation": installation.mark(connection)}}
    old = account.sandbox.add_webhook("https://old.example.org/webhooks/stripe", "whsec_old", TOLD_BY, API_VERSION)
    old.update(whose)
    found = examined(healthy)["warning"].get("old-endpoint", "")
    account.sandbox.store.remove(old["id"])
    assert ("Stripe also sends to https://old.example.org/webhooks/stripe" in found) == named


# --- What came, and what did not --------------------------------------------------------------------------------------


@pytest.fixture
def loses(account: Account) -> Callable[..., dict[str, Any]]:
    """A gift whose webhooks are all lost."""

    def lost(*, foreign: bool = False) -> dict[str, Any]:
        # Stripe writes its events all the same.
        (endpoint,) = account.sandbox.store.newest("webhook_endpoint")
        endpoint["status"] = "disabled"
        gift = account.gives(2500, foreign=foreign)
        endpoint["status"] = "enabled"
        return gift

    return lost


def test_every_event_that_never_came_is_noticed_not_only_the_newest(
    healthy: Settings, account: Account, loses: Callable[..., dict[str, Any]], environ: dict[str, str]
) -> None:
    loses()
    account.passes(60)
    account.gives(700)
    said = examined(healthy)["error"]["undelivered-events"]
    assert "from Stripe never arrived" in said
    assert "Gifts or refunds are missing: run “tracker sync --since" in said
    assert run_command(environ, "sync", "--since", f"{now() - timedelta(days=2):%Y-%m-%d}").exit_code == 0
    # What was found by asking need not come any more.
    found = examined(healthy)
    assert "The ledger has everything they report, and later ones arrived" in found["ok"]["undelivered-events"]
    assert (found["error"], found["warning"]) == ({}, {})


def test_events_that_are_on_their_way_or_older_than_the_endpoint_are_no_finding(
    healthy: Settings, account: Account, loses: Callable[..., dict[str, Any]]
) -> None:
    (endpoint,) = account.sandbox.store.newest("webhook_endpoint")
    account.passes(60)
    endpoint["created"] = account.clock
    loses()
    assert "undelivered-events" in examined(healthy)["error"]
    endpoint["created"] = account.clock + 60
    assert "undelivered-events" not in examined(healthy)["error"]
    endpoint["created"] = account.clock
    soon = datetime.fromtimestamp(account.clock, UTC) + timedelta(minutes=9)
    assert "undelivered-events" not in examined(healthy, lambda: soon)["error"]


def test_a_door_that_nothing_comes_through_is_a_warning_even_where_nothing_is_missing(
    healthy: Settings, account: Account, loses: Callable[..., dict[str, Any]]
) -> None:
    account.passes(60)
    loses(foreign=True)
    with writing() as connection:
        connection.execute(update(models.delivery).values(received_at=now() - timedelta(hours=2)))
    assert "Check that Stripe can reach this server" in examined(healthy)["warning"]["undelivered-events"]


def test_webhooks_that_stopped_are_noticed(healthy: Settings) -> None:
    with writing() as connection:
        connection.execute(update(models.delivery).values(received_at=now() - timedelta(days=8, hours=1)))
    assert "arrived 8 days ago" in examined(healthy)["warning"]["last-webhook"]
    with writing() as connection:
        connection.execute(delete(models.delivery))
    assert "No signed webhook has arrived yet" in examined(healthy)["warning"]["last-webhook"]


def test_a_quiet_week_is_well_where_stripe_has_told_of_nothing(healthy: Settings, account: Account) -> None:
    for one in list(account.sandbox.store.newest("event")):
        account.sandbox.store.remove(one["id"])
    with writing() as connection:
        connection.execute(update(models.delivery).values(received_at=now() - timedelta(days=8, hours=1)))
    assert "arrived 8 days ago" in examined(healthy)["ok"]["last-webhook"]
    with writing() as connection:
        connection.execute(delete(models.delivery))
    assert "Stripe has reported nothing" in examined(healthy)["ok"]["last-webhook"]


class TestRefusals:
    """Webhooks that are refused for their signature: by a wrong secret of ours, or by a stranger."""

    @pytest.fixture
    def stripe(self, newsroom: Flask) -> Stripe:
        return Stripe(newsroom.test_client())

    def test_a_wrong_secret_is_an_error_at_the_first_refusal(
        self, healthy: Settings, newsroom: Flask, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account.clock = int(time.time()) - 60
        account.sandbox.set_clock(account.clock)
        wrong = replace(healthy, stripe_webhook_secrets=("whsec_of_another_endpoint",))
        monkeypatch.setitem(newsroom.extensions, "settings", wrong)
        with pytest.raises(AssertionError):
            account.gives(900)
        newsroom.extensions["node"].write(now())
        said = examined(healthy)["error"]["refused-webhooks"]
        assert said.startswith("1 webhook was refused since ")
        assert (
            "the signature does not match. Copy the endpoint's signing secret from Stripe into STRIPE_WEBHOOK_SECRET"
            in said
        )
        # Mended, and Stripe sends again.
        monkeypatch.setitem(newsroom.extensions, "settings", healthy)
        for row in account.sandbox.sender.waiting(False):
            account.sandbox.sender.attempt(row, account._deliver)
        found = examined(healthy)
        assert "refused-webhooks" not in found["error"] | found["warning"] | found["ok"]

    def test_a_stranger_cannot_make_an_error_of_it(self, healthy: Settings, newsroom: Flask, stripe: Stripe) -> None:
        for number in range(5):
            assert stripe.delivers(b"{}", secret=f"whsec_{number}") == 400
        newsroom.extensions["node"].write(now())
        found = examined(healthy)
        assert "5 webhooks were refused" in found["ok"]["refused-webhooks"]
        assert "None was Stripe's" in found["ok"]["refused-webhooks"]
        assert (found["error"], found["warning"]) == ({}, {})
        # Where Stripe cannot be asked, nobody knows.
        assert "refused-webhooks" in examined(replace(healthy, stripe_api_base="http://127.0.0.1:9"))["error"]

    def test_a_flood_grows_nothing(self, healthy: Settings, newsroom: Flask, stripe: Stripe) -> None:
        for number in range(200):
            stripe.delivers(f"{number}".encode(), signature=f"t={number},v1={number}")
            stripe.delivers(b"{}", signature=f"nonsense {number}")
        newsroom.extensions["node"].write(now())
        newsroom.extensions["node"].write(now())
        with reading() as connection:
            (row,) = nodes.every(connection, now() - HOUR)
        assert {reason: kept["count"] for reason, kept in row.noted["refused"].items()} == {
            "the signature does not match": 200, "no signature": 200,
        }  # fmt: skip
        assert len(json.dumps(row.noted)) < 600


def test_events_in_another_version_are_noticed(healthy: Settings) -> None:
    with writing() as connection:
        connection.execute(update(models.delivery).values(api_version="2020-08-27"))
    assert "in 2020-08-27" in examined(healthy)["warning"]["webhook-versions"]


def test_what_waits_is_counted_with_its_age(healthy: Settings, account: Account) -> None:
    theirs = account.gives(900, foreign=True)
    account.refunds(theirs, 100)
    said = examined(healthy)["warning"]["waiting"]
    assert f"gift or campaign: 1, the oldest since {now():%Y-%m-%d}, reported by" in said


def test_entries_whose_fee_nobody_told_are_counted(healthy: Settings, environ: dict[str, str]) -> None:
    """As where `charge.updated` was lost, and Stripe could not be asked."""
    assert "fee and net" in examined(healthy)["ok"]["fees"]
    with writing() as connection:
        connection.execute(delete(models.settlement))
        connection.execute(delete(models.pending_fetch))
        (given,) = connection.scalars(select(models.entry.c.at)).all()
    assert "fees" in examined(healthy)["ok"]  # it may still be on its way
    later = now() + timedelta(days=2)
    said = examined(healthy, lambda: later)["warning"]["fees"]
    assert said.startswith(f"Without fee and net after a day: 1 entry, the oldest from {given:%Y-%m-%d}. ")
    assert run_command(environ, "sync", "--since", f"{given - timedelta(days=2):%Y-%m-%d}").exit_code == 0
    assert "fees" in examined(healthy, lambda: later)["ok"]


# --- The database -----------------------------------------------------------------------------------------------------


def test_totals_and_entries_that_somebody_edited_are_errors(healthy: Settings) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE entry SET amount = amount + 1, told = told + 1"))
    found = examined(healthy)
    assert "Totals that are not the sum of their entries" in found["error"]["totals"]
    assert "entries" not in found["error"] | found["ok"]
    assert "is not as it was written" in examined(healthy, everything=True)["error"]["entries"]


def test_a_database_that_takes_no_writes_is_an_error(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    def cannot() -> None:
        with db.engine.connect() as connection:
            only = (
                "PRAGMA query_only=ON"
                if connection.dialect.name == "sqlite"
                else "SET default_transaction_read_only = on"
            )
            connection.exec_driver_sql(only)
            connection.commit()
            connection.execute(text("UPDATE alembic_version SET version_num = version_num"))

    # As a file that belongs to somebody else, or a server that only follows, would answer.
    monkeypatch.setattr(store, "try_write", cannot)
    assert "No gift can be written. The database takes no writes" in examined(healthy)["error"]["database-write"]


def test_the_databases_own_settings(healthy: Settings) -> None:
    with reading() as connection:
        found = {one.name: (one.value, one.is_good) for one in diagnostics.settings(connection)}
    if db.engine.dialect.name == "sqlite":
        assert found == {"journal_mode": ("wal", True), "synchronous": ("2", True), "foreign_keys": ("1", True)}
    else:
        assert found == {
            "synchronous_commit": ("on", True), "fsync": ("off", False), "full_page_writes": ("on", True),
        }  # fmt: skip


def test_no_campaign_and_nobody_to_sign_in(settings: Settings) -> None:
    settings.instance.mkdir()
    app = create_app(settings, background=False)
    with app.app_context():
        store.upgrade()
        with reading() as connection:
            found = {one.name: one for one in check_database._newsroom(connection)}
    store.close(app)
    assert (found["campaigns"].level, found["accounts"].level) == ("error", "warning")


# --- Several processes ------------------------------------------------------------------------------------------------


def serves(number: int, **changes: Any) -> nodes.Node:
    """A process that serves from the same database."""
    values: dict[str, Any] = {
        "id": f"{number}", "host": f"node-{number}", "pid": number, "version": VERSION, "key_mark": "", "limits": "memory",
        "started_at": now(), "seen_at": now(), "ended": False, "noted": {"proxies": {"told": 0, "seen": {}}, "refused": {}},
    }  # fmt: skip
    return nodes.Node(**values | changes)


def beside(healthy: Settings, *rows: nodes.Node) -> Found:
    with writing() as connection:
        for row in rows:
            nodes.write(connection, row)
    return examined(healthy)


def test_nodes_with_another_secret_key_are_an_error(healthy: Settings) -> None:
    same = serves(1, key_mark=healthy.key_mark)
    assert "1 process serves" in beside(healthy, same)["ok"]["nodes"]
    other = serves(2, key_mark="0123456789abcdef", limits="redis")
    assert "Processes on node-2 have a different secret key from this one" in beside(healthy, other)["error"]["nodes"]
    assert "nodes" in beside(healthy, replace(other, ended=True))["ok"]
    assert "nodes" in beside(healthy, replace(other, seen_at=now() - timedelta(minutes=4)))["ok"]


def test_processes_that_count_limits_each_for_itself_are_a_warning(healthy: Settings) -> None:
    rows = [serves(number, key_mark=healthy.key_mark) for number in (1, 2)]
    assert "rate-limits" in beside(healthy, rows[0])["ok"]
    assert "2 processes each count rate limits separately" in beside(healthy, rows[1])["warning"]["rate-limits"]


def test_several_versions_beside_each_other_are_a_warning(healthy: Settings) -> None:
    rows = [serves(number, key_mark=healthy.key_mark, version=f"0.{number}.0", limits="redis") for number in (1, 2)]
    assert "0.1.0, 0.2.0" in beside(healthy, *rows)["warning"]["nodes"]


def test_old_rows_are_forgotten(healthy: Settings) -> None:
    ancient = serves(1, seen_at=now() - timedelta(days=8))
    beside(healthy, ancient, *(serves(number, ended=True) for number in range(2, 300)))
    with reading() as connection:
        kept = nodes.every(connection, now() - timedelta(days=30))
    assert len(kept) == nodes.MOST
    assert ancient.id not in {one.id for one in kept}


# --- The command ------------------------------------------------------------------------------------------------------


def test_the_command_ends_with_an_error_when_something_is_wrong(healthy: Settings, environ: dict[str, str]) -> None:
    done = run_command(environ | {"STRIPE_WEBHOOK_SECRET": ""}, "doctor", "--all")
    assert done.exit_code == 1
    assert "error    webhook-secret: STRIPE_WEBHOOK_SECRET is not set" in done.output
    assert "ok       stripe: Stripe accepts the key." in done.output
    assert read_settings(environ).secret_key not in done.output
    if not environ["TRACKER_DATABASE_URL"]:
        assert run_command(environ, "doctor").exit_code == 0
        assert run_command(environ, "doctor", "--strict").exit_code == 0
    without = environ | {"TRACKER_CONTACT": "", "TRACKER_DATABASE_URL": environ["TRACKER_DATABASE_URL"]}
    strict = run_command(without, "doctor", "--strict")
    assert strict.exit_code == 1
    assert "1 warning" in strict.stderr or "warnings" in strict.stderr


def test_for_programs_it_is_an_array(healthy: Settings, environ: dict[str, str]) -> None:
    done = run_command(environ | {"TRACKER_CONTACT": ""}, "doctor", "--json")
    found = json.loads(done.stdout)
    assert all(list(one) == ["level", "name", "text"] for one in found)
    assert {one["level"] for one in found} <= {"ok", "warning", "error"}
    assert next(one["level"] for one in found if one["name"] == "contact") == "warning"
    strict = run_command(environ | {"TRACKER_CONTACT": ""}, "doctor", "--json", "--strict")
    assert strict.exit_code == 1
    assert json.loads(strict.stdout)


# --- Ending a regular gift --------------------------------------------------------------------------------------------


def test_a_way_to_end_a_monthly_gift_is_looked_for(healthy: Settings) -> None:
    assert "lets them do it alone" in examined(healthy)["ok"]["regular-gifts"]
    nobody = examined(replace(healthy, contact=""))["warning"]
    assert "there is no way to end one: run “tracker portal setup”" in nobody["regular-gifts"]
    with writing() as connection:
        connection.execute(update(models.campaign).values(monthly=[]))
    assert "regular-gifts" not in repr(examined(replace(healthy, contact="")))


def test_the_login_page_is_looked_for_at_stripe(healthy: Settings, account: Account) -> None:
    from tracker.gateway.customer_portal import CustomerPortal

    with CustomerPortal(healthy.stripe_secret_key, api_base=healthy.stripe_api_base, version=VERSION) as portal:
        page = portal.set_up(healthy.public_url, "", "mark")
    there = replace(healthy, portal_login=page.url, contact="")
    found = examined(there)
    assert page.url in found["ok"]["portal"]
    assert "regular-gifts" not in repr(found)
    row = account.sandbox.store.rows[page.configuration].body
    row["features"]["subscription_cancel"]["enabled"] = False
    assert "Nobody can end a regular gift" in examined(there)["error"]["portal"]
    other = replace(there, portal_login="https://billing.stripe.com/p/login/test_other")
    assert "is not a login page of this Stripe account" in examined(other)["error"]["portal"]
