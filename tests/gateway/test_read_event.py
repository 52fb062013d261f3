"""What Stripe's hook lets in: only what one of the secrets signed within five minutes, and only if it is an event."""

import hashlib
import hmac
import json
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from examples import examples
from hypothesis import given, settings
from hypothesis import strategies as st
from stripe import WebhookSignature

from tracker.gateway.events import Event, NotFromStripe, read_event

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
AT = int(NOW.timestamp())
SECRET = "whsec_current"

EVENT: dict[str, Any] = {
    "id": "evt_1",
    "object": "event",
    "type": "refund.created",
    "created": AT - 5,
    "livemode": False,
    "api_version": "2026-10-28.endive",
    "pending_webhooks": 1,
    "request": {"id": None, "idempotency_key": None},
    "data": {"object": {"id": "re_1", "object": "refund"}},
}


def without(*path: str) -> dict[str, Any]:
    """The event with one part missing."""
    event: dict[str, Any] = json.loads(json.dumps(EVENT))
    inner = event
    for name in path[:-1]:
        inner = inner[name]
    del inner[path[-1]]
    return event


def signature(body: bytes, secret: str = SECRET, at: int | str = AT) -> str:
    return hmac.new(secret.encode(), f"{at}.".encode() + body, hashlib.sha256).hexdigest()


def header(body: bytes, secret: str = SECRET, at: int | str = AT) -> str:
    return f"t={at},v1={signature(body, secret, at)}"


def read(
    body: bytes | Any, how: str | None = None, *, secrets: tuple[str, ...] = (SECRET,), now: datetime = NOW
) -> Event:
    raw = body if isinstance(body, bytes) else json.dumps(body).encode()
    return read_event(raw, header(raw) if how is None else how, secrets, now)


def refused(*arguments: Any, **named: Any) -> str:
    with pytest.raises(NotFromStripe) as caught:
        read(*arguments, **named)
    return str(caught.value)


BODY = json.dumps(EVENT).encode()


def test_a_signed_event_is_read() -> None:
    assert read(EVENT) == Event(
        "evt_1",
        "refund.created",
        NOW - timedelta(seconds=5),
        False,
        "2026-10-28.endive",
        {"id": "re_1", "object": "refund"},
    )


def test_the_sdks_own_header_is_read() -> None:
    assert read(BODY, WebhookSignature.generate_signature_header(BODY.decode(), SECRET, AT)).id == "evt_1"


def test_several_secrets_are_tried_while_one_is_rolled() -> None:
    for secret in ("whsec_old", "whsec_new"):
        assert read(BODY, header(BODY, secret), secrets=("whsec_new", "whsec_old")).id == "evt_1"
    both = f"t={AT},v1={signature(BODY, 'whsec_old')},v1={signature(BODY, 'whsec_new')}"
    assert read(BODY, both, secrets=("whsec_new",)).id == "evt_1"
    assert read(BODY, both, secrets=("whsec_old",)).id == "evt_1"
    assert refused(BODY, header(BODY, "whsec_older"), secrets=("whsec_new", "whsec_old"))


def test_without_a_secret_nothing_is_let_in() -> None:
    assert refused(BODY, secrets=())
    assert refused(BODY, header(BODY, ""), secrets=("",))
    assert refused(BODY, header(BODY, " "), secrets=(" ",))


@pytest.mark.parametrize(
    "tail", [",v0=abc", ",v1=abc", ",v2=", ",garbage", ",", ",,", ", ", ",=", ",v1", ",v1=", ",x=y=z", ",v1=ä", ",v1=\udce4", " "]
)  # fmt: skip
def test_garbage_behind_a_good_signature_does_no_harm(tail: str) -> None:
    assert read(BODY, header(BODY) + tail).id == "evt_1"


@pytest.mark.parametrize(
    "how",
    [
        "", " ", ",", "t", "t=", "v1=", "garbage", f"t={AT}", f"t={AT},v1=", f"t={AT},v1=abc", f"t={AT},v1=ä", f"t={AT},v1",
        f"v1={signature(BODY)}", f"t={AT},v0={signature(BODY)}", f"t={AT},V1={signature(BODY)}", f"t={AT};v1={signature(BODY)}",
        f"t={AT},v1={signature(BODY)[:-1]}", f"t={AT},v1={signature(BODY)}0", f"t=-{AT},v1={signature(BODY)}",
        f"t={AT}.0,v1={signature(BODY)}", f"t=+{AT},v1={signature(BODY)}", f"t={'9' * 5000},v1={signature(BODY)}", "t=NaN,v1=1",
        f"t=１６,v1={signature(BODY)}", f"t={AT}=,v1={signature(BODY)}", "=" * 1000, "\x00", "t=1," * 1000,
    ],
)  # fmt: skip
def test_a_header_that_signs_nothing_lets_nothing_in(how: str) -> None:
    assert refused(BODY, how)


def test_a_changed_body_is_refused() -> None:
    assert refused(BODY.replace(b"evt_1", b"evt_2"), header(BODY)) == "the signature does not match"
    assert refused(BODY + b" ", header(BODY)) == "the signature does not match"


