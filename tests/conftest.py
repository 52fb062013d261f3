"""What tests share: real databases, the app over them, and small actors that hide the plumbing."""

import contextvars
import gc
import os
import sqlite3
import zlib
from collections.abc import Iterator
from contextlib import AbstractContextManager, closing, contextmanager
from pathlib import Path
from typing import Any

import hypothesis
import psycopg
import pytest
import stripe
import structlog
from actors import PUBLIC_URL, WEBHOOK_SECRET, Stripe
from examples import LONG
from flask import Flask
from flask.testing import FlaskClient
from postgres import Postgres
from ready_made import Lent, migrated_file, open_newsroom
from remembered import apps_take_over_from_each_other
from sqlalchemy import Connection, event
from werkzeug.test import TestResponse

from tracker import create_app
from tracker.ledger import store
from tracker.ledger.store import writing
from tracker.settings import Settings, read_settings

# A newsroom's account at Stripe, and one with an app and a supporter beside it.
pytest_plugins = ["account", "town"]

# A test's stand-in for Stripe is ready at once for a second try.
stripe.HTTPClient.INITIAL_DELAY = 0.01

# The same examples each time, so that what failed fails again; at length, new ones.
hypothesis.settings.register_profile("short", derandomize=True)
if not LONG:
    hypothesis.settings.load_profile("short")

apps_take_over_from_each_other()


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """With TEST_PART=1 every behaviour once, with TEST_PART=2 what is left, without it all: see the Makefile."""
    part = os.environ.get("TEST_PART")
    if part:
        items[:] = [item for item in items if _comes_second(item) == (part == "2")]
        items.sort(key=lambda item: LONGEST.get(item.nodeid.partition("::")[0], len(LONGEST)))


# In this order, before all others: a file stays in one process, and the longest must not begin when the other processes are
# nearly done. The first plays the demo's history, which five of these need: those that do not are begun meanwhile.
LONGEST = {
    f"tests/{name}.py": place
    for place, name in enumerate((
        "browser/test_element_in_a_browser", "browser/test_auditors", "browser/test_sign_in_in_a_browser",
        "cli/test_reconciling", "test_commands", "browser/test_looks_in_a_browser", "browser/test_giving_in_a_browser",
        "browser/test_carriers_in_a_browser", "browser/test_snippets_in_a_browser", "web/test_admin_pages",
        "browser/test_task_in_a_browser", "cli/test_doctor", "web/test_pictures", "ledger/test_copies",
    ))
}  # fmt: skip


# What other tests try, once more: in other browsers, with other fonts, out of the wheel, in every order, under load,
# or while a server is killed. Whole files, and tests by how their names begin.
SECOND = tuple(
    f"tests/{name}"
    for name in (
        "browser/test_editors_widths.py", "browser/test_firefox.py", "browser/test_old_browsers.py",
        "browser/test_room_in_a_browser.py", "faults/",
        "server/test_gunicorn.py", "test_crowd.py", "test_slow_senders.py", "test_wheel.py",
        "browser/test_follows_in_a_browser.py::test_who_comes_back_in_firefox_", "test_every_history.py",
        "ledger/test_book_any_order.py::test_closing_months_in_between_never_changes_them_and_loses_nothing",
        "ledger/test_one_payment_any_order.py",
        "test_odd_disputes.py::test_whatever_order_the_words_about_a_dispute_come_in_it_comes_to_the_same",
        "cli/test_reconciling.py::test_a_storm_of_limits_is_waited_out",
        "ledger/test_store.py::test_four_processes_write_at_once_and_every_cent_counts",
        "ledger/test_together.py::test_whoever_was_told_is_in_the_book_when_the_processes_are_killed",
        "web/test_bodies.py::test_a_large_form_is_refused_for_no_more_than_a_small_one_costs",
        "web/test_bodies.py::test_a_long_address_costs_no_more_than_a_short_one",
        "web/test_bodies.py::test_a_long_header_costs_no_more_than_a_short_one",
        "web/test_bodies.py::test_where_nothing_is_taken_a_large_body_costs_what_a_small_one_does",
        "web/test_prepared.py::test_a_hundred_readers_who_are_the_first_to_ask_are_all_answered",
    )
)  # fmt: skip


def _comes_second(item: pytest.Item) -> bool:
    """Of a test's two databases, its name chooses the one that comes first, so that the first part tries both."""
    database = item.callspec.params.get("database_url") if hasattr(item, "callspec") else None
    if database is None:
        return item.nodeid.startswith(SECOND)
    first = ("sqlite", "postgresql")[zlib.crc32(item.nodeid.replace(database, "").encode()) % 2]
    return item.nodeid.startswith(SECOND) or database != first


def pytest_collection_finish() -> None:
    """The tests themselves, thousands of them, are no garbage: nobody need look whether they are."""
    gc.collect()
    gc.freeze()


