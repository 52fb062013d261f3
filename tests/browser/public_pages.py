"""Every public page in every state it can have, as HTML: for those that read pages, and look at them, for faults."""

import contextvars
import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import time_machine
from actors import NEWSROOM, PUBLIC_URL, WEBHOOK_SECRET, gift_fact, moment, refund_fact
from flask import Flask
from werkzeug.exceptions import InternalServerError, ServiceUnavailable

from tracker import create_app
from tracker.giving.bar_style import BarStyle
from tracker.giving.campaign import Campaign
from tracker.giving.drives import Appeal
from tracker.giving.facts import Fact
from tracker.giving.goals import PeopleGoal
from tracker.giving.months import parse_month
from tracker.ledger import appeals, book, campaigns, month_closing, store, supporters
from tracker.ledger.store import reading, writing
from tracker.settings import read_settings
from tracker.web.admin.snippet_code import Choices, Snippets
from tracker.web.donate import supporter_page, thanks
from tracker.web.site import bar_of

NOW = datetime(2021, 5, 14, 9, 31, tzinfo=UTC)
STORY = """## What it pays

Two reporters at *every* court, and **one** lawyer.

- the [report](https://example.org/report)
- its second part

> You print what others do not.
"""
# Nobody has given to a campaign with this goal.
GOAL = 500_000
LONG = "Lokalberichterstattungsgemeinschaft Donaudampfschifffahrtsgesellschaft"
# The languages of the pages: those that draw from the right, one that has no spaces, one with long words, and the most plurals.
LANGUAGES = ("de", "ar", "he", "ja", "pl")


def public_pages(folder: Path) -> dict[str, str]:
    """The HTML of each state by its name."""
    with pytest.MonkeyPatch.context() as patch, time_machine.travel(NOW, tick=False), an_app(folder) as app:
        return dict(_collected(app, patch))


def with_all_parts(pages: dict[str, str], parts: Callable[[str], set[str]] | None = None) -> dict[str, str]:
    """Few of these pages which have between them every kind of element that there is: for what takes long to look."""
    parts = parts or _parts
    chosen: dict[str, str] = {}
    seen: set[str] = set()
    for name, own in sorted(((name, parts(html)) for name, html in pages.items()), key=lambda one: -len(one[1])):
        if own - seen:
            chosen[name] = pages[name]
            seen |= own
    return chosen


def _parts(html: str) -> set[str]:
    """Each tag with its class and its direction, and the mere names of its other attributes."""
    return {re.sub(r'\b(?!class=|dir=|type=)([\w-]+)="[^"]*"', r"\1", tag) for tag in re.findall(r"<[a-z][^>]*>", html)}


@contextmanager
def an_app(folder: Path, **more: str) -> Iterator[Flask]:
    """An app over an empty database. Nobody answers where its Stripe should be, and the second try to give is one too many."""
    app = create_app(
        read_settings(
            {
                "TRACKER_INSTANCE": str(folder),
                "TRACKER_PUBLIC_URL": PUBLIC_URL,
                "TRACKER_SECRET_KEY": "a secret for tests, long enough to keep one",
                "TRACKER_NEWSROOM": "The Courier",
                "TRACKER_CONTACT": "office@courier.example",
                "TRACKER_GIVE_LIMIT": "1 per minute",
                "TRACKER_GIVE_SECONDS": "0",
                "STRIPE_SECRET_KEY": "sk_test_123",
                "STRIPE_WEBHOOK_SECRET": WEBHOOK_SECRET,
                "STRIPE_API_BASE": "http://127.0.0.1:9",
            }
            | more
        ),
        background=False,
    )
    with app.app_context():
        store.upgrade()
        yield app
        store.db.session.remove()
        store.db.engine.dispose()
    # It is made once somebody gives.
    if gateway := app.extensions.get("gateway"):
        gateway.close()


