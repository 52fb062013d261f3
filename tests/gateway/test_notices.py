"""What Stripe's events say to an editor, and that no event, however damaged, can stop an editor's page."""

import json
from datetime import UTC, datetime
from typing import Any

import pytest
from actors import epoch
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st

from tracker.gateway.events import TOLD_BY
from tracker.gateway.notices import NOTICED_BY, notice_of
from tracker.giving.alerts import Notice

AT = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
DUE = datetime(2021, 5, 23, 9, 31, tzinfo=UTC)
DISPUTE = {
    "id": "du_1", "amount": 4200, "currency": "usd", "charge": "ch_1", "payment_intent": "pi_1", "status": "needs_response",
    "evidence_details": {"due_by": epoch("2021-05-23T09:31")},
}  # fmt: skip


def said(kind: str, about: dict[str, Any]) -> Notice | None:
    event = {"id": "evt_1", "object": "event", "type": kind, "created": int(AT.timestamp()), "livemode": False}
    return notice_of(json.dumps(event | {"data": {"object": about}}).encode())


@pytest.mark.parametrize(
    ("status", "kind", "is_open"),
    [
        ("needs_response", "dispute", True), ("appeal_needs_response", "dispute", True),
        ("warning_needs_response", "inquiry", True), ("under_review", "answered", True),
        ("warning_under_review", "answered", True), ("appeal_under_review", "answered", True),
        ("won", "answered", False), ("lost", "answered", False), ("warning_closed", "answered", False),
        ("prevented", "answered", False), ("something_new", "answered", False), (None, "answered", False),
    ],
)  # fmt: skip
def test_a_dispute_is_open_while_somebody_answers_or_decides(status: str | None, kind: Any, is_open: bool) -> None:
    notice = said("charge.dispute.updated", DISPUTE | {"status": status})
    assert notice == Notice("du_1", kind, ("pi_1", "ch_1"), is_open, AT, 4200, "USD", DUE)


def test_a_warning_and_a_failed_refund_name_their_gift() -> None:
    warning = {"id": "issfr_1", "charge": "ch_1", "payment_intent": {"id": "pi_1"}, "actionable": True}
    kind = "radar.early_fraud_warning.created"
    assert said(kind, warning) == Notice("issfr_1", "warning", ("pi_1", "ch_1"), True, AT)
    over = said(kind, warning | {"actionable": False})
    assert over is not None
    assert not over.is_open
    refund = {"id": "re_1", "amount": 400, "currency": "usd", "charge": "ch_1", "payment_intent": None}
    assert said("refund.failed", refund) == Notice("re_1", "refund_failed", ("ch_1",), True, AT, 400, "USD")


def test_what_names_no_gift_says_nothing() -> None:
    for changes in ({"charge": None, "payment_intent": None}, {"id": None}, {"charge": "\0", "payment_intent": "é"}):
        assert said("charge.dispute.created", DISPUTE | changes) is None
    assert said("charge.updated", DISPUTE) is None


def test_the_endpoint_is_asked_for_all_of_them() -> None:
    assert set(NOTICED_BY) <= set(TOLD_BY)


junk = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(500), deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(DISPUTE)), junk, min_size=1, max_size=3), st.sampled_from(NOTICED_BY))
def test_no_object_however_damaged_stops_the_page(changes: dict[str, Any], kind: str) -> None:
    notice = said(kind, DISPUTE | changes)
    assert notice is None or (notice.key and notice.known_as)


@settings(max_examples=examples(300), deadline=None)
@given(st.binary(max_size=60) | junk.map(lambda value: json.dumps(value).encode()))
def test_no_body_at_all_stops_the_page(body: bytes) -> None:
    assert notice_of(body) is None
