"""After giving: the way back to the article, the newsroom's own words, a quiet offer, and how to end a regular gift."""

import re
from collections.abc import Iterator
from dataclasses import replace
from html import unescape
from urllib.parse import parse_qs, urlsplit

import pytest
import time_machine
from actors import NEWSROOM, Stripe, gift_fact, invoice, moment, refund_fact, session
from flask import Flask
from flask.testing import FlaskClient
from town import Town, wait_until

from tracker.giving.campaign import Campaign
from tracker.giving.months import month_of
from tracker.ledger import book, campaigns, subscriptions
from tracker.ledger.store import reading, writing
from tracker.web.site import now

ARTICLE = "https://www.example.org/news/ferry"
BACK = "https%3A//www.example.org/news/ferry"
NOW = moment("2021-05-14T09:31")


def changed(**values: object) -> Campaign:
    campaign = replace(NEWSROOM, **values)  # type: ignore[arg-type]
    with writing() as connection:
        campaigns.save(connection, campaign)
    return campaign


@pytest.fixture
def _with_a_site(app: Flask) -> None:
    changed(allowed_hosts=("www.example.org",))


@pytest.fixture
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


# --- The way back -----------------------------------------------------------------------------------------------------


@pytest.mark.usefixtures("_with_a_site")
def test_the_way_back_goes_from_the_bar_to_the_form(client: FlaskClient) -> None:
    frame = client.get(f"/embed/newsroom?src=ferry&back={ARTICLE}?utm=x").text
    button = unescape(re.findall(r'class="support" href="([^"]+)"', frame)[0])
    assert parse_qs(urlsplit(button).query) == {"src": ["ferry"], "back": [ARTICLE]}
    gone = client.get(button)
    assert gone.headers["Location"] == f"/c/newsroom?src=ferry&back={BACK}"
    page = client.get(gone.headers["Location"]).text
    assert f'name="back" type="hidden" value="{ARTICLE}"' in page


@pytest.mark.usefixtures("_with_a_site")
@pytest.mark.parametrize("address", ["/embed/newsroom", "/go/newsroom", "/c/newsroom", "/c/newsroom/thanks"])
def test_a_way_to_somewhere_else_is_lost_at_every_door(client: FlaskClient, address: str) -> None:
    answer = client.get(f"{address}?back=https://evil.example/phish")
    assert "evil.example" not in answer.text
    assert "evil.example" not in answer.headers.get("Location", "")


def test_without_a_site_there_is_no_way_back(client: FlaskClient) -> None:
    assert "www.example.org" not in client.get(f"/c/newsroom?back={ARTICLE}").text
    assert drawn_back(client, "") == ""
    changed(allowed_hosts=("www.example.org",))
    assert drawn_back(client, "") == "?back="
    assert drawn_back(client, "&src=ferry") == "&back="
    assert drawn_back(client, f"&src=ferry&back={ARTICLE}") == ""


def drawn_back(client: FlaskClient, query: str) -> str:
    """What the element puts the address of its page behind."""
    return str(client.get(f"/embed/newsroom.json?draw=1{query}").get_json()["draw"]["back"])


def test_whoever_has_given_finds_the_way_back_to_the_article(town: Town) -> None:
    with town.app.app_context():
        changed(
            allowed_hosts=("www.example.org",),
            thanks_words="**Thank you** from all of us.",
            checkout_words="It pays for news.",
        )
    checkout = town.opens_checkout(frequency="once", tier_once="1000", back=f"{ARTICLE}?from=mail#top")
    assert "It pays for news." in town.browser.get(checkout).text
    (opened,) = town.sandbox.store.newest("checkout.session")
    assert opened["custom_text"]["submit"] == {"message": "It pays for news."}
    assert parse_qs(urlsplit(opened["cancel_url"]).query)["back"] == [ARTICLE]
    cancelled = town.browser.get(opened["cancel_url"]).text
    assert f'value="{ARTICLE}"' in cancelled
    thanks = town.pays(checkout).headers["Location"]
    town.waits_for(1000)
    town.waits_for_thanks(thanks)
    page = town.browser.get(thanks).text
    assert f'href="{ARTICLE}">Back to the article</a>' in page
    assert "<strong>Thank you</strong> from all of us." in page
    offered = unescape(re.findall(r'<a href="([^"]+)">give every month</a>', page)[0])
    assert parse_qs(urlsplit(offered).query) == {"frequency": ["month"], "back": [ARTICLE]}
    assert 'id="f-month" value="month" checked' in town.browser.get(town.app_url + offered).text