class Reader:
    """Opens pages and sends the form; each answer must have the status that belongs to the state."""

    def __init__(self, app: Flask) -> None:
        self.client = app.test_client()

    def opens(self, address: str, status: int = 200) -> str:
        # Each in a context of its own, as on a server.
        answer = contextvars.Context().run(self.client.get, address)
        assert answer.status_code == status, address
        return str(answer.text)

    def gives(self, status: int, site: str = "same-origin", **typed: str) -> str:
        page = self.opens("/c/newsroom")
        found = re.search(r'name="token"[^>]*value="([^"]+)"', page)
        assert found
        form = {"token": unescape(found[1]), "frequency": "once", "tier_once": "2500"} | typed
        answer = contextvars.Context().run(
            self.client.post, "/c/newsroom/give", data=form, headers={"Sec-Fetch-Site": site}
        )
        assert answer.status_code == status, typed
        return str(answer.text)


def _save(slug: str, **changes: Any) -> None:
    with writing() as connection:
        campaigns.save(connection, replace(NEWSROOM, slug=slug, **{"id": 0} | changes))


def _goal(slug: str, amount: int = GOAL) -> None:
    with writing() as connection:
        campaigns.set_goal(connection, slug, parse_month("2021-01"), amount, stands=True)


def _record(*facts: Fact) -> None:
    with writing() as connection:
        for fact in facts:
            book.record(connection, fact, NOW)


