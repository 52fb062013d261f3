"""The page of thanks: true for whatever became of the gift, and of no use to a stranger."""

import re
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from html import unescape
from typing import Any
from urllib.parse import urlsplit

import pytest
import time_machine
from account import DECLINED_CARD, SEPA, SEPA_FAILS, Account
from actors import NEWSROOM, OURS, Stripe, each, gift_fact, invoice, moment, refund_fact, session
from flask import Flask, jsonify
from flask.testing import FlaskClient
from serving import serving

from tracker.giving.facts import Fact
from tracker.ledger import book, campaigns
from tracker.ledger.store import db, writing
from tracker.sandbox.cards import CardDeclined
from tracker.web.donate import thanks

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
# So far the page looks by itself before it asks Stripe.
ASKS = f"&look={thanks.ASKS_FROM}"


def record(*facts: Fact) -> None:
    with writing() as connection:
        for fact in facts:
            book.record(connection, fact, NOW)


def says(page: str) -> tuple[str, str]:
    """The heading and the sentence below it."""
    heading, lead = re.findall(r"<h1[^>]*>(.*?)</h1>", page), re.findall(r'<p class="lead">(.*?)</p>', page, re.DOTALL)
    return heading[0], re.sub(r"<[^>]+>", "", lead[0])


# --- In the ledger ----------------------------------------------------------------------------------------------------


class TestInMay:
    @pytest.fixture(autouse=True)
    def _in_may(self) -> Iterator[None]:
        with time_machine.travel(NOW, tick=False):
            yield

    def test_the_page_looks_again_by_itself_until_the_gift_is_here(
        self, client: FlaskClient, stripe_calls: Stripe
    ) -> None:
        waiting = client.get("/c/newsroom/thanks?session_id=cs_test_1")
        assert waiting.status_code == 200
        assert says(waiting.text) == (
            "Confirming your gift …",
            "We are waiting for Stripe to confirm. This page refreshes by itself.",
        )
        assert waiting.headers["Refresh"] == "2; url=/c/newsroom/thanks?session_id=cs_test_1&look=1"
        assert waiting.headers["Cache-Control"] == "no-store"
        assert waiting.headers["Referrer-Policy"] == "no-referrer"
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", session("cs_test_1", 123_400)))
        arrived = client.get("/c/newsroom/thanks?session_id=cs_test_1&look=1")
        assert says(arrived.text) == ("Thank you", "Your gift has arrived and is part of the bar below.")
        assert "1,234 $" in arrived.text
        assert "Refresh" not in arrived.headers

    def test_the_page_keeps_the_readers_language_while_it_looks(self, client: FlaskClient) -> None:
        waiting = client.get("/c/newsroom/thanks?session_id=cs_test_1&lang=pt-BR")
        assert waiting.headers["Refresh"].endswith("?session_id=cs_test_1&look=1&lang=pt-BR")
        assert 'href="/c/newsroom?lang=pt-BR"' in waiting.text

    def test_a_monthly_gift_is_thanked_for_when_its_first_invoice_is_here(
        self, client: FlaskClient, stripe_calls: Stripe
    ) -> None:
        address = "/c/newsroom/thanks?session_id=cs_monthly"
        monthly = session("cs_monthly", 500, mode="subscription", invoice="in_1", payment_intent=None)
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", monthly))
        assert "Confirming" in client.get(address).text
        stripe_calls.sends(stripe_calls.event("invoice.paid", invoice("in_1")))
        assert "Your gift has arrived" in client.get(address).text

    def test_a_gift_to_another_campaign_is_thanked_for_there(self, client: FlaskClient) -> None:
        with writing() as connection:
            campaigns.save(connection, replace(NEWSROOM, slug="library"))
        record(gift_fact("cs_books", campaign="library"))
        moved = client.get("/c/newsroom/thanks?session_id=cs_books&lang=en-GB")
        assert moved.status_code == 303
        assert moved.headers["Location"] == "/c/library/thanks?session_id=cs_books&lang=en-GB"
        assert moved.headers["Cache-Control"] == "no-store"
        assert "is part of the bar below" in client.get(moved.headers["Location"]).text

    def test_a_gift_of_another_month_is_not_said_to_be_part_of_this_ones_bar(self, client: FlaskClient) -> None:
        record(gift_fact("cs_april", at=moment("2021-04-10T10:00")))
        page = client.get("/c/newsroom/thanks?session_id=cs_april").text
        assert says(page) == ("Thank you", "Your gift has arrived. It counts towards April 2021.")
        assert '<a href="/c/newsroom/months/2021-04">April 2021</a>' in page

    def test_a_gift_that_was_paid_back_is_still_thanked_for_and_not_said_to_be_in_the_bar(
        self, client: FlaskClient
    ) -> None:
        record(gift_fact("cs_1", 1000), refund_fact("cs_1", 400))
        assert "is part of the bar below" in client.get("/c/newsroom/thanks?session_id=cs_1").text
        record(refund_fact("cs_1", 600, key="re_2"))
        page = client.get("/c/newsroom/thanks?session_id=cs_1").text
        assert says(page) == ("Thank you", "Your gift arrived. It has since been paid back, so it no longer counts.")

    def test_a_stranger_is_told_nothing_about_the_gift(self, client: FlaskClient, stripe_calls: Stripe) -> None:
        about = session("cs_secret", 123_400, metadata=OURS | {"name": "Ana Private", "message": "for my mother"})
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", about))
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", session("cs_other", 100)))
        page = client.get("/c/newsroom/thanks?session_id=cs_secret").text
        for secret in ("1,234 $", "123400", "Ana", "mother", "cs_secret", "pi_cs_secret"):
            assert secret not in page
        assert page == client.get("/c/newsroom/thanks?session_id=cs_other").text

    @each(
        "session_id",
        [
            "",
            "nonsense",
            "cs_",
            "cs_%00",
            "cs_<script>",
            "pi_cs_test_1",
            "cs_x%0d%0aX:1",
            "cs_" + "x" * 300,
            "cs_é",
            "in_1",
        ],
    )
    def test_an_id_that_is_none_asks_nothing_and_shows_nothing(
        self, client: FlaskClient, stripe_calls: Stripe, session_id: str
    ) -> None:
        stripe_calls.sends(stripe_calls.event("checkout.session.completed", session("cs_test_1")))
        for look in ("", ASKS):
            answer = client.get(f"/c/newsroom/thanks?session_id={session_id}{look}")
            assert answer.status_code == 200
            assert says(answer.text) == ("Support the newsroom", "If you have just given: thank you.")
            assert "Refresh" not in answer.headers
            assert "<script>" not in answer.text

    @each("look", ["-1", "x", "²", "999999999", "1e3", "", "007"])
    def test_the_page_survives_a_strange_count(self, client: FlaskClient, look: str) -> None:
        assert client.get(f"/c/newsroom/thanks?session_id=cs_x&look={look}").status_code == 200

    def test_the_page_counts_nothing(self, client: FlaskClient) -> None:
        for _ in range(3):
            client.get("/c/newsroom/thanks?session_id=cs_test_1")
        assert client.get("/embed/newsroom.json").json["raised"] == 0  # type: ignore[index]


