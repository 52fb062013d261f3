"""What monitoring reads at `/metrics`, in the format of Prometheus, and who may read it."""

import re
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
import time_machine
from actors import MAY, NEWSROOM, Stripe, each, session
from flask import Flask
from flask.testing import FlaskClient
from prometheus_client.openmetrics.parser import text_string_to_metric_families as open_metrics
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from tracker import create_app
from tracker.ledger import campaigns, store, sync_runs
from tracker.ledger.store import writing
from tracker.ledger.sync_runs import SyncRun
from tracker.settings import Settings
from tracker.web import health
from tracker.web.heartbeat import GONE, Node, node
from tracker.web.site import now

Samples = dict[tuple[str, ...], float]
DOCS = Path(__file__).parents[2] / "docs" / "metrics.md"
OURS = ("newsroom", "USD")


def scraped(client: FlaskClient) -> Samples:
    """Every sample: its name and its labels' values, and its value."""
    answer = client.get("/metrics")
    assert answer.status_code == 200, answer.text
    assert answer.headers["Content-Type"].startswith("text/plain; version=")
    assert answer.headers["Cache-Control"] == "no-store"
    families = list(text_string_to_metric_families(answer.text))
    assert all(family.documentation.endswith(".") for family in families)
    return {(one.name, *one.labels.values()): one.value for family in families for one in family.samples}


@time_machine.travel(MAY, tick=False)
def test_a_campaign_has_the_figures_of_its_bar(client: FlaskClient, stripe_calls: Stripe) -> None:
    before = scraped(client)
    assert before["pledgebar_raised", *OURS] == before["pledgebar_gifts", "newsroom"] == 0
    assert ("pledgebar_last_delivery_timestamp_seconds",) not in before
    assert stripe_calls.sends(stripe_calls.event("checkout.session.completed", session(amount=3450))) == 204
    after, bar = scraped(client), client.get("/embed/newsroom.json").json
    assert bar is not None
    assert after["pledgebar_raised", *OURS] == bar["raised"] == 3450
    assert after["pledgebar_goal", *OURS] == bar["goal"]
    assert after["pledgebar_gifts", "newsroom"] == bar["gifts"] == 1
    assert after["pledgebar_last_delivery_timestamp_seconds",] == MAY.timestamp()
    assert after["pledgebar_facts_waiting",] == after["pledgebar_card_testing", "newsroom"] == 0


def test_a_campaign_without_a_goal_and_one_that_is_over(app: Flask, client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="no-goal"))
        campaigns.save(connection, replace(NEWSROOM, slug="over", archived=True))
    found = scraped(client)
    assert ("pledgebar_raised", "no-goal", "USD") in found
    assert ("pledgebar_goal", "no-goal", "USD") not in found
    assert not [name for name in found if "over" in name]


def test_the_newest_sync(app: Flask, client: FlaskClient) -> None:
    assert ("pledgebar_last_sync_problems",) not in scraped(client)
    for hours, wrong in ((3, 7), (2, 1)):
        began = MAY - timedelta(hours=hours)
        with writing() as connection:
            sync_runs.keep(connection, SyncRun(False, began, began, began, mended=0, wrong=wrong, untied=2))
    found = scraped(client)
    assert found["pledgebar_last_sync_timestamp_seconds",] == (MAY - timedelta(hours=2)).timestamp()
    assert found["pledgebar_last_sync_problems",] == 3


def test_each_process_that_runs_counts_for_itself_and_any_of_them_tells_of_all(
    app: Flask, client: FlaskClient, stripe_calls: Stripe, settings: Settings
) -> None:
    other, gone, ended = Node(settings), Node(settings), Node(settings)
    for one in (other, gone, ended):
        one.note_answer(503)
    gone.write(now() - GONE - timedelta(minutes=1))
    ended.write(now(), ended=True)
    other.write(now())
    client.get("/c/newsroom")
    client.get("/c/nobody")
    with capture_logs():
        assert stripe_calls.sends({}, signature="t=1,v1=0") == 400
    mine = node()
    mine.write(now())
    found = scraped(client)
    assert found["pledgebar_processes",] == 2
    assert found["pledgebar_answers_total", other.id, "5xx"] == 1
    assert found["pledgebar_answers_total", mine.id, "2xx"] == 1
    assert found["pledgebar_answers_total", mine.id, "4xx"] == 2
    assert [name for name in found if name[:2] == ("pledgebar_webhooks_refused_total", mine.id)]
    documented = re.findall(r"(?m)^\| `(pledgebar_\w+)` \|", DOCS.read_text(encoding="utf-8"))
    once = {"pledgebar_last_delivery_timestamp_seconds"} | {one for one in documented if "_last_sync_" in one}
    assert {name[0] for name in found} | once == set(documented)
    assert not [name for name in found if gone.id in name or ended.id in name]


def test_while_the_database_is_away_it_says_so_at_once(client: FlaskClient, monkeypatch: pytest.MonkeyPatch) -> None:
    assert scraped(client)["pledgebar_ready",] == 1
    monkeypatch.setattr(health.Probe, "problem", lambda _: "The database does not answer.")
    found = scraped(client)
    assert {name[0] for name in found} == {"pledgebar_info", "pledgebar_ready"}
    assert found["pledgebar_ready",] == 0


def test_a_newer_prometheus_gets_open_metrics(client: FlaskClient) -> None:
    answer = client.get("/metrics", headers={"Accept": "application/openmetrics-text;version=1.0.0"})
    assert answer.headers["Content-Type"].startswith("application/openmetrics-text")
    assert "pledgebar_raised" in {family.name for family in open_metrics(answer.text)}


@each(
    ("peer", "headers", "status"),
    [
        ("127.0.0.1", {}, 200),
        ("10.1.2.3", {"Host": "10.0.0.5:5000"}, 200),
        # Through the proxy, whoever asks it.
        ("127.0.0.1", {"X-Forwarded-For": "198.51.100.7"}, 404),
        ("127.0.0.1", {"X-Forwarded-For": "10.1.2.3"}, 404),
        ("127.0.0.1", {"Host": "give.example.org"}, 404),
        # Somebody far away, whatever they write.
        ("198.51.100.7", {}, 404),
        ("198.51.100.7", {"Host": "localhost"}, 404),
    ],
)
def test_only_who_is_near_may_ask_and_past_the_proxy(
    settings: Settings, peer: str, headers: dict[str, str], status: int
) -> None:
    public = {"public_url": "https://give.example.org", "hosts": ("give.example.org",)}
    app = create_app(replace(settings, **public), background=False)  # type: ignore[arg-type]
    try:
        answer = app.test_client().get("/metrics", headers=headers, environ_base={"REMOTE_ADDR": peer})
    finally:
        store.close(app)
    assert answer.status_code == status
