"""A test finds nothing of the one before it in the database that both were lent."""

import psycopg
import pytest
from ready_made import Lent

PERSON = """
    INSERT INTO user_account (email, password, active, fs_uniquifier, created_at)
    VALUES ('a@b.example', '', true, 'x', now()) RETURNING id
"""


def test_rows_are_gone_and_numbers_begin_again(lent: Lent) -> None:
    first = lent.lend()
    for _ in range(2):
        with psycopg.connect(first) as connection:
            assert connection.execute(PERSON).fetchone() == (1,)
        assert lent.lend() == first


@pytest.mark.parametrize(
    "change",
    [
        "ALTER TABLE goal RENAME TO elsewhere",
        "DROP TABLE supporter",
        "CREATE INDEX more ON entry (gift_key)",
        "ALTER TABLE entry ADD COLUMN more text",
        "UPDATE alembic_version SET version_num = '9999'",
        "CREATE FUNCTION one() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    ],
)
def test_a_changed_table_is_never_lent_again(lent: Lent, change: str) -> None:
    first = lent.lend()
    with psycopg.connect(first) as connection:
        connection.execute(change)  # type: ignore[call-overload]
    assert lent.lend() != first


def test_what_somebody_still_uses_is_never_lent_again(lent: Lent) -> None:
    first = lent.lend()
    with psycopg.connect(first):
        assert lent.lend() != first
