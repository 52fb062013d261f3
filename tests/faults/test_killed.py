"""The server is killed in the middle of its work, again and again: what it acknowledged is there, to the cent."""

import random
import time
from pathlib import Path

import pytest
from actors import Stripe
from commands import run_command
from faults.history import troubled_year, what_is_wrong
from faults.senders import CUT, Senders
from faults.server import LONG, Server, running
from flask import Flask
from sqlalchemy import text

from tracker.ledger.store import writing
from tracker.settings import Settings, read_settings

SEEDS = range(1, 6) if LONG else [1]
KILLS = 20 if LONG else 2


@pytest.mark.parametrize("seed", SEEDS)
def test_killed_again_and_again_it_loses_nothing(newsroom: dict[str, str], tmp_path: Path, seed: int) -> None:
    history = troubled_year(seed, 90 * KILLS)
    chance = random.Random(seed)
    server = Server(newsroom, tmp_path / "log", workers=2)
    with running(server), Senders([server], history.deliveries, pause=0.02) as stripe:
        for _ in range(KILLS):
            stripe.wait_for_another(30)
            time.sleep(chance.uniform(0.3, 0.5))
            assert stripe.left > 0, "all was told before the last kill"
            server.kill()
            server.start()
        stripe.finish()
    assert stripe.answers[CUT] >= KILLS, "the kills cut nothing"
    assert what_is_wrong(read_settings(newsroom).database_url, history.sheet, stripe.acknowledged) == []
    assert run_command(newsroom, "rebuild", "--check").exit_code == 0
    told, cut = len(history.deliveries), stripe.answers[CUT]
    print(f"\nseed {seed}: {KILLS} kills, {told} deliveries, {cut} of them cut off: 0 lost, 0 cents off")


def test_the_reckoning_notices_one_delivery_that_was_acknowledged_and_lost(
    app: Flask, stripe_calls: Stripe, settings: Settings
) -> None:
    history = troubled_year(7, 20)
    sent = {one.event_id for one in history.deliveries}
    lost = next(one for one in history.deliveries if b'"invoice.paid"' in one.body and b'"pledgebar"' in one.body)
    for one in history.deliveries:
        if one.event_id != lost.event_id:
            assert stripe_calls.delivers(one.body) == 204
    wrong = what_is_wrong(settings.database_url, history.sheet, sent)
    assert wrong[0] == f"{lost.event_id} was acknowledged and is gone"
    assert any("monthly off by -" in line for line in wrong)
    assert stripe_calls.delivers(lost.body) == 204
    assert what_is_wrong(settings.database_url, history.sheet, sent) == []


def test_the_reckoning_notices_one_cent(app: Flask, stripe_calls: Stripe, settings: Settings) -> None:
    history = troubled_year(8, 20)
    for one in history.deliveries:
        assert stripe_calls.delivers(one.body) == 204
    assert what_is_wrong(settings.database_url, history.sheet, set()) == []
    month, currency = min(history.sheet[False]).split()
    with writing() as connection:
        connection.execute(
            text("UPDATE month_total SET once = once + 1 WHERE month = :month AND currency = :currency AND NOT live"),
            {"month": month, "currency": currency},
        )
    assert what_is_wrong(settings.database_url, history.sheet, set()) == [f"{month} {currency} test: once off by 1"]
