"""A newsroom's app and the stand-in for Stripe, each at an address of its own, and a supporter with a browser."""

import re
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime
from html import unescape
from pathlib import Path
from typing import Any

import pytest
import requests
from account import look_for_fees
from actors import NEWSROOM, WEBHOOK_SECRET
from flask import Flask
from ready_made import give_tables
from serving import serving

from tracker import create_app
from tracker.giving.months import month_of
from tracker.ledger import campaigns, month_closing, store
from tracker.ledger.store import reading, writing
from tracker.sandbox import Sandbox, create_sandbox
from tracker.settings import read_settings

GOOD = "4242 4242 4242 4242"


@dataclass
class Town:
    """A newsroom's app, the stand-in for Stripe, and a supporter with a browser."""

    app: Flask
    app_url: str
    sandbox: Sandbox
    browser: requests.Session
    campaign: str = "newsroom"
    refuses: list[int] = field(default_factory=list)
    """How the hook answers the next deliveries without having looked at them."""
    signatures: list[str] = field(default_factory=list)
    """Of all deliveries that came, refused or not."""

    def page(self) -> str:
        return self.browser.get(f"{self.app_url}/c/{self.campaign}?src=harbour&pos=top").text

    def presses_give(self, page: str, **chosen: str) -> requests.Response:
        token = re.search(r'name="token"[^>]*value="([^"]+)"', page)
        assert token
        data = {"token": unescape(token[1]), "src": "harbour", "pos": "top"} | chosen
        return self.browser.post(f"{self.app_url}/c/{self.campaign}/give", data=data, allow_redirects=False)

    def opens_checkout(self, **chosen: str) -> str:
        answer = self.presses_give(self.page(), **chosen)
        assert answer.status_code == 303, answer.text
        return answer.headers["Location"]

    def pays(self, checkout: str, card: str = GOOD, iban: str = "") -> requests.Response:
        means = (
            {"method": "sepa_debit", "iban": iban} if iban else {"card_number": card, "expiry": "12/34", "cvc": "123"}
        )
        return self.browser.post(checkout, data={"email": "d@example.org"} | means, allow_redirects=False)

    def gives(self, card: str = GOOD, **chosen: str) -> str:
        """Gives, and returns the address of the page of thanks."""
        paid = self.pays(self.opens_checkout(**chosen), card)
        assert paid.status_code == 303, paid.text
        return paid.headers["Location"]

    def bar(self) -> dict[str, Any]:
        found: dict[str, Any] = self.browser.get(f"{self.app_url}/embed/{self.campaign}.json").json()
        return found

    def month(self) -> dict[str, Any]:
        found: dict[str, Any] = self.browser.get(f"{self.app_url}/c/{self.campaign}/months.json").json()["months"][0]
        return found

    def waits_for_thanks(self, thanks: str) -> None:
        """Until the page of thanks knows the gift; what links a monthly one to its checkout may come after its money."""
        wait_until(lambda: "Your gift has arrived" in self.browser.get(thanks).text, "thanks")

    def waits_for(self, raised: int) -> None:
        """Until the bar shows that much; Stripe's deliveries take their time."""
        wait_until(lambda: self.bar()["raised"] == raised, f"{raised} raised")
        with self.app.app_context(), reading() as connection:
            assert month_closing.differences(connection) == []


def wait_until(it_is_so: Callable[[], bool], what: str) -> None:
    for _ in range(600):
        if it_is_so():
            return
        time.sleep(0.05)
    raise AssertionError(f"there is no {what} after half a minute")


@pytest.fixture
def town(environ: dict[str, str], tmp_path: Path) -> Iterator[Town]:
    sandbox = Sandbox(tmp_path / "sandbox.sqlite3")
    sandbox.speed = 20
    (tmp_path / "instance").mkdir()
    made: list[Town] = []

    def the_app(environment: dict[str, Any], start: Callable[..., Any]) -> Any:
        here = made[0]
        if environment["PATH_INFO"] == "/webhooks/stripe":
            here.signatures.append(environment["HTTP_STRIPE_SIGNATURE"])
            if here.refuses:
                environment["wsgi.input"].read(int(environment["CONTENT_LENGTH"]))
                start(f"{here.refuses.pop(0)} Refused", [("Content-Length", "0")])
                return []
        answer = list(here.app(environment, start))
        look_for_fees(here.app)
        return answer

    with serving(create_sandbox(sandbox)) as stripe_url, serving(the_app) as app_url:
        sandbox.public_url = stripe_url
        settings = read_settings(environ | {"STRIPE_API_BASE": stripe_url, "TRACKER_PUBLIC_URL": app_url})
        app = create_app(settings, background=False)
        with app.app_context():
            give_tables(settings.database_url)
            with writing() as connection:
                campaigns.save(connection, NEWSROOM)
                now = datetime.now(UTC)
                campaigns.set_goal(connection, "newsroom", month_of(now, "Europe/Berlin"), 500_000, stands=True)
        sandbox.add_webhook(f"{app_url}/webhooks/stripe", WEBHOOK_SECRET)
        with requests.Session() as browser:
            browser.trust_env = False
            made.append(Town(app, app_url, sandbox, browser))
            sandbox.start_sender()
            yield made[0]
        sandbox.close()
        app.extensions["gateway"].close()
        with app.app_context():
            store.db.engine.dispose()
