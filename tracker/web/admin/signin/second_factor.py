"""The second factor that is typed: codes of an app on the phone (TOTP, RFC 6238), and recovery codes."""

import hashlib
import hmac
import re
import secrets
import unicodedata
from typing import Any

import segno
from flask import current_app
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import MfRecoveryCodesUtil, MfRecoveryForm, Totp, TwoFactorRescueForm, TwoFactorVerifyCodeForm
from passlib.exc import TokenError, UsedTokenError
from passlib.totp import TotpMatch
from sqlalchemy import delete, or_, update

from tracker.ledger.models import db
from tracker.ledger.user_models import RecoveryCodeRow, UserRow
from tracker.web.admin.signin import attempts, sign_in_log
from tracker.web.admin.signin.field_names import name_fields
from tracker.web.rate_limits import TooManyAttempts

# A phone's clock may be this many seconds wrong: one code earlier or later.
WINDOW = 30
RECOVERY_CODES = 10
# No letter that looks like another one. Sixteen of these are 79 bits, so that a plain hash keeps them.
LETTERS = "23456789abcdefghjkmnpqrstuvwxyz"
NO_LONGER_READABLE = lazy_gettext(
    "Codes from your app no longer work here, because the server's secret key was changed. Use a passkey or a recovery"
    " code, or ask whoever runs the server to run “tracker admin reset”."
)


def app_keys(secret_key: str) -> dict[str, str]:
    """The key that apps' secrets are encrypted with, and its name, by which another secret key is noticed."""
    key = hmac.new(secret_key.encode(), b"secrets of authenticator apps", hashlib.sha256).hexdigest()
    return {hashlib.sha256(key.encode()).hexdigest()[:8]: key}


class AppCodes(Totp):  # type: ignore[misc]
    """Codes that are good once, and a picture for the phone's camera that nobody else draws."""

    def generate_qrcode(self, username: str, totp: str) -> str:
        """An SVG for the page itself, black on white in the dark, too."""
        code = segno.make_qr(self.get_totp_uri(username, totp), error="m")
        return str(code.svg_inline(scale=5, border=4, dark="#000", light="#fff", omitsize=True, svgclass="qr"))

    def matches(self, typed: str, secret: str) -> TotpMatch | None:
        """The code of a new app, which has never been used."""
        try:
            return self._totp.verify(plain_digits(typed), secret, window=WINDOW)
        except TokenError:
            return None

    def verify_totp(self, token: str, totp_secret: str, user: UserRow, window: int = 0) -> bool:
        return self.is_readable(totp_secret) and bool(
            super().verify_totp(plain_digits(str(token)), totp_secret, user, window)
        )

    def is_readable(self, secret: str | None) -> bool:
        """Whether a secret was encrypted with this instance's secret key."""
        try:
            return bool(secret) and bool(self._totp.from_source(secret))
        except (KeyError, ValueError):
            return False

    def get_last_counter(self, user: UserRow) -> int | None:
        return user.totp_counter

    def set_last_counter(self, user: UserRow, tmatch: TotpMatch) -> None:
        # Of two that come at the same moment with the same code, the database lets one through.
        later = or_(UserRow.totp_counter.is_(None), UserRow.totp_counter < tmatch.counter)
        done = db.session.execute(
            update(UserRow).where(UserRow.id == user.id, later).values(totp_counter=tmatch.counter)
        )
        if done.rowcount != 1:  # type: ignore[attr-defined]
            raise UsedTokenError


def plain_digits(typed: str) -> str:
    """`١٢٣ ٤٥٦` as `123456`: a phone writes the digits of its own language."""
    return "".join(str(unicodedata.digit(letter)) if letter.isdigit() else letter for letter in typed)


class RecoveryCodes(MfRecoveryCodesUtil):  # type: ignore[misc]
    """Codes that are kept as hashes, so they can be shown once, and that are good once."""

    def create_recovery_codes(self, user: UserRow) -> list[str]:
        codes = ["".join(secrets.choice(LETTERS) for _ in range(16)) for _ in range(RECOVERY_CODES)]
        user.recovery_codes = [RecoveryCodeRow(code_hash=_hash(code)) for code in codes]
        sign_in_log.account("recovery_codes_made", user)
        return ["-".join(re.findall("....", code)) for code in codes]

    def get_recovery_codes(self, user: UserRow) -> list[str]:
        return []

    def check_recovery_code(self, user: UserRow, code: str) -> bool:
        """Uses up a code: of two that come at the same moment, the database lets one through."""
        this = (RecoveryCodeRow.user_id == user.id, RecoveryCodeRow.code_hash == _hash(code))
        return bool(db.session.execute(delete(RecoveryCodeRow).where(*this)).rowcount == 1)  # type: ignore[attr-defined]

    def delete_recovery_code(self, user: UserRow, code: str) -> bool:
        return True  # it was used up when it was checked


def _hash(code: str) -> str:
    return hashlib.sha256("".join(re.findall(r"[a-z0-9]", code.lower())).encode()).hexdigest()


class SignInCode(TwoFactorVerifyCodeForm):  # type: ignore[misc]
    """A code of the app, after the password."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        name_fields(self, code=_("Code"))

    def validate(self, **more: Any) -> bool:
        return _within_limits(self, "code", super().validate)


class SignInRecoveryCode(MfRecoveryForm):  # type: ignore[misc]
    """A recovery code instead."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        name_fields(self, code=_("Recovery code"))

    def validate(self, **more: Any) -> bool:
        return _within_limits(self, "recovery code", super().validate)


class NoMailForHelp(TwoFactorRescueForm):  # type: ignore[misc]
    """Flask-Security's page of codes makes this form; ours has a link to the recovery codes instead."""

    help_setup = None


def _within_limits(form: Any, by: str, validate: Any) -> bool:
    try:
        if form.code.data:
            attempts.count_code(form.user)
    except TooManyAttempts as refused:
        form.form_errors.append(refused.sentence)
        return False
    good = bool(validate())
    if not good and form.code.data and not form.csrf_token.errors:
        sign_in_log.failed(by, form.user)
    return good


def is_set_up(user: UserRow) -> bool:
    """Whether somebody has a second factor, and recovery codes for the day it is lost."""
    return bool((user.tf_totp_secret or user.webauthn) and user.recovery_codes)


def app_codes() -> AppCodes:
    codes: AppCodes = current_app.extensions["security"].totp_factory
    return codes


def app_is_readable(user: UserRow) -> bool:
    """Whether codes of somebody's app can still be checked."""
    return app_codes().is_readable(user.tf_totp_secret)
