"""What protects a campaign from card testing: what is in force, what became of its checkouts lately, and a switch."""

from datetime import timedelta
from typing import cast

import structlog
from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm
from wtforms import RadioField
from wtforms.fields import SelectChoice

from tracker.giving.card_testing import Protection, Switch
from tracker.ledger import audit_log, checkout_counts
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.signin.fresh import ask_again, is_fresh
from tracker.web.protection import checkouts
from tracker.web.site import campaign_or_404, now, settings

log = structlog.get_logger()

SHOWN = timedelta(hours=24)
CHOICES = {
    "automatic": lazy_gettext("When needed: from the first signs of card testing until half an hour after the last"),
    "on": lazy_gettext("Always"),
    "off": lazy_gettext("Never, not even then. Whoever is beyond the limit of an address is refused"),
}


class ProtectionForm(FlaskForm):  # type: ignore[misc]
    switch = RadioField(
        lazy_gettext("Donors' browsers solve a small task"),
        choices=[SelectChoice(*choice) for choice in CHOICES.items()],
    )


@admin.route("/c/<slug>/protection", methods=["GET", "POST"])
def protection(slug: str) -> Response | str | tuple[str, int]:
    campaign, live, moment = campaign_or_404(slug), settings().live, now()
    with reading() as session:
        found = checkout_counts.protections(session, live).get(slug, Protection())
        hours = checkout_counts.by_hour(session, slug, live, moment - SHOWN)
    form = ProtectionForm(switch=found.switch)
    if form.validate_on_submit():
        if form.switch.data == "off" and found.switch != "off" and not is_fresh():
            return ask_again()  # type: ignore[return-value]
        with writing() as session:
            checkout_counts.set_switch(session, slug, live, cast(Switch, form.switch.data))
            told = {"protection": found.switch}, {"protection": form.switch.data}
            audit_log.note(session, who(), moment, "protection.set", campaign=slug, before=told[0], after=told[1])
        # In this process at once, in the others within seconds.
        checkouts().look()
        log.info("giving.protection_set", campaign=slug, switch=form.switch.data)
        flash(_("The protection is saved."))
        return redirect(url_for("admin.protection", slug=slug), 303)  # type: ignore[return-value]
    page = render_template(
        "admin/protection.html", campaign=campaign, found=found, hours=hours, form=form,
        limit=settings().give_limit, together=settings().give_limit_all,
    )  # fmt: skip
    return (page, 422) if form.is_submitted() else page
