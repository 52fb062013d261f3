"""Offline gifts that the newsroom records by hand, and their reverse."""

import secrets
from datetime import date

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, parse_amount
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import LONGEST_NOTE, Offline, offline_gift, parse_day, tidy_note
from tracker.ledger import offline_gifts, results, reversals
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, now, settings


class OfflineForm(FlaskForm):  # type: ignore[misc]
    amount = StringField("Amount", [InputRequired("How much was given?")])
    date = StringField("Date", [InputRequired("On which day? Write it as 2021-05-14.")])
    note = StringField("Note", [Length(max=LONGEST_NOTE, message=f"{LONGEST_NOTE} characters are the most.")])
    showing = HiddenField(validators=[Regexp(r"^[\w-]{8,64}$")])
    """Which showing of the form this is: pressed twice, it is still one gift."""


@admin.route("/c/<slug>/offline", methods=["GET", "POST"])
def offline(slug: str) -> Response | str | tuple[str, int]:
    campaign = campaign_or_404(slug)
    form = OfflineForm()
    if not form.is_submitted():
        form.showing.data = secrets.token_urlsafe(12)
        return render_template("admin/offline.html", campaign=campaign, form=form)
    gift = _read(form, campaign) if form.validate() else None
    if gift is None:
        return render_template("admin/offline.html", campaign=campaign, form=form), 422
    with writing() as connection:
        done = offline_gifts.write_down(connection, [gift], now())
    for month in done.gifts:
        flash(f"{campaign.write(gift.gift.amount)} is written down in {month}.")
    for there in done.unlike:
        # The browser's way back shows the page that was sent already, and something else was typed into it.
        flash(
            f"This page has written down {campaign.write(there.amount)} already, and nothing more. Here is a new one."
        )
    return redirect(url_for("admin.offline", slug=slug), 303)  # type: ignore[return-value]


@admin.route("/c/<slug>/offline/take-back", methods=["GET", "POST"])
@fresh_required
def reverse_offline(slug: str) -> Response | str:
    """Asks once more, and then books the opposite: nothing in the book is ever deleted."""
    campaign = campaign_or_404(slug)
    form = FlaskForm()
    pressed = form.is_submitted()
    if pressed and not form.validate():
        abort(400)
    # Anything may be asked for; PostgreSQL alone would refuse a NUL.
    key = request.values.get("gift", "").replace("\0", "")
    with reading() as connection:
        gift = offline_gifts.find(connection, campaign, key, settings().live) or abort(404)
        before = offline_gifts.taken_back(connection, key)
        closed = results.result(connection, campaign, parse_month(gift.month), settings().live).closed
        note = offline_gifts.notes(connection, campaign, parse_month(gift.month), settings().live).get(key, "")
    if pressed and before is None:
        with writing() as connection:
            reversals.take_back(connection, gift, now())
            before = offline_gifts.taken_back(connection, key)
        flash(f"{campaign.write_in(gift.amount, gift.currency)} is taken back, in {before.month}.")
        return redirect(url_for("admin.month", slug=slug, month=before.month), 303)  # type: ignore[return-value]
    return render_template(
        "admin/take_back.html", campaign=campaign, form=form, gift=gift, before=before, closed=closed, note=note
    )


def _read(form: OfflineForm, campaign: Campaign) -> Offline | None:
    """The gift that was typed; None when something is wrong with it, which then stands beside its field."""
    amount = amount_in(form.amount, campaign, campaign.currency)
    day = day_in(form.date, campaign)
    if amount is None or day is None:
        return None
    note = tidy_note(form.note.data or "")
    return offline_gift(campaign, settings().live, day, amount, note, f"form:{form.showing.data}")


def amount_in(field: StringField, campaign: Campaign, currency: str) -> int | None:
    try:
        return parse_amount(field.data, currency, campaign.locale)
    except AmountError as error:
        hint = f" Did you mean {error.suggestion}?" if error.suggestion else ""
        field.errors = [f"We could not read that amount.{hint}"]
        return None


def day_in(field: StringField, campaign: Campaign) -> date | None:
    try:
        return parse_day(field.data.strip(), campaign, now())
    except ValueError as error:
        field.errors = [str(error)]
        return None
