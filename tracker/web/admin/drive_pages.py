"""Drives, matches and goals in people: set by editors, with their dates, and listed for as long as the campaign is."""

from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from typing import Any, get_args

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import BooleanField, IntegerField, RadioField, StringField
from wtforms.fields import SelectChoice
from wtforms.validators import Length, NumberRange
from wtforms.widgets import TextInput

from tracker.giving.campaign import Campaign
from tracker.giving.drives import LONGEST_NAME, Appeal, Kind, parse_moment, problems, when
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import month_of
from tracker.ledger import appeals, campaigns
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin
from tracker.web.admin.form_fields import AmountField, MonthField, Required, TypedField
from tracker.web.site import campaign_or_404, now, settings


class MomentField(TypedField):
    """A day and a time on the campaign's own clock; browsers that can show a calendar do."""

    widget = TextInput(input_type="datetime-local")

    def read(self, typed: str) -> datetime:
        return parse_moment(typed, self.meta.campaign.time_zone)

    def written(self) -> str:
        # As browsers want it.
        return str(self.meta.campaign.moment(self.data).replace(" ", "T"))


class AppealForm(FlaskForm):  # type: ignore[misc]
    """A drive or a match as an editor writes it. What must hold between the fields is said by giving/drives.py."""

    name = StringField(
        "Name", [Required("Which name?"), Length(max=LONGEST_NAME, message=f"Use {LONGEST_NAME} characters or fewer.")]
    )
    amount = AmountField("Goal", [Required("How much is it?")])
    starts_at = MomentField("Starts", [Required("When does it start?")])
    ends_at = MomentField("Ends")

    def __init__(self, campaign: Campaign, before: Appeal) -> None:
        self.before = before
        meta = {"campaign": campaign, "currency": campaign.currency, "locale": campaign.locale}
        super().__init__(meta=meta, obj=before)
        if before.kind == "match":
            self.name.label.text, self.amount.label.text = "Who doubles the gifts", "Up to"

    def appeal(self) -> Appeal:
        """What was typed. To be asked when every field could be read."""
        typed = {name: self[name].data for name in ("amount", "starts_at", "ends_at")}
        return replace(self.before, name=(self.name.data or "").strip(), **typed)

    def validate(self, extra_validators: Any = None) -> bool:
        good = bool(super().validate(extra_validators))
        for name, words in self._problems():
            self[name].errors = [*self[name].errors, words]
            good = False
        return good

    def _problems(self) -> Iterator[tuple[str, str]]:
        if not any(field.errors for field in self):
            yield from problems(self.appeal(), now())


class PeopleForm(FlaskForm):  # type: ignore[misc]
    month = MonthField("Month", [Required("Which month?")])
    number = IntegerField(
        "Supporters", [NumberRange(0, 10**9, message="Enter a number of supporters, or 0 for no goal.")]
    )
    stands = RadioField(
        "Applies to", choices=[SelectChoice("no", "This month only"), SelectChoice("yes", "From this month on")]
    )
    first = BooleanField("The bar counts people instead of money")


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
        "admin/drives.html", campaign=campaign, every=every, moment=moment, when=when, form=form, goal=goal, month=month,
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
        flash(f"“{before.name}” has ended: it stays as it was shown.", "error")
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
    except ValueError as error:
        # Whether another one runs then is known for certain in this transaction alone.
        form.starts_at.errors = [str(error)]
        return render_template("admin/drive.html", campaign=campaign, form=form), 422
    flash(f"“{saved.name}” is saved: {when(saved, campaign)}.")
    return redirect(url_for("admin.drives", slug=campaign.slug), 303)  # type: ignore[return-value]


@admin.post("/c/<slug>/drives/end")
def end_appeal(slug: str) -> Response:
    campaign = campaign_or_404(slug)
    if not FlaskForm().validate_on_submit():
        abort(400)
    number = request.form.get("appeal", "")
    try:
        with writing() as session:
            ran = appeals.end(session, campaign, int(number) if number.isdecimal() and len(number) < 10 else 0, now())
    except ValueError as error:
        flash(str(error), "error")
    else:
        flash("It has ended." if ran else "It is deleted: it had not begun.")
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
    except ValueError as error:
        form.month.errors = [str(error)]
        return _drives(campaign, form), 422
    until = "from that month on" if stands else "for that month only"
    what = (
        f"The goal in people of {form.month.data} is {goal.number}"
        if goal.number
        else f"No goal in people in {form.month.data}"
    )
    flash(f"{what}, {until}.")
    return redirect(url_for("admin.drives", slug=slug), 303)  # type: ignore[return-value]
