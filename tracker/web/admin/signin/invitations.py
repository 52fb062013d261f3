"""Invitations: a link, shown once and valid once, with which somebody creates their own account and password."""

import hashlib
import secrets
from datetime import datetime, timedelta

from flask import abort, flash, redirect, render_template, url_for
from flask.typing import ResponseReturnValue
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import url_for_security
from flask_wtf import FlaskForm
from sqlalchemy import Select, delete, select
from wtforms import PasswordField
from wtforms.validators import InputRequired

from tracker.ledger import audit_log
from tracker.ledger.audit_log import Who
from tracker.ledger.store import reading, writing
from tracker.ledger.user_models import InvitationRow
from tracker.web.admin.signin.accounts import add_account, address_of, hash_of, people
from tracker.web.admin.signin.roles import ROLES
from tracker.web.site import now, settings

GOOD_FOR = timedelta(days=3)


class AlreadyThere(ValueError):
    """The person who is invited already has an account."""


def invite(email: str, role: str, by: Who) -> str:
    """The link for somebody new, in place of an earlier one for the same address.

    Raises ValueError if the address or the role is not valid, AlreadyThere if the address has an account.
    """
    email, moment, key = address_of(email), now(), secrets.token_urlsafe(32)
    if role not in ROLES:
        raise ValueError(role)
    with writing() as session:
        if people.find_user(case_insensitive=True, email=email) is not None:
            raise AlreadyThere
        session.execute(
            delete(InvitationRow).where((InvitationRow.email == email) | (InvitationRow.expires_at <= moment))
        )
        session.add(
            InvitationRow(
                email=email, role=role, key_hash=_hash(key), expires_at=moment + GOOD_FOR, made_by=by.account
            )
        )  # fmt: skip
        audit_log.note(session, by, moment, "account.invited", about=email, after={"role": role})
    return f"{settings().public_url}{url_for('security.invitation', key=key)}"


def waiting(moment: datetime) -> list[InvitationRow]:
    """The invitations that nobody has taken yet."""
    with reading() as session:
        still_good = select(InvitationRow).where(InvitationRow.expires_at > moment)
        return list(session.scalars(still_good.order_by(InvitationRow.email)))


def withdraw(number: int, by: Who) -> str:
    """Makes a link useless; returns whom it was for, or nothing if it is gone already."""
    with writing() as session:
        row = session.get(InvitationRow, number)
        if row is None:
            return ""
        email = row.email
        session.delete(row)
        audit_log.note(session, by, now(), "account.invitation_withdrawn", about=email)
    return email


class NewPasswordForm(FlaskForm):  # type: ignore[misc]
    password = PasswordField(lazy_gettext("New password"), [InputRequired(lazy_gettext("Enter a password."))])
    again = PasswordField(lazy_gettext("New password again"))


def invitation(key: str) -> ResponseReturnValue:
    """The page that the link leads to: it asks for a password, and creates the account."""
    with reading() as session:
        row = session.scalar(_of(key))
        if row is None:
            return render_template("admin/invitation.html", form=None), 404
        email, role = row.email, row.role
    form = NewPasswordForm()
    if not form.is_submitted():
        return render_template("admin/invitation.html", form=form, email=email, role=role)
    if not _accepted(form, key, email):
        return render_template("admin/invitation.html", form=form, email=email, role=role), 422
    flash(_("Your account is ready. Please sign in."))
    return redirect(url_for_security("login"), 303)


def _accepted(form: NewPasswordForm, key: str, email: str) -> bool:
    if not form.validate():
        return False
    if form.password.data != form.again.data:
        form.again.errors = [_("The two new passwords differ.")]
        return False
    try:
        password = hash_of(form.password.data, email)
    except ValueError as error:
        form.password.errors = [str(error)]
        return False
    with writing() as session:
        row = session.scalar(_of(key))
        if row is None or people.find_user(case_insensitive=True, email=row.email) is not None:
            # Somebody else has taken it at this very moment.
            abort(409)
        add_account(session, row.email, password, row.role, None)
        session.delete(row)
    return True


def _of(key: str) -> Select[tuple[InvitationRow]]:
    return select(InvitationRow).where(InvitationRow.key_hash == _hash(key), InvitationRow.expires_at > now())


def _hash(key: str) -> str:
    return hashlib.sha256(key.encode("utf-8", "replace")).hexdigest()
