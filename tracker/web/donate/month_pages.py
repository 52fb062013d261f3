"""Every month's result, for everybody: how it adds up and its lines, as pages, JSON, CSV and a feed."""

import re
from collections.abc import Iterator
from datetime import datetime
from typing import NamedTuple

from babel.dates import format_skeleton
from flask import Blueprint, Flask, Response, current_app, jsonify, make_response, render_template, request
from sqlalchemy.orm import Session

from tracker.giving.bar import Bar
from tracker.giving.campaign import Campaign
from tracker.giving.money import exponent, to_main
from tracker.giving.months import Month
from tracker.ledger import public_lines, results
from tracker.ledger.results import MonthResult
from tracker.ledger.store import reading
from tracker.web.gates import leave_gate
from tracker.web.languages import bar_for_readers, choose_language, for_readers
from tracker.web.rate_limits import check_limit
from tracker.web.site import button_url, campaign_or_404, month_or_404, neighbours, now, settings

bp = Blueprint("months", __name__)

# Nobody reads a longer page; the file has them all.
MOST_LINES = 100
# How often one address may have a file: a month of a large newsroom takes seconds to write.
FILES_LIMIT = "60 per hour"


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
    return _open_to_all(response)


def _open_to_all(response: Response) -> Response:
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


# --- One month --------------------------------------------------------------------------------------------------------


class Around(NamedTuple):
    """What is told beside a closed month's own page, since it may still change."""

    previous: Month | None
    next: Month | None
    later: dict[Month, int]
    """What came for this month after it was closed, by the month that it is booked in."""


@bp.get("/c/<slug>/months/<month>")
def one(slug: str, month: str) -> str:
    campaign = campaign_or_404(slug)
    moment, live = now(), settings().live
    wanted = month_or_404(month, campaign, moment)
    with reading() as connection:
        found = results.result(connection, campaign, wanted, live)
        others = results.other_currencies(connection, campaign, wanted, live)
        corrections = results.corrections(connection, campaign, wanted, live)
        then = found.campaign_then(campaign)
        lines = public_lines.newest(connection, then, wanted, live, MOST_LINES + 1)
        around = _around(connection, campaign, found, moment)
    bar = _speaking(then, found, moment)
    return render_template(
        "donate/month.html", campaign=bar.campaign, result=found, bar=bar, others=others, corrections=corrections,
        lines=lines[:MOST_LINES], more_lines=len(lines) > MOST_LINES, day=_day, around=around,
    )  # fmt: skip


def _around(session: Session, campaign: Campaign, found: MonthResult, moment: datetime) -> Around:
    month = found.month
    later = public_lines.corrected_later(session, campaign, month, settings().live) if found.closed else {}
    return Around(*neighbours(session, campaign, month, moment), later)


def _speaking(then: Campaign, found: MonthResult, moment: datetime) -> Bar:
    """The month's bar in the language of this page, which is chosen here."""
    choose_language(then)
    as_of = found.closed_at or moment
    bar = Bar(then, found.month, found.progress, found.sums.gifts, button_url(then), as_of, people=found.people)
    return bar_for_readers(bar)


def _day(line: public_lines.Line, locale: str) -> str:
    """`May 14`."""
    return str(format_skeleton("MMMd", line.day, locale=locale))


@bp.get("/c/<slug>/months/<month>.csv")
def lines(slug: str, month: str) -> Response:
    """Every line of the month as a file. A closed month's is the same for ever, to the byte."""
    campaign = campaign_or_404(slug)
    wanted = month_or_404(month, campaign, now())
    with reading() as connection:
        found = results.result(connection, campaign, wanted, settings().live)
    then = found.campaign_then(campaign)
    if found.public_hash and request.if_none_match.contains_weak(found.public_hash):
        return _file(b"", found, 304)
    check_limit(FILES_LIMIT, "months")
    # A slow line must keep neither a place nor the database from others.
    leave_gate()
    app: Flask = current_app._get_current_object()  # type: ignore[attr-defined]
    response = _file(_parts(app, then, wanted, settings().live), found, 200)
    response.headers.set("Content-Disposition", "attachment", filename=f"{campaign.slug}-{wanted}.csv")
    return response


def _file(body: bytes | Iterator[bytes], found: MonthResult, status: int) -> Response:
    response = Response(body, status, content_type="text/csv; charset=utf-8")
    if found.public_hash:
        response.set_etag(found.public_hash)
    return _open_to_all(response)


def _parts(app: Flask, campaign: Campaign, month: Month, live: bool) -> Iterator[bytes]:
    """The file in parts, each read in a transaction of its own, since the request is over by then."""
    last = 0
    part = public_lines.CSV_HEAD
    while part:
        yield part
        with app.app_context(), reading() as connection:
            part, last = public_lines.csv_part(connection, campaign, month, live, last)


@bp.get("/c/<slug>/months/<month>/check")
def check(slug: str, month: str) -> str:
    """How anybody can check a month's number, and what that shows and does not show."""
    campaign = campaign_or_404(slug)
    moment = now()
    wanted = month_or_404(month, campaign, moment)
    with reading() as connection:
        found = results.result(connection, campaign, wanted, settings().live)
    bar = _speaking(found.campaign_then(campaign), found, moment)
    currency = campaign.currency
    return render_template(
        "donate/check.html", campaign=bar.campaign, result=found, bar=bar, decimals=exponent(currency),
        expected=to_main(found.sums.raised, currency),
    )  # fmt: skip


# --- The feed ---------------------------------------------------------------------------------------------------------


@bp.get("/c/<slug>/months.atom")
def feed(slug: str) -> Response:
    """An Atom feed (RFC 4287): an entry for each month, new whenever something was added to it."""
    campaign = campaign_or_404(slug)
    moment = now()
    with reading() as connection:
        found = results.results(connection, campaign, settings().live, moment)
        changed = public_lines.changed(connection, campaign, settings().live)
    entries = [
        (one, _speaking(one.campaign_then(campaign), one, moment), _updated(one, campaign, changed)) for one in found
    ]
    choose_language(campaign)
    xml = render_template(
        "donate/months_feed.xml", campaign=for_readers(campaign), entries=entries,
        updated=max(updated for _, _, updated in entries),
    )  # fmt: skip
    # XML has no way to write most control characters, not even escaped.
    response = make_response(re.sub(r"[\x00-\x08\x0b\x0c\x0e-\x1f\ufffe\uffff]", "", xml))
    response.content_type = "application/atom+xml; charset=utf-8"
    return _open_to_all(response)


def _updated(one: MonthResult, campaign: Campaign, changed: dict[str, datetime]) -> datetime:
    """When the month's number changed last: of one without any entry, when it began."""
    begun = one.month.first_moment(campaign.time_zone)
    return max(found for found in (changed.get(str(one.month)), one.closed_at, begun) if found)
