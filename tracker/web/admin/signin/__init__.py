"""Sign-in for the newsroom's people, by Flask-Security: no default account, nothing that a stranger can open.

Passwords with argon2, a second factor by an app or a passkey, recovery codes; docs/accounts.md tells it from outside.
"""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

from flask import Blueprint, Flask, g, make_response, request, session
from flask.typing import ResponseReturnValue
from flask_security import (
    Security,
    password_changed,
    recovery_codes,
    tf_plugin,
    url_for_security,
    views,
    wan_deleted,
    wan_registered,
    webauthn,
)

from tracker.giving.bar_words import TRANSLATIONS
from tracker.ledger.user_models import UserRow
from tracker.settings import Settings
from tracker.web.admin.signin import fresh, guard, invitations, messages, sessions, sign_in_log, unsent
from tracker.web.admin.signin.accounts import create_admin, people
from tracker.web.admin.signin.passkeys import (
    AskForPasskey,
    NamePasskey,
    NewPasskey,
    PasskeyAnswer,
    Passkeys,
    RemovePasskey,
    work_at,
)
from tracker.web.admin.signin.passwords import SHORTEST, Passwords
from tracker.web.admin.signin.personal import is_personal
from tracker.web.admin.signin.second_factor import (
    NO_LONGER_READABLE,
    WINDOW,
    AppCodes,
    NoMailForHelp,
    RecoveryCodes,
    SignInCode,
    SignInRecoveryCode,
    app_is_readable,
    app_keys,
)
from tracker.web.admin.signin.sign_in_forms import Confirm, NewPassword, SignIn
from tracker.web.site import now

__all__ = ["create_admin", "init_app", "people"]


def _sign_in() -> ResponseReturnValue:
    if request.method == "POST":
        # A new try begins its own ten minutes for the second factor.
        session.pop("halfway", None)
    answer = make_response(views.login())
    if seconds := g.pop("try_again_in", 0):
        answer.status_code = 429
        answer.headers["Retry-After"] = str(seconds)
    return answer


# Every address of Flask-Security's that there is here; it has dozens more.
SEND, BOTH = ("POST",), ("GET", "POST")
ADDRESSES: tuple[tuple[str, str, Callable[..., Any], tuple[str, ...]], ...] = (
    ("/login", "login", _sign_in, BOTH),
    ("/login/code", "two_factor_token_validation", views.two_factor_token_validation, BOTH),
    ("/login/recovery", "mf_recovery", recovery_codes.mf_recovery, BOTH),
    ("/login/choose", "tf_select", tf_plugin.tf_select, BOTH),
    ("/login/passkey", "wan_signin", webauthn.webauthn_signin, BOTH),
    ("/login/passkey/<token>", "wan_signin_response", webauthn.webauthn_signin_response, SEND),
    ("/logout", "logout", views.logout, SEND),
    ("/verify", "verify", views.verify, BOTH),
    ("/verify/passkey", "wan_verify", webauthn.webauthn_verify, BOTH),
    ("/verify/passkey/<token>", "wan_verify_response", webauthn.webauthn_verify_response, SEND),
    ("/account/password", "change_password", views.change_password, BOTH),
    ("/account/recovery-codes", "mf_recovery_codes", recovery_codes.mf_recovery_codes, BOTH),
    ("/account/passkeys", "wan_register", webauthn.webauthn_register, BOTH),
    ("/account/passkeys/<token>", "wan_register_response", webauthn.webauthn_register_response, SEND),
    ("/account/passkeys/remove", "wan_delete", webauthn.webauthn_delete, SEND),
)


class WithoutPictures(Security):  # type: ignore[misc]
    """Flask-Security, which would not begin without a package that draws QR codes: ours does that (second_factor.py)."""

    def _check_modules(self, module: str, config_name: str) -> Any:
        return module == "qrcode" or super()._check_modules(module, config_name)


def init_app(app: Flask, settings: Settings) -> None:
    _configure(app, settings)
    sessions.init_app(app, settings)
    security = WithoutPictures(
        app, people, register_blueprint=False,
        login_form=SignIn, verify_form=Confirm, change_password_form=NewPassword,
        two_factor_verify_code_form=SignInCode, two_factor_rescue_form=NoMailForHelp,
        mf_recovery_form=SignInRecoveryCode,
        wan_register_form=NamePasskey, wan_register_response_form=NewPasskey, wan_delete_form=RemovePasskey,
        wan_signin_form=AskForPasskey, wan_signin_response_form=PasskeyAnswer,
        password_util_cls=Passwords, totp_cls=AppCodes, mf_recovery_codes_util_cls=RecoveryCodes,
        webauthn_util_cls=Passkeys,
    )  # fmt: skip
    sessions.only_while_open(app)
    security.want_json(lambda _request: False)
    security.unauthn_handler(fresh.ask_to_sign_in)
    security.reauthn_handler(fresh.ask_again)
    bp = Blueprint("security", __name__, url_prefix="/admin")
    for address, name, view, methods in ADDRESSES:
        bp.add_url_rule(address, name, view, methods=methods)
    # Its page of codes asks for the address of this one, and would break without it.
    bp.add_url_rule("/login/recovery", "two_factor_rescue", build_only=True)
    bp.add_url_rule("/invitation/<key>", "invitation", invitations.invitation, methods=BOTH)
    app.register_blueprint(bp)
    app.add_template_global(url_for_security)
    app.add_template_global(work_at, "passkeys_work_at")
    app.add_template_global(app_is_readable)
    app.add_template_global(is_personal)
    app.add_template_global(unsent.is_waiting, "something_is_unsent")
    app.jinja_env.globals["app_no_longer_readable"] = NO_LONGER_READABLE
    guard.init_app(app, settings)
    password_changed.connect(_changed_password, app)
    wan_registered.connect(_added_passkey, app)
    wan_deleted.connect(_removed_passkey, app)


