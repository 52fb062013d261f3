"""`make demo` in a fresh copy of the checkout, with packages in pip's cache, until the article answers."""

import os
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from urllib.request import urlopen

ROOT = Path(__file__).parent.parent


def measure() -> Iterator[str]:
    yield "| `make demo`, from | seconds to the first page |"
    yield "| --- | --- |"
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder) / "pledgebar"
        files = subprocess.run(["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, check=True).stdout
        for name in filter(None, files.decode().split("\0")):
            (copy / name).parent.mkdir(parents=True, exist_ok=True)
            shutil.copy2(ROOT / name, copy / name)
        yield f"| nothing but Python and make (package cache warm) | {_start(copy):.1f} |"
        yield f"| a second start | {_start(copy):.1f} |"


def _start(copy: Path) -> float:
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    outside = {name: value for name, value in os.environ.items() if not name.startswith("TRACKER_")}
    began = time.monotonic()
    demo = subprocess.Popen(
        ["make", "demo", f"PORT={port}"],
        cwd=copy, env=outside, stdout=subprocess.PIPE, text=True, start_new_session=True,
    )  # fmt: skip
    assert demo.stdout is not None
    try:
        article = next(word for line in demo.stdout for word in line.split() if "/news/" in word)
        with urlopen(article) as page:
            page.read()
        return time.monotonic() - began
    finally:
        with suppress(ProcessLookupError):
            os.killpg(demo.pid, signal.SIGINT)
        demo.communicate(timeout=30)


if __name__ == "__main__":
    print(*measure(), sep="\n")
