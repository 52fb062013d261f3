"""Stripe's customer portal: where supporters end or change a regular gift by themselves."""

import os
from datetime import UTC, datetime

import click

from tracker.cli.base import main, open_app, who
from tracker.cli.stripe_commands import asks_stripe, needs_key


@main.group()
def portal() -> None:
    """The page where supporters end a regular gift."""


@portal.command("setup")
@asks_stripe
def portal_setup() -> None:
    """Switch on the login page of Stripe's customer portal, and keep its address for “/c/SLUG/manage”."""
    from importlib.metadata import version

    from tracker.gateway.customer_portal import CustomerPortal
    from tracker.ledger import audit_log, installation, store
    from tracker.settings import keep_portal_login

    app, settings = open_app()
    needs_key(settings)
    with app.app_context(), store.reading() as session:
        mark = installation.mark(session)
    account = {"api_base": settings.stripe_api_base, "version": version("pledgebar")}
    with CustomerPortal(settings.stripe_secret_key, **account) as stripe:
        page = stripe.set_up(settings.public_url, settings.newsroom, mark)
    with app.app_context(), store.writing() as session:
        after = {"url": page.url}
        audit_log.note(session, who(), datetime.now(UTC), "stripe.portal_set_up", about=page.configuration, after=after)
    click.echo(f"Supporters end or change a regular gift at {page.url} ({page.configuration}).")
    if settings.portal_login == page.url:
        click.echo("TRACKER_PORTAL_LOGIN_URL says so already.")
    elif os.environ.get("TRACKER_PORTAL_LOGIN_URL", "").strip():
        # The environment wins over the file.
        click.echo("TRACKER_PORTAL_LOGIN_URL is set to another address in the environment: change it there.")
    else:
        file = keep_portal_login(settings.instance, page.url)
        click.echo(f"Wrote it into {file} as TRACKER_PORTAL_LOGIN_URL. If Pledgebar is running, start it again.")
