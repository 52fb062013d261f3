"""Offline gifts that the newsroom records by hand, and their reverse."""

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import StringField
from wtforms.validators import Length

from tracker.giving.campaign import Campaign
from tracker.giving.months import parse_month
from tracker.giving.offline_gift import LONGEST_NOTE, offline_gift, tidy_note
from tracker.ledger import audit_log, offline_gifts, results, reversals
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import TOO_LONG, AmountField, DayField, Required, ShowingField
from tracker.web.admin.one_gift import back_to_gift
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, now, settings


class OfflineForm(FlaskForm):  # type: ignore[misc]
    amount = AmountField(lazy_gettext("Amount"), [Required(lazy_gettext("How much was given?"))])
    date = DayField(lazy_gettext("Date"), [Required(lazy_gettext("On which day was it given?"))])
    note = StringField(lazy_gettext("Note"), [Length(max=LONGEST_NOTE, message=TOO_LONG)])
    showing = ShowingField()

    def __init__(self, campaign: Campaign) -> None:
        super().__init__(meta={"campaign": campaign, "currency": campaign.currency, "locale": campaign.locale})


@admin.route("/c/<slug>/offline", methods=["GET", "POST"])
def offline(slug: str) -> Response | str | tuple[str, int]:
    campaign = campaign_or_404(slug)
    form = OfflineForm(campaign)
    if not form.is_submitted():
        return render_template("admin/offline.html", campaign=campaign, form=form)
    if not form.validate():
        return render_template("admin/offline.html", campaign=campaign, form=form), 422
    note = tidy_note(form.note.data or "")
    own_id = f"form:{form.showing.data}"
    gift = offline_gift(campaign, settings().live, form.date.data, form.amount.data, note, own_id)
    with writing() as connection:
        done = offline_gifts.write_down(connection, [gift], now())
        if done.new:
            after = {"amount": campaign.write(gift.gift.amount), "date": form.date.data}
            audit_log.note(connection, who(), now(), "gift.offline", campaign=slug, about=gift.gift.key, after=after)
    for month in done.gifts:
        flash(_("%(amount)s is recorded in %(month)s.", amount=campaign.write(gift.gift.amount), month=month))
    for there in done.unlike:
        # The browser's way back shows the page that was sent already, and something else was typed into it.
        amount = campaign.write(there.amount)
        flash(_("This page had already recorded %(amount)s, and nothing more. Here is a new one.", amount=amount))
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
    # Anything may be asked for, but PostgreSQL would refuse a NUL.
    key = request.values.get("gift", "").replace("\0", "")
    with reading() as connection:
        gift = offline_gifts.find(connection, campaign, key, settings().live) or abort(404)
        before = offline_gifts.taken_back(connection, key)
        closed = results.result(connection, campaign, parse_month(gift.month), settings().live).closed
        note = offline_gifts.notes(connection, campaign, parse_month(gift.month), settings().live).get(key, "")
    if pressed and before is None:
        with writing() as connection:
            reversals.take_back(connection, gift, now())
            after = {"amount": campaign.write_in(gift.amount, gift.currency)}
            audit_log.note(connection, who(), now(), "gift.offline_reversed", campaign=slug, about=key, after=after)
            before = offline_gifts.taken_back(connection, key)
        amount = campaign.write_in(gift.amount, gift.currency)
        flash(_("%(amount)s is reversed, in %(month)s.", amount=amount, month=before.month))
        return redirect(back_to_gift(slug, gift.key, before.month), 303)  # type: ignore[return-value]
    return render_template(
        "admin/take_back.html", campaign=campaign, form=form, gift=gift, before=before, closed=closed, note=note
    )
