"""What readers and supporters see: the campaign, its months, and the thanks."""

import re
from base64 import b64encode
from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from hashlib import sha256
from html import unescape
from typing import Any

import pytest
import time_machine
from actors import NEWSROOM, each, gift_fact, moment, refund_fact
from flask import Flask
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tracker.giving.bar_style import PAPER, contrast
from tracker.giving.campaign import Campaign
from tracker.giving.facts import Fact
from tracker.giving.money import exponent, least, to_smallest
from tracker.giving.months import parse_month
from tracker.giving.prefill import Prefill
from tracker.giving.tiers import choose
from tracker.ledger import book, campaigns, month_closing, supporters
from tracker.ledger.store import writing
from tracker.web.donate import supporter_page

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)


@pytest.fixture(autouse=True)
def _in_may() -> Iterator[None]:
    with time_machine.travel(NOW, tick=False):
        yield


@pytest.fixture
def look(app: Flask) -> Iterator[Callable[[], None]]:
    """What a serving process does: it keeps what it has read, and looks whether anything was written."""
    bars = app.extensions["bars"]

    def looks() -> None:
        with app.app_context():
            bars.look(NOW)

    yield looks
    bars.close()


def save(campaign: Campaign) -> None:
    with writing() as connection:
        campaigns.save(connection, campaign)


def record(*facts: Fact) -> None:
    with writing() as connection:
        for fact in facts:
            book.record(connection, fact, NOW)


# --- The campaign -----------------------------------------------------------------------------------------------------


def test_the_only_campaign_is_the_front_page(client: FlaskClient) -> None:
    assert client.get("/").status_code == 200
    assert "Support the newsroom" in client.get("/").text
    assert 'action="/c/newsroom/give"' in client.get("/").text


def test_several_campaigns_are_listed_with_their_bars(client: FlaskClient) -> None:
    save(replace(NEWSROOM, slug="library", title="Books <b>for</b> all", paused=True))
    page = client.get("/").text
    assert page.index("/c/newsroom") < page.index("/c/library")
    assert "Books &lt;b&gt;for&lt;/b&gt; all" in page


class TestBeforeAnythingIsSetUp:
    @pytest.fixture
    def app(self, settings: Any) -> Iterator[Flask]:
        from tracker import create_app
        from tracker.ledger import store

        settings.instance.mkdir(parents=True)
        made = create_app(settings, background=False)
        with made.app_context():
            store.upgrade()
            yield made
            store.db.engine.dispose()

    def test_the_front_page_says_what_to_do(self, client: FlaskClient) -> None:
        answer = client.get("/")
        assert answer.status_code == 200
        assert "There is no campaign yet" in answer.text

    def test_nothing_else_is_there(self, client: FlaskClient) -> None:
        assert client.get("/c/newsroom").status_code == 404
        assert client.get("/embed/newsroom").status_code == 404


def test_the_page_shows_month_amount_goal_and_amounts_to_choose(client: FlaskClient) -> None:
    record(gift_fact(amount=34_000))
    page = client.get("/c/newsroom").text
    for words in ("MAY 2021", "340 $", "of 5,000 $", "2,500 $", "17 days left", "10 $", "100 $", "Once", "Every month"):
        assert words in page, words


def test_a_link_may_choose_how_often_and_how_much_and_says_where_it_stood(client: FlaskClient) -> None:
    page = client.get("/c/newsroom?frequency=month&amount=20&src=article-9&pos=bottom&lang=pt-BR").text
    assert checked(page) == {"month", "2000", "2500"}
    assert typed(page) == ""
    assert [hidden_field(page, name) for name in ("src", "pos", "lang")] == ["article-9", "bottom", "pt_BR"]


@each(
    ("query", "chosen", "written"),
    [
        ("amount=50", {"once", "5000", "1000"}, ""),
        ("amount=12.50", {"once", "other"}, "12.50"),
        ("frequency=month&amount=12.5", {"month", "other"}, "12.50"),
        ("amount=3000", {"once", "other"}, "3000"),
        # An amount for every month alone: the field has it for once, and either way it is what was asked for.
        ("amount=20", {"once", "other", "2000"}, "20"),
        ("frequency=month", {"month", "1000", "2500"}, ""),
        ("frequency=year&amount=12.50", {"once", "other"}, "12.50"),
    ],
)
def test_a_link_may_ask_for_any_amount(client: FlaskClient, query: str, chosen: set[str], written: str) -> None:
    page = client.get(f"/c/newsroom?{query}").text
    assert checked(page) == chosen
    assert typed(page) == written


