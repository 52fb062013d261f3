"""A campaign's settings: made once, and changed as often as the newsroom likes."""

from dataclasses import replace
from typing import Any

from flask import Response, flash, redirect, render_template, url_for
from flask_wtf import FlaskForm
from wtforms import BooleanField, Field, StringField, TextAreaField, ValidationError
from wtforms.validators import InputRequired, Length, Optional

from tracker.giving import bar_style, money
from tracker.giving.campaign import Campaign, check_held_month
from tracker.giving.money import AmountError, parse_decimal_amount, plain_number, to_main
from tracker.giving.months import month_of
from tracker.ledger import book, campaigns
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin
from tracker.web.admin.signin.fresh import ask_again, is_fresh
from tracker.web.site import campaign_or_404, now


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


@admin.route("/new", methods=["GET", "POST"])
def new_campaign() -> Response | str | tuple[str, int]:
    defaults = {
        "currency": "USD", "time_zone": "America/New_York", "locale": "en_US", "once": "10, 25, 50, 100",
        "monthly": "5, 10, 20", "minimum": "5", "maximum": "10000",
    }  # fmt: skip
    form = CampaignForm(data=defaults)
    return _save(form, None)


@admin.route("/c/<slug>/settings", methods=["GET", "POST"])
def campaign_settings(slug: str) -> Response | str | tuple[str, int]:
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
