"""The language of a page: its address's or the campaign's, said truly, and carried from the bar to thanks."""

import re
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape

import pytest
import time_machine
from actors import NEWSROOM, each, gift_fact
from flask import Flask
from flask.testing import FlaskClient

from tracker.giving.campaign import Campaign
from tracker.giving.facts import Fact
from tracker.giving.months import Month
from tracker.ledger import book, campaigns
from tracker.ledger.store import writing
from tracker.web import languages

MAY = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
ZEITUNG = replace(
    NEWSROOM, slug="zeitung", title="Für die Redaktion", locale="de_DE", currency="EUR", amount_pattern="",
    lead="", story="", minimum=200, maximum=1_000_000,
)  # fmt: skip
GERMAN_PAGES = ("/c/zeitung", "/c/zeitung/months", "/c/zeitung/months/2021-05", "/c/zeitung/thanks")


@pytest.fixture(autouse=True)
def _in_may(app: Flask) -> Iterator[None]:
    with time_machine.travel(MAY, tick=False):
        save(ZEITUNG)
        yield


def save(campaign: Campaign) -> None:
    with writing() as connection:
        campaigns.save(connection, campaign)
        campaigns.set_goal(connection, campaign.slug, Month(2021, 5), 500_000, stands=True)


def record(fact: Fact) -> None:
    with writing() as connection:
        book.record(connection, fact, MAY)


def speaks(page: str) -> str:
    found = re.search(r'<html lang="([^"]+)"( dir="rtl")?>', page)
    assert found
    return found[1] + (" rtl" if found[2] else "")


def words(page: str) -> str:
    return " ".join(unescape(re.sub(r"<(script|style).*?</\1>|<[^>]+>", " ", page, flags=re.DOTALL)).split())


@each(
    ("address", "language"),
    [
        # The campaign's own; and what is asked for.
        ("/c/newsroom", "en-US"),
        ("/c/zeitung", "de-DE"),
        ("/c/newsroom?lang=de-AT", "de-AT"),
        ("/c/zeitung?lang=en", "en"),
        ("/c/zeitung/months?lang=en-GB", "en-GB"),
        ("/c/zeitung?lang=he", "he rtl"),
        ("/embed/nobody?lang=ar", "ar rtl"),
        # A language that nobody here speaks, and what is none.
        ("/c/zeitung?lang=ja", "de-DE"),
        ("/c/zeitung?lang=<b>", "de-DE"),
        # Several campaigns in several languages.
        ("/", "en"),
        ("/?lang=de", "de"),
        # Where nothing is, and where editors work.
        ("/c/nobody", "en"),
        ("/c/nobody?lang=de", "de"),
        ("/admin/nobody?lang=de", "en"),
        ("/embed/nobody?lang=de", "de"),
    ],
)
def test_a_page_says_truly_what_it_is_in(client: FlaskClient, address: str, language: str) -> None:
    save(NEWSROOM)
    assert speaks(client.get(address, follow_redirects=True).text) == language


