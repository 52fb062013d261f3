"""What a load of the bar costs: over nginx with the same bytes as a file, and over a route that sums and renders."""

import gzip
import os
import random
import re
import secrets
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import replace
from http.client import HTTPConnection
from pathlib import Path
from typing import Any

import structlog
from flask import Flask, render_template_string

from benchmarks.ingest import serving
from tracker import create_app
from tracker.demo.run import LIVE
from tracker.ledger import campaigns, store
from tracker.settings import read_settings

ROUNDS, SECONDS, CONNECTIONS = 7, 2, 128
FEW, MANY = 10, 10_000_000
# The bar as typical code does it: the sum over all gifts of the month, and a template, at every load.
NAIVE_GIFTS = 10_000
# What nginx says of a file by itself.
OWN_OF_NGINX = ("content-type", "content-length", "content-encoding", "etag", "date", "server", "connection")


def measure() -> Iterator[str]:
    """Requests per second of the server's own processor time: throughput on a busy machine says little, this much."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    if not _program("wrk"):
        raise SystemExit("This figure needs wrk: in Debian, apt install wrk.")
    cores = sorted(os.sched_getaffinity(0))
    with ExitStack() as running:
        # The servers on one core and the load on another, as if it came from elsewhere.
        os.sched_setaffinity(0, cores[:1])
        running.callback(os.sched_setaffinity, 0, cores)
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        servers = {
            name: running.enter_context(serving(instance(folder / name, gifts), 1))
            for name, gifts in (("few", FEW), ("many", MANY))
        }
        servers["nginx"] = running.enter_context(nginx_with_the_bar(folder / "nginx", servers["few"]))
        servers["naive"] = running.enter_context(_naive(folder / "naive"))
        yield from _table(servers, cores[-1])


def _table(servers: dict[str, int], load_on: int) -> Iterator[str]:
    tag = _tag(servers["few"], "/embed/newsroom")
    file_tag = _tag(servers["nginx"], "/frame.html")
    runs = {
        "nginx, the frame as a file": ("nginx", "/frame.html", ""),
        "nginx, the JSON as a file": ("nginx", "/data.json", ""),
        "nginx, 304": ("nginx", "/frame.html", file_tag),
        "frame": ("few", "/embed/newsroom", ""),
        "frame, ten million gifts": ("many", "/embed/newsroom", ""),
        "frame of an article": ("few", "/embed/newsroom?src=article-1&pos=top", ""),
        "JSON": ("few", "/embed/newsroom.json", ""),
        "304": ("few", "/embed/newsroom", tag),
        "a route that sums and renders": ("naive", "/", ""),
    }
    limit = {"JSON": "nginx, the JSON as a file", "304": "nginx, 304"}
    rates: dict[str, list[float]] = {name: [] for name in runs}
    for server, address, _ in runs.values():
        _get(servers[server], address)
    order = random.Random(1)
    for number in range(-1, ROUNDS):
        for name, (server, address, known) in order.sample(list(runs.items()), len(runs)):
            rate = _load(servers[server], address, known, load_on)
            if number >= 0:
                rates[name].append(rate)
    yield f"| {CONNECTIONS} connections, packed by gzip | requests per CPU second | over nginx | over the naive route |"
    yield "| --- | --- | --- | --- |"
    for name, found in rates.items():
        of = rates[name if name.startswith("nginx") else limit.get(name, "nginx, the frame as a file")]
        over = statistics.median(one / other for one, other in zip(found, of, strict=True))
        naive = statistics.median(
            one / other for one, other in zip(found, rates["a route that sums and renders"], strict=True)
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
    app = create_app(read_settings(environ))
    with app.app_context():
        store.upgrade()
        with store.writing() as connection:
            campaigns.save(connection, replace(LIVE, slug="newsroom"))
            fill(connection, gifts)
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
    source = "FROM n" if sqlite else f"FROM generate_series(1, {gifts}) AS n(i)"
    connection.exec_driver_sql(
        "INSERT INTO entry (key, campaign_id, live, kind, amount, told, currency, at, month, belongs_to, gift_key, tier,"
        f" source, place, recorded_at, chain) {numbers} 'cs_' || i, 1, {0 if sqlite else 'false'}, 'once', 1000, 1000, 'USD',"
        f" '{month}-01 12:00:00+00:00', '{month}', '{month}', 'cs_' || i, '1000', '', '', '{month}-01 12:00:00+00:00', '' {source}"
    )
    connection.exec_driver_sql(
        "INSERT INTO month_total (campaign_id, live, month, currency, once, monthly, offline, refunds, disputes, gifts)"
        f" VALUES (1, {0 if sqlite else 'false'}, '{month}', 'USD', {gifts * 1000}, 0, 0, 0, 0, {gifts})"
    )


# --- Servers ----------------------------------------------------------------------------------------------------------


@contextmanager
def nginx_with_the_bar(folder: Path, server: int) -> Iterator[int]:
    """nginx with what a server of ours sends, as files, packed too, and with the same headers; its port."""
    if not _program("nginx"):
        raise SystemExit("This figure needs nginx: in Debian, apt install nginx.")
    ours = dict(_answer(server, "/embed/newsroom").headers)
    headers = {name: ours[name] for name in ours if name.lower() not in OWN_OF_NGINX}
    folder.mkdir()
    for name, address in (("frame.html", "/embed/newsroom"), ("data.json", "/embed/newsroom.json")):
        body = _get(server, address)
        (folder / name).write_bytes(body)
        (folder / f"{name}.gz").write_bytes(gzip.compress(body, 9))
    port = _free_port()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    added = " ".join(f'add_header {name} "{value}";' for name, value in headers.items())
    (folder / "conf").write_text(
        f"daemon off; {user} worker_processes 1; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 1024; }}\nhttp {{ access_log off; {temporary}\n"
        "types { text/html html; application/json json; }\n"
        f"gzip_static on; keepalive_requests 1000000; server {{ listen 127.0.0.1:{port}; root {folder};\n"
        f"{added} }} }}\n"
    )
    with subprocess.Popen(
        [_program("nginx"), "-p", folder, "-c", folder / "conf", "-e", folder / "error.log"]
    ) as process:
        try:
            yield _answering(port)
        finally:
            process.terminate()


@contextmanager
def _naive(folder: Path) -> Iterator[int]:
    """Typical code under the same server: a Flask route that sums the month's gifts and renders a template."""
    environ = instance(folder, NAIVE_GIFTS)
    port = _free_port()
    command = [sys.executable, "-m", "benchmarks.bar", str(port)]
    with subprocess.Popen(command, env=os.environ | environ) as process:
        try:
            yield _answering(port)
        finally:
            process.terminate()


