"""A newsroom for a server that is a process of its own."""

import pytest
from faults.server import open_newsroom


@pytest.fixture
def newsroom(environ: dict[str, str]) -> dict[str, str]:
    """The settings of an instance with a database and a campaign in it."""
    open_newsroom(environ)
    return environ
