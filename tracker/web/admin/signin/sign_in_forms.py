"""The forms with a password in them: each counts its tries and says in the log what failed."""

from collections.abc import Callable
from typing import Any

from flask import current_app, g
from flask_babel import gettext as _
from flask_security import ChangePasswordForm, LoginForm, VerifyForm, current_user

from tracker.ledger.user_models import UserRow
from tracker.web.admin.signin import attempts, sign_in_log
from tracker.web.admin.signin.accounts import people
from tracker.web.admin.signin.field_names import name_fields
from tracker.web.rate_limits import TooManyAttempts


class SignIn(LoginForm):  # type: ignore[misc]
    """Sign-in without “remember me”: whoever sent that would get a cookie that is good for a year, and without end."""

    remember = None

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        name_fields(self, email=_("E-mail address"), password=_("Password"))
        # Otherwise the second step would be told to lead to this page, host and all.
        self.next.data = self.next.data or current_app.config["SECURITY_POST_LOGIN_VIEW"]

    def validate(self, **more: Any) -> bool:
        email, user = self._named()
        try:
            attempts.count_password(email, user)
        except TooManyAttempts as refused:
            self.form_errors.append(refused.sentence)
            g.try_again_in = refused.seconds
            return False
        good = bool(super().validate(**more))
        if not good and not self.csrf_token.errors:
            sign_in_log.failed("password", user)
        return good

    def _named(self) -> tuple[str, UserRow | None]:
        """The address that was typed, as it is kept, and the account of that name."""
        typed = str(self.email.data or "")
        try:
            email = current_app.extensions["security"].mail_util.normalize(typed)
        except ValueError:
            return typed, None
        return email, people.find_user(case_insensitive=True, email=email)


class Confirm(VerifyForm):  # type: ignore[misc]
    """The password once more, from somebody who is signed in."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        name_fields(self, password=_("Password of %(email)s", email=current_user.email))

    def validate(self, **more: Any) -> bool:
        return _within_limits(self, super().validate)


class NewPassword(ChangePasswordForm):  # type: ignore[misc]
    """A new password, for whoever knows the old one."""

    def __init__(self, *arguments: Any, **named: Any) -> None:
        super().__init__(*arguments, **named)
        name_fields(
            self,
            password=_("Your password now"),
            new_password=_("New password"),
            new_password_confirm=_("New password again"),
        )

    def validate(self, **more: Any) -> bool:
        return _within_limits(self, super().validate)


def _within_limits(form: Any, validate: Callable[[], bool]) -> bool:
    if not form.password.data:
        return validate()
    try:
        attempts.count_password(current_user.email, current_user)
    except TooManyAttempts as refused:
        form.form_errors.append(refused.sentence)
        return False
    good = validate()
    if form.password.errors:
        sign_in_log.failed("password", current_user)
    return good
