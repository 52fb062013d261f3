"""A newsroom with an account at Stripe, and the commands that ask it."""

import time
from collections.abc import Iterator
from dataclasses import replace

import pytest
from account import DAY, Account
from actors import NEWSROOM, WEBHOOK_SECRET
from flask import Flask
from serving import serving

from tracker.gateway.events import TOLD_BY
from tracker.gateway.history import History
from tracker.ledger import campaigns
from tracker.ledger.store import writing
from tracker.sandbox import Sandbox, create_sandbox


@pytest.fixture
def account(environ: dict[str, str]) -> Iterator[Account]:
    """An account whose clock stands twenty-five days ago. Ask for it before `app`, which is told its address."""
    sandbox = Sandbox()
    with serving(create_sandbox(sandbox)) as url:
        environ["STRIPE_API_BASE"] = sandbox.public_url = url
        yield Account(sandbox, url, int(time.time()) - 25 * DAY)
        sandbox.close()


@pytest.fixture
def newsroom(account: Account, app: Flask) -> Flask:
    """The app beside that account, with a second campaign in euros."""
    with writing() as connection:
        zeitung = replace(NEWSROOM, slug="zeitung", currency="EUR", locale="de_DE", amount_pattern="")
        campaigns.save(connection, zeitung)
    return app


@pytest.fixture
def hooked(account: Account, newsroom: Flask) -> Account:
    """The account with its webhooks on."""
    account.sandbox.add_webhook("http://127.0.0.1:5000/webhooks/stripe", WEBHOOK_SECRET, TOLD_BY)
    account.hook = newsroom
    return account


@pytest.fixture
def history(account: Account) -> Iterator[History]:
    """Stripe's history, asked without ever waiting."""
    with History("sk_test_123", api_base=account.url, version="0", sleep=lambda seconds: None) as opened:
        yield opened
