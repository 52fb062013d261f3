"""Serves the demo's other two sites, the stand-in for Stripe and the news site, from threads of the demo's own process."""

import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from flask import Flask
from werkzeug.serving import BaseWSGIServer, WSGIRequestHandler, make_server

LOCAL = "127.0.0.1"


class _Quiet(WSGIRequestHandler):
    """Visitors of the demo read its three addresses, not a log."""

    def log(self, type: str, message: str, *args: Any) -> None:  # noqa: A002
        if type == "error":
            super().log(type, message, *args)


@contextmanager
def serving(app: Flask, port: int) -> Iterator[BaseWSGIServer]:
    """The app on this port of this machine; on any free one for 0."""
    server = make_server(LOCAL, port, app, threaded=True, request_handler=_Quiet)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    try:
        yield server
    finally:
        server.shutdown()
        server.server_close()
        thread.join()
