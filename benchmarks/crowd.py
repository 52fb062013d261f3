"""How long readers of the bar wait while donors wait for Stripe, an export runs, and slow senders hang on the same server."""

import http.client
import json
import os
import re
import socket
import socketserver
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager, suppress
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from urllib.parse import urlencode

import structlog

from benchmarks.bar import instance, nginx_with_the_bar
from benchmarks.ingest import serving
from tracker import create_app
from tracker.ledger import store
from tracker.settings import read_settings
from tracker.web.signin import create_admin

ROUNDS, SECONDS, RATE, READERS = 15, 4.0, 500, 20
DONORS, SLOW_SENDERS, GIFTS, STRIPE_SECONDS = 20, 60, 20_000, 1.0
EMAIL, PASSWORD = "editor@example.org", "a long password for figures"


def measure() -> Iterator[str]:
    """The crowd is the app's alone: nginx beside it shows what the same two cores then leave to a server of files."""
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    found: dict[str, list[tuple[float, float]]] = {}
    done: list[dict[str, int]] = []
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        stripe = running.enter_context(_stripe_outside())
        unlimited = dict.fromkeys(
            ("TRACKER_GIVE_LIMIT", "TRACKER_SIGN_IN_LIMIT", "TRACKER_ACCOUNT_LIMIT"), "100000 per minute"
        )
        environ = instance(
            folder / "instance", GIFTS, STRIPE_API_BASE=stripe, TRACKER_SECOND_FACTOR="optional", **unlimited
        )
        app = create_app(read_settings(environ))
        with app.app_context():
            create_admin(EMAIL, PASSWORD)
        store.close(app)
        port = running.enter_context(serving(environ, 1))
        file_port = running.enter_context(nginx_with_the_bar(folder / "nginx", port))
        readers = {"the bar": (port, "/embed/newsroom?src=article-1&pos=top"), "nginx": (file_port, "/frame.html")}
        for number in range(-1, ROUNDS):
            alone = {name: _read(*read) for name, read in readers.items()}
            with _crowd_outside(port) as came:
                together = {name: _read(*read) for name, read in readers.items()}
            assert came
            assert all(came.values()), came
            if number >= 0:  # the first round warms everything
                done.append(came)
                for name in readers:
                    found.setdefault(f"{name}, idle", []).append(alone[name])
                    found.setdefault(f"{name}, in the crowd", []).append(together[name])
    yield f"| at {RATE} requests a second | p50 ms | p99 ms | over its idle p99 |"
    yield "| --- | --- | --- | --- |"
    for name, rounds in found.items():
        half, most = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [one[1] / alone[1] for one, alone in zip(rounds, found[name.split(",")[0] + ", idle"], strict=True)]
        ratio = f"**{statistics.median(ratios):.1f}** ({min(ratios):.1f}–{max(ratios):.1f})"
        yield f"| {name} | {half:.1f} | {most:.1f} | {ratio if 'crowd' in name else '1'} |"
    given, exported = (statistics.median(one[name] for one in done) for name in ("given", "exported"))
    yield f"In each round {given:.0f} checkouts were opened and {exported:.0f} files written."


def _read(port: int, address: str) -> tuple[float, float]:
    """The median and the 99th percentile in ms of loads begun at a fixed rate, whether or not the last one has ended."""
    waits: list[float] = []
    begin = time.perf_counter() + 0.2

    def reader(number: int) -> None:
        # Ahead of all others on this machine, as if the readers were on another: their own waiting would be counted, too.
        # The thread alone, and only where that is allowed.
        with suppress(PermissionError):
            os.sched_setscheduler(0, os.SCHED_RR, os.sched_param(1))
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.connect()
            assert connection.sock is not None
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for turn in range(int(SECONDS * RATE / READERS)):
                due = begin + (turn + number / READERS) * READERS / RATE
                if (pause := due - time.perf_counter()) > 0:
                    time.sleep(pause)
                connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
                answer = connection.getresponse()
                answer.read()
                assert answer.status == 200, answer.status
                # From when it was due: a server that stands still makes all who come meanwhile wait.
                waits.append((time.perf_counter() - due) * 1000)

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == int(SECONDS * RATE / READERS) * READERS
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49], cuts[98]


