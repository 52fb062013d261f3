"""`tracker drive`, `tracker match`, and goals in people with `tracker goal set`."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from actors import NEWSROOM, gift_fact
from commands import run_command
from flask import Flask
from sqlalchemy import text

from tracker.ledger import book
from tracker.ledger.store import writing

pytestmark = pytest.mark.usefixtures("app")
NOW = datetime.now(UTC)
SOON, LATER = (NEWSROOM.moment(NOW + timedelta(days=days)) for days in (1, 3))
BEGAN = NEWSROOM.moment(NOW - timedelta(hours=1))


@pytest.fixture
def database_url() -> str:
    """SQLite alone: what is written is tried on both in tests/ledger/test_drives.py."""
    return ""


def says(environ: dict[str, str], *arguments: Any) -> str:
    done = run_command(environ, *arguments)
    assert done.exit_code == 0, done.output
    return done.output.strip()


def refuses(environ: dict[str, str], *arguments: Any) -> str:
    done = run_command(environ, *arguments)
    assert done.exit_code == 1, done.output
    return done.output.strip().removeprefix("Error: ")


def test_a_drive_is_made_changed_listed_and_ended(environ: dict[str, str]) -> None:
    name = "Summer drive"
    made = says(environ, "drive", "set", "newsroom", name, "--goal", "20000", "--start", BEGAN, "--end", SOON)
    assert made == f"Made the drive “Summer drive” of “newsroom”: 20,000 $, from {BEGAN} to {SOON}."
    with writing() as session:
        book.record(session, gift_fact("cs_1", 124_000, at=NOW), NOW)
    changed = says(environ, "drive", "set", "newsroom", name, "--end", LATER)
    assert changed == f"Changed the drive “Summer drive” of “newsroom”: 20,000 $, from {BEGAN} to {LATER}."
    listed = says(environ, "drive", "list", "newsroom")
    assert listed == f"Summer drive (running): 1,240 $ of 20,000 $, from {BEGAN} to {LATER}"
    said = refuses(environ, "drive", "set", "newsroom", "Another", "--goal", "1", "--end", SOON)
    assert said == f"“Summer drive” runs from {BEGAN} to {LATER}: only one drive can run at a time."
    assert says(environ, "drive", "end", "newsroom", name) == "The drive “Summer drive” of “newsroom” has ended."
    assert "Summer drive (ended): 1,240 $" in says(environ, "drive", "list", "newsroom")
    assert "has no drive “Summer drive” that could end" in refuses(environ, "drive", "end", "newsroom", name)


def test_a_match_is_made_and_one_that_has_not_begun_is_deleted(environ: dict[str, str]) -> None:
    name = "Harbour Foundation"
    assert says(environ, "match", "list", "newsroom").startswith("“newsroom” has had no match yet: make one with")
    made = says(environ, "match", "set", "newsroom", name, "--cap", "5000", "--start", SOON, "--end", LATER)
    assert made == f"Made the match “{name}” of “newsroom”: 5,000 $, from {SOON} to {LATER}."
    changed = says(environ, "match", "set", "newsroom", name, "--end", "")
    assert changed == f"Changed the match “{name}” of “newsroom”: 5,000 $, from {SOON}."
    assert says(environ, "match", "list", "newsroom") == f"{name} (planned): 0 $ of 5,000 $, from {SOON}"
    assert says(environ, "match", "end", "newsroom", name).endswith("is deleted: it had not begun.")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("drive", "set", "newsroom", "A"), "There is no drive “A” yet: a new one needs --goal."),
        (("drive", "set", "newsroom", "A", "--goal", "5"), "When does the drive end?"),
        (("drive", "set", "newsroom", "A", "--goal", "lots", "--end", SOON), "--goal: “lots” is not an amount in USD."),
        (("drive", "set", "newsroom", "A", "--goal", "5", "--end", "soon"), "“soon” is not a day and time."),
        (("drive", "set", "nobody", "A", "--goal", "5", "--end", SOON), "There is no campaign “nobody”"),
        (("match", "set", "newsroom", "", "--cap", "5"), "Say who doubles the gifts, in a name of 1 to 40 characters."),
        (("goal", "set", "newsroom", "2021-05"), "Give an AMOUNT, or --supporters, or both."),
        (("goal", "set", "newsroom", "2021-05", "5", "--people-first"), "--people-first goes with --supporters."),
        (("goal", "set", "newsroom", "2021-05", "--supporters", "5", "--onwards"), "2021-05 is over"),
    ],
)
def test_what_is_wrong_is_one_line(environ: dict[str, str], arguments: tuple[str, ...], said: str) -> None:
    assert said in refuses(environ, *arguments)


def test_a_goal_in_people(environ: dict[str, str]) -> None:
    month = f"{NOW.astimezone():%Y-%m}"
    both = says(environ, "goal", "set", "newsroom", month, "7000", "--supporters", "200", "--people-first")
    assert both == f"The goal of “newsroom” for {month} is 7,000 $ and 200 supporters, which the bar counts."
    alone = says(environ, "goal", "set", "newsroom", "2098-05", "--supporters", "300", "--onwards")
    assert alone == "The goal of “newsroom” from 2098-05 is 300 supporters."


def test_a_sum_that_is_wrong_is_found_and_mended(app: Flask, environ: dict[str, str]) -> None:
    says(environ, "drive", "set", "newsroom", "A", "--goal", "20000", "--start", BEGAN, "--end", SOON)
    assert "Every total is the sum" in says(environ, "rebuild", "--check")
    with writing() as session:
        session.execute(text("UPDATE appeal_total SET raised = 5 WHERE NOT live"))
    found = refuses(environ, "rebuild", "--check")
    assert "“A” (test): kept 5 of 0 gifts, entries come to 0 of 0" in found
    assert "1 total is not the sum" in found
    assert says(environ, "rebuild") == "1 total was wrong and is now right."
