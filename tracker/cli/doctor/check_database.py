"""The doctor at the database: can it be written, what came and what did not, who serves from it, and do the sums hold."""

from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.orm import Session

from tracker.cli.doctor import check_notices
from tracker.cli.doctor.check_stripe import Stripe, newest_events, old_endpoints
from tracker.cli.doctor.findings import NGINX, Finding, ago, on
from tracker.settings import Settings

Events = list[tuple[datetime, Any]] | None
QUIET = timedelta(days=7)
ON_ITS_WAY = timedelta(minutes=10)
# Until when Stripe has told what nearly everything came to.
FEES_BY = timedelta(days=1)
VERSIONS_OF = timedelta(days=7)
REFUSED_OF = timedelta(days=7)
# Whoever knows Stripe's header can send these; what Stripe signs with another secret looks the same.
BY_SIGNATURE = ("the signature does not match", "signed too long ago, or in the future")


def findings(settings: Settings, now: datetime, stripe: Stripe, route: Any, *, everything: bool) -> Iterator[Finding]:
    from tracker.ledger import installation, store

    with store.reading() as session:
        yield from _settings(session)
    problem = store.schema_problem()
    if problem:
        yield Finding("error", "database-schema", problem)
        return
    yield Finding("ok", "database-schema", "The schema is this program's.")
    yield _write()
    with store.reading() as session:
        mark = installation.mark(session)
    yield from old_endpoints(settings, stripe, mark)
    events, said = newest_events(settings, stripe, mark)
    yield from said
    with store.reading() as session:
        yield from _nodes(session, settings, now, route)
        yield from _limits(session, settings, now)
        yield from _card_testing(session, settings.live)
        yield from _webhooks(session, settings, now, events)
        yield from _waiting(session, settings.live)
        yield from _fees(session, settings.live, now)
        yield from _proof(session, everything)
        yield from _newsroom(session)
        yield from _way_to_end(session, settings)
        yield from check_notices.findings(session, settings)


def _settings(session: Session) -> Iterator[Finding]:
    from tracker.ledger import diagnostics

    for kept in diagnostics.settings(session):
        if kept.is_good:
            yield Finding("ok", "database-settings", f"The database has {kept.name} = {kept.value}.")
        else:
            good = " or ".join(kept.good)
            text = f"The database has {kept.name} = {kept.value}: a power cut may cost gifts. Set it to {good}."
            yield Finding("error", "database-settings", text)


def _write() -> Finding:
    from tracker.ledger import database_errors, store

    try:
        store.try_write()
    except SQLAlchemyError as error:
        return Finding("error", "database-write", f"No gift can be written. {database_errors.in_words(error)}")
    return Finding("ok", "database-write", "The database takes writes.")


# --- Who serves -------------------------------------------------------------------------------------------------------


def _nodes(session: Session, settings: Settings, now: datetime, route: Any) -> Iterator[Finding]:
    from tracker.ledger import nodes
    from tracker.web.heartbeat import GONE

    running = [one for one in nodes.every(session, now - GONE) if not one.ended]
    others = sorted({one.host for one in running if one.key_mark != settings.key_mark})
    if others:
        text = f"Processes on {', '.join(others)} have a different secret key from this one: give all the same TRACKER_SECRET_KEY."
        yield Finding("error", "nodes", text)
    elif len({one.version for one in running}) > 1:
        versions = ", ".join(sorted({one.version for one in running}))
        yield Finding(
            "warning", "nodes", f"Several versions are running side by side ({versions}): restart the older ones."
        )
    elif running:
        text = (
            "1 process serves from this database."
            if len(running) == 1
            else f"{len(running)} processes serve from this database, all with the same secret key."
        )
        yield Finding("ok", "nodes", text)
    yield from _seen_in_front(running, settings, route)


def _seen_in_front(running: list[Any], settings: Settings, route: Any) -> Iterator[Finding]:
    """How requests came, as the running processes noticed. What the doctor's own question showed is surer."""
    from tracker.web.heartbeat import AS_TOLD

    seen: dict[str, int] = {}
    for one in running:
        if one.noted["proxies"]["told"] == settings.proxies:
            for how, count in one.noted["proxies"]["seen"].items():
                seen[how] = seen.get(how, 0) + count
    otherwise = {how: count for how, count in seen.items() if how != AS_TOLD}
    if sum(otherwise.values()) <= seen.get(AS_TOLD, 0):
        return
    most = max(otherwise, key=lambda how: otherwise[how])
    what = {
        "silent": f"without an address in X-Forwarded-For: have the proxy in front set it ({NGINX})",
        "junk": f"with something in X-Forwarded-For that is not an address: have the proxy set it as in {NGINX}",
    }.get(most, f"through {most} {'proxy' if most == '1' else 'proxies'}: set TRACKER_PROXIES={most}")
    told = "one on this machine" if settings.proxies is None else settings.proxies
    text = f"TRACKER_PROXIES says {told}, and {otherwise[most]} of {sum(seen.values())} requests came {what}."
    yield Finding("warning" if route else "error", "proxies-seen", text)


