"""How requests are read and answers are written."""

from contextlib import suppress
from typing import Any
from urllib.parse import urlencode

import pytest
import stripe
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe._encode import _api_encode

from tracker.sandbox.wire import StripeError, parse_form

names = st.text("abcdefghij_", min_size=1, max_size=6)
scalars = st.one_of(st.text(max_size=20), st.integers(), st.booleans())
values = st.recursive(
    scalars,
    lambda inner: st.one_of(st.lists(inner, max_size=3), st.dictionaries(names, inner, max_size=3)),
    max_leaves=8,
)


def as_read(value: Any) -> Any:
    """What is left of a value after the form: strings, index dictionaries, nothing empty."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        value = {str(index): entry for index, entry in enumerate(value)}
    if isinstance(value, dict):
        kept = {key: as_read(entry) for key, entry in value.items()}
        return {key: entry for key, entry in kept.items() if entry != {}}
    return str(value)


@settings(deadline=None)
@given(st.dictionaries(names, values, max_size=4))
def test_what_the_sdk_encodes_is_read_back(params: dict[str, Any]) -> None:
    encoded = urlencode(
        [(key, str(value).lower() if isinstance(value, bool) else value) for key, value in _api_encode(params)]
    )
    assert parse_form(encoded) == as_read(params)


@pytest.mark.parametrize(
    ("encoded", "read"),
    [
        ("a[b][c]=v", {"a": {"b": {"c": "v"}}}),
        ("a%5B0%5D=x&a%5B1%5D=y", {"a": {"0": "x", "1": "y"}}),
        ("a[]=x&a[]=y", {"a": ["x", "y"]}),
        ("metadata[k]=", {"metadata": {"k": ""}}),
        ("a[b", {"a[b": ""}),
        ("]=1", {"]": "1"}),
        ("", {}),
    ],
)
def test_every_way_of_nesting_is_read(encoded: str, read: dict[str, Any]) -> None:
    assert parse_form(encoded) == read


@settings(deadline=None)
@given(st.text(max_size=60))
def test_no_form_however_broken_is_worse_than_a_400(encoded: str) -> None:
    with suppress(StripeError):
        parse_form(encoded)


def test_keys_are_needed_and_shown_masked(sandbox_server: Any) -> None:
    status, _, body = sandbox_server.raw("GET", "/v1/charges", Authorization="")
    assert (status, body["error"]["type"]) == (401, "invalid_request_error")
    with pytest.raises(stripe.AuthenticationError, match=r"Invalid API Key provided: nons\*+here"):
        sandbox_server.another_client("nonsense-here").v1.charges.list()
    status, _, _ = sandbox_server.raw("GET", "/v1/charges", Authorization="Basic c2tfdGVzdF94Og==")  # sk_test_x:
    assert status == 200


def test_the_modes_never_see_each_other(sandbox_server: Any) -> None:
    session = sandbox_server.gift()
    live = sandbox_server.another_client("rk_live_other")
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        live.v1.checkout.sessions.retrieve(session.id)
    assert (refusal.value.http_status, refusal.value.code) == (404, "resource_missing")
    assert live.v1.checkout.sessions.list().data == []
    assert session.livemode is False


def test_an_unknown_address_is_answered_like_stripe(sandbox_server: Any) -> None:
    status, headers, body = sandbox_server.raw("GET", "/v1/foo")
    assert status == 404
    assert body["error"]["message"].startswith("Unrecognized request URL (GET: /v1/foo).")
    assert headers["Request-Id"].startswith("req_")
    assert headers["Stripe-Version"] == stripe.api_version


def test_lists_page_through_everything_newest_first(sandbox_server: Any) -> None:
    made = [sandbox_server.gift(500 + n).id for n in range(7)]
    sessions = sandbox_server.client.v1.checkout.sessions
    assert [row.id for row in sessions.list({"limit": 2}).auto_paging_iter()] == made[::-1]
    backwards = sessions.list({"limit": 2, "ending_before": made[0]})
    assert [row.id for row in backwards.auto_paging_iter()] == made[1:]
    first = sessions.list({"limit": 3})
    assert first.has_more
    assert not sessions.list({"limit": 7}).has_more
    assert [row.id for row in sessions.list({"starting_after": made[2]}).data] == [made[1], made[0]]


@pytest.mark.parametrize(
    ("params", "param", "code"),
    [
        ({"limit": 0}, "limit", "parameter_invalid_integer"),
        ({"limit": 101}, "limit", "parameter_invalid_integer"),
        ({"limit": "many"}, "limit", "parameter_invalid_integer"),
        ({"starting_after": "cs_test_none"}, "starting_after", "resource_missing"),
        ({"starting_after": "a", "ending_before": "b"}, "starting_after", "parameters_exclusive"),
        ({"created": {"since": 5}}, "created[since]", "parameter_unknown"),
        ({"status": "nearly"}, "status", None),
        ({"idempotency_key": "k"}, "idempotency_key", "parameter_unknown"),
    ],
)
def test_bad_list_parameters_are_refused(sandbox_server: Any, params: Any, param: str, code: str | None) -> None:
    with pytest.raises(stripe.InvalidRequestError) as refusal:
        sandbox_server.client.v1.checkout.sessions.list(params)
    assert (refusal.value.param, refusal.value.code) == (param, code)


def test_lists_filter_by_time(sandbox_server: Any) -> None:
    sandbox_server.sandbox.set_clock(1_700_000_000)
    old = sandbox_server.gift().id
    sandbox_server.sandbox.set_clock(1_700_000_100)
    new = sandbox_server.gift().id
    sessions = sandbox_server.client.v1.checkout.sessions
    assert [row.id for row in sessions.list({"created": {"gte": 1_700_000_100}}).data] == [new]
    assert [row.id for row in sessions.list({"created": {"lt": 1_700_000_100}}).data] == [old]


@pytest.mark.parametrize("path", ["nothing", "amount_total", "data.customer", "customer.nothing", "metadata.campaign"])
def test_what_cannot_be_expanded_is_a_400(sandbox_server: Any, path: str) -> None:
    session = sandbox_server.gift(monthly=True)
    sandbox_server.pay(session)
    with pytest.raises(stripe.InvalidRequestError, match="cannot be expanded") as refusal:
        sandbox_server.client.v1.checkout.sessions.retrieve(session.id, {"expand": [path]})
    assert refusal.value.param == "expand"


def test_includable_lists_are_absent_unless_asked_for(sandbox_server: Any) -> None:
    session = sandbox_server.gift(monthly=True)
    sandbox_server.pay(session)
    v1 = sandbox_server.client.v1
    plain = v1.checkout.sessions.retrieve(session.id).to_dict()
    assert "line_items" not in plain
    assert "payments" not in v1.invoices.retrieve(plain["invoice"]).to_dict()
    charge = v1.charges.list().data[0]
    assert "refunds" not in charge.to_dict()
    assert v1.charges.retrieve(charge.id, {"expand": ["refunds"]}).refunds.data == []
    full = v1.checkout.sessions.retrieve(session.id, {"expand": ["line_items"]})
    assert full.line_items.data[0].amount_total == 1000
    assert v1.checkout.sessions.line_items.list(session.id).data[0].description == "Donation"


def test_a_failed_validation_is_not_kept_but_a_500_is(sandbox_server: Any) -> None:
    customers = sandbox_server.client.v1.customers
    with pytest.raises(stripe.InvalidRequestError):
        customers.create({"email": "nobody"}, {"idempotency_key": "k1"})
    assert customers.create({"email": "a@example.org"}, {"idempotency_key": "k1"}).email == "a@example.org"
    sandbox_server.lever("faults", answers=[500])
    for _ in range(2):
        with pytest.raises(stripe.APIError) as failure:
            customers.create({"email": "b@example.org"}, {"idempotency_key": "k2"})
        assert failure.value.http_status == 500
    assert failure.value.headers["Idempotent-Replayed"] == "true"


def test_faults_are_what_the_sdk_makes_of_them(sandbox_server: Any) -> None:
    customers = sandbox_server.client.v1.customers
    sandbox_server.lever("faults", answers=[429, 503, "cut", "hang", "ok"], hang_seconds=0.01)
    with pytest.raises(stripe.RateLimitError):
        customers.list()
    with pytest.raises(stripe.APIError):
        customers.list()
    with pytest.raises((stripe.APIConnectionError, stripe.APIError)):
        customers.list()
    assert customers.list().data == []
    patient = sandbox_server.another_client("sk_test_tests", max_network_retries=1)
    sandbox_server.lever("faults", answers=[503])
    assert patient.v1.customers.create({"email": "c@example.org"}).email == "c@example.org"


def test_metadata_merges_and_empty_values_unset(sandbox_server: Any) -> None:
    customers = sandbox_server.client.v1.customers
    made = customers.create({"metadata": {"a": "1", "b": "2"}, "name": "Ann"})
    changed = customers.update(made.id, {"metadata": {"b": "", "c": "3"}})
    assert (changed.metadata.to_dict(), changed.name) == ({"a": "1", "c": "3"}, "Ann")
    assert customers.update(made.id, {"metadata": ""}).metadata.to_dict() == {}