def test_a_campaign_in_a_language_that_is_not_complete_has_english_pages_with_its_own_amounts(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(languages, "is_complete", lambda language: language != "pl")
    save(replace(NEWSROOM, slug="gazeta", locale="pl_PL", currency="PLN", amount_pattern="", title="Gazeta"))
    page = client.get("/c/gazeta").text
    assert speaks(page) == "en"
    assert '<h1 lang="pl-PL" dir="auto">Gazeta</h1>' in page
    assert "Every month" in words(page)
    assert "25 zł" in words(page).replace("\xa0", " ")
    assert "Wesprzyj nas" in client.get("/embed/gazeta").text


@each("address", GERMAN_PAGES)
def test_a_german_page_has_german_months_amounts_and_no_english_sentence(client: FlaskClient, address: str) -> None:
    record(gift_fact(amount=34_000, campaign="zeitung", currency="EUR"))
    said = words(client.get(address).text).replace("The Courier", "")
    assert re.search("Mai 2021|MAI 2021", said)
    assert "340 €" in said.replace("\xa0", " ")
    assert not re.search(r"\b(the|of|your|gift|gifts|month|once|raised|give|and)\b", said, re.IGNORECASE), said


def test_amounts_are_read_as_the_page_writes_them(client: FlaskClient) -> None:
    """A reader of German in an English campaign types a comma, and is told in German what was wrong."""
    save(NEWSROOM)
    page = client.get("/c/newsroom?lang=de").text
    assert 'data-decimal=","' in page
    token = re.search(r'name="token"[^>]*value="([^"]+)"', page)
    assert token
    sent = {"token": token[1], "frequency": "once", "tier_once": "other", "other_amount": "1,5", "lang": "de"}
    answer = client.post("/c/newsroom/give", data=sent)
    assert answer.status_code == 422
    assert speaks(answer.text) == "de"
    assert "Die kleinste Spende ist 2 $." in words(answer.text).replace("\xa0", " ")
    assert 'value="1,5"' in answer.text


@each(("fields", "said"), [
    ({"frequency": "weekly"}, "Bitte wählen Sie, wie oft Sie spenden möchten."),
    ({"name": "x" * 81}, "Der Name darf höchstens 80 Zeichen haben."),
    ({"token": ""}, "Diese Seite war zu lange geöffnet."),
    ({"tier_once": "other", "other_amount": "12.5"}, "Meinten Sie 12,50?"),
])  # fmt: skip
def test_what_is_wrong_with_a_form_is_said_in_german(client: FlaskClient, fields: dict[str, str], said: str) -> None:
    sent = {"frequency": "once", "tier_once": "2500", "token": "old"} | fields
    assert said in words(client.post("/c/zeitung/give", data=sent).text)


def test_the_language_that_was_asked_for_goes_along_from_page_to_page(client: FlaskClient) -> None:
    save(NEWSROOM)
    record(gift_fact(amount=34_000, at=datetime(2021, 4, 10, tzinfo=UTC)))
    asked = "/c/newsroom?lang=de"
    assert client.get("/go/newsroom?lang=de").headers["Location"] == asked
    page = client.get(asked).text
    assert 'action="/c/newsroom/give?lang=de"' in page
    assert 'href="/c/newsroom/months?lang=de"' in page
    months = client.get("/c/newsroom/months?lang=de").text
    assert 'href="/c/newsroom/months/2021-04?lang=de"' in months
    month = client.get("/c/newsroom/months/2021-04?lang=de").text
    assert f'href="{asked}"' in month
    # And stays out of addresses where nobody asked for it.
    page = client.get("/c/zeitung").text.partition("<body")[2].partition('<details class="languages">')[0]
    assert "lang=" not in re.sub(r'\b(lang|hreflang)="', "", page)


def test_pages_in_two_languages_are_not_mixed_up(client: FlaskClient) -> None:
    """The page is kept for all who begin with the same choice."""
    save(NEWSROOM)
    for _ in range(2):
        assert "Give" in words(client.get("/c/newsroom").text)
        assert "Jetzt spenden" in words(client.get("/c/newsroom?lang=de").text)
        assert "Give" in words(client.get("/c/newsroom?lang=en").text)


@each(("address", "wishes", "language"), [
    # A campaign's pages are the same to everybody.
    ("/c/newsroom", "de", "en-US"), ("/c/zeitung", "en", "de-DE"),
    # Where there is no campaign, or several in several languages, the browser's first language that we have.
    ("/", "de-AT, en;q=0.5", "de-AT"), ("/", "ja, de;q=0.8, en;q=0.5", "de"), ("/", "ja", "en"), ("/", "*", "en"), ("/", "", "en"),
    ("/?lang=en", "de", "en"), ("/c/nobody", "de", "de"),
])  # fmt: skip
def test_the_browsers_wish_comes_after_the_address_and_the_campaign(
    client: FlaskClient, address: str, wishes: str, language: str
) -> None:
    save(NEWSROOM)
    answer = client.get(address, headers={"Accept-Language": wishes})
    assert speaks(answer.text) == language
    # Only then, so that everything else can be kept for all.
    decided = "lang" not in address and "/c/newsroom" not in address and "/c/zeitung" not in address
    assert ("Accept-Language" in answer.headers.get("Vary", "")) == decided


def test_a_front_page_in_the_browsers_language_keeps_each_campaigns_amounts_and_links(client: FlaskClient) -> None:
    save(NEWSROOM)
    page = client.get("/", headers={"Accept-Language": "de"}).text
    assert "5,000 $" in words(page)
    assert 'href="/c/newsroom"' in page


def test_each_page_links_to_itself_in_every_other_language_and_loses_nothing(client: FlaskClient) -> None:
    save(NEWSROOM)
    page = client.get("/c/newsroom?amount=25&frequency=month&src=a-1&pos=top&lang=en&junk=1").text
    assert "Language: English" in words(page)
    links = dict(re.findall(r'<a href="([^"]+)" lang="([a-z]+)">', page))
    (german,) = (unescape(address) for address, code in links.items() if code == "de")
    assert german == "/c/newsroom?frequency=month&amount=25&src=a-1&pos=top&lang=de"
    assert speaks(client.get(german).text) == "de"
    assert "Sprache: Deutsch" in words(client.get(german).text)
    for address in ("/c/newsroom/months", "/c/newsroom/months/2021-05", "/"):
        assert f'href="{address}?lang=de"' in client.get(address).text, address


@each(("zone", "locale", "city"), [
    ("Europe/Rome", "de_DE", "Ortszeit Rom."), ("America/New_York", "en_US", "New York time."), ("UTC", "en_US", "UTC time."),
])  # fmt: skip
def test_the_clock_is_named_as_readers_know_it(client: FlaskClient, zone: str, locale: str, city: str) -> None:
    save(replace(ZEITUNG, time_zone=zone, locale=locale))
    assert city in words(client.get("/c/zeitung").text)
