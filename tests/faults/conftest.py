"""A newsroom for a server that is a process of its own, and databases of a test's own."""

from collections.abc import Iterator

import pytest
from faults.server import open_newsroom
from postgres import Postgres


@pytest.fixture
def newsroom(environ: dict[str, str]) -> dict[str, str]:
    """The settings of an instance with a database and a campaign in it."""
    open_newsroom(environ)
    return environ


@pytest.fixture
def durable() -> Iterator[Postgres]:
    """A server of a test's own that waits for the disk, as in earnest."""
    server = Postgres(durable=True)
    yield server
    server.remove()


@pytest.fixture
def follower(durable: Postgres) -> Iterator[Postgres]:
    """A second server, without which the first one commits nothing."""
    server = Postgres(durable=True, follows=durable)
    # After the copy was made, so that the follower waits for nobody once it is alone.
    durable.asks("ALTER SYSTEM SET synchronous_standby_names = 'follower'")
    durable.asks("SELECT pg_reload_conf()")
    yield server
    server.remove()
