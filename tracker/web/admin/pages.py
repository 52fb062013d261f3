"""The newsroom's own pages: every month in a table and a chart, goals, campaigns, and what supporters wrote."""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime
from tempfile import TemporaryFile
from typing import IO, Any

import structlog
from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm
from sqlalchemy import Connection
from werkzeug.exceptions import ServiceUnavailable
from wtforms import BooleanField, Field, RadioField, StringField, TextAreaField, ValidationError
from wtforms.fields import SelectChoice
from wtforms.validators import InputRequired, Length, Optional

from tracker.gateway.notices import NOTICED_BY, notice_of
from tracker.giving import bar_style, money
from tracker.giving.alerts import Alert
from tracker.giving.campaign import Campaign, check_held_month
from tracker.giving.money import AmountError, parse_amount, parse_decimal_amount, plain_number, to_main
from tracker.giving.months import month_of, parse_month
from tracker.ledger import (
    book,
    campaigns,
    export_files,
    export_process,
    needs_attention,
    results,
    supporters,
    visits,
)
from tracker.ledger.store import end_reading, reading, writing
from tracker.web.admin import chart
from tracker.web.admin.signin.fresh import ask_again, fresh_required, is_fresh
from tracker.web.gates import leave_gate
from tracker.web.site import campaign_or_404, month_or_404, now, settings

log = structlog.get_logger()
bp = Blueprint("admin", __name__, url_prefix="/admin")

# A page of more is not read by anybody; the file has them all.
MOST_ROWS = 500
MOST_PLACES = 100


@bp.before_request
@auth_required("session")
def signed_in() -> None:
    """Nothing here is for strangers."""


@bp.after_request
def not_kept(response: Response) -> Response:
    response.headers["Cache-Control"] = "no-store"
    response.headers["Referrer-Policy"] = "same-origin"
    return response


@bp.context_processor
def for_templates() -> dict[str, Any]:
    with reading() as connection:
        every = campaigns.every(connection)
    return {
        "campaigns": every,
        "live": settings().live,
        "accent_in": bar_style.accent_in,
        "read_colour": bar_style.read_colour,
        "ink_on": bar_style.ink_on,
        "papers": bar_style.PAPER,
    }


@bp.get("/")
def home() -> Response | str:
    """The months of the first campaign, or what to do when there is none."""
    with reading() as connection:
        every = campaigns.every(connection)
    if every:
        return redirect(url_for("admin.months", slug=every[0].slug))  # type: ignore[return-value]
    return render_template("admin/empty.html")


# --- Months -----------------------------------------------------------------------------------------------------------


@bp.get("/c/<slug>/")
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
    form = form or GoalForm(month=str(shown.month), stands="no")
    return render_template(
        "admin/months.html", campaign=campaign, results=found, shown=shown, ahead=ahead, form=form, matters=matters,
        chart=chart.of_months(list(reversed(found[:24]))), days_left=shown.month.days_left(moment, campaign.time_zone),
    )  # fmt: skip


def _matters(connection: Connection, campaign: Campaign, moment: datetime) -> list[Alert]:
    live = settings().live
    notices = (notice_of(body) for body in needs_attention.told(connection, NOTICED_BY, live, moment))
    return needs_attention.needs_attention(connection, campaign, live, moment, [one for one in notices if one])


@bp.get("/c/<slug>/months/<month>")
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
        notes={row.key: row.note for row in rows if row.note},
        places=places[:MOST_PLACES], more_places=len(places) - MOST_PLACES, carriers=carriers, most=MOST_ROWS,
        taken_back={row.key for row in rows if row.taken_back},
    )  # fmt: skip


@bp.get("/c/<slug>/entries.<form>")
@fresh_required
def entries(slug: str, form: str) -> Response:
    """A month's entries as a file, or all of the campaign's."""
    campaign = campaign_or_404(slug)
    if form not in export_files.FORMATS:
        abort(404)
    asked = request.args.get("month", "")
    wanted = month_or_404(asked, campaign, now()) if asked else None
    # Written to the disk first: the reading ends before a slow line takes the file, and memory stays as it is.
    file = TemporaryFile()  # noqa: SIM115 - closed once it is sent
    # Who asks was looked up by the session, which must not stay open for as long as the file takes.
    end_reading()
    leave_gate()
    try:
        export_process.write(file, settings().database_url, campaign.slug, wanted, settings().live, form)
    except export_process.NotWritten as trouble:
        file.close()
        log.error("export.failed", campaign=campaign.slug, month=asked, form=form, why=str(trouble))
        raise ServiceUnavailable(retry_after=60) from None
    response = Response(_sent(file), content_type=export_files.FORMATS[form])
    response.content_length = file.seek(0, os.SEEK_END)
    response.headers.set("Content-Disposition", "attachment", filename=f"{campaign.slug}-{wanted or 'all'}.{form}")
    return response


