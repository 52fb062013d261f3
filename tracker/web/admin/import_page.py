"""Past gifts from a file: checked first, then recorded. The file travels with the page and is not stored."""

import io
from typing import Any

import structlog
from flask import Response, render_template
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from flask_wtf.file import FileField
from wtforms import BooleanField, HiddenField, SelectField, StringField, TextAreaField
from wtforms.fields import SelectChoice
from wtforms.validators import Length

from tracker.giving.campaign import Campaign
from tracker.giving.import_map import NAMES, READY, ImportMap, built_map
from tracker.ledger import imports
from tracker.ledger.store import end_reading, reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import TOO_LONG, in_words
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.gates import leave_gate
from tracker.web.site import campaign_or_404, now, settings

log = structlog.get_logger()

# In bytes: some five thousand gifts. A form field may not be longer.
LONGEST = 400_000
WHOSE = {
    "": lazy_gettext("Our own list of cheques, cash and transfers"),
    **{name: NAMES.get(name, name) for name in READY},
    "ghost-tips": lazy_gettext("Ghost, tips"),
    "ghost-members": lazy_gettext("Ghost, members"),
    "stripe": lazy_gettext("Stripe, payments"),
}


class ImportForm(FlaskForm):  # type: ignore[misc]
    file = FileField(lazy_gettext("CSV file"))
    text = HiddenField()
    whose = SelectField(lazy_gettext("Where is the file from?"), default="", validate_choice=False)
    columns = StringField(lazy_gettext("Columns"), [Length(max=1000, message=TOO_LONG)])
    date_format = StringField(lazy_gettext("Dates"), [Length(max=60, message=TOO_LONG)])
    numbers = SelectField(
        lazy_gettext("Amounts"),
        default="",
        choices=[
            SelectChoice("", lazy_gettext("Usual for this kind of file")), SelectChoice("point", "1,234.50"),
            SelectChoice("comma", "1.234,50"), SelectChoice("smallest", lazy_gettext("Whole cents: 123450")),
        ],
    )  # fmt: skip
    kind = SelectField(
        lazy_gettext("Kind, if no column says it"),
        default="",
        choices=[
            SelectChoice("", lazy_gettext("Usual for this kind of file")), SelectChoice("once", lazy_gettext("Once")),
            SelectChoice("monthly", lazy_gettext("Every month")), SelectChoice("yearly", lazy_gettext("Every year")),
            SelectChoice("offline", lazy_gettext("Offline")),
        ],
    )  # fmt: skip
    only = TextAreaField(lazy_gettext("Only rows with"), [Length(max=1000, message=TOO_LONG)])
    save = StringField(lazy_gettext("Save these choices as"), [Length(max=60, message=TOO_LONG)])
    skip = BooleanField(lazy_gettext("Leave out the refused rows, and record the others"))
    do = HiddenField()

    def __init__(self, saved: dict[str, ImportMap]) -> None:
        super().__init__()
        own = [SelectChoice(f"saved:{name}", name) for name in saved]
        self.whose.choices = [*(SelectChoice(name, words) for name, words in WHOSE.items()), *own]


@admin.route("/c/<slug>/import", methods=["GET", "POST"])
@fresh_required
def import_gifts(slug: str) -> Response | str | tuple[str, int]:
    campaign = campaign_or_404(slug)
    with reading() as session:
        saved = imports.saved_maps(session, campaign)
    form = ImportForm(saved)
    shown: dict[str, Any] = {"campaign": campaign, "form": form}
    if not form.is_submitted():
        return render_template("admin/import.html", **shown)
    if not form.validate():
        return render_template("admin/import.html", **shown), 422
    try:
        text, how = _text(form), _map(form, saved)
        if form.save.data:
            with writing() as session:
                imports.save_map(session, campaign, form.save.data, how)
        shown |= _run(text, how, campaign, form)
    except ValueError as error:
        form.form_errors.append(in_words(error))
        return render_template("admin/import.html", **shown), 422
    form.text.data = text
    return render_template("admin/import.html", **shown)


def _text(form: ImportForm) -> str:
    """The file, or its text as it travelled with the checked page."""
    if not form.file.data:
        if form.text.data:
            return str(form.text.data)
        raise ValueError(_("Choose a file."))
    found = form.file.data.read(LONGEST + 1)
    if len(found) > LONGEST:
        raise ValueError(_("This file is too large for this page: use the command tracker import."))
    try:
        return str(found.decode("utf-8-sig"))
    except UnicodeDecodeError:
        raise ValueError(_("This file is not in UTF-8: save it as “CSV UTF-8”.")) from None


def _map(form: ImportForm, saved: dict[str, ImportMap]) -> ImportMap:
    whose = form.whose.data or ""
    base = saved.get(whose.removeprefix("saved:")) if whose.startswith("saved:") else READY.get(whose)
    return built_map(
        base, columns=form.columns.data or "", numbers=form.numbers.data or "", kind=form.kind.data or "",
        date_formats=[form.date_format.data] if form.date_format.data else (),
        only=[line for line in (form.only.data or "").splitlines() if line.strip()],
    )  # fmt: skip


def _run(text: str, how: ImportMap, campaign: Campaign, form: ImportForm) -> dict[str, Any]:
    """Checks the file, and records it if asked to and nothing prevents it."""
    live, moment = settings().live, now()
    # It may take a while, and other pages need not wait for it.
    end_reading()
    leave_gate()

    def run(*, write: bool) -> imports.Report:
        return imports.run(io.StringIO(text, newline=""), how, campaign, live, moment, write=write)

    report, done = run(write=False), False
    if form.do.data == "record" and (form.skip.data or not report.outcomes["refused"]):
        report, done = run(write=True), True
        with writing() as session:
            imports.note_in_log(session, who(), moment, campaign, how, report)
        log.info("gifts.imported", campaign=campaign.slug, system=how.system, **report.outcomes)
    return {"report": report, "done": done, "how": how, "months": sorted(report.amounts)}
