"""How many examples a property gets: enough to notice a mistake in `make test`, all of them in `make test-long`."""

import os

LONG = bool(os.environ.get("TEST_LONG"))


def examples(most: int) -> int:
    return most if LONG else min(most, max(most // 10, 10))