@contextmanager
def _crowd_outside(port: int) -> Iterator[dict[str, int]]:
    """The crowd in a process of its own, so that the readers' clocks are not disturbed by it."""
    came: dict[str, int] = {}
    command = [sys.executable, "-m", "benchmarks.crowd", str(port)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "here\n"
        yield came
        came |= json.loads(process.communicate("go\n")[0])


# --- The crowd --------------------------------------------------------------------------------------------------------


@contextmanager
def _crowd(port: int) -> Iterator[dict[str, int]]:
    came = {"given": 0, "exported": 0}
    over = threading.Event()
    workers = [threading.Thread(target=_donor, args=(port, over, came)) for _ in range(DONORS)]
    workers.append(threading.Thread(target=_exporter, args=(port, over, came)))
    with ExitStack() as hanging:
        for _ in range(SLOW_SENDERS):
            sender = hanging.enter_context(socket.create_connection(("127.0.0.1", port)))
            sender.sendall(b"POST /webhooks/stripe HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        for worker in workers:
            worker.start()
        time.sleep(2)
        yield came
        over.set()
        for worker in workers:
            worker.join()


def _donor(port: int, over: threading.Event, came: dict[str, int]) -> None:
    while not over.is_set():
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.request("GET", "/c/newsroom")
            page = connection.getresponse().read().decode()
            token = re.search(r'name="token"[^>]*value="([^"]+)"', page)
            tier = re.search(r'name="tier_once"[^>]*value="([0-9]+)"', page)
            assert token, page[:200]
            assert tier, page[:200]
            typed = {"token": token[1], "frequency": "once", "tier_once": tier[1]}
            connection.request(
                "POST", "/c/newsroom/give", urlencode(typed), {"Content-Type": "application/x-www-form-urlencoded"}
            )
            answer = connection.getresponse()
            answer.read()
            came["given"] += answer.status == 303


def _exporter(port: int, over: threading.Event, came: dict[str, int]) -> None:
    """An editor who takes the file of all entries, again and again."""
    cookies: dict[str, str] = {}

    def ask(method: str, address: str, body: str | None = None) -> tuple[int, str]:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
            headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in cookies.items())}
            if body is not None:
                headers["Content-Type"] = "application/x-www-form-urlencoded"
            connection.request(method, address, body, headers)
            answer = connection.getresponse()
            for cookie in answer.headers.get_all("Set-Cookie") or []:
                name, _, value = cookie.partition(";")[0].partition("=")
                cookies[name] = value
            return answer.status, answer.read().decode()

    page = ask("GET", "/admin/login")[1]
    hidden = dict(re.findall(r'<input[^>]*name="(csrf_token|showing)"[^>]*value="([^"]*)"', page))
    status, _ = ask("POST", "/admin/login", urlencode(hidden | {"email": EMAIL, "password": PASSWORD}))
    assert status == 302, status
    while not over.is_set():
        status, file = ask("GET", "/admin/c/newsroom/entries.csv")
        assert status == 200
        assert file.count("\n") >= GIFTS
        came["exported"] += 1


@contextmanager
def _stripe_outside() -> Iterator[str]:
    """The slow Stripe's address; it runs in a process of its own for the same reason."""
    command = [sys.executable, "-m", "benchmarks.crowd", "stripe"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        yield process.stdout.readline().strip()
        process.communicate("over\n")


@contextmanager
def _slow_stripe() -> Iterator[str]:
    """Takes a second for each checkout, and then has one."""

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers["Content-Length"]))
            time.sleep(STRIPE_SECONDS)
            body = b'{"id": "cs_test_1", "object": "checkout.session", "url": "https://checkout.stripe.com/c/pay/cs_test_1"}'
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            with suppress(OSError):
                self.wfile.write(body)

        def log_message(self, *_: object) -> None:
            pass

    socketserver.TCPServer.request_queue_size = 64
    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    try:
        yield f"http://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        server.server_close()


if __name__ == "__main__":
    # Behind the server, as if donors and Stripe were on other machines, as they are.
    os.nice(10)
    if sys.argv[1] == "stripe":
        with _slow_stripe() as address:
            print(address, flush=True)
            sys.stdin.readline()
    else:
        with _crowd(int(sys.argv[1])) as came:
            print("here", flush=True)
            sys.stdin.readline()
        print(json.dumps(came))
