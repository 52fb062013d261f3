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
from limits.errors import StorageError
from limits.storage import storage_from_string
from limits.strategies import FixedWindowRateLimiter
from ports import free_port
from structlog.testing import capture_logs

from tracker import create_app
from tracker.giving.bar_words import languages
from tracker.settings import Settings, SettingsError
from tracker.web import rate_limits
from tracker.web.rate_limits import InThisProcess


@pytest.fixture
def eager_threads() -> Iterator[None]:
    before = sys.getswitchinterval()
    sys.setswitchinterval(0.000_001)
    yield
    sys.setswitchinterval(before)


def within(limit: str, what: str = "give") -> bool:
    try:
        rate_limits.check_limit(limit, what)
    except rate_limits.TooManyAttempts:
        return False
    return True


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
        app = create_app(settings, background=False)
        with app.test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.1"}):
            return [within("3 per hour") for _ in range(times)]

    @pytest.mark.usefixtures("app")
    def test_they_share_one_count_and_each_counts_for_itself_while_it_is_away(
        self, settings: Settings, redis: tuple[subprocess.Popen[bytes], str]
    ) -> None:
        process, url = redis
        shared = replace(settings, limits_url=url)
        assert self.asks(shared, 2) == [True, True]
        assert self.asks(shared, 2) == [True, False]
        rate_limits._own_counter().storage.reset()
        # First it hangs, then it is gone.
        process.send_signal(signal.SIGSTOP)
        assert self.asks(shared, 2) == [True, True]
        process.send_signal(signal.SIGCONT)
        process.kill()
        process.wait()
        assert self.asks(shared, 2) == [True, False]

    @pytest.mark.usefixtures("app")
    def test_one_that_hangs_is_waited_for_once_and_asked_again_later(
        self, settings: Settings, redis: tuple[subprocess.Popen[bytes], str]
    ) -> None:
        process, url = redis
        app = create_app(replace(settings, limits_url=url), background=False)
        rate_limits._own_counter().storage.reset()
        with app.test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.1"}):
            process.send_signal(signal.SIGSTOP)
            began = time.monotonic()
            assert [within("4 per hour") for _ in range(5)] == [True] * 4 + [False]
            assert time.monotonic() - began < 3
            process.send_signal(signal.SIGCONT)
            app.extensions["counter_away_until"] = 0
            # In Redis nothing was counted meanwhile.
            assert within("4 per hour")

    @pytest.mark.parametrize(
        ("url", "says"),
        [("redis://127.0.0.1:1/0", "pip install 'pledgebar[redis]'"), ("memcached://nowhere", "Missing host or port")],
    )
    def test_a_counter_that_cannot_be_is_told_in_a_sentence(
        self, settings: Settings, monkeypatch: pytest.MonkeyPatch, url: str, says: str
    ) -> None:
        monkeypatch.setitem(sys.modules, "redis", None)
        with pytest.raises(SettingsError, match=re.escape(says)):
            create_app(replace(settings, limits_url=url), background=False)


def test_counting_starts_no_thread() -> None:
    counter = storage_from_string("memory://")
    before = threading.active_count()
    for number in range(100):
        counter.incr(f"{number}", 1)
    assert threading.active_count() == before


def test_a_count_is_over_with_its_time_and_then_takes_no_room(monkeypatch: pytest.MonkeyPatch) -> None:
    moment = 1000.0
    monkeypatch.setattr("tracker.web.rate_limits.time", lambda: moment)
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


# --- What is refused --------------------------------------------------------------------------------------------------


