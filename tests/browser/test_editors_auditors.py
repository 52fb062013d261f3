"""Every editors' page in every state without a finding of four auditors, and with a keyboard that comes to all of it."""

from pathlib import Path

import pytest
from browser.auditors import (
    OTHER_WAYS,
    WRONG,
    Shown,
    axe_finds,
    faults,
    focus_faults,
    html_codesniffer_finds,
    html_validate_finds,
    saved,
    vnu_finds,
)
from browser.editors_pages import OPENED, editors_pages, some_of
from playwright.sync_api import Browser


@pytest.fixture(scope="module")
def pages(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    return editors_pages(tmp_path_factory.mktemp("instance"))


@pytest.fixture(scope="module")
def files(pages: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    return saved(pages | {"wrong": WRONG}, tmp_path_factory.mktemp("pages"))


# --- Those that read HTML ---------------------------------------------------------------------------------------------


def test_vnu_finds_nothing(files: list[Path]) -> None:
    assert faults(vnu_finds(files)) == []


WAYS = OTHER_WAYS | {
    "no-implicit-button-type": "off",  # a button sends the form that it is in, which is what HTML has it do
}
KNOWN_TO_HTML_VALIDATE = (
    # Nobody sends this form: passkeys.js does, with what the browser's passkey says.
    "confirm-with-a-passkey-asked-for.html: wcag/h32",
    "sign-in-a-passkey-is-asked-for.html: wcag/h32",
    # “None” and a colour are one choice: the last that is sent counts.
    *(
        f'{name}.html: form-dup-name: Duplicate form control name "accent"'
        for name in (
            "settings",
            "settings-a-preview",
            "settings-new",
            "settings-new-with-errors",
            "settings-with-errors",
        )
    ),
)


def test_html_validate_finds_nothing(files: list[Path]) -> None:
    assert faults(html_validate_finds(files, WAYS), *KNOWN_TO_HTML_VALIDATE) == []


# --- Those that look --------------------------------------------------------------------------------------------------

# By the HTML of 2017 that HTML_CODESNIFFER knows, an e-mail address could not be somebody's username; today's has it so.
KNOWN_TO_HTML_CODESNIFFER = (
    "sign-in, wrong password: 1_3_5.H98: Invalid autocomplete value: username",
    # As above: nobody sends it.
    "confirm with a passkey, asked for: 3_2_2.H32.2",
)


def test_axe_and_html_codesniffer_find_nothing(browser: Browser, pages: dict[str, str]) -> None:
    shown = Shown(browser, some_of(pages) | {"wrong": WRONG})
    by_axe, by_codesniffer = [], []
    for name, page in shown.each():
        by_axe += [f"{name}: {fault}" for fault in axe_finds(page)]
        by_codesniffer += [f"{name}: {fault}" for fault in html_codesniffer_finds(page)]
    shown.context.close()
    assert faults(by_axe) == []
    assert faults(by_codesniffer, *KNOWN_TO_HTML_CODESNIFFER) == []


# --- The keyboard -----------------------------------------------------------------------------------------------------

# Marks whatever is ever focused from now on.
NOTED = "document.addEventListener('focusin', event => event.target.setAttribute('data-reached', ''))"
# What somebody with a mouse could use and the keyboard has not reached. Of several radios the keyboard comes to the one
# that is chosen, and the arrows lead to the others.
NOT_REACHED = """() => [...document.querySelectorAll("a[href], button, input, select, textarea, summary, [tabindex='0']")]
    .filter(one => one.checkVisibility() && !one.matches("[data-reached], [type=hidden], [tabindex='-1'], :disabled"))
    .filter(one => one.type !== "radio" || one.checked)
    .map(one => one.outerHTML.slice(0, 80) + " is not reached")"""


def test_the_keyboard_comes_to_every_control_and_shows_where_it_is(browser: Browser, pages: dict[str, str]) -> None:
    shown = Shown(browser, pages)
    found = []
    for name, page in shown.each("month, running", "gifts, filtered", "closing, open", "import, looked at"):
        page.evaluate(OPENED)
        page.evaluate(NOTED)
        found += [f"{name}: {fault}" for fault in [*focus_faults(page), *page.evaluate(NOT_REACHED)]]
    shown.context.close()
    assert found == []
