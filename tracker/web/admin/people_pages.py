"""The people who may sign in: who they are, what each may do, and one-time links for new ones. For owners only."""

from flask import Response, abort, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import current_user
from flask_wtf import FlaskForm
from wtforms import EmailField, HiddenField, RadioField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from tracker.ledger.models import db
from tracker.ledger.user_models import UserRow
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import Required
from tracker.web.admin.signin import accounts, invitations
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import now

CHOICES = [
    SelectChoice("reader", lazy_gettext("Reader: sees every figure and file, changes nothing")),
    SelectChoice("editor", lazy_gettext("Editor: also changes campaigns, goals, drives and gifts")),
    SelectChoice("owner", lazy_gettext("Owner: also people, the audit log and personal data")),
]


class InviteForm(FlaskForm):  # type: ignore[misc]
    email = EmailField(
        lazy_gettext("E-mail address"), [Required(lazy_gettext("Enter an e-mail address.")), Length(max=255)]
    )
    role = RadioField(lazy_gettext("Role"), choices=CHOICES, default="editor")


class RoleForm(FlaskForm):  # type: ignore[misc]
    role = RadioField(lazy_gettext("Role"), choices=CHOICES)
    do = HiddenField()
    """`role`, `disable`, `enable` or `end-sessions`: which of the page's buttons was pressed."""


@admin.get("/people")
def people() -> str:
    return _people(InviteForm())


def _people(form: InviteForm, link: str = "", invited: str = "") -> str:
    return render_template(
        "admin/people.html", everybody=accounts.every(), waiting=invitations.waiting(now()), form=form, link=link,
        invited=invited, withdrawing=FlaskForm(),
    )  # fmt: skip


@admin.route("/people/invite", methods=["GET", "POST"])
@fresh_required
def invite() -> Response | str | tuple[str, int]:
    """Makes a link. Only this answer shows it: nobody can look it up later, only make a new one."""
    form = InviteForm()
    if not form.is_submitted():
        return redirect(url_for("admin.people"), 303)  # type: ignore[return-value]
    if not form.validate():
        return _people(form), 422
    email = (form.email.data or "").strip()
    try:
        link = invitations.invite(email, form.role.data, who())
    except invitations.AlreadyThere:
        form.email.errors = [_("There is already an account for this address.")]
        return _people(form), 422
    except ValueError:
        form.email.errors = [_("This is not an e-mail address.")]
        return _people(form), 422
    return _people(InviteForm(formdata=None), link, email)


@admin.post("/people/invitations/<int:number>/withdraw")
@fresh_required
def withdraw_invitation(number: int) -> Response:
    if not FlaskForm().validate_on_submit():
        abort(400)
    if email := invitations.withdraw(number, who()):
        flash(_("The invitation for %(email)s is withdrawn.", email=email))
    return redirect(url_for("admin.people"), 303)  # type: ignore[return-value]


@admin.route("/people/<int:number>", methods=["GET", "POST"])
@fresh_required
def person(number: int) -> Response | str | tuple[str, int]:
    """One person: their role, whether they may sign in, and where they are signed in."""
    user = db.session.get(UserRow, number) or abort(404)
    account = accounts.account_of(user)
    form = RoleForm(role=account.role)
    if not form.is_submitted():
        return render_template("admin/person.html", account=account, form=form)
    if not form.validate():
        return render_template("admin/person.html", account=account, form=form), 422
    own = user.id == current_user.id
    try:
        flash(_done(account, form))
    except accounts.LastOwner:
        flash(_("%(email)s is the last owner. Make somebody else an owner first.", email=account.email), "error")
    if own and form.do.data in ("disable", "end-sessions"):
        return redirect(url_for("security.login"), 303)  # type: ignore[return-value]
    return redirect(url_for("admin.people"), 303)  # type: ignore[return-value]


def _done(account: accounts.Account, form: RoleForm) -> str:
    """Does what was asked for, and says so."""
    email, by = account.email, who()
    match form.do.data:
        case "role":
            accounts.set_role(email, form.role.data, by)
            return _("The role of %(email)s is saved.", email=email)
        case "end-sessions":
            accounts.end_sessions(email, by)
            return _("%(email)s is signed out everywhere.", email=email)
        case "disable" | "enable" as do:
            if account.active is (do == "disable"):
                accounts.set_active(email, active=do == "enable", by=by, keep_an_owner=True)
            if do == "enable":
                return _("%(email)s may sign in again.", email=email)
            return _("%(email)s is disabled, and signed out everywhere.", email=email)
    return abort(400)
