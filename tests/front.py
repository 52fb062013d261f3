"""nginx as it is shipped, in front of whatever a test serves."""

import http.client
import os
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from ports import free_port
from tls import self_signed

CONFIGURATION = Path(__file__).parent.parent / "docs" / "nginx.conf"
NAME = "give.example.org"


@dataclass(frozen=True)
class Front:
    """nginx with the shipped configuration: its ports, and the certificate that stands for it."""

    http: int
    https: int
    certificate: Path


@contextmanager
def nginx(folder: Path, *app_addresses: str) -> Iterator[Front]:
    """nginx with the shipped configuration, but for the addresses, the certificate and the folder of its cache."""
    folder.mkdir(exist_ok=True)
    http_port, https_port = free_port(), free_port()
    certificate, key = self_signed(folder, NAME, "127.0.0.1")
    nodes = "\n".join(f"server {address.removeprefix('http://')} max_fails=0;" for address in app_addresses)
    shipped = CONFIGURATION.read_text(encoding="utf-8")
    changes = {
        "server 127.0.0.1:5000 max_fails=0;": nodes,
        "/var/lib/nginx/pledgebar": str(folder / "cache"),
        "listen 80;\n    listen [::]:80;": f"listen 127.0.0.1:{http_port};",
        "listen 443 ssl http2;\n    listen [::]:443 ssl http2;": f"listen 127.0.0.1:{https_port} ssl http2;",
        f"/etc/letsencrypt/live/{NAME}/fullchain.pem": str(certificate),
        f"/etc/letsencrypt/live/{NAME}/privkey.pem": str(key),
    }
    for shown, ours in changes.items():
        assert shipped.count(shown) == 1, shown
        shipped = shipped.replace(shown, ours)
    (folder / "logs").mkdir(parents=True)
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/logs/error.log;\n"
        f"events {{}}\nhttp {{\naccess_log off;\n{temporary}\n{shipped}\n}}\n"
    )
    program = shutil.which("nginx", path=f"{os.environ.get('PATH', '')}:/usr/sbin:/usr/local/sbin")
    assert program, "nginx is not installed: “make tools” installs it"
    running = subprocess.Popen(
        [program, "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "logs" / "error.log")]
    )
    try:
        for _ in range(200):
            assert running.poll() is None, (folder / "logs" / "error.log").read_text()
            with socket.socket() as probe:
                if probe.connect_ex(("127.0.0.1", https_port)) == 0:
                    break
            time.sleep(0.05)
        yield Front(http_port, https_port, certificate)
    finally:
        running.terminate()
        running.wait(10)


def connect(to: Front | int, source: str = "127.0.0.1") -> http.client.HTTPConnection:
    """A connection by https to nginx, from an address of this machine, or straight to an app's port."""
    if isinstance(to, int):
        return http.client.HTTPConnection("127.0.0.1", to, timeout=20)
    trusted = ssl.create_default_context(cafile=str(to.certificate))
    return http.client.HTTPSConnection("127.0.0.1", to.https, timeout=20, context=trusted, source_address=(source, 0))
