"""How long readers of the bar wait while donors wait for Stripe, an export runs, and slow senders hang on the same server."""

import http.client
import json
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

from benchmarks.bar import instance
from benchmarks.ingest import serving
from benchmarks.loads import cpu, nginx_in_front, read_steadily
from tracker import create_app
from tracker.ledger import store
from tracker.settings import read_settings
from tracker.web.admin.signin import create_admin

ROUNDS, SECONDS, RATE = 9, 4.0, 200
DONORS, SLOW_SENDERS, GIFTS, STRIPE_SECONDS = 20, 60, 20_000, 1.0
EMAIL, PASSWORD = "editor@example.org", "a long password for figures"
BAR = "/embed/newsroom?src=article-1&pos=top"


def measure() -> Iterator[str]:
    """The crowd goes the same way as the readers: to the server itself, or through the shipped nginx.

    All of them compute on the same machine, as they come; nothing is tied to a core and nobody has a priority.
    """
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())
    found: dict[str, list[tuple[float, float]]] = {}
    done: dict[str, list[dict[str, float]]] = {}
    with ExitStack() as running:
        folder = Path(running.enter_context(tempfile.TemporaryDirectory()))
        folder.chmod(0o755)
        stripe = running.enter_context(_stripe_outside())
        unlimited = dict.fromkeys(
            ("TRACKER_GIVE_LIMIT", "TRACKER_SIGN_IN_LIMIT", "TRACKER_ACCOUNT_LIMIT"), "100000 per minute"
        )
        environ = instance(
            folder / "instance", GIFTS, STRIPE_API_BASE=stripe, TRACKER_PROXIES="1", TRACKER_SECOND_FACTOR="optional",
            TRACKER_GIVE_LIMIT_ALL="1000000", TRACKER_GIVE_SECONDS="0", **unlimited,
        )  # fmt: skip
        app = create_app(read_settings(environ), background=False)
        with app.app_context():
            create_admin(EMAIL, PASSWORD)
        store.close(app)
        server = running.enter_context(serving(environ, 1))
        ways = {"direct": server, "through nginx": running.enter_context(nginx_in_front(folder / "nginx", server))}
        for number in range(-1, ROUNDS):
            for way, port in ways.items():
                alone = read_steadily(port, BAR, RATE, SECONDS)
                before = cpu(*ways.values())
                with _crowd_outside(port) as came:
                    together = read_steadily(port, BAR, RATE, SECONDS)
                used = cpu(*ways.values()) - before
                assert came["given"], came
                assert came["exported"], came
                if number >= 0:  # the first round warms everything
                    found.setdefault(f"{way}, idle", []).append(alone)
                    found.setdefault(f"{way}, in the crowd", []).append(together)
                    done.setdefault(way, []).append({**came, "cpu": used})
    yield f"| at {RATE} requests a second | p50 ms | p99 ms | over its idle p99 |"
    yield "| --- | --- | --- | --- |"
    for name, rounds in found.items():
        half, most = (statistics.median(column) for column in zip(*rounds, strict=True))
        ratios = [one[1] / alone[1] for one, alone in zip(rounds, found[name.split(",")[0] + ", idle"], strict=True)]
        ratio = f"**{statistics.median(ratios):.1f}** ({min(ratios):.1f}–{max(ratios):.1f})"
        yield f"| {name} | {half:.1f} | {most:.1f} | {ratio if 'crowd' in name else '1'} |"
    for way, rounds in done.items():
        given, exported, used = (
            statistics.median(one[what] for one in rounds) for what in ("given", "exported", "cpu")
        )
        yield (
            f"In each round, {way}: {given:.0f} checkouts opened, {exported:.0f} files written, and {used:.1f} seconds of"
            " processor time taken by the server and nginx."
        )


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
        assert status == 200, (status, file[:400])
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
    if sys.argv[1] == "stripe":
        with _slow_stripe() as address:
            print(address, flush=True)
            sys.stdin.readline()
    else:
        with _crowd(int(sys.argv[1])) as came:
            print("here", flush=True)
            sys.stdin.readline()
        print(json.dumps(came))
