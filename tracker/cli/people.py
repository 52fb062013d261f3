"""The people who may sign in."""

import sys

import click

from tracker.cli.frame import main, open_app, says_what_went_wrong


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
