"""What the tests of several commands need."""

from pathlib import Path

import pytest
from account import Account
from flask import Flask

from tracker.settings import Settings


@pytest.fixture
def instance(account: Account, app: Flask, settings: Settings) -> Path:
    """The folder of an installation with its database, and with an account at Stripe."""
    return settings.instance
