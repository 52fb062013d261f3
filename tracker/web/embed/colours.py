"""A newsroom's own colours as styles, for the bar and for the pages of its campaigns."""

from collections.abc import Mapping

from markupsafe import Markup

from tracker.giving.bar_colours import Palette, palettes
from tracker.giving.bar_style import PAPER, TEXT_CONTRAST, BarStyle, accent_in
from tracker.giving.campaign import Campaign
from tracker.web.headers import may_hold

Named = dict[str, str]
"""Colours as the style sheets name and write them: `--paper` and `#ffffff`."""


def as_style(colours: Mapping[str, Palette], theme: str) -> str:
    """These colours for a page on which bar.css is, on `light` or `dark` paper or, with `auto`, as the reader has it.

    Colours that a reader forces upon pages outweigh them.
    """
    named = differing(colours, theme)
    if not named["light"]:
        return ""
    rules = {
        of: "html{" + ";".join(f"{name}:{colour}" for name, colour in one.items()) + "}" for of, one in named.items()
    }
    return on_either_paper(rules["light"], rules["dark"]) if theme == "auto" else rules[theme]


def differing(colours: Mapping[str, Palette], theme: str) -> dict[str, Named]:
    """For light and for dark paper, the colours that are not those of the style sheets on the paper of a theme.

    If the theme follows the reader, they differ on one of the two: what is set for one holds for the other until it is
    set again.
    """
    every = {of: _named(one) for of, one in colours.items()}
    papers = tuple(PAPER) if theme == "auto" else (theme,)
    names = [name for name in every["light"] if any(every[of][name] != OURS[of][name] for of in papers)]
    return {of: {name: one[name] for name in names} for of, one in every.items()}


def _named(one: Palette) -> Named:
    named = {"paper": one.paper, "ink": one.ink, "quiet": one.quiet, "accent": one.accent, "accent-ink": one.on_accent}
    return {f"--{name}": f"#{colour}" if colour else "transparent" for name, colour in named.items()}


OURS = {theme: _named(one) for theme, one in palettes(BarStyle(), "").items()}


def on_either_paper(light: str, dark: str) -> str:
    """Rules for light paper, and those that go over them where the reader's device is dark."""
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def plain_style(looks: BarStyle) -> str:
    """A snippet's background, and legible words on it, for a page without bar.css; empty for our own background."""
    if not looks.background:
        return ""
    rules = {
        theme: f"html{{background:{of['--paper']}}}html,a{{color:{of['--ink']}}}"
        for theme, of in ((theme, _named(one)) for theme, one in palettes(looks, "").items())
    }
    return on_either_paper(rules["light"], rules["dark"]) if looks.theme == "auto" else rules[looks.theme]


def in_colour_of(campaign: Campaign) -> Markup:
    """A campaign's colour for the head of its page, and leave for it in the page's policy; nothing while it is ours."""
    if not campaign.accent:
        return Markup("")
    # Links are text, which takes more contrast than the bar and the button.
    light, dark = (accent_in(theme, campaign.accent, TEXT_CONTRAST) for theme in ("light", "dark"))
    link = on_either_paper(f"html{{--link:#{light}}}", f"html{{--link:#{dark}}}")
    style = as_style(palettes(BarStyle(), campaign.accent), "auto") + link
    may_hold(style)
    return Markup(f"<style>{style}</style>")  # noqa: S704 - made of checked colours alone
