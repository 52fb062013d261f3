"""Making an instance, and starting things."""

import os
from pathlib import Path

import click

from tracker.cli.base import main, make_app, says_what_went_wrong
from tracker.settings import Settings, SettingsError, make_private, make_secret_key, read_settings


@main.command()
@says_what_went_wrong
def init() -> None:
    """Make the instance folder, its secret key and the database, or bring them up to date."""
    from tracker.ledger import breakdowns, store

    settings = read_settings()
    settings.instance.mkdir(parents=True, exist_ok=True, mode=0o700)
    _keep_to_the_owner(settings)
    if not settings.secret_key and make_secret_key(settings.instance):
        click.echo(f"Made a secret key in {settings.instance / 'secret_key'}: keep a copy, sessions depend on it.")
    example = settings.instance / "tracker.env"
    if not example.exists():
        with open(example, "x", encoding="utf-8", opener=_for_the_owner) as file:
            file.write(_example_settings())
        click.echo(f"Wrote {example}: set STRIPE_SECRET_KEY and the other settings there.")
    app = make_app(read_settings())
    with app.app_context():
        before = store.schema_problem()
        if before and not before.startswith(("The database is empty", "The database is from an older")):
            raise SettingsError(before)
        store.upgrade()
        breakdowns.keep_up(enough=1)
    click.echo("The database is ready." if before else "The database was already up to date.")


def _keep_to_the_owner(settings: Settings) -> None:
    """What an earlier version made may be readable by others on this machine."""
    from tracker.ledger import store

    folder = settings.instance
    ours = [folder / "secret_key", folder / "tracker.env", *store.files(settings.database_url)]
    if (folder / "secret_key").exists():
        ours.append(folder)
    for path in make_private(ours):
        click.echo(f"Only its owner can now read {path}.")


def _for_the_owner(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _example_settings() -> str:
    from tracker.settings import SETTINGS

    lines = ["# Pledgebar's settings. Remove the # in front of a line to use it; the environment wins over this file."]
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
    from tracker.server import serve

    settings = read_settings()
    serve.check_start(settings)
    serve.check_port(host, port)
    serve.serve(host, port, workers, settings)


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


@main.command()
@says_what_went_wrong
def rehearse() -> None:
    """Play a year of trouble against a scratch database, and show the bar after each step."""
    from tracker.demo.rehearse import rehearse as play

    if problems := play(click.echo):
        raise ValueError(f"{len(problems)} things went wrong in the rehearsal.")
