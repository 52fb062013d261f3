"""Drives, matches and goals in people: set by editors, with their dates, and listed for as long as the campaign is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, NumberRange
from wtforms.widgets import TextInput

from tracker.giving.campaign import Campaign
from tracker.giving.drives import LONGEST_NAME, Appeal, Kind, parse_moment, problems
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import Month, month_of
from tracker.giving.refusals import Refusal
from tracker.ledger import appeals, audit_log, campaigns
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import TOO_LONG, AmountField, CalendarField, MonthField, Required, in_words
from tracker.web.site import campaign_or_404, now, settings


class MomentField(CalendarField):
    """A day and a time on the campaign's own clock."""

    widget = TextInput(input_type="datetime-local")
    shape = "%Y-%m-%dT%H:%M"

    def read(self, typed: str) -> datetime:
        return parse_moment(typed, self.meta.campaign.time_zone)

    def written(self) -> str:
        # As browsers want it.
        return str(self.meta.campaign.moment(self.data).replace(" ", "T"))


class AppealForm(FlaskForm):  # type: ignore[misc]
    """A drive or a match as an editor writes it. What must hold between the fields is said by giving/drives.py."""

    name = StringField(
        lazy_gettext("Name"),
        [Required(lazy_gettext("Which name?")), Length(max=LONGEST_NAME, message=TOO_LONG)],
    )
    amount = AmountField(lazy_gettext("Goal"), [Required(lazy_gettext("How much is it?"))])
    starts_at = MomentField(lazy_gettext("Starts"), [Required(lazy_gettext("When does it start?"))])
    ends_at = MomentField(lazy_gettext("Ends"))

    def __init__(self, campaign: Campaign, before: Appeal) -> None:
        self.before = before
        meta = {"campaign": campaign, "currency": campaign.currency, "locale": campaign.locale}
        super().__init__(meta=meta, obj=before)
        if before.kind == "match":
            self.name.label.text, self.amount.label.text = _("Who doubles the gifts"), _("Up to")

    def appeal(self) -> Appeal:
        """What was typed. To be asked when every field could be read."""
        typed = {name: self[name].data for name in ("amount", "starts_at", "ends_at")}
        return replace(self.before, name=(self.name.data or "").strip(), **typed)

    def validate(self, extra_validators: Any = None) -> bool:
        good = bool(super().validate(extra_validators))
        for name, refusal in self._problems():
            self[name].errors = [*self[name].errors, in_words(refusal)]
            good = False
        return good

    def _problems(self) -> Iterator[tuple[str, Refusal]]:
        if not any(field.errors for field in self):
            yield from problems(self.appeal(), now())


class PeopleForm(FlaskForm):  # type: ignore[misc]
    month = MonthField(lazy_gettext("Month"), [Required(lazy_gettext("Which month?"))])
    number = IntegerField(
        lazy_gettext("Supporters"),
        [NumberRange(0, 10**9, message=lazy_gettext("Enter a number of supporters, or 0 for no goal."))],
    )
    stands = RadioField(
        lazy_gettext("Applies to"),
        choices=[
            SelectChoice("no", lazy_gettext("This month only")),
            SelectChoice("yes", lazy_gettext("From this month on")),
        ],
    )
    first = BooleanField(lazy_gettext("The bar counts people instead of money"))


@admin.get("/c/<slug>/drives")
def drives(slug: str) -> str:
    return _drives(campaign_or_404(slug), None)


def _drives(campaign: Campaign, form: PeopleForm | None) -> str:
    moment = now()
    month = month_of(moment, campaign.time_zone)
    with reading() as session:
        every = appeals.every(session, campaign, settings().live)
        goal = campaigns.goals(session, campaign.slug).in_people(month)
    form = form or PeopleForm(
        month=month, stands="no", number=goal.number if goal else None, first=goal.first if goal else False
    )
    return render_template(
        "admin/drives.html", campaign=campaign, every=every, moment=moment, form=form, goal=goal, month=month,
        ending=FlaskForm(),
    )  # fmt: skip


@admin.route("/c/<slug>/drives/new/<kind>", methods=["GET", "POST"])
def new_appeal(slug: str, kind: Kind) -> Response | str | tuple[str, int]:
    if kind not in get_args(Kind):
        abort(404)
    starts = now().replace(second=0, microsecond=0)
    return _save(campaign_or_404(slug), Appeal(kind, "", 0, starts, None))