@pytest.mark.parametrize(
    ("seconds", "good"), [(-301, False), (-300, True), (0, True), (300, True), (301, False), (10**9, False)]
)
def test_five_minutes_either_way_are_taken_and_no_more(seconds: int, good: bool) -> None:
    how = header(BODY, at=AT + seconds)
    if good:
        assert read(BODY, how).id == "evt_1"
    else:
        assert refused(BODY, how) == "signed too long ago, or in the future"


@pytest.mark.parametrize("at", [0, 1, 99_999_999_999, 10**11, 10**30])
def test_a_time_that_is_none_is_refused_even_when_it_was_signed(at: int) -> None:
    assert refused(BODY, header(BODY, at=at))


def test_an_old_delivery_is_not_let_in_again_under_a_second_time() -> None:
    old = AT - 86_400
    signed = f"v1={signature(BODY, at=old)}"
    for how in (
        f" t={AT},t={old},{signed}",
        f"t={old},t={AT},{signed}",
        f"t={old}=x,t={AT},{signed}",
        f"t={old},{signed}, t={AT}",
    ):
        assert refused(BODY, how)


def test_what_is_not_utf8_or_not_json_is_refused_even_when_signed() -> None:
    assert refused(b"\xff\xfe") == "not UTF-8"
    for body in (b"", b"{", b"\xef\xbb\xbf" + BODY, b"{'id': 1}", b"[" * 100_000, b'{"a":' * 100_000, b"1" * 10_000):
        assert refused(body) in ("not JSON", "not an event")


@pytest.mark.parametrize(
    "body", [[], [EVENT], "event", "", 1, 1.5, None, True, {}, {"object": "event"}, {"object": "v2.core.event"}]
)
def test_signed_json_of_another_shape_is_no_event(body: Any) -> None:
    assert refused(body) == "not an event"


@pytest.mark.parametrize(
    "path", [("id",), ("type",), ("object",), ("created",), ("livemode",), ("data",), ("data", "object")]
)
def test_an_event_that_lacks_a_part_is_none(path: tuple[str, ...]) -> None:
    assert refused(without(*path)) == "not an event"


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("id", ""), ("id", None), ("id", 7), ("id", ["evt_1"]), ("id", "e" * 300), ("id", "evt\x00"), ("id", "evt\ud800"),
        ("id", "é"),
        ("type", ""), ("type", None), ("type", "t" * 300), ("type", "a b"), ("created", None), ("created", "now"), ("created", -1),
        ("created", 0), ("created", 1.5), ("created", True), ("created", 10**20), ("livemode", None), ("livemode", 0),
        ("livemode", "false"), ("data", []), ("data", None), ("data", {"object": []}), ("data", {"object": "re_1"}),
    ],
)  # fmt: skip
def test_an_event_with_a_part_of_the_wrong_kind_is_none(name: str, value: Any) -> None:
    assert refused(EVENT | {name: value}) == "not an event"


@pytest.mark.parametrize("version", [None, "2020-08-27", "2026-10-28.endive", 7, "v" * 1000, ["x"]])
def test_any_api_version_is_taken(version: Any) -> None:
    assert len(read(EVENT | {"api_version": version}).api_version) <= 64
    assert read(without("api_version")).api_version == ""


def test_new_parts_that_stripe_may_add_are_let_be() -> None:
    assert read(EVENT | {"context": "acct_1", "reason": {"type": "request"}}).object == EVENT["data"]["object"]


def test_what_happens_on_a_connected_account_is_none_of_ours() -> None:
    event = read(EVENT | {"account": "acct_1"})
    assert (event.id, event.object) == ("evt_1", {})


def test_a_reason_never_holds_what_was_sent() -> None:
    secret_text = b"donor@example.org"
    for how in ("", "t=1,v1=donor@example.org", header(secret_text)):
        assert "donor" not in refused(secret_text, how)


json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
    max_leaves=8,
)


@settings(max_examples=examples(800), deadline=None)
@given(st.one_of(st.binary(max_size=60), json_values.map(lambda value: json.dumps(value).encode())), st.booleans())
def test_whatever_is_sent_is_refused_in_one_way(body: bytes, signed: bool) -> None:
    assert refused(body, header(body) if signed else "t=1,v1=1")


@settings(max_examples=examples(800), deadline=None)
@given(st.dictionaries(st.sampled_from(sorted(EVENT)), json_values, min_size=1, max_size=3))
def test_an_event_with_anything_in_its_parts_is_read_or_refused(changes: dict[str, Any]) -> None:
    try:
        event = read(EVENT | changes)
    except NotFromStripe:
        return
    assert event.id.isascii()
    assert 0 < len(event.id) <= 255
    assert isinstance(event.object, dict)


@settings(max_examples=examples(800), deadline=None)
@given(
    st.one_of(
        st.text(max_size=80),
        st.text(alphabet="tv01=, 5", max_size=40),
        st.from_regex(r"\A(t=[0-9]{1,12},?|v1=.,?){0,5}\Z"),
    )
)
def test_no_header_that_was_not_signed_lets_anything_in(how: str) -> None:
    assert refused(BODY, how)


@settings(max_examples=examples(300), deadline=None)
@given(st.integers(-(10**4), 10**4))
def test_the_age_is_that_of_the_signature_that_was_checked(seconds: int) -> None:
    if abs(seconds) <= 300:
        assert read(BODY, header(BODY, at=AT + seconds)).id == "evt_1"
    else:
        assert refused(BODY, header(BODY, at=AT + seconds)) == "signed too long ago, or in the future"
