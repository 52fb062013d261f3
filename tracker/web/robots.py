"""What robots may read: the pages, and nothing that counts a click, belongs to one supporter, or is for editors."""

from flask import Blueprint, Response

bp = Blueprint("robots", __name__)

RULES = """\
User-agent: *
Disallow: /admin
Disallow: /go/
Disallow: /c/*/give
Disallow: /c/*/thanks
"""


@bp.get("/robots.txt")
def rules() -> Response:
    response = Response(RULES, mimetype="text/plain")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
