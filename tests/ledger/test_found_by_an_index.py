"""What editors' pages ask is found by an index that holds little else, among however many deliveries and subscriptions."""

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event
from sqlalchemy.orm import Session

from tracker.gateway.notices import NOTICED_BY
from tracker.giving.campaign import Campaign
from tracker.giving.months import parse_month
from tracker.ledger import campaigns, needs_attention, subscriptions, supporter_counts
from tracker.ledger.store import reading

NOW = datetime(2021, 6, 20, 12, tzinfo=UTC)
JUNE = parse_month("2021-06")


@pytest.fixture
def database_url() -> str:
    """SQLite: its plans do not depend on how many rows there are."""
    return ""


def plans(ask: Callable[[Session, Campaign], object], table: str) -> list[str]:
    """How each statement that reads the table goes about it."""
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, written: str, values: Any, *_: object) -> None:
        sent.append((written, values))

    with reading() as session:
        newsroom = campaigns.find(session, "newsroom")
        assert isinstance(newsroom, Campaign)
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        ask(session, newsroom)
        event.remove(connection, "before_cursor_execute", note)
        return [
            str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {written}", values).all())
            for written, values in sent
            if f"FROM {table}" in written
        ]


def test_alerts(app: Flask) -> None:
    def ask(session: Session, newsroom: Campaign) -> None:
        needs_attention.told(session, NOTICED_BY, False, NOW)
        needs_attention.needs_attention(session, newsroom, False, NOW, [])

    found = plans(ask, "delivery")
    assert ["ix_delivery_by_type" in plan for plan in found] == [True, True], found
    found = plans(ask, "support")
    assert ["ix_support_failing" in plan for plan in found] == [True], found


def test_supporters_are_counted_from_an_index_alone(app: Flask) -> None:
    def ask(session: Session, newsroom: Campaign) -> None:
        supporter_counts.regulars(session, newsroom, False, [(JUNE.first_moment("UTC"), NOW)])

    (plan,) = plans(ask, "support")
    assert "COVERING INDEX ix_support_counted" in plan


def test_the_few_subscriptions_with_several_charges(app: Flask) -> None:
    (plan,) = plans(
        lambda session, newsroom: subscriptions.still_to_come(session, newsroom, JUNE, False, NOW), "support"
    )
    assert "INDEX ix_support_several" in plan
