"""Which notices are due, given how things stand and what time it is, and when a sending that failed is tried again."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from tracker.giving.alerts import Alert
from tracker.giving.drives import Appeal
from tracker.giving.goals import PeopleGoal, Progress
from tracker.giving.months import Month, month_of

KINDS = ("goal_reached", "webhook_silent", "sync_failed", "dispute_due", "month_ready", "weekly")
"""What people choose from."""

# Stripe tells of every checkout within an hour and some minutes, paid or not, and of every charge of a subscription.
ANSWERS_WITHIN = timedelta(hours=3)
# A goal may be reached in the last minute of a month, or of a drive.
LOOKS_BACK = timedelta(days=1)
DISPUTE_SOON = timedelta(days=3)
# On Monday morning; a server that was down then still sends it until Tuesday ends.
WEEKLY_AT = time(8)
WEEKLY_FOR = timedelta(hours=40)
# How long until a sending is tried again, each time it has failed: eight tries within two days. The first is longer than any
# try takes, so that none is begun while another one runs.
PAUSES = tuple(timedelta(minutes=minutes) for minutes in (5, 15, 60, 180, 360, 720, 1440))
# What could not be sent for so long, since the mail server's address was taken out of the settings, is old news.
TOO_LATE = timedelta(days=3)


@dataclass(frozen=True)
class Due:
    """A notice that is due. Kind, campaign and `about` make it one: it goes out once to each reader."""

    kind: str
    about: str
    """What it is about: a month, a dispute, a moment."""
    campaign: str = ""
    """Its slug; empty for what is about the whole installation."""
    facts: dict[str, str | int] = field(default_factory=dict)
    """What could not be looked up any more when it is sent."""
    since: datetime | None = None
    """When it became due, if those who chose it later are to wait for the next one."""


def goals_reached(campaign: str, months: Iterable[tuple[Month, Progress]]) -> Iterator[Due]:
    """A month's goal in money, once for each month."""
    for month, progress in months:
        if progress.reached:
            yield Due("goal_reached", str(month), campaign, {"what": "month"})


def people_reached(campaign: str, month: Month, gifts: int, goal: PeopleGoal | None) -> Iterator[Due]:
    """A month's goal in people."""
    if goal is not None and 0 < goal.number <= gifts:
        yield Due("goal_reached", f"{month} people", campaign, {"what": "people", "goal": goal.number})


def drives_reached(campaign: str, drives: Iterable[Appeal], now: datetime) -> Iterator[Due]:
    """The goal of a drive that runs, or ended a day ago at most."""
    for drive in drives:
        has_ended = drive.ends_at is not None and drive.ends_at < now - LOOKS_BACK
        if drive.kind == "drive" and drive.progress.reached and drive.starts_at <= now and not has_ended:
            yield Due("goal_reached", f"drive {drive.id}", campaign, {"what": "drive"})


def months_to_look_at(zone: str, now: datetime) -> list[Month]:
    """The running month, and on its first day the one before."""
    return sorted({month_of(now - LOOKS_BACK, zone), month_of(now, zone)})


def webhook_silent(last: datetime | None, expected: datetime | None, now: datetime) -> Iterator[Due]:
    """Stripe should have told of something since `expected`, and the last delivery came before. Once for each silence."""
    if expected is not None and now - expected >= ANSWERS_WITHIN:
        facts: dict[str, str | int] = {"expected": expected.isoformat()}
        if last is not None:
            facts["last"] = last.isoformat()
        yield Due("webhook_silent", last.isoformat(timespec="seconds") if last else "never", facts=facts)


def sync_failed(began: datetime, wrong: int, untied: int) -> Iterator[Due]:
    """The newest run of `tracker sync` found what is wrong, or what does not tie out. Once a day, however often it runs."""
    if wrong or untied:
        facts: dict[str, str | int] = {"began": began.isoformat(), "wrong": wrong, "untied": untied}
        yield Due("sync_failed", f"{began:%Y-%m-%d}", facts=facts)


def sync_broke_off(began: datetime, why: str) -> Due:
    """A run of `tracker sync` that could not ask Stripe to the end."""
    return Due("sync_failed", f"{began:%Y-%m-%d}", facts={"began": began.isoformat(), "why": why})


def disputes_due(campaign: str, alerts: Iterable[Alert], now: datetime) -> Iterator[Due]:
    """A dispute or an inquiry that a person has to answer: when it comes, and again three days before it is too late."""
    for alert in alerts:
        if alert.kind not in ("dispute", "inquiry") or (alert.due is not None and alert.due <= now):
            continue
        facts: dict[str, str | int] = {"kind": alert.kind, "amount": alert.amount, "currency": alert.currency}
        about = alert.stripe_id
        if alert.due is not None:
            facts["due"] = alert.due.isoformat()
            about += " soon" if alert.due - now <= DISPUTE_SOON else ""
        yield Due("dispute_due", about, campaign, facts)


def month_ready(campaign: str, month: Month, *, all_good: bool) -> Iterator[Due]:
    """A month that is over and not closed, with every point of its checklist done."""
    if all_good:
        yield Due("month_ready", str(month), campaign)


def weekly(zone: str, now: datetime) -> Iterator[Due]:
    """Once a week, on Monday morning: about the week that ended, by the Monday on which it is due."""
    local = now.astimezone(ZoneInfo(zone))
    monday = local.date() - timedelta(days=local.weekday())
    since = datetime.combine(monday, WEEKLY_AT, tzinfo=ZoneInfo(zone))
    if since <= local < since + WEEKLY_FOR:
        yield Due("weekly", str(monday), since=since)


def next_try(now: datetime, tries: int) -> datetime | None:
    """When to try once more, after so many tries; None when it is to be given up."""
    return now + PAUSES[tries - 1] if tries <= len(PAUSES) else None
