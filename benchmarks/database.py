"""A PostgreSQL for the figures: that of the tests, but waiting for the disk as one with money in it does."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))
from conftest import Postgres


class Safe(Postgres):
    def _run(self, program: str, *arguments: str) -> None:
        super()._run(program, *(one.replace("-c fsync=off", "-c fsync=on") for one in arguments))


@contextmanager
def postgres() -> Iterator[Safe]:
    server = Safe()
    try:
        yield server
    finally:
        server.remove()
