"""The bar's colours on the background that a snippet asks for, adjusted so that words and lines stay legible on it."""

from dataclasses import dataclass, replace

from tracker.giving.bar_style import (
    ACCENT,
    EDGE_CONTRAST,
    INK,
    NONE,
    PAPER,
    TEXT_CONTRAST,
    BarStyle,
    ink_on,
    is_light,
    seen_on,
)

QUIET = {"light": "5b5f66", "dark": "a3a6ac"}
READ_EASILY = 7.0
"""WCAG 2.2, 1.4.6: text that is easy to read."""


@dataclass(frozen=True)
class Palette:
    """Six hexadecimal digits each; `paper` is empty where the page around the bar shows through."""

    paper: str
    ink: str
    quiet: str
    """For small words and lines."""
    accent: str
    on_accent: str
    """For the words on the button."""


def palettes(looks: BarStyle, campaigns_accent: str) -> dict[str, Palette]:
    """The colours for light and for dark surroundings.

    A page's own colour is the background in both, and decides whether the words are dark or light. Only if the bar
    follows the reader's device, the colour is used for the setting that it suits, and our own background for the other.
    """
    accent = looks.accent or campaigns_accent
    made = {theme: _on(PAPER[theme], accent) for theme in ("light", "dark")}
    if looks.background == NONE:
        return {theme: replace(one, paper="") for theme, one in made.items()}
    if looks.background:
        own = _on(looks.background, accent)
        suits = "light" if is_light(looks.background) else "dark"
        return made | {suits: own} if looks.theme == "auto" else dict.fromkeys(made, own)
    return made


def _on(paper: str, accent: str) -> Palette:
    theme = "light" if is_light(paper) else "dark"
    drawn = seen_on(paper, accent or ACCENT[theme], EDGE_CONTRAST)
    return Palette(
        paper,
        seen_on(paper, INK[theme], READ_EASILY),
        seen_on(paper, QUIET[theme], TEXT_CONTRAST),
        drawn,
        ink_on(drawn),
    )