@pytest.mark.usefixtures("_with_a_site", "_in_may")
def test_the_page_of_thanks_keeps_the_way_back_while_it_looks(client: FlaskClient) -> None:
    waiting = client.get(f"/c/newsroom/thanks?session_id=cs_1&back={ARTICLE}")
    assert parse_qs(urlsplit(waiting.headers["Refresh"].partition("url=")[2]).query)["back"] == [ARTICLE]
    assert f'href="{ARTICLE}">Back to the article</a>' in waiting.text


@pytest.mark.usefixtures("_with_a_site")
def test_a_gift_to_another_campaign_leads_back_only_to_that_ones_sites(client: FlaskClient) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug="library"))
        book.record(connection, gift_fact("cs_books", campaign="library"), NOW)
    moved = client.get(f"/c/newsroom/thanks?session_id=cs_books&back={ARTICLE}", follow_redirects=True)
    assert moved.request.path == "/c/library/thanks"
    assert "www.example.org" not in moved.text


# --- The newsroom's words, and the offer ------------------------------------------------------------------------------


@pytest.mark.usefixtures("_in_may")
def test_the_newsrooms_words_are_for_those_who_have_given(client: FlaskClient) -> None:
    changed(thanks_words="Come to our open desk.<script>alert(1)</script>")
    with writing() as connection:
        book.record(connection, gift_fact("cs_1"), NOW)
    given = client.get("/c/newsroom/thanks?session_id=cs_1").text
    assert "Come to our open desk." in given
    assert "<script>alert" not in given
    for nobody in ("cs_2", "x"):
        assert "open desk" not in client.get(f"/c/newsroom/thanks?session_id={nobody}").text


@pytest.mark.usefixtures("_in_may")
def test_only_a_one_time_gift_that_is_here_is_followed_by_the_offer(client: FlaskClient, stripe_calls: Stripe) -> None:
    offer = "What helps most is money that we can plan with."

    def offered(session_id: str) -> bool:
        return offer in client.get(f"/c/newsroom/thanks?session_id={session_id}").text

    assert not offered("cs_1")
    with writing() as connection:
        book.record(connection, gift_fact("cs_1"), NOW)
        book.record(connection, gift_fact("cs_back"), NOW)
        book.record(connection, refund_fact("cs_back"), NOW)
    assert offered("cs_1")
    assert not offered("cs_back")
    monthly = session("cs_m", 500, mode="subscription", invoice="in_1", payment_intent=None)
    stripe_calls.sends(stripe_calls.event("checkout.session.completed", monthly))
    stripe_calls.sends(stripe_calls.event("invoice.paid", invoice("in_1")))
    assert "Your gift has arrived" in client.get("/c/newsroom/thanks?session_id=cs_m").text
    assert not offered("cs_m")
    for without in ({"monthly": ()}, {"paused": True}, {"held_month": "2021-05"}):
        changed(**without)
        assert not offered("cs_1"), without


def test_words_that_stripe_would_refuse_are_refused_here(app: Flask) -> None:
    with pytest.raises(ValueError, match="Use 1,200 characters or fewer"):
        changed(checkout_words="x" * 1201)
    with pytest.raises(ValueError, match="is not the name of a site"):
        changed(allowed_hosts=("*.example.org",))


# --- Ending a regular gift --------------------------------------------------------------------------------------------


class TestWithoutALoginPage:
    def test_whom_to_write_to_is_said(self, client: FlaskClient) -> None:
        page = client.get("/c/newsroom/manage")
        assert page.status_code == 200
        assert "Reply to the receipt that Stripe sent you" in page.text
        assert "<form" not in page.text

    @pytest.fixture
    def environ(self, environ: dict[str, str], request: pytest.FixtureRequest) -> dict[str, str]:
        contact = "TRACKER_CONTACT" if request.node.name.startswith("test_with_a_contact") else ""
        return environ | ({contact: "members@example.org"} if contact else {})

    def test_with_a_contact_it_is_that(self, client: FlaskClient) -> None:
        page = client.get("/c/newsroom/manage").text
        assert 'href="mailto:members@example.org"' in page
        assert "Reply to the receipt" not in page


class TestWithALoginPage:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        return environ | {"TRACKER_PORTAL_LOGIN_URL": "https://billing.stripe.com/p/login/test_1"}

    def test_the_page_leads_there_and_asks_for_nothing(self, client: FlaskClient) -> None:
        page = client.get("/c/newsroom/manage?lang=de").text
        assert 'href="https://billing.stripe.com/p/login/test_1" rel="noreferrer"' in page
        assert "<form" not in page
        assert 'href="/c/newsroom?lang=de"' in page

    def test_it_is_linked_from_wherever_somebody_may_look_for_it(self, client: FlaskClient) -> None:
        with writing() as connection:
            book.record(connection, gift_fact("cs_1", at=now()), now())
        for address in ("/c/newsroom", "/c/newsroom/months", "/c/newsroom/thanks?session_id=cs_1"):
            assert 'href="/c/newsroom/manage"' in client.get(address).text, address
        changed(monthly=())
        for address in ("/c/newsroom", "/c/newsroom/months", "/c/newsroom/thanks?session_id=cs_1"):
            assert "/manage" not in client.get(address).text, address


