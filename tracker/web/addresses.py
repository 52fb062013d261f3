"""Leads addresses that people mistype, or that come with a full stop or a bracket from a text, to what they mean."""

import re
from typing import Any

from flask import Flask, Response, abort, current_app, redirect, request, url_for
from sqlalchemy.exc import SQLAlchemyError
from werkzeug.exceptions import MethodNotAllowed, NotFound
from werkzeug.routing import RequestRedirect

from tracker.giving.months import parse_month
from tracker.ledger import campaigns
from tracker.ledger.store import reading
from tracker.web.headers import may_be_framed
from tracker.web.site import settings

# The parts of our addresses that are ours to mend. Others, such as the names of files, are as they are.
PARTS = {"slug", "month", "form"}


def init_app(app: Flask) -> None:
    @app.before_request
    def in_place_of_werkzeugs_own() -> Response | None:
        # Its redirects for missing and doubled slashes name the host that the request does, which anybody can write.
        if not isinstance(request.routing_exception, RequestRedirect):
            return None
        return right_address() or abort(404)


def right_address() -> Response | None:
    """A redirect to the page that this request's path means, with its query; None when it means none that is there.

    Only letters and digits begin and end the parts of our addresses, and all are small. The target is built from the
    route that the tidied path has, so that it cannot lead anywhere else.
    """
    if request.method not in ("GET", "HEAD"):
        return None
    found = _route(_tidied(request.path))
    if found is None or not set(found[1]) <= PARTS:
        return None
    endpoint, parts = found
    if "month" in parts:
        parts["month"] = _month(parts["month"])
    target = url_for(endpoint, **parts)
    if not all(parts.values()) or target == request.script_root + request.path or not _is_campaign(parts.get("slug")):
        return None
    query = request.query_string.decode("ascii", "replace")
    response = redirect(target + (f"?{query}" if query else ""), 308)
    if endpoint.startswith(("embed.", "pictures.")) or target.endswith((".json", ".csv", ".atom")):
        # Frames, pictures and scripts of other sites follow it, too.
        may_be_framed(settings(), style="")
        response.headers["Access-Control-Allow-Origin"] = "*"
        response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    return response  # type: ignore[return-value]


def _tidied(path: str) -> str:
    parts = [re.sub(r"^[^a-z0-9]+|[^a-z0-9]+$", "", part) for part in path.lower().split("/")]
    return "/" + "/".join(part for part in parts if part)


def _route(path: str) -> tuple[str, dict[str, Any]] | None:
    """The endpoint of a path, with or without a slash at its end, and the parts in it."""
    adapter = current_app.create_url_adapter(request)
    for one in (path, f"{path}/"):
        try:
            endpoint, parts = adapter.match(one, method="GET")  # type: ignore[union-attr]
        except (NotFound, MethodNotAllowed, RequestRedirect):
            continue
        return endpoint, dict(parts)
    return None


def _month(text: str) -> str:
    """`2021-5` as `2021-05`; empty for what is not a month."""
    year, _, number = text.partition("-")
    try:
        return str(parse_month(f"{year}-{number.zfill(2)}"))
    except ValueError:
        return ""


def _is_campaign(slug: str | None) -> bool:
    """Whether that campaign is there; an address without one needs none."""
    if slug is None:
        return True
    try:
        with reading() as connection:
            return campaigns.find(connection, slug) is not None
    except SQLAlchemyError:
        return False
