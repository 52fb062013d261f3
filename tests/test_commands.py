"""The operator's commands: each says what it did in a line, and what went wrong in a line, with an exit code to match."""

import io
import json
import os
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.request import urlopen

import click
import pytest
import time_machine
from actors import WEBHOOK_SECRET, count, each, gift_fact, moment
from click.testing import CliRunner, Result
from commands import run_command
from faults.server import Server
from flask import Flask
from sqlalchemy import text

from tracker import create_app
from tracker.cli import main
from tracker.giving.months import parse_month
from tracker.ledger import breakdowns, campaigns, month_closing, store
from tracker.ledger.book import record
from tracker.ledger.store import reading, writing
from tracker.settings import read_settings

Run = Callable[..., Result]
MAY = moment("2021-05-14T09:31")
ENV = ("TRACKER_INSTANCE", "TRACKER_DATABASE_URL", "STRIPE_SECRET_KEY", "STRIPE_WEBHOOK_SECRET")


@pytest.fixture
def tracker(tmp_path: Path, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Run:
    """Runs a command of `tracker` in an instance of its own."""
    monkeypatch.setenv("TRACKER_INSTANCE", str(tmp_path / "instance"))
    monkeypatch.setenv("TRACKER_DATABASE_URL", database_url)

    return lambda *arguments, stdin=None: run_command({}, *arguments, stdin=stdin)


@pytest.fixture
def ready(tracker: Run, tmp_path: Path, migrated_sqlite: Path) -> Run:
    """The same, with a database and the campaign `newsroom`."""
    (tmp_path / "instance").mkdir()
    shutil.copy(migrated_sqlite, tmp_path / "instance")
    assert tracker("init").exit_code == 0
    made = tracker("campaign", "set", "newsroom", "--title", "Support the newsroom", "--goal", "5000")
    assert made.exit_code == 0, made.output
    return tracker


@pytest.fixture
def ledger(ready: Run) -> Iterator[None]:
    """The database that the commands use, to look into it."""
    with create_app(read_settings(), background=False).app_context():
        yield
        store.db.engine.dispose()


def failed(result: Result) -> str:
    """Asserts that a command said in one line what went wrong; returns the line."""
    assert result.exit_code == 1, result.output
    # A first start may have come some way; no other command has done anything.
    assert all(
        line.startswith(("Made a secret key", "Wrote ", "Only its owner")) for line in result.stdout.splitlines()
    )
    assert result.stderr.count("\n") == 1, result.stderr
    assert result.stderr.startswith("Error: ")
    assert "Traceback" not in result.output
    return result.stderr.removeprefix("Error: ").strip()


def known(slug: str) -> Any:
    with reading() as connection:
        return campaigns.find(connection, slug)


# --- Help -------------------------------------------------------------------------------------------------------------


def every_command(group: click.Command, path: tuple[str, ...] = ()) -> list[tuple[str, ...]]:
    """The names of all commands, groups as well."""
    found = [path]
    if isinstance(group, click.Group):
        for name, one in group.commands.items():
            found += every_command(one, (*path, name))
    return found


@pytest.mark.parametrize("names", every_command(main), ids=" ".join)
@pytest.mark.parametrize("flag", ["--help", "-h"])
def test_every_command_explains_itself(names: tuple[str, ...], flag: str) -> None:
    result = CliRunner().invoke(main, [*names, flag], env=dict.fromkeys(ENV, "nonsense"))
    assert result.exit_code == 0
    assert result.stdout.startswith("Usage: ")
    assert len(result.stdout.splitlines()) > 3
    assert "Traceback" not in result.output


def test_the_version_is_told() -> None:
    assert re.fullmatch(r"tracker, version \S+\n", CliRunner().invoke(main, ["--version"]).stdout)


# --- Starting ---------------------------------------------------------------------------------------------------------


def test_a_first_start_makes_all_that_is_needed_and_a_second_changes_nothing(tracker: Run, tmp_path: Path) -> None:
    first = tracker("init")
    assert first.exit_code == 0
    assert "Made a secret key" in first.stdout
    assert "The database is ready." in first.stdout
    instance = tmp_path / "instance"
    secret = (instance / "secret_key").read_text()
    (instance / "tracker.env").write_text("TRACKER_NEWSROOM=The Courier\n")
    second = tracker("init")
    assert (second.exit_code, second.stdout) == (0, "The database was already up to date.\n")
    assert (instance / "secret_key").read_text() == secret
    assert (instance / "tracker.env").read_text() == "TRACKER_NEWSROOM=The Courier\n"


def test_only_the_owner_can_read_the_instance(tracker: Run, tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        tracker("init")
    finally:
        os.umask(before)
    instance = tmp_path / "instance"
    modes = {path.name: path.stat().st_mode & 0o777 for path in (instance, *instance.iterdir())}
    assert modes.pop("instance") == 0o700
    assert modes.keys() >= {"secret_key", "tracker.env"}
    assert set(modes.values()) == {0o600}


def test_what_an_earlier_version_left_open_is_closed(ready: Run, tmp_path: Path, database_url: str) -> None:
    instance = tmp_path / "instance"
    ours = ("secret_key", "tracker.env", *(() if database_url else ("pledgebar.sqlite3",)))
    paths = [instance, *(instance / name for name in ours)]
    for path in paths:
        path.chmod(0o755 if path.is_dir() else 0o644)
    done = ready("init")
    assert done.exit_code == 0
    for path in paths:
        assert path.stat().st_mode & 0o077 == 0, path
        assert f"Only its owner can now read {path}." in done.stdout
    assert ready("init").stdout == "The database was already up to date.\n"


def test_a_folder_that_others_use_too_is_left_as_it_is(tracker: Run, tmp_path: Path) -> None:
    shared = tmp_path / "instance"
    shared.mkdir(mode=0o755)
    shared.chmod(0o755)
    assert tracker("init").exit_code == 0
    assert shared.stat().st_mode & 0o777 == 0o755


def test_the_example_settings_are_all_there_and_all_off(tracker: Run, tmp_path: Path) -> None:
    tracker("init")
    written = (tmp_path / "instance" / "tracker.env").read_text()
    assert all(line.startswith("#") or not line for line in written.splitlines())
    (tmp_path / "instance" / "tracker.env").write_text(re.sub(r"(?m)^#([A-Z_]+=)", r"\1", written))
    assert tracker("init").exit_code == 0


@pytest.mark.usefixtures("ledger")
def test_an_account_is_never_made_by_itself() -> None:
    with reading() as connection:
        assert count(connection, "user_account") == 0


@pytest.mark.parametrize(
    "arguments", [("campaign", "list"), ("goal", "set", "x", "2021-05", "1"), ("rebuild",), ("serve",)]
)
def test_a_command_before_the_first_start_says_what_to_do(tracker: Run, arguments: tuple[str, ...]) -> None:
    assert "run “tracker init” first" in failed(tracker(*arguments))


@pytest.mark.usefixtures("ledger")
def test_a_newer_database_is_refused(ready: Run) -> None:
    with writing() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    for arguments in (("init",), ("campaign", "list"), ("rebuild", "--check")):
        assert "newer Pledgebar" in failed(ready(*arguments))


class TestWithABadSetting:
    @pytest.fixture
    def database_url(self) -> str:
        return ""

    @pytest.mark.parametrize("command", [("init",), ("campaign", "list"), ("rebuild", "--check"), ("serve",)])
    @pytest.mark.parametrize(
        ("name", "value", "says"),
        [
            ("TRACKER_INSTANCE", "not/absolute", "must be an absolute path"),
            ("TRACKER_DATABASE_URL", "mysql://x", "must begin with sqlite:/// or postgresql://"),
            ("TRACKER_DATABASE_URL", "postgresql://nobody@127.0.0.1:1/none", "The database does not answer"),
            ("TRACKER_DATABASE_URL", "postgresql://nobody:hush@127.0.0.1:port/none", "."),
            ("TRACKER_DATABASE_URL", "postgresql://nobody:hush@[::1/none", "."),
            ("TRACKER_DATABASE_URL", "sqlite:////proc/nowhere/ledger.sqlite3", "unable to open database file"),
            ("TRACKER_PUBLIC_URL", "give.example.org", "must be an address"),
            ("TRACKER_SECRET_KEY", "short", "too short"),
            ("TRACKER_GIVE_LIMIT", "often", "is no limit"),
            ("STRIPE_SECRET_KEY", "pk_test_123", "publishable key"),
            ("STRIPE_SECRET_KEY", "sk_live_123", "https://"),
        ],
    )
    def test_it_is_said_in_a_line(
        self, tracker: Run, monkeypatch: pytest.MonkeyPatch, command: tuple[str, ...], name: str, value: str, says: str
    ) -> None:
        monkeypatch.setenv("TRACKER_SECRET_KEY", "a secret for tests, long enough to keep one")
        monkeypatch.setenv(name, value)
        line = failed(tracker(*command))
        assert re.search(says, line)
        assert "hush" not in line
        assert "short" not in line.replace("too short", "")

    def test_a_folder_that_cannot_be_made_is_named(
        self, tracker: Run, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        (tmp_path / "file").write_text("in the way")
        for folder in (tmp_path / "file", tmp_path / "file" / "instance", Path("/proc/nowhere")):
            monkeypatch.setenv("TRACKER_INSTANCE", str(folder))
            assert str(folder) in failed(tracker("init")) or "nowhere" in str(folder)

    @pytest.mark.parametrize("written", ["NO_SUCH=1", "no equals sign", "TRACKER_INSTANCE=/tmp", "\xff\xfe"])
    def test_a_settings_file_that_cannot_be_read_is_named(self, tracker: Run, tmp_path: Path, written: str) -> None:
        tracker("init")
        (tmp_path / "instance" / "tracker.env").write_text(written, encoding="latin-1")
        failed(tracker("campaign", "list"))


# --- Campaigns --------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_a_campaign_is_made_with_every_option(ready: Run, tmp_path: Path) -> None:
    (tmp_path / "story.md").write_text("# Why\n\nBücher", encoding="utf-8")
    options = {
        "--title": "Bücher für alle",
        "--lead": "Wir fragen",
        "--story": str(tmp_path / "story.md"),
        "--currency": "eur",
        "--goal": "1200.50",
        "--time-zone": "Europe/Vienna",
        "--locale": "de-AT",
        "--amount-pattern": "#,##0 ¤",
        "--once": "50,10,25,100",
        "--monthly": "5,10,20",
        "--yearly": "100,50",
        "--default-frequency": "month",
        "--cover-percent": "1.5",
        "--reached-words": "Geschafft!",
        "--newsletter": "Schickt mir Post.",
        "--cover-fixed": "0.25",
        "--minimum": "2.50",
        "--maximum": "1000",
        "--held-month": "2021-05",
        "--accent": "#B3261E",
    }
    result = ready(
        "campaign", "set", "library", *(part for pair in options.items() for part in pair), "--paused", "--stop-at-goal"
    )
    assert result.exit_code == 0, result.output
    assert result.stdout == "Made the campaign “library”: Bücher für alle, 1200.50 EUR a month.\n"
    made = known("library")
    assert (made.title, made.lead, made.story) == ("Bücher für alle", "Wir fragen", "# Why\n\nBücher")
    assert (made.currency, made.time_zone, made.locale) == ("EUR", "Europe/Vienna", "de_AT")
    assert (made.amount_pattern, made.held_month, made.paused) == ("#,##0 ¤", "2021-05", True)
    assert (made.once, made.monthly) == ((1000, 2500, 5000, 10_000), (500, 1000, 2000))
    assert (made.yearly, made.default_frequency) == ((5000, 10_000), "month")
    assert (made.cover_percent, made.cover_fixed) == (150, 25)
    assert made.newsletter == "Schickt mir Post."
    assert (made.reached_words, made.stops_at_goal) == ("Geschafft!", True)
    assert (made.minimum, made.maximum) == (250, 100_000)
    assert made.accent == "b3261e"


@pytest.mark.usefixtures("ledger")
def test_changing_one_thing_leaves_the_rest(ready: Run) -> None:
    before = known("newsroom")
    result = ready("campaign", "set", "newsroom", "--title", "Another title")
    assert (result.exit_code, result.stdout) == (0, "Changed the campaign “newsroom”: Another title.\n")
    after = known("newsroom")
    assert {name for name, value in vars(after).items() if value != vars(before)[name]} == {"title"}
    ready("campaign", "set", "newsroom", "--held-month", "2021-05", "--paused", "--monthly", "")
    assert (known("newsroom").held_month, known("newsroom").paused, known("newsroom").monthly) == ("2021-05", True, ())
    ready("campaign", "set", "newsroom", "--held-month", "", "--resumed")
    assert known("newsroom").takes_gifts


@each("currency", ["USD", "EUR", "JPY", "KRW", "HUF", "CZK", "MXN", "THB", "KWD", "ISK", "UGX", "SEK"])
@pytest.mark.usefixtures("ledger")
def test_a_title_is_all_that_a_new_campaign_needs(ready: Run, currency: str) -> None:
    result = ready("campaign", "set", currency.lower(), "--title", "New", "--currency", currency)
    assert result.exit_code == 0, result.output
    assert known(currency.lower()).once
    assert known(currency.lower()).monthly


@pytest.mark.usefixtures("ledger")
def test_a_campaign_is_paused_with_a_reason_and_resumed(ready: Run) -> None:
    result = ready("campaign", "pause", "newsroom", "--reason", "Back after Easter.")
    assert result.stdout.startswith("“Support the newsroom” is paused: its bar stays")
    assert (known("newsroom").paused, known("newsroom").pause_reason) == (True, "Back after Easter.")
    assert ready("campaign", "resume", "newsroom").stdout == "“Support the newsroom” takes gifts again.\n"
    assert known("newsroom").takes_gifts
    assert known("newsroom").pause_reason == ""


@pytest.mark.usefixtures("ledger")
def test_a_campaign_is_archived_at_a_month_and_taken_up_again(ready: Run) -> None:
    with time_machine.travel(moment("2021-06-01T10:00"), tick=False):
        assert "its bar stays at 2021-06" in ready("campaign", "archive", "newsroom").stdout
        assert "its bar stays at 2021-06" in ready("campaign", "archive", "newsroom").stdout
        assert (known("newsroom").held_month, known("newsroom").archived) == ("2021-06", True)
        assert "2021-05" in ready("campaign", "archive", "newsroom", "--month", "2021-05").stdout
        assert known("newsroom").held_month == "2021-05"
        assert "(archived)" in ready("campaign", "list").stdout
        assert "is in the future" in failed(ready("campaign", "archive", "newsroom", "--month", "2021-07"))
        assert "is not a month" in failed(ready("campaign", "archive", "newsroom", "--month", "May"))
        ready("campaign", "resume", "newsroom")
    assert known("newsroom") == replace(known("newsroom"), held_month="", archived=False, paused=False)
    for command in ("pause", "resume", "archive"):
        assert "There is no campaign “nobody”" in failed(ready("campaign", command, "nobody"))


@pytest.mark.usefixtures("ledger")
def test_a_campaign_lets_in_what_came_before_it(ready: Run) -> None:
    with writing() as connection:
        assert record(connection, gift_fact(campaign="late"), MAY) == "waiting"
    ready("campaign", "set", "late", "--title", "Late")
    with reading() as connection:
        assert count(connection, "entry") == 1


@each(
    ("options", "says"),
    [
        (["new"], "a new one needs a --title"),
        (["No_Way", "--title", "x"], "cannot be used in a web address"),
        (["newsroom", "--title", ""], "needs a title"),
        (["newsroom", "--title", "x" * 121], "needs a title"),
        (["newsroom", "--currency", "XXZ"], "is not a currency"),
        (["newsroom", "--currency", "EUR"], "make a new campaign"),
        (["newsroom", "--time-zone", "Mars/Olympus"], "is not a time zone"),
        (["newsroom", "--time-zone", ""], "is not a time zone"),
        (["newsroom", "--time-zone", "../../etc/passwd"], "is not a time zone"),
        (["newsroom", "--locale", "xx_YY"], "is not a language"),
        (["newsroom", "--amount-pattern", "¤"], "is not an amount pattern"),
        (["newsroom", "--once", "ten"], "--once: “ten” is not an amount in USD"),
        (["newsroom", "--once", "1,2,3,4,5,6,7"], "."),
        (["newsroom", "--once", "10,10"], "ascending order"),
        (["newsroom", "--once", "", "--monthly", ""], "at least one amount"),
        (["newsroom", "--minimum", "0.10"], "must be at least"),
        (["newsroom", "--maximum", "1"], "must not be smaller"),
        (["newsroom", "--maximum", "99999999"], "at most"),
        (["newsroom", "--accent", "blue"], "“blue” is not a colour"),
        (["newsroom", "--accent", "#ffee00"], "is too light"),
        (["newsroom", "--goal", "0"], "above zero"),
        (["newsroom", "--goal", "-5"], "above zero"),
        (["newsroom", "--goal", "5,000"], "--goal: “5,000” is not an amount in USD"),
        (["newsroom", "--goal", "1e5"], "is not an amount"),
        (["newsroom", "--goal", "1.999"], "is not an amount"),
        (["newsroom", "--held-month", "2021-13"], "is not a month"),
        (["newsroom", "--cover-percent", "2,9"], "--cover-percent: “2,9” is not a percentage"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_a_campaign_that_will_not_do_is_said_and_nothing_changes(ready: Run, options: list[str], says: str) -> None:
    with reading() as connection:
        before = campaigns.every(connection), campaigns.goals(connection, "newsroom").standing
    assert re.search(says, failed(ready("campaign", "set", *options, "--lead", "Half written")))
    with reading() as connection:
        assert (campaigns.every(connection), campaigns.goals(connection, "newsroom").standing) == before


@pytest.mark.usefixtures("ledger")
def test_campaigns_are_listed_with_their_month(ready: Run) -> None:
    ready("campaign", "set", "newsroom", "--amount-pattern", "#,##0 ¤", "--time-zone", "Europe/Berlin")
    with writing() as connection:
        record(connection, gift_fact(amount=34_000), MAY)
        campaigns.set_goal(connection, "newsroom", parse_month("2021-01"), 500_000, stands=True)
    with time_machine.travel(MAY, tick=False):
        listed = ready("campaign", "list")
        assert listed.stdout == "newsroom: Support the newsroom; 2021-05: 340 $ of 5,000 $\n"
        ready("campaign", "set", "newsroom", "--paused")
        assert ready("campaign", "list").stdout.endswith(" (paused)\n")
        ready("campaign", "set", "newsroom", "--held-month", "2021-04")
        assert ready("campaign", "list").stdout == "newsroom: Support the newsroom; 2021-04: 0 $ of 5,000 $ (over)\n"


def test_without_campaigns_the_list_says_how_to_make_one(tracker: Run) -> None:
    tracker("init")
    result = tracker("campaign", "list")
    assert result.exit_code == 0
    assert "tracker campaign set SLUG --title" in result.stdout


# --- Goals ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_a_goal_is_set_for_one_month_alone(ready: Run) -> None:
    result = ready("goal", "set", "newsroom", "2021-05", "7500.50")
    assert (result.exit_code, result.stdout) == (0, "The goal of “newsroom” for 2021-05 is $7,500.50.\n")
    with reading() as connection:
        goals = campaigns.goals(connection, "newsroom")
    assert goals.alone == {"2021-05": 750_050}
    assert len(goals.standing) == 1


@pytest.fixture
def closed_april(ledger: None) -> None:
    with writing() as connection:
        month_closing.close(connection, known("newsroom"), parse_month("2021-04"), False, MAY)


@each(
    ("arguments", "says"),
    [
        (("nobody", "2021-05", "1"), "There is no campaign “nobody”"),
        (("newsroom", "2021-13", "1"), "is not a month"),
        (("newsroom", "may", "1"), "is not a month"),
        (("newsroom", "2021-05", "lots"), "AMOUNT: “lots” is not an amount"),
        (("newsroom", "2021-05", "0"), "above zero"),
        (("newsroom", "2021-05", "0.001"), "is not an amount"),
        (("newsroom", "2021-04", "1"), "2021-04 is closed"),
    ],
)
@pytest.mark.usefixtures("closed_april")
def test_a_goal_that_will_not_do_is_said(ready: Run, arguments: tuple[str, ...], says: str) -> None:
    assert says in failed(ready("goal", "set", *arguments))
    with reading() as connection:
        assert campaigns.goals(connection, "newsroom").alone == {}


# --- Closing ----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("closed_april")
def test_a_closed_month_is_reopened_with_a_reason_that_stays(ready: Run) -> None:
    result = ready("month", "reopen", "newsroom", "2021-04", "--reason", " A cheque was forgotten. ")
    assert (result.exit_code, result.stdout) == (0, "2021-04 of “newsroom” is open again.\n")
    with reading() as connection:
        (kept,) = month_closing.reopenings(connection, known("newsroom"), parse_month("2021-04"), False)
    assert (kept.reason, kept.email, kept.closed_at) == ("A cheque was forgotten.", None, MAY)
    assert "2021-04 is not closed." in failed(ready("month", "reopen", "newsroom", "2021-04"))


# --- People -----------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_an_account_is_made_with_a_password_from_standard_input(ready: Run) -> None:
    first = ready("admin", "create", "Ana@Example.org", stdin="a long password\n")
    assert first.exit_code == 0, first.output
    assert "may now sign in: http://127.0.0.1:5000/admin/" in first.stdout
    second = ready("admin", "create", "ana@example.org", stdin="another long password")
    assert "has a new password and is signed out everywhere" in second.stdout
    with reading() as connection:
        (row,) = connection.execute(text("SELECT email, password FROM user_account")).all()
    assert row.email == "ana@example.org"
    assert row.password.startswith("$argon2id$v=19$m=65536,t=3,p=4$")
    assert "password" not in first.stdout.replace("has a new password", "")


@each(
    ("email", "stdin", "says"),
    [
        ("ana@example.org", "too short\n", "12 characters or more"),
        ("ana@example.org", "\n", "12 characters or more"),
        ("ana@example.org", "", "12 characters or more"),
        ("ana@example.org", "short\nlonglonglonglong\n", "12 characters or more"),
        ("ana@example.org", "ana@example.org\n", "too easy to guess"),
        ("ana@example.org", "123456789012\n", "too easy to guess: this is similar to a commonly used password."),
        ("ana@example.org", " " * 12 + "\n", "Four words that do not belong together make a good one."),
        ("ana", "a long password\n", "is not an e-mail address"),
        ("ana@localhost", "a long password\n", "is not an e-mail address"),
    ],
)
@pytest.mark.usefixtures("ledger")
def test_an_account_that_will_not_do_is_not_made(ready: Run, email: str, stdin: str, says: str) -> None:
    assert says in failed(ready("admin", "create", email, stdin=stdin))
    with reading() as connection:
        assert count(connection, "user_account") == 0


def test_a_password_is_never_taken_from_the_arguments(ready: Run) -> None:
    assert ready("admin", "create", "ana@example.org", "a long password").exit_code == 2
    assert ready("admin", "create", "ana@example.org", "--password", "a long password").exit_code == 2


@pytest.mark.usefixtures("ledger")
def test_accounts_are_listed_disabled_and_enabled(ready: Run) -> None:
    assert ready("admin", "list").stdout == "There is no account: “tracker admin create EMAIL” makes one.\n"
    for email in ("ben@example.org", "ana@example.org"):
        assert ready("admin", "create", email, stdin="a long password").exit_code == 0
    with writing() as connection:
        for row in (
            "INSERT INTO recovery_code (user_id, code_hash) VALUES (2, 'x')",
            "INSERT INTO user_session (key_hash, user_id, began_at) VALUES ('x', 2, CURRENT_TIMESTAMP)",
            "UPDATE user_account SET tf_totp_secret = 'x', tf_primary_method = 'authenticator' WHERE id = 2",
        ):
            connection.execute(text(row))
    assert ready("admin", "list").stdout == (
        "2  ana@example.org  owner, an app, 1 recovery code, 1 session\n"
        "1  ben@example.org  owner, no second factor, not signed in\n"
    )
    assert ready("admin", "disable", "ANA@example.org").stdout == "ANA@example.org is disabled. Ended: 1 session.\n"
    assert "ana@example.org is already disabled" in failed(ready("admin", "disable", "ana@example.org"))
    assert (
        "2  ana@example.org  owner, disabled, an app, 1 recovery code, not signed in" in ready("admin", "list").stdout
    )
    assert ready("admin", "enable", "ana@example.org").stdout == "ana@example.org may sign in again.\n"
    assert "ana@example.org is already enabled" in failed(ready("admin", "enable", "ana@example.org"))
    assert "There is no account for cem@example.org" in failed(ready("admin", "disable", "cem@example.org"))


@pytest.mark.usefixtures("ledger")
def test_a_reset_says_what_it_took_away(ready: Run) -> None:
    assert ready("admin", "create", "ana@example.org", stdin="a long password").exit_code == 0
    with writing() as connection:
        for row in (
            "INSERT INTO recovery_code (user_id, code_hash) VALUES (1, 'x'), (1, 'y')",
            "INSERT INTO user_session (key_hash, user_id, began_at) VALUES ('x', 1, CURRENT_TIMESTAMP)",
            "UPDATE user_account SET tf_totp_secret = 'x', tf_primary_method = 'authenticator'",
        ):
            connection.execute(text(row))
    assert "too easy to guess" in failed(ready("admin", "reset", "ana@example.org", stdin="123456789012\n"))
    done = ready("admin", "reset", "ana@example.org", stdin="another long password\n")
    assert done.stdout == (
        "ana@example.org has a new password. Removed: its app, 2 recovery codes. Ended: 1 session.\n"
        "A second factor is set up after the next sign-in: http://127.0.0.1:5000/admin/\n"
    )
    ready("admin", "disable", "ana@example.org")
    again = ready("admin", "reset", "ana@example.org", stdin="another long password\n").stdout
    assert again == (
        "ana@example.org has a new password. Removed: nothing. It was not signed in anywhere.\n"
        "The account is disabled: “tracker admin enable” enables it again.\n"
    )
    assert "There is no account" in failed(ready("admin", "reset", "cem@example.org", stdin="another long password"))


# --- Proof ------------------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("ledger")
def test_the_totals_are_proven_and_mended(ready: Run) -> None:
    with writing() as connection:
        record(connection, gift_fact(amount=1000), MAY)
        record(connection, gift_fact("cs_live", amount=500, live=True), MAY)
    proven = ready("rebuild", "--check")
    assert proven.exit_code == 0
    said = r"Every total is the sum of its entries, and every entry is unchanged.\nHead of the ledger: [0-9a-f]{64}\n"
    assert re.fullmatch(said, proven.stdout)
    with writing() as connection:
        connection.execute(text("UPDATE month_total SET once = once + 1"))
    found = ready("rebuild", "--check")
    assert found.exit_code == 1
    assert re.search(r"2021-05 USD \(test, campaign \d+\): kept 1001, entries come to 1000\n", found.stdout)
    assert re.search(r"2021-05 USD \(live, campaign \d+\): kept 501, entries come to 500\n", found.stdout)
    assert "2 totals are not the sum of their entries: run “tracker rebuild”." in found.stderr
    assert ready("rebuild").stdout == "2 totals were wrong and are now right.\n"
    assert ready("rebuild", "--check").exit_code == 0
    assert ready("rebuild").stdout == "All totals were right.\n"


@pytest.mark.usefixtures("ledger")
def test_what_pages_break_down_is_proven_and_made_again(ready: Run) -> None:
    with writing() as connection:
        record(connection, gift_fact(amount=1000), MAY)
        breakdowns.add_up(connection)
    assert ready("rebuild", "--check").exit_code == 0
    with writing() as connection:
        connection.execute(text("UPDATE place_total SET given = 1"))
    found = ready("rebuild", "--check")
    assert "1 row of what the months' pages break down" in found.stdout
    assert "1 total is not the sum of their entries: run “tracker rebuild”." in found.stderr
    assert ready("rebuild").stdout == "1 total was wrong and is now right.\n"
    assert ready("rebuild", "--check").exit_code == 0


@pytest.mark.usefixtures("ledger")
def test_a_total_of_the_right_sum_says_what_else_is_wrong_about_it(ready: Run) -> None:
    with writing() as connection:
        record(connection, gift_fact(amount=1000), MAY)
        connection.execute(text("UPDATE month_total SET gifts = gifts + 1"))
    found = ready("rebuild", "--check")
    assert found.exit_code == 1
    assert re.search(r"2021-05 USD \(test, campaign \d+\): kept 2 gifts, entries come to 1\n", found.stdout)


@pytest.mark.usefixtures("ledger")
def test_nobody_is_told_to_rebuild_from_entries_that_were_edited(ready: Run) -> None:
    with writing() as connection:
        record(connection, gift_fact(amount=1000), MAY)
        connection.execute(text("UPDATE entry SET amount = 900"))
    found = ready("rebuild", "--check")
    assert found.exit_code == 1
    assert "kept 1000, entries come to 900" in found.stdout
    assert found.stderr == "Error: The database was edited by hand, or only part of a backup was restored.\n"


# --- Serving ----------------------------------------------------------------------------------------------------------

KEYS = {"STRIPE_SECRET_KEY": "sk_test_123", "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET}


@pytest.mark.parametrize("missing", sorted(KEYS))
def test_serving_without_a_key_is_refused_in_a_sentence(
    ready: Run, monkeypatch: pytest.MonkeyPatch, missing: str
) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, "" if name == missing else value)
    assert f"{missing} is not set: nobody could give" in failed(ready("serve"))


def test_serving_at_a_port_in_use_is_refused_in_a_line(ready: Run, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, value in KEYS.items():
        monkeypatch.setenv(name, value)
    with closing(socket.create_server(("127.0.0.1", 0))) as other:
        port = str(other.getsockname()[1])
        assert failed(ready("serve", "--port", port)) == (
            f"Port {port} is in use by another program: choose one with --port."
        )
    assert "Cannot listen on no.such.host.invalid" in failed(ready("serve", "--host", "no.such.host.invalid"))
    assert ready("serve", "--port", "99999").exit_code == 2


def test_the_installed_command_serves_until_it_is_stopped(ready: Run, environ: dict[str, str]) -> None:
    with closing(socket.create_server(("127.0.0.1", 0))) as free:
        port = free.getsockname()[1]
    command = [str(Path(sys.executable).with_name("tracker")), "serve", "--port", str(port)]
    server = subprocess.Popen(
        command, env=os.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )
    try:
        bar = eventually(lambda: urlopen(f"http://127.0.0.1:{port}/embed/newsroom.json", timeout=5))
        assert json.load(io.TextIOWrapper(bar, "utf-8"))["campaign"] == "newsroom"
    finally:
        server.terminate()
        output, errors = server.communicate(timeout=20)
    assert server.returncode == 0, errors
    assert "Traceback" not in output + errors


def eventually(ask: Callable[[], Any]) -> Any:
    until = time.monotonic() + 20
    while True:
        try:
            return ask()
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def test_a_wrong_command_leaves_no_trace(tracker: Run, tmp_path: Path) -> None:
    for arguments in (
        ["nonsense"],
        ["campaign"],
        ["campaign", "set"],
        ["goal", "set", "newsroom"],
        ["init", "--force"],
    ):
        assert tracker(*arguments).exit_code == 2
    assert not (tmp_path / "instance").exists()


# --- Terminals and pipes ----------------------------------------------------------------------------------------------

TRACKER = [sys.executable, "-m", "tracker"]


# Whatever the database, the words go the same way.
@pytest.mark.parametrize("database_url", [""], ids=["sqlite"])
@pytest.mark.parametrize(
    "terminal",
    [
        {"PYTHONIOENCODING": "iso8859-1"}, {"LC_ALL": "C", "PYTHONCOERCECLOCALE": "0", "PYTHONUTF8": "0"},
        {"LC_ALL": "POSIX"}, {"LC_ALL": "de_DE"},
    ],
)  # fmt: skip
def test_a_terminal_that_cannot_show_a_sign_does_not_undo_what_was_done(
    ready: Run, environ: dict[str, str], terminal: dict[str, str]
) -> None:
    there = os.environ | environ | terminal
    command = [*TRACKER, "campaign", "set", "other", "--title", "Another"]
    done = subprocess.run(command, env=there, capture_output=True, check=False)
    assert (done.returncode, done.stderr) == (0, b"")
    assert b"Made the campaign" in done.stdout
    wrong = subprocess.run(
        [*TRACKER, "goal", "set", "nobody", "2021-05", "1"], env=there, capture_output=True, check=False
    )
    assert wrong.returncode == 1
    assert wrong.stderr.startswith(b"Error: There is no campaign")


@pytest.mark.usefixtures("ledger")
def test_whoever_takes_only_the_beginning_of_a_file_ends_the_command_quietly(
    ready: Run, environ: dict[str, str]
) -> None:
    with writing() as connection:
        for number in range(1200):
            record(connection, gift_fact(f"cs_{number}"), MAY)
    command = subprocess.Popen(
        [*TRACKER, "export", "newsroom"], env=os.environ | environ, stdout=subprocess.PIPE, stderr=subprocess.PIPE
    )
    assert command.stdout is not None
    assert command.stdout.readline().startswith(b"date,month")
    command.stdout.close()
    assert command.stderr is not None
    with command.stderr as said:
        assert said.read() == b""
    assert command.wait(30) == 128 + signal.SIGPIPE


def test_a_command_that_is_interrupted_says_one_line(ready: Run, environ: dict[str, str], tmp_path: Path) -> None:
    # It waits for a password, as long as nobody types one.
    reading_end, writing_end = os.pipe()
    command = subprocess.Popen(
        [*TRACKER, "admin", "create", "ana@example.org"],
        env=os.environ | environ, stdin=reading_end, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
        # Whoever runs the tests in the background has it ignored, and so would this.
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    )  # fmt: skip
    os.close(reading_end)
    waiting = Path(f"/proc/{command.pid}/wchan"), Path(f"/proc/{command.pid}/syscall")
    until = time.monotonic() + 30
    while not waiting[1].read_text().startswith("0 0x0 "):
        assert time.monotonic() < until
        time.sleep(0.02)
    command.send_signal(signal.SIGINT)
    output, errors = command.communicate(timeout=30)
    os.close(writing_end)
    assert (output, errors) == (b"", b"Interrupted.\n")
    assert command.returncode == 128 + signal.SIGINT


# --- Serving on -------------------------------------------------------------------------------------------------------


class TestHangUp:
    """HUP reads the settings again; wrong ones stay out."""

    @pytest.fixture
    def database_url(self) -> str:
        return ""

    def test_wrong_settings_do_not_take_the_server_down_and_right_ones_are_taken(
        self, app: Flask, environ: dict[str, str], tmp_path: Path
    ) -> None:
        file = tmp_path / "instance" / "tracker.env"
        environ.pop("TRACKER_NEWSROOM")
        server = Server(environ, tmp_path / "log")
        server.start()
        try:
            assert server.process is not None

            def hangs_up(settings: str) -> list[dict[str, Any]]:
                """Writes settings, has them read, and waits until another worker serves; returns what the log says of it."""
                before = len(lines(server))
                file.write_text(settings)
                server.process.send_signal(signal.SIGHUP)  # type: ignore[union-attr]
                wait_until(lambda: any("Stopped old worker" in str(line) for line in lines(server)[before:]))
                assert server.status("/readyz") == 200
                return [line for line in lines(server)[before:] if line["event"].startswith("server.")]

            # A worker that starts again has what the others have, and does not read a file that somebody is writing.
            (worker,) = [pid for pid in server.pids() if pid != server.process.pid]
            file.write_text("TRACKER_PUBLC_URL=https://give.example.org\n")
            os.kill(worker, signal.SIGKILL)
            wait_until(lambda: server.status("/readyz") == 200)
            (wrong,) = hangs_up("TRACKER_PUBLC_URL=https://give.example.org\n")
            assert wrong["event"] == "server.settings_kept"
            assert "did you mean TRACKER_PUBLIC_URL?" in wrong["reason"]
            assert "The Gazette" not in server.get("/c/newsroom")[1]
            (right,) = hangs_up("TRACKER_NEWSROOM=The Gazette\n")
            assert right["event"] == "server.settings_read"
            assert "The Gazette" in server.get("/c/newsroom")[1]
        finally:
            server.stop()
        start = lines(server)[0]
        assert {name: start[name] for name in ("event", "mode", "database", "address", "workers")} == {
            "event": "server.start", "mode": "test", "database": "SQLite", "address": f"http://127.0.0.1:{server.port}",
            "workers": 1,
        }  # fmt: skip
        assert start["version"]


def lines(server: Server) -> list[dict[str, Any]]:
    """The log, every line of which is JSON."""
    return [json.loads(line) for line in server.said().splitlines()]


def wait_until(it_is_so: Callable[[], bool]) -> None:
    until = time.monotonic() + 60
    while not it_is_so():
        assert time.monotonic() < until
        time.sleep(0.05)