@pytest.mark.parametrize(
    ("currency", "locale", "asked", "written"),
    [
        ("EUR", "de_DE", "12.50", "12,50"),
        ("JPY", "ja_JP", "1500", "1500"),
        ("KWD", "ar_KW", "12.250", "12.250"),
        ("ISK", "is_IS", "1500", "1500"),
    ],
)
def test_an_amount_from_a_link_stands_in_the_field_as_the_campaigns_readers_type_it(
    client: FlaskClient, currency: str, locale: str, asked: str, written: str
) -> None:
    lowest, tiers, most = (unit * 10 ** exponent(currency) for unit in (1, 1000, 90_000))
    campaign = replace(
        NEWSROOM, slug="there", currency=currency, locale=locale, amount_pattern="",
        once=(tiers,), monthly=(tiers,), minimum=max(lowest, least(currency)), maximum=most,
    )  # fmt: skip
    save(campaign)
    page = client.get(f"/c/there?amount={asked}").text
    assert typed(page) == written
    # What stands there is read back as the very same amount.
    assert choose(campaign, "once", "other", typed(page)).amount == to_smallest(Decimal(asked), currency)


def test_a_campaign_with_one_frequency_ignores_a_link_that_asks_for_the_other(client: FlaskClient) -> None:
    save(replace(NEWSROOM, monthly=()))
    assert checked(client.get("/c/newsroom?frequency=month&amount=50").text) == {"once", "5000"}
    save(replace(NEWSROOM, once=()))
    assert checked(client.get("/c/newsroom?frequency=once&amount=20").text) == {"month", "2000"}


def test_a_campaign_offers_once_monthly_and_yearly_or_any_of_them(client: FlaskClient) -> None:
    assert "Every year" not in client.get("/c/newsroom").text
    save(replace(NEWSROOM, yearly=(5000, 10_000)))
    page = client.get("/c/newsroom").text
    assert page.index("Once</label>") < page.index("Every month</label>") < page.index("Every year</label>")
    assert 'Give <bdi class="figure">100 $</bdi> every year' in page
    assert "A regular gift can be stopped at any time" in page
    assert checked(client.get("/c/newsroom?frequency=year&amount=100").text) == {"year", "10000", "1000", "2500"}
    assert checked(client.get("/c/newsroom?frequency=year&amount=75").text) == {"year", "other"}
    save(replace(NEWSROOM, yearly=(5000, 10_000), default_frequency="month"))
    assert checked(client.get("/c/newsroom").text) == {"month", "2500", "1000", "5000"}
    assert "once" in checked(client.get("/c/newsroom?frequency=once").text)
    save(replace(NEWSROOM, once=(), yearly=(5000, 10_000)))
    page = client.get("/c/newsroom").text
    assert "Once</label>" not in page
    assert checked(page) == {"month", "1000", "5000"}
    save(replace(NEWSROOM, once=(), monthly=(), yearly=(5000, 10_000)))
    page = client.get("/c/newsroom?frequency=once&amount=100").text
    assert checked(page) == {"year", "10000"}
    assert "How often" not in page


def test_the_fee_can_be_added_where_the_owner_offers_it(client: FlaskClient) -> None:
    assert 'name="cover"' not in client.get("/c/newsroom").text
    save(replace(NEWSROOM, cover_percent=290, cover_fixed=30))
    page = client.get("/c/newsroom").text
    said = 'Add <bdi class="figure">0.61 $</bdi> so that the newsroom gets the full <bdi class="figure">10 $</bdi>'
    assert said in page
    assert 'Give <bdi class="figure">10.61 $</bdi>' in page
    assert 'Give <bdi class="figure">5.46 $</bdi> every month' in page
    assert "Add the payment fee" in page
    assert "290+30" not in checked(page)


def test_a_box_for_the_newsletter_is_there_where_the_owner_named_it_and_not_ticked(client: FlaskClient) -> None:
    assert 'name="newsletter"' not in client.get("/c/newsroom").text
    save(replace(NEWSROOM, newsletter="Send me “The Week” & more."))
    page = client.get("/c/newsroom?newsletter=yes").text
    assert "Send me “The Week” &amp; more." in page
    assert 'name="newsletter" value="yes">' in page


