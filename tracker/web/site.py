"""What every page needs: the settings, the gateway, the time, and the campaign that an address names."""

from dataclasses import replace
from datetime import UTC, datetime
from importlib.metadata import version
from typing import cast
from urllib.parse import quote

from flask import abort, current_app, request
from sqlalchemy.orm import Session

from tracker.gateway.checkout import Gateway
from tracker.gateway.personal_data import PersonLookup
from tracker.gateway.stripe_history import History
from tracker.giving.bar import Bar
from tracker.giving.bar_style import read_bar_style, read_source
from tracker.giving.campaign import Campaign
from tracker.giving.drives import NOTHING_RUNS
from tracker.giving.months import Month, month_of, parse_month
from tracker.giving.way_back import read_back
from tracker.ledger import appeals, campaigns, installation, results, subscriptions
from tracker.ledger.store import reading
from tracker.settings import Settings

VERSION = version("pledgebar")


def settings() -> Settings:
    return cast(Settings, current_app.extensions["settings"])


def gateway() -> Gateway | None:
    """Stripe; None while no key is set, when nothing can be given."""
    made = current_app.extensions
    if "gateway" not in made and settings().stripe_secret_key:
        this = settings()
        # Made at the first use and so after forking: its thread and connections belong to one process.
        made["gateway"] = Gateway(
            this.stripe_secret_key,
            api_base=this.stripe_api_base,
            public_url=this.public_url,
            newsroom=this.newsroom,
            at_once=this.checkouts_at_once + this.checkouts_kept,
            version=VERSION,
            mark=mark(),
        )
    return cast(Gateway | None, made.get("gateway"))


def history() -> History:
    """What Stripe knows, for what the hook is only told by name."""
    this = settings()
    return History(this.stripe_secret_key, api_base=this.stripe_api_base, version=VERSION, mark=mark())


def person_lookup() -> PersonLookup:
    """Looks up who gave what, for people who want to know or erase what is kept about them."""
    this = settings()
    return PersonLookup(this.stripe_secret_key, api_base=this.stripe_api_base, version=VERSION, mark=mark())


def mark() -> str:
    """What tells this installation from others on the same Stripe account; read once in each process."""
    made = current_app.extensions
    if "mark" not in made:
        with reading() as connection:
            made["mark"] = installation.mark(connection)
    return cast(str, made["mark"])


def now() -> datetime:
    """The moment of this request. The rooms below take it as an argument."""
    return datetime.now(UTC)


def campaign_or_404(slug: str) -> Campaign:
    with reading() as connection:
        found = campaigns.find(connection, slug)
    return found or abort(404)


def month_or_404(text: str, campaign: Campaign, moment: datetime) -> Month:
    """The month that an address names, if it is one that the campaign has."""
    try:
        month = parse_month(text)
    except ValueError:
        abort(404)
    with reading() as connection:
        return month if has_month(connection, campaign, month, moment) else abort(404)


def has_month(connection: Session, campaign: Campaign, month: Month, moment: datetime) -> bool:
    """Whether a month is neither before a campaign's first nor still to come."""
    first, last = _first_and_last(connection, campaign, moment)
    return first <= month <= last


def neighbours(
    connection: Session, campaign: Campaign, month: Month, moment: datetime
) -> tuple[Month | None, Month | None]:  # fmt: skip
    """The months before and after one of the campaign's, where it has them."""
    first, last = _first_and_last(connection, campaign, moment)
    return month.previous if first < month else None, month.next if month < last else None


def _first_and_last(connection: Session, campaign: Campaign, moment: datetime) -> tuple[Month, Month]:
    """A campaign that is over shows an old month, and still has later ones: gifts go on for a while, and refunds."""
    last = max(results.shown_month(campaign, moment), month_of(moment, campaign.time_zone))
    return results.first_month(connection, campaign, settings().live, moment), last


def bar_of(connection: Session, campaign: Campaign, moment: datetime, month: Month | None = None) -> Bar:
    """The campaign's bar at this moment: what it shows now, or a month that is asked for by name."""
    shown = results.shown_month(campaign, moment)
    found = results.result(connection, campaign, month or shown, settings().live)
    committed = subscriptions.still_to_come(connection, campaign, found.month, settings().live, moment)
    # A closed month is as it was when it was closed, to the byte.
    as_of = found.closed_at or moment
    then = found.campaign_then(campaign)
    # A month is a month, also while a drive runs; and a campaign that is over has none.
    goes_on = month is None and not campaign.held_month
    running = appeals.current(connection, campaign, settings().live, moment) if goes_on else NOTHING_RUNS
    bar = Bar(
        # A month that is over is not paused.
        then if found.month == shown else replace(then, paused=False),
        found.month,
        found.progress,
        found.sums.gifts,
        button_url(campaign),
        as_of,
        committed,
        appeals=running,
        people=found.people,
    )
    return replace(bar, days_left=bar.days_to_go(moment))


def button_url(campaign: Campaign) -> str:
    """Where the bar's button leads."""
    return f"{settings().public_url}/go/{campaign.slug}"


def with_source(address: str, campaign: Campaign) -> str:
    """An address with the article, the place on it, the language and the way back that this request's own address names."""
    query = came_from(campaign)
    return address + (f"?{query}" if query else "")


def came_from(campaign: Campaign) -> str:
    """`src`, `pos`, `lang` and `back` of this request as a query, cut to what is carried on."""
    carried = read_source(request.args) | {"lang": read_bar_style(request.args).lang.replace("_", "-")}
    # Nearly every request is without it, and each is in a hurry.
    if "back" in request.args:
        carried["back"] = read_back(request.args["back"], campaign.allowed_hosts)
    return "&".join(f"{name}={quote(text)}" for name, text in carried.items() if text)
