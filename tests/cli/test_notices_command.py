"""`tracker notices`, what `tracker sync` tells when it fails, and what the doctor says of notices."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest
from actors import gift_fact
from commands import run_command
from flask import Flask
from mail_server import MailServer, mail_server

from tracker.cli.doctor import check_notices
from tracker.giving.notice_rules import Due
from tracker.ledger import book, outbox
from tracker.ledger.outbox import Chosen
from tracker.ledger.store import reading, writing
from tracker.settings import Settings
from tracker.web.admin.notice_sender import REASONS
from tracker.web.admin.signin import create_admin

MAIL = outbox.mail_to(1)


def now() -> datetime:
    return datetime.now(UTC)


@pytest.fixture
def post() -> Iterator[MailServer]:
    with mail_server() as server:
        yield server


@pytest.fixture
def environ(environ: dict[str, str], post: MailServer) -> dict[str, str]:
    return environ | {"TRACKER_SMTP_URL": f"smtp://127.0.0.1:{post.port}", "TRACKER_MAIL_FROM": "notices@example.org"}


@pytest.fixture
def ana(app: Flask) -> None:
    """Ana wants to hear of everything."""
    create_admin("ana@example.org", "a long password for tests")
    with writing() as session:
        outbox.confirm(session, 1, "ana@example.org", now())
        outbox.choose(session, MAIL, ["goal_reached", "sync_failed"], now() - timedelta(days=1))


@pytest.mark.usefixtures("ana")
def test_the_command_finds_what_is_due_and_sends_it_at_once(environ: dict[str, str], post: MailServer) -> None:
    with writing() as session:
        book.record(session, gift_fact(amount=500_000, at=now()), now())
    post.refuses_data = "452 Full"
    done = run_command(environ, "notices")
    assert (done.exit_code, "Sent: 0. Not sent: 1." in done.output) == (1, True)
    post.refuses_data = ""
    # Its turn is over, and the next try is in five minutes.
    done = run_command(environ, "notices")
    assert (done.exit_code, done.output) == (0, "Sent: 0. Not sent: 0.\n")
    with writing() as session:
        session.connection().exec_driver_sql("UPDATE notice SET due_at = '2021-05-01 00:00:00+00:00'")
    assert run_command(environ, "notices").output == "Sent: 1. Not sent: 0.\n"
    assert [str(mail["Subject"]) for mail in post.taken] == ["Support the newsroom: goal reached"]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("app")
def test_the_command_says_that_nothing_is_set_up(environ: dict[str, str]) -> None:
    without = {name: value for name, value in environ.items() if name not in ("TRACKER_SMTP_URL", "TRACKER_MAIL_FROM")}
    done = run_command(without, "notices")
    assert done.exit_code == 0
    assert done.output.startswith("Notices are not set up")


@pytest.mark.usefixtures("ana")
def test_a_run_of_sync_that_cannot_ask_stripe_is_told_of(environ: dict[str, str], post: MailServer) -> None:
    since = f"{now() - timedelta(days=1):%Y-%m-%d}"
    # Nobody listens where this test's Stripe would be.
    assert run_command(environ, "sync", "--since", since, "--dry-run").exit_code == 1
    with reading() as session:
        assert outbox.newest(session, False, 5) == []
    for _ in range(2):
        done = run_command(environ, "sync", "--since", since)
        assert done.exit_code == 1
    assert run_command(environ, "notices").output == "Sent: 1. Not sent: 0.\n"
    words = post.taken[0].get_body(("plain",)).get_content()
    assert "could not finish: " + done.output.removeprefix("Error: ").splitlines()[-1].removeprefix("Error: ") in words


def told(settings: Settings) -> list[tuple[str, str]]:
    with reading() as session:
        return [(one.level, one.text) for one in check_notices.findings(session, settings)]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.usefixtures("ana")
def test_the_doctor_says_whether_the_last_ones_arrived(settings: Settings) -> None:
    assert told(settings) == [("ok", "Notices are sent by e-mail; 1 person gets some by e-mail.")]
    with writing() as session:
        outbox.put(session, Due("goal_reached", "2021-05", "newsroom"), [Chosen(MAIL, now())], False, now())
        one = outbox.take_due(session, False, now(), mail=True, webhook=False)
        assert one is not None
        outbox.failed(session, one, now(), "no_answer", "Connection refused", for_good=False)
    ((level, words),) = told(settings)
    assert level == "warning"
    assert words.startswith("The newest notice by e-mail, from ")
    assert words.endswith("could not be sent. The server does not answer. (Connection refused)")
    with writing() as session:
        outbox.sent(session, one.id, now())
    assert told(settings)[0][0] == "ok"


def test_every_reason_has_its_sentence() -> None:
    assert all(str(words).endswith(".") for words in REASONS.values())
