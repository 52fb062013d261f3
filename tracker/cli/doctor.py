"""A check of everything on which a gift depends: each finding in a line, and what to do about it."""

import stat
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from importlib.metadata import version
from pathlib import Path
from typing import Any, Literal

import click
from flask import Flask
from sqlalchemy import Connection, make_url
from sqlalchemy.exc import SQLAlchemyError

from tracker.cli.frame import main, says_what_went_wrong
from tracker.settings import Settings, SettingsError, address_problem

SKEW_SECONDS = 60
QUIET = timedelta(days=7)
ON_ITS_WAY = timedelta(minutes=10)
VERSIONS_OF = timedelta(days=7)

# File systems on which SQLite's log does not work: several machines would not see the same.
NETWORK = (
    "9p", "afs", "beegfs", "ceph", "cifs", "davfs", "fuse.ceph", "fuse.glusterfs", "fuse.rclone", "fuse.s3fs",
    "fuse.sshfs", "glusterfs", "gpfs", "lustre", "ncpfs", "nfs", "nfs4", "smb3", "smbfs",
)  # fmt: skip

Level = Literal["ok", "look", "bad"]
Clock = Callable[[], datetime]


@dataclass(frozen=True)
class Finding:
    """`ok`, `look` (may well be meant) or `bad`, and what to do, in words."""

    level: Level
    words: str


@main.command()
@click.option("--all", "everything", is_flag=True, help="Also read every entry and prove the chain over them.")
@says_what_went_wrong
def doctor(everything: bool) -> None:
    """Check the keys, Stripe, the webhook endpoint, the database and the files; exit with 1 when something is bad."""
    from tracker.settings import read_settings

    worst = 0
    for finding in examine(read_settings(), lambda: datetime.now(UTC), everything=everything):
        click.echo(f"{finding.level:4}  {finding.words}")
        worst += finding.level == "bad"
    if worst:
        raise click.ClickException(f"{worst} of these {'is' if worst == 1 else 'are'} bad.")


def examine(settings: Settings, clock: Clock, *, everything: bool) -> Iterator[Finding]:
    """Every finding, one after the other; nothing here changes anything."""
    from tracker.ledger import store

    yield from _files(settings)
    yield from _address(settings)
    yield from _stripe(settings, clock)
    yield from _disk(settings)
    try:
        app = _app(settings)
    except SettingsError as error:
        yield Finding("bad", str(error))
        return
    yield from _limits(settings)
    with app.app_context():
        try:
            yield from _database(settings, clock, everything)
        except SQLAlchemyError as error:
            reason = str(getattr(error, "orig", None) or error).strip().splitlines()[0]
            yield Finding("bad", f"The database could not be used: {reason}")
        finally:
            store.db.engine.dispose()


def _app(settings: Settings) -> Flask:
    from tracker import create_app

    return create_app(settings)


# --- This machine -----------------------------------------------------------------------------------------------------


def _files(settings: Settings) -> Iterator[Finding]:
    folder = settings.instance
    if not folder.is_dir():
        yield Finding("bad", f"There is no instance folder {folder}: run “tracker init”.")
        return
    if _open_to_others(folder):
        yield Finding("look", f"Others on this machine can look into {folder}: chmod 700 {folder}")
    else:
        yield Finding("ok", f"The instance folder {folder} is its owner's alone.")
    for file in (folder / "tracker.env", folder / "secret_key"):
        if file.exists() and _open_to_others(file):
            yield Finding("bad", f"Others on this machine can read the secrets in {file}: chmod 600 {file}")
    if settings.secret_key:
        yield Finding("ok", "There is a secret key.")
    else:
        yield Finding("bad", "There is no secret key: run “tracker init”.")


def _open_to_others(path: Path) -> bool:
    return bool(path.stat().st_mode & (stat.S_IRWXG | stat.S_IRWXO))


def _address(settings: Settings) -> Iterator[Finding]:
    problem = address_problem(settings.public_url)
    if not problem:
        yield Finding("ok", f"The public address is {settings.public_url}.")
    elif settings.live:
        yield Finding(
            "bad", f"Neither readers nor Stripe reach {settings.public_url}: {problem} Set TRACKER_PUBLIC_URL."
        )
    else:
        yield Finding(
            "look", f"{settings.public_url} is good for trying out: {problem} Set TRACKER_PUBLIC_URL before going live."
        )


def _disk(settings: Settings) -> Iterator[Finding]:
    url = make_url(settings.database_url)
    if url.get_backend_name() != "sqlite":
        return
    file = Path(url.database or "").resolve()
    kind = file_system(file)
    if kind in NETWORK:
        yield Finding(
            "bad",
            f"{file} is on a network file system ({kind}), where SQLite loses gifts: use a local disk, or PostgreSQL.",
        )
    elif kind:
        yield Finding("ok", f"{file} is on a local disk ({kind}).")
    else:
        yield Finding("look", f"See that {file} is on a local disk: that cannot be found out on this system.")
    if file.exists() and _open_to_others(file) and _open_to_others(file.parent):
        yield Finding("look", f"Others on this machine can read {file}: chmod 600 {file}")


