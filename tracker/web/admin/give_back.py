"""Money of an online gift that was given back outside of Stripe: recorded by hand, and its reverse."""

import secrets
from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_wtf import FlaskForm
from sqlalchemy import Connection, select
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from tracker.giving.campaign import Campaign
from tracker.giving.money import plain_number, to_main
from tracker.giving.offline_gift import LONGEST_NOTE, noon, tidy_note
from tracker.ledger import campaigns, reversals
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin
from tracker.web.admin.offline_pages import amount_in, day_in
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, now, settings


class GiveBackForm(FlaskForm):  # type: ignore[misc]
    amount = StringField("Amount", [InputRequired("How much was given back?")])
    date = StringField("Date", [InputRequired("On which day? Write it as 2021-05-14.")])
    note = StringField("Note", [Length(max=LONGEST_NOTE, message=f"Use {LONGEST_NOTE} characters or fewer.")])
    showing = HiddenField(validators=[Regexp(r"^[\w-]{8,64}$")])
    """Which showing of the form this is: pressed twice, it is still the same money."""


@admin.route("/c/<slug>/give-back", methods=["GET", "POST"])
@fresh_required
def give_back(slug: str) -> Response | str | tuple[str, int]:
    """Records money of an online gift that was given back outside of Stripe: by bank transfer, say."""
    campaign = campaign_or_404(slug)
    with reading() as connection:
        gift = _online_gift(connection, campaign, request.values.get("gift", "")) or abort(404)
        left = reversals.left_of(connection, gift)
    form = GiveBackForm()
    if not form.is_submitted():
        form.showing.data = secrets.token_urlsafe(12)
        form.amount.data = plain_number(to_main(max(left, 0), gift.currency), gift.currency, campaign.locale)
        return _give_back_page(campaign, gift, left, form)
    month = _given_back(campaign, gift, form) if form.validate() else None
    if month is None:
        return _give_back_page(campaign, gift, left, form), 422
    return redirect(url_for("admin.month", slug=slug, month=month), 303)  # type: ignore[return-value]


def _online_gift(connection: Connection, campaign: Campaign, key: str) -> Any:
    """The entry of one of the campaign's gifts through Stripe; None when there is none of that id."""
    found = reversals.find_online(connection, key, settings().live)
    ours = found is not None and found.campaign_id == campaigns.campaign_id(connection, campaign.slug)
    return found if ours else None


def _give_back_page(campaign: Campaign, gift: Any, left: int, form: GiveBackForm) -> str:
    return render_template("admin/give_back.html", campaign=campaign, gift=gift, left=left, form=form)


def _given_back(campaign: Campaign, gift: Any, form: GiveBackForm) -> str | None:
    """Books it, and returns the month it is booked in; None when something is wrong, which then stands beside its field."""
    amount = amount_in(form.amount, campaign, gift.currency)
    day = day_in(form.date, campaign)
    if amount is None or day is None:
        return None
    try:
        with writing() as connection:
            note = tidy_note(form.note.data or "")
            at = noon(day, campaign)
            own_id = f"form:{form.showing.data}"
            key = reversals.give_back(connection, gift, amount, at, note, own_id, now())
            booked = connection.execute(select(entry.c.month).where(entry.c.key == key)).one()
    except ValueError as error:
        form.amount.errors = [str(error)]
        return None
    flash(f"{campaign.write_in(amount, gift.currency)} is recorded as given back, in {booked.month}.")
    return str(booked.month)


@admin.route("/c/<slug>/give-back/undo", methods=["GET", "POST"])
@fresh_required
def undo_give_back(slug: str) -> Response | str:
    """Asks once more, and then books the opposite of what was recorded as given back by mistake."""
    campaign = campaign_or_404(slug)
    form = FlaskForm()
    pressed = form.is_submitted()
    if pressed and not form.validate():
        abort(400)
    key = request.values.get("entry", "").replace("\0", "")
    with reading() as connection:
        row_id = campaigns.campaign_id(connection, campaign.slug)
        these = (entry.c.key == key, entry.c.campaign_id == row_id, entry.c.live == settings().live)
        found = connection.execute(select(entry).where(*these)).one_or_none()
        if found is None or not key.startswith(reversals.OUTSIDE) or key.endswith(reversals.TAKEN_BACK):
            abort(404)
        before = connection.execute(select(entry).where(entry.c.key == f"{key}{reversals.TAKEN_BACK}")).one_or_none()
    if pressed and before is None:
        with writing() as connection:
            reversals.undo_give_back(connection, found, now())
        flash(f"{campaign.write_in(-found.told, found.currency)} counts again.")
        return redirect(url_for("admin.month", slug=slug, month=found.month), 303)  # type: ignore[return-value]
    return render_template("admin/undo_give_back.html", campaign=campaign, form=form, found=found, before=before)
