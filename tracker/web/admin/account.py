"""One's own account: password, second factor, recovery codes, where one is signed in, and what was not sent."""

from flask import Response, abort, current_app, flash, redirect, render_template, session, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import current_user, logout_user
from flask_wtf import FlaskForm
from itsdangerous import BadSignature, URLSafeTimedSerializer
from markupsafe import Markup
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired

from tracker.web.admin.blueprint import admin
from tracker.web.admin.signin import people, sessions, sign_in_log, unsent
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.admin.signin.passkeys import is_last
from tracker.web.admin.signin.second_factor import app_codes, app_is_readable, is_set_up
from tracker.web.site import now, settings

# Time to find the phone.
SET_UP_WITHIN_SECONDS = 30 * 60


@admin.get("/account")
def account() -> str:
    done = is_set_up(current_user)
    return render_template(
        "admin/account.html", form=FlaskForm(), done=done, sessions=sessions.count(current_user, now()),
        required=settings().second_factor == "required", last=is_last(current_user),
        readable=not current_user.tf_totp_secret or app_is_readable(current_user),
        go_on=session.get("after_set_up", "") if done else "",
    )  # fmt: skip


@admin.post("/account/go-on")
def go_on() -> Response:
    """Where somebody wanted to go before they were asked to set up a second factor."""
    _pressed()
    return redirect(session.pop("after_set_up", "") or url_for("admin.home"), 303)  # type: ignore[return-value]


# --- The app on the phone ---------------------------------------------------------------------------------------------


class AppForm(FlaskForm):  # type: ignore[misc]
    secret = HiddenField(validators=[InputRequired()])
    """Of the app that is being set up: encrypted, signed, and good for half an hour."""
    code = StringField(lazy_gettext("Code"), [InputRequired(lazy_gettext("Enter the six digits that the app shows."))])


@admin.route("/account/app", methods=["GET", "POST"])
@fresh_required
def set_up_app() -> Response | str | tuple[str, int]:
    """Shows a new secret as a picture and takes the app's first code for it: only then it counts."""
    form = AppForm()
    if not form.is_submitted():
        form.secret.data = _signer().dumps(app_codes().generate_totp_secret())
        return _app_page(form, 200)
    try:
        secret = str(_signer().loads(form.secret.data or "", max_age=SET_UP_WITHIN_SECONDS))
    except BadSignature:
        flash(_("That took too long. Please start again with the new picture."), "error")
        return redirect(url_for("admin.set_up_app"), 303)  # type: ignore[return-value]
    match = app_codes().matches(form.code.data or "", secret) if form.validate() else None
    if match is None:
        if form.code.data:
            form.code.errors = [_("That code is wrong. Enter the one that the app shows now.")]
        return _app_page(form, 422)
    people.tf_set(current_user, "authenticator", secret)
    current_user.totp_counter = match.counter
    people.commit()
    sign_in_log.account("app_added", current_user)
    flash(_("The app is set up."))
    return redirect(url_for("admin.account"), 303)  # type: ignore[return-value]


def _app_page(form: AppForm, status: int) -> tuple[str, int]:
    secret = str(_signer().loads(form.secret.data or ""))
    found = app_codes().fetch_setup_values(secret, current_user)
    page = render_template("admin/account_app.html", form=form, picture=Markup(found["image"]), key=found["key"])  # noqa: S704
    return page, status


@admin.post("/account/app/remove")
@fresh_required
def remove_app() -> Response:
    _pressed()
    if settings().second_factor == "required" and is_last(current_user):
        flash(_("Set up another second factor first: nobody gets in here without one."), "error")
    else:
        people.tf_reset(current_user)
        people.commit()
        sign_in_log.account("app_removed", current_user)
        flash(_("The app is removed. Its codes no longer work."))
    return redirect(url_for("admin.account"), 303)  # type: ignore[return-value]


def _signer() -> URLSafeTimedSerializer:
    return URLSafeTimedSerializer(str(current_app.secret_key), salt=f"app:{current_user.fs_uniquifier}")


# --- Sessions ---------------------------------------------------------------------------------------------------------


@admin.post("/account/sign-out-everywhere")
def sign_out_everywhere() -> Response:
    _pressed()
    sign_in_log.account("signed_out_everywhere", current_user)
    sessions.end_all(current_user)
    people.commit()
    logout_user()
    flash(_("You are signed out everywhere."))
    return redirect(url_for("security.login"), 303)  # type: ignore[return-value]


# --- What was not sent ------------------------------------------------------------------------------------------------


class DiscardForm(FlaskForm):  # type: ignore[misc]
    which = HiddenField()


@admin.get("/unsent")
def unsent_forms() -> Response | str:
    waiting = unsent.waiting(current_user)
    if not waiting:
        return redirect(url_for("admin.home"))  # type: ignore[return-value]
    return render_template("admin/unsent.html", forms=waiting, form=DiscardForm(), name_of=_name_of)


@admin.post("/unsent/discard")
def discard_unsent() -> Response:
    form = DiscardForm()
    if not form.validate():
        abort(400)
    unsent.drop(form.which.data or "")
    return redirect(url_for("admin.unsent_forms"), 303)  # type: ignore[return-value]


def _name_of(field: str) -> str:
    return field.replace("_", " ").capitalize()


def _pressed() -> None:
    if not FlaskForm().validate_on_submit():
        abort(400)
