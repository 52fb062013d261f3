"""What needs attention is found by an index that holds little else, among however many deliveries and subscriptions."""

from datetime import UTC, datetime
from typing import Any

import pytest
from flask import Flask
from sqlalchemy import event

from tracker.gateway.notices import NOTICED_BY
from tracker.giving.campaign import Campaign
from tracker.ledger import campaigns, needs_attention
from tracker.ledger.store import reading

NOW = datetime(2021, 6, 20, 12, tzinfo=UTC)


@pytest.fixture
def database_url() -> str:
    """SQLite: its plans do not depend on how many rows there are."""
    return ""


def test_alerts_are_found_by_an_index(app: Flask) -> None:
    sent: list[tuple[str, Any]] = []

    def note(_connection: object, _cursor: object, written: str, values: Any, *_: object) -> None:
        sent.append((written, values))

    with reading() as session:
        newsroom = campaigns.find(session, "newsroom")
        assert isinstance(newsroom, Campaign)
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", note)
        needs_attention.told(session, NOTICED_BY, False, NOW)
        needs_attention.needs_attention(session, newsroom, False, NOW, [])
        event.remove(connection, "before_cursor_execute", note)
        plans = {
            table: [
                str(connection.exec_driver_sql(f"EXPLAIN QUERY PLAN {written}", values).all())
                for written, values in sent
                if f"FROM {table}" in written
            ]
            for table in ("delivery", "support")
        }
    assert [("ix_delivery_by_type" in plan) for plan in plans["delivery"]] == [True, True], plans
    assert ["ix_support_failing" in plan for plan in plans["support"]] == [True], plans
