"""What all commands share: the group, the app, and one line for what went wrong."""

import getpass
import io
import os
import signal
import sys
from collections.abc import Callable
from functools import wraps
from importlib.metadata import version
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import click
from flask import Flask
from sqlalchemy.exc import SQLAlchemyError

from tracker.giving.campaign import Campaign
from tracker.giving.money import AmountError, parse_decimal_amount
from tracker.paths import DOCS
from tracker.settings import Settings, SettingsError, read_settings

if TYPE_CHECKING:
    from tracker.ledger.audit_log import Who

Command = TypeVar("Command", bound=Callable[..., None])


class Commands(click.Group):
    """The commands, whatever the terminal can show."""

    def main(self, *args: Any, **options: Any) -> Any:
        for stream in (sys.stdout, sys.stderr):
            # Where a sign cannot be shown, what was done has been done all the same.
            if isinstance(stream, io.TextIOWrapper):
                stream.reconfigure(errors="replace")
        return super().main(*args, **options)


@click.group(
    cls=Commands,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    help=f"""Pledgebar: a monthly goal tracker for news sites.

    Settings come from the environment and from tracker.env in the instance folder; {DOCS / "settings.md"} lists them.
    Amounts are decimal, in the currency's main unit: 12.50
    """,
)
@click.version_option(version("pledgebar"), prog_name="tracker")
def main() -> None:
    """Every command hangs on this one."""


def says_what_went_wrong(command: Command) -> Command:
    """Turns what can go wrong into one line on standard error and exit code 1."""

    @wraps(command)
    def run(*args: Any, **options: Any) -> None:
        from tracker.ledger import database_errors
        from tracker.server.serve import PortTaken

        try:
            command(*args, **options)
        except (SettingsError, PortTaken, ValueError) as error:
            raise click.ClickException(str(error)) from None
        except SQLAlchemyError as error:
            raise click.ClickException(database_errors.in_words(error)) from None
        except BrokenPipeError:
            _end_quietly()
        except OSError as error:
            raise click.ClickException(f"{error.filename or 'A file'}: {error.strerror}") from None
        except KeyboardInterrupt:
            click.echo("Interrupted.", err=True)
            sys.exit(128 + signal.SIGINT)

    return run  # type: ignore[return-value]


def _end_quietly() -> NoReturn:
    """The program that reads our output, such as `head`, has ended: exit with the code that shells expect, and say nothing."""
    # Python flushes once more at its end.
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
    sys.exit(128 + signal.SIGPIPE)


def make_app(settings: Settings) -> Flask:
    """The app, for as long as the command runs. Imported here, so that --help does not wait for it."""
    from tracker import create_app
    from tracker.ledger import store

    app = create_app(settings, background=False)
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


def who() -> "Who":
    """The running command and who runs it, for the audit log."""
    from tracker.ledger.audit_log import Who

    names: list[str] = []
    context = click.get_current_context()
    while context.parent is not None:
        names.insert(0, context.info_name or "")
        context = context.parent
    try:
        login = os.environ.get("SUDO_USER") or getpass.getuser()
    except (KeyError, OSError):
        # A container's user may have a number but no name.
        login = str(os.getuid())
    return Who(command=" ".join(["tracker", *names]), login=login)


def known(found: Campaign | None, slug: str) -> Campaign:
    if found is None:
        raise ValueError(f"There is no campaign “{slug}”: “tracker campaign list” shows them all.")
    return found


def amount_of(option: str, text: str, currency: str) -> int:
    """An amount that was given to a command, in smallest units. Raises ValueError with a sentence."""
    try:
        return parse_decimal_amount(text, currency)
    except AmountError:
        raise ValueError(
            f"{option}: “{text.strip()}” is not an amount in {currency}. Write it as 10 or 12.50."
        ) from None
