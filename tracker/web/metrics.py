"""`GET /metrics`: how this installation is doing, in Prometheus's format. docs/metrics.md lists every figure.

Everything is read from the database, where each process writes what it counted once a minute, so that any process on any
node gives the same answer. Only this machine and private networks may ask, and only past the proxy.
"""

from collections.abc import Iterator

from flask import Blueprint, Flask, Response, abort, request
from prometheus_client import CollectorRegistry
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric
from prometheus_client.exposition import choose_encoder
from prometheus_client.registry import Collector
from sqlalchemy.orm import Session

from tracker.ledger import campaigns, checkout_counts, diagnostics, nodes, sync_runs
from tracker.ledger.store import reading
from tracker.web.cache.bars import bars
from tracker.web.health import probe
from tracker.web.heartbeat import GONE, node
from tracker.web.proxies import route_of
from tracker.web.site import VERSION, now, settings

bp = Blueprint("metrics", __name__)


def init_app(app: Flask) -> None:
    app.after_request(_count)


def _count(response: Response) -> Response:
    node().note_answer(response.status_code)
    return response


@bp.get("/metrics")
def metrics() -> Response:
    """404 for everybody who is not near: what it says is no secret, but nobody else's business either."""
    if not route_of(request.environ).asked_nearby:
        abort(404)
    registry = CollectorRegistry()
    registry.register(Figures())
    encode, content_type = choose_encoder(request.headers.get("Accept", ""))
    return Response(encode(registry), headers={"Content-Type": content_type, "Cache-Control": "no-store"})


class Figures(Collector):
    """What is read when somebody asks. While the database is away, only that it is."""

    def collect(self) -> Iterator[Metric]:
        this, problem = settings(), probe().problem()
        mode = "live" if this.live else "test"
        yield _one("pledgebar_info", "The version that runs, and Stripe's mode.", 1, version=VERSION, mode=mode)
        yield _one("pledgebar_ready", "1 while this process can work, as /readyz says.", int(not problem))
        if problem:
            return
        with reading() as session:
            yield from _campaigns(session)
            yield from _deliveries(session)
            yield from _processes(session)


def _campaigns(session: Session) -> Iterator[Metric]:
    """The figures of every campaign that is not archived, as its bar shows them."""
    labels = ["campaign", "currency"]
    raised = GaugeMetricFamily(
        "pledgebar_raised",
        "Raised in the month that the bar shows, in the smallest unit of the currency.",
        labels=labels,
    )
    goal = GaugeMetricFamily(
        "pledgebar_goal", "That month's goal, in the smallest unit of the currency.", labels=labels
    )
    gifts = GaugeMetricFamily("pledgebar_gifts", "Gifts in that month.", labels=["campaign"])
    attacked = GaugeMetricFamily(
        "pledgebar_card_testing", "1 while somebody seems to test stolen cards.", labels=["campaign"]
    )
    protections = checkout_counts.protections(session, settings().live)
    for campaign in campaigns.every(session):
        if campaign.archived:
            continue
        bar = bars().bar(campaign.slug)
        raised.add_metric([campaign.slug, campaign.currency], bar.progress.raised)
        if bar.progress.goal:
            goal.add_metric([campaign.slug, campaign.currency], bar.progress.goal)
        gifts.add_metric([campaign.slug], bar.gifts)
        found = protections.get(campaign.slug)
        attacked.add_metric([campaign.slug], int(bool(found and found.began_at)))
    yield from (raised, goal, gifts, attacked)


def _deliveries(session: Session) -> Iterator[Metric]:
    """How Stripe's webhooks come in, and what the newest sync found."""
    live = settings().live
    if last := diagnostics.last_delivery(session, live):
        yield _one("pledgebar_last_delivery_timestamp_seconds", "When Stripe's last webhook came.", last.timestamp())
    waiting = diagnostics.facts_waiting(session)
    yield _one("pledgebar_facts_waiting", "Facts that wait for their gift or campaign.", waiting)
    if newest := sync_runs.newest(session, live):
        yield _one("pledgebar_last_sync_timestamp_seconds", "When the newest sync began.", newest.began_at.timestamp())
        yield _one(
            "pledgebar_last_sync_problems", "What the newest sync found wrong, or not tied out.",
            newest.wrong + newest.untied,
        )  # fmt: skip


def _processes(session: Session) -> Iterator[Metric]:
    """What each process that runs counted until its last word, at most a minute ago."""
    running = [one for one in nodes.every(session, now() - GONE) if not one.ended]
    yield _one("pledgebar_processes", "Server processes that run, on all nodes.", len(running))
    answers = CounterMetricFamily(
        "pledgebar_answers", "Answers that were not ready in memory, by process and kind of status.",
        labels=["process", "status"],
    )  # fmt: skip
    refused = CounterMetricFamily(
        "pledgebar_webhooks_refused", "Webhooks that were not Stripe's, by process and reason.",
        labels=["process", "reason"],
    )  # fmt: skip
    for one in running:
        for status, count in one.noted.get("answers", {}).items():
            answers.add_metric([one.id, status], count)
        for reason, kept in one.noted["refused"].items():
            refused.add_metric([one.id, reason], kept["count"])
    yield from (answers, refused)


def _one(name: str, says: str, value: float, **labels: str) -> Metric:
    metric = GaugeMetricFamily(name, says, labels=list(labels))
    metric.add_metric(list(labels.values()), value)
    return metric
