"""For whoever watches the server: is it alive, is it able to work, and, asked by `tracker doctor`, is it this installation."""

import threading
import time
from dataclasses import asdict, dataclass
from typing import cast

from flask import Blueprint, Flask, Response, current_app, request
from itsdangerous import BadData, URLSafeTimedSerializer
from sqlalchemy.exc import SQLAlchemyError

from tracker.ledger import database_errors, store
from tracker.settings import Settings
from tracker.web import proxies
from tracker.web.hosts import is_ours
from tracker.web.site import VERSION, settings

bp = Blueprint("health", __name__)

# How often a probe writes to the database at most, and how soon again after it went wrong.
TRY_SECONDS, TRY_AGAIN_SECONDS = 5.0, 1.0
# How long whoever asks waits for it.
PATIENCE_SECONDS = 2.0
# A database that is busy for a moment is no reason to send readers elsewhere.
STILL_GOOD_SECONDS = 10.0


@bp.get("/healthz")
def alive() -> Response:
    return _answer(_diagnosis(request.args.get("doctor", "")) or "alive\n")


@bp.get("/readyz")
def ready() -> Response:
    """200 when the database takes writes and has the schema of this program; else 503 with the reason."""
    problem = probe().problem()
    return _answer((problem or "ready") + "\n", 503 if problem else 200)


def _answer(text: str, status: int = 200) -> Response:
    return Response(text, status, mimetype="text/plain", headers={"Cache-Control": "no-store"})


# --- Able to work -----------------------------------------------------------------------------------------------------


def init_app(app: Flask) -> None:
    app.extensions["probe"] = Probe(app)


def probe() -> "Probe":
    return cast(Probe, current_app.extensions["probe"])


class Probe:
    """Tries the database in a thread of its own, one at a time, so that whoever asks has an answer even when it hangs."""

    def __init__(self, app: Flask) -> None:
        self._app = app
        self._lock = threading.Lock()
        self._tried: threading.Event | None = None
        self._problem = ""
        self._next = self._good_until = float("-inf")

    def problem(self) -> str:
        """Why this process cannot work, in a sentence; nothing when it can."""
        with self._lock:
            if self._tried is None and time.monotonic() >= self._next:
                self._tried = threading.Event()
                threading.Thread(target=self._try, args=(self._tried,), name="probe", daemon=True).start()
            tried = self._tried
        if tried is None or tried.wait(PATIENCE_SECONDS):
            return self._problem
        return "" if time.monotonic() < self._good_until else "The database does not answer."

    def _try(self, tried: threading.Event) -> None:
        try:
            with self._app.app_context():
                problem = store.schema_problem()
                if not problem:
                    store.try_write()
        except SQLAlchemyError as error:
            problem = f"{database_errors.WORDS[database_errors.kind_of(error)]}."
        now = time.monotonic()
        self._problem, self._next = problem, now + (TRY_AGAIN_SECONDS if problem else TRY_SECONDS)
        if not problem:
            self._good_until = now + STILL_GOOD_SECONDS
        with self._lock:
            self._tried = None
        tried.set()


# --- Asked by the doctor ----------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Diagnosis:
    """What a running server says of itself to whoever has its secret key."""

    version: str
    settings_mark: str
    problem: str
    """Why it cannot work; nothing when it can."""
    host_is_ours: bool
    """Whether the question came under a name under which pages are shown."""
    route: proxies.Route


MOST_SECONDS = 300
_QUESTION, _ANSWER = "tracker doctor asks", "tracker doctor is told"


def question(settings: Settings, nonce: str) -> str:
    """What only this installation can ask."""
    return str(URLSafeTimedSerializer(settings.secret_key, _QUESTION).dumps(nonce))


def read_diagnosis(settings: Settings, nonce: str, text: str) -> Diagnosis | None:
    """What was answered to the question with that nonce; None where it was somebody else who answered."""
    try:
        told = URLSafeTimedSerializer(settings.secret_key, _ANSWER).loads(text.strip(), max_age=MOST_SECONDS)
    except BadData:
        return None
    if told.pop("nonce") != nonce:
        return None
    return Diagnosis(**told | {"route": proxies.Route(**told["route"])})


def _diagnosis(asked: str) -> str:
    this = settings()
    try:
        nonce = URLSafeTimedSerializer(this.secret_key, _QUESTION).loads(asked, max_age=MOST_SECONDS)
    except BadData:
        return ""
    told = Diagnosis(
        version=VERSION,
        settings_mark=this.mark,
        problem=probe().problem(),
        host_is_ours=is_ours(proxies.host_of(request.environ), this),
        route=proxies.route_of(request.environ),
    )
    return str(URLSafeTimedSerializer(this.secret_key, _ANSWER).dumps(asdict(told) | {"nonce": nonce})) + "\n"
