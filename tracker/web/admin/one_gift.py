"""One gift from its payment to the bank, and what editors write about it."""

from typing import Any

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import current_user
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import TextAreaField
from wtforms.validators import Length

from tracker.gateway.dashboard import dashboard_link
from tracker.giving.campaign import Campaign
from tracker.ledger import audit_log, gift_story
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import TOO_LONG, Required
from tracker.web.site import campaign_or_404, now, settings


class NoteForm(FlaskForm):  # type: ignore[misc]
    words = TextAreaField(
        lazy_gettext("New note"),
        [Required(lazy_gettext("Write a note first.")), Length(max=gift_story.LONGEST_NOTE, message=TOO_LONG)],
    )


@admin.get("/c/<slug>/gifts/<path:key>")
def gift(slug: str, key: str) -> Response | str:
    """A gift's story. Any of its ids at Stripe leads here."""
    campaign = campaign_or_404(slug)
    with reading() as session:
        found = gift_story.gifts(session, campaign, settings().live, key) or abort(404)
        if len(found) > 1:
            return redirect(url_for("admin.gifts", slug=slug, q=key))  # type: ignore[return-value]
        if found[0].key != key:
            return redirect(url_for("admin.gift", slug=slug, key=found[0].key))  # type: ignore[return-value]
        return _page(session, campaign, found[0], NoteForm())


def _page(session: Session, campaign: Campaign, found: Any, form: NoteForm) -> str:
    story = gift_story.tell(session, found)
    this = settings()
    entries = [(one.entry.amount, one.entry.currency) for one in story.steps]
    settled = [row for one in story.steps for row in one.settled]
    amounts = [(amount, row.currency) for row in settled for amount in (row.amount, row.fee, row.net)]

    def link(stripe_id: str) -> str:
        return dashboard_link(stripe_id, this.live, this.stripe_api_base)

    return render_template(
        "admin/gift.html", campaign=campaign, story=story, form=form, link=link, settled=settled,
        write=campaign.column_of_many(entries), write_settled=campaign.column_of_many(amounts),
        is_online=gift_story.is_online(found),
    )  # fmt: skip


@admin.post("/c/<slug>/gifts/<path:key>/notes")
def write_note(slug: str, key: str) -> Response | tuple[str, int]:
    """Keeps a note about a gift, with who wrote it and when."""
    campaign = campaign_or_404(slug)
    form = NoteForm()
    if not form.validate():
        with reading() as session:
            return _page(session, campaign, _named(session, campaign, key), form), 422
    with writing() as session:
        found = _named(session, campaign, key)
        words = form.words.data.replace("\0", "").replace("\r\n", "\n").strip()
        if gift_story.write_note(session, found, words, current_user.id, now()):
            audit_log.note(session, who(), now(), "gift.note_written", campaign=slug, about=key)
    flash(_("The note is saved."))
    return _back(slug, key)


@admin.post("/c/<slug>/gifts/<path:key>/notes/<int:number>/delete")
def delete_note(slug: str, key: str, number: int) -> Response:
    """Deletes a note for good: it may name people."""
    campaign = campaign_or_404(slug)
    if not FlaskForm().validate():
        abort(400)
    with writing() as session:
        deleted = gift_story.delete_note(session, _named(session, campaign, key), number)
        if deleted:
            audit_log.note(session, who(), now(), "gift.note_deleted", campaign=slug, about=key)
    if deleted:
        flash(_("The note is deleted."))
    return _back(slug, key)


def _named(session: Session, campaign: Campaign, key: str) -> Any:
    found = [one for one in gift_story.gifts(session, campaign, settings().live, key) if one.key == key]
    return found[0] if found else abort(404)


def _back(slug: str, key: str) -> Response:
    return redirect(url_for("admin.gift", slug=slug, key=key, _anchor="notes"), 303)  # type: ignore[return-value]


def back_to_gift(slug: str, key: str, month: str) -> str:
    """Where to go after changing a gift: back to the gift if the editor came from there, otherwise to the month."""
    if request.args.get("from") == "gift":
        return url_for("admin.gift", slug=slug, key=key)
    return url_for("admin.month", slug=slug, month=month)
