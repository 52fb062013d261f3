"""`tracker gift give-back`: the same as the form of the newsroom's pages, from a terminal."""

from datetime import UTC, datetime

import pytest
from commands import run_command
from flask import Flask
from sqlalchemy import select

from tracker.giving.facts import Gift
from tracker.ledger import book, month_closing
from tracker.ledger.models import entry, note
from tracker.ledger.store import reading, writing

MAY = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def given(newsroom: Flask, environ: dict[str, str]) -> dict[str, str]:
    """The settings of an installation that received 50 $ through the session cs_1."""
    with writing() as connection:
        book.record(connection, Gift("cs_1", "once", "newsroom", 5000, "USD", MAY, False, ("pi_1",)), MAY)
    return environ


def taken_off() -> list[tuple[int, str, str | None]]:
    with reading() as connection:
        assert month_closing.differences(connection) == []
        rows = connection.execute(
            select(entry.c.amount, entry.c.month, note.c.words)
            .outerjoin(note, note.c.gift_key == entry.c.key)
            .where(entry.c.kind == "refund")
        )
        return [tuple(row) for row in rows]


@pytest.mark.parametrize("known_as", ["cs_1", "pi_1"])
def test_any_of_stripes_ids_names_the_gift(given: dict[str, str], known_as: str) -> None:
    command = ("gift", "give-back", "newsroom", known_as, "12.50", "--date", "2021-05-20", "--note", "Transfer 17")
    done = run_command(given, *command)
    assert done.exit_code == 0, done.output
    assert done.output == "12.50 $ of cs_1 is recorded as given back, in 2021-05; 37.50 $ of it is left.\n"
    assert taken_off() == [(-1250, "2021-05", "Transfer 17")]


def test_the_same_command_again_changes_nothing_and_another_note_is_other_money(given: dict[str, str]) -> None:
    command = ("gift", "give-back", "newsroom", "cs_1", "12.50", "--date", "2021-05-20")
    for more in ((), (), ("--note", "The second half")):
        assert run_command(given, *command, *more).exit_code == 0
    assert [amount for amount, *_ in taken_off()] == [-1250, -1250]


@pytest.mark.parametrize(
    ("about", "words"),
    [
        (("newsroom", "cs_2", "5", "--date", "2021-05-20"), "There is no gift “cs_2” of “newsroom”."),
        (("newsroom", "cs_1", "50.01", "--date", "2021-05-20"), "That is more than is left of the gift."),
        (("newsroom", "cs_1", "0", "--date", "2021-05-20"), "Enter an amount above zero."),
        (("newsroom", "cs_1", "5", "--date", "2021-05-13"), "The gift was made on 2021-05-14"),
        (("newsroom", "cs_1", "5", "--date", "yesterday"), "“yesterday” is not a date"),
        (("nobody", "cs_1", "5", "--date", "2021-05-20"), "nobody"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_is_recorded(
    given: dict[str, str], about: tuple[str, ...], words: str
) -> None:
    done = run_command(given, "gift", "give-back", *about)
    assert done.exit_code != 0
    assert words in done.output
    assert taken_off() == []