def test_a_supporter_ends_a_monthly_gift_alone(town: Town) -> None:
    """The whole walk: give, look how to end it, log in by e-mail, cancel; and what is still to come falls."""
    from tracker.gateway.customer_portal import CustomerPortal

    with CustomerPortal("sk_test_123", api_base=town.sandbox.public_url, version="0") as portal:
        login = portal.set_up(town.app_url, "The Courier", "mark").url
    town.app.extensions["settings"] = replace(town.app.extensions["settings"], portal_login=login)
    thanks = town.gives(frequency="month", tier_month="2000")
    town.waits_for(2000)
    town.waits_for_thanks(thanks)

    def to_come() -> int:
        with town.app.app_context(), reading() as connection:
            following = month_of(now(), NEWSROOM.time_zone).next
            campaign = campaigns.find(connection, "newsroom")
            assert campaign
            return subscriptions.still_to_come(connection, campaign, following, False, now())

    wait_until(lambda: to_come() == 2000, "2000 to come")
    manage = re.findall(r'href="([^"]+/manage)"', town.browser.get(thanks).text)[0]
    assert f'href="{login}"' in town.browser.get(town.app_url + manage).text

    asked = town.browser.post(login, data={"email": "d@example.org"}).text
    code = re.findall(r'id="sent">(\d{6})<', asked)[0]
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    assert town.browser.post(login, data={"email": "d@example.org", "code": wrong}).status_code == 422
    inside = town.browser.post(login, data={"email": "d@example.org", "code": code})
    (subscription,) = town.sandbox.store.newest("subscription")
    assert "Cancel this gift" in inside.text
    assert town.app_url in inside.text
    town.browser.post(inside.url, data={"subscription": subscription["id"], "choice": "cancel"})
    wait_until(lambda: to_come() == 0, "nothing to come")
    assert town.bar()["raised"] == 2000


def test_a_stranger_learns_nothing_at_the_login_page(town: Town) -> None:
    from tracker.gateway.customer_portal import CustomerPortal

    with CustomerPortal("sk_test_123", api_base=town.sandbox.public_url, version="0") as portal:
        login = portal.set_up(town.app_url, "", "mark").url
    town.opens_checkout(frequency="once", tier_once="1000")
    page = town.browser.post(login, data={"email": "nobody@example.org"})
    assert "If nobody@example.org gives here, a code is on its way" in page.text
    assert town.browser.post(login, data={"email": "nobody@example.org", "code": "000000"}).status_code == 422
    assert town.browser.get(f"{town.sandbox.public_url}/p/login/guessed").status_code == 404


# --- Robots -----------------------------------------------------------------------------------------------------------


def test_robots_may_read_the_pages_and_press_nothing(client: FlaskClient) -> None:
    from urllib.robotparser import RobotFileParser

    answer = client.get("/robots.txt")
    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    rules = RobotFileParser()
    rules.parse(answer.text.splitlines())
    for address in (
        "/",
        "/c/newsroom",
        "/c/newsroom/months/2021-05",
        "/c/newsroom/months.atom",
        "/embed/newsroom/card.png",
    ):
        assert rules.can_fetch("*", address), address
    for address in ("/go/newsroom?src=x", "/admin/"):
        assert not rules.can_fetch("*", address), address
    assert "Disallow: /c/*/thanks" in answer.text


def test_a_page_lets_what_reads_it_for_its_owner_ask_for_robots_txt(client: FlaskClient) -> None:
    assert "connect-src 'self'" in client.get("/c/newsroom").headers["Content-Security-Policy"]
    # A frame may ask us for its number again; one that shows none asks nobody.
    assert "connect-src 'self'" in client.get("/embed/newsroom").headers["Content-Security-Policy"]
    assert "connect-src" not in client.get("/embed/nothing").headers["Content-Security-Policy"]


@pytest.mark.parametrize("address", ["", "/months", "/months/2021-05", "/months/2021-05/check", "/manage"])
@pytest.mark.usefixtures("_in_may")
def test_every_page_describes_itself(client: FlaskClient, address: str) -> None:
    page = client.get(f"/c/newsroom{address}").text
    assert len(re.findall(r'<meta name="description" content="[^"]{10,}">', page)) == 1
