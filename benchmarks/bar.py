"""What a load of the bar costs: over nginx with the same bytes as a file, and over a route that sums and renders."""

import gzip
import os
import random
import secrets
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, render_template_string

from benchmarks.ingest import serving
from benchmarks.loads import answer, answering, body_of, free_port, nginx, nginx_in_front, wrk
from tracker import create_app
from tracker.demo.instance import LIVE
from tracker.ledger import campaigns, store
from tracker.settings import read_settings

ROUNDS, SECONDS, CONNECTIONS = 7, 2, 64
FEW, MANY = 10, 1_000_000
# The bar as typical code does it: the sum over all gifts of the month, and a template, at every load.
NAIVE_GIFTS = 10_000
# What nginx says of a file by itself.
OWN_OF_NGINX = ("content-type", "content-length", "content-encoding", "etag", "date", "server", "connection")
FILE, FILE_JSON, FILE_304 = "nginx, the frame as a file", "nginx, the JSON as a file", "nginx, 304"
NAIVE = "a route that sums and renders"


def measure() -> Iterator[str]:
    """Answers per second of the processor time of all that answers: on a busy machine that says more than answers a second."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        few, many = (
            running.enter_context(serving(instance(folder / name, gifts), 1))
            for name, gifts in (("few", FEW), ("many", MANY))
        )
        shipped = running.enter_context(nginx_in_front(folder / "shipped", few))
        files = running.enter_context(nginx_with_the_bar(folder / "files", few))
        naive = running.enter_context(_naive(folder / "naive"))
        frame, tag = "/embed/newsroom", str(answer(few, "/embed/newsroom").headers["ETag"])
        yield from _table(
            {
                FILE: ((files,), "/frame.html", ""),
                FILE_JSON: ((files,), "/data.json", ""),
                FILE_304: ((files,), "/frame.html", str(answer(files, "/frame.html").headers["ETag"])),
                "through the shipped nginx.conf: frame": ((shipped, few), frame, ""),
                "through the shipped nginx.conf: JSON": ((shipped, few), f"{frame}.json", ""),
                "through the shipped nginx.conf: 304": ((shipped, few), frame, tag),
                "direct: frame": ((few,), frame, ""),
                "direct: frame, a million gifts": ((many,), frame, ""),
                "direct: frame of an article": ((few,), f"{frame}?src=article-1&pos=top", ""),
                "direct: JSON": ((few,), f"{frame}.json", ""),
                "direct: 304": ((few,), frame, tag),
                NAIVE: ((naive,), "/", ""),
            }
        )


def _table(runs: dict[str, tuple[tuple[int, ...], str, str]]) -> Iterator[str]:
    """`runs` are the ports of all that answers, the one that is asked first; an address; and the tag that is known."""
    rates: dict[str, list[float]] = {name: [] for name in runs}
    order = random.Random(1)
    for number in range(-1, ROUNDS):
        for name, (ports, address, known) in order.sample(list(runs.items()), len(runs)):
            headers = ("Accept-Encoding: gzip", *([f"If-None-Match: {known}"] if known else []))
            load = wrk(ports[0], address, CONNECTIONS, SECONDS, *headers, servers=ports)
            assert not load.others, (name, load)
            if number >= 0:  # the first round warms everything
                rates[name].append(load.good / load.cpu)
    yield f"| {CONNECTIONS} connections, packed by gzip | answers per CPU second | over nginx | over the naive route |"
    yield "| --- | --- | --- | --- |"
    for name, found in rates.items():
        like = FILE_JSON if "JSON" in name else FILE_304 if "304" in name else FILE
        over, naive = (
            statistics.median(one / other for one, other in zip(found, rates[of], strict=True)) for of in (like, NAIVE)
        )
        yield f"| {name} | {statistics.median(found):,.0f} | {over:.2f} | {naive:,.0f} |"


def instance(folder: Path, gifts: int, **more: str) -> dict[str, str]:
    """The settings of an instance whose campaign `newsroom` has so many gifts this month, without writing a file each."""
    folder.mkdir()
    environ = {
        "TRACKER_INSTANCE": str(folder),
        "TRACKER_SECRET_KEY": secrets.token_hex(32),
        "STRIPE_SECRET_KEY": "sk_test_bench",
        "STRIPE_WEBHOOK_SECRET": "whsec_bench",
    } | more
    app = create_app(read_settings(environ), background=False)
    with app.app_context():
        store.upgrade()
        with store.writing() as connection:
            campaigns.save(connection, replace(LIVE, slug="newsroom"))
            fill(connection.connection(), gifts)
    store.close(app)
    return environ


def fill(connection: Any, gifts: int) -> None:
    """So many gifts of ten dollars this month, made by the database itself, with the totals that belong to them."""
    sqlite = connection.dialect.name == "sqlite"
    month = time.strftime("%Y-%m", time.gmtime())
    numbers = (
        f"WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < {gifts}) SELECT"
        if sqlite
        else "SELECT"
    )
    # As the app writes it: SQLite has no time zones.
    noon = f"{month}-01 12:00:00.000000" + ("" if sqlite else "+00")
    source = "FROM n" if sqlite else f"FROM generate_series(1, {gifts}) AS n(i)"
    connection.exec_driver_sql(
        "INSERT INTO entry (key, campaign_id, live, kind, amount, told, currency, at, month, belongs_to, gift_key, tier,"
        f" source, place, recorded_at, chain) {numbers} 'cs_' || i, 1, {0 if sqlite else 'false'}, 'once', 1000, 1000, 'USD',"
        f" '{noon}', '{month}', '{month}', 'cs_' || i, '1000', '', '', '{noon}', '' {source}"
    )
    connection.exec_driver_sql(
        "INSERT INTO month_total (campaign_id, live, month, currency, once, monthly, offline, refunds, disputes, gifts)"
        f" VALUES (1, {0 if sqlite else 'false'}, '{month}', 'USD', {gifts * 1000}, 0, 0, 0, 0, {gifts})"
    )


# --- Servers ----------------------------------------------------------------------------------------------------------


@contextmanager
def nginx_with_the_bar(folder: Path, server: int) -> Iterator[int]:
    """nginx with what a server of ours sends, as files, packed too, and with the same headers; its port."""
    port, files = free_port(), folder.with_name("files-of-the-bar")
    ours = dict(answer(server, "/embed/newsroom").headers)
    files.mkdir()
    for name, address in (("frame.html", "/embed/newsroom"), ("data.json", "/embed/newsroom.json")):
        body = body_of(server, address)
        (files / name).write_bytes(body)
        (files / f"{name}.gz").write_bytes(gzip.compress(body, 9))
    added = " ".join(f'add_header {name} "{said}";' for name, said in ours.items() if name.lower() not in OWN_OF_NGINX)
    settings = (
        "types { text/html html; application/json json; }\n"
        f"gzip_static on; keepalive_requests 1000000; server {{ listen 127.0.0.1:{port}; root {files};\n{added} }}"
    )
    with nginx(folder, settings):
        yield answering(port)


@contextmanager
def _naive(folder: Path) -> Iterator[int]:
    """Typical code under the same server: a Flask route that sums the month's gifts and renders a template."""
    environ = instance(folder, NAIVE_GIFTS)
    port = free_port()
    command = [sys.executable, "-m", "benchmarks.bar", str(port)]
    with subprocess.Popen(command, env=os.environ | environ) as process:
        try:
            yield answering(port)
        finally:
            process.terminate()


