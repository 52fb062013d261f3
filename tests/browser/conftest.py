"""The demo once for all of these tests, and visitors with a browser each."""

import os
import shutil
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from browser.fonts import settings_for
from browser.walking import Demo, Visitor
from playwright.sync_api import Browser, BrowserType, sync_playwright
from ready_made import made_once, play_the_demo

QUIET = (
    "--no-sandbox", "--disable-gpu", "--disable-quic", "--no-first-run", "--disable-background-networking",
    "--disable-component-update", "--disable-sync",
    # No name is ever looked up: a request beyond this machine could not leave it.
    "--host-resolver-rules=MAP * ~NOTFOUND , EXCLUDE 127.0.0.1 , EXCLUDE localhost",
)  # fmt: skip


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory, shared: Path) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    shutil.copytree(made_once(shared / "played", play_the_demo), folder / "demo")
    running = Demo(folder)
    yield running
    running.stop()


# For each file and not for the session: Playwright keeps an event loop running, which others' tests need to be without.
@pytest.fixture(scope="module")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        yield browser
        browser.close()


def launched(chromium: BrowserType, **environment: str) -> Browser:
    # Debian's, or Playwright's own. It is Chromium without windows, which take seconds to open.
    shell = shutil.which("chromium-headless-shell")
    return chromium.launch(executable_path=shell, args=QUIET, env={**os.environ, **environment})


@pytest.fixture(scope="module")
def with_fonts(browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Callable[[str], Browser]]:
    """A browser that knows the fonts of one folder alone (browser/fonts.py), once for each file of tests."""
    made: dict[str, Browser] = {}

    def with_these(name: str) -> Browser:
        if name not in made:
            settings = settings_for(name, tmp_path_factory.mktemp(name))
            made[name] = launched(browser.browser_type, FONTCONFIG_FILE=str(settings))
        return made[name]

    yield with_these
    for one in made.values():
        one.close()


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
