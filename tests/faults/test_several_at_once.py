"""Several processes that write at once: everything is taken the first time, and nobody hears of a lock."""

from pathlib import Path

import pytest
from commands import run_command
from faults.history import plain_gifts, what_is_wrong
from faults.senders import Senders
from faults.server import LONG, Server, running
from sqlalchemy import func, select

from tracker import create_app
from tracker.ledger import store
from tracker.ledger.store import reading
from tracker.ledger.visit_models import visit
from tracker.settings import read_settings

EACH = 200 if LONG else 40
SERVERS = 4 if LONG else 2


@pytest.mark.parametrize(("servers", "workers"), [(1, 4), (SERVERS, 1)])
def test_several_processes_take_everything_at_the_first_try(
    newsroom: dict[str, str], tmp_path: Path, servers: int, workers: int
) -> None:
    history = plain_gifts(1, 4 * EACH)
    started = [Server(newsroom, tmp_path / f"log{number}", workers=workers) for number in range(servers)]
    with running(*started), Senders(started, history.deliveries, at_once=16) as stripe:
        stripe.finish()
    assert stripe.answers == {204: 4 * EACH}
    for one in started:
        assert "database.trouble" not in one.said()
        assert "database is locked" not in one.said()
    assert what_is_wrong(read_settings(newsroom).database_url, history.sheet, stripe.acknowledged) == []
    assert run_command(newsroom, "rebuild", "--check").exit_code == 0
    print(f"\n{servers} servers with {workers} workers: {4 * EACH} deliveries, all answered 204 at once")


def test_a_server_that_is_told_to_stop_writes_down_what_each_worker_has_counted(
    newsroom: dict[str, str], tmp_path: Path
) -> None:
    server = Server(newsroom, tmp_path / "log", workers=2)
    with running(server):
        for _ in range(40):
            assert server.status("/embed/newsroom") == 200
    assert "background." not in server.said()
    app = create_app(read_settings(newsroom), background=False)
    with app.app_context(), reading() as connection:
        assert connection.scalar(select(func.sum(visit.c.times))) == 40
    store.close(app)
