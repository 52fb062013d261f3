"""Two installations on one Stripe account, with a campaign of the same name: each counts its own and nothing else."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

import pytest
from account import SINCE, Account
from actors import NEWSROOM
from commands import run_command
from flask import Flask
from sqlalchemy import func, select

from tracker.gateway.checkout import Order, session_params
from tracker.giving.tiers import Choice
from tracker.ledger import installation
from tracker.ledger.models import entry, support, waiting
from tracker.ledger.store import reading, writing
from tracker.web.site import mark


@pytest.fixture
def own(newsroom: Flask) -> str:
    with newsroom.app_context():
        return mark()


def raised() -> int:
    with reading() as connection:
        return int(connection.scalar(select(func.sum(entry.c.amount))) or 0)


def test_every_installation_has_a_mark_of_its_own_and_all_its_nodes_have_the_same(own: str, newsroom: Flask) -> None:
    assert len(own) == 16
    with newsroom.app_context(), reading() as connection:
        assert installation.mark(connection) == own


def test_the_mark_stands_on_the_payment_and_on_the_subscription(own: str) -> None:
    for frequency, place in (("once", "payment_intent_data"), ("month", "subscription_data")):
        now = datetime.now(UTC)
        order = Order(NEWSROOM, Choice(frequency, 1000, "1000"), "nonce", now)  # type: ignore[arg-type]
        asked = session_params(order, "https://give.example", "", now, own)
        assert asked["metadata"]["instance"] == asked[place]["metadata"]["instance"] == own


def test_what_another_installation_began_counts_nothing_here(hooked: Account, own: str) -> None:
    hooked.gives(1000, instance=own)
    theirs = hooked.gives(2000, instance="0123456789abcdef")
    monthly = hooked.gives(500, monthly=True, instance="0123456789abcdef")
    hooked.renews(monthly)
    hooked.refunds(theirs, 700)
    hooked.disputes(hooked.gives(3000, instance="0123456789abcdef"))
    assert raised() == 1000
    with reading() as connection:
        assert connection.scalar(select(func.count()).select_from(support)) == 0
        # Refunds name only their payment, which may be anybody's: they wait, as those of a stranger do.
        kinds = connection.scalars(select(waiting.c.fact)).all()
    assert {one["is"] for one in kinds} <= {"Taken", "Settled"}


def test_what_was_given_before_there_were_marks_still_counts(hooked: Account, own: str) -> None:
    monthly = hooked.gives(500, monthly=True)
    hooked.gives(1000)
    hooked.renews(monthly)
    assert raised() == 2000


def test_sync_finds_what_is_ours_and_leaves_the_others(
    account: Account, own: str, environ: dict[str, str], newsroom: Flask
) -> None:
    for words in ({"instance": own}, {"instance": "0123456789abcdef"}, {}):
        session = account.sandbox.create_checkout_session(account.asks(1000, **words))
        account.sandbox.pay(session["id"])
    while next(iter(account.sandbox.store.newest("_job")), None):
        account.sandbox.run_due(hurry=True)
    said = run_command(environ, "sync", "--since", f"{SINCE:%Y-%m-%d}")
    assert said.exit_code == 0, said.output
    assert raised() == 2000
    assert "1 session" in said.output.partition("From other products on the same account:")[2]


def test_a_copy_that_lives_beside_its_original_can_be_given_a_mark_of_its_own(newsroom: Flask, own: str) -> None:
    with newsroom.app_context(), writing() as connection:
        installation.set_mark(connection, "fedcba9876543210")
        assert installation.mark(connection) == "fedcba9876543210"


def test_a_campaign_of_another_name_makes_no_difference(hooked: Account, own: str) -> None:
    asked: dict[str, Any] = {"campaign": replace(NEWSROOM, slug="zeitung").slug, "currency": "eur"}
    hooked.gives(1000, **asked, instance=own)
    hooked.gives(1000, **asked, instance="0123456789abcdef")
    assert raised() == 1000
