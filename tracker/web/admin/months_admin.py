"""Every month in a table and a chart, and goals."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import RadioField
from wtforms.fields import SelectChoice

from tracker.giving.campaign import Campaign
from tracker.giving.months import month_of
from tracker.giving.pace import days_in
from tracker.giving.rollup import Sums
from tracker.ledger import audit_log, breakdowns, campaigns, results, settled_totals
from tracker.ledger.store import reading, writing
from tracker.web.admin import chart
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import AmountField, MonthField, Required, in_words
from tracker.web.admin.month_page import matters_of
from tracker.web.site import campaign_or_404, now, settings

# This many of the newest months have a sparkline; the chart above shows the same ones.
SPARKLINES = 24


@admin.get("/")
def home() -> Response | str:
    """The running month of the only campaign that goes on, the list where there are more, or what to do when there is none."""
    with reading() as connection:
        every = campaigns.every(connection)
    if not every:
        return render_template("admin/empty.html")
    going_on = [campaign for campaign in every if not campaign.archived and not campaign.held_month]
    if len(every) > 1 and len(going_on) != 1:
        return redirect(url_for("admin.campaign_list"))  # type: ignore[return-value]
    only = (going_on or every)[0]
    return redirect(url_for("admin.running_month", slug=only.slug))  # type: ignore[return-value]


@admin.get("/c/<slug>/")
def months(slug: str) -> str:
    return _months(campaign_or_404(slug), None)


def _months(campaign: Campaign, form: "GoalForm | None") -> str:
    moment = now()
    with reading() as connection:
        found = results.results(connection, campaign, settings().live, moment)
        ahead = results.against_last_month(connection, campaign, settings().live, moment)
        matters = matters_of(connection, campaign, moment)
        newest = found[:SPARKLINES]
        days = breakdowns.raised_by_day(connection, campaign, settings().live, [one.month for one in newest])
        nets = settled_totals.nets(connection, campaign, settings().live)
    current, today = month_of(moment, campaign.time_zone), moment.astimezone(ZoneInfo(campaign.time_zone)).day
    lines = {
        one.month: chart.sparkline(one, days[str(one.month)], today if one.month == current else days_in(one.month))
        for one in newest
        if days[str(one.month)]
    }
    # Mostly the newest; a campaign that is over may have had refunds since the month that it shows.
    shown = next(one for one in found if one.month == results.shown_month(campaign, moment))
    form = form or GoalForm(campaign, month=shown.month, stands="no")
    return render_template(
        "admin/months.html", campaign=campaign, results=found, shown=shown, ahead=ahead, form=form, matters=matters,
        lines=lines, nets=nets, current=current, whole=sum((one.sums for one in found), Sums()),
        chart=chart.of_months(list(reversed(found[:24]))), days_left=shown.month.days_left(moment, campaign.time_zone),
    )  # fmt: skip


class GoalForm(FlaskForm):  # type: ignore[misc]
    month = MonthField(lazy_gettext("Month"), [Required(lazy_gettext("Which month?"))])
    amount = AmountField(lazy_gettext("Goal"), [Required(lazy_gettext("How much is the goal?"))])
    stands = RadioField(
        lazy_gettext("Applies to"),
        choices=[
            SelectChoice("no", lazy_gettext("This month only")),
            SelectChoice("yes", lazy_gettext("From this month on")),
        ],
    )

    def __init__(self, campaign: Campaign, **values: Any) -> None:
        meta = {"campaign": campaign, "currency": campaign.currency, "locale": campaign.locale}
        super().__init__(meta=meta, **values)


@admin.post("/c/<slug>/goal")
def set_goal(slug: str) -> Response | tuple[str, int]:
    campaign = campaign_or_404(slug)
    form = GoalForm(campaign)
    if not form.validate_on_submit():
        return _months(campaign, form), 422
    try:
        with writing() as session:
            stands, before = form.stands.data == "yes", campaigns.goals(session, slug).of(form.month.data)
            campaigns.set_goal(session, slug, form.month.data, form.amount.data, stands=stands)
            audit_log.note_goal(
                session, who(), now(), campaign, form.month.data, before, form.amount.data, stands=stands
            )
    except ValueError as error:
        # Whether the month is closed is known for certain in this transaction alone.
        form.month.errors = [in_words(error)]
        return _months(campaign, form), 422
    month, amount = form.month.data, campaign.write(form.amount.data)
    if form.stands.data == "yes":
        flash(_("The goal of %(month)s is %(amount)s, from that month on.", month=month, amount=amount))
    else:
        flash(_("The goal of %(month)s is %(amount)s, for that month only.", month=month, amount=amount))
    return redirect(url_for("admin.months", slug=slug), 303)  # type: ignore[return-value]