# --- As Stripe says ---------------------------------------------------------------------------------------------------


@dataclass
class Donor:
    """Gives in the campaign in euros, beside an account at Stripe that tells us nothing unless a test lets it."""

    client: FlaskClient
    account: Account
    app: Flask

    def opens(self, **chosen: str) -> str:
        """Goes as far as Stripe's page; returns the checkout's id."""
        page = self.client.get("/c/zeitung?src=ferry&pos=top&lang=en-GB").text
        token = re.search(r'name="token"[^>]*value="([^"]+)"', page)
        assert token
        fields = {
            "token": token[1],
            "frequency": "once",
            "tier_once": "2500",
            "src": "ferry",
            "pos": "top",
            "lang": "en-GB",
        }
        sent = self.client.post("/c/zeitung/give", data=fields | {"name": "Ana", "message": "Weiter so"} | chosen)
        assert sent.status_code == 303, sent.text
        return urlsplit(sent.headers["Location"]).path.rsplit("/", 1)[1]

    def gives(self, iban: str = "", **chosen: str) -> str:
        session_id = self.opens(**chosen)
        self.account.sandbox.pay(session_id, **({"iban": iban} if iban else {}))
        return session_id

    def sees(self, session_id: str, slug: str = "zeitung", look: str = ASKS) -> tuple[str, str]:
        answer = self.client.get(f"/c/{slug}/thanks?session_id={session_id}{look}&lang=en-GB", follow_redirects=True)
        assert answer.status_code == 200
        for personal in ("Ana", "Weiter so", "25 €"):
            assert personal not in answer.text
        return says(answer.text)

    def tries_again(self, session_id: str) -> str:
        """Where the button leads that offers another try; empty without one."""
        page = self.client.get(f"/c/zeitung/thanks?session_id={session_id}{ASKS}&lang=en-GB").text
        found = re.search(r'<a class="press" href="([^"]+)">Try again</a>', page)
        return unescape(found[1]) if found else ""