def _collected(app: Flask, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    reader = Reader(app)
    yield "front, no campaign", reader.opens("/")
    yield "month, nothing there", reader.opens("/c/newsroom/months/2021-05", 404)
    _save("newsroom")
    yield "front, one campaign without a goal", reader.opens("/")
    yield "frame, no goal", reader.opens("/embed/newsroom")
    yield "frame, empty wall", reader.opens("/embed/newsroom/wall")
    yield "frame, ticker without a goal", reader.opens("/embed/newsroom/ticker")
    _goal("newsroom")
    yield from _the_form(reader)
    yield from _with_a_history(reader)
    yield from _of_other_campaigns(reader)
    yield from _of_drives(reader)
    yield from _thanks(reader, patch)
    yield from _errors(reader, patch)
    yield from _on_other_sites(reader)
    for language in LANGUAGES:
        for name, address in {"page": "", "months": "/months", "month": "/months/2021-05", "thanks": "/thanks"}.items():
            yield f"{name}, in {language}", reader.opens(f"/c/newsroom{address}?lang={language}")
    yield "frame, in ar", reader.opens("/embed/newsroom?lang=ar&committed=1&count=1")


def _the_form(reader: Reader) -> Iterator[tuple[str, str]]:
    yield "page, plain", reader.opens("/c/newsroom?src=harbour&pos=top")
    yield "page, monthly", reader.opens("/c/newsroom?frequency=month&amount=10")
    yield "page, any amount", reader.opens("/c/newsroom?frequency=once&amount=12.50")
    yield "page, cancelled", reader.opens("/c/newsroom?frequency=month&amount=20&cancelled=1")
    yield "page, no amount", reader.gives(422, tier_once="other")
    yield "page, unclear amount", reader.gives(422, tier_once="other", other_amount="1.234,5")
    yield "page, two amounts", reader.gives(422, other_amount="37")
    yield "page, too long words", reader.gives(422, name="Ana " * 30, message="Go on " * 80)
    yield "page, too old", reader.gives(422, token="")
    yield "page, Stripe away", reader.gives(503, tier_once="other", other_amount="37.50", name="Ana", message="Go on")
    yield "page, too often", reader.gives(429, frequency="month", tier_month="1000")


def _with_a_history(reader: Reader) -> Iterator[tuple[str, str]]:
    april, march = moment("2021-04-10T10:00"), moment("2021-03-10T10:00")
    _record(
        gift_fact("cs_march", 30_000, at=march),
        gift_fact("cs_april", 6_000, kind="monthly", at=april),
        gift_fact("x_april", 500, kind="offline", at=april),
        gift_fact("cs_euro", 900, currency="EUR"),
        gift_fact("cs_may", 34_000, name="Ana", message="For the court reports"),
        gift_fact("cs_named", 1_000, name="Jürgen Ó Briain & daughters"),
        gift_fact("cs_back", 1_000),
        refund_fact("cs_back", 1_000, "re_back"),
    )
    with writing() as connection:
        for month in ("2021-03", "2021-04"):
            month_closing.close(connection, NEWSROOM, parse_month(month), False, NOW)
    _record(refund_fact("cs_march", 2_000, "re_march"))
    with writing() as connection:
        for key in ("cs_may", "cs_named"):
            supporters.show(connection, key, shown=True)
    _save("newsroom", title=f"Support the {LONG}", lead="It costs & it pays", story=STORY, accent="e0502a", id=1)
    yield "page, story, months and supporters", reader.opens("/c/newsroom")
    yield "frame, wall", reader.opens("/embed/newsroom/wall")
    yield "frame, dark wall, in de", reader.opens("/embed/newsroom/wall?theme=dark&lang=de&page=2")
    yield "frame, ticker", reader.opens("/embed/newsroom/ticker")
    yield "frame, light ticker, in ar", reader.opens("/embed/newsroom/ticker?theme=light&lang=ar")
    yield "months", reader.opens("/c/newsroom/months")
    yield "month, running", reader.opens("/c/newsroom/months/2021-05")
    yield "month, closed", reader.opens("/c/newsroom/months/2021-04")
    yield "month, closed and corrected", reader.opens("/c/newsroom/months/2021-03")
    for month in ("2021-03", "2021-05"):
        yield f"check this number, {month}", reader.opens(f"/c/newsroom/months/{month}/check")
    yield "manage", reader.opens("/c/newsroom/manage")


def _of_other_campaigns(reader: Reader) -> Iterator[tuple[str, str]]:
    made: dict[str, dict[str, Any]] = {
        "paused": {"paused": True},
        "over": {"held_month": "2021-04", "lead": "It is done"},
        "once": {"monthly": ()},
        "monthly": {"once": ()},
        "euros": {"currency": "EUR", "locale": "de_DE", "amount_pattern": ""},
        "gone": {"held_month": "2021-04", "archived": True},
        "silent": {"paused": True, "pause_reason": "We are **moving** to a new office."},
        "yearly": {"yearly": (5_000, 10_000), "default_frequency": "year"},
        "all": {"yearly": (5_000,), "cover_percent": 290, "cover_fixed": 30, "newsletter": "Send me the weekly letter"},
    }
    for slug, changes in made.items():
        _save(slug, title=f"A campaign: {slug}", **changes)
        _goal(slug)
        yield f"page, {slug}", reader.opens(f"/c/{slug}")
        yield f"frame, {slug}", reader.opens(f"/embed/{slug}?size=s")
    for slug, amount in {"reached": GOAL, "beyond": 7 * GOAL}.items():
        _save(slug, title=slug)
        _goal(slug)
        _record(gift_fact(f"cs_{slug}", amount, campaign=slug))
        yield f"page, {slug}", reader.opens(f"/c/{slug}")
        yield f"frame, {slug}", reader.opens(f"/embed/{slug}?theme=dark")
    yield "front, several campaigns", reader.opens("/")


def _of_drives(reader: Reader) -> Iterator[tuple[str, str]]:
    """Drives and matches that run, and goals in people, each with the frame and the month beside it."""
    starts, ends = moment("2021-05-14T06:00"), moment("2021-05-16T20:00")
    made = {
        "drive": [Appeal("drive", "Summer drive", 2_000_000, starts, ends)],
        "match": [Appeal("match", "Harbour Foundation", 500_000, starts, None)],
        "both": [Appeal("drive", "Summer", 900, starts, ends), Appeal("match", "A reader", 1_000, starts, ends)],
        "people": [],
    }
    for slug, wanted in made.items():
        _save(slug, title=f"A campaign: {slug}")
        _goal(slug)
        with writing() as connection:
            for one in wanted:
                campaign = campaigns.find(connection, slug)
                assert isinstance(campaign, Campaign)
                appeals.save(connection, campaign, one, starts)
            if slug == "people":
                campaigns.set_people_goal(
                    connection, slug, parse_month("2021-05"), PeopleGoal(200, True), NOW, stands=True
                )
        _record(gift_fact(f"cs_in_{slug}", 34_000, campaign=slug, at=moment("2021-05-14T08:00")))
        yield f"page, {slug}", reader.opens(f"/c/{slug}")
        yield f"frame, {slug}", reader.opens(f"/embed/{slug}?count=1&committed=1")
        yield f"thanks, {slug}", reader.opens(f"/c/{slug}/thanks?session_id=cs_in_{slug}")
    _save("stopped", title="A campaign that is full", stops_at_goal=True, reached_words="That is **enough** for May.")
    _goal("stopped", 34_000)
    _record(gift_fact("cs_stopped", 34_000, campaign="stopped"))
    yield "page, stopped at its goal", reader.opens("/c/stopped")
    yield "frame, stopped at its goal", reader.opens("/embed/stopped")


def _thanks(reader: Reader, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    at = "/c/newsroom/thanks"
    yield "thanks, unnamed", reader.opens(at)
    for key in ("cs_may", "cs_april", "cs_back"):
        yield f"thanks, {key}", reader.opens(f"{at}?session_id={key}")
    yield "thanks, confirming", reader.opens(f"{at}?session_id=cs_new")
    for state in ("unknown", "no_gift", "unpaid", "failed", "on_its_way", "paid"):
        outcome = thanks.Outcome(state, "newsroom")  # type: ignore[arg-type]
        patch.setattr(thanks, "_as_stripe_says", lambda _, outcome=outcome: outcome)
        yield f"thanks, {state}", reader.opens(f"{at}?session_id=cs_{state}&look={thanks.LOOKS}")
    patch.undo()


def _errors(reader: Reader, patch: pytest.MonkeyPatch) -> Iterator[tuple[str, str]]:
    yield "error 404", reader.opens("/nothing", 404)
    yield "error 403", reader.gives(403, "cross-site")
    for status, error in {500: InternalServerError, 503: ServiceUnavailable}.items():

        def broken(*_: object, error: Callable[[], Exception] = error) -> None:
            raise error()

        patch.setattr(supporter_page, "contents_of", broken)
        yield f"error {status}", reader.opens("/c/newsroom", status)
    patch.undo()
    yield "frame, error", reader.opens("/embed/nothing?theme=auto", 404)


def _on_other_sites(reader: Reader) -> Iterator[tuple[str, str]]:
    for looks in ("", "theme=auto&committed=1&count=1&days=1", "size=s&theme=dark", "size=l&count=1", "accent=ffee00"):
        yield f"frame, {looks or 'plain'}", reader.opens(f"/embed/newsroom?{looks}")
    page = quote(f"{PUBLIC_URL}/c/newsroom")
    answer = contextvars.Context().run(reader.client.get, f"/oembed?format=json&url={page}").get_json()
    yield "oembed", pasted(answer["html"])
    with reading() as connection:
        newsroom = campaigns.find(connection, "newsroom")
        assert isinstance(newsroom, Campaign)
        bar = bar_of(connection, newsroom, NOW)
    snippets = Snippets(bar, Choices(BarStyle(theme="auto", count=True), "harbour"), PUBLIC_URL)
    yield "snippet, frames", pasted(snippets.frame("top") + snippets.frame("bottom"))
    yield "snippet, element", pasted(snippets.element())
    yield "snippet, picture", pasted(snippets.picture("svg"))
    yield "snippet, letter", pasted(snippets.picture("png"))


def pasted(code: str) -> str:
    """Code of ours on somebody's page that has no fault of its own."""
    return (
        '<!DOCTYPE html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>An article</title>\n</head>\n<body>\n'
        f"<main>\n<h1>An article</h1>\n<p>Its words.</p>\n{code}\n</main>\n</body>\n</html>\n"
    )