def _sent(file: IO[bytes]) -> Iterator[bytes]:
    with file:
        file.seek(0)
        yield from iter(lambda: file.read(65_536), b"")


class GoalForm(FlaskForm):  # type: ignore[misc]
    month = StringField("Month", [InputRequired("Which month? Write it as 2021-05.")])
    amount = StringField("Goal", [InputRequired("How much is the goal?")])
    stands = RadioField(choices=[SelectChoice("no", "This month only"), SelectChoice("yes", "From this month on")])


@bp.post("/c/<slug>/goal")
def set_goal(slug: str) -> Response | tuple[str, int]:
    campaign = campaign_or_404(slug)
    form = GoalForm()
    if form.validate_on_submit():
        try:
            wanted = parse_month(form.month.data)
            amount = parse_amount(form.amount.data, campaign.currency, campaign.locale)
            with writing() as connection:
                campaigns.set_goal(connection, slug, wanted, amount, stands=form.stands.data == "yes")
        except AmountError as error:
            hint = f" Did you mean {error.suggestion}?" if error.suggestion else ""
            form.amount.errors = [f"We could not read that amount.{hint}"]
        except ValueError as error:
            form.month.errors = [str(error)]
        else:
            until = "from that month on" if form.stands.data == "yes" else "for that month alone"
            flash(f"The goal of {wanted} is {campaign.write(amount)}, {until}.")
            return redirect(url_for("admin.months", slug=slug), 303)  # type: ignore[return-value]
    return _months(campaign, form), 422


# --- Campaigns --------------------------------------------------------------------------------------------------------


class CampaignForm(FlaskForm):  # type: ignore[misc]
    """A campaign as its owner writes it: amounts decimal, in the main unit, with commas between."""

    slug = StringField("Address", [InputRequired(), Length(max=60)])
    title = StringField("Title", [InputRequired(), Length(max=120)])
    lead = StringField("In one line", [Length(max=200)])
    story = TextAreaField("What the money does", [Length(max=20_000)])
    currency = StringField("Currency", [InputRequired()])
    goal = StringField("Goal for each month", [Optional()])
    time_zone = StringField("Time zone", [InputRequired()])
    locale = StringField("Language of amounts", [InputRequired()])
    amount_pattern = StringField("How amounts are written", [Length(max=40)])
    once = StringField("Amounts for one-time gifts")
    monthly = StringField("Amounts for monthly gifts")
    minimum = StringField("Smallest gift", [InputRequired()])
    maximum = StringField("Largest gift", [InputRequired()])
    paused = BooleanField("Paused: the bar stays, but nobody can give")
    accent = StringField("Colour")
    held_month = StringField("Over: always show this month", [Optional()])

    def validate_accent(self, field: Field) -> None:
        try:
            field.data = bar_style.check_accent(field.data or "")
        except ValueError as error:
            raise ValidationError(str(error)) from None


@bp.route("/new", methods=["GET", "POST"])
def new() -> Response | str | tuple[str, int]:
    defaults = {
        "currency": "USD", "time_zone": "America/New_York", "locale": "en_US", "once": "10, 25, 50, 100",
        "monthly": "5, 10, 20", "minimum": "5", "maximum": "10000",
    }  # fmt: skip
    form = CampaignForm(data=defaults)
    return _save(form, None)


@bp.route("/c/<slug>/settings", methods=["GET", "POST"])
def edit(slug: str) -> Response | str | tuple[str, int]:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        goal = campaigns.goals(connection, slug).standing_in(month_of(now(), campaign.time_zone))
    form = CampaignForm(data=_written(campaign, goal))
    # These two stay what they are, so the page does not ask for them.
    del form.slug, form.currency
    return _save(form, campaign)


