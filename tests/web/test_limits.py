"""The counter of one process, exact under many at once and forgetful; and the one that several share."""

import re
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path

import pytest
from flask import Flask
from limits import parse
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from ports import free_port

from tracker import create_app
from tracker.settings import Settings, SettingsError
from tracker.web import limits
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


class TestSeveralProcesses:
    """They count together in Redis, here a real one."""

    @pytest.fixture
    def database_url(self) -> str:
        return ""

    @pytest.fixture
    def redis(self, tmp_path: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            until = time.monotonic() + 30
            while True:
                with socket.socket() as probe:
                    if probe.connect_ex(("127.0.0.1", port)) == 0:
                        break
                assert time.monotonic() < until
                time.sleep(0.05)
            yield process, f"redis://127.0.0.1:{port}/0"
            process.kill()

    def asks(self, settings: Settings, times: int) -> list[bool]:
        """What a process that has just begun is told."""
        app = create_app(settings)
        with app.test_request_context("/"):
            return [limits.may_go_on("3 per hour", "give") for _ in range(times)]

    @pytest.mark.usefixtures("app")
    def test_they_share_one_count_and_each_counts_for_itself_while_it_is_away(
        self, settings: Settings, redis: tuple[subprocess.Popen[bytes], str]
    ) -> None:
        process, url = redis
        shared = replace(settings, limits_url=url)
        assert self.asks(shared, 2) == [True, True]
        assert self.asks(shared, 2) == [True, False]
        limits._own_counter().storage.reset()
        # First it hangs, then it is gone.
        process.send_signal(signal.SIGSTOP)
        assert self.asks(shared, 2) == [True, True]
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert self.asks(shared, 2) == [True, False]

    @pytest.mark.parametrize(
        ("url", "says"),
        [("redis://127.0.0.1:1/0", "pip install 'pledgebar[redis]'"), ("memcached://nowhere", "Missing host or port")],
    )
    def test_a_counter_that_cannot_be_is_told_in_a_sentence(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str, says: str
    ) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        with pytest.raises(SettingsError, match=re.escape(says)):
            create_app(replace(settings, limits_url=url))


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


class TestHowLong:
    @pytest.fixture
    def database_url(self) -> str:
        return ""

    def test_it_says_how_long_until_something_may_be_done_again(
        self, app: Flask, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        moment = 1000.0
        monkeypatch.setattr("tracker.web.limits.time", lambda: moment)
        with app.test_request_context("/"):
            assert limits.seconds_left("2 per 10 minutes; 3 per day", "give", "somebody") == 0
            for _ in range(3):
                limits.may_go_on("2 per 10 minutes; 3 per day", "give", "somebody")
            assert limits.seconds_left("2 per 10 minutes; 9 per day", "give", "somebody") == 600
            assert limits.seconds_left("2 per 10 minutes; 3 per day", "give", "somebody") == 86_400
            # Somebody else, and whoever asks, have counts of their own.
            assert limits.may_go_on("1 per day", "give", "another")
            assert limits.may_go_on("1 per day", "give")