def file_system(path: Path, mounts: Path = Path("/proc/self/mounts")) -> str:
    """The kind of the file system that a path is on, such as `ext4`; nothing where that cannot be told."""
    try:
        lines = mounts.read_text(encoding="utf-8", errors="replace").splitlines()
    except OSError:
        return ""
    found, longest = "", -1
    for line in lines:
        _, place, kind, *_ = line.split(" ")
        # Spaces and the like are written as octal numbers.
        mounted = Path(place.encode().decode("unicode_escape"))
        # Of two on the same place the later one is on top.
        if path.is_relative_to(mounted) and len(mounted.parts) >= longest:
            found, longest = kind, len(mounted.parts)
    return found


def _limits(settings: Settings) -> Iterator[Finding]:
    if settings.limits_url.startswith("memory:"):
        several = not settings.database_url.startswith("sqlite")
        words = (
            "Rate limits are counted in memory, for one process: with several workers or nodes set TRACKER_LIMITS_URL."
        )
        yield Finding("look" if several else "ok", words)
        return
    from tracker.web.limits import limiter

    if limiter.storage.check():
        yield Finding("ok", "Rate limits are counted in a store that answers.")
    else:
        yield Finding(
            "bad", "The store in TRACKER_LIMITS_URL does not answer: each process counts for itself meanwhile."
        )


# --- Stripe -----------------------------------------------------------------------------------------------------------


def _stripe(settings: Settings, clock: Clock) -> Iterator[Finding]:
    from tracker.gateway.endpoints import Endpoints
    from tracker.gateway.history import HistoryUnavailable

    secrets = len(settings.stripe_webhook_secrets)
    if not secrets:
        yield Finding(
            "bad", "STRIPE_WEBHOOK_SECRET is not set: no gift can be verified. Run “tracker webhook register”."
        )
    else:
        yield Finding(
            "ok",
            "There is a webhook secret."
            if secrets == 1
            else f"There are {secrets} webhook secrets: one is being rolled.",
        )
    if not settings.stripe_secret_key:
        yield Finding("bad", "STRIPE_SECRET_KEY is not set: nobody can give.")
        return
    yield from _mode(settings)
    with Endpoints(
        settings.stripe_secret_key, api_base=settings.stripe_api_base, version=version("pledgebar")
    ) as stripe:
        try:
            before = clock()
            theirs = stripe.time()
            ours = before + (clock() - before) / 2
        except HistoryUnavailable as error:
            yield Finding("bad", str(error))
            return
        yield Finding("ok", "Stripe takes the key.")
        yield _clock(ours, theirs)
        yield from _endpoint(stripe, settings.hook_url)


def _mode(settings: Settings) -> Iterator[Finding]:
    key = settings.stripe_secret_key
    kind = (
        "a restricted key"
        if key.startswith("rk_")
        else "a secret key, which may do everything: a restricted one is enough"
    )
    yield Finding("ok", f"STRIPE_SECRET_KEY is {kind}.")
    if settings.stripe_api_base:
        level: Level = "bad" if settings.live else "look"
        yield Finding(level, f"STRIPE_API_BASE is set: {settings.stripe_api_base} is asked, and not Stripe.")
    if settings.live:
        yield Finding("ok", "The key is for real money.")
    elif address_problem(settings.public_url):
        yield Finding("ok", "The key is for test money.")
    else:
        yield Finding(
            "look", f"The key is for test money, and {settings.public_url} looks as if readers could give there."
        )


def _clock(ours: datetime, theirs: datetime) -> Finding:
    # Stripe's time is in whole seconds.
    skew = round(abs((ours - theirs).total_seconds()))
    if skew <= SKEW_SECONDS:
        return Finding("ok", f"The clock is right to {max(skew, 1)} s by Stripe's.")
    how = "ahead" if ours > theirs else "behind"
    return Finding(
        "bad", f"The clock is {skew} s {how} of Stripe's, and signatures are refused from 300 s on: turn on NTP."
    )


def _endpoint(stripe: Any, url: str) -> Iterator[Finding]:
    from tracker.gateway.endpoints import API_VERSION
    from tracker.gateway.history import HistoryUnavailable, NotAllowed

    try:
        there = stripe.at(url)
    except NotAllowed:
        yield Finding("look", f"The key may not read webhook endpoints: see in Stripe's Dashboard that {url} is one.")
        return
    except HistoryUnavailable as error:
        yield Finding("bad", str(error))
        return
    enabled = [one for one in there if one.enabled]
    if not enabled:
        state = (
            "switched off at Stripe: switch it on there"
            if there
            else "not registered at Stripe: run “tracker webhook register”"
        )
        yield Finding("bad", f"{url} is {state}, since no gift is told of.")
        return
    if len(enabled) > 1:
        yield Finding(
            "look", f"{url} is registered {len(enabled)} times: every event comes as often. Switch the older off."
        )
    one = enabled[0]
    if one.missing:
        yield Finding("bad", f"Stripe does not send {', '.join(one.missing)}: run “tracker webhook register”.")
    else:
        yield Finding("ok", f"{url} is registered at Stripe and sends all that is needed.")
    if one.extra:
        yield Finding(
            "look",
            f"Stripe also sends {', '.join(one.extra)}, which counts for nothing: “tracker webhook register” ends it.",
        )
    if one.api_version == API_VERSION:
        yield Finding("ok", f"The endpoint's version is {API_VERSION}.")
    else:
        theirs = one.api_version or "the account's default"
        yield Finding(
            "look", f"The endpoint's version is {theirs}, the program's {API_VERSION}: register a new one when you can."
        )


