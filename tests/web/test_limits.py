"""The counter of one process: exact under many at once, and forgetful."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter

from tracker.web.limits import InThisProcess


@pytest.fixture
def eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000_001)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("eager_threads")
def test_many_at_once_are_counted_one_by_one_and_nobody_meets_an_error() -> None:
    limiter = FixedWindowRateLimiter(storage_from_string("memory://"))
    item = parse("1000 per hour")
    with ThreadPoolExecutor(16) as pool:
        within = list(pool.map(lambda number: limiter.hit(item, "give", f"{number % 2}"), range(6000)))
    assert within.count(True) == 2000


def test_counting_starts_no_thread() -> None:
    counter = storage_from_string("memory://")
    before = threading.active_count()
    for number in range(100):
        counter.incr(f"{number}", 1)
    assert threading.active_count() == before


def test_a_count_is_over_with_its_time_and_then_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr("tracker.web.limits.time", lambda: moment)
    counter = InThisProcess()
    assert [counter.incr("a", 60), counter.incr("a", 60), counter.incr("b", 600)] == [1, 2, 1]
    assert (counter.get("a"), counter.get_expiry("a")) == (2, 1060.0)
    moment = 1059.9
    assert counter.get("a") == 2
    moment = 1060.0
    assert (counter.get("a"), counter.get_expiry("a")) == (0, 1060.0)
    assert counter.incr("a", 60) == 1
    moment = 2000.0
    for number in range(5000):
        counter.incr(f"{number}", 60)
        moment += 1
    assert len(counter) < 2000


def test_counts_can_be_taken_back() -> None:
    counter = InThisProcess()
    counter.incr("a", 60)
    counter.incr("b", 60)
    counter.clear("a")
    counter.clear("never")
    assert (counter.get("a"), counter.get("b"), counter.check()) == (0, 1, True)
    assert counter.reset() == 1
    assert counter.get("b") == 0
