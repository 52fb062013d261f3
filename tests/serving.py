"""A WSGI app at an address of its own, for as long as a test needs it."""

import threading
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

from werkzeug.serving import WSGIRequestHandler, make_server

from tracker.sandbox import Sandbox, create_sandbox


class Quiet(WSGIRequestHandler):
    def log(self, *_: object) -> None:
        pass


@contextmanager
def serving(app: Callable[..., Any], port: int = 0, tls: tuple[Path, Path] | None = None) -> Iterator[str]:
    """With `tls`, a certificate and its key, by https."""
    context = (str(tls[0]), str(tls[1])) if tls else None
    server = make_server("127.0.0.1", port, app, threaded=True, request_handler=Quiet, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.02})
    thread.start()
    try:
        yield f"http{'s' if tls else ''}://127.0.0.1:{server.server_port}"
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


@contextmanager
def serving_sandbox() -> Iterator[Sandbox]:
    """Stripe's stand-in, reached by HTTP at its `public_url`."""
    sandbox = Sandbox()
    with serving(create_sandbox(sandbox)) as sandbox.public_url, closing(sandbox):
        yield sandbox
