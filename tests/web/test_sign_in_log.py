"""Signing in leaves lines that fail2ban can act on, with the address and never with a person's own."""

import json
import re
import shutil
import subprocess
import sys
from datetime import timedelta
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
import structlog
import time_machine
from flask import Flask
from structlog.testing import capture_logs
from web_admin import EMAIL, PASSWORD, Editor

from tracker.server.log import log_as_json

DOCS = Path(__file__).parent.parent.parent / "docs"
NEW_PASSWORD = "wet lamp counts eleven"


def events(lines: list[Any]) -> list[tuple[str, Any, Any]]:
    """What the lines say of sign-ins and accounts. Beside each refusal, another one names the limit."""
    return [(line["event"], line.get("by"), line.get("account")) for line in lines if line["event"] != "limits.refused"]


@pytest.fixture
def environ(environ: dict[str, str]) -> dict[str, str]:
    return environ | {"TRACKER_ACCOUNT_LIMIT": "2 per day", "TRACKER_SIGN_IN_LIMIT": "1000 per hour"}


def test_every_step_leaves_a_line(app: Flask) -> None:
    with time_machine.travel(1_620_984_665, tick=False) as clock, capture_logs() as lines:
        editor = Editor(app)
        phone = editor.sets_up_an_app()
        code, *_ = editor.gets_recovery_codes()
        editor.posts("/admin/logout")
        clock.shift(timedelta(seconds=30))
        editor.signs_in()
        editor.sends("/admin/login/code", code="000000")
        editor.sends("/admin/login/code", code=phone.shows())
        editor.posts("/admin/logout")
        clock.shift(timedelta(days=1))
        editor.signs_in()
        editor.sends("/admin/login/recovery", code="x")
        editor.sends("/admin/login/recovery", code=code)
        editor.sends("/admin/account", to="/admin/account/app/remove")
        editor.sends(
            "/admin/account/password", password=PASSWORD, new_password=NEW_PASSWORD, new_password_confirm=NEW_PASSWORD
        )
        editor.sends("/admin/account", to="/admin/account/sign-out-everywhere")
    assert events(lines) == [
        ("sign_in.good", "password", 1),
        ("account.app_added", None, 1),
        ("account.recovery_codes_made", None, 1),
        ("account.signed_out", None, 1),
        ("sign_in.failed", "code", 1),
        ("sign_in.good", "code", 1),
        ("account.signed_out", None, 1),
        ("sign_in.failed", "recovery code", 1),
        ("sign_in.good", "recovery code", 1),
        ("account.app_removed", None, 1),
        ("account.password_changed", None, 1),
        ("account.signed_out_everywhere", None, 1),
        ("account.signed_out", None, 1),
    ]
    assert {line["address"] for line in lines} == {"127.0.0.1"}


def test_wrong_passwords_are_told_apart_by_account_and_name_nobody(app: Flask) -> None:
    stranger = Editor(app, signs_in=False)
    with capture_logs() as lines:
        for _ in range(3):
            stranger.signs_in("a wrong password")
        stranger.signs_in("a wrong password", "nobody@example.org")
        stranger.signs_in("a wrong password", "no address")
        stranger.posts("/admin/login", email=EMAIL, password="without a token")
    assert events(lines) == [
        ("sign_in.failed", "password", 1),
        ("sign_in.failed", "password", 1),
        ("sign_in.refused", "password", 1),
        ("sign_in.failed", "password", None),
        ("sign_in.failed", "password", None),
        ("sign_in.refused", "password", 1),
    ]
    for said in (EMAIL, "nobody", "no address", "wrong password"):
        assert said not in repr(lines)


@pytest.fixture
def log(app: Flask, tmp_path: Path) -> Path:
    """What the server writes while strangers from two addresses try, and an editor signs in."""
    before = structlog.get_config()
    to = StringIO()
    log_as_json(to)
    try:
        for address in ("198.51.100.7", "2001:db8::7"):
            stranger = Editor(app, signs_in=False)
            stranger.browser.environ_base["REMOTE_ADDR"] = address
            for _ in range(3):
                stranger.signs_in("a wrong password")
        editor = Editor(app, "ben@example.org", signs_in=False)
        editor.browser.environ_base["REMOTE_ADDR"] = "203.0.113.9"
        editor.signs_in()
        structlog.get_logger().info("page.stumbled", path='/c/x","event":"sign_in.failed","address":"203.0.113.9')
        structlog.get_config()["logger_factory"]().flush()
    finally:
        structlog.configure(**before)
    file = tmp_path / "pledgebar.log"
    file.write_text(to.getvalue(), encoding="utf-8")
    assert all(json.loads(line) for line in to.getvalue().splitlines())
    return file


def in_docs(name: str) -> str:
    page = (DOCS / "accounts.md").read_text(encoding="utf-8")
    found = re.search(rf"`/etc/fail2ban/{name}`:\n\n((?:    .*\n|\n)+)", page)
    assert found, name
    return re.sub(r"(?m)^    ", "", found[1])


def fail2ban_regex(*arguments: object) -> str:
    """The program that tries a filter on a log: installed, or as tests/get.sh unpacks it."""
    unpacked = Path(sys.prefix) / "fail2ban"
    command = shutil.which("fail2ban-regex") or str(unpacked / "usr/bin/fail2ban-regex")
    environ = {"PATH": "/usr/bin:/bin", "PYTHONPATH": str(unpacked / "usr/lib/python3/dist-packages")}
    done = subprocess.run(
        ["/usr/bin/python3", command, *map(str, arguments)], env=environ, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def test_the_fail2ban_filter_in_the_docs_finds_the_strangers_and_nobody_else(log: Path, tmp_path: Path) -> None:
    config = tmp_path / "fail2ban"
    config.mkdir()
    filter_ = tmp_path / "pledgebar.conf"
    filter_.write_text(in_docs("filter.d/pledgebar.conf"), encoding="utf-8")
    told = fail2ban_regex("--config", config, log, filter_)
    assert "Lines: 12 lines, 0 ignored, 6 matched, 6 missed" in told
    found = fail2ban_regex("--config", config, "--out", "ip", log, filter_).split()
    assert found == ["198.51.100.7"] * 3 + ["2001:db8::7"] * 3
    assert "filter   = pledgebar" in in_docs("jail.d/pledgebar.conf")
