"""Sign-in for the newsroom's people, by Flask-Security: argon2, no default account, nothing that a stranger can open."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import wraps
from typing import Any

from flask import Flask, Request, Response, abort, current_app, request
from flask.sessions import SecureCookieSession, SecureCookieSessionInterface
from flask.typing import ResponseReturnValue
from flask_login import user_logged_out
from flask_principal import Principal
from flask_security import LoginForm, Security, SQLAlchemyUserDatastore, hash_password

from tracker.ledger.models import db
from tracker.ledger.people import RoleRow, UserRow
from tracker.settings import Settings
from tracker.web.forms import came_from_our_page
from tracker.web.limits import check_limit

ADMIN = "admin"
SHORTEST_PASSWORD = 12

people = SQLAlchemyUserDatastore(db, UserRow, RoleRow)


class AdminSessions(SecureCookieSessionInterface):
    """Sessions for the newsroom's pages alone: no other page can set a cookie, or depend on one."""

    def open_session(self, app: Flask, request: Request) -> SecureCookieSession | None:
        return super().open_session(app, request) if request.path.startswith("/admin") else self.make_null_session(app)


class SignIn(LoginForm):  # type: ignore[misc]
    """Sign-in without “remember me”: whoever sent that would get a cookie that is good for a year, and without end."""

    remember = None


def init_app(app: Flask, settings: Settings) -> None:
    app.session_interface = AdminSessions()
    app.config.update(
        SECURITY_URL_PREFIX="/admin",
        SECURITY_POST_LOGIN_VIEW="/admin/",
        SECURITY_POST_LOGOUT_VIEW="/admin/login",
        SECURITY_LOGIN_USER_TEMPLATE="admin/sign_in.html",
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 - the name of a hash
        # Argon2 salts by itself; a second hash over it would only tie every password to one more secret to lose.
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_LENGTH_MIN=SHORTEST_PASSWORD,
        # The same words and the same time whether or not there is such an account.
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_DEFAULT_REMEMBER_ME=False,
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        SESSION_COOKIE_NAME="__Host-pledgebar" if settings.secure else "pledgebar",
        SESSION_COOKIE_SECURE=settings.secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Strict",
        PERMANENT_SESSION_LIFETIME=timedelta(hours=12),
        WTF_CSRF_TIME_LIMIT=None,
    )
    Security(app, people, login_form=SignIn)
    # Flask-Principal looks for a person before every request; only the newsroom's pages have any, and nobody else shall
    # pay for the looking.
    looks = app.before_request_funcs[None]
    looks[:] = [only_for_admin(one) if isinstance(getattr(one, "__self__", None), Principal) else one for one in looks]

    @app.before_request
    def from_our_own_page() -> None:
        # Forms have tokens as well; this holds for the one that has none, which signs out.
        ours = not request.path.startswith("/admin") or request.method in ("GET", "HEAD", "OPTIONS")
        if not ours and not came_from_our_page(settings.public_url):
            abort(403)

    @app.after_request
    def not_kept(response: Response) -> Response:
        if request.path.startswith("/admin") and request.endpoint != "security.static":
            response.headers["Cache-Control"] = "no-store"
        return response

    @user_logged_out.connect_via(app)
    def end_every_session(_app: Flask, user: UserRow, **_: object) -> None:
        # A session lives in its cookie, so a copied one ends only when all of the account's do.
        people.set_uniquifier(user)
        people.commit()

    sign_in = app.view_functions["security.login"]

    @wraps(sign_in)
    def sign_in_within_limits(**how: Any) -> ResponseReturnValue:
        if request.method == "POST":
            check_limit(settings.sign_in_limit, "sign-in")
        return sign_in(**how)

    app.view_functions["security.login"] = sign_in_within_limits


def only_for_admin(look: Callable[[], Any]) -> Callable[[], Any]:
    """The same look before a request, but for the newsroom's pages alone."""
    return lambda: look() if request.path.startswith("/admin") else None


def create_admin(email: str, password: str) -> bool:
    """Makes an account, or gives one that is there a new password; says whether it is new.

    Raises ValueError with a sentence when the address or the password will not do.
    """
    if len(password) < SHORTEST_PASSWORD:
        raise ValueError(f"The password needs {SHORTEST_PASSWORD} characters or more.")
    # What the sign-in will make of both is what must be kept.
    security = current_app.extensions["security"]
    try:
        email = security.mail_util.normalize(email.strip()).lower()
    except ValueError:
        raise ValueError(f"“{email}” is no e-mail address.") from None
    password = security.password_util.normalize(password)
    # From here on nobody else writes, or the database would refuse what was read before they did.
    db.session.connection(execution_options={"writes": True})
    role = people.find_or_create_role(ADMIN, description="May see and change everything")
    user = people.find_user(case_insensitive=True, email=email)
    if user is None:
        people.create_user(email=email, password=hash_password(password), roles=[role], created_at=datetime.now(UTC))
    else:
        user.password = hash_password(password)
        # Ends every session that the old password opened.
        people.set_uniquifier(user)
    people.commit()
    return user is None
