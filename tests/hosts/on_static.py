"""Sites of files alone: Hugo's, and a page of one's own, behind an nginx whose headers let in nothing but what they name."""

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
from browser.firefox import Firefox
from browser.walking import Demo
from hosts.conftest import Recipes, running
from hosts.hugo import STORY, built
from hosts.looks import (
    DESKTOP,
    PHONE,
    gives_from,
    looks_right,
    press_in_frame,
    presses_in_firefox,
    reading,
    shown_pictures,
)
from playwright.sync_api import Browser, Page
from ports import free_port

ISOLATED = {"Cross-Origin-Embedder-Policy": "require-corp", "Cross-Origin-Opener-Policy": "same-origin"}


@contextmanager
def nginx(folder: Path, port: int, root: Path, headers: dict[str, str]) -> Iterator[str]:
    """nginx that serves the files below `root` with these headers."""
    folder.mkdir()
    said = "\n".join(f'add_header {name} "{value}" always;' for name, value in headers.items())
    temporary = "\n".join(
        f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    )
    user = "user root;" if os.geteuid() == 0 else ""
    (folder / "nginx.conf").write_text(
        f"daemon off; {user} pid {folder}/pid; error_log {folder}/error.log; events {{}}\n"
        f"http {{ access_log off; {temporary} types {{ text/html html; text/css css; }} charset utf-8;\n"
        f"server {{ listen 127.0.0.1:{port}; root {root}; index index.html;\n{said}\n}} }}\n"
    )
    program = shutil.which("nginx", path=f"{os.environ['PATH']}:/usr/sbin")
    command = [str(program), "-p", str(folder), "-c", str(folder / "nginx.conf"), "-e", str(folder / "error.log")]
    with running(command, port, folder / "log"):
        yield f"http://127.0.0.1:{port}"


@pytest.fixture(scope="module")
def hugo_site(tmp_path_factory: pytest.TempPathFactory, recipes: Recipes, demo: Demo) -> Iterator[str]:
    folder, port = tmp_path_factory.mktemp("hugo"), free_port()
    root = built(folder / "site", f"http://127.0.0.1:{port}", recipes.codes["single.html"])
    policy = f"default-src 'none'; img-src 'self' data:; style-src 'unsafe-inline'; frame-src {demo.app}"
    with nginx(folder / "nginx", port, root, ISOLATED | {"Content-Security-Policy": policy}) as url:
        yield url


@pytest.mark.parametrize("article", ["harbour-ferry", "night-ferry"])
def test_each_article_of_hugo_has_it_above_and_below(
    article: str, hugo_site: str, browser: Browser, firefox: Firefox, demo: Demo
) -> None:
    address = f"{hugo_site}/news/{article}/"
    looks_right(browser, firefox, address)
    for at, pos in enumerate(("top", "bottom")):
        with reading(browser, address, (PHONE, DESKTOP)[at]) as page:
            gives_from(page, demo, press=press_in_frame(at), src=article, pos=pos, back=True)
    presses_in_firefox(firefox, address, demo, src=article, pos="top")


def page_of(*parts: str, sheet: str = "") -> str:
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8"><title>The ferry</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,">'
        f"{sheet}</head><body><main><h1>The ferry</h1>{''.join(parts)}</main></body></html>"
    )


def into_a_sheet(html: str) -> tuple[str, str]:
    """The page with its style attributes as rules of a style sheet, as a site does it that forbids attributes."""
    rules: list[str] = ["main { max-width: 640px; margin: auto; padding: 0 16px }"]

    def named(found: re.Match[str]) -> str:
        rules.append(f".kept-{len(rules)} {{ {found[1]} }}")
        return f'class="kept-{len(rules) - 1}"'

    return re.sub(r'style="([^"]*)"', named, html), "\n".join(rules)


@pytest.mark.parametrize("strict", [False, True], ids=["with styles", "without styles"])
def test_a_page_of_ones_own_under_strict_headers(
    strict: bool, recipes: Recipes, browser: Browser, firefox: Firefox, demo: Demo, tmp_path: Path
) -> None:
    """Every carrier that a page can hold, on one that is kept apart from other sites and names what it lets in."""
    codes = recipes.codes
    around = (
        codes["Template with frames"].replace("ARTICLE", "own-page").replace("<!-- The article -->", f"<p>{STORY}</p>")
    )
    html = page_of(
        around, codes["Element and script"], codes["Linked SVG"], sheet='<link rel="stylesheet" href="site.css">'
    )
    # Trusted types are no trouble either.
    policy = (
        f"default-src 'none'; img-src data: {demo.app}; style-src 'self'{'' if strict else chr(32) + chr(39)}"
        f"{'' if strict else 'unsafe-inline' + chr(39)}; frame-src {demo.app}; script-src {demo.app}; connect-src {demo.app};"
        " require-trusted-types-for 'script'"
    )
    moved, sheet = into_a_sheet(html)
    root = tmp_path / "root"
    root.mkdir()
    (root / "index.html").write_text(moved if strict else html, encoding="utf-8")
    (root / "site.css").write_text(sheet, encoding="utf-8")
    with nginx(tmp_path / "nginx", free_port(), root, ISOLATED | {"Content-Security-Policy": policy}) as url:
        looks_right(browser, firefox, f"{url}/", bars=3, frames_there=2)
        with reading(browser, f"{url}/") as page:
            assert page.evaluate("crossOriginIsolated")
            shown_pictures(page)
            gives_from(page, demo, press=press_in_frame(0), src="own-page", pos="top", back=False)
        with reading(browser, f"{url}/", PHONE) as page:
            gives_from(page, demo, press=press_in_element, src="", pos="top", back=True)


def press_in_element(page: Page) -> None:
    page.locator("pledge-bar").scroll_into_view_if_needed()
    page.locator("pledge-bar .support").click()
