"""Who asks, behind proxies: each person for themselves, whatever a proxy writes, and a stranger's header changes nothing."""

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import pytest
from flask import Flask, request
from flask.testing import FlaskClient
from serving import serving
from structlog.testing import capture_logs
from werkzeug.test import Client

from tracker import create_app
from tracker.ledger import nodes, store
from tracker.ledger.store import reading
from tracker.sandbox import Sandbox, create_sandbox
from tracker.settings import Settings
from tracker.web.heartbeat import Node
from tracker.web.proxies import read_address
from tracker.web.rate_limits import caller
from tracker.web.site import now

HTTPS = "https://give.example.org"


@pytest.fixture
def database_url() -> str:
    return ""


class Front:
    """An app with these settings, and requests that reach it as a proxy passes them on."""

    def __init__(self, settings: Settings) -> None:
        self.app = create_app(settings, background=False)
        self.app.add_url_rule("/who", "who", lambda: f"{caller()} {request.remote_addr} {request.scheme}")
        self.client: FlaskClient = self.app.test_client()

    def asks(
        self, peer: str = "127.0.0.1", path: str = "/who", host: str = "give.example.org", **headers: str
    ) -> list[str]:
        named = {name.replace("_", "-"): text for name, text in headers.items()} | {"Host": host}
        return self.client.get(path, headers=named, environ_base={"REMOTE_ADDR": peer}).text.split(" ")

    def bucket(self, forwarded_for: str, peer: str = "127.0.0.1") -> str:
        return self.asks(peer, X_Forwarded_For=forwarded_for)[0]

    def noticed(self) -> dict[str, int]:
        with self.app.app_context():
            self.node.write(now())
            with reading() as connection:
                (row,) = (one for one in nodes.every(connection, self.node._started) if one.id == self.node.id)
        seen: dict[str, int] = row.noted["proxies"]["seen"]
        return seen

    @property
    def node(self) -> Node:
        found: Node = self.app.extensions["node"]
        return found


@pytest.fixture
def front(app: Flask, settings: Settings, request: pytest.FixtureRequest) -> Iterator[Front]:
    """By default: a public https address, and nobody has said anything of proxies."""
    changes: dict[str, Any] = {"proxies": None, "public_url": HTTPS, "hosts": ("give.example.org",)}
    made = Front(replace(settings, **changes | getattr(request, "param", {})))
    yield made
    store.close(made.app)


def told(number: int | None, **more: Any) -> pytest.MarkDecorator:
    return pytest.mark.parametrize("front", [{"proxies": number} | more], indirect=True)


# --- Each for themselves ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("written", "address"),
    [
        ("192.0.2.1", "192.0.2.1"), ("192.0.2.1:4711", "192.0.2.1"), ("2001:db8::1", "2001:db8::1"),
        ("[2001:db8::1]", "2001:db8::1"), ("[2001:db8::1]:4711", "2001:db8::1"), ('"[2001:db8::1]:4711"', "2001:db8::1"),
        ("::ffff:192.0.2.1", "192.0.2.1"), ("[::ffff:192.0.2.1]:4711", "192.0.2.1"), ("fe80::1%eth0", "fe80::1"),
        ("[fe80::1%25eth0]:80", "fe80::1"), (" 192.0.2.1 ", "192.0.2.1"),
        ("unknown", None), ("", None), ("192.0.2", None), ("192.0.2.1:port", None), ("_hidden", None), ("[", None),
        ("192.0.2.1:4711:1", None), ("999.0.2.1:1", None), ("::1]:80", None), ("[]:80", None),
    ],
)  # fmt: skip
def test_an_address_is_understood_as_proxies_write_it(written: str, address: str | None) -> None:
    found = read_address(written)
    assert (str(found) if found else None) == address


@told(1)
def test_people_behind_a_proxy_that_writes_ports_are_each_counted_for_themselves(front: Front) -> None:
    first = front.bucket("203.0.113.5:40001")
    assert re.fullmatch("[0-9a-f]{32}", first)
    assert (
        front.bucket("203.0.113.5:40002") == front.bucket("203.0.113.5") == front.bucket("::ffff:203.0.113.5") == first
    )
    assert front.bucket("203.0.113.6:40001") != first
    one, same, other = (front.bucket(f"[2001:db8:1:{net}]:443") for net in ("2::1", "2:ffff::9", "3::1"))
    assert (one == same, one == other) == (True, False)