def test_a_pause_and_a_reached_goal_are_said_in_the_newsrooms_own_words(client: FlaskClient) -> None:
    save(replace(NEWSROOM, paused=True))
    assert "We are not taking gifts right now" in client.get("/c/newsroom").text
    save(replace(NEWSROOM, paused=True, pause_reason="Back after <Easter>."))
    page = client.get("/c/newsroom").text
    assert "Back after &lt;Easter&gt;." in page
    assert "We are not taking gifts" not in page
    save(replace(NEWSROOM, reached_words="Thank you: the rest pays for an intern."))
    assert "intern" not in client.get("/c/newsroom").text
    record(gift_fact(amount=500_000))
    page = client.get("/c/newsroom").text
    assert "the rest pays for an intern" in page
    assert 'id="give"' in page


def test_giving_stops_at_the_goal_where_the_owner_says_so(client: FlaskClient) -> None:
    save(replace(NEWSROOM, stops_at_goal=True))
    assert 'id="give"' in client.get("/c/newsroom").text
    record(gift_fact(amount=500_000))
    page = client.get("/c/newsroom").text
    assert 'id="give"' not in page
    assert "This month's goal is reached" in unescape(page)
    assert "days left" not in page
    answer = client.post("/c/newsroom/give", data={"frequency": "once", "tier_once": "2500"})
    assert answer.status_code == 422
    assert "This month's goal is reached" in unescape(answer.text)
    save(replace(NEWSROOM, stops_at_goal=True, reached_words="See you in June!"))
    assert "See you in June!" in client.get("/c/newsroom").text
    record(refund_fact(amount=100))
    assert 'id="give"' in client.get("/c/newsroom").text


def test_an_archived_campaign_is_not_on_the_front_page_and_stays_at_its_address(client: FlaskClient) -> None:
    old = replace(NEWSROOM, slug="library", title="Books for all", held_month="2021-05", archived=True)
    save(old)
    assert 'action="/c/newsroom/give"' in client.get("/").text
    assert "This campaign is over" in client.get("/c/library").text
    save(replace(NEWSROOM, slug="roof", title="A roof"))
    page = client.get("/").text
    assert ("/c/roof" in page, "/c/library" in page) == (True, False)
    for slug in ("newsroom", "roof"):
        save(replace(NEWSROOM, slug=slug, held_month="2021-05", archived=True))
    assert "/c/library" in client.get("/").text


class TestWithLinksToWhoIsResponsible:
    @pytest.fixture
    def environ(self, environ: dict[str, str]) -> dict[str, str]:
        links = {"TRACKER_PRIVACY_URL": "https://example.org/privacy", "TRACKER_IMPRINT_URL": "https://example.org/us"}
        return environ | links

    @pytest.mark.parametrize("page", ["/c/newsroom", "/c/newsroom/thanks", "/c/newsroom/months"])
    def test_every_page_for_supporters_has_them(self, client: FlaskClient, page: str) -> None:
        found = client.get(page).text
        assert '<a href="https://example.org/privacy">Privacy</a>' in found
        assert '<a href="https://example.org/us">Legal notice</a>' in found


NOTE = "You have not been charged. Your amount is kept."


def test_a_donor_who_comes_back_from_stripe_finds_the_choice_as_it_was(client: FlaskClient) -> None:
    back = "/c/newsroom?frequency=month&amount=20&src=article-9&pos=bottom&lang=en-GB&cancelled=1"
    page = client.get(back).text
    assert NOTE in page
    assert checked(page) == {"month", "2000", "2500"}
    assert [hidden_field(page, name) for name in ("src", "pos", "lang")] == ["article-9", "bottom", "en_GB"]
    assert NOTE not in client.get(back.removesuffix("&cancelled=1")).text
    # The amounts are others by now, and the least is more: what was chosen is kept, and no error before it is sent.
    save(replace(NEWSROOM, monthly=(5000, 9000), once=(5000,), minimum=5000))
    page = client.get(back).text
    assert checked(page) == {"month", "other"}
    assert typed(page) == "20"
    assert "smallest gift" not in page
    save(replace(NEWSROOM, monthly=()))
    page = client.get(back).text
    assert checked(page) == {"once", "other"}
    assert typed(page) == "20"
    save(replace(NEWSROOM, paused=True))
    assert NOTE not in client.get(back).text


