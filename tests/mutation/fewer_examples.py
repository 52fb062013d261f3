"""A plugin for mutation runs: quick tests come first, and properties get few examples, the same ones, not made smaller."""

import json
from pathlib import Path

import pytest
from hypothesis import Phase, settings

MOST = 30
# How long each test took, as mutmut has written it down beside its copy of the sources.
TIMES = Path("mutmut-stats.json")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        test = getattr(item, "obj", None)
        own = getattr(test, "_hypothesis_internal_use_settings", None)
        if own is not None:
            most = min(own.max_examples, MOST)
            phases = (Phase.explicit, Phase.generate)
            few = settings(own, max_examples=most, phases=phases, derandomize=True, database=None)
            test._hypothesis_internal_use_settings = few
    if TIMES.exists():
        seconds = json.loads(TIMES.read_text(encoding="utf-8"))["duration_by_test"]
        items.sort(key=lambda item: seconds.get(item.nodeid, 0))
