"""The demo once for all of these tests, and visitors with a browser each."""

import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.walking import Demo, Visitor
from playwright.sync_api import Browser, sync_playwright

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # No name is ever looked up: a request beyond this machine could not leave it.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)  # fmt: skip


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    running = Demo(tmp_path_factory.mktemp("demo"))
    yield running
    running.stop()


# For each file and not for the session: Playwright keeps an event loop running, which others' tests need to be without.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        found = shutil.which("chromium") or shutil.which("chromium-browser") or playwright.chromium.executable_path
        assert Path(found).exists(), (
            "These tests need a browser: install chromium, or run “playwright install chromium”."
        )
        browser = playwright.chromium.launch(executable_path=found, args=QUIET)
        yield browser
        browser.close()


@pytest.fixture
def visitor(browser: Browser) -> Iterator[Callable[..., Visitor]]:
    """Makes visitors; at the end of the test each has stayed on this machine and within every page's policy."""
    made: list[Visitor] = []

    def make(width: int = 1280, height: int = 800, **more: Any) -> Visitor:
        made.append(Visitor(browser.new_context(viewport={"width": width, "height": height}, **more)))
        return made[-1]

    yield make
    for one in made:
        one.leaves()
