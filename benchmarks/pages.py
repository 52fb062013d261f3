"""How many pages readers get, from one to a hundred and fifty at once, direct and through the shipped nginx.conf, and how long
the bar's readers wait beside them."""

import random
import statistics
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

import structlog
from flask import Flask

from benchmarks.bar import instance
from benchmarks.ingest import serving
from benchmarks.loads import answer, answering, body_of, free_port, nginx_in_front, read_steadily, wrk

ROUNDS, SECONDS, GIFTS = 3, 3, 2_000
AT_ONCE = (1, 8, 40, 150)
PAGES = ("/c/newsroom", "/c/newsroom/months", "/c/newsroom/thanks?session_id=cs_test_x")
BAR, BAR_RATE = "/embed/newsroom?src=article-1&pos=top", 100

Run = tuple[str, str, int]


def measure() -> Iterator[str]:
    """Nothing is tied to a core, and the loads and the bar's readers compute on the same machine as the servers."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        app = running.enter_context(serving(instance(folder / "instance", GIFTS, TRACKER_PROXIES="1"), 1))
        proxy = running.enter_context(nginx_in_front(folder / "nginx", app))
        bare = {page: running.enter_context(_bare(len(body_of(app, page)))) for page in PAGES}
        found: dict[Run, list[dict[str, float]]] = {}
        runs = [
            (where, page, at_once) for where in ("direct", "nginx", "bare") for page in PAGES for at_once in AT_ONCE
        ]
        order = random.Random(1)
        for number in range(-1, ROUNDS):
            for run in order.sample(runs, len(runs)):
                where, page, at_once = run
                ports = {"direct": (app,), "nginx": (proxy, app), "bare": (bare[page],)}[where]
                came = _one(ports, page if where != "bare" else "/", at_once, beside=where != "bare")
                if number >= 0:  # the first round warms everything
                    found.setdefault(run, []).append(came)
    yield from _table(found)


def _one(ports: tuple[int, ...], page: str, at_once: int, *, beside: bool) -> dict[str, float]:
    waits: list[tuple[float, float]] = []
    readers = threading.Thread(
        target=lambda: waits.append(read_steadily(ports[0], BAR, BAR_RATE, SECONDS)) if beside else None
    )
    readers.start()
    load = wrk(ports[0], page, at_once, SECONDS, servers=ports)
    readers.join()
    # wrk goes in the middle of what it asked for last: this waits in line behind that.
    answer(ports[0], page)
    return {
        "rate": load.good / load.seconds,
        "per CPU": load.good / load.cpu,
        "others": load.others,
        "bar": waits[0][1] if waits else 0,
    }


def _table(found: dict[Run, list[dict[str, float]]]) -> Iterator[str]:
    def middle(run: Run, what: str) -> float:
        return statistics.median(one[what] for one in found[run])

    def over(run: Run, other: Run) -> float:
        return statistics.median(
            one["rate"] / another["rate"] for one, another in zip(found[run], found[other], strict=True)
        )

    yield (
        "| page | at once | a second, direct | over a bare Flask page | through nginx | per CPU second of both"
        " | bar beside, direct: p99 ms | through nginx |"
    )
    yield "| --- | --- | --- | --- | --- | --- | --- | --- |"
    for page in PAGES:
        for at_once in AT_ONCE:
            direct, nginx, bare = (("direct", page, at_once), ("nginx", page, at_once), ("bare", page, at_once))
            yield (
                f"| `{page.partition('?')[0]}` | {at_once} | {middle(direct, 'rate'):.0f} | {over(direct, bare):.3f}"
                f" | {middle(nginx, 'rate'):.0f} | {middle(nginx, 'per CPU'):.0f}"
                f" | {middle(direct, 'bar'):.0f} | {middle(nginx, 'bar'):.1f} |"
            )
    for page in PAGES:
        ratios = [
            f"{over((where, page, AT_ONCE[-1]), (where, page, 8)):.2f} {how}"
            for where, how in (("direct", "directly"), ("nginx", "through nginx"))
        ]
        others = sum(one["others"] for (_, of, _), every in found.items() if of == page for one in every)
        yield f"`{page.partition('?')[0]}`: with {AT_ONCE[-1]} over with 8: {', '.join(ratios)}; {others:.0f} refused."


# --- The bare page ----------------------------------------------------------------------------------------------------


@contextmanager
def _bare(size: int) -> Iterator[int]:
    """A Flask app with one route that returns so many bytes, under the same server; its port."""
    port = free_port()
    with subprocess.Popen([sys.executable, "-m", "benchmarks.pages", str(port), str(size)]) as process:
        try:
            yield answering(port)
        finally:
            process.terminate()


def bare_app() -> Flask:
    app, page = Flask("bare"), "x" * int(sys.argv[2])
    app.add_url_rule("/", view_func=lambda: page)
    return app


def serve_bare(port: int) -> None:
    from granian import Granian
    from granian.constants import Interfaces, RuntimeModes

    Granian(
        "benchmarks.pages:bare_app", factory=True, address="127.0.0.1", port=port, interface=Interfaces.WSGI, workers=1,
        blocking_threads=16, runtime_mode=RuntimeModes.st, websockets=False, log_enabled=False,
    ).serve()  # fmt: skip


if __name__ == "__main__":
    serve_bare(int(sys.argv[1]))