def _written(campaign: Campaign, goal: int | None) -> dict[str, Any]:
    """A campaign as the form shows it."""
    values: dict[str, Any] = dict(vars(campaign))
    for name in ("once", "monthly"):
        values[name] = ", ".join(_plain(amount, campaign.currency) for amount in values[name])
    for name in ("minimum", "maximum"):
        values[name] = _plain(values[name], campaign.currency)
    accent = f"#{campaign.accent}" if campaign.accent else ""
    return values | {"goal": _plain(goal, campaign.currency) if goal else "", "accent": accent}


def _plain(amount: int, currency: str) -> str:
    """An amount as the command line and this form take it: decimal, with a point."""
    return plain_number(to_main(amount, currency), currency, "en")


def _save(form: CampaignForm, before: Campaign | None) -> Response | str | tuple[str, int]:
    if not form.is_submitted():
        return render_template("admin/campaign.html", form=form, campaign=before)
    moment = now()
    problem = ""
    if form.validate():
        try:
            campaign = _read(form, before)
            if before and _stops_giving(before, campaign) and not is_fresh():
                return ask_again()  # type: ignore[return-value]
            with writing() as connection:
                if before is None and campaigns.find(connection, campaign.slug):
                    raise ValueError(f"There is a campaign “{campaign.slug}” already.")
                campaigns.save(connection, campaign)
                check_held_month(campaign, moment)
                if form.goal.data:
                    goal = parse_decimal_amount(form.goal.data, campaign.currency)
                    campaigns.set_standing_goal(connection, campaign, goal, moment)
                book.welcome(connection, campaign.slug, moment)
        except AmountError:
            problem = "Write amounts as numbers with a point, such as 10 or 12.50, with commas between them."
        except ValueError as error:
            problem = str(error)
        else:
            flash(f"“{campaign.title}” is saved.")
            return redirect(url_for("admin.months", slug=campaign.slug), 303)  # type: ignore[return-value]
    return render_template("admin/campaign.html", form=form, campaign=before, problem=problem), 422


def _stops_giving(before: Campaign, after: Campaign) -> bool:
    """Whether a change would turn supporters away, or takes the bar to a month that is over."""
    return (after.paused and not before.paused) or (after.held_month != "" and after.held_month != before.held_month)


def _read(form: CampaignForm, before: Campaign | None) -> Campaign:
    currency = before.currency if before else money.check_currency((form.currency.data or "").strip())
    campaign = Campaign(
        slug=before.slug if before else (form.slug.data or "").strip(),
        title=(form.title.data or "").strip(),
        lead=(form.lead.data or "").strip(),
        story=form.story.data or "",
        currency=currency,
        time_zone=(form.time_zone.data or "").strip(),
        locale=money.check_locale((form.locale.data or "").strip()),
        amount_pattern=(form.amount_pattern.data or "").strip(),
        once=amounts(form.once.data or "", currency),
        monthly=amounts(form.monthly.data or "", currency),
        minimum=parse_decimal_amount(form.minimum.data or "", currency),
        maximum=parse_decimal_amount(form.maximum.data or "", currency),
        paused=bool(form.paused.data),
        accent=form.accent.data or "",
        held_month=(form.held_month.data or "").strip(),
    )
    return replace(campaign, once=tuple(sorted(campaign.once)), monthly=tuple(sorted(campaign.monthly)))


def amounts(text: str, currency: str) -> tuple[int, ...]:
    """`10, 25, 50` as smallest units."""
    return tuple(parse_decimal_amount(part, currency) for part in text.split(",") if part.strip())


# --- Supporters -------------------------------------------------------------------------------------------------------


@bp.get("/c/<slug>/supporters")
def words(slug: str) -> str:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        rows = supporters.every(connection, campaign, settings().live, limit=200)
    return render_template("admin/supporters.html", campaign=campaign, rows=rows, form=FlaskForm())


@bp.post("/c/<slug>/supporters")
def show_words(slug: str) -> Response:
    campaign = campaign_or_404(slug)
    if not FlaskForm().validate_on_submit():
        abort(400)
    with writing() as connection:
        supporters.show(connection, request.form.get("gift", ""), shown=request.form.get("show") == "yes")
    return redirect(url_for("admin.words", slug=campaign.slug), 303)  # type: ignore[return-value]