@pytest.fixture(autouse=True)
def _nothing_of_the_owner(monkeypatch: pytest.MonkeyPatch) -> None:
    """Settings of whoever runs the tests must not reach them, nor must a proxy."""
    for name in list(os.environ):
        if name.startswith(("TRACKER_", "STRIPE_")) or name.lower().endswith("_proxy"):
            monkeypatch.delenv(name)
    monkeypatch.setenv("NO_PROXY", "127.0.0.1,localhost")


@pytest.fixture(scope="session", autouse=True)
def _quiet_log() -> None:
    structlog.configure(logger_factory=structlog.ReturnLoggerFactory())


# --- Databases --------------------------------------------------------------------------------------------------------


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    server = Postgres()
    yield server
    server.remove()


@pytest.fixture(scope="session")
def lent(postgres: Postgres) -> Iterator[Lent]:
    made = Lent(postgres.new_database)
    yield made
    made.close()


@pytest.fixture(scope="session")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder that all processes of this run have, for what they make once."""
    folder = tmp_path_factory.getbasetemp()
    return folder.parent if "PYTEST_XDIST_WORKER" in os.environ else folder


@pytest.fixture(scope="session")
def migrated_sqlite() -> Path:
    return migrated_file()


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """Both databases: whatever is tested through `app`, `client` or `book` is tested on each.

    On PostgreSQL a test that begins with our tables gets a database that has them, any other one a new database.
    """
    if request.param == "sqlite":
        return ""
    if {"app", "ready", "town", "newsroom"} & set(request.fixturenames):
        url: str = request.getfixturevalue("lent").lend()
        return url
    return request.getfixturevalue("postgres").new_database()


# --- The app ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def environ(tmp_path: Path, database_url: str) -> dict[str, str]:
    """The settings of a test's own instance; change them before `app` is asked for."""
    return {
        "TRACKER_INSTANCE": str(tmp_path / "instance"),
        "TRACKER_DATABASE_URL": database_url,
        "TRACKER_PUBLIC_URL": PUBLIC_URL,
        "TRACKER_SECRET_KEY": "a secret for tests, long enough to keep one",
        "TRACKER_NEWSROOM": "The Courier",
        "TRACKER_GIVE_LIMIT": "1000 per minute",
        # Programs send a form at once, and often.
        "TRACKER_GIVE_LIMIT_ALL": "1000000",
        "TRACKER_GIVE_SECONDS": "0",
        # What is tried is rarely the sign-in; where it is, the test asks for the second factor.
        "TRACKER_SECOND_FACTOR": "optional",
        "STRIPE_SECRET_KEY": "sk_test_123",
        "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
        # A port where nobody listens: what a test does not set up, it cannot reach by mistake.
        "STRIPE_API_BASE": "http://127.0.0.1:9",
    }


@pytest.fixture
def settings(environ: dict[str, str]) -> Settings:
    return read_settings(environ)


class Browser(FlaskClient):
    """A client whose every request has an app context of its own, as on a server, and not the one of the test."""

    def open(self, *args: Any, **options: Any) -> TestResponse:
        return contextvars.Context().run(super().open, *args, **options)


@pytest.fixture
def app(settings: Settings) -> Iterator[Flask]:
    """The app over an empty database, with the campaign `newsroom` and a goal of 5,000 $ for every month."""
    settings.instance.mkdir(parents=True, exist_ok=True)
    made = create_app(settings, background=False)
    made.test_client_class = Browser
    # Real argon2, as weak as it can be: what it costs for real is seen where `tracker admin create` is tried.
    made.extensions["security"].pwd_context.update(argon2__time_cost=1, argon2__memory_cost=32)
    with made.app_context():
        open_newsroom(settings.database_url)
        yield made
        store.db.session.remove()
        store.db.engine.dispose()


@pytest.fixture
def client(app: Flask) -> FlaskClient:
    return app.test_client()


@pytest.fixture
def book(app: Flask) -> Iterator[Connection]:
    """A writing transaction over the database with the campaign `newsroom`; gone at the end of the test."""
    with writing() as connection:
        yield connection


@pytest.fixture
def stripe_calls(client: FlaskClient) -> Stripe:
    return Stripe(client)


@pytest.fixture
def held_ledger(
    app: Flask, settings: Settings, database_url: str, monkeypatch: pytest.MonkeyPatch
) -> AbstractContextManager[None]:
    """While inside of it another program holds the writer's place, and our writers wait for a second, not for ten."""
    monkeypatch.setattr(store, "BUSY_SECONDS", 1)
    if not database_url:
        store.db.engine.dispose()
        event.listen(store.db.engine, "connect", lambda connection, _: connection.execute("PRAGMA busy_timeout=1000"))
    return _held(settings, database_url)


@contextmanager
def _held(settings: Settings, database_url: str) -> Iterator[None]:
    other: psycopg.Connection | sqlite3.Connection
    if database_url:
        other = psycopg.connect(database_url)
        other.execute("SELECT pg_advisory_xact_lock(%s)", [store.LEDGER_LOCK])
    else:
        other = sqlite3.connect(settings.instance / "pledgebar.sqlite3", isolation_level=None)
        other.execute("BEGIN IMMEDIATE")
    with closing(other):
        yield
