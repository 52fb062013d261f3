"""What the newsroom records by hand: offline gifts, money given back outside of Stripe, and the reverse of either."""

import secrets
from datetime import date
from typing import Any

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm
from sqlalchemy import Connection, select
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, parse_amount, plain_number, to_main
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import LONGEST_NOTE, Offline, noon, offline_gift, parse_day, tidy_note
from tracker.ledger import offline_gifts, results, reversals
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing
from tracker.web.admin.pages import for_templates, not_kept
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, now, settings

bp = Blueprint("offline", __name__, url_prefix="/admin")
bp.after_request(not_kept)
bp.context_processor(for_templates)


@bp.before_request
@auth_required("session")
def signed_in() -> None:
    """Nothing here is for strangers."""


class OfflineForm(FlaskForm):  # type: ignore[misc]
    amount = StringField("Amount", [InputRequired("How much was given?")])
    date = StringField("Date", [InputRequired("On which day? Write it as 2021-05-14.")])
    note = StringField("Note", [Length(max=LONGEST_NOTE, message=f"{LONGEST_NOTE} characters are the most.")])
    showing = HiddenField(validators=[Regexp(r"^[\w-]{8,64}$")])
    """Which showing of the form this is: pressed twice, it is still one gift."""


@bp.route("/c/<slug>/offline", methods=["GET", "POST"])
def write_down(slug: str) -> Response | str | tuple[str, int]:
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
    return redirect(url_for("offline.write_down", slug=slug), 303)  # type: ignore[return-value]


@bp.route("/c/<slug>/offline/take-back", methods=["GET", "POST"])
@fresh_required
def take_back(slug: str) -> Response | str:
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


class GiveBackForm(FlaskForm):  # type: ignore[misc]
    amount = StringField("Amount", [InputRequired("How much was given back?")])
    date = StringField("Date", [InputRequired("On which day? Write it as 2021-05-14.")])
    note = StringField("Note", [Length(max=LONGEST_NOTE, message=f"Use {LONGEST_NOTE} characters or fewer.")])
    showing = HiddenField(validators=[Regexp(r"^[\w-]{8,64}$")])
    """Which showing of the form this is: pressed twice, it is still the same money."""


@bp.route("/c/<slug>/give-back", methods=["GET", "POST"])
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
    ours = found is not None and found.campaign_id == campaign.id
    return found if ours else None


def _give_back_page(campaign: Campaign, gift: Any, left: int, form: GiveBackForm) -> str:
    return render_template("admin/give_back.html", campaign=campaign, gift=gift, left=left, form=form)


def _given_back(campaign: Campaign, gift: Any, form: GiveBackForm) -> str | None:
    """Books it, and returns the month it is booked in; None when something is wrong, which then stands beside its field."""
    amount = _amount_in(form.amount, campaign, gift.currency)
    day = _day_in(form.date, campaign)
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


@bp.route("/c/<slug>/give-back/undo", methods=["GET", "POST"])
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
        these = (entry.c.key == key, entry.c.campaign_id == campaign.id, entry.c.live == settings().live)
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


def _amount_in(field: StringField, campaign: Campaign, currency: str) -> int | None:
    try:
        return parse_amount(field.data, currency, campaign.locale)
    except AmountError as error:
        hint = f" Did you mean {error.suggestion}?" if error.suggestion else ""
        field.errors = [f"We could not read that amount.{hint}"]
        return None


def _day_in(field: StringField, campaign: Campaign) -> date | None:
    try:
        return parse_day(field.data.strip(), campaign, now())
    except ValueError as error:
        field.errors = [str(error)]
        return None


def _read(form: OfflineForm, campaign: Campaign) -> Offline | None:
    """The gift that was typed; None when something is wrong with it, which then stands beside its field."""
    amount = _amount_in(form.amount, campaign, campaign.currency)
    day = _day_in(form.date, campaign)
    if amount is None or day is None:
        return None
    note = tidy_note(form.note.data or "")
    return offline_gift(campaign, settings().live, day, amount, note, f"form:{form.showing.data}")
