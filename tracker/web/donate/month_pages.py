"""Every month's result, for everybody: how it adds up, as a page and as JSON."""

from flask import Blueprint, Response, jsonify, render_template

from tracker.giving.bar import Bar
from tracker.ledger import results
from tracker.ledger.results import MonthResult
from tracker.ledger.store import reading
from tracker.web.languages import bar_for_readers, choose_language, for_readers
from tracker.web.site import button_url, campaign_or_404, month_or_404, now, settings

bp = Blueprint("months", __name__)


@bp.get("/c/<slug>/months")
def every(slug: str) -> str:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        found = results.results(connection, campaign, settings().live, now())
    choose_language(campaign)
    return render_template("donate/months.html", campaign=for_readers(campaign), results=found)


@bp.get("/c/<slug>/months.json")
def data(slug: str) -> Response:
    campaign = campaign_or_404(slug)
    with reading() as connection:
        found = results.results(connection, campaign, settings().live, now())
    response = jsonify(
        {
            "version": 1,
            "campaign": campaign.slug,
            "currency": campaign.currency,
            "time_zone": campaign.time_zone,
            "months": [_as_json(one) for one in found],
        }
    )
    response.headers["Access-Control-Allow-Origin"] = "*"
    response.headers["Cross-Origin-Resource-Policy"] = "cross-origin"
    response.headers["Cache-Control"] = "public, no-cache"
    return response


def _as_json(one: MonthResult) -> dict[str, object]:
    """A month's result; amounts in the smallest unit. Its names are a contract (docs/embed.md)."""
    sums = one.sums
    # Months without yearly gifts do not name them: those that were closed before there were any stay as they are.
    yearly = {"yearly": sums.yearly} if sums.yearly else {}
    return {
        "month": str(one.month),
        "goal": one.goal,
        "raised": sums.raised,
        "once": sums.once,
        "monthly": sums.monthly,
        **yearly,
        "offline": sums.offline,
        "refunds": sums.refunds,
        "disputes": sums.disputes,
        "gifts": sums.gifts,
        "closed": one.closed,
    }


@bp.get("/c/<slug>/months/<month>")
def one(slug: str, month: str) -> str:
    campaign = campaign_or_404(slug)
    moment = now()
    wanted = month_or_404(month, campaign, moment)
    with reading() as connection:
        found = results.result(connection, campaign, wanted, settings().live)
        others = results.other_currencies(connection, campaign, wanted, settings().live)
        corrections = results.corrections(connection, campaign, wanted, settings().live)
    then = found.campaign_then(campaign)
    choose_language(then)
    campaign = for_readers(then)
    bar = Bar(
        campaign, found.month, found.progress, found.sums.gifts, button_url(campaign), found.closed_at or moment,
        people=found.people,
    )  # fmt: skip
    return render_template(
        "donate/month.html",
        campaign=campaign,
        result=found,
        bar=bar_for_readers(bar),
        others=others,
        corrections=corrections,
    )