def naive_app() -> Flask:
    """The naive route, over the same tables."""
    from sqlalchemy import func, select

    from tracker.ledger.models import entry

    app = create_app(read_settings())
    page = (Path(__file__).parent.parent / "templates" / "embed" / "bar.html").read_text(encoding="utf-8")

    @app.get("/")
    def bar() -> str:
        from tracker.giving.looks import Looks
        from tracker.web.embed import FRAME_STYLE
        from tracker.web.site import bar_of, campaign_or_404, now

        campaign = campaign_or_404("newsroom")
        with store.reading() as connection:
            month = time.strftime("%Y-%m", time.gmtime())
            connection.execute(
                select(func.sum(entry.c.amount), func.count()).where(entry.c.campaign_id == 1, entry.c.month == month)
            ).one()
            shown = bar_of(connection, campaign, now())
        return render_template_string(page, bar=shown, looks=Looks(), style=FRAME_STYLE)

    app.view_functions["donate.front"] = bar
    return app


def serve_naive(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces, RuntimeModes

    Granian(
        "benchmarks.bar:naive_app", factory=True, address="127.0.0.1", port=port, interface=Interfaces.WSGI, workers=1,
        blocking_threads=64, runtime_mode=RuntimeModes.st, websockets=False, log_enabled=False,
    ).serve()  # fmt: skip


def _program(name: str) -> str:
    return shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin") or ""


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def _answering(port: int) -> int:
    """The port, once something answers there."""
    for _ in range(300):
        try:
            _get(port, "/healthz", any_status=True)
        except OSError:
            time.sleep(0.1)
            continue
        return port
    raise TimeoutError("the server did not start")


def _processes(port: int) -> list[int]:
    """The processes that listen on a port, from /proc."""
    wanted = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    found = []
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            links = {os.readlink(one) for one in folder.iterdir()}
        except OSError:
            continue
        if any(f"socket:[{inode}]" in links for inode in wanted):
            found.append(int(folder.parent.name))
    return found


# --- Loads ------------------------------------------------------------------------------------------------------------


def _get(port: int, address: str, *, any_status: bool = False) -> bytes:
    connection = HTTPConnection("127.0.0.1", port, timeout=30)
    connection.request("GET", address)
    answer = connection.getresponse()
    body = answer.read()
    connection.close()
    assert any_status or answer.status == 200, (address, answer.status)
    return body


def _answer(port: int, address: str) -> Any:
    with closing(HTTPConnection("127.0.0.1", port, timeout=30)) as connection:
        connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
        answer = connection.getresponse()
        answer.read()
        return answer


def _tag(port: int, address: str) -> str:
    return str(_answer(port, address).headers["ETag"])


def _load(port: int, address: str, known: str, core: int) -> float:
    """Requests per second of processor time of the server, under wrk."""
    processes = _processes(port)
    before = _cpu(processes)
    command = [_program("wrk"), "-t1", f"-c{CONNECTIONS}", f"-d{SECONDS}s", "-H", "Accept-Encoding: gzip"]
    command += ["-H", f"If-None-Match: {known}"] if known else []
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{address}"], stdout=subprocess.PIPE, text=True, check=True,
        preexec_fn=lambda: os.sched_setaffinity(0, [core]),
    )  # fmt: skip
    used = _cpu(processes) - before
    assert "Non-2xx" not in done.stdout or known, done.stdout
    match = re.search(r"(\d+) requests in", done.stdout)
    assert match, done.stdout
    return int(match[1]) / used


def _cpu(processes: list[int]) -> float:
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


if __name__ == "__main__":
    serve_naive(int(sys.argv[1]))
