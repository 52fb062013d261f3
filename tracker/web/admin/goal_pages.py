"""Every goal of a campaign, month by month, and who set each of them."""

from dataclasses import dataclass

from flask import render_template

from tracker.giving.months import Month, month_of, parse_month
from tracker.ledger import audit_log, campaigns
from tracker.ledger.audit_log import Filter
from tracker.ledger.store import reading
from tracker.web.admin.blueprint import admin
from tracker.web.admin.months_admin import GoalForm
from tracker.web.site import campaign_or_404, now


@dataclass(frozen=True)
class Listed:
    """A goal in the list. One that `stands` applies until the next one that does."""

    month: Month
    amount: int
    stands: bool


@admin.get("/c/<slug>/goals")
def goals(slug: str) -> str:
    campaign = campaign_or_404(slug)
    current = month_of(now(), campaign.time_zone)
    with reading() as session:
        kept = campaigns.goals(session, slug)
        lines = audit_log.lines(session, Filter(campaign=slug, action="goal.set"))
    found = [Listed(parse_month(month), amount, False) for month, amount in kept.alone.items()]
    found += [Listed(parse_month(month), amount, True) for month, amount in kept.standing]
    found.sort(key=lambda one: (str(one.month), one.stands), reverse=True)
    return render_template(
        "admin/goals.html", campaign=campaign, goals=found, lines=lines, current=current, now_is=kept.of(current),
        form=GoalForm(campaign, month=current, stands="no"),
    )  # fmt: skip
