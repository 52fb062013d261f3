"""A sign of life on a terminal, for what takes longer than a second."""

import sys
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager


@contextmanager
def working(words: str) -> Iterator[None]:
    """Says what is being done, and for how long already, once a second; nothing where nobody looks on."""
    if not sys.stderr.isatty():
        yield
        return
    done = threading.Event()
    shown = threading.Thread(target=_show, args=(words, done), daemon=True)
    shown.start()
    try:
        yield
    finally:
        done.set()
        shown.join()


def _show(words: str, done: threading.Event) -> None:
    began = time.monotonic()
    while not done.wait(1):
        sys.stderr.write(f"\r{words} … {time.monotonic() - began:.0f} s")
        sys.stderr.flush()
    if time.monotonic() - began >= 1:
        sys.stderr.write("\r\033[K")
        sys.stderr.flush()