@told(1)
def test_what_is_no_address_is_nobody_elses_bucket(front: Front) -> None:
    somebody = front.bucket("203.0.113.5")
    junk = [front.bucket(text) for text in ("_hidden", "%%%", "<script>", "203.0.113.5x")]
    assert len({somebody, *junk}) == 5
    # Where nobody is named, nobody is counted.
    assert front.bucket("unknown") == front.bucket("unix:") == ""


@told(1)
def test_a_stranger_behind_the_proxy_gains_nothing_by_writing_the_header_too(front: Front) -> None:
    own = front.bucket("203.0.113.5")
    assert {front.bucket(f"198.51.100.{number}, 203.0.113.5") for number in range(5)} == {own}


@told(2)
def test_with_two_proxies_the_one_before_the_last_is_the_person(front: Front) -> None:
    assert front.asks(X_Forwarded_For="203.0.113.5, 198.51.100.1")[1] == "203.0.113.5"
    assert front.asks(X_Forwarded_For="1.1.1.1, 203.0.113.5, 198.51.100.1")[1] == "203.0.113.5"
    # Fewer than told: still a person, and not the proxy that everybody comes through.
    assert front.asks(X_Forwarded_For="203.0.113.5")[1] == "203.0.113.5"


@told(1)
def test_the_proxy_says_that_the_person_came_by_https(front: Front) -> None:
    assert front.asks(X_Forwarded_For="203.0.113.5", X_Forwarded_Proto="https")[2] == "https"
    assert front.asks(X_Forwarded_For="203.0.113.5", X_Forwarded_Proto="gopher")[2] == "http"
    assert front.asks("8.8.8.8", X_Forwarded_For="203.0.113.5", X_Forwarded_Proto="https")[2] == "http"


# --- Nobody said anything of proxies ----------------------------------------------------------------------------------


def test_a_proxy_on_this_machine_is_recognised_where_the_address_is_https(front: Front) -> None:
    first, second = (front.asks(X_Forwarded_For=f"203.0.113.{number}") for number in (5, 6))
    assert (first[1], second[1]) == ("203.0.113.5", "203.0.113.6")
    assert first[0] != second[0]
    assert front.asks("::1", X_Forwarded_For="203.0.113.5")[0] == first[0]
    assert front.asks("::ffff:127.0.0.1", X_Forwarded_For="203.0.113.5")[0] == first[0]
    assert front.noticed() == {"as told": 4}


@told(0, public_url="http://127.0.0.1:5000", hosts=("127.0.0.1",))
def test_without_https_nobody_is_believed(front: Front) -> None:
    found = [front.asks(host="127.0.0.1:5000", X_Forwarded_For=f"203.0.113.{number}") for number in range(3)]
    assert {one[1] for one in found} == {"127.0.0.1"}


# --- Strangers --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("front", [{"proxies": number} for number in (None, 0, 1, 2)], indirect=True)
def test_a_stranger_who_writes_the_header_changes_nothing_and_is_not_noticed(front: Front) -> None:
    with capture_logs() as lines:
        for number in range(20):
            forged = {
                "X_Forwarded_For": f"198.51.100.{number}, 10.0.0.1",
                "X_Real_IP": "10.0.0.1",
                "Forwarded": "for=10.0.0.1",
            }
            assert front.asks("8.8.4.4", **forged)[1] == "8.8.4.4"
    assert lines == []
    assert front.noticed() == {}


@told(1, proxy_networks=("8.8.4.0/24",))
def test_a_proxy_with_a_public_address_is_believed_when_it_is_named(front: Front) -> None:
    assert front.asks("8.8.4.4", X_Forwarded_For="203.0.113.5")[1] == "203.0.113.5"
    assert front.asks("8.8.8.8", X_Forwarded_For="203.0.113.5")[1] == "8.8.8.8"


