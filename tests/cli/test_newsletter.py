"""`tracker newsletter`: who ticked the box, as Stripe knows it at that moment, and nothing of it in the database."""

import csv
import io
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from account import DAY, SINCE, Account
from actors import NEWSROOM
from commands import run_command
from sqlalchemy import inspect, text

from tracker.ledger import campaigns
from tracker.ledger.store import reading, writing

DATE = f"{SINCE:%Y-%m-%d}"


def gives(account: Account, email: str, **words: str) -> None:
    session = account.sandbox.create_checkout_session(account.asks(1000, **words))
    account.sandbox.pay(session["id"], email=email)
    account.passes(DAY)


def listed(environ: dict[str, str], slug: str = "newsroom", since: str = DATE) -> list[dict[str, str]]:
    done = run_command(environ, "newsletter", slug, "--since", since)
    assert done.exit_code == 0, done.output
    return list(csv.DictReader(io.StringIO(done.stdout, newline="")))


def test_who_ticked_the_box_is_listed_once_with_the_day_of_the_first_gift(
    hooked: Account, environ: dict[str, str]
) -> None:
    first = hooked.clock
    gives(hooked, "Ada@example.org", newsletter="yes")
    gives(hooked, "nobody@example.org")
    gives(hooked, "=1+1@example.org", newsletter="yes")
    gives(hooked, "ada@example.org", newsletter="yes")
    gives(hooked, "else@example.org", newsletter="yes", campaign="library")
    hooked.sandbox.create_checkout_session(hooked.asks(1000, newsletter="yes"))
    found = listed(environ)
    assert [one["email"] for one in found] == ["Ada@example.org", "'=1+1@example.org"]
    assert found[0]["date"] == NEWSROOM.moment(datetime.fromtimestamp(first, UTC))[:10]
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="library"))
    assert [one["email"] for one in listed(environ, "library")] == ["else@example.org"]


def test_monthly_and_yearly_supporters_are_listed_too(hooked: Account, environ: dict[str, str]) -> None:
    session = hooked.sandbox.create_checkout_session(hooked.asks(1000, monthly=True, newsletter="yes"))
    hooked.sandbox.pay(session["id"], email="month@example.org")
    assert [one["email"] for one in listed(environ)] == ["month@example.org"]


def test_no_address_is_kept_here(hooked: Account, environ: dict[str, str]) -> None:
    gives(hooked, "ada@example.org", newsletter="yes")
    assert listed(environ)
    with reading() as connection:
        for table in inspect(connection.connection()).get_table_names():
            if table != "delivery":
                rows = str(connection.execute(text(f'SELECT * FROM "{table}"')).all())
                assert "ada@example.org" not in rows, table


@pytest.mark.parametrize(
    ("slug", "since", "says"),
    [
        ("nobody", DATE, "There is no campaign “nobody”"),
        ("newsroom", "yesterday", "is not a date"),
        ("newsroom", "2999-01-01", "is in the future"),
    ],
)
def test_what_cannot_be_asked_is_said(
    hooked: Account, environ: dict[str, str], slug: str, since: str, says: str
) -> None:
    done = run_command(environ, "newsletter", slug, "--since", since)
    assert done.exit_code == 1
    assert says in done.stderr
