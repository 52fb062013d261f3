"""`tracker doctor`: each thing that is wrong is named, what is right is not, and no secret is ever shown."""

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from account import Account
from actors import WEBHOOK_SECRET
from commands import run_command
from flask import Flask
from sqlalchemy import delete, text, update

from tracker.cli.doctor import Finding, examine, file_system
from tracker.gateway.endpoints import API_VERSION
from tracker.gateway.events import TOLD_BY
from tracker.ledger import checkup, models
from tracker.ledger.store import db, reading, writing
from tracker.settings import Settings, read_settings

URL = "http://127.0.0.1:5000/webhooks/stripe"


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def healthy(account: Account, newsroom: Flask, settings: Settings) -> Settings:
    """An instance with its endpoint registered and a gift that has come."""
    account.sandbox.add_webhook(URL, WEBHOOK_SECRET, TOLD_BY, API_VERSION)
    account.hook = newsroom
    account.gives(1000)
    for path in (settings.instance, *settings.instance.iterdir()):
        path.chmod(0o700 if path.is_dir() else 0o600)
    return settings


Found = dict[str, list[str]]


def examined(settings: Settings, clock: Callable[[], datetime] = now, *, everything: bool = False) -> Found:
    found: Found = {"ok": [], "look": [], "bad": []}
    for one in examine(settings, clock, everything=everything):
        assert isinstance(one, Finding)
        found[one.level].append(one.words)
    # The tests' PostgreSQL does without, to be quick.
    found["bad"] = [words for words in found["bad"] if "fsync = off" not in words]
    return found


def test_a_healthy_instance_has_nothing_bad(healthy: Settings) -> None:
    found = examined(healthy, everything=True)
    assert found["bad"] == []
    said = "\n".join(found["ok"])
    for words in (
        "Stripe takes the key", "The clock is right", "sends all that is needed", f"version is {API_VERSION}",
        "The last signed webhook came less than a minute ago", "The schema is this program's", "Stripe's newest event has come",
        "Every total is the sum of its entries", "Every entry is as it was written", "Nothing waits", "There is a secret key",
    ):  # fmt: skip
        assert words in said, words
    # Nobody can reach this machine, and the sandbox is not Stripe: that may well be meant.
    assert {words.split(" ")[0] for words in found["look"]} <= {"http://127.0.0.1:5000", "STRIPE_API_BASE", "Rate"}


