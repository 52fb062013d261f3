"""Sessions of the newsroom's pages: where they begin, how long they go on, and that they end on the server.

The cookie is signed and holds a random key. A session is open while the key has its row, for twelve hours at most and
for two hours without a page opened. Signing out takes the row away, so a copied cookie opens nothing any more.
The cookie itself is kept longer: it remembers which accounts have signed in in this browser, which gives their owners
tries of their own (tries.py), and whose text came in after the session had ended (unsent.py).
"""

import hashlib
import secrets
from datetime import datetime, timedelta

from flask import Flask, Request, Response, g, request, session
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface, SessionMixin
from flask_login import user_logged_in, user_logged_out
from sqlalchemy import delete

from tracker.ledger.models import db
from tracker.ledger.user_models import SessionRow, UserRow
from tracker.settings import Settings
from tracker.web.admin.signin import sign_in_log
from tracker.web.site import now

IDLE = timedelta(hours=2)
LONGEST = timedelta(hours=12)
# Between the password and the second factor.
HALFWAY = timedelta(minutes=10)
REMEMBERED = timedelta(days=90)
# The cookie is not set again for every page: of two answers at once the slower one would undo the other's.
SEEN_EVERY = timedelta(minutes=1)
MOST_KNOWN = 5

OF_A_SESSION = ("_user_id", "_fresh", "_id", "key", "seen", "set_up", "fs_paa", "fs_gexp")
OF_HALF_A_SIGN_IN = ("tf_user_id", "tf_state", "tf_primary_method", "tf_totp_secret", "tf_select", "halfway")


class AdminSessions(SecureCookieSessionInterface):
    """Sessions for the newsroom's pages alone: no other page can set a cookie, or depend on one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        if not request.path.startswith("/admin"):
            return self.make_null_session(app)
        opened = super().open_session(app, request)
        if opened is not None and "halfway" in opened and _ago(opened["halfway"], now()) > HALFWAY:
            _drop(opened, OF_HALF_A_SIGN_IN)
        return opened

    def save_session(self, app: Flask, session: SessionMixin, response: Response) -> None:
        if "tf_user_id" in session:
            session.setdefault("halfway", int(now().timestamp()))
        else:
            session.pop("halfway", None)
        super().save_session(app, session, response)

    def get_expiration_time(self, app: Flask, session: SessionMixin) -> datetime | None:
        return now() + REMEMBERED if "known" in session else None


def init_app(app: Flask, settings: Settings) -> None:
    app.session_interface = AdminSessions()
    app.config.update(
        SESSION_COOKIE_NAME="__Host-pledgebar" if settings.secure else "pledgebar",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        # Lax: with Strict a link from another site comes without the cookie, and the sign-in page's own one would then
        # end the session in every tab. What changes anything is a POST, which also has to come from our own page.
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=REMEMBERED,
    )
    user_logged_in.connect(_begin, app)
    user_logged_out.connect(_end, app)


def only_while_open(app: Flask) -> None:
    """From now on a person is signed in only for as long as their session is open. After Flask-Security has begun."""
    manager = app.login_manager  # type: ignore[attr-defined]
    find = manager._user_callback

    @manager.user_loader  # type: ignore[untyped-decorator]
    def load(uniquifier: str) -> UserRow | None:
        user: UserRow | None = find(uniquifier)
        if user is not None and _is_open(user, now()):
            return user
        _drop(session, OF_A_SESSION)
        g.session_ended = True
        return None

    # Nobody signs in by a token in an address or a header.
    manager.request_loader(lambda _request: None)


def _is_open(user: UserRow, moment: datetime) -> bool:
    row = db.session.get(SessionRow, _hash(session.get("key", "")))
    if row is None or row.user_id != user.id or moment - row.began_at > LONGEST:
        return False
    idle = _ago(session.get("seen", 0), moment)
    if idle > IDLE:
        return False
    if idle >= SEEN_EVERY:
        session["seen"] = int(moment.timestamp())
    return True


def _begin(_app: Flask, user: UserRow) -> None:
    known = session.get("known", [])
    if known[-1:] != [user.id]:
        # Somebody else's forms in other tabs are not this person's. One's own, from before, still work.
        session.pop("csrf_token", None)
        g.pop("csrf_token", None)
    moment = now()
    key = secrets.token_urlsafe(32)
    db.session.execute(
        delete(SessionRow).where(
            (SessionRow.key_hash == _hash(session.get("key", ""))) | (SessionRow.began_at < moment - LONGEST)
        )
    )
    db.session.add(SessionRow(key_hash=_hash(key), user_id=user.id, began_at=moment))
    session["key"] = key
    session["seen"] = int(moment.timestamp())
    session["known"] = [*(one for one in known if one != user.id), user.id][-MOST_KNOWN:]
    session.setdefault("browser", secrets.token_urlsafe(9))
    if request.endpoint in _BY:
        sign_in_log.good(_BY[request.endpoint], user)


# What completes a sign-in on which page, for the log. A new password begins a new session as well.
_BY = {
    "security.login": "password",
    "security.two_factor_token_validation": "code",
    "security.mf_recovery": "recovery code",
    "security.wan_signin_response": "passkey",
}


def _end(_app: Flask, user: UserRow) -> None:
    db.session.execute(delete(SessionRow).where(SessionRow.key_hash == _hash(session.get("key", ""))))
    db.session.commit()
    _drop(session, OF_A_SESSION)
    sign_in_log.account("signed_out", user)


def count(user: UserRow, moment: datetime) -> int:
    """In how many places somebody is signed in."""
    return db.session.query(SessionRow).filter(
        SessionRow.user_id == user.id, SessionRow.began_at > moment - LONGEST
    ).count()  # fmt: skip


def end_all(user: UserRow) -> None:
    """Signs somebody out everywhere, in every process; to be committed."""
    db.session.execute(delete(SessionRow).where(SessionRow.user_id == user.id))


def _drop(session: SessionMixin, names: tuple[str, ...]) -> None:
    for name in names:
        session.pop(name, None)


def _ago(timestamp: float, moment: datetime) -> timedelta:
    return timedelta(seconds=moment.timestamp() - timestamp)


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode()).hexdigest()