def _limits(session: Session, settings: Settings, now: datetime) -> Iterator[Finding]:
    from tracker.ledger import nodes
    from tracker.web.heartbeat import GONE
    from tracker.web.rate_limits import limiter

    if settings.limits_url.startswith("memory:"):
        apart = [one for one in nodes.every(session, now - GONE) if not one.ended and one.limits == "memory"]
        if len(apart) > 1:
            text = (
                f"{len(apart)} processes each count rate limits separately, so all limits are {len(apart)} times as wide, and "
                "a task that a browser solved can be used once at each: set TRACKER_LIMITS_URL to a store they share."
            )
            yield Finding("warning", "rate-limits", text)
        else:
            yield Finding("ok", "rate-limits", "Rate limits are counted in memory, by one process.")
    elif limiter.storage.check():
        yield Finding("ok", "rate-limits", "Rate limits are counted in a store that answers.")
    else:
        text = "The store in TRACKER_LIMITS_URL does not answer: until it does, each process counts separately."
        yield Finding("error", "rate-limits", text)


def _card_testing(session: Session, live: bool) -> Iterator[Finding]:
    from tracker.ledger import checkout_counts

    found = checkout_counts.protections(session, live)
    for slug, one in sorted(found.items()):
        if one.began_at:
            text = f"Cards seem to be tested at “{slug}” since {on(one.began_at)} ({one.sign}): see “Protection” in the admin."
            yield Finding("warning", "card-testing", text)
        if one.switch == "off":
            text = f"The protection of “{slug}” is switched off: nobody is asked for a task when cards are tested."
            yield Finding("warning", "card-testing", text)
    if not any(one.began_at for one in found.values()):
        yield Finding("ok", "card-testing", "Nothing looks as if cards were being tested.")


# --- What came --------------------------------------------------------------------------------------------------------


def _webhooks(session: Session, settings: Settings, now: datetime, events: Events) -> Iterator[Finding]:
    from tracker.gateway.webhook_endpoints import API_VERSION
    from tracker.ledger import diagnostics

    last = diagnostics.last_delivery(session, settings.live)
    refused = _refused(session, now, last)
    missing = _never_came(session, now, events, at_once=refused is not None)
    yield from _last(last, now, events)
    if refused:
        yield _refusals(refused, missing)
    if missing:
        yield _undelivered(session, missing, last)
    elif missing is not None and events:
        yield Finding("ok", "undelivered-events", "All of Stripe's events from the last few days have arrived.")
    found = diagnostics.versions(session, settings.live, now - VERSIONS_OF)
    others = {name: count for name, count in found.items() if name != API_VERSION}
    if others:
        listed = ", ".join(f"{count} in {name or 'no version'}" for name, count in sorted(others.items()))
        text = f"Events from the last week arrived in versions other than {API_VERSION}: {listed}."
        yield Finding("warning", "webhook-versions", text)


def _last(last: datetime | None, now: datetime, events: Events) -> Iterator[Finding]:
    known = events is not None
    if last is None:
        if known and not events:
            yield Finding("ok", "last-webhook", "No webhook has arrived yet, and Stripe has reported nothing.")
        else:
            text = "No signed webhook has arrived yet: make a gift, or send an event from Stripe's Dashboard."
            yield Finding("warning", "last-webhook", text)
        return
    # A quiet week is no fault where Stripe has told of nothing.
    quiet = now - last > QUIET and (not known or bool(events))
    text = f"The last signed webhook arrived {ago(now - last)}, on {on(last)}."
    yield Finding("warning" if quiet else "ok", "last-webhook", text)


def _refused(session: Session, now: datetime, last: datetime | None) -> dict[str, Any] | None:
    """What was refused for its signature since the last good one: how many, since when, the newest, and why."""
    from tracker.ledger import nodes

    found = [
        kept
        | {
            "why": reason,
            "since": datetime.fromisoformat(kept["since"]),
            "newest": datetime.fromisoformat(kept["newest"]),
        }
        for one in nodes.every(session, now - REFUSED_OF)
        for reason, kept in one.noted["refused"].items()
        if reason in BY_SIGNATURE
    ]
    found = [one for one in found if last is None or one["newest"] > last]
    if not found:
        return None
    newest = max(found, key=lambda one: one["newest"])
    return newest | {"count": sum(one["count"] for one in found), "since": min(one["since"] for one in found)}


def _never_came(session: Session, now: datetime, events: Events, *, at_once: bool) -> list[tuple[datetime, Any]] | None:
    """The events that Stripe told of and that never came here; None where it could not be asked."""
    from tracker.ledger import diagnostics

    if events is None:
        return None
    due = [(at, found) for at, found in events if at_once or now - at >= ON_ITS_WAY]
    came = diagnostics.came(session, [found.id for _, found in due])
    return [(at, found) for at, found in due if found.id not in came]