@pytest.fixture
def donor(account: Account, newsroom: Flask, client: FlaskClient) -> Iterator[Donor]:
    account.sandbox.set_clock(None)
    yield Donor(client, account, newsroom)
    newsroom.extensions["gateway"].close()


CHOSEN = "/c/zeitung?frequency=once&amount=25&src=ferry&pos=top&lang=en-GB"
ON_ITS_WAY = (
    "Thank you",
    "Your gift is on its way. A bank debit takes a few days; the bar moves when the money arrives. You can close this page.",
)
FAILED = ("The payment did not go through", "Your bank refused it, so no money has arrived.")
UNPAID = ("This gift is not paid", "Nothing has been charged.")
EXPIRED = ("This gift is not paid", "The time for paying ran out. Nothing has been charged.")
NO_GIFT = ("No gift found", "Stripe knows of no gift at this address. It may have been cut short.")


def test_a_payment_that_stripe_has_not_told_us_of_is_not_said_to_be_in_the_bar(donor: Donor) -> None:
    paid = donor.gives()
    heading, lead = donor.sees(paid)
    assert heading == "Thank you"
    assert lead.startswith("Your payment went through. It will be part of the bar as soon as Stripe confirms it")
    assert donor.tries_again(paid) == ""
    record(gift_fact(paid, 2500, campaign="zeitung", currency="EUR", at=datetime.now(UTC)))
    assert donor.sees(paid) == ("Thank you", "Your gift has arrived and is part of the bar below.")


@pytest.mark.parametrize("chosen", [{}, {"frequency": "month", "tier_month": "500"}], ids=["once", "monthly"])
def test_a_debit_is_on_its_way_until_the_bank_answers(donor: Donor, chosen: dict[str, str]) -> None:
    good, bad = donor.gives(SEPA, **chosen), donor.gives(SEPA_FAILS, **chosen)
    assert donor.sees(good) == donor.sees(bad) == ON_ITS_WAY
    donor.account.happens()
    with time_machine.travel(datetime.now(UTC) + thanks.KEPT + timedelta(seconds=1), tick=False):
        assert donor.sees(bad) == FAILED
        assert donor.sees(good)[1].startswith("Your payment went through")


def test_a_debit_that_failed_can_be_tried_again_with_what_was_chosen(donor: Donor) -> None:
    failed = donor.gives(SEPA_FAILS)
    donor.account.happens()
    assert donor.tries_again(failed) == CHOSEN
    page = donor.client.get(CHOSEN).text
    assert re.search(r'value="2500" checked', page)
    monthly = donor.gives(SEPA_FAILS, frequency="month", tier_month="other", other_amount="12.50")
    donor.account.happens()
    assert donor.tries_again(monthly) == "/c/zeitung?frequency=month&amount=12.50&src=ferry&pos=top&lang=en-GB"


def test_a_card_that_was_declined_and_a_checkout_that_nobody_paid_are_not_paid(donor: Donor) -> None:
    declined, expired = donor.opens(), donor.opens()
    with pytest.raises(CardDeclined):
        donor.account.sandbox.pay(declined, card=DECLINED_CARD)
    store = donor.account.sandbox.store
    with store.acting(False):
        from tracker.sandbox.checkout import expire_session

        expire_session(store, store.rows[expired].body)
    for session_id, words in ((declined, UNPAID), (expired, EXPIRED), (donor.opens(), UNPAID)):
        assert donor.sees(session_id) == words
        assert donor.tries_again(session_id) == CHOSEN


def test_nobody_is_asked_to_try_again_while_a_campaign_takes_no_gifts(donor: Donor) -> None:
    waiting = donor.opens()
    with writing() as connection:
        zeitung = campaigns.find(connection, "zeitung")
        assert zeitung
        campaigns.save(connection, replace(zeitung, paused=True))
    assert donor.tries_again(waiting) == ""
    assert donor.sees(waiting) == UNPAID


