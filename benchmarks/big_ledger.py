"""Ledgers of any size, made by the database itself: a few minutes for ten million entries, with every sum that belongs to them."""

import secrets
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

from sqlalchemy import Engine
from sqlalchemy.orm import Session

from tracker import create_app
from tracker.demo.instance import LIVE
from tracker.giving.campaign import Campaign
from tracker.giving.months import parse_month
from tracker.ledger import campaigns, month_closing, settled_totals, store
from tracker.ledger.models import entry
from tracker.settings import read_settings

MONTH = parse_month("2021-05")
"""The month that is looked at."""
# By the clock of UTC, so that both databases can tell the hour of an entry by themselves.
CAMPAIGN: Campaign = replace(LIVE, slug="newsroom", time_zone="UTC", id=1)
AT_ONCE = 1_000_000

# Sixty months of gifts, one in `share` of them in the month that is looked at. In each month the entries come one after the
# other through 28 days; each fiftieth one is a refund of the gift before it. Amounts as people choose them, 149 articles. The
# hashes are made up, so following the chain is measured by itself.
NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL SELECT i + 1 FROM n WHERE i < {last})",
    "postgresql": "WITH n(i) AS (SELECT generate_series({first}::bigint, {last}))",
}
TWO_DIGITS = {"sqlite": "substr('0' || ({0}), -2)", "postgresql": "lpad(({0})::text, 2, '0')"}
TWELVE_DIGITS = {"sqlite": "printf('%012d', {0})", "postgresql": "lpad(({0})::text, 12, '0')"}
FALSE = {"sqlite": "0", "postgresql": "false"}
MOMENT = {"sqlite": "{0}", "postgresql": "({0} || '+00')::timestamptz"}
FILL = """INSERT INTO entry (key, campaign_id, live, kind, amount, told, currency, at, month, belongs_to, gift_key,
        tier, source, place, recorded_at, chain)
    {numbers},
    kinds AS (SELECT i, i % 50 = 0 AS is_refund, CASE WHEN i % 50 = 0 THEN i - 1 ELSE i END AS gift FROM n),
    months AS (SELECT kinds.*, CASE WHEN i / 60 % {share} = 0 THEN '2021-05' ELSE {month} END AS month,
        CASE WHEN i / 60 % {share} = 0 THEN i - 1 ELSE (i - 1) * 60 % {size} END * 2419200 / {size} AS second FROM kinds),
    moments AS (SELECT months.*, {moment} AS at FROM months)
    SELECT CASE WHEN is_refund THEN 're_test_' ELSE 'cs_test_' END || {own}, 1, {false},
        CASE WHEN is_refund THEN 'refund' WHEN i % 3 = 0 THEN 'monthly' ELSE 'once' END, {amount}, {amount}, 'USD', at,
        month, month, 'cs_test_' || {of_gift}, CASE WHEN gift % 4 = 0 THEN 'other' ELSE '1000' END,
        'article-' || (gift % 149), CASE WHEN gift % 2 = 0 THEN 'top' ELSE 'bottom' END, at, 'made up' FROM moments"""
AMOUNT = "CASE WHEN is_refund THEN -500 WHEN i % 4 = 0 THEN 500 + i / 7 % 120 * 25 ELSE 500 * (1 + i / 3 % 7) END"
SETTLE = """INSERT INTO settlement (key, entry_key, live, amount, fee, net, currency, rate, at, available_on, payout,
        paid_out_on)
    SELECT 'txn_' || key, key, live, told, 59, told - 59, currency, '', at, at, 'po_' || (id % 25), at FROM entry
    WHERE month = '2021-05'"""
# Beside the entries: Stripe's deliveries of the last thirty days with their bodies, one for ten entries, of which one in a
# thousand tells of a dispute; and a subscription for a hundred entries, a fifth of them ended.
FROM_SECONDS = {
    "sqlite": "strftime('%Y-%m-%d %H:%M:%S', {0}, 'unixepoch') || '.000000'",
    "postgresql": "to_timestamp({0})",
}
BODY = {"sqlite": "CAST(hex(zeroblob(500)) AS BLOB)", "postgresql": "repeat('0', 1000)::bytea"}
DELIVER = """INSERT INTO delivery (event_id, type, api_version, live, created_at, received_at, outcome, body)
    {numbers} SELECT 'evt_' || {own},
        CASE WHEN i % 1000 = 0 THEN 'charge.dispute.created' ELSE 'checkout.session.completed' END, '', {false}, {when}, {when},
        'recorded', {body} FROM n"""
SUBSCRIBE = """INSERT INTO support (key, campaign_id, live, amount, currency, state, next_charge, told_at, began_at, ended_at)
    {numbers} SELECT 'sub_' || {own}, 1, {false}, 1000, 'USD', CASE WHEN i % 5 = 0 THEN 'ended' ELSE 'active' END, {due},
        {began}, {began}, CASE WHEN i % 5 = 0 THEN {ended} END FROM n"""

