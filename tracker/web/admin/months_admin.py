"""Every month in a table and a chart, one month's entries, and goals."""

from datetime import datetime
from typing import Any

from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import RadioField
from wtforms.fields import SelectChoice

from tracker.gateway.notices import NOTICED_BY, notice_of
from tracker.giving.alerts import Alert
from tracker.giving.campaign import Campaign
from tracker.ledger import campaigns, needs_attention, results, visits
from tracker.ledger.store import reading, writing
from tracker.web.admin import chart
from tracker.web.admin.blueprint import admin
from tracker.web.admin.form_fields import AmountField, MonthField, Required, in_words
from tracker.web.site import campaign_or_404, month_or_404, now, settings

# A page of more is not read by anybody; the file has them all.
MOST_ROWS = 500
MOST_PLACES = 100


@admin.get("/")
def home() -> Response | str:
    """The months of the first campaign, or what to do when there is none."""
    with reading() as connection:
        every = campaigns.every(connection)
    if every:
        return redirect(url_for("admin.months", slug=every[0].slug))  # type: ignore[return-value]
    return render_template("admin/empty.html")


@admin.get("/c/<slug>/")
def months(slug: str) -> str:
    return _months(campaign_or_404(slug), None)


def _months(campaign: Campaign, form: "GoalForm | None") -> str:
    moment = now()
    with reading() as connection:
        found = results.results(connection, campaign, settings().live, moment)
        ahead = results.against_last_month(connection, campaign, settings().live, moment)
        matters = _matters(connection, campaign, moment)
    # Mostly the newest; a campaign that is over may have had refunds since the month that it shows.
    shown = next(one for one in found if one.month == results.shown_month(campaign, moment))
    form = form or GoalForm(campaign, month=shown.month, stands="no")
    return render_template(
        "admin/months.html", campaign=campaign, results=found, shown=shown, ahead=ahead, form=form, matters=matters,
        chart=chart.of_months(list(reversed(found[:24]))), days_left=shown.month.days_left(moment, campaign.time_zone),
    )  # fmt: skip


def _matters(connection: Session, campaign: Campaign, moment: datetime) -> list[Alert]:
    live = settings().live
    notices = (notice_of(body) for body in needs_attention.told(connection, NOTICED_BY, live, moment))
    return needs_attention.needs_attention(connection, campaign, live, moment, [one for one in notices if one])


@admin.get("/c/<slug>/months/<month>")
def month(slug: str, month: str) -> str:
    campaign = campaign_or_404(slug)
    wanted = month_or_404(month, campaign, now())
    with reading() as connection:
        found = results.result(connection, campaign, wanted, settings().live)
        rows = results.entries(connection, campaign, wanted, settings().live, newest=MOST_ROWS)
        others = results.other_currencies(connection, campaign, wanted, settings().live)
        places = visits.by_place(connection, campaign, wanted, settings().live)
        carriers = visits.by_carrier(connection, campaign, wanted)
    return render_template(
        "admin/month.html", campaign=campaign, result=found, rows=rows, others=others,
        places=places[:MOST_PLACES], more_places=len(places) - MOST_PLACES, carriers=carriers, most=MOST_ROWS,
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
            campaigns.set_goal(session, slug, form.month.data, form.amount.data, stands=form.stands.data == "yes")
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