def test_a_checkout_that_was_made_up_is_no_gift(donor: Donor) -> None:
    for session_id in ("cs_test_made_up", "cs_live_made_up", "cs_1"):
        assert donor.sees(session_id) == NO_GIFT


def test_somebody_elses_payment_on_the_same_account_is_no_gift(donor: Donor) -> None:
    donor.account.sandbox.set_clock(donor.account.clock)
    assert donor.sees(donor.account.gives(9900, foreign=True)["id"]) == NO_GIFT
    assert donor.sees(donor.account.gives(9900, campaign="not-here")["id"]) == NO_GIFT


def test_a_gift_to_another_campaign_that_is_not_booked_yet_is_thanked_for_there(donor: Donor) -> None:
    paid = donor.gives()
    moved = donor.client.get(f"/c/newsroom/thanks?session_id={paid}{ASKS}")
    assert (moved.status_code, moved.headers["Location"]) == (303, f"/c/zeitung/thanks?session_id={paid}&look=3")
    assert donor.sees(paid, "newsroom")[1].startswith("Your payment went through")


def test_a_first_month_that_came_without_its_checkout_is_in_the_bar(donor: Donor) -> None:
    paid = donor.gives(frequency="month", tier_month="500")
    first = donor.account.sandbox.store.rows[paid].body["invoice"]
    told = gift_fact(first, 500, kind="monthly", campaign="zeitung", currency="EUR", at=datetime.now(UTC))
    record(told)
    assert donor.sees(paid) == ("Thank you", "Your gift has arrived and is part of the bar below.")


# --- Whom Stripe is asked for -----------------------------------------------------------------------------------------


@dataclass
class Answering:
    """A Stripe that takes note of what it is asked."""

    asked: list[str] = field(default_factory=list)
    before: Callable[[], None] = lambda: None
    about: dict[str, Any] = field(default_factory=dict)
    status: int = 200

    def app(self) -> Flask:
        app = Flask(__name__)

        @app.get("/v1/checkout/sessions/<wanted>")
        def retrieve(wanted: str) -> Any:
            self.asked.append(wanted)
            self.before()
            return jsonify(session(wanted) | self.about), self.status

        return app


