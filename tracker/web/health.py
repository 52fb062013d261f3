"""For whoever watches the server: is it alive, and is it able to work."""

from flask import Blueprint, Response
from sqlalchemy import text
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import store

bp = Blueprint("health", __name__)


@bp.get("/healthz")
def alive() -> Response:
    return Response("alive\n", mimetype="text/plain", headers={"Cache-Control": "no-store"})


@bp.get("/readyz")
def ready() -> Response:
    """200 when the database answers and has the schema of this program; else 503 with the reason."""
    try:
        with store.reading() as connection:
            connection.execute(text("SELECT 1"))
        problem = store.schema_problem()
    except SQLAlchemyError:
        problem = "The database does not answer."
    status = 503 if problem else 200
    return Response((problem or "ready") + "\n", status, mimetype="text/plain", headers={"Cache-Control": "no-store"})