def _configure(app: Flask, settings: Settings) -> None:
    """Flask-Security's settings, and its words as we say them."""
    app.config.update(
        SECURITY_POST_LOGIN_VIEW="/admin/",
        SECURITY_POST_LOGOUT_VIEW="/admin/login",
        SECURITY_POST_VERIFY_VIEW="/admin/account",
        SECURITY_POST_CHANGE_VIEW="/admin/account",
        SECURITY_WAN_POST_REGISTER_VIEW="/admin/account",
        SECURITY_LOGIN_USER_TEMPLATE="admin/sign_in.html",
        SECURITY_TWO_FACTOR_VERIFY_CODE_TEMPLATE="admin/sign_in_code.html",
        SECURITY_TWO_FACTOR_SELECT_TEMPLATE="admin/sign_in_choose.html",
        SECURITY_MULTI_FACTOR_RECOVERY_TEMPLATE="admin/sign_in_recovery.html",
        SECURITY_WAN_SIGNIN_TEMPLATE="admin/sign_in_passkey.html",
        SECURITY_VERIFY_TEMPLATE="admin/account_confirm.html",
        SECURITY_WAN_VERIFY_TEMPLATE="admin/account_confirm_passkey.html",
        SECURITY_CHANGE_PASSWORD_TEMPLATE="admin/account_password.html",  # noqa: S106 - a file
        SECURITY_MULTI_FACTOR_RECOVERY_CODES_TEMPLATE="admin/account_recovery_codes.html",
        SECURITY_WAN_REGISTER_TEMPLATE="admin/account_passkeys.html",
        # No commands beside our own.
        SECURITY_CLI_USERS_NAME=None,
        SECURITY_CLI_ROLES_NAME=None,
        SECURITY_PASSWORD_HASH="argon2",  # noqa: S106 - the name of a hash
        # Argon2 salts by itself; a second hash over it would only tie every password to one more secret to lose.
        SECURITY_PASSWORD_SINGLE_HASH=["argon2"],
        SECURITY_PASSWORD_SCHEMES=["argon2"],
        SECURITY_DEPRECATED_PASSWORD_SCHEMES=[],
        SECURITY_PASSWORD_LENGTH_MIN=SHORTEST,
        SECURITY_CHANGEABLE=True,
        SECURITY_SEND_PASSWORD_CHANGE_EMAIL=False,
        # The same words and the same time whether or not there is such an account.
        SECURITY_RETURN_GENERIC_RESPONSES=True,
        SECURITY_DEFAULT_REMEMBER_ME=False,
        SECURITY_LOGOUT_METHODS=["POST"],
        SECURITY_EMAIL_VALIDATOR_ARGS={"check_deliverability": False, "test_environment": True},
        SECURITY_API_ENABLED_METHODS=["session"],
        SECURITY_FRESHNESS=fresh.FRESH,
        SECURITY_FRESHNESS_GRACE_PERIOD=fresh.GRACE,
        SECURITY_FRESHNESS_ALLOW_AUTH_TOKEN=False,
        SECURITY_DATETIME_FACTORY=now,
        SECURITY_TWO_FACTOR=True,
        SECURITY_TWO_FACTOR_ENABLED_METHODS=["authenticator"],
        SECURITY_TWO_FACTOR_AUTHENTICATOR_VALIDITY=WINDOW,
        SECURITY_TWO_FACTOR_IMPLEMENTATIONS={
            "code": "flask_security.twofactor.CodeTfPlugin",
            "webauthn": "tracker.web.admin.signin.passkeys.PasskeyAfterPassword",
        },
        SECURITY_TOTP_SECRETS=app_keys(settings.secret_key),
        # What the app shows beside the code; a colon would part it from the address.
        SECURITY_TOTP_ISSUER=(settings.newsroom or "Pledgebar").replace(":", " "),
        SECURITY_TWO_FACTOR_RESCUE_EMAIL=False,
        SECURITY_MULTI_FACTOR_RECOVERY_CODES=True,
        SECURITY_WEBAUTHN=True,
        SECURITY_WAN_RP_NAME=settings.newsroom or "Pledgebar",
        # With hints a browser would be told which accounts have passkeys.
        SECURITY_WAN_ALLOW_USER_HINTS=False,
        SECURITY_WAN_REGISTER_WITHIN=timedelta(minutes=5),
        WTF_CSRF_TIME_LIMIT=None,
        # Its own catalogues first, then ours.
        SECURITY_I18N_DIRNAME=["builtin", str(TRANSLATIONS)],
        SECURITY_I18N_DOMAIN="flask_security;editors",
        **messages.as_config(),
    )


def _changed_password(_app: Flask, user: UserRow, **_: Any) -> None:
    sign_in_log.account("password_changed", user)


def _added_passkey(_app: Flask, user: UserRow, **_: Any) -> None:
    sign_in_log.account("passkey_added", user)


def _removed_passkey(_app: Flask, user: UserRow, **_: Any) -> None:
    sign_in_log.account("passkey_removed", user)
