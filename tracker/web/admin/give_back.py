"""Money of an online gift that was given back outside of Stripe: recorded by hand, and its reverse."""

from typing import Any
from zoneinfo import ZoneInfo

from flask import Response, abort, flash, redirect, render_template, request
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from sqlalchemy import select
from sqlalchemy.orm import Session
from wtforms import HiddenField, StringField, ValidationError
from wtforms.validators import Length

from tracker.giving.campaign import Campaign
from tracker.giving.offline_gift import LONGEST_NOTE, noon, tidy_note
from tracker.ledger import audit_log, reversals
from tracker.ledger.models import entry
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import TOO_LONG, AmountField, DayField, Required, ShowingField, in_words
from tracker.web.admin.one_gift import back_to_gift
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, now, settings


class GiveBackForm(FlaskForm):  # type: ignore[misc]
    amount = AmountField(lazy_gettext("Amount"), [Required(lazy_gettext("How much was given back?"))])
    date = DayField(lazy_gettext("Date"), [Required(lazy_gettext("On which day was it given back?"))])
    note = StringField(lazy_gettext("Note"), [Length(max=LONGEST_NOTE, message=TOO_LONG)])
    gift = HiddenField()
    showing = ShowingField()

    def __init__(self, campaign: Campaign, gift: Any, left: int) -> None:
        self.given_at = gift.at
        meta = {"campaign": campaign, "currency": gift.currency, "locale": campaign.locale}
        super().__init__(meta=meta, amount=max(left, 0), gift=gift.key)

    def validate_date(self, field: DayField) -> None:
        made = self.given_at.astimezone(ZoneInfo(self.meta.campaign.time_zone)).date()
        if field.data and field.data < made:
            raise ValidationError(
                _("The gift was made on %(day)s: it cannot have been given back before that.", day=made)
            )


@admin.route("/c/<slug>/give-back", methods=["GET", "POST"])
@fresh_required
def give_back(slug: str) -> Response | str | tuple[str, int]:
    """Records money of an online gift that was given back outside of Stripe: by bank transfer, say."""
    campaign = campaign_or_404(slug)
    with reading() as connection:
        gift = _online_gift(connection, campaign, request.values.get("gift", "")) or abort(404)
        left = reversals.left_of(connection, gift)
    form = GiveBackForm(campaign, gift, left)
    if not form.is_submitted():
        return _give_back_page(campaign, gift, left, form)
    month = _given_back(campaign, gift, form) if form.validate() else None
    if month is None:
        return _give_back_page(campaign, gift, left, form), 422
    return redirect(back_to_gift(slug, gift.key, month), 303)  # type: ignore[return-value]


def _online_gift(connection: Session, campaign: Campaign, key: str) -> Any:
    """The entry of one of the campaign's gifts through Stripe; None when there is none of that id."""
    found = reversals.find_online(connection, key, settings().live)
    ours = found is not None and found.campaign_id == campaign.id
    return found if ours else None


def _give_back_page(campaign: Campaign, gift: Any, left: int, form: GiveBackForm) -> str:
    return render_template("admin/give_back.html", campaign=campaign, gift=gift, left=left, form=form)


def _given_back(campaign: Campaign, gift: Any, form: GiveBackForm) -> str | None:
    """Books it, and returns the month it is booked in; None when it is more than is left, which then stands by the amount."""
    amount, at = form.amount.data, noon(form.date.data, campaign)
    note, own_id = tidy_note(form.note.data or ""), f"form:{form.showing.data}"
    try:
        with writing() as connection:
            key = reversals.give_back(connection, gift, amount, at, note, own_id, now())
            booked = connection.execute(select(entry.c.month).where(entry.c.key == key)).one()
            after = {"amount": campaign.write_in(amount, gift.currency), "date": form.date.data, "month": booked.month}
            audit_log.note(
                connection, who(), now(), "gift.given_back", campaign=campaign.slug, about=gift.key, after=after
            )
    except ValueError as error:
        # What is left is known for certain in this transaction alone.
        form.amount.errors = [in_words(error)]
        return None
    written = campaign.write_in(amount, gift.currency)
    flash(_("%(amount)s is recorded as given back, in %(month)s.", amount=written, month=booked.month))
    return str(booked.month)


class UndoForm(FlaskForm):  # type: ignore[misc]
    """Which entry is to be reversed."""

    entry = HiddenField()


@admin.route("/c/<slug>/give-back/undo", methods=["GET", "POST"])
@fresh_required
def undo_give_back(slug: str) -> Response | str:
    """Asks once more, and then books the opposite of what was recorded as given back by mistake."""
    campaign = campaign_or_404(slug)
    form = UndoForm(entry=request.args.get("entry", ""))
    pressed = form.is_submitted()
    if pressed and not form.validate():
        abort(400)
    key = (form.entry.data or "").replace("\0", "")
    with reading() as connection:
        these = (entry.c.key == key, entry.c.campaign_id == campaign.id, entry.c.live == settings().live)
        found = connection.execute(select(entry).where(*these)).one_or_none()
        if found is None or not key.startswith(reversals.OUTSIDE) or key.endswith(reversals.TAKEN_BACK):
            abort(404)
        before = connection.execute(select(entry).where(entry.c.key == f"{key}{reversals.TAKEN_BACK}")).one_or_none()
    if pressed and before is None:
        with writing() as connection:
            reversals.undo_give_back(connection, found, now())
            after = {"amount": campaign.write_in(-found.told, found.currency)}
            audit_log.note(
                connection, who(), now(), "gift.given_back_undone", campaign=slug, about=found.gift_key, after=after
            )
        flash(_("%(amount)s counts again.", amount=campaign.write_in(-found.told, found.currency)))
        return redirect(back_to_gift(slug, found.gift_key, found.month), 303)  # type: ignore[return-value]
    return render_template("admin/undo_give_back.html", campaign=campaign, form=form, found=found, before=before)