def naive_app() -> Flask:
    """The naive route, over the same tables."""
    from sqlalchemy import func, select

    from tracker.ledger.models import entry

    app = create_app(read_settings(), background=False)
    page = (Path(__file__).parent.parent / "templates" / "embed" / "bar.html").read_text(encoding="utf-8")

    @app.get("/")
    def bar() -> str:
        from tracker.giving.bar_style import BarStyle
        from tracker.web.embed.bar_views import FRAME_STYLE
        from tracker.web.site import bar_of, campaign_or_404, now

        campaign = campaign_or_404("newsroom")
        with store.reading() as connection:
            month = time.strftime("%Y-%m", time.gmtime())
            connection.execute(
                select(func.sum(entry.c.amount), func.count()).where(entry.c.campaign_id == 1, entry.c.month == month)
            ).one()
            shown = bar_of(connection, campaign, now())
        return render_template_string(page, bar=shown, looks=BarStyle(), style=FRAME_STYLE)

    app.view_functions["donate.front"] = bar
    return app


def serve_naive(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces, RuntimeModes

    Granian(
        "benchmarks.bar:naive_app", factory=True, address="127.0.0.1", port=port, interface=Interfaces.WSGI, workers=1,
        blocking_threads=64, runtime_mode=RuntimeModes.st, websockets=False, log_enabled=False,
    ).serve()  # fmt: skip


if __name__ == "__main__":
    serve_naive(int(sys.argv[1]))