class TestAsking:
    @pytest.fixture
    def stripe(self, environ: dict[str, str]) -> Iterator[Answering]:
        made = Answering()
        with serving(made.app()) as url:
            environ["STRIPE_API_BASE"] = url
            yield made

    @pytest.fixture
    def client(self, stripe: Answering, app: Flask) -> Iterator[FlaskClient]:
        with time_machine.travel(NOW, tick=False):
            yield app.test_client()
        if "gateway" in app.extensions:
            app.extensions["gateway"].close()

    def test_the_first_looks_ask_nobody_and_the_later_ones_once_in_a_while(
        self, client: FlaskClient, stripe: Answering
    ) -> None:
        address, looks = "/c/newsroom/thanks?session_id=cs_1", 0
        while "Refresh" in (answer := client.get(address)).headers:
            seconds, _, address = answer.headers["Refresh"].partition("; url=")
            assert 1 <= int(seconds) <= 5
            looks += 1
            assert len(stripe.asked) == (looks > thanks.ASKS_FROM)
            assert looks < 50
        assert looks == thanks.LOOKS
        assert says(answer.text)[1].startswith("Your payment went through")
        with time_machine.travel(NOW + thanks.KEPT, tick=False):
            client.get(address)
        assert len(stripe.asked) == 2

    @pytest.mark.parametrize(
        ("about", "looks_on"),
        [
            ({}, True),
            ({"payment_status": "unpaid", "payment_intent": {"status": "processing"}}, True),
            ({"payment_status": "unpaid", "payment_intent": {"status": "requires_payment_method"}}, False),
            ({"payment_status": "unpaid", "status": "open"}, False),
            ({"metadata": {}}, False),
        ],
        ids=["paid", "on its way", "failed", "open", "not ours"],
    )
    def test_what_may_still_come_is_looked_for_and_nothing_else(
        self, client: FlaskClient, stripe: Answering, about: dict[str, Any], looks_on: bool
    ) -> None:
        stripe.about = about
        answer = client.get(f"/c/newsroom/thanks?session_id=cs_1{ASKS}")
        assert ("Refresh" in answer.headers) is looks_on
        assert "Refresh" not in client.get(f"/c/newsroom/thanks?session_id=cs_1&look={thanks.LOOKS}").headers

    def test_a_gift_that_is_booked_and_an_address_without_one_ask_nobody(
        self, client: FlaskClient, stripe: Answering
    ) -> None:
        record(gift_fact("cs_1"))
        client.get(f"/c/newsroom/thanks?session_id=cs_1{ASKS}")
        client.get(f"/c/newsroom/thanks?session_id=pi_1{ASKS}")
        client.get("/c/newsroom/thanks")
        assert stripe.asked == []

    def test_one_question_at_a_time_is_asked_about_a_checkout_and_nobody_waits_for_it(
        self, client: FlaskClient, stripe: Answering
    ) -> None:
        arrived, go_on = threading.Event(), threading.Event()

        def hold() -> None:
            arrived.set()
            assert go_on.wait(10)

        stripe.before = hold
        address = f"/c/newsroom/thanks?session_id=cs_1{ASKS}"
        with ThreadPoolExecutor(1) as donor:
            first = donor.submit(client.application.test_client().get, address)
            assert arrived.wait(10)
            meanwhile = client.get(address)
            go_on.set()
            assert says(first.result(10).text)[0] == "Thank you"
        assert says(meanwhile.text)[0] == "Confirming your gift …"
        assert stripe.asked == ["cs_1"]

    def test_no_transaction_is_open_while_stripe_is_asked(self, client: FlaskClient, stripe: Answering) -> None:
        open_then: list[int] = []
        engine = db.engine
        stripe.before = lambda: open_then.append(engine.pool.checkedout())  # type: ignore[attr-defined]
        client.get(f"/c/newsroom/thanks?session_id=cs_1{ASKS}")
        assert open_then == [0]

    def test_a_stranger_with_many_ids_is_soon_told_that_nothing_is_known(
        self, client: FlaskClient, stripe: Answering
    ) -> None:
        def asks(number: int, address: str) -> str:
            wanted = f"/c/newsroom/thanks?session_id=cs_{number}&look={thanks.LOOKS}"
            return says(client.get(wanted, environ_overrides={"REMOTE_ADDR": address}).text)[0]

        stripe.about = {"metadata": {}}
        said = [asks(number, "192.0.2.1") for number in range(25)]
        assert said == ["No gift found"] * 20 + ["Still waiting for Stripe"] * 5
        # From many addresses as well: all of them together take no more than this of a minute.
        said = [asks(number, f"198.51.100.{number}") for number in range(100, 150)]
        assert said == ["No gift found"] * 40 + ["Still waiting for Stripe"] * 10
        assert len(stripe.asked) == thanks.ASKS_A_MINUTE
        with time_machine.travel(NOW + timedelta(minutes=1), tick=False):
            assert asks(200, "203.0.113.1") == "No gift found"

    def test_answers_are_kept_for_the_newest_only(
        self, client: FlaskClient, stripe: Answering, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setattr(thanks, "MOST_KEPT", 2)
        for number in (1, 2, 3, 3, 2, 1):
            client.get(f"/c/newsroom/thanks?session_id=cs_{number}{ASKS}")
        assert stripe.asked == ["cs_1", "cs_2", "cs_3", "cs_1"]

    @pytest.mark.parametrize("status", [400, 401, 403, 429, 500, 503])
    def test_a_stripe_that_does_not_say_leaves_it_open_and_claims_nothing(
        self, client: FlaskClient, stripe: Answering, status: int
    ) -> None:
        stripe.status, stripe.about = status, {"error": {"type": "api_error", "message": "no"}}
        waiting = client.get(f"/c/newsroom/thanks?session_id=cs_1{ASKS}")
        assert says(waiting.text)[0] == "Confirming your gift …"
        assert "Refresh" in waiting.headers
        last = client.get(f"/c/newsroom/thanks?session_id=cs_1&look={thanks.LOOKS}")
        heading, lead = says(last.text)
        assert heading == "Still waiting for Stripe"
        assert lead.startswith("We cannot tell yet whether your gift went through.")
        assert '<a href="/c/newsroom/thanks?session_id=cs_1">Look again</a>' in last.text
        assert "Refresh" not in last.headers


class TestWithoutAKey:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"STRIPE_SECRET_KEY": ""}

    def test_nothing_is_claimed(self, client: FlaskClient) -> None:
        page = client.get(f"/c/newsroom/thanks?session_id=cs_1&look={thanks.LOOKS}").text
        assert says(page)[0] == "Still waiting for Stripe"
