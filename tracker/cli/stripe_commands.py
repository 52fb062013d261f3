"""Stripe and the ledger: asking Stripe for everything, tying both to the cent, and registering the webhook endpoint."""

import csv
import os
import sys
from collections.abc import Callable
from datetime import UTC, datetime
from functools import wraps
from typing import Any

import click

from tracker.cli.base import Command, known, main, open_app, says_what_went_wrong, who
from tracker.giving.export_columns import harmless
from tracker.giving.money import to_main
from tracker.settings import Settings, SettingsError

WORDS = {
    "event": "events",
    "session": "gifts",
    "invoice": "monthly and yearly gifts",
    "payment": "their payments",
    "charge": "fees",
    "correction": "refunds and disputes",
    "subscription": "supporters",
    "payout": "payouts",
    "phantom": "what Stripe did not report",
}


ORDER = ("gift", "refund", "dispute", "link", "settlement", "payout", "supporter")
"""In which what is missing is listed."""


def asks_stripe(command: Command) -> Command:
    """Turns Stripe's refusals, too, into one line and exit code 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        from tracker.gateway.stripe_history import HistoryUnavailable

        try:
            command(*args, **options)
        except HistoryUnavailable as error:
            raise click.ClickException(str(error)) from None

    return says_what_went_wrong(run)  # type: ignore[return-value]


def needs_key(settings: Settings) -> None:
    if not settings.stripe_secret_key:
        raise SettingsError("STRIPE_SECRET_KEY is not set: Stripe cannot be asked without it.")


@main.command()
@click.option("--since", required=True, metavar="DATE", help="From this day on, in UTC: 2021-05-01.")
@click.option(
    "--dry-run", is_flag=True, help="Only compare, write nothing; exit with 1 when something is missing or wrong."
)
@asks_stripe
def sync(since: str, dry_run: bool) -> None:
    """Ask Stripe for everything since a day, record what is missing here, and tie both to the cent."""
    from tracker.gateway.stripe_history import HistoryUnavailable
    from tracker.ledger import audit_log
    from tracker.ledger.store import reading, writing
    from tracker.reconcile import tie_out
    from tracker.reconcile.sync import Progress, Reconciliation
    from tracker.web.site import history

    app, settings = open_app()
    needs_key(settings)
    now = datetime.now(UTC)
    day = _day(since, now)
    progress = Progress(None if dry_run else settings.instance, day)
    if progress.resumed:
        click.echo(f"Continuing where the last run was interrupted: {WORDS[progress.step]}.")
    with app.app_context(), history() as stripe:
        run = Reconciliation(
            stripe, progress, now, live=settings.live, dry_run=dry_run, tell=_bar(WORDS, sys.stderr.isatty())
        )
        try:
            report = run.run()
        except HistoryUnavailable as error:
            if not dry_run:
                _give_notice(now, str(error))
            raise
        if not dry_run:
            with writing() as session:
                found = {"since": day.date(), "recorded": sum(report.missing.values()), "wrong": len(report.wrong)}
                audit_log.note(session, who(), now, "stripe.synced", after=found)
        with reading() as session:
            months = tie_out.tie_out(session, f"{day:%Y-%m}", settings.live)
            orphans = tie_out.orphans(session, settings.live)
        # A continued run asked about its first half some time ago, and knows nothing of what has come since.
        if not dry_run and not progress.resumed:
            _keep(report, day, now, settings.live, untied=len(orphans) + sum(not month.ties for month in months))
    _say_what_was_found(report, dry_run)
    for month in months:
        _say_how_it_ties(month)
    for line in orphans:
        click.echo(f"Stripe settled {line.key}, which is not in the ledger.")
    if report.wrong:
        number = f"{len(report.wrong)} {'is' if len(report.wrong) == 1 else 'are'} wrong"
        raise click.ClickException(
            f"{number}. No entry is ever changed here: compare with a copy, and with “tracker rebuild --check”."
        )
    if orphans or not all(month.ties for month in months):
        raise click.ClickException("The ledger and Stripe's balance do not tie: the lines above say where.")
    if dry_run and sum(report.missing.values()):
        raise click.ClickException("Something is missing: run it again without --dry-run.")


def _keep(report: Any, since: datetime, began: datetime, live: bool, *, untied: int) -> None:
    """Records a completed run, for the page that closes a month."""
    from tracker.ledger import sync_runs
    from tracker.ledger.store import writing

    mended, wrong = sum(report.missing.values()), len(report.wrong)
    with writing() as session:
        run = sync_runs.SyncRun(live, since, began, datetime.now(UTC), mended, wrong, untied)
        sync_runs.keep(session, run)


def _give_notice(began: datetime, why: str) -> None:
    """For those who want to hear of a run that failed: the server sends it, or “tracker notices”."""
    from tracker.giving.notice_rules import sync_broke_off
    from tracker.ledger.store import writing
    from tracker.web.admin import notice_sender

    with writing() as session:
        notice_sender.put(session, [sync_broke_off(began, why)], began)


def _day(text: str, now: datetime) -> datetime:
    try:
        day = datetime.strptime(text, "%Y-%m-%d").replace(tzinfo=UTC)
    except ValueError:
        raise ValueError(f"--since: “{text}” is not a date. Write it as 2021-05-01.") from None
    if day > now:
        raise ValueError(f"--since: {text} is in the future.")
    if day.year < 2010:
        raise ValueError(f"--since: {text} is before there was Stripe.")
    return day


def _bar(steps: dict[str, str], somebody_looks: bool) -> Callable[[str, int], None]:
    """A bar on a terminal: which step of how many, and how much was looked at in it."""
    names = list(steps)

    def tell(step: str, count: int) -> None:
        done = names.index(step) + 1
        marks = "█" * done + "·" * (len(names) - done)
        sys.stderr.write(f"\r\033[K{marks} {steps[step]}: {count:,}" + ("\r\033[K" if step == names[-1] else ""))
        sys.stderr.flush()

    return tell if somebody_looks else lambda step, count: None


@main.command()
@click.argument("slug")
@click.option("--since", required=True, metavar="DATE", help="From this day on, in UTC: 2021-05-01.")
@asks_stripe
def newsletter(slug: str, since: str) -> None:
    """Ask Stripe who ticked the box for the newsletter of the campaign SLUG: their addresses as CSV, which are not kept here."""
    from tracker.ledger import audit_log, campaigns
    from tracker.ledger.store import reading, writing
    from tracker.web.site import history

    app, settings = open_app()
    needs_key(settings)
    now = datetime.now(UTC)
    day = _day(since, now)
    with app.app_context(), history() as stripe:
        with reading() as session:
            campaign = known(campaigns.find(session, slug), slug)
        # Stripe tells the newest first: of several gifts from one address, the day of the first stays.
        found = {email.lower(): (email, at) for at, email in stripe.newsletter(slug, day)}
        with writing() as session:
            after = {"since": day.date(), "addresses": len(found)}
            audit_log.note(session, who(), now, "newsletter.listed", campaign=slug, after=after)
    writer = csv.writer(sys.stdout, lineterminator="\r\n")
    writer.writerow(["email", "date"])
    for email, at in sorted(found.values(), key=lambda one: one[1]):
        writer.writerow([harmless(email), campaign.moment(at)[:10]])


# --- What is said -----------------------------------------------------------------------------------------------------


def _say_what_was_found(report: Any, dry_run: bool) -> None:
    looked_at = sum(count for kind, count in report.looked_at.items() if kind not in ("event", "phantom"))
    click.echo(
        f"Looked at {looked_at:,} of Stripe's objects, and {_counted(report.undelivered, 'event')} that never arrived."
    )
    for line in report.lines:
        click.echo(f"  {line}")
    shown = sum(report.missing[name] + report.waiting[name] for name in ("gift", "refund", "dispute")) - len(
        report.lines
    )
    if shown > 0:
        click.echo(f"  … and {shown:,} more gifts, refunds and disputes.")
    did = "would be recorded" if dry_run else "recorded now"
    click.echo(f"Missing: {_listed(report.missing)}" + (f"; {did}." if sum(report.missing.values()) else "."))
    if sum(report.waiting.values()):
        click.echo(f"Waiting for a campaign or a rate: {_listed(report.waiting)}.")
    click.echo(f"Wrong: {len(report.wrong) or 'nothing'}.")
    for key, words in sorted(report.wrong.items()):
        click.echo(f"  {key}: {words}")
    click.echo(f"From other products on the same account: {_listed(report.foreign)}.")


def _counted(counts: Any, one: str) -> str:
    number = sum(counts.values())
    return f"{number:,} {one}{'' if number == 1 else 's'}"


def _listed(counts: Any) -> str:
    names = sorted(counts, key=lambda name: ORDER.index(name) if name in ORDER else len(ORDER))
    return ", ".join(f"{counts[name]:,} {_plural(name, counts[name])}" for name in names if counts[name]) or "nothing"


def _plural(name: str, count: int) -> str:
    words = {"link": "links to payments", "subscription": "subscriptions"}
    return name if count == 1 else words.get(name, f"{name}s")


def _say_how_it_ties(month: Any) -> None:
    def write(amount: int, currency: str = month.currency) -> str:
        return f"{to_main(amount, currency):,}"

    click.echo(f"{month.month} {month.currency}")
    parts = [f"raised {write(month.raised)}", f"pending {write(month.pending)}"]
    parts += [f"offline {write(month.offline)}"] if month.offline else []
    parts += [f"given back outside Stripe {write(month.outside)}"] if month.outside else []
    parts += [f"not part of gifts {write(month.beyond)}"] if month.beyond else []
    click.echo("  Ledger  " + ", ".join(parts))
    for one in month.settled:
        figures = ", ".join(f"{name} {write(getattr(one, name), one.currency)}" for name in ("gross", "fee", "net"))
        ledger = f"settled {write(one.ledger)} {month.currency}"
        click.echo(f"  Stripe  {ledger}: {figures} {one.currency}")
        for payout in one.payouts:
            arrives = f"{payout.arrives:%Y-%m-%d}" if payout.arrives else "date unknown"
            click.echo(f"  Payout  {payout.key}, {arrives}: {write(payout.net, one.currency)} {one.currency}")
        click.echo(f"  Not paid out yet: {write(one.not_paid_out, one.currency)} {one.currency}")
        if one.converted:
            click.echo("  Converted by Stripe: the two sides are in different currencies.")
        else:
            click.echo(f"  Difference: {write(one.difference)}")
    for line in month.unequal:
        settled = (
            f"{write(line.settled, line.settled_in)} {line.settled_in}" if line.settled_in else write(line.settled)
        )
        click.echo(f"    {line.key}: {write(line.told)} in the ledger, {settled} settled")
    for line in month.pending_lines:
        click.echo(f"    {line.key}: {write(line.told)} not settled yet")
    if month.pending_count > len(month.pending_lines):
        click.echo(f"    … and {month.pending_count - len(month.pending_lines):,} more that are not settled yet")


# --- The webhook endpoint ---------------------------------------------------------------------------------------------


@main.group()
def webhook() -> None:
    """The address that Stripe calls."""


@webhook.command("register")
@asks_stripe
def webhook_register() -> None:
    """Register this instance's address at Stripe, in the SDK's version and with exactly the events it understands."""
    from importlib.metadata import version

    from tracker.gateway.webhook_endpoints import Endpoints, left_behind
    from tracker.ledger import audit_log, installation, store
    from tracker.settings import address_problem, keep_webhook_secret

    app, settings = open_app()
    needs_key(settings)
    url = settings.hook_url
    problem = address_problem(settings.public_url)
    if settings.live and problem:
        raise SettingsError(f"Stripe cannot reach {url}: {problem} Set TRACKER_PUBLIC_URL.")
    with app.app_context(), store.reading() as session:
        mark = installation.mark(session)
    with Endpoints(
        settings.stripe_secret_key, api_base=settings.stripe_api_base, version=version("pledgebar")
    ) as stripe:
        every = stripe.every()
        for old in left_behind(every, url, mark):
            click.echo(f"{old.id} still sends to {old.url}. If that was this installation, switch it off at Stripe.")
        there = [one for one in every if one.url == url and one.enabled]
        if there:
            _bring_up_to_date(stripe, there[0], mark)
            return
        made = stripe.register(url, mark)
    with app.app_context(), store.writing() as session:
        audit_log.note(
            session, who(), datetime.now(UTC), "stripe.webhook_registered", about=made.id, after={"url": url}
        )
    click.echo(f"Registered {url} as {made.id}, version {made.api_version}, {len(made.events)} events.")
    click.echo(f"Its signing secret, shown only once: {made.secret}")
    if os.environ.get("STRIPE_WEBHOOK_SECRET", "").strip():
        # The environment wins over the file.
        click.echo("STRIPE_WEBHOOK_SECRET is set in the environment: add this one to it after a comma.")
    else:
        file = keep_webhook_secret(settings.instance, made.secret)
        click.echo(f"Saved it in {file} as STRIPE_WEBHOOK_SECRET. If Pledgebar is running, restart it.")


def _bring_up_to_date(stripe: Any, there: Any, installation: str) -> None:
    from tracker.gateway.webhook_endpoints import API_VERSION

    click.echo(f"{there.url} is already registered as {there.id}.")
    for name in there.missing:
        click.echo(f"  It does not send {name}, which is needed.")
    for name in there.extra:
        click.echo(f"  It sends {name}, which is not needed.")
    if there.missing or there.extra:
        click.echo("From now on it sends exactly the events that are needed.")
    else:
        click.echo("Its events are right.")
    stripe.bring_up_to_date(there, installation)
    if there.api_version != API_VERSION:
        theirs = there.api_version or "the account's default"
        click.echo(
            f"Its version is {theirs}, and should be {API_VERSION}. A version cannot be changed: switch this endpoint"
        )
        click.echo(
            "off at Stripe, run this again for a new one, and put both secrets into STRIPE_WEBHOOK_SECRET meanwhile."
        )
