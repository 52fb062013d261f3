"""A list of all campaigns with their state and month; archiving one, and letting it take gifts again."""

from dataclasses import dataclass, replace

from flask import Response, abort, flash, redirect, render_template, request, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_wtf import FlaskForm

from tracker.giving.campaign import Campaign
from tracker.giving.months import month_of
from tracker.ledger import audit_log, campaigns, results
from tracker.ledger.audit_log import values_of
from tracker.ledger.results import MonthResult
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import MonthField, Required
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, now, settings

STATES = {
    "running": lazy_gettext("running"),
    "paused": lazy_gettext("paused"),
    "ended": lazy_gettext("ended"),
    "archived": lazy_gettext("archived"),
}


@dataclass(frozen=True)
class Listed:
    """A campaign as the list shows it."""

    campaign: Campaign
    state: str
    result: MonthResult
    """For the month that its bar shows."""


def state_of(campaign: Campaign) -> str:
    if campaign.archived:
        return "archived"
    if campaign.held_month:
        return "ended"
    return "paused" if campaign.paused else "running"


@admin.get("/campaigns")
def campaign_list() -> str:
    """Archived ones are shown when they are asked for, or searched for."""
    search, state = request.args.get("q", "").strip()[:120], request.args.get("state", "")
    moment = now()
    with reading() as session:
        every = campaigns.every(session)
        wanted = [one for one in every if _fits(one, search, state)]
        rows = [
            Listed(one, state_of(one), results.result(session, one, results.shown_month(one, moment), settings().live))
            for one in wanted
        ]
    hidden = sum(one.archived for one in every) if not (search or state) else 0
    return render_template(
        "admin/campaigns.html", rows=rows, total=len(every), hidden=hidden, search=search, state=state, states=STATES
    )


def _fits(campaign: Campaign, search: str, state: str) -> bool:
    found = search.casefold() in f"{campaign.title} {campaign.slug}".casefold()
    if state in STATES:
        return found and state_of(campaign) == state
    return found and (bool(search) or state == "all" or not campaign.archived)


class ArchiveForm(FlaskForm):  # type: ignore[misc]
    month = MonthField(lazy_gettext("The bar keeps showing this month"), [Required(lazy_gettext("Which month?"))])


@admin.route("/c/<slug>/archive", methods=["GET", "POST"])
@fresh_required
def archive_campaign(slug: str) -> Response | str | tuple[str, int]:
    """Says what will happen, asks again, and ends the campaign as `tracker campaign archive` does."""
    campaign, moment = campaign_or_404(slug), now()
    current = month_of(moment, campaign.time_zone)
    form = ArchiveForm(month=results.shown_month(campaign, moment))
    if not form.is_submitted():
        return render_template("admin/archive.html", campaign=campaign, form=form)
    good = form.validate()
    if good and form.month.data > current:
        form.month.errors = [_("Choose a month that has begun.")]
        good = False
    if not good:
        return render_template("admin/archive.html", campaign=campaign, form=form), 422
    _change(slug, "campaign.archived", held_month=str(form.month.data), archived=True)
    flash(_("“%(name)s” has ended and is archived.", name=campaign.title))
    return redirect(url_for("admin.campaign_list"), 303)  # type: ignore[return-value]


@admin.post("/c/<slug>/resume")
@fresh_required
def resume_campaign(slug: str) -> Response:
    """What `tracker campaign resume` does, whether it was paused or has ended."""
    campaign = campaign_or_404(slug)
    if not FlaskForm().validate_on_submit():
        abort(400)
    _change(slug, "campaign.resumed", paused=False, pause_reason="", held_month="", archived=False)
    flash(_("“%(name)s” takes gifts again.", name=campaign.title))
    return redirect(url_for("admin.months", slug=slug), 303)  # type: ignore[return-value]


def _change(slug: str, action: str, **changes: object) -> None:
    with writing() as session:
        before = campaigns.find(session, slug)
        assert before is not None  # it was there a moment ago, and none is ever deleted
        after = replace(before, **changes)  # type: ignore[arg-type]
        campaigns.save(session, after)
        told = values_of(before), values_of(after)
        audit_log.note(session, who(), now(), action, campaign=slug, before=told[0], after=told[1])
