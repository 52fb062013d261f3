"""A newsroom's own colour as styles, for the bar and for the pages of its campaigns."""

from markupsafe import Markup

from tracker.giving.bar_style import TEXT_CONTRAST, accent_in, ink_on
from tracker.giving.campaign import Campaign
from tracker.web.headers import may_hold


def on_each_paper(accent: str) -> dict[str, str]:
    """An accent on light and on dark paper, and the ink on each, as `#1c4f82`; empty while it is our own."""
    if not accent:
        return {}
    light, dark = accent_in("light", accent), accent_in("dark", accent)
    return {"light": f"#{light}", "on_light": f"#{ink_on(light)}", "dark": f"#{dark}", "on_dark": f"#{ink_on(dark)}"}


def as_style(colour: dict[str, str], theme: str) -> str:
    """These colours for a page on which bar.css is, on `light` or `dark` paper or, with `auto`, as the reader has it.

    Colours that a reader forces upon pages outweigh them.
    """
    if not colour:
        return ""
    rules = {
        paper: f"html{{--accent:{colour[paper]};--accent-ink:{colour[f'on_{paper}']}}}" for paper in ("light", "dark")
    }
    return on_either_paper(rules["light"], rules["dark"]) if theme == "auto" else rules[theme]


def on_either_paper(light: str, dark: str) -> str:
    """Rules for light paper, and those that go over them where the reader's device is dark."""
    return f"{light}@media(prefers-color-scheme:dark){{{dark}}}"


def in_colour_of(campaign: Campaign) -> Markup:
    """A campaign's colour for the head of its page, and leave for it in the page's policy; nothing while it is ours."""
    if not campaign.accent:
        return Markup("")
    # Links are text, which takes more contrast than the bar and the button.
    light, dark = (accent_in(theme, campaign.accent, TEXT_CONTRAST) for theme in ("light", "dark"))
    link = on_either_paper(f"html{{--link:#{light}}}", f"html{{--link:#{dark}}}")
    style = as_style(on_each_paper(campaign.accent), "auto") + link
    may_hold(style)
    return Markup(f"<style>{style}</style>")  # noqa: S704 - made of checked colours alone
