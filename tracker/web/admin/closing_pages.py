"""Closing a month in the browser: the checklist, what will be frozen, the hashes to keep, and reopening."""

from collections.abc import Callable
from typing import Any

from flask import Response, flash, redirect, render_template, url_for
from flask_babel import gettext as _
from flask_babel import lazy_gettext
from flask_security import current_user
from flask_wtf import FlaskForm
from sqlalchemy.orm import Session
from wtforms import BooleanField, HiddenField, TextAreaField, ValidationError
from wtforms.validators import Length

from tracker.giving.campaign import Campaign
from tracker.giving.money import to_main
from tracker.giving.months import Month, month_of
from tracker.ledger import audit_log, closing_checks, month_closing, public_lines, results
from tracker.ledger.closing_checks import Checks
from tracker.ledger.results import MonthResult
from tracker.ledger.store import reading, writing
from tracker.web.admin.blueprint import admin, who
from tracker.web.admin.form_fields import TOO_LONG, Required
from tracker.web.admin.signin.fresh import fresh_required
from tracker.web.site import campaign_or_404, month_or_404, now, settings

LONGEST_REASON = 500
OFFERED = 3


class CloseForm(FlaskForm):  # type: ignore[misc]
    seen = BooleanField(lazy_gettext("Close it even though some points are open"))
    figures = HiddenField()
    """What the page said would be frozen."""

    def __init__(self, checks: Checks | None = None, **more: Any) -> None:
        self.checks = checks
        super().__init__(**more)

    def validate_seen(self, field: BooleanField) -> None:
        if self.checks is not None and not self.checks.all_good and not field.data:
            raise ValidationError(_("Some points are still open. Tick this box to close the month anyway."))


class ReopenForm(FlaskForm):  # type: ignore[misc]
    reason = TextAreaField(
        lazy_gettext("Why are you reopening it?"),
        [
            Required(lazy_gettext("Say why: anyone who kept its hash will ask.")),
            Length(max=LONGEST_REASON, message=TOO_LONG),
        ],
    )


@admin.get("/c/<slug>/months/<month>/close")
def closing(slug: str, month: str) -> str:
    """For an open month, the checklist before closing it; for a closed one, what it was closed with."""
    campaign = campaign_or_404(slug)
    wanted = month_or_404(month, campaign, now())
    with reading() as session:
        return _page(session, campaign, wanted)


@admin.post("/c/<slug>/months/<month>/close")
@fresh_required
def close_month(slug: str, month: str) -> Response | tuple[str, int]:
    """Freezes the month, if it is still as the page showed it."""
    campaign = campaign_or_404(slug)
    wanted = month_or_404(month, campaign, now())
    with reading() as session:
        form = CloseForm(closing_checks.check(session, campaign, wanted, settings().live, now()))
    good = form.validate()
    with writing() as session:
        good = good and _is_open_and_over(session, campaign, wanted, form)
        if good:
            closed = month_closing.close(session, campaign, wanted, settings().live, now())
            after = {"raised": campaign.write(closed.sums.raised), "head": closed.head}
            audit_log.note(session, who(), now(), "month.closed", campaign=slug, about=wanted, after=after)
    if not good:
        with reading() as session:
            return _page(session, campaign, wanted, form), 422
    flash(_("%(month)s is closed.", month=campaign.month_name(wanted)))
    return redirect(url_for("admin.closing", slug=slug, month=wanted), 303)  # type: ignore[return-value]


def _is_open_and_over(session: Session, campaign: Campaign, month: Month, form: CloseForm) -> bool:
    """Can be checked for certain only in the transaction that closes it; an error in the form says what has changed."""
    found = results.result(session, campaign, month, settings().live)
    if found.closed or not is_over(campaign, month):
        return False
    if form.figures.data != _figures(found):
        form.figures.errors = [
            _("Something was recorded for this month in the meantime. Please check the figures again.")
        ]
        form.figures.data = _figures(found)
        return False
    return True


def _figures(found: MonthResult) -> str:
    return f"{found.sums.raised}/{found.sums.gifts}/{found.goal or 0}"


@admin.post("/c/<slug>/months/<month>/reopen")
@fresh_required
def reopen_month(slug: str, month: str) -> Response | tuple[str, int]:
    """Lets a closed month change again, and keeps the reason."""
    campaign = campaign_or_404(slug)
    wanted = month_or_404(month, campaign, now())
    form = ReopenForm()
    if not form.validate():
        with reading() as session:
            return _page(session, campaign, wanted, reopening=form), 422
    reason = form.reason.data.replace("\0", "").strip()
    with writing() as session:
        # Pressed twice, or somebody else was quicker: it is open already.
        if results.result(session, campaign, wanted, settings().live).closed:
            month_closing.reopen(
                session, campaign, wanted, settings().live, now(), reason=reason, by=current_user.id
            )  # fmt: skip
            audit_log.note(session, who(), now(), "month.reopened", campaign=slug, about=wanted)
    flash(_("%(month)s is open again.", month=campaign.month_name(wanted)))
    return redirect(url_for("admin.closing", slug=slug, month=wanted), 303)  # type: ignore[return-value]


def _page(
    session: Session, campaign: Campaign, month: Month, form: CloseForm | None = None, reopening: ReopenForm | None = None
) -> str:  # fmt: skip
    live, moment = settings().live, now()
    found = results.result(session, campaign, month, live)
    earlier = month_closing.reopenings(session, campaign, month, live)
    common: dict[str, Any] = {"campaign": campaign, "result": found, "earlier": earlier}
    if found.closed:
        late = public_lines.entries_later(session, campaign, month, live)
        return render_template(
            "admin/closed.html", **common, late=late, write=campaign.column_of_many((one.amount, one.currency) for one in late),
            line=line_to_keep(campaign, found), form=reopening or ReopenForm(),
        )  # fmt: skip
    checks = closing_checks.check(session, campaign, month, live, moment) if is_over(campaign, month) else None
    return render_template(
        "admin/close.html", **common, checks=checks, most=closing_checks.MOST,
        form=form or CloseForm(checks, figures=_figures(found)), ends=month.next.first_moment(campaign.time_zone),
        # Days are in UTC there.
        since=month.first_moment(campaign.time_zone).date(),
    )  # fmt: skip


def line_to_keep(campaign: Campaign, found: MonthResult) -> str:
    """One line that later proves what a month was closed with: to be kept somewhere other than this server."""
    assert found.closed_at is not None
    raised = f"{to_main(found.sums.raised, campaign.currency)} {campaign.currency}"
    parts = [campaign.slug, str(found.month), raised, f"{found.closed_at:%Y-%m-%dT%H:%M:%SZ}", f"head {found.head}"]
    return " ".join(parts + ([f"file {found.public_hash}"] if found.public_hash else []))


@admin.context_processor
def for_months() -> dict[str, Callable[..., Any]]:
    """What templates of the months' pages use from this module."""
    return {"months_to_close": months_to_close, "is_over": is_over}


def months_to_close(campaign: Campaign) -> list[Month]:
    """The newest months of a campaign that could be closed."""
    with reading() as session:
        return month_closing.to_close(session, campaign, settings().live, now(), OFFERED)


def is_over(campaign: Campaign, month: Month) -> bool:
    """Whether a month is over on the campaign's own clock."""
    return month < month_of(now(), campaign.time_zone)
