"""What the figures of a running server share: the shipped nginx in front of it, loads, and the processor time they took."""

import http.client
import os
import re
import shutil
import socket
import statistics
import subprocess
import threading
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path

SHIPPED = Path(__file__).parent.parent / "docs" / "nginx.conf"
READERS = 20


def program(name: str) -> str:
    """Where a program is that is not Python's. Ends with a sentence where it is not installed."""
    found = shutil.which(name, path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    if not found:
        raise SystemExit(f"This figure needs {name}: in Debian, apt install {name}.")
    return found


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as free:
        return int(free.getsockname()[1])


def answer(port: int, address: str) -> http.client.HTTPResponse:
    """An answer, packed, of which the headers are left to look at."""
    return _ask(port, address, "gzip")[0]


def body_of(port: int, address: str) -> bytes:
    """An answer's body, not packed."""
    came, body = _ask(port, address, "identity")
    assert came.status == 200, (address, came.status)
    return body


def _ask(port: int, address: str, packed: str) -> tuple[http.client.HTTPResponse, bytes]:
    with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=120)) as connection:
        connection.request("GET", address, headers={"Accept-Encoding": packed})
        came = connection.getresponse()
        return came, came.read()


def answering(port: int) -> int:
    """The port, once something answers there."""
    for _ in range(300):
        try:
            answer(port, "/healthz")
        except OSError:
            time.sleep(0.1)
            continue
        return port
    raise TimeoutError("the server did not start")


# --- nginx ------------------------------------------------------------------------------------------------------------


@contextmanager
def nginx(folder: Path, settings: str) -> Iterator[None]:
    """nginx with these settings of http, and Debian's others."""
    folder.mkdir()
    user = "user root;" if os.geteuid() == 0 else ""
    temporary = " ".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    (folder / "conf").write_text(
        f"daemon off; {user} worker_processes auto; pid {folder}/pid; error_log {folder}/error.log;\n"
        f"events {{ worker_connections 768; }}\nhttp {{ access_log off; {temporary}\n{settings}\n}}\n"
    )
    command = [program("nginx"), "-p", folder, "-c", folder / "conf", "-e", folder / "error.log"]
    with subprocess.Popen(command) as process:
        try:
            yield
        finally:
            process.terminate()


@contextmanager
def nginx_in_front(folder: Path, server: int) -> Iterator[int]:
    """The shipped configuration in front of a server, with our addresses and folder in it; its port.

    Without TLS, which costs a file of nginx's as much, and without the limits for one address: all of this load comes from
    one, and stands for hundreds.
    """
    port, shipped = free_port(), SHIPPED.read_text(encoding="utf-8")
    for theirs, ours in (
        ("server 127.0.0.1:5000 max_fails=0;", f"server 127.0.0.1:{server} max_fails=0;"),
        ("/var/lib/nginx/pledgebar", str(folder / "cache")),
        ("listen 80;\n    listen [::]:80;", f"listen 127.0.0.1:{free_port()};"),
        ("listen 443 ssl http2;\n    listen [::]:443 ssl http2;", f"listen 127.0.0.1:{port};"),
    ):
        assert shipped.count(theirs) == 1, theirs
        shipped = shipped.replace(theirs, ours)
    without = r"(?m)^ *(ssl_certificate(_key)?|limit_req|limit_conn) .*\n"
    with nginx(folder, re.sub(without, "", shipped)):
        yield answering(port)


# --- Loads ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Load:
    """What wrk got: answers that were pages, others, and the processor time that the servers took, in seconds."""

    good: int
    others: int
    seconds: float
    cpu: float


def wrk(port: int, address: str, connections: int, seconds: int, *headers: str, servers: tuple[int, ...]) -> Load:
    """So many connections that ask again as soon as they are answered. `servers` are the ports of all that answers."""
    processes = {process for server in servers for process in _processes(server)}
    command = [program("wrk"), "-t1", f"-c{connections}", f"-d{seconds}s", "--timeout", "60s"]
    command += [part for header in headers for part in ("-H", header)]
    before = _cpu(processes)
    done = subprocess.run(
        [*command, f"http://127.0.0.1:{port}{address}"], stdout=subprocess.PIPE, text=True, check=True
    )
    used = _cpu(processes) - before
    every = re.search(r"(\d+) requests in", done.stdout)
    others = re.search(r"Non-2xx or 3xx responses: (\d+)", done.stdout)
    assert every, done.stdout
    bad = int(others[1]) if others else 0
    return Load(int(every[1]) - bad, bad, seconds, used)


def read_steadily(port: int, address: str, rate: int, seconds: float) -> tuple[float, float]:
    """The median and the 99th percentile, in ms, of loads begun at a steady rate, whether or not the last one has ended."""
    waits: list[float] = []
    begin, each = time.perf_counter() + 0.2, int(seconds * rate / READERS)

    def reader(number: int) -> None:
        with closing(http.client.HTTPConnection("127.0.0.1", port, timeout=60)) as connection:
            connection.connect()
            assert connection.sock is not None
            connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for turn in range(each):
                due = begin + (turn + number / READERS) * READERS / rate
                if (pause := due - time.perf_counter()) > 0:
                    time.sleep(pause)
                connection.request("GET", address, headers={"Accept-Encoding": "gzip"})
                came = connection.getresponse()
                came.read()
                assert came.status == 200, came.status
                # From when it was due: a server that stands still makes all who come meanwhile wait.
                waits.append((time.perf_counter() - due) * 1000)

    threads = [threading.Thread(target=reader, args=(number,)) for number in range(READERS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(waits) == each * READERS
    cuts = statistics.quantiles(waits, n=100)
    return cuts[49], cuts[98]


def cpu(*servers: int) -> float:
    """The processor time in seconds that all processes behind these ports have taken so far."""
    return _cpu({process for server in servers for process in _processes(server)})


def _processes(port: int) -> set[int]:
    """The processes that listen on a port, from /proc."""
    wanted = {
        line.split()[9]
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]
        if line.split()[1].endswith(f":{port:04X}") and line.split()[3] == "0A"
    }
    found = set()
    for folder in Path("/proc").glob("[0-9]*/fd"):
        try:
            links = {os.readlink(one) for one in folder.iterdir()}
        except OSError:
            continue
        if any(f"socket:[{inode}]" in links for inode in wanted):
            found.add(int(folder.parent.name))
    return found


def _cpu(processes: set[int]) -> float:
    ticks = 0
    for process in processes:
        fields = Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")
