"""`tracker webhook register`: the endpoint as it must be, its secret once, and nothing half-registered in live mode."""

import stat
from pathlib import Path

import pytest
import stripe
from account import Account
from commands import run_command
from serving import serving
from tls import self_signed

from tracker.gateway.events import ASKED_FOR
from tracker.gateway.webhook_endpoints import API_VERSION
from tracker.ledger import installation
from tracker.ledger.store import writing
from tracker.sandbox import create_sandbox
from tracker.settings import address_problem, keep_webhook_secret, read_settings

URL = "http://127.0.0.1:5000/webhooks/stripe"


def endpoints(account: Account) -> list[dict[str, object]]:
    return list(account.sandbox.store.newest("webhook_endpoint"))


def test_it_registers_what_is_understood_and_keeps_the_secret(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    del environ["STRIPE_WEBHOOK_SECRET"]
    (instance / "tracker.env").write_text("# Ours\n#STRIPE_WEBHOOK_SECRET=\nTRACKER_NEWSROOM=The Courier\n")
    done = run_command(environ, "webhook", "register")
    assert done.exit_code == 0, done.output
    (made,) = endpoints(account)
    assert (made["url"], made["api_version"], made["enabled_events"]) == (URL, API_VERSION, list(ASKED_FOR))
    secret = account.sandbox.store.hidden(str(made["id"]))["secret"]
    assert done.output.count(secret) == 1
    file = instance / "tracker.env"
    assert file.read_text() == f"# Ours\nSTRIPE_WEBHOOK_SECRET={secret}\nTRACKER_NEWSROOM=The Courier\n"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert read_settings(environ).stripe_webhook_secrets == (secret,)


def test_a_secret_that_is_set_is_left_alone(account: Account, instance: Path, environ: dict[str, str]) -> None:
    done = run_command(environ, "webhook", "register")
    assert "set in the environment: add this one to it" in done.output
    assert not (instance / "tracker.env").exists()


def test_a_new_secret_is_put_before_the_one_in_the_file(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    del environ["STRIPE_WEBHOOK_SECRET"]
    (instance / "tracker.env").write_text("STRIPE_WEBHOOK_SECRET=whsec_old\n")
    moved = environ | {"TRACKER_PUBLIC_URL": "http://127.0.0.1:5001"}
    assert run_command(environ, "webhook", "register").exit_code == 0
    assert run_command(moved, "webhook", "register").exit_code == 0
    newest, first = (account.sandbox.store.hidden(str(one["id"]))["secret"] for one in endpoints(account))
    assert read_settings(moved).stripe_webhook_secrets == (newest, first, "whsec_old")


def test_an_endpoint_left_at_an_old_address_is_named(account: Account, instance: Path, environ: dict[str, str]) -> None:
    assert "still sends" not in run_command(environ, "webhook", "register").output
    moved = environ | {"TRACKER_PUBLIC_URL": "http://127.0.0.1:5001"}
    assert f"still sends to {URL}. If that was this installation" in run_command(moved, "webhook", "register").output
    # A copy that lives on beside its original has a mark of its own, and the same secret key.
    with writing() as connection:
        installation.set_mark(connection, "fedcba9876543210")
    copy = environ | {"TRACKER_PUBLIC_URL": "http://127.0.0.1:5002"}
    assert "still sends" not in run_command(copy, "webhook", "register").output


def test_an_endpoint_that_is_there_is_mended_and_not_made_twice(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    account.sandbox.add_webhook(URL, "whsec_old", ["invoice.paid", "invoice.created"], "2020-08-27")
    done = run_command(environ, "webhook", "register")
    assert done.exit_code == 0
    assert "It does not send refund.failed, which is needed." in done.output
    assert "It sends invoice.created, which is not needed." in done.output
    assert f"Its version is 2020-08-27, and should be {API_VERSION}" in done.output
    (there,) = endpoints(account)
    assert there["enabled_events"] == list(ASKED_FOR)
    assert "whsec" not in done.output
    again = run_command(environ, "webhook", "register")
    assert "Its events are right." in again.output


def test_one_that_sends_everything_is_told_what_is_too_much(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    account.sandbox.add_webhook(URL, "whsec_old", ["*"], API_VERSION)
    done = run_command(environ, "webhook", "register")
    assert "It sends *, which is not needed." in done.output
    assert "Its version" not in done.output


def test_one_that_is_switched_off_or_elsewhere_is_none(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    account.sandbox.add_webhook("http://127.0.0.1:5000/other", "whsec_other")
    off = account.sandbox.add_webhook(URL, "whsec_old")
    off["status"] = "disabled"
    assert "Registered" in run_command(environ, "webhook", "register").output
    assert len(endpoints(account)) == 3


@pytest.mark.parametrize(
    "address", ["https://localhost", "https://127.0.0.1", "https://10.0.0.7", "https://newsroom.local"]
)
def test_in_live_mode_stripe_must_be_able_to_reach_it(
    account: Account, instance: Path, environ: dict[str, str], address: str
) -> None:
    live = environ | {"STRIPE_SECRET_KEY": "sk_live_1", "TRACKER_PUBLIC_URL": address, "STRIPE_API_BASE": ""}
    done = run_command(live, "webhook", "register")
    assert done.exit_code == 1
    assert "Stripe cannot reach" in done.output
    assert list(account.sandbox.store.newest("webhook_endpoint", True)) == []


def test_http_is_refused_in_live_mode(account: Account, instance: Path, environ: dict[str, str]) -> None:
    live = environ | {"STRIPE_SECRET_KEY": "sk_live_1", "TRACKER_PUBLIC_URL": "http://give.example.org"}
    assert run_command(live, "webhook", "register").exit_code == 1


def test_live_mode_with_a_real_address_registers(
    account: Account, instance: Path, environ: dict[str, str], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    # A live key does not travel without TLS, not even on this machine.
    certificate, key = self_signed(tmp_path, "127.0.0.1")
    monkeypatch.setattr(stripe, "ca_bundle_path", str(certificate))
    with serving(create_sandbox(account.sandbox), tls=(certificate, key)) as api:
        keys = {"STRIPE_SECRET_KEY": "rk_live_1", "STRIPE_API_BASE": api}
        live = environ | keys | {"TRACKER_PUBLIC_URL": "https://give.example.org"}
        done = run_command(live, "webhook", "register")
    assert done.exit_code == 0, done.output
    (made,) = account.sandbox.store.newest("webhook_endpoint", True)
    assert made["url"] == "https://give.example.org/webhooks/stripe"


@pytest.mark.parametrize(
    "before",
    [
        "",
        "#STRIPE_WEBHOOK_SECRET=\nSTRIPE_WEBHOOK_SECRET=\n",
        "STRIPE_WEBHOOK_SECRET=\n",
        "TRACKER_CONTACT=a@b.c",
        '#STRIPE_WEBHOOK_SECRET=""\n',
    ],
)
def test_the_secret_finds_its_place_in_the_file(tmp_path: Path, before: str) -> None:
    file = tmp_path / "tracker.env"
    file.write_text(before)
    file.chmod(0o644)
    keep_webhook_secret(tmp_path, "whsec_new")
    lines = file.read_text().splitlines()
    assert lines.count("STRIPE_WEBHOOK_SECRET=whsec_new") == 1
    assert len(lines) == (2 if "CONTACT" in before or "#STRIPE_WEBHOOK_SECRET=\n" in before else 1)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert [path.name for path in tmp_path.iterdir()] == ["tracker.env"]


def test_public_addresses_are_told_from_those_at_home() -> None:
    assert address_problem("https://give.example.org") == ""
    assert address_problem("https://8.8.8.8") == ""
    for home in (
        "http://give.example.org",
        "https://localhost:5000",
        "https://[::1]",
        "https://192.168.1.4",
        "https://nas",
    ):
        assert address_problem(home)
