"""Against card testing: what is asked of whom, what is counted, and that honest donors notice nothing while nothing is wrong."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, OURS, Stripe, invoice, session
from flask import Flask
from flask.testing import FlaskClient
from serving import serving_sandbox
from solving import sent, solved, task_on
from structlog.testing import capture_logs
from web_admin import Editor
from werkzeug.test import TestResponse

from tracker.giving.card_testing import Counts
from tracker.ledger import campaigns, checkout_counts
from tracker.ledger.store import reading, writing
from tracker.sandbox.account import Sandbox
from tracker.web import proof_of_work
from tracker.web.donate import admission
from tracker.web.protection import checkouts

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture
def database_url() -> str:
    return ""


@pytest.fixture
def sandbox() -> Iterator[Sandbox]:
    with serving_sandbox() as made:
        yield made


@pytest.fixture
def environ(environ: dict[str, str], sandbox: Sandbox) -> dict[str, str]:
    return environ | {
        "STRIPE_API_BASE": sandbox.public_url,
        "TRACKER_GIVE_LIMIT": "2 per 10 minutes; 5 per day",
        # A third of the default, so that twenty are nothing special, and three in ten minutes need no script.
        "TRACKER_GIVE_LIMIT_ALL": "200",
        "TRACKER_GIVE_SECONDS": "1",
        "TRACKER_CONTACT": "members@example.org",
    }


@pytest.fixture(autouse=True)
def _few_numbers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(proof_of_work, "NUMBERS", 300)


@pytest.fixture
def clock() -> Iterator[time_machine.Traveller]:
    with time_machine.travel(NOW, tick=False) as traveller:
        yield traveller


def token(page: str) -> str:
    found = re.search(r'name="token"[^>]*value="([^"]+)"', page)
    assert found
    return found[1]


class Donor:
    """Somebody at an address, who has opened the page and takes some time over it."""

    def __init__(self, client: FlaskClient, clock: time_machine.Traveller, address: str = "192.0.2.1") -> None:
        self.client, self.clock, self.address = client, clock, address
        self.page = client.get("/c/newsroom", environ_overrides={"REMOTE_ADDR": address}).text

    def gives(self, seconds: float = 3, **fields: Any) -> TestResponse:
        self.clock.shift(timedelta(seconds=seconds))
        typed = {"frequency": "once", "tier_once": "2500", "token": token(self.page), "website": ""} | fields
        answer = self.client.post("/c/newsroom/give", data=typed, environ_overrides={"REMOTE_ADDR": self.address})
        self.page = answer.text if answer.status_code != 303 else self.page
        return answer

    def solves(self) -> str:
        task = task_on(self.page)
        assert task
        return solved(task)


def opened(sandbox: Sandbox) -> int:
    return len(list(sandbox.store.newest("checkout.session")))


def counted(app: Flask, moment: datetime | None = None) -> Counts:
    checkouts().write(moment or datetime.now(UTC))
    with reading() as connection:
        return checkout_counts.since(connection, "newsroom", False, datetime.now(UTC) - timedelta(hours=2))


def under_attack(sign: str = "declined", switch: str = "automatic") -> None:
    now = datetime.now(UTC)
    with writing() as connection:
        counts = {"declined": Counts(declined=20), "opened": Counts(opened=600)}[sign]
        checkout_counts.add(connection, "newsroom", False, counts, now)
        checkout_counts.judge(connection, "newsroom", False, now, 60)
        checkout_counts.set_switch(connection, "newsroom", False, switch)  # type: ignore[arg-type]
    checkouts().look()


# --- While nothing is wrong -------------------------------------------------------------------------------------------


def test_the_page_asks_for_nothing_and_weighs_the_same(client: FlaskClient) -> None:
    page = client.get("/c/newsroom")
    assert "proof" not in page.text
    assert "worker-src" not in page.headers["Content-Security-Policy"]
    assert len(admission.TRAP) < 250


def test_the_field_that_nobody_sees_is_not_announced_nor_reached_nor_filled_in(client: FlaskClient) -> None:
    (trap,) = re.findall(r'<div class="unseen" aria-hidden="true">.*?</div>', client.get("/c/newsroom").text)
    assert 'tabindex="-1" autocomplete="off"' in trap


@pytest.mark.usefixtures("app")
def test_a_program_that_fills_in_everything_is_refused_and_nothing_is_spent(
    client: FlaskClient, clock: time_machine.Traveller, sandbox: Sandbox
) -> None:
    donor = Donor(client, clock)
    for _ in range(9):
        answer = donor.gives(website="https://evil.example", tier_once="other", other_amount="37.50")
        assert (answer.status_code, answer.headers["Retry-After"]) == (429, "600")
        assert 'value="37.50"' in answer.text
        assert "evil.example" not in answer.text
    assert opened(sandbox) == 0
    # A person whom some program filled it in for only has to press again.
    assert donor.gives().status_code == 303


# --- The form ---------------------------------------------------------------------------------------------------------


def test_a_form_that_is_sent_at_once_is_shown_again_with_a_kind_sentence(
    client: FlaskClient, clock: time_machine.Traveller, sandbox: Sandbox
) -> None:
    donor = Donor(client, clock)
    before = token(donor.page)
    answer = donor.gives(0.9, tier_once="other", other_amount="37.50", name="Ana")
    assert answer.status_code == 422
    assert "That was so quick" in answer.text
    assert 'value="37.50"' in answer.text
    assert 'value="Ana"' in answer.text
    # The same showing: the next press is not too early again.
    assert token(answer.text) == before
    assert donor.gives(0.1).status_code == 303
    assert opened(sandbox) == 1


def test_a_form_is_good_for_ten_checkouts_and_then_shown_anew(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller, monkeypatch: pytest.MonkeyPatch
) -> None:
    wide = replace(app.extensions["settings"], give_limit="1000 per minute")
    monkeypatch.setitem(app.extensions, "settings", wide)
    page = Donor(client, clock).page
    statuses = []
    for number in range(12):
        # From anywhere: what is counted is the form.
        donor = Donor(client, clock, f"192.0.2.{number}")
        donor.page = page
        statuses.append(donor.gives(tier_once="other", other_amount=str(20 + number)).status_code)
    assert statuses == [303] * 10 + [422] * 2
    assert "This form has been sent too often" in donor.page
    assert donor.gives().status_code == 303


# --- Many from one address --------------------------------------------------------------------------------------------


def test_the_next_honest_donor_of_a_hall_solves_a_task_instead_of_being_refused(
    client: FlaskClient, clock: time_machine.Traveller, sandbox: Sandbox
) -> None:
    for number in range(10):
        donor = Donor(client, clock)
        assert task_on(donor.page) is None
        answer = donor.gives(tier_once="other", other_amount="37.50")
        assert answer.status_code == (303 if number < 2 else 429)
        if number >= 2:
            # Without a script it is the true time to wait, as ever.
            assert re.search(r"Too many attempts. Please try again in \d+ minutes.", answer.text)
            assert 'data-asked="by itself"' in answer.text
            assert "worker-src 'self'" in answer.headers["Content-Security-Policy"]
            again = donor.gives(tier_once="other", other_amount="37.50", proof=donor.solves(), resent="1")
            assert again.status_code == 303
    assert opened(sandbox) == 10


def test_a_hall_has_a_limit_as_well(client: FlaskClient, clock: time_machine.Traveller) -> None:
    statuses = []
    for _ in range(30):
        donor = Donor(client, clock)
        if donor.gives(1).status_code == 429:
            statuses.append(donor.gives(1, proof=donor.solves(), resent="1").status_code)
    # Twelve times as many as without.
    assert statuses == [303] * 24 + [429] * 4
    assert task_on(donor.page) is None, "a task that is of no use is not asked for"


def test_what_is_sent_by_itself_and_refused_waits_for_a_person(
    client: FlaskClient, clock: time_machine.Traveller
) -> None:
    for _ in range(3):
        donor = Donor(client, clock)
        donor.gives()
    assert 'data-asked="by itself"' in donor.page
    assert donor.gives(proof="nonsense", resent="1").status_code == 429
    assert 'data-asked="press"' in donor.page


@pytest.mark.parametrize(
    ("addresses", "served"),
    [
        # One customer has a /64, one house a /48, which counts as four addresses.
        ([f"2001:db8:1:2::{number:x}" for number in range(1, 20)], 2),
        ([f"2001:db8:1:{number:x}::1" for number in range(1, 20)], 8),
        ([f"2001:db8:{number:x}::1" for number in range(1, 20)], 19),
        ([f"192.0.2.{number}" for number in range(1, 20)], 19),
    ],
)
def test_networks_are_counted(
    client: FlaskClient, clock: time_machine.Traveller, addresses: list[str], served: int
) -> None:
    statuses = [Donor(client, clock, address).gives(1).status_code for address in addresses]
    assert (statuses.count(303), statuses.count(429)) == (served, 19 - served)


# --- Everybody together -----------------------------------------------------------------------------------------------


def crowd(client: FlaskClient, clock: time_machine.Traveller, number: int, first: int = 0) -> list[int]:
    """As many, each with an address of their own, and nobody with a script."""
    addresses = (f"10.{one // 250}.{one % 250}.7" for one in range(first, first + number))
    return [Donor(client, clock, address).gives(1).status_code for address in addresses]


def test_from_a_tenth_on_everybody_is_asked_and_a_sixtieth_needs_no_script(
    client: FlaskClient, clock: time_machine.Traveller, sandbox: Sandbox
) -> None:
    statuses = crowd(client, clock, 28)
    assert statuses == [303] * 23 + [429] * 5
    late = Donor(client, clock, "198.51.100.1")
    assert late.gives().status_code == 429
    assert "without JavaScript only a few gifts can be started. Please try again in" in late.page
    assert late.gives(proof=late.solves(), resent="1").status_code == 303
    assert opened(sandbox) == 24


class TestAllTogether:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_GIVE_LIMIT_ALL": "20"}

    def test_no_more_open_than_the_limit_whoever_solves_whatever(
        self, client: FlaskClient, clock: time_machine.Traveller, sandbox: Sandbox
    ) -> None:
        statuses = []
        for number in range(30):
            donor = Donor(client, clock, f"10.0.{number}.1")
            status = donor.gives(1).status_code
            if status == 429 and task_on(donor.page):
                status = donor.gives(1, proof=donor.solves(), resent="1").status_code
            statuses.append(status)
        assert statuses == [303] * 20 + [429] * 10
        assert opened(sandbox) == 20
        clock.shift(timedelta(minutes=10))
        assert Donor(client, clock, "10.1.1.1").gives().status_code == 303


# --- The proof --------------------------------------------------------------------------------------------------------


@pytest.fixture
def asked(app: Flask, client: FlaskClient, clock: time_machine.Traveller) -> Donor:
    """Somebody who is asked for a task, with no place left for those without one."""
    under_attack()
    crowd(client, clock, 3)
    return Donor(client, clock, "198.51.100.1")


def test_the_task_is_on_the_page_from_the_beginning_and_solved_beside_it(asked: Donor) -> None:
    assert 'data-asked="press"' in asked.page
    assert "so your browser has to solve a small task, which needs JavaScript" in asked.page
    assert 'mailto:members@example.org">members@example.org</a>.</p></noscript>' in asked.page
    assert asked.gives(proof=asked.solves()).status_code == 303


def test_a_solution_is_good_for_one_checkout(asked: Donor, sandbox: Sandbox) -> None:
    before = opened(sandbox)
    proof = asked.solves()
    assert asked.gives(proof=proof).status_code == 303
    # A double click, or once more after an error: it is the same checkout.
    assert asked.gives(0, proof=proof).status_code == 303
    assert opened(sandbox) == before + 1
    # From another form, for another amount or from another address it is none.
    assert asked.gives(proof=proof, tier_once="5000").status_code == 429
    other = Donor(asked.client, asked.clock, "198.51.100.2")
    assert other.gives(proof=proof).status_code == 429
    assert opened(sandbox) == before + 1
    # And the page has a new one.
    assert asked.gives(proof=asked.solves()).status_code == 303


def test_only_a_right_solution_of_a_task_of_ours_is_taken(asked: Donor, app: Flask, sandbox: Sandbox) -> None:
    before = opened(sandbox)
    task = task_on(asked.page)
    assert task
    right = solved(task)
    number = next(one for one in range(301) if sent(task, one) == right)
    with app.test_request_context():
        other = proof_of_work.task("library", datetime.now(UTC))
    wrong = {
        "nothing": "",
        "no base64": "{}",
        "no JSON": "bm8=",
        "a list": "W10=",
        "a number": "MQ==",
        "another number": sent(task, (number + 1) % 300),
        "a text for a number": sent(task, str(number)),
        "a truth for a number": sent(task, True),
        "a negative one": sent(task, -1),
        "a huge one": sent(task, 10**400),
        "a signature of one's own": sent(task, number, signature="0" * 64),
        "letters in it": sent(task, number, signature="é" * 64, challenge="é" * 64),
        "a challenge of one's own": sent(task, number, challenge="0" * 64),
        "digits moved over": sent(task, int(str(number)[1:] or 0), salt=task["salt"] + str(number)[0]),
        "a time of one's own": sent(task, number, salt=task["salt"].replace("expires=1", "expires=9")),
        "no text": sent(task, number, salt=7),
        "another campaign's": solved(other),
    }
    for what, proof in wrong.items():
        assert asked.gives(1, proof=proof, resent="1").status_code == 429, what
    assert opened(sandbox) == before
    assert asked.gives(1, proof=right).status_code == 303


def test_a_task_is_too_old_after_an_hour(asked: Donor) -> None:
    proof = asked.solves()
    asked.clock.shift(timedelta(minutes=61))
    crowd(asked.client, asked.clock, 3, first=500)
    assert asked.gives(proof=proof).status_code == 429
    assert asked.gives(proof=asked.solves()).status_code == 303


# --- Places at Stripe -------------------------------------------------------------------------------------------------


def test_places_at_stripe_are_kept_for_those_who_solved_a_task(
    app: Flask, client: FlaskClient, clock: time_machine.Traveller
) -> None:
    settings, places = app.extensions["settings"], app.extensions["checkout_places"]
    for _ in range(settings.checkouts_at_once):
        assert places.acquire(blocking=False)
    donor = Donor(client, clock)
    answer = donor.gives()
    assert answer.status_code == 503
    assert "A great many people are giving right now" in answer.text
    assert donor.gives(proof=donor.solves(), resent="1").status_code == 303
    places.release()
    assert Donor(client, clock).gives().status_code == 303
    assert settings.checkouts_kept == 5


# --- What is counted --------------------------------------------------------------------------------------------------


def intent(kind: str | None = "card", **changes: Any) -> dict[str, Any]:
    method = {"type": kind} if kind else None
    return {
        "id": "pi_1", "object": "payment_intent", "metadata": OURS, "last_payment_error": {"payment_method": method},
    } | changes  # fmt: skip


class TestCounts:
    """On both databases."""

    @pytest.fixture(params=["sqlite", "postgresql"])
    def database_url(self, request: pytest.FixtureRequest) -> str:
        return "" if request.param == "sqlite" else request.getfixturevalue("lent").lend()

    def test_what_became_of_checkouts_is_counted_once_and_only_ours(
        self, app: Flask, client: FlaskClient, stripe_calls: Stripe
    ) -> None:
        told = [
            stripe_calls.event("checkout.session.completed", session()),
            stripe_calls.event("checkout.session.completed", session("cs_2", mode="subscription", invoice="in_1")),
            stripe_calls.event("checkout.session.expired", session("cs_3", status="expired", payment_status="unpaid")),
            stripe_calls.event("payment_intent.payment_failed", intent()),
            stripe_calls.event("payment_intent.payment_failed", intent(None)),
            stripe_calls.event("invoice.payment_failed", invoice(status="open")),
            # None of these says anything about card testing here.
            stripe_calls.event("payment_intent.payment_failed", intent("sepa_debit")),
            stripe_calls.event("payment_intent.payment_failed", intent(metadata={})),
            stripe_calls.event("payment_intent.payment_failed", intent(metadata=OURS | {"instance": "another"})),
            stripe_calls.event("invoice.payment_failed", invoice(status="open", billing_reason="subscription_cycle")),
            stripe_calls.event("checkout.session.expired", session("cs_4"), live=True),
            stripe_calls.event("checkout.session.expired", session("cs_5", metadata={})),
            stripe_calls.event("checkout.session.expired", session("cs_6"), created=1_600_000_000),
            stripe_calls.event("checkout.session.expired", session("cs_7", metadata=OURS | {"campaign": "none"})),
        ]
        for event in told * 2:
            assert stripe_calls.sends(event) == 204
        assert counted(app) == Counts(completed=2, expired=1, declined=3)
        checkouts().write(datetime.now(UTC))
        assert counted(app) == Counts(completed=2, expired=1, declined=3)

    def test_an_attack_begins_and_ends_with_a_line_in_the_log(
        self, app: Flask, client: FlaskClient, stripe_calls: Stripe, clock: time_machine.Traveller
    ) -> None:
        with capture_logs() as lines:
            for _ in range(10):
                stripe_calls.sends(stripe_calls.event("payment_intent.payment_failed", intent()))
            counted(app)
            counted(app)
            assert 'data-asked="press"' in client.get("/c/newsroom").text
            # An hour until these are forgotten, and half an hour more.
            for _ in range(9):
                assert 'data-asked="press"' in client.get("/c/newsroom").text
                clock.shift(timedelta(minutes=10))
                counted(app)
            clock.shift(timedelta(minutes=3))
            counted(app)
            assert "data-asked" not in client.get("/c/newsroom").text
        said = [line for line in lines if line["event"].startswith("giving.")]
        assert [(line["event"], line["campaign"]) for line in said] == [
            ("giving.under_attack", "newsroom"), ("giving.quiet_again", "newsroom"),
        ]  # fmt: skip

    def test_counts_are_kept_by_hour_and_forgotten_after_some_days(self, app: Flask) -> None:
        with writing() as connection:
            for hours in (100, 30, 2, 0):
                at = NOW - timedelta(hours=hours)
                checkout_counts.add(connection, "newsroom", False, Counts(opened=1, refused=2), at)
                checkout_counts.add(connection, "newsroom", False, Counts(opened=1), at)
                checkout_counts.add(connection, "newsroom", True, Counts(opened=7), at)
            hours = checkout_counts.by_hour(connection, "newsroom", False, NOW - timedelta(days=30))
        assert hours == [
            (NOW.replace(minute=0) - timedelta(hours=ago), Counts(opened=2, refused=2)) for ago in (0, 2, 30)
        ]


def test_what_is_only_counted_keeps_nobodys_name(app: Flask, stripe_calls: Stripe) -> None:
    event = stripe_calls.event("payment_intent.payment_failed", intent(receipt_email="ana.private@example.org"))
    assert stripe_calls.sends(event) == 204
    with reading() as connection:
        rows = connection.connection().exec_driver_sql("SELECT type, outcome, body FROM delivery").all()
    assert [tuple(row) for row in rows] == [("payment_intent.payment_failed", "nothing", None)]


def test_a_database_that_is_away_loses_no_count(app: Flask, monkeypatch: pytest.MonkeyPatch) -> None:
    checkouts().note("newsroom", "opened", datetime.now(UTC))
    with monkeypatch.context() as patch:
        patch.setattr(checkout_counts, "add", lambda *_: (_ for _ in ()).throw(OSError("away")))
        with pytest.raises(OSError, match="away"):
            checkouts().write(datetime.now(UTC))
    assert counted(app) == Counts(opened=1)


def test_giving_is_counted(app: Flask, client: FlaskClient, clock: time_machine.Traveller, sandbox: Sandbox) -> None:
    for _ in range(3):
        Donor(client, clock).gives()
    assert counted(app) == Counts(opened=2, refused=1)


# --- Editors ----------------------------------------------------------------------------------------------------------


def test_an_editor_sees_what_goes_on_and_has_a_switch(app: Flask, client: FlaskClient) -> None:
    editor = Editor(app)
    address = "/admin/c/newsroom/protection"
    quiet = editor.opens(address).text
    assert "Nothing unusual" in quiet
    assert "No checkout was opened." in quiet
    assert "testing stolen cards" not in editor.opens("/admin/c/newsroom/").text
    under_attack()
    page = editor.opens(address).text
    assert "very many cards were declined" in page
    assert re.search(r"<td>–</td><td>–</td><td>–</td><td>20</td><td>–</td>", page)
    assert "Somebody seems to be testing stolen cards here" in editor.opens("/admin/c/newsroom/").text
    assert 'data-asked="press"' in client.get("/c/newsroom").text
    assert editor.sends(address, switch="off").status_code == 303
    assert "switched off below" in editor.opens(address).text
    assert "data-asked" not in client.get("/c/newsroom").text
    assert editor.sends(address, switch="on").status_code == 303
    assert 'data-asked="press"' in client.get("/c/newsroom").text
    wrong = editor.sends(address, switch="maybe")
    assert wrong.status_code == 422
    assert "Nothing is saved yet" in wrong.text
    assert client.get(address).status_code == 302


def test_an_editor_reads_for_a_day_that_it_is_over(app: Flask, clock: time_machine.Traveller) -> None:
    under_attack()
    clock.shift(timedelta(minutes=95))
    checkouts().write(datetime.now(UTC))
    assert "testing stolen cards here any more" in Editor(app).opens("/admin/c/newsroom/").text
    clock.shift(timedelta(hours=25))
    assert "testing stolen cards" not in Editor(app).opens("/admin/c/newsroom/").text


def test_switched_off_an_address_has_its_limit_and_all_have_theirs(
    client: FlaskClient, clock: time_machine.Traveller
) -> None:
    under_attack(switch="off")
    assert crowd(client, clock, 30) == [303] * 30
    for _ in range(3):
        donor = Donor(client, clock)
        answer = donor.gives()
    assert answer.status_code == 429
    assert task_on(answer.text) is None


def test_campaigns_are_apart(app: Flask, client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="library", id=0))
    under_attack()
    assert "data-asked" in client.get("/c/newsroom").text
    assert "data-asked" not in client.get("/c/library").text
