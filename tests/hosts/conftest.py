"""The demo as it is, its page of snippets as a webmaster reads it, two browsers, and a database for systems that want one."""

import os
import shutil
import signal
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest
from browser.conftest import launched
from browser.firefox import Firefox
from browser.walking import Demo, sign_in
from playwright.sync_api import Browser, sync_playwright
from ports import free_port
from ready_made import play_the_demo

HOSTS = Path(os.environ.get("HOSTS", ".venv/hosts")).absolute()


@pytest.fixture(scope="session")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    folder = tmp_path_factory.mktemp("demo")
    play_the_demo(folder / "demo")
    running = Demo(folder)
    # Every host of these tests is at this address, with a port of its own.
    running.tracker("campaign", "set", "newsroom", "--allowed-hosts", "127.0.0.1")
    yield running
    # Several systems at once leave a small machine little time for each.
    running.stop(seconds=60)


@pytest.fixture(scope="session")
def browser() -> Iterator[Browser]:
    with sync_playwright() as playwright:
        browser = launched(playwright.chromium)
        yield browser
        browser.close()


@pytest.fixture(scope="session")
def firefox(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Firefox]:
    running = Firefox(tmp_path_factory.mktemp("firefox"))
    yield running
    running.closes()


@dataclass(frozen=True)
class Recipes:
    """What a webmaster copies from the page of snippets, by its name, and the plugin that they download there."""

    codes: dict[str, str]
    plugin: Path


@pytest.fixture(scope="session")
def recipes(demo: Demo, browser: Browser, tmp_path_factory: pytest.TempPathFactory) -> Recipes:
    page = browser.new_page()
    sign_in(page, demo)
    page.goto(f"{demo.app}/admin/c/newsroom/snippets")
    codes = {}
    for snippet in page.locator(".snippet").all():
        name = snippet.locator("pre").get_attribute("aria-label") or ""
        code = snippet.locator("code").text_content() or ""
        codes.setdefault(name, code)
    # One of WordPress's themes has green paper.
    page.goto(f"{demo.app}/admin/c/newsroom/snippets?background=none")
    page.locator("summary", has_text="WordPress, with our plugin").click()
    with page.expect_download() as download:
        page.get_by_role("link", name="Download the plugin").click()
    plugin = tmp_path_factory.mktemp("plugin") / download.value.suggested_filename
    download.value.save_as(plugin)
    page.close()
    return Recipes(codes, plugin)


# --- What the systems run on ------------------------------------------------------------------------------------------


@contextmanager
def running(command: list[str], port: int, log: Path, *, seconds: float = 60, **how: object) -> Iterator[None]:
    """A server for as long as a test needs it, from the moment at which it listens."""
    with log.open("wb") as file:
        process = subprocess.Popen(command, stdout=file, stderr=file, start_new_session=True, **how)  # type: ignore[call-overload]
    try:
        until = time.monotonic() + seconds
        while not listens(port):
            assert process.poll() is None, log.read_text(errors="replace")[-4000:]
            assert time.monotonic() < until, log.read_text(errors="replace")[-4000:]
            time.sleep(0.1)
        yield
    finally:
        # With the workers that it started: PHP's own server leaves them behind.
        os.killpg(process.pid, signal.SIGTERM)
        try:
            process.wait(20)
        except subprocess.TimeoutExpired:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait()


def listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@dataclass(frozen=True)
class Database:
    """MariaDB for the systems that want one, with a folder of its own and without a password."""

    port: int
    socket: Path

    def creates(self, name: str) -> None:
        command = ["mariadb", "--no-defaults", f"--socket={self.socket}", "-uroot", "-e"]
        sql = f"CREATE DATABASE {name} CHARACTER SET utf8mb4; GRANT ALL ON *.* TO site@'127.0.0.1' IDENTIFIED BY 'site'"
        subprocess.run([*command, sql], check=True, capture_output=True)


@pytest.fixture(scope="session")
def database(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    folder = tmp_path_factory.mktemp("db")
    data, user = folder / "data", "--user=root" if os.geteuid() == 0 else "--no-defaults"
    install = ["mariadb-install-db", "--no-defaults", f"--datadir={data}", "--auth-root-authentication-method=normal"]
    subprocess.run([*install, *([user] if "user" in user else [])], check=True, capture_output=True)
    made = Database(free_port(), folder / "socket")
    program = shutil.which("mariadbd", path=f"{os.environ['PATH']}:/usr/sbin")
    command = [
        str(program), "--no-defaults", f"--datadir={data}", f"--socket={made.socket}", f"--port={made.port}",
        "--bind-address=127.0.0.1", "--skip-log-bin", "--innodb-flush-log-at-trx-commit=0", *([user] if "user" in user else []),
    ]  # fmt: skip
    with running(command, made.port, folder / "log"):
        yield made