def test_a_link_cannot_fill_the_memory_with_pages(client: FlaskClient, look: Callable[[], None], app: Flask) -> None:
    look()
    for cents in range(10, 99):
        assert typed(client.get(f"/c/newsroom?amount=7.{cents}").text) == f"7.{cents}"
    assert list(app.extensions["bars"]._readings) == [("page", "newsroom")]


def typed(page: str) -> str:
    """What stands in the field for other amounts."""
    (field,) = re.findall(r'<input[^>]*id="other_amount"[^>]*>', page)
    return re.findall(r'value="([^"]*)"', field)[0]


@each(
    "query",
    [
        "frequency=never",
        "frequency=MONTH",
        "amount=1",
        "amount=10000.01",
        "amount=12.505",
        "amount=12,50",
        "amount=-25",
        "amount=",
        "amount=25%00",
        "amount=25&amount=50",
        "amount=²",
        "amount=000000001000" + "0" * 5000,
        "amount=" + "9" * 6000,
        "amount=10000000000000",
        "frequency=once&frequency=month",
        "src=%00&pos=%ff%fe",
        "src=" + "x" * 5000,
    ],
)
def test_a_strange_link_shows_the_page_as_ever(client: FlaskClient, query: str) -> None:
    answer = client.get(f"/c/newsroom?{query}")
    assert answer.status_code == 200
    assert checked(answer.text) >= {"once", "2500"}


def checked(page: str) -> set[str]:
    return {
        re.findall(r'value="([^"]*)"', tag)[0] for tag in re.findall(r"<input[^>]*>", page) if re.search("checked", tag)
    }


def test_a_page_that_is_kept_has_each_readers_own_token_and_article_and_all_of_its_policy(
    client: FlaskClient, look: Callable[[], None]
) -> None:
    save(replace(NEWSROOM, accent="e0502a"))
    look()
    addresses = (
        "/c/newsroom?src=a-1&pos=top",
        "/c/newsroom?src=a-2",
        "/c/newsroom",
        "/c/newsroom?amount=10",
        "/c/newsroom",
    )
    answers = [client.get(address) for address in addresses]
    tokens = [hidden_field(answer.text, "token") for answer in answers]
    assert len(set(tokens)) == len(tokens)
    assert all(tokens)
    assert [hidden_field(answer.text, "src") for answer in answers] == ["a-1", "a-2", "", "", ""]
    assert [hidden_field(answer.text, "pos") for answer in answers] == ["top", "", "", "", ""]
    links = [re.findall(r'json\+oembed"[^>]*href="([^"]*)"', answer.text)[0] for answer in answers]
    assert [link.partition("newsroom")[2] for link in links] == ["%3Fsrc%3Da-1%26pos%3Dtop", "%3Fsrc%3Da-2", "", "", ""]
    forms = [re.findall(r'<form[^>]* action="([^"]*)"', answer.text)[0].partition("?")[2] for answer in answers]
    assert forms == ["src=a-1&amp;pos=top", "src=a-2", "", "amount=10", ""]
    own = r'<input[^>]*type="hidden"[^>]*>|<link[^>]*oembed[^>]*>|(?<=/give)\?[^"]*|<details class="languages">.*?</details>'
    alike = [re.sub(own, "", answer.text, flags=re.DOTALL) for answer in answers]
    assert alike[0] == alike[1] == alike[2] == alike[4] != alike[3]
    for answer in answers:
        assert policy_allows(answer)
        assert answer.headers["Content-Security-Policy"] == answers[0].headers["Content-Security-Policy"]
        assert answer.headers["Cache-Control"] == "private, no-cache"


def test_a_page_that_is_kept_is_anew_once_a_gift_is_there_or_its_campaign_changes(
    client: FlaskClient, look: Callable[[], None]
) -> None:
    look()
    assert "Keep the lights on" not in client.get("/c/newsroom").text
    record(gift_fact(amount=123_400))
    look()
    assert "1,234 $" in client.get("/c/newsroom").text
    save(replace(NEWSROOM, title="Keep the lights on", once=(700,)))
    look()
    page = client.get("/c/newsroom").text
    assert "Keep the lights on" in page
    assert 'value="700"' in page