def _refusals(refused: dict[str, Any], missing: list[Any] | None) -> Finding:
    were = "webhook was" if refused["count"] == 1 else "webhooks were"
    number = f"{refused['count']} {were} refused since {on(refused['since'])}"
    why = f"the newest on {on(refused['newest'])}: {refused['why']}"
    if missing == []:
        text = f"{number}, {why}. None was Stripe's: all of its own events arrived."
        return Finding("ok", "refused-webhooks", text)
    text = f"{number}, {why}. Copy the endpoint's signing secret from Stripe into STRIPE_WEBHOOK_SECRET, and check the clock."
    return Finding("error", "refused-webhooks", text)


def _undelivered(session: Session, missing: list[tuple[datetime, Any]], last: datetime | None) -> Finding:
    from tracker.reconcile.compare import Comparer

    comparer = Comparer()
    counts = [
        any(comparer.compare(session, fact).standing in ("missing", "waiting") for fact in found.facts)
        for _, found in reversed(missing)
    ]
    oldest, newest = missing[-1][0], missing[0][0]
    number = f"{len(missing)} {'event' if len(missing) == 1 else 'events'} from Stripe never arrived, the newest on {on(newest)}"
    if any(counts):
        text = f"{number}. Gifts or refunds are missing: run “tracker sync --since {oldest:%Y-%m-%d}”."
        return Finding("error", "undelivered-events", text)
    if last and last > newest:
        text = f"{number}. The ledger has everything they report, and later ones arrived."
        return Finding("ok", "undelivered-events", text)
    text = (
        f"{number}, and none since. Check that Stripe can reach this server: firewalls and bot protection can block it."
    )
    return Finding("warning", "undelivered-events", text)


def _waiting(session: Session, live: bool) -> Iterator[Finding]:
    from tracker.ledger import diagnostics

    found = diagnostics.still_waiting(session, live)
    if not found.facts or found.oldest is None:
        yield Finding("ok", "waiting", "Nothing is waiting for its gift or campaign.")
        return
    day = f"{found.oldest:%Y-%m-%d}"
    text = (
        f"Waiting for their gift or campaign: {found.facts}, the oldest since {day}, reported by {found.deliveries} webhooks. "
        f"They may belong to another product on the account; “tracker sync --since {day}” finds out."
    )
    yield Finding("warning", "waiting", text)


def _fees(session: Session, live: bool, now: datetime) -> Iterator[Finding]:
    from tracker.ledger import balance_transactions

    number, oldest = balance_transactions.without(session, live, now - FEES_BY)
    if not number or oldest is None:
        yield Finding("ok", "fees", "Every entry that Stripe settles has its fee and net.")
        return
    text = (
        f"Without fee and net after a day: {number} {'entry' if number == 1 else 'entries'}, the oldest from {oldest:%Y-%m-%d}. "
        f"A direct debit can take longer; “tracker sync --since {oldest:%Y-%m-%d}” asks Stripe for them."
    )
    yield Finding("warning", "fees", text)


# --- What is in it ----------------------------------------------------------------------------------------------------


def _proof(session: Session, everything: bool) -> Iterator[Finding]:
    from tracker.ledger import appeals, breakdowns, month_closing, settled_totals

    wrong = len(month_closing.differences(session)) + len(appeals.differences(session))
    if everything:
        wrong += breakdowns.differences(session) + settled_totals.differences(session)
    if wrong:
        text = f"Totals that are not the sum of their entries: {wrong}. Run “tracker rebuild”."
        yield Finding("error", "totals", text)
    else:
        yield Finding("ok", "totals", "Every total is the sum of its entries.")
    if everything:
        tampered = month_closing.tampered(session)
        yield from (Finding("error", "entries", sentence) for sentence in tampered)
        if not tampered:
            yield Finding("ok", "entries", "Every entry is unchanged.")


def _newsroom(session: Session) -> Iterator[Finding]:
    from tracker.ledger import campaigns, diagnostics

    every = campaigns.every(session)
    if every:
        yield Finding(
            "ok", "campaigns", f"Campaigns: {', '.join(one.slug for one in every[:5])}{' …' if every[5:] else ''}."
        )
    else:
        yield Finding("error", "campaigns", "There is no campaign, so nobody can give: run “tracker campaign set”.")
    if accounts := diagnostics.accounts(session):
        yield Finding("ok", "accounts", f"{accounts} {'person' if accounts == 1 else 'people'} may sign in.")
    else:
        yield Finding("warning", "accounts", "Nobody may sign in yet: run “tracker admin create”.")


def _way_to_end(session: Session, settings: Settings) -> Iterator[Finding]:
    """Whether somebody who gives every month can find out how to stop."""
    from tracker.ledger import campaigns

    slugs = [one.slug for one in campaigns.every(session) if one.monthly or one.yearly]
    if not slugs or settings.portal_login:
        return
    if settings.contact:
        text = f"Supporters write to {settings.contact} to end a regular gift; “tracker portal setup” lets them do it alone."
        yield Finding("ok", "regular-gifts", text)
    else:
        text = (
            f"Regular gifts are offered ({', '.join(slugs[:5])}{' …' if slugs[5:] else ''}), and there is no way to end one: "
            "run “tracker portal setup”, or set TRACKER_CONTACT."
        )
        yield Finding("warning", "regular-gifts", text)
