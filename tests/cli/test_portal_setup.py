"""`tracker portal setup`: a login page at Stripe where regular gifts can be ended, and its address kept."""

from pathlib import Path
from typing import Any

import pytest
from account import Account
from commands import run_command
from flask import Flask

from tracker.settings import SettingsError, read_settings

NAME = "TRACKER_PORTAL_LOGIN_URL"


def configurations(account: Account) -> list[dict[str, Any]]:
    return list(account.sandbox.store.newest("billing_portal.configuration"))


def test_it_switches_on_a_login_page_and_keeps_its_address(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    (instance / "tracker.env").write_text(f"# Ours\n#{NAME}=\nTRACKER_CONTACT=members@example.org\n")
    done = run_command(environ, "portal", "setup")
    assert done.exit_code == 0, done.output
    (made,) = configurations(account)
    url = made["login_page"]["url"]
    assert url in done.output
    assert (instance / "tracker.env").read_text() == f"# Ours\n{NAME}={url}\nTRACKER_CONTACT=members@example.org\n"
    assert read_settings(environ).portal_login == url
    assert made["features"]["subscription_cancel"]["enabled"]
    assert made["features"]["subscription_cancel"]["mode"] == "at_period_end"
    assert made["features"]["payment_method_update"]["enabled"]
    assert made["business_profile"]["headline"] == "The Courier"
    assert made["default_return_url"] == "http://127.0.0.1:5000"


def test_again_it_changes_nothing_and_says_so(account: Account, instance: Path, environ: dict[str, str]) -> None:
    assert run_command(environ, "portal", "setup").exit_code == 0
    written = (instance / "tracker.env").read_text()
    again = run_command(environ, "portal", "setup")
    assert "says so already" in again.output
    assert (instance / "tracker.env").read_text() == written
    assert len(configurations(account)) == 1


def test_a_configuration_of_somebody_else_is_left_alone(
    account: Account, instance: Path, environ: dict[str, str]
) -> None:
    from tracker.sandbox import portal

    store = account.sandbox.store
    with store.acting(False):
        theirs = dict(portal.create_configuration(store, {"features": {}, "name": "Shop"}, "http://x"))
    run_command(environ, "portal", "setup")
    assert store.rows[theirs["id"]].body == theirs
    assert len(configurations(account)) == 2


def test_an_address_in_the_environment_wins(account: Account, instance: Path, environ: dict[str, str]) -> None:
    done = run_command(environ | {NAME: "https://billing.stripe.com/p/login/other"}, "portal", "setup")
    assert "is set to another address in the environment: change it there." in done.output
    assert not (instance / "tracker.env").exists()


def test_without_a_key_it_says_so(app: Flask, environ: dict[str, str]) -> None:
    done = run_command(environ | {"STRIPE_SECRET_KEY": ""}, "portal", "setup")
    assert (done.exit_code, "STRIPE_SECRET_KEY is not set" in done.output) == (1, True)


@pytest.mark.parametrize(
    "address", ["http://billing.example.org/p/login/x", "billing.stripe.com", "https://a@b.example/", "x y"]
)
def test_what_is_no_page_of_stripes_is_refused(environ: dict[str, str], address: str) -> None:
    with pytest.raises(SettingsError, match=NAME):
        read_settings(environ | {NAME: address})
