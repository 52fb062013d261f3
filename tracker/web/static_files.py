"""Style sheets, scripts and pictures of the pages: the address says what is in them, so that browsers keep them a year."""

import hashlib
from functools import cache
from pathlib import Path

from flask import Flask, Response, current_app, request

YEAR = 31_536_000


def init_app(app: Flask) -> None:
    app.url_defaults(_with_digest)
    app.after_request(_keep)


def _with_digest(endpoint: str, values: dict[str, object]) -> None:
    if endpoint == "static":
        values["v"] = _digest(Path(str(current_app.static_folder)) / str(values["filename"]))


def _keep(response: Response) -> Response:
    """Only files of this version are kept for long: during an update, a page from one node may load them from another."""
    if request.endpoint == "static" and response.status_code in (200, 304):
        file = Path(str(current_app.static_folder)) / str((request.view_args or {})["filename"])
        held = request.args.get("v") == _digest(file)
        response.headers["Cache-Control"] = f"public, max-age={YEAR}, immutable" if held else "public, max-age=300"
        response.headers.pop("Expires", None)
    return response


@cache
def _digest(file: Path) -> str:
    """Read once: a file that changes under a running server is served with its old address until the next start."""
    return hashlib.sha256(file.read_bytes()).hexdigest()[:10]
