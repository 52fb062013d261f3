"""The demo as a process of its own, and the steps that everybody who walks through it takes."""

import json
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from playwright.sync_api import BrowserContext, ConsoleMessage, Frame, Page, expect
from ports import free_port

GOOD_CARD = "4242 4242 4242 4242"
DECLINED_CARD = "4000 0000 0000 0002"
# Debits that take minutes, unless the sandbox's owner hurries them; the second one fails.
SLOW_IBAN, FAILING_IBAN = "AT321904300235473204", "AT051904300235473205"

# What chromium itself says of an answer of 4xx; the tests look at the status where it matters.
USUAL = "Failed to load resource: the server responded with a status of 4"


class Demo:
    """`tracker demo`, started once; stopped as a person would, with Ctrl-C."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.log = folder / "printed"
        # The demo takes the two ports after its own for the sandbox and the news site.
        port = free_port(neighbours=2)
        outside = {
            name: value
            for name, value in os.environ.items()
            if not name.startswith(("TRACKER_", "STRIPE_")) and not name.lower().endswith("_proxy")
        }
        # As in an office whose proxy, here one that nobody answers at, all programs are told of.
        proxies = dict.fromkeys(("http_proxy", "https_proxy"), "http://127.0.0.1:9")
        self.outside = outside | proxies | {"TRACKER_INSTANCE": str(folder)}
        command = [sys.executable, "-m", "tracker", "demo", "--port", str(port)]
        with self.log.open("wb") as log:
            self.process = subprocess.Popen(command, env=self.outside, stdout=log, stderr=log)
        self._wait()
        self.article, self.page_url, self.admin = re.findall(r"^\S.* (http\S+)$", self.printed, re.MULTILINE)[:3]
        self.app = self.page_url.removesuffix("/c/newsroom")
        self.news = self.article.removesuffix("/news/harbour-ferry")
        self.sandbox = self._found(r"stand-in for Stripe +(http\S+?)/$")
        self.archive = self._found(r"began with +(http\S+)$")
        self.email, self.password = re.findall(r"sign in as (\S+) with the password (\S+)", self.printed)[0]
        self.signed_in: Any = None

    @property
    def printed(self) -> str:
        return self.log.read_text(encoding="utf-8")

    def _found(self, pattern: str) -> str:
        found = re.search(pattern, self.printed, re.MULTILINE)
        assert found, self.printed
        return found[1]

    def _wait(self) -> None:
        for _ in range(1800):
            if "Ready after" in self.printed:
                return
            assert self.process.poll() is None, self.printed
            time.sleep(0.1)
        self.process.kill()
        self.process.wait()
        raise AssertionError(f"The demo was not ready within three minutes:\n{self.printed}")

    def stop(self, seconds: float = 10) -> None:
        """Ctrl-C; the demo must end by itself, in order, and leave nothing that listens."""
        self.process.send_signal(signal.SIGINT)
        try:
            code = self.process.wait(seconds)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise
        assert code == 0, self.printed
        assert self.printed.rstrip().endswith("Stopped."), self.printed
        for url in (self.app, self.sandbox, self.news):
            with suppress(OSError), socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), 1):
                raise AssertionError(f"Something still listens at {url}.")

    # --- What the operator and Stripe do

    def tracker(self, *words: str) -> str:
        """A command of the operator's, over the demo's own instance."""
        instance = self.folder / "demo"
        secret = (instance / "webhook_secret").read_text(encoding="ascii")
        settings = {
            "TRACKER_INSTANCE": str(instance),
            "TRACKER_PUBLIC_URL": self.app,
            "STRIPE_SECRET_KEY": "sk_test_demo",
            "STRIPE_WEBHOOK_SECRET": secret,
            "STRIPE_API_BASE": self.sandbox,
        }
        command = [sys.executable, "-m", "tracker", *words]
        done = subprocess.run(command, env=self.outside | settings, capture_output=True, text=True, check=False)
        assert done.returncode == 0, done.stderr
        return done.stdout

    def lever(self, name: str, **given: Any) -> Any:
        """One of the sandbox's levers: what donors, banks and time would do."""
        return called(
            f"{self.sandbox}/_control/{name}", json.dumps(given).encode(), {"Content-Type": "application/json"}
        )

    def checkouts(self) -> set[str]:
        """The newest hundred checkouts, by Stripe's own API."""
        answer = called(
            f"{self.sandbox}/v1/checkout/sessions?limit=100", None, {"Authorization": "Bearer sk_test_demo"}
        )
        return {session["id"] for session in answer["data"]}

    def checkout(self, session: str) -> dict[str, Any]:
        """One checkout, by Stripe's own API."""
        address = f"{self.sandbox}/v1/checkout/sessions/{session}"
        found: dict[str, Any] = called(address, None, {"Authorization": "Bearer sk_test_demo"})
        return found

    def bar(self, slug: str = "newsroom") -> dict[str, Any]:
        answer: dict[str, Any] = called(f"{self.app}/embed/{slug}.json")
        return answer

    def raised(self, slug: str = "newsroom") -> int:
        return int(self.bar(slug)["raised"])

    def comes_to(self, amount: int, slug: str = "newsroom") -> None:
        """The bar shows exactly this much within moments: the page of thanks asks the ledger itself, and may know sooner."""
        with suppress(AssertionError):
            wait_until(lambda: self.raised(slug) == amount)
        assert self.raised(slug) == amount

    def given(self, slug: str, typed: str) -> None:
        """A one-time gift of any size, without looking at a page."""
        before = self.raised(slug)
        with urlopen(f"{self.app}/c/{slug}") as page:
            found = re.search(r'name="token"[^>]*value="([^"]+)"', page.read().decode())
        assert found
        form = {"token": found[1], "frequency": "once", "tier_once": "other", "other_amount": typed}
        with urlopen(f"{self.app}/c/{slug}/give", urlencode(form).encode()) as checkout:
            session = checkout.url.rsplit("/", 1)[1].partition("#")[0]
        self.lever("pay", session=session, email="a@b.example")
        wait_until(lambda: self.raised(slug) > before)