def test_a_page_that_a_gift_overtakes_while_it_is_made_is_not_kept(
    client: FlaskClient, look: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    look()
    begin = supporter_page._beginning

    def overtaken(campaign: Campaign, asked: Prefill) -> Any:
        monkeypatch.setattr(supporter_page, "_beginning", begin)
        record(gift_fact(amount=123_400))
        look()
        return begin(campaign, asked)

    monkeypatch.setattr(supporter_page, "_beginning", overtaken)
    client.get("/c/newsroom")
    assert "1,234 $" in client.get("/c/newsroom").text


def hidden_field(page: str, name: str) -> str:
    found = re.search(rf'<input id="{name}" name="{name}" type="hidden" value="([^"]*)"', page)
    assert found, page
    return found[1]


def test_more_than_the_goal_is_said_in_words(client: FlaskClient) -> None:
    record(gift_fact(amount=500_000))
    for address in ("/c/newsroom", "/embed/newsroom", "/c/newsroom/months/2021-05"):
        assert "of 5,000 $: goal reached" in client.get(address).text
    record(gift_fact("cs_2", amount=210_000))
    for address in ("/c/newsroom", "/embed/newsroom", "/c/newsroom/months/2021-05"):
        assert "of 5,000 $ (142 %)" in client.get(address).text
    assert "days left" not in client.get("/c/newsroom").text


def test_more_refunds_than_gifts_are_told_as_they_are(client: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact(at=moment("2021-04-10T10:00")), NOW)
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)
        book.record(connection, refund_fact(), NOW)
    for address in ("/c/newsroom", "/embed/newsroom", "/c/newsroom/months", "/c/newsroom/months/2021-05"):
        answer = client.get(address)
        assert answer.status_code == 200
        assert "−10 $" in answer.text
    assert client.get("/embed/newsroom.json").json["percent"] == 0.0  # type: ignore[index]


HOSTILE = "<script>alert(1)</script>\"'><img src=x onerror=alert(2)>"


def test_what_an_owner_or_a_donor_writes_is_text_and_never_markup(client: FlaskClient) -> None:
    save(replace(NEWSROOM, title=HOSTILE, lead=HOSTILE, story=HOSTILE))
    record(gift_fact(name=HOSTILE, message=HOSTILE))
    with writing() as connection:
        supporters.show(connection, "cs_1", shown=True)
    for address in (
        "/",
        "/c/newsroom",
        "/c/newsroom/thanks?session_id=cs_1",
        "/c/newsroom/months",
        "/c/newsroom/months/2021-05",
        "/embed/newsroom",
    ):
        page = client.get(address).text
        assert "<img" not in page, address
        assert "<script>alert" not in page, address
        assert "alert(1)" in page, address


def test_a_story_keeps_its_markdown_and_nothing_that_could_harm(client: FlaskClient) -> None:
    story = "\n\n".join(
        [
            "## What it pays",
            "- *two* reporters\n- **one** lawyer",
            "[the report](https://example.org/report)",
            "[a trap](javascript:alert(1))",
            "[another](data:text/html;base64,PHNjcmlwdD4=)",
            "[third](vbscript:x) <javascript:alert(4)>",
            '<iframe src="https://evil.example"></iframe>',
            '<p style="color:red" onclick="x()">raw</p>',
            "![picture](https://tracker.example/pixel.gif)",
            "&#106;avascript:alert(5) [e](&#106;avascript:alert(6))",
        ]
    )
    save(replace(NEWSROOM, story=story))
    page = client.get("/c/newsroom").text
    told = re.split("</(?:section|main)>", page[page.index("What it pays") :])[0]
    assert "<h2>What it pays</h2>" in page
    assert "<em>two</em>" in told
    assert 'href="https://example.org/report"' in told
    assert not re.search(r"<(iframe|img|script)|\son\w+=[^&]*>|style=", re.sub(r"&lt;.*?&gt;", "", told))
    assert all(re.match("https?:|mailto:", link) for link in re.findall(r'href="([^"]*)"', told))


def test_words_of_supporters_stand_on_the_page_only_when_an_editor_shows_them(client: FlaskClient) -> None:
    record(gift_fact(name="Ana", message="For the court reports"))
    assert "court reports" not in client.get("/c/newsroom").text
    with writing() as connection:
        supporters.show(connection, "cs_1", shown=True)
    assert "court reports" in client.get("/c/newsroom").text


# --- Months -----------------------------------------------------------------------------------------------------------


