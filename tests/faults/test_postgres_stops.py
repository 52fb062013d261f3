"""A PostgreSQL that stops dead in the middle of work, and one whose follower takes over; the app is never restarted."""

import time
from contextlib import ExitStack
from pathlib import Path

import pytest
from commands import run_command
from faults.history import troubled_year, what_is_wrong
from faults.senders import Senders
from faults.server import LONG, Server, open_newsroom, running
from postgres import Postgres

STOPS = 3 if LONG else 1
GIFTS = 900 if LONG else 150
BEFORE = 300 if LONG else 40
# Generous: it is about coming back by itself, not about how fast this machine is.
BACK_WITHIN = 20


@pytest.fixture
def database_url(durable: Postgres) -> str:
    assert durable.asks("SHOW fsync") == [("on",)]
    assert durable.asks("SHOW synchronous_commit") == [("on",)]
    return durable.new_database()


def test_a_postgresql_that_stops_dead_costs_nothing(
    newsroom: dict[str, str], durable: Postgres, tmp_path: Path
) -> None:
    history = troubled_year(1, GIFTS)
    server = Server(newsroom, tmp_path / "log", workers=2)
    slowest = 0.0
    with running(server), Senders([server], history.deliveries, pause=0.03) as stripe:
        processes = server.pids()
        for _ in range(STOPS):
            for _ in range(20):
                stripe.wait_for_another(30)
            durable.stop("immediate")
            before = stripe.answers[503]
            while stripe.answers[503] == before:
                assert stripe.left, "all was told before the last stop"
            durable.start()
            slowest = max(slowest, stripe.wait_for_another(BACK_WITHIN))
        stripe.finish()
        assert server.pids() == processes
    assert what_is_wrong(newsroom["TRACKER_DATABASE_URL"], history.sheet, stripe.acknowledged) == []
    assert run_command(newsroom, "rebuild", "--check").exit_code == 0
    later = stripe.answers[503]
    print(f"\n{STOPS} stops, {later} answered 503 and sent again: 0 lost, 0 cents off, back within {slowest:.1f} s")


def test_a_postgresql_that_hangs_holds_up_neither_the_bar_nor_all_deliveries(
    newsroom: dict[str, str], durable: Postgres, tmp_path: Path
) -> None:
    history = troubled_year(3, 50)
    server = Server(newsroom, tmp_path / "log")
    stripe = Senders([server], history.deliveries[::2], at_once=2, pause=0.03)
    later = Senders([server], history.deliveries[1::2], at_once=4)
    loads: list[str] = []
    with running(server), ExitStack() as sending:
        sending.enter_context(stripe)
        for _ in range(10):
            stripe.wait_for_another(30)
        assert "as of" not in bar(server, loads)
        with durable.frozen():
            began = time.monotonic()
            sending.enter_context(later)
            while "as of" not in bar(server, loads):
                assert time.monotonic() < began + 60
            said_so = time.monotonic() - began
            while not later.answers[503]:
                bar(server, loads)
                assert time.monotonic() < began + 60, later.answers
            refused = time.monotonic() - began
            assert not later.acknowledged
        stripe.finish()
        later.finish()
        while "as of" in bar(server, loads):
            assert time.monotonic() < began + 120
    acknowledged = stripe.acknowledged | later.acknowledged
    assert what_is_wrong(newsroom["TRACKER_DATABASE_URL"], history.sheet, acknowledged) == []
    print(
        f"\n“as of” after {said_so:.1f} s, 503 after {refused:.1f} s, {len(loads)} loads of the bar, all 200: 0 cents off"
    )


def bar(server: Server, loads: list[str]) -> str:
    status, frame = server.get("/embed/newsroom")
    assert status == 200
    loads.append(frame)
    time.sleep(0.05)
    return frame


def test_a_follower_takes_over_and_has_everything_that_was_acknowledged(
    durable: Postgres, environ: dict[str, str], follower: Postgres, tmp_path: Path
) -> None:
    database = environ["TRACKER_DATABASE_URL"].split("?")[0]
    environ["TRACKER_DATABASE_URL"] = f"{database}?host={durable.sockets},{follower.sockets}"
    open_newsroom(environ)
    history = troubled_year(2, GIFTS)
    server = Server(environ, tmp_path / "log", workers=2)
    with running(server), Senders([server], history.deliveries, pause=0.03) as stripe:
        processes = server.pids()
        for _ in range(BEFORE):
            stripe.wait_for_another(30)
        assert durable.asks("SELECT application_name, sync_state FROM pg_stat_replication") == [("follower", "sync")]
        durable.stop("immediate")
        acknowledged = set(stripe.acknowledged)
        follower.promote()
        back = stripe.wait_for_another(BACK_WITHIN)
        assert stripe.left, "all was told before the follower took over"
        stripe.finish()
        assert server.pids() == processes
        assert server.status("/embed/newsroom") == 200
    of_follower = f"{database}?host={follower.sockets}"
    assert what_is_wrong(of_follower, history.sheet, stripe.acknowledged) == []
    assert run_command(environ, "rebuild", "--check").exit_code == 0
    # The copy, too, is made of the one that is still there.
    copied = run_command(environ, "backup", tmp_path / "copy")
    assert copied.exit_code == 0, copied.output
    later, before = stripe.answers[503], len(acknowledged)
    print(f"\n{before} acknowledged before, {later} answered 503: 0 lost, 0 cents off, back within {back:.1f} s")