def called(url: str, body: bytes | None = None, headers: Mapping[str, str] = {}) -> Any:
    with urlopen(Request(url, body, dict(headers)), timeout=20) as answer:
        return json.load(answer)


def wait_until(true: Any, seconds: float = 15) -> None:
    until = time.monotonic() + seconds
    while not true():
        assert time.monotonic() < until, "It did not happen in time."
        time.sleep(0.05)


class Visitor:
    """A browser of somebody's own, which takes note of whatever should not happen."""

    def __init__(self, context: BrowserContext) -> None:
        self.context = context
        context.set_default_timeout(15_000)
        self.outside: list[str] = []
        self.complaints: list[str] = []
        context.on("request", lambda request: self._request(request.url))
        context.on("console", self._console)
        context.on("weberror", lambda error: self.complaints.append(str(error.error)))
        self.page = context.new_page()

    def _request(self, url: str) -> None:
        if not url.startswith(("http://127.0.0.1:", "http://localhost:", "data:", "about:")):
            self.outside.append(url)

    def _console(self, message: ConsoleMessage) -> None:
        if message.type in ("error", "warning") and not message.text.startswith(USUAL):
            self.complaints.append(message.text)

    def leaves(self) -> None:
        """Closes the browser. Nothing went beyond this machine, and no policy was broken on the way."""
        self.context.close()
        wrong = [*self.outside, *self.complaints]
        assert not wrong, wrong


# --- Steps ------------------------------------------------------------------------------------------------------------


def bars(page: Page) -> list[Frame]:
    """Both frames of an article; the one below it loads once it is near."""
    page.locator(".support iframe").last.scroll_into_view_if_needed()
    wait_until(lambda: len(_embeds(page)) == 2)
    for frame in _embeds(page):
        frame.wait_for_selector(".bar")
    page.locator(".support iframe").first.scroll_into_view_if_needed()
    return _embeds(page)


def _embeds(page: Page) -> list[Frame]:
    page.evaluate("0")  # lets what happened in the meantime arrive
    return [frame for frame in page.frames if "/embed/" in frame.url]


def amounts(page: Page) -> list[str]:
    return [frame.locator(".sum strong").inner_text() for frame in bars(page)]


def choose(page: Page, label: str) -> None:
    """What a hand does: the radio itself is unseen, its label is what is pressed."""
    page.locator("#give label:visible", has_text=re.compile(f"^{re.escape(label)}$")).click()


def button(page: Page) -> str:
    return page.locator("#give .press").inner_text().strip()


def arrives(page: Page, address: str) -> None:
    """Waits until a page stands at an address that begins with this, or has this in its path when it begins with a slash.

    It looks at where the page is, and waits for no navigation: one that another takes the place of, as after a second
    click, ends in an error for those who wait for it, and is none.
    """
    begins = "^[^?]*" if address.startswith("/") else "^"
    expect(page).to_have_url(re.compile(begins + re.escape(address)), timeout=15_000)
    page.wait_for_load_state()


def press_give(page: Page) -> None:
    page.locator("#give .press").click()


def pay(page: Page, card: str = GOOD_CARD) -> None:
    arrives(page, "/pay/")
    page.get_by_label("Email").fill("donor@example.org")
    page.get_by_label("Card number").fill(card)
    page.get_by_label("Expiration date").fill("12 / 40")
    page.get_by_label("Security code").fill("123")
    page.locator("form button").click()


def pay_by_debit(page: Page, iban: str) -> None:
    arrives(page, "/pay/")
    page.get_by_text("SEPA Direct Debit").click()
    page.get_by_label("Email").fill("donor@example.org")
    page.get_by_label("IBAN").fill(iban)
    page.locator("form button").click()
    arrives(page, "/thanks?")


def session_of(page: Page) -> str:
    """The checkout that the address of Stripe's page, or of the page of thanks, names."""
    found = re.search(r"cs_test_\w+", page.url)
    assert found, page.url
    return found[0]


def sees_it_arrive(page: Page) -> None:
    """The page of thanks, which looks again by itself while the gift is on its way."""
    arrives(page, "/thanks?")
    expect(page.get_by_text("Your gift has arrived")).to_be_visible(timeout=20_000)


def sign_in(page: Page, demo: Demo) -> None:
    """Once by hand; later visitors carry the same session, since sign-ins are limited."""
    if demo.signed_in:
        page.context.add_cookies(demo.signed_in)
        page.goto(demo.admin)
        return
    page.goto(demo.admin)
    page.get_by_label("E-mail address").fill(demo.email)
    page.get_by_label("Password").fill(demo.password)
    page.get_by_role("button", name="Sign in").click()
    arrives(page, "/admin/c")
    demo.signed_in = page.context.cookies()
