"""Looks up in the book what the rules of notices need, and asks them what is due. It only reads."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from datetime import datetime

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from tracker.giving import notice_rules as rules
from tracker.giving.alerts import Notice as StripesNotice
from tracker.giving.campaign import Campaign
from tracker.giving.months import month_of
from tracker.giving.notice_rules import Due
from tracker.ledger import appeals, closing_checks, diagnostics, month_closing, needs_attention, results, sync_runs
from tracker.ledger.checkout_counts import checkout_count
from tracker.ledger.models import support


def soon(
    session: Session, campaigns: Iterable[Campaign], wanted: Collection[str], live: bool, now: datetime
) -> Iterator[Due]:
    """What costs little to look up, of the kinds that somebody wants."""
    campaigns = [one for one in campaigns if not one.archived]
    for campaign in campaigns if "goal_reached" in wanted else ():
        if not campaign.held_month:
            yield from _goals(session, campaign, live, now)
    if "webhook_silent" in wanted:
        last = diagnostics.last_delivery(session, live)
        yield from rules.webhook_silent(last, _expected(session, live, last, now), now)
    if "sync_failed" in wanted and (run := sync_runs.newest(session, live)):
        yield from rules.sync_failed(run.began_at, run.wrong, run.untied)
    if "weekly" in wanted and campaigns:
        # The newsroom's own clock: that of the first campaign that takes gifts.
        yield from rules.weekly(campaigns[0].time_zone, now)


def _goals(session: Session, campaign: Campaign, live: bool, now: datetime) -> Iterator[Due]:
    for month in rules.months_to_look_at(campaign.time_zone, now):
        found = results.result(session, campaign, month, live)
        yield from rules.goals_reached(campaign.slug, [(month, found.progress)])
        yield from rules.people_reached(campaign.slug, month, found.sums.gifts, found.people)
    if campaign.has_appeals:
        yield from rules.drives_reached(campaign.slug, appeals.every(session, campaign, live), now)


def _expected(session: Session, live: bool, last: datetime | None, now: datetime) -> datetime | None:
    """The first moment after the last delivery at which Stripe should have had something to tell; None if there was none.

    A checkout was opened, which is paid or expires; or a subscription was due to be charged.
    """
    opened = select(func.min(checkout_count.c.minute)).where(checkout_count.c.live == live, checkout_count.c.opened > 0)
    charged = select(func.min(support.c.next_charge)).where(
        support.c.live == live, support.c.state == "active", support.c.next_charge <= now,
        or_(support.c.ends.is_(None), support.c.ends > support.c.next_charge),
    )  # fmt: skip
    if last is not None:
        opened, charged = opened.where(checkout_count.c.minute > last), charged.where(support.c.next_charge > last)
    moments = [session.scalar(opened), session.scalar(charged)]
    return min((one for one in moments if one is not None), default=None)


def later(
    session: Session, campaigns: Iterable[Campaign], wanted: Collection[str], live: bool, now: datetime,
    said: Sequence[StripesNotice],
) -> Iterator[Due]:  # fmt: skip
    """What takes longer to look up, and can wait for an hour. `said` is what Stripe's deliveries told of disputes."""
    for campaign in campaigns:
        if campaign.archived:
            continue
        if "dispute_due" in wanted:
            disputes = needs_attention.noticed(session, campaign.id, live, said)
            yield from rules.disputes_due(campaign.slug, disputes, now)
        if "month_ready" in wanted:
            yield from _month_ready(session, campaign, live, now)


def _month_ready(session: Session, campaign: Campaign, live: bool, now: datetime) -> Iterator[Due]:
    last = month_of(now, campaign.time_zone).previous
    if last in month_closing.to_close(session, campaign, live, now, 1):
        checks = closing_checks.check(session, campaign, last, live, now)
        yield from rules.month_ready(campaign.slug, last, all_good=checks.all_good)