# What the entries break down into, in the words of SQL: tracker/giving/breakdown.py does it for every case that there is.
DAY = {
    "sqlite": "CAST(substr(at, 9, 2) AS INTEGER)",
    "postgresql": "extract(day FROM at AT TIME ZONE 'UTC')::integer",
}
BREAK_DOWN = (
    """INSERT INTO day_total (campaign_id, live, month, currency, day, once, monthly, yearly, offline, refunds, disputes, gifts,
        told, told_of, outside, imported)
    SELECT campaign_id, live, month, currency, {day}, sum(CASE WHEN kind = 'once' THEN amount ELSE 0 END),
        sum(CASE WHEN kind = 'monthly' THEN amount ELSE 0 END), 0, 0, sum(CASE WHEN kind = 'refund' THEN -amount ELSE 0 END), 0,
        sum(CASE WHEN kind = 'refund' THEN 0 ELSE 1 END), sum(told), count(*), 0, 0
    FROM entry GROUP BY 1, 2, 3, 4, 5""",
    """INSERT INTO amount_total (campaign_id, live, month, currency, kind, tier, amount, gifts, given)
    SELECT campaign_id, live, month, currency, kind, tier, amount, count(*), sum(amount)
    FROM entry WHERE kind <> 'refund' GROUP BY 1, 2, 3, 4, 5, 6, 7""",
    """INSERT INTO place_total (campaign_id, live, month, currency, source, place, once, monthly, yearly, given)
    SELECT campaign_id, live, month, currency, source, place, sum(CASE WHEN kind = 'once' THEN 1 ELSE 0 END),
        sum(CASE WHEN kind = 'monthly' THEN 1 ELSE 0 END), 0, sum(amount)
    FROM entry GROUP BY 1, 2, 3, 4, 5, 6""",
    "INSERT INTO broken_down (id, entry_id) SELECT 1, max(id) FROM entry",
)


def filled(folder: Path, url: str, size: int, share: int) -> Any:
    """An app with that many entries, in SQLite or in the database at `url`."""
    folder.mkdir()
    settings = {
        "TRACKER_INSTANCE": str(folder), "TRACKER_DATABASE_URL": url, "TRACKER_SECRET_KEY": secrets.token_hex(32),
        "TRACKER_SECOND_FACTOR": "optional",
    }  # fmt: skip
    app = create_app(read_settings(settings), background=False)
    with app.app_context():
        store.upgrade()
        _fill(size, share)
        with store.writing() as session:
            assert month_closing.rebuild(session) == 60
            settled_totals.rebuild(session)
        as_after_a_while(store.db.engine)
    return app


def _fill(size: int, share: int) -> None:
    name = store.db.engine.dialect.name
    indexes = list(entry.indexes)
    with store.writing() as session:
        campaigns.save(session, CAMPAIGN)
        campaigns.set_goal(session, "newsroom", MONTH, 500_000, stands=True)
        # Made at the end, all at once, which takes a fraction of the time.
        for index in indexes:
            index.drop(session.connection())
    for first in range(1, size + 1, AT_ONCE):
        with store.writing() as session:
            _run(session, _entries(name, first, min(first + AT_ONCE - 1, size), size, share))
    for index in indexes:
        with store.writing() as session:
            index.create(session.connection())
    for statement in (SETTLE, *BREAK_DOWN):
        with store.writing() as session:
            _run(session, statement.format(day=DAY[name]))
    with store.writing() as session:
        for statement in _beside(name, size):
            _run(session, statement)


def _entries(name: str, first: int, last: int, size: int, share: int) -> str:
    two, twelve = TWO_DIGITS[name].format, TWELVE_DIGITS[name].format
    month = f"((i - 1) * 60 / {size})"
    parts = (" ", "second / 3600 % 24"), (":", "second / 60 % 60"), (":", "second % 60")
    clock = " || ".join(f"'{sign}' || {two(part)}" for sign, part in parts)
    return FILL.format(
        numbers=NUMBERS[name].format(first=first, last=last), size=size, share=share,
        month=f"(2017 + {month} / 12) || '-' || {two(f'{month} % 12 + 1')}",
        moment=MOMENT[name].format(f"month || '-' || {two('second / 86400 + 1')} || {clock} || '.000000'"),
        own=twelve("i"), of_gift=twelve("gift"), amount=AMOUNT, false=FALSE[name],
    )  # fmt: skip


def _beside(name: str, size: int) -> tuple[str, str]:
    own, moment, no = TWELVE_DIGITS[name].format("i"), FROM_SECONDS[name].format, FALSE[name]
    today, beginning, years = int(time.time()), 1_483_228_800, 157_680_000
    deliveries, subscriptions = size // 10, size // 100
    when = moment(f"{today} - 2592000 + i * 2592000 / {deliveries}")
    began = f"{beginning} + i * {years} / {subscriptions}"
    return DELIVER.format(
        numbers=NUMBERS[name].format(first=1, last=deliveries), own=own, false=no, when=when, body=BODY[name]
    ), SUBSCRIBE.format(
        numbers=NUMBERS[name].format(first=1, last=subscriptions), own=own, false=no, began=moment(began),
        due=moment(f"{today} + i % 30 * 86400"), ended=moment(f"{began} + i % 300 * 86400"),
    )  # fmt: skip


def _run(session: Session, statement: str) -> None:
    connection = session.connection()
    connection.exec_driver_sql(statement.replace("%", "%%") if connection.dialect.name == "postgresql" else statement)


def as_after_a_while(engine: Engine) -> None:
    """Statistics and visibility, as a database has them that has been running for a while."""
    with engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
        connection.exec_driver_sql(
            "PRAGMA wal_checkpoint(TRUNCATE)" if engine.dialect.name == "sqlite" else "VACUUM ANALYZE"
        )
