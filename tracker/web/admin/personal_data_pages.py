"""One person's data as a page: looked up at Stripe and here, handed out as a file, and erased. For owners only."""

import json

import structlog
from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext, ngettext
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import Length

from tracker.gateway.stripe_history import HistoryUnavailable
from tracker.ledger.store import end_reading
from tracker.reconcile import forgetting
from tracker.reconcile.forgetting import Person
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import Required
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.gates import leave_gate
from tracker.web.site import now, person_lookup, settings

log = structlog.get_logger()


class PersonForm(FlaskForm):  # type: ignore[misc]
    wanted = StringField(
        lazy_gettext("E-mail address, or the id of a gift"),
        [Required(lazy_gettext("Who are you looking for?")), Length(max=255)],
    )
    do = HiddenField()
    """`find`, `export` or `erase`: which button was pressed."""


@admin.route("/personal-data", methods=["GET", "POST"])
@fresh_required
def personal_data() -> Response | str | tuple[str, int]:
    """Everything is sent as a form, so that nobody's address is in a log of addresses or a browser's history."""
    form = PersonForm()
    if not form.is_submitted():
        return render_template("admin/personal_data.html", form=form)
    person = _found(form) if form.validate() else None
    if person is None:
        return render_template("admin/personal_data.html", form=form), 422
    if form.do.data == "export" and person.kept.is_anything:
        return _file(person)
    if form.do.data == "erase" and person.kept.is_anything:
        _erase(person)
        return redirect(url_for("admin.personal_data"), 303)  # type: ignore[return-value]
    return render_template("admin/personal_data.html", form=form, person=person, counts=forgetting.counts(person.kept))


def _found(form: PersonForm) -> Person | None:
    """The person looked for; None, with an error beside the field, if that cannot be told."""
    if not settings().stripe_secret_key:
        form.wanted.errors = [_("No Stripe key is set, so nobody can be looked up.")]
        return None
    try:
        stripe = person_lookup()
        # Asking Stripe may take long: nobody else waits for it, and no transaction is open.
        end_reading()
        leave_gate()
        with stripe:
            return forgetting.find(stripe, form.wanted.data or "")
    except HistoryUnavailable as trouble:
        log.warning("person.not_looked_up", why=type(trouble).__name__)
        form.wanted.errors = [_("Stripe could not be asked. Nothing was changed. Please try again.")]
    except ValueError:
        form.wanted.errors = [_("There is no gift with this id here.")]
    return None


def _file(person: Person) -> Response:
    forgetting.note_export(person, who(), now())
    response = Response(
        json.dumps(forgetting.as_json(person), ensure_ascii=False, indent=2), content_type="application/json"
    )
    response.headers.set("Content-Disposition", "attachment", filename="personal-data.json")
    return response


def _erase(person: Person) -> None:
    entries = forgetting.erase(person, who(), now())["entries"]
    flash(
        ngettext(
            "Erased. Their %(num)s entry stays in every sum, without a name.",
            "Erased. Their %(num)s entries stay in every sum, without a name.",
            entries,
        )
    )