@admin.route("/c/<slug>/drives/<int:appeal_id>", methods=["GET", "POST"])
def change_appeal(slug: str, appeal_id: int) -> Response | str | tuple[str, int]:
    campaign = campaign_or_404(slug)
    with reading() as session:
        every = appeals.every(session, campaign, settings().live)
    before = next((one for one in every if one.id == appeal_id), None) or abort(404)
    if before.state(now()) == "ended":
        flash(_("“%(name)s” has ended: it stays as it was shown.", name=before.name), "error")
        return redirect(url_for("admin.drives", slug=slug), 303)  # type: ignore[return-value]
    return _save(campaign, before)


def _save(campaign: Campaign, before: Appeal) -> Response | str | tuple[str, int]:
    form = AppealForm(campaign, before)
    if not form.is_submitted():
        return render_template("admin/drive.html", campaign=campaign, form=form)
    if not form.validate():
        return render_template("admin/drive.html", campaign=campaign, form=form), 422
    try:
        with writing() as session:
            saved = appeals.save(session, campaign, form.appeal(), now())
            appeals.note_saved(session, who(), now(), campaign, before if before.id else None, saved)
    except ValueError as error:
        # Whether another one runs then is known for certain in this transaction alone.
        form.starts_at.errors = [in_words(error)]
        return render_template("admin/drive.html", campaign=campaign, form=form), 422
    start = campaign.moment(saved.starts_at)
    if saved.ends_at:
        end = campaign.moment(saved.ends_at)
        flash(_("“%(name)s” is saved: from %(start)s to %(end)s.", name=saved.name, start=start, end=end))
    else:
        flash(_("“%(name)s” is saved: from %(start)s.", name=saved.name, start=start))
    return redirect(url_for("admin.drives", slug=campaign.slug), 303)  # type: ignore[return-value]


@admin.post("/c/<slug>/drives/end")
def end_appeal(slug: str) -> Response:
    campaign = campaign_or_404(slug)
    if not FlaskForm().validate_on_submit():
        abort(400)
    number = request.form.get("appeal", "")
    try:
        with writing() as session:
            number_of = int(number) if number.isdecimal() and len(number) < 10 else 0
            ran = appeals.end(session, campaign, number_of, now())
            action = "appeal.ended" if ran else "appeal.deleted"
            audit_log.note(session, who(), now(), action, campaign=slug, about=number_of)
    except ValueError as error:
        flash(in_words(error), "error")
    else:
        flash(_("It has ended.") if ran else _("It is deleted: it had not begun."))
    return redirect(url_for("admin.drives", slug=slug), 303)  # type: ignore[return-value]


@admin.post("/c/<slug>/drives/people")
def set_people_goal(slug: str) -> Response | tuple[str, int]:
    campaign = campaign_or_404(slug)
    form = PeopleForm()
    if not form.validate_on_submit():
        return _drives(campaign, form), 422
    goal, stands = PeopleGoal(form.number.data, form.first.data), form.stands.data == "yes"
    try:
        with writing() as session:
            campaigns.set_people_goal(session, slug, form.month.data, goal, now(), stands=stands)
            after = {"supporters": goal.number, "bar_counts_people": goal.first, "and_later_months": stands}
            audit_log.note(session, who(), now(), "goal.people_set", campaign=slug, about=form.month.data, after=after)
    except ValueError as error:
        form.month.errors = [in_words(error)]
        return _drives(campaign, form), 422
    flash(_people_goal_is_set(form.month.data, goal.number, stands))
    return redirect(url_for("admin.drives", slug=slug), 303)  # type: ignore[return-value]


def _people_goal_is_set(month: Month, number: int, stands: bool) -> str:
    if number and stands:
        return _("The goal in people of %(month)s is %(number)s, from that month on.", month=month, number=number)
    if number:
        return _("The goal in people of %(month)s is %(number)s, for that month only.", month=month, number=number)
    if stands:
        return _("No goal in people in %(month)s, from that month on.", month=month)
    return _("No goal in people in %(month)s, for that month only.", month=month)