# --- The database -----------------------------------------------------------------------------------------------------


def _database(settings: Settings, clock: Clock, everything: bool) -> Iterator[Finding]:
    from tracker.ledger import checkup, store

    with store.reading() as connection:
        for kept in checkup.settings(connection):
            if kept.is_good:
                yield Finding("ok", f"The database has {kept.name} = {kept.value}.")
            else:
                good = " or ".join(kept.good)
                yield Finding(
                    "bad", f"The database has {kept.name} = {kept.value}: a power cut may cost gifts. Set it to {good}."
                )
    problem = store.schema_problem()
    if problem:
        yield Finding("bad", problem)
        return
    yield Finding("ok", "The schema is this program's.")
    with store.reading() as connection:
        yield from _deliveries(connection, settings, clock())
        yield from _waiting(connection, settings.live)
        yield from _proof(connection, everything)
    yield from _undelivered(settings, clock())


def _deliveries(connection: Connection, settings: Settings, now: datetime) -> Iterator[Finding]:
    from tracker.gateway.endpoints import API_VERSION
    from tracker.ledger import checkup

    last = checkup.last_delivery(connection, settings.live)
    if last is None:
        yield Finding(
            "look", "No signed webhook has come yet: give something, or send an event from Stripe's Dashboard."
        )
        return
    level: Level = "look" if now - last > QUIET else "ok"
    yield Finding(level, f"The last signed webhook came {_ago(now - last)} ago, on {last:%Y-%m-%d at %H:%M} UTC.")
    found = checkup.versions(connection, settings.live, now - VERSIONS_OF)
    others = {name: count for name, count in found.items() if name != API_VERSION}
    if others:
        listed = ", ".join(f"{count} in {name or 'no version'}" for name, count in sorted(others.items()))
        yield Finding("look", f"Events of the last week came in other versions than {API_VERSION}: {listed}.")


def _ago(passed: timedelta) -> str:
    seconds = int(passed.total_seconds())
    for unit, length in (("day", 86400), ("hour", 3600), ("minute", 60)):
        if seconds >= length:
            count = seconds // length
            return f"{count} {unit}{'' if count == 1 else 's'}"
    return "less than a minute"


def _waiting(connection: Connection, live: bool) -> Iterator[Finding]:
    from tracker.ledger import checkup

    found = checkup.still_waiting(connection, live)
    if not found.facts or found.oldest is None:
        yield Finding("ok", "Nothing waits for its gift or its campaign.")
        return
    day = f"{found.oldest:%Y-%m-%d}"
    yield Finding(
        "look",
        f"Waiting for their gift or campaign: {found.facts}, the oldest since {day}, told by {found.deliveries} webhooks. "
        f"They may be somebody else's on the account; “tracker sync --since {day}” finds out.",
    )


def _proof(connection: Connection, everything: bool) -> Iterator[Finding]:
    from tracker.ledger import proof

    wrong = len(proof.differences(connection))
    if wrong:
        yield Finding("bad", f"Totals that are not the sum of their entries: {wrong}. Run “tracker rebuild”.")
    else:
        yield Finding("ok", "Every total is the sum of its entries.")
    if everything:
        tampered = proof.tampered(connection)
        yield from (Finding("bad", sentence) for sentence in tampered)
        if not tampered:
            yield Finding("ok", "Every entry is as it was written.")


def _undelivered(settings: Settings, now: datetime) -> Iterator[Finding]:
    """Whether the newest event has come: firewalls and bot protection have kept them out for weeks, unnoticed."""
    from tracker.gateway.history import HistoryUnavailable
    from tracker.ledger import checkup
    from tracker.ledger.store import reading
    from tracker.web.site import history

    if not settings.stripe_secret_key:
        return
    try:
        with history() as stripe:
            newest = stripe.newest_event()
    except HistoryUnavailable:
        # Said already, or events are what this key may not read.
        return
    if newest is None or now - newest[1] < ON_ITS_WAY:
        return
    with reading() as connection:
        came = checkup.came(connection, newest[0])
    if came:
        yield Finding("ok", "Stripe's newest event has come.")
        return
    told_at = f"{newest[1]:%Y-%m-%d at %H:%M} UTC"
    how = f"“tracker sync --since {newest[1]:%Y-%m-%d}”"
    yield Finding("look", f"Stripe told of {newest[0]} on {told_at}, and it never came here: {how}.")