# --- What is not as told ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("front", "peer", "headers", "seen"),
    [
        ({"proxies": 0}, "127.0.0.1", {"X_Forwarded_For": "203.0.113.5"}, "1"),
        ({"proxies": 0}, "10.1.2.3", {"X_Forwarded_For": "203.0.113.5, 10.0.0.1"}, "2"),
        ({"proxies": 0}, "127.0.0.1", {"Forwarded": "for=203.0.113.5"}, "silent"),
        ({"proxies": 0}, "127.0.0.1", {"X_Real_IP": "203.0.113.5"}, "silent"),
        ({"proxies": None}, "172.18.0.2", {"X_Forwarded_For": "203.0.113.5"}, "1"),
        ({"proxies": None}, "127.0.0.1", {"X_Forwarded_For": "203.0.113.5, 10.0.0.1"}, "2"),
        ({"proxies": None}, "127.0.0.1", {}, "silent"),
        ({"proxies": 1}, "127.0.0.1", {"X_Forwarded_For": "203.0.113.5, 198.51.100.1"}, "2"),
        ({"proxies": 1}, "127.0.0.1", {"X_Real_IP": "203.0.113.5"}, "silent"),
        ({"proxies": 2}, "127.0.0.1", {"X_Forwarded_For": "203.0.113.5"}, "1"),
    ],
    indirect=["front"],
)  # fmt: skip
def test_a_proxy_that_the_settings_do_not_know_of_is_noticed_at_the_first_request_and_said_once(
    front: Front, peer: str, headers: dict[str, str], seen: str
) -> None:
    with capture_logs() as lines:
        for _ in range(3):
            front.asks(peer, **headers)
    (line,) = lines
    assert (line["event"], line["log_level"], line["seen"]) == ("proxies.not_as_told", "error", seen)
    assert "203.0.113.5" not in repr(line)
    assert front.noticed() == {seen: 3}


@told(1)
def test_an_address_that_is_none_is_noticed(front: Front) -> None:
    front.bucket("unix:")
    assert front.noticed() == {"as told": 1, "junk": 1}


@told(1)
def test_who_asks_on_the_machine_itself_is_not_taken_for_a_proxy(front: Front) -> None:
    for path in ("/healthz", "/readyz"):
        front.asks(path=path, X_Forwarded_For="203.0.113.5, 203.0.113.6")
    assert front.asks(host="127.0.0.1:5000")[1] == "127.0.0.1"
    assert front.noticed() == {}


def test_a_bar_s_answer_that_the_app_makes_by_itself_is_not_taken_for_a_proxy_that_hides_who_asks(front: Front) -> None:
    front.app.extensions["bars"].look(now())
    readers = Client(front.app)
    assert readers.get("/embed/newsroom", headers={"X-Forwarded-For": "203.0.113.5"}).status_code == 200
    assert front.noticed() == {}


def test_a_proxy_that_hides_everybody_makes_no_bucket_of_them(front: Front) -> None:
    assert front.asks()[0] == ""


# --- Gifts ------------------------------------------------------------------------------------------------------------


@told(None, give_limit="2 per 10 minutes")
def test_fifteen_donors_behind_a_proxy_nobody_named_all_get_to_give(front: Front) -> None:
    sandbox = Sandbox()

    def gives(address: str) -> int:
        headers = {"Host": "give.example.org", "X-Forwarded-For": address}
        page = front.client.get("/c/newsroom", headers=headers).text
        token = re.search(r'name="token"[^>]*value="([^"]+)"', page)
        assert token
        sent = {"frequency": "once", "tier_once": "1000", "token": token[1]}
        return front.client.post("/c/newsroom/give", data=sent, headers=headers).status_code

    with serving(create_sandbox(sandbox)) as url:
        front.app.extensions["settings"] = replace(front.app.extensions["settings"], stripe_api_base=url)
        sandbox.public_url = url
        assert [gives(f"203.0.113.{number}") for number in range(15)] == [303] * 15
        assert [gives("203.0.113.1") for _ in range(2)] == [303, 429]
        front.app.extensions["gateway"].close()
    sandbox.close()