def test_every_month_is_told_as_json_with_exactly_the_promised_names(client: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact("cs_1", 30_000, at=moment("2021-03-10T10:00")), NOW)
        book.record(connection, gift_fact("in_1", 6_000, kind="monthly", at=moment("2021-03-10T10:00")), NOW)
        book.record(connection, gift_fact("x_1", 500, kind="offline", at=moment("2021-03-10T10:00")), NOW)
        book.record(connection, refund_fact("cs_1", 2_000), NOW)
        month_closing.close(connection, NEWSROOM, parse_month("2021-03"), False, NOW)
    answer = client.get("/c/newsroom/months.json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    empty = {"once": 0, "monthly": 0, "offline": 0, "refunds": 0, "disputes": 0, "gifts": 0}
    assert answer.json == {
        "version": 1,
        "campaign": "newsroom",
        "currency": "USD",
        "time_zone": "Europe/Berlin",
        "months": [
            {"month": "2021-05", "goal": 500_000, "raised": 0, **empty, "closed": False},
            {"month": "2021-04", "goal": 500_000, "raised": 0, **empty, "closed": False},
            {
                "month": "2021-03",
                "goal": 500_000,
                "raised": 34_500,
                "once": 30_000,
                "monthly": 6_000,
                "offline": 500,
                "refunds": 2_000,
                "disputes": 0,
                "gifts": 3,
                "closed": True,
            },
        ],
    }
    for one in answer.json["months"]:
        assert one["raised"] == one["once"] + one["monthly"] + one["offline"] - one["refunds"] - one["disputes"]
    assert list(answer.json) == ["version", "campaign", "currency", "time_zone", "months"]


def test_yearly_gifts_have_a_line_where_there_are_any(client: FlaskClient) -> None:
    record(gift_fact("in_1", 6_000, kind="monthly"))
    record(gift_fact("in_2", 6_000, kind="monthly", at=moment("2021-04-10T10:00")))
    before = [client.get(f"/c/newsroom/months/{month}").data for month in ("2021-04", "2021-05")]
    assert "Yearly" not in client.get("/c/newsroom/months").text
    record(gift_fact("in_3", 12_000, kind="yearly"))
    april, may = (client.get(f"/c/newsroom/months/{month}") for month in ("2021-04", "2021-05"))
    assert april.data == before[0]
    assert re.search(r"Yearly gifts</th><td>120 \$", may.text)
    assert "Yearly</th>" in client.get("/c/newsroom/months").text
    newest, older = client.get("/c/newsroom/months.json").json["months"]
    assert (newest["yearly"], newest["raised"]) == (12_000, 18_000)
    assert "yearly" not in older


def test_a_month_says_how_it_adds_up(client: FlaskClient) -> None:
    record(gift_fact(amount=30_000), gift_fact("in_1", 6_000, kind="monthly"), refund_fact(amount=2_000))
    record(gift_fact("cs_eur", 700, currency="EUR"))
    page = client.get("/c/newsroom/months/2021-05").text
    for words in (
        "May 2021",
        "300 $",
        "60 $",
        "−20 $",
        "340 $",
        "2 gifts.",
        'Not included: <bdi class="figure">€7</bdi>.',
    ):
        assert words in page, words
    every = client.get("/c/newsroom/months").text
    assert "/c/newsroom/months/2021-05" in every
    assert "340 $" in every


def test_the_amounts_of_a_column_line_up(client: FlaskClient) -> None:
    record(gift_fact(amount=30_000), gift_fact("cs_april", 1_250, at=moment("2021-04-10T10:00")))
    page = client.get("/c/newsroom/months").text
    assert re.findall(r"<td><strong>([^<]+)</strong></td><td>([^<]+)</td>", page) == [
        ("300.00 $", "5,000 $"),
        ("12.50 $", "5,000 $"),
    ]


def test_a_closed_month_says_so(client: FlaskClient) -> None:
    with writing() as connection:
        book.record(connection, gift_fact(at=moment("2021-04-10T10:00")), NOW)
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)
    assert "This month is closed" in client.get("/c/newsroom/months/2021-04").text
    assert "This month is closed" not in client.get("/c/newsroom/months/2021-05").text


@each(
    "month",
    [
        "2021-06",
        "2021-13",
        "2021-00",
        "21-05",
        "2021-05-01",
        "may",
        "9999-12",
        "0000-01",
        "２０２１-05",
        "2021-05%00x",
    ],
)
def test_a_month_that_is_none_or_still_to_come_is_not_there(client: FlaskClient, month: str) -> None:
    assert client.get(f"/c/newsroom/months/{month}").status_code == 404
    assert client.get(f"/embed/newsroom?month={month}").status_code == 404
    assert client.get(f"/embed/newsroom.json?month={month}").status_code == 404


