"""Readers' fonts, each alone: what a browser is told so that it knows one family, whatever is installed on this machine."""

from pathlib import Path

from playwright.sync_api import Page

HERE = Path(__file__).parents[2] / ".venv" / "fonts"
# In each folder that tests/get.sh makes: the family of the words, and that of the amount.
FAMILIES = {
    "dejavu": ("DejaVu Sans", "DejaVu Serif"),
    "liberation": ("Liberation Sans", "Liberation Serif"),
    "noto": ("Noto Sans", "Noto Serif"),
}


def settings_for(name: str, folder: Path) -> Path:
    """A file for FONTCONFIG_FILE by which there are the fonts of one folder and no others."""
    fonts = HERE / name
    assert any(fonts.glob("*.ttf")), f"There are no fonts in {fonts}: “make tools” gets them."
    sans, serif = FAMILIES[name]
    names = {"sans": sans, "sans-serif": sans, "system-ui": sans, "serif": serif}
    aliases = "".join(
        f"<alias binding='strong'><family>{generic}</family><prefer><family>{family}</family></prefer></alias>"
        for generic, family in names.items()
    )
    written = folder / f"{name}.conf"
    written.write_text(
        f"<?xml version='1.0'?><!DOCTYPE fontconfig SYSTEM 'fonts.dtd'><fontconfig><dir>{fonts}</dir>"
        f"<cachedir>{folder}/cache</cachedir>{aliases}</fontconfig>",
        encoding="utf-8",
    )
    return written


def used(page: Page, selector: str) -> set[str]:
    """The families that an element's letters are really drawn with."""
    tools = page.context.new_cdp_session(page)
    tools.send("DOM.enable")
    tools.send("CSS.enable")
    root = tools.send("DOM.getDocument")["root"]["nodeId"]
    node = tools.send("DOM.querySelector", {"nodeId": root, "selector": selector})["nodeId"]
    return {font["familyName"] for font in tools.send("CSS.getPlatformFontsForNode", {"nodeId": node})["fonts"]}