def test_no_line_shows_a_secret(healthy: Settings) -> None:
    said = repr(examined(healthy, everything=True))
    for secret in (healthy.stripe_secret_key, healthy.secret_key, *healthy.stripe_webhook_secrets):
        assert secret not in said


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"stripe_secret_key": ""}, "STRIPE_SECRET_KEY is not set"),
        ({"stripe_webhook_secrets": ()}, "STRIPE_WEBHOOK_SECRET is not set"),
        ({"secret_key": ""}, "There is no secret key"),
        ({"instance": Path("/nowhere/at/all")}, "There is no instance folder"),
        ({"stripe_api_base": "http://127.0.0.1:9"}, "Stripe did not answer"),
        ({"stripe_secret_key": "sk_live_1"}, "Neither readers nor Stripe reach"),
        ({"public_url": "https://give.example.org"}, "https://give.example.org/webhooks/stripe is not registered"),
        ({"database_url": "sqlite:////nowhere/at/all.sqlite3"}, "The database could not be used"),
        ({"database_url": "postgresql+psycopg://x@127.0.0.1:9/x"}, "The database could not be used"),
    ],
)
def test_what_is_not_there_is_bad(
    healthy: Settings, changes: dict[str, object], words: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.sleep", lambda seconds: None)
    assert any(words in line for line in examined(replace(healthy, **changes))["bad"])  # type: ignore[arg-type]


@pytest.mark.parametrize(("skew", "how"), [(61, "ahead"), (3600, "ahead"), (-120, "behind")])
def test_a_clock_that_is_wrong_by_more_than_a_minute_is_bad(healthy: Settings, skew: int, how: str) -> None:
    found = examined(healthy, lambda: now() + timedelta(seconds=skew + (1 if skew > 0 else -1)))
    assert any(f"s {how} of Stripe's" in line for line in found["bad"])
    assert not any(
        f"{how} of Stripe's" in line for line in examined(healthy, lambda: now() + timedelta(seconds=30))["bad"]
    )


def test_a_key_that_stripe_does_not_know_or_that_may_not_is_bad(healthy: Settings, account: Account) -> None:
    (said,) = (line for line in examined(replace(healthy, stripe_secret_key="sk_test_***"))["bad"] if "key" in line)
    assert "Stripe does not know the key" in said


@pytest.mark.parametrize(
    ("change", "level", "words"),
    [
        ({"status": "disabled"}, "bad", "switched off at Stripe"),
        ({"enabled_events": ["invoice.paid"]}, "bad", "Stripe does not send charge.dispute.closed"),
        ({"enabled_events": [*TOLD_BY, "invoice.created"]}, "look", "Stripe also sends invoice.created"),
        ({"api_version": "2020-08-27"}, "look", "The endpoint's version is 2020-08-27"),
        ({"api_version": None}, "look", "The endpoint's version is the account's default"),
    ],
)
def test_an_endpoint_that_is_not_as_it_must_be(
    healthy: Settings, account: Account, change: dict[str, object], level: str, words: str
) -> None:
    (endpoint,) = account.sandbox.store.newest("webhook_endpoint")
    endpoint.update(change)
    assert any(words in line for line in examined(healthy)[level])


def test_two_endpoints_are_one_too_many(healthy: Settings, account: Account) -> None:
    (endpoint,) = account.sandbox.store.newest("webhook_endpoint")
    endpoint["url"] += "?old"
    account.sandbox.add_webhook(URL, "whsec_new", TOLD_BY, API_VERSION)
    endpoint["url"] = URL
    assert any("registered 2 times" in line for line in examined(healthy)["look"])


def test_webhooks_that_stopped_are_noticed(healthy: Settings, account: Account) -> None:
    with writing() as connection:
        connection.execute(update(models.delivery).values(received_at=now() - timedelta(days=8, hours=1)))
    assert any("came 8 days ago" in line for line in examined(healthy)["look"])
    with writing() as connection:
        connection.execute(delete(models.delivery))
    found = examined(healthy)["look"]
    assert any("No signed webhook has come yet" in line for line in found)
    assert any("and it never came here" in line for line in found)


def test_events_in_another_version_are_noticed(healthy: Settings) -> None:
    with writing() as connection:
        connection.execute(update(models.delivery).values(api_version="2020-08-27"))
    assert any("other versions" in line and "in 2020-08-27" in line for line in examined(healthy)["look"])


def test_what_waits_is_counted_with_its_age(healthy: Settings, account: Account) -> None:
    theirs = account.gives(900, foreign=True)
    account.refunds(theirs, 100)
    (said,) = (line for line in examined(healthy)["look"] if "Waiting for" in line)
    assert f"gift or campaign: 1, the oldest since {now():%Y-%m-%d}, told by" in said


def test_totals_and_entries_that_somebody_edited_are_bad(healthy: Settings) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE entry SET amount = amount + 1, told = told + 1"))
    found = examined(healthy)
    assert any("Totals that are not the sum of their entries" in line for line in found["bad"])
    assert not any("as it was written" in line for line in found["bad"] + found["ok"])
    assert any("is not as it was written" in line for line in examined(healthy, everything=True)["bad"])


def test_another_schema_is_bad(healthy: Settings) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    assert any("from a newer Pledgebar" in line for line in examined(healthy)["bad"])


def test_files_that_others_can_read(healthy: Settings) -> None:
    (healthy.instance / "tracker.env").write_text("")
    for name in ("tracker.env", ""):
        (healthy.instance / name).chmod(0o755)
    found = examined(healthy)
    assert any("can read the secrets" in line for line in found["bad"])
    assert any("Others on this machine can look into" in line for line in found["look"])


def test_the_databases_own_settings(healthy: Settings) -> None:
    with reading() as connection:
        found = {one.name: (one.value, one.is_good) for one in checkup.settings(connection)}
    if db.engine.dialect.name == "sqlite":
        assert found == {"journal_mode": ("wal", True), "synchronous": ("2", True), "foreign_keys": ("1", True)}
    else:
        assert found == {
            "synchronous_commit": ("on", True), "fsync": ("off", False), "full_page_writes": ("on", True),
        }  # fmt: skip


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


def test_sqlite_on_a_network_is_bad(healthy: Settings, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("tracker.cli.doctor.file_system", lambda file: "nfs4")
    local = replace(healthy, database_url=f"sqlite:///{healthy.instance / 'x.sqlite3'}")
    assert any("network file system (nfs4)" in line for line in examined(local)["bad"])


def test_the_command_ends_with_an_error_when_something_is_bad(healthy: Settings, environ: dict[str, str]) -> None:
    done = run_command(environ | {"STRIPE_WEBHOOK_SECRET": ""}, "doctor", "--all")
    assert done.exit_code == 1
    assert "bad   STRIPE_WEBHOOK_SECRET is not set" in done.output
    assert "ok    Stripe takes the key." in done.output
    if not environ["TRACKER_DATABASE_URL"]:
        assert run_command(environ, "doctor").exit_code == 0
    assert read_settings(environ).secret_key not in done.output
