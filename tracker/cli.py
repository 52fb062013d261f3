"""The operator's commands. Each says what it did in a line, and exits non-zero when it did not."""

import sys
from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime
from functools import wraps
from importlib.metadata import version
from pathlib import Path
from typing import Any, TypeVar

import click
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from tracker.giving import money
from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, exponent, parse_decimal_amount
from tracker.giving.months import Month, parse_month
from tracker.settings import Settings, SettingsError, make_secret_key, read_settings

Command = TypeVar("Command", bound=Callable[..., None])


@click.group(context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.version_option(version("pledgebar"), prog_name="tracker")
def main() -> None:
    """Pledgebar: a monthly goal tracker for news sites.

    Settings come from the environment and from tracker.env in the instance folder; docs/settings.md lists them.
    Amounts are decimal, in the currency's main unit: 12.50
    """


def says_what_went_wrong(command: Command) -> Command:
    """Turns what can go wrong into one line on standard error and exit code 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        from tracker.serving import PortTaken

        try:
            command(*args, **options)
        except (SettingsError, PortTaken, ValueError) as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            raise click.ClickException(f"The database could not be used: {reason}") from None
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'A file'}: {error.strerror}") from None

    return run  # type: ignore[return-value]


def make_app(settings: Settings) -> Flask:
    """The app, for as long as the command runs. Imported here, so that --help does not wait for it."""
    from tracker import create_app
    from tracker.ledger import store

    app = create_app(settings)
    click.get_current_context().call_on_close(lambda: store.close(app))
    return app


def open_app() -> tuple[Flask, Settings]:
    """The same, over a database that is ready."""
    from tracker.ledger import store

    settings = read_settings()
    app = make_app(settings)
    with app.app_context():
        problem = store.schema_problem()
    if problem:
        raise SettingsError(problem)
    return app, settings


# --- Starting ---------------------------------------------------------------------------------------------------------


@main.command()
@says_what_went_wrong
def init() -> None:
    """Make the instance folder, its secret key and the database, or bring them up to date."""
    from tracker.ledger import store

    settings = read_settings()
    settings.instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    if not settings.secret_key and make_secret_key(settings.instance):
        click.echo(f"Made a secret key in {settings.instance / 'secret_key'}: keep a copy, sessions depend on it.")
    example = settings.instance / "tracker.env"
    if not example.exists():
        example.write_text(_example_settings(), encoding="utf-8")
        example.chmod(0o600)
        click.echo(f"Wrote {example}: set STRIPE_SECRET_KEY and the others there.")
    app = make_app(read_settings())
    with app.app_context():
        before = store.schema_problem()
        if before and not before.startswith(("The database is empty", "The database is from an older")):
            raise SettingsError(before)
        store.upgrade()
    click.echo("The database is ready." if before else "The database was ready already.")


def _example_settings() -> str:
    from tracker.settings import SETTINGS

    lines = ["# Pledgebar's settings. A line without # in front counts; the environment wins over this file."]
    for setting in SETTINGS:
        if setting.name != "TRACKER_INSTANCE":
            lines += ["", f"# {setting.help}", f"#{setting.name}={setting.default}"]
    return "\n".join(lines) + "\n"


@main.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Processes.")
@says_what_went_wrong
def serve(host: str, port: int, workers: int) -> None:
    """Serve supporters, readers and editors."""
    from tracker import serving

    app, settings = open_app()
    serving.check_start(app, settings)
    serving.check_port(host, port)
    if workers > 1 and settings.limits_url.startswith("memory:"):
        click.echo("Each worker counts rate limits for itself: set TRACKER_LIMITS_URL to share them.", err=True)
    serving.serve(host, port, workers)


@main.command()
@click.option("--port", default=5000, show_default=True, type=click.IntRange(1, 65535), help="Port of the app.")
@says_what_went_wrong
def demo(port: int) -> None:
    """Try everything: a news site with the bar, a supporter's page, an admin, and a stand-in for Stripe."""
    from tracker.demo.run import run

    run(port, click.echo)


@main.command()
@click.option("--port", default=12111, show_default=True, type=click.IntRange(1, 65535), help="Port to listen on.")
@click.option(
    "--webhook", metavar="URL", help="Where to deliver events, such as http://127.0.0.1:5000/webhooks/stripe."
)
@click.option("--secret", default="whsec_sandbox", show_default=True, help="Secret to sign deliveries with.")
@click.option("--file", type=click.Path(path_type=Path), help="Keep its state in this file.")
@says_what_went_wrong
def sandbox(port: int, webhook: str | None, secret: str, file: Path | None) -> None:
    """Run a stand-in for Stripe on this machine; point STRIPE_API_BASE at it."""
    from tracker.demo.run import run_sandbox

    run_sandbox(port, webhook, secret, file, click.echo)


# --- Campaigns and goals ----------------------------------------------------------------------------------------------


@main.group()
def campaign() -> None:
    """Make, change and list campaigns."""


@campaign.command("set")
@click.argument("slug")
@click.option("--title", help="What supporters read first.")
@click.option("--lead", help="Who asks, and for what, in one line.")
@click.option("--story", type=click.File(encoding="utf-8"), help="A Markdown file with the longer text.")
@click.option("--currency", help="Three letters; cannot be changed later.  [default: USD]")
@click.option("--goal", help="The goal of each month, from the current one on.")
@click.option("--time-zone", help="By whose clock months begin.  [default: UTC]")
@click.option("--locale", help="How amounts and months are written.  [default: en_US]")
@click.option("--amount-pattern", help="Such as “#,##0 ¤” for 2,500 $.  [default: the locale's own]")
@click.option("--once", help="Amounts to choose from, once: 10,25,50,100")
@click.option("--monthly", help="Amounts to choose from, every month: 5,10,20")
@click.option("--minimum", help="The smallest gift.")
@click.option("--maximum", help="The largest gift.")
@click.option("--paused/--resumed", default=None, help="Stop taking gifts, or take them again.")
@click.option("--held-month", help="For one that is over: keep showing this month. Empty to undo.")
@says_what_went_wrong
def campaign_set(slug: str, goal: str | None, **options: Any) -> None:
    """Make the campaign SLUG, or change what is given here and leave the rest."""
    from tracker.ledger import book, campaigns
    from tracker.ledger.store import writing

    app, _ = open_app()
    now = datetime.now(UTC)
    with app.app_context(), writing() as connection:
        before = campaigns.find(connection, slug)
        after = _changed(slug, before, options)
        new = campaigns.save(connection, after)
        if goal is not None:
            campaigns.set_standing_goal(connection, after, _amount("--goal", goal, after.currency), now)
        if new:
            book.welcome(connection, slug, now)
    click.echo(
        f"{'Made' if new else 'Changed'} the campaign “{slug}”: {after.title}"
        + (f", {goal} {after.currency} a month." if goal else ".")
    )


def _changed(slug: str, before: Campaign | None, options: dict[str, Any]) -> Campaign:
    given = {name: value for name, value in options.items() if value is not None}
    if before is None and "title" not in given:
        raise ValueError(f"There is no campaign “{slug}” yet: a new one needs a --title.")
    currency = money.check_currency(given.get("currency", before.currency if before else "USD"))
    values: dict[str, Any] = {"currency": currency}
    for name in ("title", "lead", "amount_pattern", "held_month", "paused", "time_zone"):
        if name in given:
            values[name] = given[name]
    if "story" in given:
        values["story"] = given["story"].read()
    if "locale" in given:
        values["locale"] = money.check_locale(given["locale"])
    for name in ("once", "monthly"):
        if name in given:
            values[name] = tuple(
                sorted(_amount(f"--{name}", part, currency) for part in given[name].split(",") if part.strip())
            )
    for name in ("minimum", "maximum"):
        if name in given:
            values[name] = _amount(f"--{name}", given[name], currency)
    return replace(before, **values) if before else _made(slug, values)


def _made(slug: str, values: dict[str, Any]) -> Campaign:
    """A new campaign, with amounts to choose from where none were given."""
    currency = values["currency"]
    # Where the currency has no small unit, prices are about a hundred times the number.
    unit = 10 ** exponent(currency) * (100 if exponent(currency) == 0 else 1)
    # And where Stripe takes no small sums, as with forints, people do not give them either.
    while 5 * unit < money.least(currency):
        unit *= 10
    defaults: dict[str, Any] = {
        "time_zone": "UTC",
        "locale": "en_US",
        "once": tuple(n * unit for n in (10, 25, 50, 100)),
        "monthly": tuple(n * unit for n in (5, 10, 20)),
        "maximum": min(10_000 * unit, money.MAXIMUM // money.step(currency) * money.step(currency)),
    }
    values = defaults | values
    # Card testers like the smallest sums; five is a floor that few donors notice.
    values.setdefault("minimum", max(money.least(currency), min((5 * unit, *values["once"], *values["monthly"]))))
    return Campaign(slug=slug, **values)


def _amount(option: str, text: str, currency: str) -> int:
    try:
        return parse_decimal_amount(text, currency)
    except AmountError:
        raise ValueError(f"{option}: “{text.strip()}” is no amount in {currency}. Write it as 10 or 12.50.") from None


@campaign.command("list")
@says_what_went_wrong
def campaign_list() -> None:
    """List every campaign with its current month."""
    from tracker.ledger import campaigns, results
    from tracker.ledger.store import reading

    app, settings = open_app()
    now = datetime.now(UTC)
    with app.app_context(), reading() as connection:
        every = campaigns.every(connection)
        for one in every:
            found = results.result(connection, one, results.shown_month(one, now), settings.live)
            goal = f" of {one.write(found.goal)}" if found.goal else ""
            state = " (over)" if one.held_month else " (paused)" if one.paused else ""
            click.echo(f"{one.slug}: {one.title}; {found.month}: {one.write(found.sums.raised)}{goal}{state}")
    if not every:
        click.echo("There is no campaign yet: make one with “tracker campaign set SLUG --title …”.")


@main.group()
def goal() -> None:
    """Set the goals of single months."""


@goal.command("set")
@click.argument("slug")
@click.argument("month")
@click.argument("amount")
@says_what_went_wrong
def goal_set(slug: str, month: str, amount: str) -> None:
    """Set the goal of one MONTH, written 2021-05, to AMOUNT. Other months keep theirs."""
    from tracker.ledger import campaigns
    from tracker.ledger.store import writing

    app, _ = open_app()
    with app.app_context(), writing() as connection:
        found = _known(campaigns.find(connection, slug), slug)
        wanted: Month = parse_month(month)
        smallest = _amount("AMOUNT", amount, found.currency)
        campaigns.set_goal(connection, slug, wanted, smallest, stands=False)
    click.echo(f"The goal of “{slug}” for {wanted} is {found.write(smallest)}.")


def _known(found: Campaign | None, slug: str) -> Campaign:
    if found is None:
        raise ValueError(f"There is no campaign “{slug}”: “tracker campaign list” shows those there are.")
    return found


# --- People and proof -------------------------------------------------------------------------------------------------


@main.group()
def admin() -> None:
    """The people who may sign in."""


@admin.command("create")
@click.argument("email")
@says_what_went_wrong
def admin_create(email: str) -> None:
    """Make an account for EMAIL, or give it a new password. The password is read from standard input."""
    from tracker.web.signin import create_admin

    if sys.stdin.isatty():
        password = click.prompt("Password", hide_input=True, confirmation_prompt=True)
    else:
        password = sys.stdin.readline().rstrip("\r\n")
    app, settings = open_app()
    with app.app_context():
        new = create_admin(email, password)
    did = "may now sign in" if new else "has a new password and is signed out everywhere"
    click.echo(f"{email} {did}: {settings.public_url}/admin/")


@main.command()
@click.option("--check", is_flag=True, help="Only compare; exit with 1 when something differs.")
@says_what_went_wrong
def rebuild(check: bool) -> None:
    """Make the running totals anew from the entries, or prove that they are equal."""
    from tracker.ledger import proof
    from tracker.ledger.store import reading, writing

    app, _ = open_app()
    with app.app_context():
        if not check:
            with writing() as connection:
                wrong = proof.rebuild(connection)
            click.echo(f"{wrong} totals were wrong and are right now." if wrong else "All totals were right.")
            return
        with reading() as connection:
            differences = proof.differences(connection)
    for one in differences:
        mode = "live" if one.live else "test"
        figures = f"kept {one.kept.raised}, entries come to {one.summed.raised}"
        click.echo(f"{one.month} {one.currency} ({mode}, campaign {one.campaign_id}): {figures}")
    if differences:
        raise click.ClickException(
            f"{len(differences)} totals are not the sum of their entries: run “tracker rebuild”."
        )
    click.echo("Every total is the sum of its entries.")