def test_the_month_begins_by_the_campaigns_clock(client: FlaskClient) -> None:
    with time_machine.travel(datetime(2021, 5, 31, 22, 30, tzinfo=UTC), tick=False):
        assert "JUNE 2021" in client.get("/c/newsroom").text
        assert client.get("/c/newsroom/months/2021-06").status_code == 200


EVERY_CARRIER = ("", ".json", ".svg", ".png", ".txt", "/card.png")


def test_a_month_before_the_campaigns_first_is_not_there(client: FlaskClient) -> None:
    """The first goal was set for January 2021."""
    for month, status in (("2021-01", 200), ("2020-12", 404), ("1999-01", 404), ("1970-01", 404)):
        assert client.get(f"/c/newsroom/months/{month}").status_code == status
        for carrier in EVERY_CARRIER:
            assert client.get(f"/embed/newsroom{carrier}?month={month}").status_code == status, carrier
        pasted = f"http://127.0.0.1:5000/c/newsroom?month={month}"
        assert client.get("/oembed", query_string={"url": pasted}).status_code == status


def test_the_first_entry_makes_a_first_month_and_a_first_goal_does(client: FlaskClient) -> None:
    save(replace(NEWSROOM, slug="library"))
    assert client.get("/c/library/months/2021-05").status_code == 200
    assert client.get("/c/library/months/2021-04").status_code == 404
    with writing() as connection:
        campaigns.set_goal(connection, "library", parse_month("2021-04"), 1000, stands=False)
    assert client.get("/c/library/months/2021-04").status_code == 200
    record(gift_fact("cs_old", at=moment("2021-02-10T10:00"), campaign="library"))
    # Every month from the first on, those without a gift too; and gifts to others are no beginning.
    record(gift_fact("cs_other", at=moment("2020-02-10T10:00")))
    for month, status in (("2021-03", 200), ("2021-02", 200), ("2021-01", 404)):
        assert client.get(f"/c/library/months/{month}").status_code == status


def test_gifts_of_the_other_mode_are_no_beginning(client: FlaskClient) -> None:
    record(gift_fact(at=moment("2020-02-10T10:00"), live=True))
    assert client.get("/c/newsroom/months/2020-02").status_code == 404


def test_a_month_that_was_closed_stays_where_it_is(client: FlaskClient) -> None:
    with writing() as connection:
        month_closing.close(connection, NEWSROOM, parse_month("2020-11"), False, NOW)
    assert client.get("/c/newsroom/months/2020-11").status_code == 200
    assert client.get("/c/newsroom/months/2020-10").status_code == 404


def test_a_campaign_that_is_over_can_be_read_to_its_last_gift(client: FlaskClient) -> None:
    record(gift_fact("cs_1", 1000, at=moment("2021-03-10T10:00")), gift_fact("in_9", 700, kind="monthly"))
    save(replace(NEWSROOM, held_month="2021-03"))
    page = client.get("/c/newsroom").text
    assert "MARCH 2021" in page
    assert "This campaign is over" in page
    listed = [one["month"] for one in client.get("/c/newsroom/months.json").json["months"]]  # type: ignore[index]
    assert listed == ["2021-05", "2021-04", "2021-03"]
    # Every month that is listed is also there.
    for month in listed:
        assert client.get(f"/c/newsroom/months/{month}").status_code == 200
    assert client.get("/c/newsroom/months/2021-06").status_code == 404


@each("slug", ["nobody", "Nobody.", "news%00room", "%00", "%ff", "a%20b", "x" * 300, "..", "é"])
def test_a_campaign_that_is_not_there_is_not_found(client: FlaskClient, slug: str) -> None:
    for address in ("/c/{}", "/c/{}/months", "/c/{}/months.json", "/c/{}/months/2021-05", "/c/{}/thanks", "/go/{}"):
        assert client.get(address.format(slug)).status_code == 404, address
    assert client.post(f"/c/{slug}/give", data={}).status_code == 404


# --- To the page and back ---------------------------------------------------------------------------------------------


def test_the_button_leads_to_the_page_and_says_where_it_stood(client: FlaskClient) -> None:
    answer = client.get("/go/newsroom?src=2021/05/council-story&pos=bottom")
    assert answer.status_code == 303
    assert answer.headers["Location"] == "/c/newsroom?src=2021/05/council-story&pos=bottom"
    assert client.get("/go/newsroom").headers["Location"] == "/c/newsroom"