class TestRefusals:
    """The same with the counter of one process, with one that is shared, and while that one is away."""

    @pytest.fixture
    def database_url(self) -> str:
        return ""

    @pytest.fixture(autouse=True, params=["memory", "redis", "away"])
    def counter(
        self, request: pytest.FixtureRequest, app: Flask, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
    ) -> Iterator[None]:
        counter = FixedWindowRateLimiter(InThisProcess())
        if request.param == "away":

            def away(*_: object) -> bool:
                raise StorageError(ConnectionError("nobody there"))

            monkeypatch.setattr(rate_limits, "_own_counter", lambda: counter)
            for name in ("hit", "test"):
                monkeypatch.setattr(rate_limits.limiter.limiter, name, away)
            yield
            return
        if request.param == "memory":
            monkeypatch.setattr(rate_limits.limiter, "_limiter", counter)
            yield
            return
        port = free_port()
        command = ["redis-server", "--port", str(port), "--bind", "127.0.0.1", "--save", "", "--dir", str(tmp_path)]
        with subprocess.Popen(command, stdout=subprocess.DEVNULL) as process:
            shared = storage_from_string(f"redis://127.0.0.1:{port}/0", wrap_exceptions=True)
            until = time.monotonic() + 30
            while not shared.check():
                assert time.monotonic() < until
            monkeypatch.setattr(rate_limits.limiter, "_limiter", FixedWindowRateLimiter(shared))
            yield
            process.kill()

    @pytest.fixture
    def _somebody(self, app: Flask) -> Iterator[None]:
        with app.test_request_context("/", environ_base={"REMOTE_ADDR": "192.0.2.1"}):
            yield

    @pytest.mark.usefixtures("_somebody")
    @pytest.mark.parametrize("both", ["2 per hour; 5 per day", "5 per day; 2 per hour"])
    def test_what_one_limit_refuses_is_not_taken_off_another(self, both: str) -> None:
        assert [within(both) for _ in range(9)] == [True, True] + [False] * 7
        # Of the day's five, two are used up: three more as soon as the hour lets them.
        assert [within("5 per day") for _ in range(4)] == [True, True, True, False]

    @pytest.mark.usefixtures("_somebody")
    def test_the_time_to_wait_is_that_of_the_limit_that_holds_longest(self) -> None:
        assert [within("1 per minute; 1 per 3 hour; 5 per day") for _ in range(2)] == [True, False]
        with pytest.raises(rate_limits.TooManyAttempts) as caught:
            rate_limits.check_limit("1 per minute; 1 per 3 hour; 5 per day", "give")
        assert (caught.value.seconds, caught.value.words) == (3 * 3600, "Please try again in 3 hours.")
        assert ("Retry-After", "10800") in caught.value.get_headers()

    @pytest.mark.usefixtures("_somebody")
    def test_every_refusal_is_a_line_of_the_log_without_a_person_in_it(self) -> None:
        with capture_logs() as lines:
            assert [within("1 per 10 minutes", "sign-in") for _ in range(3)] == [True, False, False]
        refused = [line for line in lines if line["event"] == "limits.refused"]
        assert refused == [
            {"event": "limits.refused", "log_level": "warning", "what": "sign-in", "limit": "1 per 10 minute", "seconds": 600}
        ] * 2  # fmt: skip

    def test_whoever_names_nobody_is_not_counted_as_one_with_all_others(self, app: Flask) -> None:
        for name in ("unknown", "unix:", ""):
            with app.test_request_context("/", environ_base={"REMOTE_ADDR": name}):
                assert all(within("1 per hour") for _ in range(3))


@pytest.mark.parametrize(
    ("seconds", "rounded", "words"),
    [
        (-1, 60, "1 minute"), (0.2, 60, "1 minute"), (60, 60, "1 minute"), (60.1, 120, "2 minutes"), (474, 480, "8 minutes"),
        (3540.5, 3600, "1 hour"), (3601, 3660, "1 hour and 1 minute"), (7200, 7200, "2 hours"),
        (49_260, 49_260, "13 hours and 41 minutes"), (86_399, 86_400, "1 day"), (86_400, 86_400, "1 day"),
        (86_401, 90_000, "1 day and 1 hour"), (172_800, 172_800, "2 days"), (180_000.5, 183_600, "2 days and 3 hours"),
    ],
)  # fmt: skip
def test_a_time_to_wait_is_said_as_people_say_it_and_never_too_short(seconds: float, rounded: int, words: str) -> None:
    refused = rate_limits.TooManyAttempts(seconds)
    assert (refused.seconds, refused.time) == (rounded, words)


@pytest.mark.parametrize("language", [code for code, _ in languages()])
def test_a_time_to_wait_has_words_in_every_language(language: str) -> None:
    for unit in ("day", "hour", "minute"):
        for count in (1, 2, 5):
            assert "duration" not in rate_limits._duration(count, f"duration-{unit}", language)
