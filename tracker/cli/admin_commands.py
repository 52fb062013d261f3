"""The people who may sign in."""

import sys

import click

from tracker.cli.base import main, open_app, says_what_went_wrong, who

# The same as in signin/roles.py, which is slow to import.
ROLES = ("reader", "editor", "owner")


@main.group()
def admin() -> None:
    """The people who may sign in."""


@admin.command("create")
@click.argument("email")
@click.option(
    "--role",
    type=click.Choice(ROLES),
    help="What EMAIL may do.  [default: owner; an existing account keeps its role]",
)
@says_what_went_wrong
def admin_create(email: str, role: str | None) -> None:
    """Create an account for EMAIL, or give it a new password. The password is read from standard input."""
    from tracker.web.admin.signin.accounts import create_admin

    password = _password()
    app, settings = open_app()
    with app.app_context():
        new = create_admin(email, password, role or "", who())
    did = "may now sign in" if new else "has a new password and is signed out everywhere"
    click.echo(f"{email} {did}: {settings.public_url}/admin/")


@admin.command("list")
@says_what_went_wrong
def admin_list() -> None:
    """List every account: its number in the log, its role, and what it signs in with."""
    from tracker.web.admin.signin.accounts import every

    app, _ = open_app()
    with app.app_context():
        accounts = every()
    for one in accounts:
        has = ["an app"] * one.app + _so_many(one.passkeys, "passkey") + _so_many(one.recovery_codes, "recovery code")
        state = f"{one.role or 'no role'}, {'' if one.active else 'disabled, '}"
        signed_in = ", ".join(_so_many(one.sessions, "session")) or "not signed in"
        click.echo(f"{one.id}  {one.email}  {state}{', '.join(has) or 'no second factor'}, {signed_in}")
    if not accounts:
        click.echo("There is no account: “tracker admin create EMAIL” makes one.")


@admin.command("role")
@click.argument("email")
@click.argument("role", type=click.Choice(ROLES))
@says_what_went_wrong
def admin_role(email: str, role: str) -> None:
    """Give EMAIL another ROLE. The last owner keeps theirs."""
    from tracker.web.admin.signin.accounts import set_role

    app, _ = open_app()
    with app.app_context():
        before = set_role(email, role, who())
    click.echo(f"{email}: {before or 'no role'} before, {role} now.")


@admin.command("disable")
@click.argument("email")
@says_what_went_wrong
def admin_disable(email: str) -> None:
    """Sign EMAIL out everywhere and disable the account. Nothing in it is lost."""
    from tracker.web.admin.signin.accounts import set_active

    app, _ = open_app()
    with app.app_context():
        ended = set_active(email, active=False, by=who())
    click.echo(f"{email} is disabled. {_ended(ended)}")


@admin.command("enable")
@click.argument("email")
@says_what_went_wrong
def admin_enable(email: str) -> None:
    """Enable EMAIL again, with the same password and second factor."""
    from tracker.web.admin.signin.accounts import set_active

    app, _ = open_app()
    with app.app_context():
        set_active(email, active=True, by=who())
    click.echo(f"{email} may sign in again.")


@admin.command("reset")
@click.argument("email")
@says_what_went_wrong
def admin_reset(email: str) -> None:
    """Give EMAIL a new password and remove its second factors, recovery codes and sessions.

    The password is read from standard input.
    """
    from tracker.web.admin.signin.accounts import reset

    password = _password()
    app, settings = open_app()
    with app.app_context():
        had = reset(email, password, who())
    gone = ["its app"] * had.app + _so_many(had.passkeys, "passkey") + _so_many(had.recovery_codes, "recovery code")
    click.echo(f"{had.email} has a new password. Removed: {', '.join(gone) or 'nothing'}. {_ended(had.sessions)}")
    if not had.active:
        click.echo("The account is disabled: “tracker admin enable” enables it again.")
    elif settings.second_factor == "required":
        click.echo(f"A second factor is set up after the next sign-in: {settings.public_url}/admin/")


def _password() -> str:
    if sys.stdin.isatty():
        return str(click.prompt("Password", hide_input=True, confirmation_prompt=True))
    return sys.stdin.readline().rstrip("\r\n")


def _so_many(number: int, what: str) -> list[str]:
    return [f"{number} {what}{'s' * (number != 1)}"] if number else []


def _ended(sessions: int) -> str:
    return f"Ended: {_so_many(sessions, 'session')[0]}." if sessions else "It was not signed in anywhere."
