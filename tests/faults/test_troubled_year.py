"""A year in which everything happens, told in any order and some of it twice: nothing is lost, and no cent is off."""

import pytest
from actors import Stripe
from faults.history import troubled_year, what_is_wrong
from faults.server import LONG
from flask import Flask

from tracker.ledger import month_closing
from tracker.ledger.store import reading
from tracker.settings import Settings

SEEDS = range(1, 6) if LONG else [1]
# Of four thousand, Stripe tells more than ten thousand times.
GIFTS = 4000 if LONG else 100


@pytest.mark.parametrize("seed", SEEDS)
def test_a_troubled_year_comes_to_what_a_plain_sum_says(
    app: Flask, stripe_calls: Stripe, settings: Settings, seed: int
) -> None:
    history = troubled_year(seed, GIFTS)
    for one in history.deliveries:
        assert stripe_calls.delivers(one.body) == 204
    told = {one.event_id for one in history.deliveries}
    assert what_is_wrong(settings.database_url, history.sheet, told) == []
    with reading() as connection:
        assert month_closing.differences(connection) == []
        assert month_closing.tampered(connection) == []
    print(f"\nseed {seed}: {len(history.deliveries)} deliveries: 0 lost, 0 cents off")
