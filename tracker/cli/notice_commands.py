"""Sending notices from a timer, where no server runs all the time."""

from datetime import UTC, datetime

import click

from tracker.cli.base import main, open_app, says_what_went_wrong


@main.command()
@says_what_went_wrong
def notices() -> None:
    """Find the notices that are due and send them now. The server does the same every half minute."""
    from tracker.web.admin import notice_sender

    app, settings = open_app()
    if not notice_sender.by_mail(settings) and not notice_sender.by_webhook(settings):
        click.echo("Notices are not set up: see TRACKER_SMTP_URL and TRACKER_NOTICE_URL in the settings.")
        return
    with app.app_context():
        now = datetime.now(UTC)
        notice_sender.find(now, at_once=True)
        outcome = notice_sender.send_due(now)
    click.echo(f"Sent: {outcome.sent}. Not sent: {outcome.failed}.")
    if outcome.failed:
        raise click.ClickException("The page “Notices” says why. They are tried again later.")
