"""A plugin for mutation runs: quick tests first, and every property last, on fewer examples and always the same ones."""

import pytest
from hypothesis import settings

MOST = 30


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        test = getattr(item, "obj", None)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if own is not None:
            few = settings(own, max_examples=min(own.max_examples, MOST), derandomize=True, database=None)
            test._hypothesis_internal_use_settings = few
    items.sort(key=lambda item: hasattr(getattr(item, "obj", None), "hypothesis"))
