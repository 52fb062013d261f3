"""What axe objects to on a page."""

from typing import Any

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import Page

AXE = Axe().axe_script


def axe_finds(page: Page, *but: str) -> list[str]:
    """Everything in the light, and in the dark the contrast, which alone can differ. The page is dark afterwards."""
    page.evaluate(AXE)
    page.emulate_media(color_scheme="light")
    found = _violations(page, {"rules": {rule: {"enabled": False} for rule in but}})
    page.emulate_media(color_scheme="dark")
    return found + _violations(page, {"runOnly": ["color-contrast"]})


def _violations(page: Page, options: dict[str, Any]) -> list[str]:
    # Axe cannot look into a frame of another origin; the frame has a test of its own.
    options |= {"resultTypes": ["violations"], "iframes": False}
    faults = page.evaluate("async options => (await axe.run(options)).violations", options)
    return [f"{fault['id']}: {node['html'][:120]}" for fault in faults for node in fault["nodes"]]
