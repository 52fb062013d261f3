"""One month on one page: how it stands, its pace, where it came from, and its money to the cent. The running month first."""

from datetime import datetime

from flask import render_template
from sqlalchemy.orm import Session

from tracker.gateway.notices import NOTICED_BY, notice_of
from tracker.giving.alerts import Alert
from tracker.giving.campaign import Campaign
from tracker.giving.months import Month, month_of
from tracker.giving.pace import percent_ahead
from tracker.ledger import breakdowns, month_figures, month_money, needs_attention, public_lines, results, visits
from tracker.ledger.store import reading
from tracker.web.admin import pace_chart
from tracker.web.admin.blueprint import admin
from tracker.web.site import campaign_or_404, month_or_404, neighbours, now, settings

# Nobody reads a longer page; the file has them all.
MOST_ROWS = 100
MOST_PLACES = 100


@admin.get("/c/<slug>/month")
def running_month(slug: str) -> str:
    """The month that the bar shows now: the first page that opens."""
    campaign, moment = campaign_or_404(slug), now()
    return _month(campaign, results.shown_month(campaign, moment), moment)


@admin.get("/c/<slug>/months/<month>")
def month(slug: str, month: str) -> str:
    campaign, moment = campaign_or_404(slug), now()
    return _month(campaign, month_or_404(month, campaign, moment), moment)


def _month(campaign: Campaign, wanted: Month, moment: datetime) -> str:
    live = settings().live
    # The kept sums may be far behind, such as after an import: then they are brought up to date first, not while reading.
    breakdowns.keep_up(enough=breakdowns.TOO_MANY)
    with reading() as session:
        figures = month_figures.figures(session, campaign, wanted, live, moment)
        places = visits.by_place(session, campaign, wanted, live, figures.broken)
        money = figures.own.money
        rows = results.entries(session, campaign, wanted, live, newest=MOST_ROWS)
        previous, following = neighbours(session, campaign, wanted, moment)
        return render_template(
            "admin/month.html",
            campaign=campaign,
            figures=figures,
            result=figures.result,
            chart=pace_chart.of_month(figures),
            unsettled=month_money.unsettled(session, campaign, wanted, live) if money.unsettled_of else [],
            matters=matters_of(session, campaign, moment) if figures.is_running else [],
            rows=rows,
            write_entry=campaign.column_of_many((row.amount, row.currency) for row in rows),
            others=results.other_currencies(session, campaign, wanted, live),
            corrections=results.corrections(session, campaign, wanted, live),
            later=public_lines.corrected_later(session, campaign, wanted, live) if figures.result.closed else {},
            places=places[:MOST_PLACES],
            more_places=len(places) - MOST_PLACES,
            positions=visits.by_variant(places),
            carriers=visits.by_carrier(session, campaign, wanted),
            previous=previous,
            next=following,
            is_now=wanted == month_of(moment, campaign.time_zone),
            percent_ahead=percent_ahead,
            as_of=moment,
            most=MOST_ROWS,
        )


def matters_of(session: Session, campaign: Campaign, moment: datetime) -> list[Alert]:
    """What needs attention in a campaign, from the book and from Stripe's reports."""
    live = settings().live
    notices = (notice_of(body) for body in needs_attention.told(session, NOTICED_BY, live, moment))
    return needs_attention.needs_attention(session, campaign, live, moment, [one for one in notices if one])