def test_a_button_of_the_newsrooms_own_may_ask_for_ten_a_month(client: FlaskClient) -> None:
    asked = "frequency=month&amount=10&src=harbour&pos=top&lang=de"
    assert client.get(f"/go/newsroom?{asked}").headers["Location"] == f"/c/newsroom?{asked}"
    strange = client.get("/go/newsroom?amount=1&frequency=weekly&lang=tlh&theme=dark&next=//evil.example")
    assert strange.headers["Location"] == "/c/newsroom"


def test_the_bars_button_hands_its_language_on(client: FlaskClient) -> None:
    assert '/go/newsroom?src=a&amp;lang=de"' in client.get("/embed/newsroom?src=a&lang=de").text
    told = client.get("/embed/newsroom.json?lang=pt_BR").json
    assert told is not None
    assert told["give_url"] == "http://127.0.0.1:5000/go/newsroom?lang=pt-BR"


@each(
    "hostile", ['"><script>alert(1)</script>', "%0d%0aSet-Cookie:%20a=b", "a%0Ab", "%00", "//evil.example", "%E2%80%AE"]
)
def test_nothing_harmful_rides_along_with_the_source(client: FlaskClient, hostile: str) -> None:
    answer = client.get(f"/go/newsroom?src={hostile}&pos={hostile}")
    assert answer.status_code == 303
    assert re.fullmatch(r"/c/newsroom(\?[A-Za-z0-9_.~/=&-]*)?", answer.headers["Location"])
    assert "Set-Cookie" not in answer.headers
    for address in ("/c/newsroom", "/embed/newsroom"):
        page = client.get(f"{address}?src={hostile}&pos={hostile}").text
        assert "<script>alert" not in page
        assert "Set-Cookie:" not in page
    told = client.get(f"/embed/newsroom.json?src={hostile}&pos={hostile}").json
    assert told is not None
    assert re.fullmatch(r"http://127.0.0.1:5000/go/newsroom(\?[A-Za-z0-9_.~/=&-]*)?", told["give_url"])


# --- The newsroom's colour --------------------------------------------------------------------------------------------


def policy_allows(answer: TestResponse) -> bool:
    """Whether the page's policy lets its inline style be."""
    styles = re.findall(r"<style>(.*?)</style>", answer.text)
    allowed = answer.headers["Content-Security-Policy"]
    return all(b64encode(sha256(style.encode()).digest()).decode() in allowed for style in styles)


def test_a_campaigns_colour_is_that_of_its_pages_on_light_and_dark_paper(client: FlaskClient) -> None:
    save(replace(NEWSROOM, accent="e0502a"))
    for address in ("/c/newsroom", "/c/newsroom/thanks", "/c/newsroom/months", "/c/newsroom/months/2021-05", "/"):
        answer = client.get(address)
        dark = "@media(prefers-color-scheme:dark){"
        assert "<style>html{--accent:#e0502a;" in answer.text, address
        assert dark + "html{--accent:#e0502a;" in answer.text, address
        # A link is text: it takes more contrast than a bar.
        found = re.search(r"html{--link:#(\w{6})}" + re.escape(dark) + r"html{--link:#(\w{6})}}", answer.text)
        assert found, address
        assert contrast(found[1], PAPER["light"]) >= 4.5
        assert contrast(found[2], PAPER["dark"]) >= 4.5
        assert policy_allows(answer)
    assert "form-action 'self' http://127.0.0.1:9" in client.get("/c/newsroom").headers["Content-Security-Policy"]


def test_without_a_colour_of_its_own_a_page_has_no_inline_style(client: FlaskClient) -> None:
    for address in ("/c/newsroom", "/c/newsroom/months", "/nothing"):
        answer = client.get(address)
        assert "<style" not in answer.text
        assert "sha256" not in answer.headers["Content-Security-Policy"]


def test_a_closed_month_keeps_the_colour_it_was_closed_in(client: FlaskClient) -> None:
    with writing() as connection:
        month_closing.close(connection, NEWSROOM, parse_month("2021-04"), False, NOW)
    addresses = ("/c/newsroom/months/2021-04", "/embed/newsroom?month=2021-04")
    before = [client.get(address).data for address in addresses]
    save(replace(NEWSROOM, accent="b3261e"))
    assert [client.get(address).data for address in addresses] == before
    assert b"b3261e" in client.get("/embed/newsroom").data
