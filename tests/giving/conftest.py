"""The rules hold wherever the server stands."""

import time
from collections.abc import Iterator

import pytest


@pytest.fixture(autouse=True)
def _a_server_far_from_utc(monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Nothing may depend on where the server stands."""
    monkeypatch.setenv("TZ", "Pacific/Auckland")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()
