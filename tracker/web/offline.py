"""The newsroom writes down a gift that came another way, or takes one back that was written down by mistake."""

import secrets

from flask import Blueprint, Response, abort, flash, redirect, render_template, request, url_for
from flask_security import auth_required
from flask_wtf import FlaskForm
from wtforms import HiddenField, StringField
from wtforms.validators import InputRequired, Length, Regexp

from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, parse_amount
from tracker.giving.months import parse_month
from tracker.giving.offline import LONGEST_NOTE, Offline, offline_gift, parse_day, tidy_note
from tracker.ledger import book, offline, results
from tracker.ledger.store import reading, writing
from tracker.web.admin import for_templates, not_kept
from tracker.web.signin.fresh import fresh_required
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
        done = offline.write_down(connection, [gift], now())
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
        gift = offline.find(connection, campaign, key, settings().live) or abort(404)
        before = offline.taken_back(connection, key)
        closed = results.result(connection, campaign, parse_month(gift.month), settings().live).closed
        note = offline.notes(connection, campaign, parse_month(gift.month), settings().live).get(key, "")
    if pressed and before is None:
        with writing() as connection:
            book.take_back(connection, gift, now())
            before = offline.taken_back(connection, key)
        flash(f"{campaign.write_in(gift.amount, gift.currency)} is taken back, in {before.month}.")
        return redirect(url_for("admin.month", slug=slug, month=before.month), 303)  # type: ignore[return-value]
    return render_template(
        "admin/take_back.html", campaign=campaign, form=form, gift=gift, before=before, closed=closed, note=note
    )


def _read(form: OfflineForm, campaign: Campaign) -> Offline | None:
    """The gift that was typed; None when something is wrong with it, which then stands beside its field."""
    amount, day = 0, None
    try:
        amount = parse_amount(form.amount.data, campaign.currency, campaign.locale)
    except AmountError as error:
        hint = f" Did you mean {error.suggestion}?" if error.suggestion else ""
        form.amount.errors = [f"We could not read that amount.{hint}"]
    try:
        day = parse_day(form.date.data.strip(), campaign, now())
    except ValueError as error:
        form.date.errors = [str(error)]
    if not amount or day is None:
        return None
    note = tidy_note(form.note.data or "")
    return offline_gift(campaign, settings().live, day, amount, note, f"form:{form.showing.data}")
